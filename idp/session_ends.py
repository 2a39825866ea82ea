"""How a session ends, or is taken over by the next sign-in of the same person in the same browser."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, or_, select, update

from idp.errors import AccessDenied
from idp.events import Event, Kind, Reason
from idp.journal import Journal
from idp.signals import announce_end
from idp.store.tables import grants, sessions


def end_session(
    connection: Connection,
    journal: Journal,
    session_id: str,
    reason: Reason,
    now: datetime,
    actor: str = "",
) -> bool:
    """In the caller's transaction: end a session and those it took over, their grants; the events."""
    rows = connection.execute(
        update(sessions)
        .where(_with_former(session_id), sessions.c.ended_at.is_(None))
        .values(ended_at=now, end_reason=reason.value)
        .returning(sessions.c.id, sessions.c.subject, sessions.c.journey)
    ).all()
    if not rows:
        return False
    ended = [row.id for row in rows]
    connection.execute(
        update(grants)
        .where(grants.c.session.in_(ended), grants.c.ended_at.is_(None))
        .values(ended_at=now, end_reason=reason.value)
    )
    announce_end(connection, ended, now)
    for row in rows:
        journal.record(
            connection,
            Event(
                Kind.SESSION_ENDED,
                reason=reason,
                subject=row.subject,
                journey=row.journey,
                session=row.id,
                actor=actor,
            ),
        )
    return True


def hand_over(connection: Connection, former: str, successor: str) -> None:
    """No cookie opens the former session any more; it and those before it end with the new one.

    AccessDenied when another tab has taken it over this moment: the browser keeps one cookie, and of
    the two sessions no sign-out would end the other.
    """
    lock = select(sessions.c.successor).where(sessions.c.id == former)
    if connection.scalar(lock.with_for_update(key_share=True)):
        raise AccessDenied("taken over this moment", reason=Reason.LOGIN_STEP)
    connection.execute(
        update(sessions)
        .where(_with_former(former), sessions.c.ended_at.is_(None))
        .values(successor=successor, cookie_hash="-" + sessions.c.id)
    )


def _with_former(session_id: str) -> ColumnElement[bool]:
    taken_over = (sessions.c.successor == session_id) & (sessions.c.successor != "")
    return or_(sessions.c.id == session_id, taken_over)
