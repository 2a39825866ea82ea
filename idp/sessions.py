"""Sessions and grants in SQL. A session row and its event commit in one transaction (D-6)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    Connection,
    Engine,
    Row,
    insert,
    select,
    update,
)

from idp import randomness
from idp.conf import Lifetimes
from idp.cutoff import gate, must_be_live
from idp.events import Event, Kind, Reason
from idp.journal import Journal
from idp.login import Bound, digest
from idp.signals import announce_end
from idp.store.sql import transaction, utc
from idp.store.tables import grants, sessions


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


class Sessions:
    """Start, find, end. Every method raises OutsideError when SQL is away."""

    def __init__(
        self, engine: Engine, journal: Journal, lifetimes: Lifetimes, now: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._lifetimes = lifetimes
        self._now = now

    def start(self, login: Bound, session_id: str, acr: str, amr: tuple[str, ...]) -> str:
        """A new session with its event in one transaction; gives the cookie's value.

        AccessDenied when the mobile ID is not live any more or a cut-off was written since the proof.
        """
        now = self._now()
        cookie = randomness.token(32)
        ticket = login.ticket
        with transaction(self._engine) as connection:
            # Asked here once more: what was suspended or reported since the proof opens nothing.
            if login.proof.credential:
                must_be_live(connection, login.proof.credential)
            gate(connection, login.person.subject, login.proof.at)
            connection.execute(
                insert(sessions).values(
                    id=session_id,
                    cookie_hash=digest(cookie),
                    subject=login.person.subject,
                    source=login.person.source,
                    personnel_number=login.person.personnel_number,
                    journey=ticket.journey,
                    method=login.wire.method,
                    means=list(login.means),
                    acr=acr,
                    amr=list(amr),
                    mobile_id=login.proof.credential,
                    device=ticket.device,
                    address=ticket.address,
                    authenticated_at=login.proof.at,
                    seen_at=now,
                    expires_at=now + timedelta(seconds=self._lifetimes.session_total_s),
                )
            )
            self._journal.record(
                connection,
                Event(
                    Kind.SESSION_STARTED,
                    journey=ticket.journey,
                    subject=login.person.subject,
                    relying_party=ticket.relying_party,
                    method=login.wire.method,
                    acr=acr,
                    amr=amr,
                    session=session_id,
                    mobile_id=login.proof.credential,
                    address=ticket.address,
                    network=ticket.network,
                    device=ticket.device,
                    data={"means": " ".join(login.means)},
                ),
            )
        return cookie

    def find(self, cookie: str) -> Session | None:
        """The live session of a cookie; None when unknown, ended, idle too long or over."""
        return self._one(sessions.c.cookie_hash == digest(cookie))

    def get(self, session_id: str) -> Session | None:
        """The live session with this id."""
        return self._one(sessions.c.id == session_id)

    def touch(self, session_id: str) -> None:
        """Activity: moves only the idle limit, never `authenticated_at` (A-031)."""
        with transaction(self._engine) as connection:
            connection.execute(
                update(sessions).where(sessions.c.id == session_id).values(seen_at=self._now())
            )

    def of(self, subject: str) -> list[Session]:
        """The live sessions of a person."""
        query = select(sessions).where(sessions.c.subject == subject, *self._live())
        with transaction(self._engine) as connection:
            return [_session(row) for row in connection.execute(query)]

    def end(self, session_id: str, reason: Reason, actor: str = "") -> bool:
        """End a session and every grant of it, with its event; false when it had ended before."""
        with transaction(self._engine) as connection:
            return end_session(connection, self._journal, session_id, reason, self._now(), actor)

    def add_grant(self, session: Session, client_id: str, scope: tuple[str, ...]) -> Grant:
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
        )
        with transaction(self._engine) as connection:
            connection.execute(
                insert(grants).values(
                    id=grant.id,
                    session=grant.session,
                    subject=grant.subject,
                    client_id=client_id,
                    scope=" ".join(scope),
                    created_at=now,
                    expires_at=grant.expires_at,
                )
            )
            self._journal.record(
                connection,
                Event(
                    Kind.AUTHORIZATION_ISSUED,
                    journey=session.journey,
                    subject=session.subject,
                    relying_party=client_id,
                    acr=session.acr,
                    session=session.id,
                ),
            )
        return grant

    def live_grant(self, grant_id: str) -> tuple[Grant, Session] | None:
        """A grant and its session, when both are alive now; one query."""
        query = (
            select(grants, sessions)
            .join(sessions, sessions.c.id == grants.c.session)
            .where(
                grants.c.id == grant_id,
                grants.c.ended_at.is_(None),
                grants.c.expires_at > self._now(),
                *self._live(idle=False),
            )
            .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
        )
        with transaction(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return _grant(row), _session(row, "sessions_")

    def end_grant(self, grant_id: str, reason: Reason) -> bool:
        """End one grant (reuse, replay, revocation) with its event; false when it had ended before."""
        with transaction(self._engine) as connection:
            row = connection.execute(
                update(grants)
                .where(grants.c.id == grant_id, grants.c.ended_at.is_(None))
                .values(ended_at=self._now(), end_reason=reason.value)
                .returning(grants.c.subject, grants.c.session, grants.c.client_id)
            ).one_or_none()
            if row is None:
                return False
            self._journal.record(
                connection,
                Event(
                    Kind.GRANT_ENDED,
                    reason=reason,
                    subject=row.subject,
                    session=row.session,
                    relying_party=row.client_id,
                ),
            )
        return True

    def _live(self, *, idle: bool = True) -> list[Any]:
        now = self._now()
        rules = [sessions.c.ended_at.is_(None), sessions.c.expires_at > now]
        if idle:
            rules.append(
                sessions.c.seen_at > now - timedelta(seconds=self._lifetimes.session_idle_s)
            )
        return rules

    def _one(self, condition: Any) -> Session | None:
        with transaction(self._engine) as connection:
            row = connection.execute(select(sessions).where(condition, *self._live())).one_or_none()
        return _session(row) if row is not None else None


def end_session(
    connection: Connection,
    journal: Journal,
    session_id: str,
    reason: Reason,
    now: datetime,
    actor: str = "",
) -> bool:
    """In the caller's transaction: end a session, its grants, and write the event."""
    row = connection.execute(
        update(sessions)
        .where(sessions.c.id == session_id, sessions.c.ended_at.is_(None))
        .values(ended_at=now, end_reason=reason.value)
        .returning(sessions.c.subject, sessions.c.journey)
    ).one_or_none()
    if row is None:
        return False
    connection.execute(
        update(grants)
        .where(grants.c.session == session_id, grants.c.ended_at.is_(None))
        .values(ended_at=now, end_reason=reason.value)
    )
    announce_end(connection, [session_id], now)
    journal.record(
        connection,
        Event(
            Kind.SESSION_ENDED,
            reason=reason,
            subject=row.subject,
            journey=row.journey,
            session=session_id,
            actor=actor,
        ),
    )
    return True


def _session(row: Row[Any], prefix: str = "") -> Session:
    cell = {name: getattr(row, prefix + name) for name in Session.__slots__}
    for name in ("authenticated_at", "seen_at", "expires_at"):
        cell[name] = utc(cell[name])
    for name in ("means", "amr"):
        cell[name] = tuple(cell[name])
    return Session(**cell)


def _grant(row: Row[Any]) -> Grant:
    return Grant(
        id=row.grants_id,
        session=row.grants_session,
        subject=row.grants_subject,
        client_id=row.grants_client_id,
        scope=tuple(row.grants_scope.split()),
        created_at=utc(row.grants_created_at) or row.grants_created_at,
        expires_at=utc(row.grants_expires_at) or row.grants_expires_at,
    )
