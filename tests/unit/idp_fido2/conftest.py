"""A person with an enrolled key."""

import pytest

from tests.unit.idp_fido2.scene import Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def enrolled() -> Scene:
    found = Scene()
    found.enrol()
    return found
