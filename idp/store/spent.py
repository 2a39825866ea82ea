"""Single use of what others made: remembered in SQL until it expires, in whatever state Redis is."""

from datetime import datetime

from sqlalchemy import Connection, delete
from sqlalchemy.dialects import postgresql, sqlite

from idp import randomness
from idp.store.tables import spent

FORGET_ONE_IN = 64  # how often a use also removes what has expired


def spend(connection: Connection, digest: str, expires_at: datetime, now: datetime) -> bool:
    """True for exactly one caller with this digest: two at once wait for one another by the key."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    first = connection.execute(
        dialect.insert(spent)
        .values(digest=digest, expires_at=expires_at)
        .on_conflict_do_nothing(index_elements=["digest"])
        .returning(spent.c.digest)
    ).one_or_none()
    if randomness.below(FORGET_ONE_IN) == 0:
        connection.execute(delete(spent).where(spent.c.expires_at < now))
    return first is not None
