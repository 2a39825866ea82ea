"""Single use of what others made: ids of client assertions (RFC 7523 §3, A-063).

They are kept in SQL. A Redis that was flushed, or one of two that both believe to be the primary,
would take a spent one again; what we made ourselves is refused there because it is not there.
"""

from datetime import datetime

from idp.login import digest
from idp.services import services
from idp.store.spent import spend
from idp.store.sql import transaction


def is_first(owner: str, identifier: str, expires_at: datetime) -> bool:
    """True for exactly one caller of (owner, identifier). OutsideError when SQL cannot tell."""
    parts = services()
    with transaction(parts.engine) as connection:
        return spend(connection, digest(f"{owner} {identifier}"), expires_at, parts.now())
