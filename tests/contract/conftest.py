"""The outbox on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.conf import Stores
from idp.journal import verify_chains
from idp.store import migrations
from idp.store.sql import open_engine
from tests.contract.outbox_world import World


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = f"sqlite:///{tmp_path}/test.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_database")
    engine = open_engine(Stores(sql_url=url))
    migrations.upgrade(engine)
    yield World(engine, tmp_path)
    assert list(verify_chains(engine)) == []
    engine.dispose()
