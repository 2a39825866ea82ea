"""Sessions and grants in SQL. A session row and its event commit in one transaction (D-6)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Engine,
    bindparam,
    exists,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from idp import randomness
from idp.conf import ACR_ORDER, Lifetimes
from idp.events import Event, Kind, Reason
from idp.journal import Journal
from idp.login import Bound, digest
from idp.session_ends import end_session, hand_over
from idp.session_starts import row_of, started, still_good
from idp.store.direct import Statement, direct
from idp.store.sql import transaction, utc
from idp.store.tables import cut_offs, grants, sessions

HIGHEST_TOTAL_S = 12 * 3600


@dataclass(frozen=True, slots=True)
class Session:
    """A live session of one browser."""

    id: str  # public: `sid`
    subject: str
    source: str
    personnel_number: str
    journey: str
    method: str
    means: tuple[str, ...]
    acr: str
    amr: tuple[str, ...]
    mobile_id: str
    device: str
    address: str
    authenticated_at: datetime
    seen_at: datetime
    expires_at: datetime
    cut_off: bool  # whether the person was cut off since signing in, as it was when this was read


@dataclass(frozen=True, slots=True)
class Grant:
    """One authorization of a relying party within a session."""

    id: str
    session: str
    subject: str
    client_id: str
    scope: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    claims: str = ""  # the claims parameter as canonical JSON
    resource: tuple[str, ...] = ()
    binding: str = ""  # "jkt:<thumbprint>" or "x5t:<thumbprint>": the key its refresh tokens need


_CUT_OFF = exists().where(
    cut_offs.c.subject == sessions.c.subject,
    cut_offs.c.lifted_at.is_(None),
    cut_offs.c.at >= sessions.c.authenticated_at,
)
_SESSION = [
    *(sessions.c[name] for name in Session.__slots__ if name != "cut_off"),
    _CUT_OFF.label("cut_off"),
]
_GRANT = [grants.c[name] for name in Grant.__slots__]
_LIVE = (sessions.c.ended_at.is_(None), sessions.c.expires_at > bindparam("now"))
_IN_USE = (*_LIVE, sessions.c.seen_at > bindparam("idle_since"))
_BY_COOKIE = Statement(
    select(*_SESSION).where(sessions.c.cookie_hash == bindparam("key"), *_IN_USE)
)
_BY_ID = Statement(select(*_SESSION).where(sessions.c.id == bindparam("key"), *_IN_USE))
_OF_SUBJECT = Statement(
    select(*_SESSION).where(
        sessions.c.subject == bindparam("key"), sessions.c.successor == literal_column("''"), *_LIVE
    )
)
_HEIR = Statement(
    select(sessions.c.id, sessions.c.successor).where(sessions.c.id == bindparam("key"), *_LIVE)
)
_GRANT_WITH_SESSION = Statement(
    select(*_GRANT, *_SESSION)
    .join(sessions, sessions.c.id == grants.c.session)
    .where(
        grants.c.id == bindparam("key"),
        or_(grants.c.ended_at.is_(None), grants.c.end_reason == bindparam("overlooked")),
        grants.c.expires_at > bindparam("now"),
        *_LIVE,
    )
)
_NEVER = "-"  # no reason: nothing that has ended is overlooked
_TIMES = [Session.__slots__.index(name) for name in ("authenticated_at", "seen_at", "expires_at")]
_LISTS = [Session.__slots__.index(name) for name in ("means", "amr")]


class Sessions:
    """Start, find, end. Every method raises OutsideError when SQL is away."""

    def __init__(
        self, engine: Engine, journal: Journal, lifetimes: Lifetimes, now: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._lifetimes = lifetimes
        self._now = now

    def start(
        self,
        login: Bound,
        session_id: str,
        acr: str,
        amr: tuple[str, ...],
        former: Session | None = None,
    ) -> str:
        """A new session with its event in one transaction; gives the cookie's value.

        The former session of this browser ends with it when it is another person's (A-135). The
        same person's has no cookie any more and lives on for its grants alone, as strong as it was,
        until the new one ends: a step-up signs nobody out and raises no older token.

        AccessDenied when the mobile ID or the passkey is not live any more, a cut-off was written since
        the proof, or another tab of this browser was quicker. The session of a passkey on a phone ends
        with that phone's mobile ID too.
        """
        now = self._now()
        cookie = randomness.token(32)
        expires_at = now + self._total(acr)
        with transaction(self._engine) as connection:
            login = still_good(connection, login)
            values = row_of(login, acr, amr)
            times = {"seen_at": now, "expires_at": expires_at}
            connection.execute(
                insert(sessions).values(
                    id=session_id, cookie_hash=digest(cookie), **values, **times
                )
            )
            if former is not None and former.subject == login.person.subject:
                hand_over(connection, former.id, session_id)
            elif former is not None:
                end_session(connection, self._journal, former.id, Reason.REPLACED, now)
            self._journal.record(connection, started(login, session_id, acr, amr))
        return cookie

    def find(self, cookie: str) -> Session | None:
        """The live session of a cookie; None when unknown, ended, idle too long or over."""
        found = self._sessions(_BY_COOKIE, digest(cookie))
        return found[0] if found else None

    def get(self, session_id: str) -> Session | None:
        """The live session with this id."""
        found = self._sessions(_BY_ID, session_id)
        return found[0] if found else None

    def touch(self, session_id: str) -> None:
        """Activity: moves only the idle limit, never `authenticated_at` (A-031)."""
        with transaction(self._engine) as connection:
            connection.execute(
                update(sessions).where(sessions.c.id == session_id).values(seen_at=self._now())
            )

    def of(self, subject: str) -> list[Session]:
        """Where a person is signed in: one for each browser, idle ones too, for their grants live on."""
        rows = direct(self._engine).rows(_OF_SUBJECT, key=subject, now=self._now())
        return [_session(row) for row in rows]

    def heir(self, session_id: str) -> str:
        """The session that stands for this one in its browser: itself, or its successor; "" when over."""
        rows = direct(self._engine).rows(_HEIR, key=session_id, now=self._now())
        return str(rows[0][1] or rows[0][0]) if rows else ""

    def end(self, session_id: str, reason: Reason, actor: str = "") -> bool:
        """End a session and every grant of it, with its event; false when it had ended before."""
        with transaction(self._engine) as connection:
            return end_session(connection, self._journal, session_id, reason, self._now(), actor)

    def end_all(self, subject: str, reason: Reason, actor: str = "") -> list[str]:
        """End every session of a person; their ids. A sign-in that comes after it begins a new one.

        Looked at twice: a device may have been getting a session from one that now has ended, after
        which none can begin.
        """
        return [
            one.id for _ in range(2) for one in self.of(subject) if self.end(one.id, reason, actor)
        ]

    def add_grant(
        self,
        session: Session,
        client_id: str,
        scope: tuple[str, ...],
        *,
        claims: str = "",
        resource: tuple[str, ...] = (),
        binding: str = "",
    ) -> Grant:
        """An authorization of a relying party; its event is written with it."""
        now = self._now()
        grant = Grant(
            id=randomness.token(16),
            session=session.id,
            subject=session.subject,
            client_id=client_id,
            scope=scope,
            created_at=now,
            expires_at=now + timedelta(seconds=self._lifetimes.refresh_total_s),
            claims=claims,
            resource=resource,
            binding=binding,
        )
        row = {
            "id": grant.id,
            "session": grant.session,
            "subject": grant.subject,
            "client_id": client_id,
            "scope": " ".join(scope),
            "claims": claims,
            "resource": " ".join(resource),
            "binding": binding,
            "created_at": now,
            "expires_at": grant.expires_at,
            "ended_at": None,
            "end_reason": "",
        }
        event = Event(
            Kind.AUTHORIZATION_ISSUED,
            journey=session.journey,
            subject=session.subject,
            relying_party=client_id,
            acr=session.acr,
            session=session.id,
        )
        self._journal.record_with(event, grants, row)
        return grant

    def live_grant(
        self, grant_id: str, *, overlooked: Reason | None = None
    ) -> tuple[Grant, Session] | None:
        """A grant and its session, when both are alive now, or the grant ended for that reason alone."""
        rows = direct(self._engine).rows(
            _GRANT_WITH_SESSION, key=grant_id, overlooked=overlooked or _NEVER, now=self._now()
        )
        if not rows:
            return None
        cells = rows[0]
        return _grant(cells[: len(_GRANT)]), _session(cells[len(_GRANT) :])

    def end_grant(self, grant_id: str, event: Event) -> bool:
        """End one grant and write what happened, in one transaction; false when it had ended before."""
        with transaction(self._engine) as connection:
            row = connection.execute(
                update(grants)
                .where(grants.c.id == grant_id, grants.c.ended_at.is_(None))
                .values(ended_at=self._now(), end_reason=event.reason.value)
                .returning(grants.c.subject, grants.c.session)
            ).one_or_none()
            if row is not None:
                event = replace(event, subject=row.subject, session=row.session)
            self._journal.record(connection, event)
        return row is not None

    def _total(self, acr: str) -> timedelta:
        """At the highest level twelve hours at most, whatever is set (NIST SP 800-63B-4 §2.3.3)."""
        total_s = self._lifetimes.session_total_s
        return timedelta(seconds=min(total_s, HIGHEST_TOTAL_S) if acr == ACR_ORDER[-1] else total_s)

    def _sessions(self, statement: Statement, key: str) -> list[Session]:
        now = self._now()
        idle_since = now - timedelta(seconds=self._lifetimes.session_idle_s)
        rows = direct(self._engine).rows(statement, key=key, now=now, idle_since=idle_since)
        return [_session(row) for row in rows]


def _session(cells: Sequence[Any]) -> Session:
    values = list(cells)
    for place in _TIMES:
        values[place] = utc(values[place])
    for place in _LISTS:
        values[place] = tuple(values[place])
    return Session(*values)


def _grant(cells: Sequence[Any]) -> Grant:
    values = dict(zip(Grant.__slots__, cells, strict=True))
    for name in ("scope", "resource"):
        values[name] = tuple(values[name].split())
    for name in ("created_at", "expires_at"):
        values[name] = utc(values[name])
    return Grant(**values)
