"""The schema: made at once or step by step it is the same, and the provider refuses another one."""

import json
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from idp.conf import Stores
from idp.errors import ConfError
from idp.paths import MIGRATIONS
from idp.store import migrations
from idp.store.sql import open_engine
from idp.store.tables import metadata


@pytest.fixture
def engine(tmp_path: Path):
    engine = open_engine(Stores(sql_url=f"sqlite:///{tmp_path}/gongmu.db"))
    yield engine
    engine.dispose()


def _differences(engine: Engine) -> list[object]:
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)
    return [difference for difference in found if "alembic_version" not in repr(difference)]


def _shape(engine: Engine) -> dict[str, object]:
    """Everything the database itself says about its tables."""
    seen = inspect(engine)
    return {
        name: (
            [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in seen.get_columns(name)
            ],
            seen.get_pk_constraint(name)["constrained_columns"],
            sorted(map(_plain, seen.get_indexes(name))),
            sorted(map(_plain, seen.get_unique_constraints(name))),
            sorted(map(_plain, seen.get_foreign_keys(name))),
        )
        for name in sorted(seen.get_table_names())
    }


def _plain(facts: object) -> str:
    return json.dumps(facts, default=str, sort_keys=True)


def _migrated(engine: Engine) -> None:
    with engine.begin() as connection:
        migrations.migrate(connection)


def test_the_newest_revision_is_the_one_the_program_asks_for():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_a_new_sqlite_database_has_every_table(engine: Engine):
    assert migrations.upgrade(engine) == ("", migrations.HEAD)
    assert _differences(engine) == []
    migrations.check(engine)


def test_step_by_step_gives_the_same_sqlite_schema(engine: Engine, tmp_path: Path):
    migrations.upgrade(engine)
    other = open_engine(Stores(sql_url=f"sqlite:///{tmp_path}/other.db"))
    _migrated(other)
    assert _shape(other) == _shape(engine)
    other.dispose()


def test_upgrading_twice_changes_nothing(engine: Engine):
    migrations.upgrade(engine)
    assert migrations.upgrade(engine) == (migrations.HEAD, migrations.HEAD)


def test_an_empty_database_is_refused(engine: Engine):
    with pytest.raises(ConfError, match="gongmu db upgrade"):
        migrations.check(engine)


def test_a_newer_database_is_refused(engine: Engine):
    migrations.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfError, match="this program is older"):
        migrations.check(engine)


@pytest.mark.services
def test_both_ways_give_the_same_postgresql_schema(postgres_database: str, postgres_url: str):
    engine = open_engine(Stores(sql_url=postgres_database))
    migrations.upgrade(engine)
    assert _differences(engine) == []
    at_once = _shape(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    _migrated(engine)
    assert _shape(engine) == at_once
    engine.dispose()
