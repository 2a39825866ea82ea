"""Steps of a change in the register, each within the caller's transaction; and rows as values."""

import re
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Row, func, or_, select, update

from idp import randomness
from idp.contracts import MobileId, MobileIdState
from idp.errors import AccessDenied, OutsideError
from idp.events import Event, Kind, Reason
from idp.signals import announce_end
from idp.store.sql import utc
from idp.store.tables import grants, mobile_ids, sessions

STATUS_LIST_SIZE = 1 << 17  # indices per list; 2 bits each: 32 KiB before compression
FIRST_LIST = 1
OFFERED_AT_MOST = timedelta(hours=1)
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
_CANDIDATES = 16  # random places tried in a list; it is left for the next one at about 60 %


def row_of(connection: Connection, mobile_id: str, *, share: bool = False) -> Row[Any] | None:
    """The row of a mobile ID; with `share`, it cannot change until the transaction ends."""
    if not _ID.fullmatch(mobile_id):
        return None
    query = select(mobile_ids).where(mobile_ids.c.id == mobile_id)
    if share:
        query = query.with_for_update(read=True)
    return connection.execute(query).one_or_none()


def free_place(connection: Connection) -> tuple[int, int]:
    """A random free place: drawn, not counted, so that it says nothing of when or to whom (A-178)."""
    newest = connection.scalar(select(func.max(mobile_ids.c.status_list))) or FIRST_LIST
    for number in (newest, newest + 1):
        drawn = [randomness.below(STATUS_LIST_SIZE) for _ in range(_CANDIDATES)]
        query = select(mobile_ids.c.status_index).where(
            mobile_ids.c.status_list == number, mobile_ids.c.status_index.in_(drawn)
        )
        taken = set(connection.scalars(query))
        for index in drawn:
            if index not in taken:
                return number, index
    raise OutsideError("sql", "no free place in the status list")


def end_sessions(
    connection: Connection,
    opened_by: list[str],
    reason: Reason,
    now: datetime,
    actor: str = "",
    opener: Column[str] = sessions.c.mobile_id,
) -> list[Event]:
    """End the sessions that these mobile IDs (or passkeys) opened, and their grants; gives the events.

    What such a session took over in its browser (step-up) ends with it, whatever had opened that.
    """
    if not opened_by:
        return []
    opened = opener.in_(opened_by)
    taken_over = sessions.c.successor.in_(select(sessions.c.id).where(opened))
    ended = connection.execute(
        update(sessions)
        .where(or_(opened, taken_over), sessions.c.ended_at.is_(None))
        .values(ended_at=now, end_reason=reason.value)
        .returning(sessions.c.id, sessions.c.subject, sessions.c.journey, sessions.c.mobile_id)
    ).all()
    connection.execute(
        update(grants)
        .where(grants.c.session.in_([row.id for row in ended]), grants.c.ended_at.is_(None))
        .values(ended_at=now, end_reason=reason.value)
    )
    announce_end(connection, [row.id for row in ended], now)
    return [
        Event(
            Kind.SESSION_ENDED,
            reason=reason,
            subject=row.subject,
            journey=row.journey,
            session=row.id,
            mobile_id=row.mobile_id,
            actor=actor,
        )
        for row in ended
    ]


def event(kind: Kind, mobile_id: str, subject: str, actor: str = "") -> Event:
    """The journey of an issuance bears the id of its mobile ID."""
    return Event(kind, journey=mobile_id, mobile_id=mobile_id, subject=subject, actor=actor)


def state_changed(mobile_id: str, subject: str, reason: Reason, to: str, actor: str = "") -> Event:
    """A mobile ID was suspended, reinstated or revoked."""
    return Event(
        Kind.MOBILE_ID_STATE,
        reason=reason,
        mobile_id=mobile_id,
        subject=subject,
        actor=actor,
        data={"to": to},
    )


def is_stale_offer(mobile_id: MobileId, now: datetime) -> bool:
    """Whether it was offered and nobody took it in time: no issuer keeps an offer open for longer."""
    return mobile_id.state is MobileIdState.OFFERED and now > mobile_id.created_at + OFFERED_AT_MOST


def as_mobile_id(row: Row[Any] | None) -> MobileId:
    """A row as a value. AccessDenied(OFFER_UNKNOWN) when there is none."""
    if row is None:
        raise AccessDenied("no such mobile ID", reason=Reason.OFFER_UNKNOWN)
    return MobileId(
        id=row.id,
        personnel_number=row.personnel_number,
        source=row.source,
        state=MobileIdState(row.state),
        status_list=row.status_list,
        status_index=-1 if row.status_index is None else row.status_index,
        key_thumbprint=row.key_thumbprint,
        created_at=utc(row.created_at) or row.created_at,
        expires_at=utc(row.expires_at) or row.expires_at,
    )
