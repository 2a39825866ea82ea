"""The register of passkeys over SQL. Implements contracts.Passkeys, and what owners and operators do."""

import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from idp import randomness
from idp.contracts import Identifier, JsonObject, NewPasskey, Passkey, PasskeyState
from idp.cutoff import end_sessions, gate, must_be_live
from idp.errors import AccessDenied
from idp.events import Event, Kind, Reason
from idp.journal import Journal
from idp.passkeys.rows import Seen, as_passkey, lock_owner, owner_of, row_of, state_changed
from idp.sessions import Session
from idp.store.sql import transaction
from idp.store.tables import passkeys, sessions

MAX_CREDENTIAL_ID = 1023  # WebAuthn L3 §7.1 step 25
_KEPT = (PasskeyState.LIVE.value, PasskeyState.SUSPENDED.value)
_ALLOWED: Mapping[PasskeyState, frozenset[PasskeyState]] = {
    PasskeyState.LIVE: frozenset({PasskeyState.SUSPENDED, PasskeyState.REMOVED}),
    PasskeyState.SUSPENDED: frozenset({PasskeyState.LIVE, PasskeyState.REMOVED}),
    PasskeyState.REMOVED: frozenset(),
}


class PasskeyRegister:
    """Every method raises OutsideError when SQL is away."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        handle_key: bytes,
        per_person: int,
        now: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._handle_key = handle_key
        self.per_person = per_person
        self._now = now

    # --- for methods (contracts.Passkeys) -------------------------------------------------------

    def find(self, credential_id: bytes) -> Passkey | None:
        """In whatever state; None when nobody has it."""
        query = select(passkeys).where(passkeys.c.credential_id == credential_id)
        with transaction(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        return as_passkey(row) if row is not None else None

    def advance(self, passkey: Passkey, data: JsonObject) -> bool:
        """Compare and set: new `data` and a use, if it is still LIVE at `passkey.version`."""
        change = (
            update(passkeys)
            .where(
                passkeys.c.id == passkey.id,
                passkeys.c.version == passkey.version,
                passkeys.c.state == PasskeyState.LIVE.value,
            )
            .values(data=dict(data), version=passkey.version + 1, used_at=self._now())
        )
        with transaction(self._engine) as connection:
            return connection.execute(change).rowcount == 1

    def suspend(self, passkey: Passkey, reason: Reason) -> None:
        """Out of use until its owner or an operator looks at it; its sessions end."""
        with transaction(self._engine) as connection:
            row = self._locked(connection, passkey.id)
            if row is not None and row.state == PasskeyState.LIVE.value:
                self._change(connection, row, PasskeyState.SUSPENDED, reason)

    # --- for owners -----------------------------------------------------------------------------

    def user_handle(self, subject: str) -> bytes:
        """What authenticators know a person by: stable, and it says nothing (WebAuthn L3 §14.6.1)."""
        return hmac.digest(self._handle_key, subject.encode(), "sha256")

    def of(self, subject: str) -> list[Passkey]:
        """Those a person has, suspended ones too; the oldest first."""
        return self._list(passkeys.c.subject == subject, passkeys.c.state.in_(_KEPT))

    def news(self, subject: str, session_id: str) -> list[Passkey]:
        """Those added, suspended or removed since the sign-in before this one, which used none of them."""
        this = select(sessions.c.passkey).where(sessions.c.id == session_id)
        before = select(func.max(sessions.c.authenticated_at)).where(
            sessions.c.subject == subject, sessions.c.id != session_id
        )
        return self._list(
            passkeys.c.subject == subject,
            passkeys.c.changed_at > before.scalar_subquery(),
            passkeys.c.id != this.scalar_subquery(),
        )

    def enrol(
        self, session: Session, new: NewPasskey, name: str, mobile_id: str, seen: Seen
    ) -> Passkey:
        """Keep a verified passkey for who holds this session.

        AccessDenied when the session has ended, the person was cut off, the mobile ID it is tied to
        is not live, somebody has that credential, or the person has as many as are allowed (A-202).
        """
        if not 1 <= len(new.credential_id) <= MAX_CREDENTIAL_ID:
            raise AccessDenied("length of the credential's id", reason=Reason.PASSKEY_TAKEN)
        try:
            with transaction(self._engine) as connection:
                lock_owner(connection, session.subject)
                identifier = self._may_add(connection, session, mobile_id)
                row = self._insert(connection, session, new, name, mobile_id, identifier)
                added = _by_owner(Kind.PASSKEY_ADDED, row, session, seen)
                self._journal.record(connection, added)
        except IntegrityError as error:
            raise AccessDenied("registered already", reason=Reason.PASSKEY_TAKEN) from error
        return as_passkey(row)

    def rename(self, session: Session, passkey_id: str, name: str, seen: Seen) -> bool:
        """Another name for one's own; false when there is none with that id."""
        with transaction(self._engine) as connection:
            row = connection.execute(
                update(passkeys)
                .where(
                    passkeys.c.id == passkey_id,
                    passkeys.c.subject == session.subject,
                    passkeys.c.state.in_(_KEPT),
                )
                .values(name=name)
                .returning(passkeys)
            ).one_or_none()
            if row is not None:
                renamed = _by_owner(Kind.PASSKEY_RENAMED, row, session, seen)
                self._journal.record(connection, renamed)
        return row is not None

    # --- for operators, and for owners who remove one -------------------------------------------

    def get(self, passkey_id: str) -> Passkey | None:
        """In whatever state."""
        with transaction(self._engine) as connection:
            row = row_of(connection, passkey_id)
        return as_passkey(row) if row is not None else None

    def all(self, personnel_number: str = "", limit: int = 100) -> list[Passkey]:
        """The newest first, removed ones too; of one person when given."""
        query = select(passkeys).order_by(passkeys.c.created_at.desc(), passkeys.c.id)
        if personnel_number:
            query = query.where(passkeys.c.personnel_number == personnel_number)
        with transaction(self._engine) as connection:
            return [as_passkey(row) for row in connection.execute(query.limit(limit))]

    def set_state(self, passkey_id: str, state: PasskeyState, actor: str) -> Passkey:
        """Suspend, reinstate, remove. The same state again changes nothing and is no event.

        AccessDenied for one that is not there (PASSKEY_REMOVED), for a transition that must not be,
        and for one whose phone's mobile ID is not live. Sessions it opened end with it (R-062).
        """
        with transaction(self._engine) as connection:
            row = self._locked(connection, passkey_id)
            if row is None:
                raise AccessDenied("no such passkey", reason=Reason.PASSKEY_REMOVED)
            found = PasskeyState(row.state)
            if found is state:
                return as_passkey(row)
            if state not in _ALLOWED[found]:
                raise AccessDenied(f"{found} -> {state}", reason=Reason.PASSKEY_REMOVED)
            if state is PasskeyState.LIVE and row.mobile_id:
                _phone_must_be_live(connection, row.mobile_id)
            reason = Reason.BY_PERSON if actor == row.subject else Reason.BY_OPERATOR
            return as_passkey(self._change(connection, row, state, reason, actor))

    # --- steps ----------------------------------------------------------------------------------

    def _list(self, *conditions: ColumnElement[bool]) -> list[Passkey]:
        query = select(passkeys).where(*conditions).order_by(passkeys.c.created_at, passkeys.c.id)
        with transaction(self._engine) as connection:
            return [as_passkey(row) for row in connection.execute(query)]

    def _locked(self, connection: Connection, passkey_id: str) -> Row[Any] | None:
        """The row, its owner's row locked until the transaction ends."""
        found = row_of(connection, passkey_id)
        if found is None:
            return None
        lock_owner(connection, found.subject)
        return row_of(connection, passkey_id)

    def _may_add(self, connection: Connection, session: Session, mobile_id: str) -> Identifier:
        """Who the owner is, when this session may add one more."""
        open_session = (
            select(sessions.c.id)
            .where(sessions.c.id == session.id, sessions.c.ended_at.is_(None))
            .with_for_update(read=True)
        )
        if connection.execute(open_session).first() is None:  # 1. nobody signed out meanwhile
            raise AccessDenied("the session has ended", reason=Reason.SESSION_OVER)
        gate(connection, session.subject, session.authenticated_at)  # 2. not cut off
        if mobile_id:
            must_be_live(connection, mobile_id)  # 3. nor the phone it lives on
        having = select(func.count()).where(
            passkeys.c.subject == session.subject, passkeys.c.state.in_(_KEPT)
        )
        if (connection.scalar(having) or 0) >= self.per_person:  # 4. one more is allowed
            raise AccessDenied("as many as are allowed", reason=Reason.PASSKEY_LIMIT)
        return owner_of(connection, session.subject)

    def _insert(
        self,
        connection: Connection,
        session: Session,
        new: NewPasskey,
        name: str,
        mobile_id: str,
        owner: Identifier,
    ) -> Row[Any]:
        now = self._now()
        values = {
            "id": randomness.token(16),
            "credential_id": new.credential_id,
            "subject": session.subject,
            "source": session.source,
            "personnel_number": owner.number,
            "issuer": owner.issuer,
            "user_handle": self.user_handle(session.subject),
            "name": name,
            "data": dict(new.data),
            "mobile_id": mobile_id,
            "state": PasskeyState.LIVE.value,
            "created_at": now,
            "changed_at": now,
        }
        return connection.execute(insert(passkeys).values(values).returning(passkeys)).one()

    def _change(
        self,
        connection: Connection,
        row: Row[Any],
        state: PasskeyState,
        reason: Reason,
        actor: str = "",
    ) -> Row[Any]:
        now = self._now()
        changed = connection.execute(
            update(passkeys)
            .where(passkeys.c.id == row.id)
            .values(state=state.value, state_reason=reason.value, changed_at=now)
            .returning(passkeys)
        ).one()
        events = [state_changed(row, state, reason, actor)]
        if state is not PasskeyState.LIVE:
            events += end_sessions(
                connection, [row.id], reason, now, actor, opener=sessions.c.passkey
            )
        for event in events:
            self._journal.record(connection, event)
        return changed


def _by_owner(kind: Kind, row: Row[Any], session: Session, seen: Seen) -> Event:
    return Event(
        kind,
        subject=session.subject,
        actor=session.subject,
        session=session.id,
        mobile_id=row.mobile_id,
        passkey=row.id,
        address=seen.address,
        network=seen.network,
        device=seen.device,
    )


def _phone_must_be_live(connection: Connection, mobile_id: str) -> None:
    try:
        must_be_live(connection, mobile_id)
    except AccessDenied as error:
        raise AccessDenied(error.detail, reason=Reason.PHONE_CUT_OFF) from error
