"""Whether the database is the one that it was, or a backup that nobody has vouched for."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Engine

from idp.conf import Settings
from idp.doctor.finding import Finding, fix, ok
from idp.errors import GongmuError
from idp.journal import Journal
from idp.keys import KeyRing
from idp.store.high_water import HighWater
from idp.store.short import open_short

_WHAT = "sql"


def examine(engine: Engine, settings: Settings, now: datetime) -> Iterator[Finding]:
    """How many events it holds, beside how many it held."""
    if not settings.keys.key_encryption_key_file.exists():  # asking would make one
        return
    stores = settings.stores
    file = stores.redis_password_file
    password = file.read_text(encoding="utf-8").strip() if file else None
    try:
        keys = KeyRing(engine, Journal(engine, lambda: now), settings, lambda: now)
        short = open_short(stores.redis_url, password, stores.timeout_s, keys.secret("short-lived"))
        stood, stands = HighWater(engine, short).heights()
    except GongmuError:  # a store that is away, keys that cannot be opened: said by others
        return
    if stands < stood:
        found = f"older than it was: {stands} events, {stood} before; nothing is answered from it"
        yield fix(_WHAT, found, "after a backup was put back: gongmu db restored (docs/operations)")
    else:
        yield ok(_WHAT, f"{stands} events, no fewer than before")
