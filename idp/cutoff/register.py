"""The register of mobile IDs over SQL. Whether a person was cut off: `account_gate.py`."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from idp import randomness
from idp.contracts import Identifier, MobileId, MobileIdState, Official, Status
from idp.cutoff.account_gate import WHY_NOT_LIVE, gate
from idp.cutoff.rows import (
    FIRST_LIST,
    STATUS_LIST_SIZE,
    as_mobile_id,
    end_sessions,
    event,
    free_place,
    row_of,
    state_changed,
)
from idp.cutoff.tied import reinstate_tied, suspend_tied
from idp.errors import AccessDenied, OutsideError
from idp.events import Event, Kind, Reason
from idp.journal import Journal
from idp.people import People, must_be_active
from idp.store.direct import Statement, direct
from idp.store.sql import transaction
from idp.store.tables import mobile_ids, subjects

_LAST_LIST = 999_999
_RACES = 5  # two people drew the same place at once
_LIST_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_LIVING = (MobileIdState.LIVE.value, MobileIdState.SUSPENDED.value)
_BY_PLACE = Statement(
    select(mobile_ids.c.id, mobile_ids.c.state).where(
        mobile_ids.c.status_list == bindparam("number"),
        mobile_ids.c.status_index == bindparam("index"),
    )
)
_ALLOWED: Mapping[MobileIdState, frozenset[MobileIdState]] = {
    MobileIdState.OFFERED: frozenset({MobileIdState.REVOKED}),
    MobileIdState.LIVE: frozenset({MobileIdState.SUSPENDED, MobileIdState.REVOKED}),
    MobileIdState.SUSPENDED: frozenset({MobileIdState.LIVE, MobileIdState.REVOKED}),
    MobileIdState.REVOKED: frozenset(),
}


class Cutoff:
    """The register of mobile IDs (implements contracts.MobileIds).

    Every method raises OutsideError when SQL or the directory is away.
    """

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        people: People,
        issuer: str,
        now: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._people = people
        self._issuer = issuer  # our credentials' `iss`, and half of every identifier
        self._lists = f"{issuer}/status/"
        self._now = now

    # --- the states -----------------------------------------------------------------------------

    def own_status(self, uri: str, index: int) -> Status | None:
        """The state behind `<issuer>/status/<n>` and index, read from SQL; None: not our list.

        A place of ours that was never given out is REVOKED: in the list itself it would read as
        valid, and a credential that names it is one that the register has lost or never saw.
        """
        if not uri.startswith(self._lists):
            return None
        number = uri.removeprefix(self._lists)
        if not _LIST_NUMBER.fullmatch(number) or not 0 <= index < STATUS_LIST_SIZE:
            return Status(MobileIdState.REVOKED, "")
        rows = direct(self._engine).rows(_BY_PLACE, number=int(number), index=index)
        if not rows:
            return Status(MobileIdState.REVOKED, "")
        mobile_id, state = rows[0]
        return Status(MobileIdState(state), mobile_id)

    # --- the register ---------------------------------------------------------------------------

    def holder(self, personnel_number: str) -> Official:
        """The active official with that number. AccessDenied with the reason otherwise."""
        official = self._people.find(personnel_number)
        must_be_active(official)
        return official

    def offer(self, personnel_number: str, actor: str, expires_at: datetime) -> MobileId:
        """A new OFFERED row for an active official; `expires_at` is the end of the mobile ID."""
        official = self.holder(personnel_number)
        now = self._now()
        mobile_id = randomness.token(16)
        with transaction(self._engine) as connection:
            subject = self._subject(connection, official.personnel_number)
            row = connection.execute(
                insert(mobile_ids)
                .values(
                    id=mobile_id,
                    personnel_number=official.personnel_number,
                    source=official.source,
                    state=MobileIdState.OFFERED.value,
                    status_list=0,
                    created_at=now,
                    expires_at=expires_at.astimezone(UTC),
                    changed_at=now,
                )
                .returning(mobile_ids)
            ).one()
            self._record(connection, [event(Kind.MOBILE_ID_OFFERED, mobile_id, subject, actor)])
        return as_mobile_id(row)

    def issue(self, mobile_id: str, key_thumbprint: str) -> MobileId:
        """OFFERED -> LIVE with a fresh random status index; the person's former one is REVOKED.

        AccessDenied when it is no longer OFFERED, or the person is not active, has moved to
        another source, or was cut off since the offer (A-177).
        """
        offered = self.get(mobile_id)
        if offered is None:
            raise AccessDenied("no such offer", reason=Reason.OFFER_UNKNOWN)
        official = self.holder(offered.personnel_number)
        if official.source != offered.source:
            raise AccessDenied("moved to another source since", reason=Reason.NOT_ADMITTED)
        for _ in range(_RACES):
            try:
                return self._issue(offered, key_thumbprint)
            except IntegrityError:  # another process took the same place in the status list
                continue
        raise OutsideError("sql", "no free place in the status list")

    def _issue(self, offered: MobileId, key_thumbprint: str) -> MobileId:
        now = self._now()
        with transaction(self._engine) as connection:
            subject = self._lock(connection, offered.personnel_number)
            gate(connection, subject, offered.created_at)
            former = self._revoke_former(connection, offered.personnel_number, now)
            events = [state_changed(one, subject, Reason.REPLACED, "revoked") for one in former]
            events += suspend_tied(connection, former, now)
            events += end_sessions(connection, former, Reason.REPLACED, now)
            status_list, status_index = free_place(connection)
            row = connection.execute(
                update(mobile_ids)
                .where(
                    mobile_ids.c.id == offered.id,
                    mobile_ids.c.state == MobileIdState.OFFERED.value,
                )
                .values(
                    state=MobileIdState.LIVE.value,
                    status_list=status_list,
                    status_index=status_index,
                    key_thumbprint=key_thumbprint,
                    changed_at=now,
                )
                .returning(mobile_ids)
            ).one_or_none()
            if row is None:
                raise AccessDenied("no longer offered", reason=Reason.OFFER_REPLAYED)
            events.append(event(Kind.MOBILE_ID_ISSUED, offered.id, subject))
            self._record(connection, events)
        return as_mobile_id(row)

    def get(self, mobile_id: str) -> MobileId | None:
        with transaction(self._engine) as connection:
            row = row_of(connection, mobile_id)
        return as_mobile_id(row) if row is not None else None

    def all(self, personnel_number: str = "", limit: int = 100) -> list[MobileId]:
        """Newest first; of one person when given."""
        query = select(mobile_ids).order_by(mobile_ids.c.created_at.desc(), mobile_ids.c.id)
        if personnel_number:
            query = query.where(mobile_ids.c.personnel_number == personnel_number)
        with transaction(self._engine) as connection:
            return [as_mobile_id(row) for row in connection.execute(query.limit(limit))]

    def set_state(self, mobile_id: str, state: MobileIdState, actor: str) -> MobileId:
        """Suspend, reinstate, revoke. The same state again changes nothing and is no event.

        AccessDenied for a transition that must not be (revoked -> live). Suspending or revoking
        ends the sessions and grants that the mobile ID opened, and suspends the passkeys on its
        phone, in the same transaction.
        """
        known = self.get(mobile_id)
        if known is None:
            raise AccessDenied("no such mobile ID", reason=Reason.OFFER_UNKNOWN)
        now = self._now()
        with transaction(self._engine) as connection:
            subject = self._lock(connection, known.personnel_number)
            found = as_mobile_id(row_of(connection, mobile_id))
            if found.state is state:
                return found
            if state not in _ALLOWED[found.state]:
                detail = f"{found.state} -> {state}"
                raise AccessDenied(detail, reason=WHY_NOT_LIVE.get(found.state))
            row = connection.execute(
                update(mobile_ids)
                .where(mobile_ids.c.id == mobile_id)
                .values(state=state.value, changed_at=now)
                .returning(mobile_ids)
            ).one()
            reason = Reason.BY_PERSON if actor == subject else Reason.BY_OPERATOR
            events = [state_changed(mobile_id, subject, reason, state.value, actor)]
            if state is MobileIdState.LIVE:
                events += reinstate_tied(connection, mobile_id, now, actor)
            else:
                events += suspend_tied(connection, [mobile_id], now, actor)
                events += end_sessions(connection, [mobile_id], reason, now, actor)
            self._record(connection, events)
        return as_mobile_id(row)

    def states(self, status_list: int) -> Mapping[int, MobileIdState] | None:
        """Index -> state of every index given out; None when there is no such list."""
        if not FIRST_LIST <= status_list <= _LAST_LIST:
            return None
        query = select(mobile_ids.c.status_index, mobile_ids.c.state).where(
            mobile_ids.c.status_list == status_list, mobile_ids.c.status_index.is_not(None)
        )
        with transaction(self._engine) as connection:
            found = {index: MobileIdState(state) for index, state in connection.execute(query)}
        # The first list is there before anyone is in it, so that a monitor can watch it.
        return found if found or status_list == FIRST_LIST else None

    # --- steps ----------------------------------------------------------------------------------

    def _subject(self, connection: Connection, personnel_number: str) -> str:
        return self._people.subject(connection, Identifier(self._issuer, personnel_number))

    def _lock(self, connection: Connection, personnel_number: str) -> str:
        """The person's internal id, their row locked until the transaction ends."""
        subject = self._subject(connection, personnel_number)
        lock = select(subjects.c.id).where(subjects.c.id == subject).with_for_update(key_share=True)
        connection.execute(lock).all()
        return subject

    def _revoke_former(
        self, connection: Connection, personnel_number: str, now: datetime
    ) -> list[str]:
        """One person, one live mobile ID: by number alone, since a person may change sources."""
        rows = connection.scalars(
            update(mobile_ids)
            .where(
                mobile_ids.c.personnel_number == personnel_number,
                mobile_ids.c.state.in_(_LIVING),
            )
            .values(state=MobileIdState.REVOKED.value, changed_at=now)
            .returning(mobile_ids.c.id)
        )
        return sorted(rows)

    def _record(self, connection: Connection, events: Iterable[Event]) -> None:
        for one in events:
            self._journal.record(connection, one)
