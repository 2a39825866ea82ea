"""Sessions whose time is over are ended like all others: with their event, and relying parties are told."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Engine, select

from idp.events import Reason
from idp.journal import Journal
from idp.session_ends import end_session
from idp.store.sql import transaction
from idp.store.tables import sessions

AT_MOST = 100  # in one transaction


def end_expired(engine: Engine, journal: Journal, now: Callable[[], datetime]) -> int:
    """End some of them, if any; gives how many. OutsideError when SQL is away.

    What was idle too long is not among them: it answers nobody any more, but its grants live on.
    """
    at = now()
    over = (
        select(sessions.c.id)
        .where(sessions.c.ended_at.is_(None), sessions.c.expires_at <= at)
        .limit(AT_MOST)
        .with_for_update(skip_locked=True)  # another process may be at the others
    )
    with transaction(engine) as connection:
        found = connection.scalars(over).all()
        for session_id in found:
            end_session(connection, journal, session_id, Reason.EXPIRED, at)
    return len(found)
