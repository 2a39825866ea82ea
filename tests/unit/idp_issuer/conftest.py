"""A world on SQLite in a folder of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from idp.conf import Stores
from idp.store.sql import open_engine
from idp.store.tables import metadata
from tests.unit.idp_issuer.world import Wallet, World


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    engine = open_engine(Stores(sql_url=f"sqlite:///{tmp_path}/gongmu.db"))
    metadata.create_all(engine)

    def make(**settings: Any) -> World:
        return World(engine, **settings)

    yield make
    engine.dispose()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture
def wallet(world: World) -> Wallet:
    return Wallet(world)
