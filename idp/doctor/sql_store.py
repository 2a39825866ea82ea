"""SQL: does it answer, how is it protected, is the schema ours, are the keys in it whole."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, make_url, text

from idp.conf import LOOPBACK_HOSTS, Settings
from idp.doctor import clock, keys, restored
from idp.doctor.finding import Finding, fix, note, ok, warn
from idp.store import migrations
from idp.store.sql import open_engine, transaction

_WHAT = "sql"
OLDEST = 13  # the oldest PostgreSQL that its makers still mend, more or less


def examine(settings: Settings, now: datetime) -> Iterator[Finding]:
    """The store, then what lies in it."""
    url = make_url(settings.stores.sql_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        yield fix(
            _WHAT, f"no database at {url.database}", "gongmu db upgrade"
        )  # asking would make one
        return
    engine = open_engine(settings.stores)
    try:
        with transaction(engine) as connection:
            if connection.dialect.name == "postgresql":
                found = list(_postgresql(connection, engine.url.host or ""))
            else:
                found = [
                    note(_WHAT, f"SQLite at {engine.url.database}: one machine, to try it out")
                ]
        yield from found
        migrations.check(engine)
        yield ok(_WHAT, f"schema {migrations.HEAD}, the one of this program")
        yield from keys.examine(engine, settings, now)
        yield from restored.examine(engine, settings, now)
    finally:
        engine.dispose()


def _postgresql(connection: Connection, host: str) -> Iterator[Finding]:
    before = datetime.now(UTC)
    theirs, version, durable, synchronous, secret, powerful = connection.execute(
        text(
            "SELECT clock_timestamp(), current_setting('server_version'), current_setting('fsync'),"
            " current_setting('synchronous_commit'),"
            " coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),"
            " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
        )
    ).one()
    yield clock.compare("PostgreSQL", theirs, before, datetime.now(UTC))
    if int(version.partition(".")[0]) < OLDEST:
        yield fix(_WHAT, f"PostgreSQL {version}", f"PostgreSQL {OLDEST} or later")
    else:
        yield ok(_WHAT, f"PostgreSQL {version}")
    if "off" in (durable, synchronous):
        found = f"fsync = {durable}, synchronous_commit = {synchronous}: a revocation may be lost"
        yield fix(_WHAT, found, "set both to on")
    if not secret and not is_local(host):
        yield fix(_WHAT, "the connection is not encrypted", "sql_url with ?sslmode=verify-full")
    if powerful:
        found = "our login is a superuser there: whoever takes us takes the whole server"
        yield warn(_WHAT, found, "a login that owns its database and nothing else")


def is_local(host: str) -> bool:
    """Whether it is this machine, by loopback or socket."""
    return not host or host.startswith("/") or host in LOOPBACK_HOSTS
