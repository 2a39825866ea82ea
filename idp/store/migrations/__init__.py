"""The schema of the SQL store, by Alembic: `upgrade` brings it up to date, `check` refuses an old one.

A new database is made from the tables at once and marked with the newest revision, which needs no
Alembic and a tenth of a second; an older one is migrated step by step. A test holds the two equal.
"""

from sqlalchemy import Connection, Engine, inspect, text

from idp.errors import ConfError, Problem
from idp.paths import MIGRATIONS
from idp.store.sql import transaction, wait_as_long_as_it_takes
from idp.store.tables import metadata

HEAD = "0006"  # the newest file in versions/
_LOCK = 0x676F6E676D76


def current(engine: Engine) -> str:
    """The revision of the database; "" for an empty one. OutsideError when SQL is away."""
    with transaction(engine) as connection:
        return _revision(connection)


def upgrade(engine: Engine) -> tuple[str, str]:
    """Bring the schema up to date; gives (revision before, revision now). One process at a time."""
    with transaction(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
            # A long migration is no hung request: the limits of the running provider do not apply.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            wait_as_long_as_it_takes(connection)
        before = _revision(connection)
        if before == HEAD:
            return before, before
        if not before and not inspect(connection).get_table_names():
            metadata.create_all(connection)
            connection.execute(
                text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
            )
            connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
        else:
            migrate(connection)
        return before, HEAD


def migrate(connection: Connection, revision: str = "head") -> None:
    """Step by step with Alembic, in the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def check(engine: Engine) -> None:
    """Does nothing, or raises ConfError when the schema is older or newer than this program."""
    found = current(engine)
    if found == HEAD:
        return
    standing = f"schema {found}" if found else "an empty database"
    wanted = f"schema {HEAD}: run `gongmu db upgrade`"
    if found > HEAD:
        wanted = f"schema {HEAD}: this program is older than the database, install the newer one"
    raise ConfError([Problem("database", "stores.sql_url", None, standing, wanted)])


def _revision(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.scalar(text("SELECT version_num FROM alembic_version")) or "")
