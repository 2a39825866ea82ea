"""A provider on SQLite in a folder of its own, with one relying party and one browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.unit.oidc.scene import Asked, Registered, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def mail(world: World) -> Registered:
    return world.register()


@pytest.fixture
def asked(mail: Registered) -> Asked:
    return Asked(mail)


@pytest.fixture
def browser(world: World) -> FlaskClient:
    return world.browser()
