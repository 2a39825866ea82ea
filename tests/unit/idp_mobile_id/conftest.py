"""One sign-in, ready to be answered: a provider's kit, two issuers, a wallet."""

from pathlib import Path

import pytest

from tests.unit.idp_mobile_id.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)
