"""One world a test, and a card received in it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from idp_wallet.card import Card
from idp_wallet.keys import new_key, public_jwk
from idp_wallet.web import Web
from tests.unit.idp_wallet.world import World, issue, make_app, served

NOW = datetime.now(UTC)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    with served(make_app(world)) as world.base:
        yield world


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as web:
        yield web


@pytest.fixture
def card(world: World) -> Card:
    key = new_key()
    return Card(issue(world.issuer, world.base, public_jwk(key)), key, world.base, NOW)
