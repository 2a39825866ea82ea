"""One Chromium for all tests of a file; for sample pages, the desk behind them and a page that complains."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.fakes.desk import Desk, attentive_page, open_chromium, serve_pages


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def _desk() -> Desk:
    return Desk()


@pytest.fixture
def desk(_desk: Desk) -> Desk:
    """What the sample pages ask for their status; as new for each test."""
    _desk.reset()
    return _desk


@pytest.fixture(scope="module")
def address(_desk: Desk) -> Iterator[str]:
    with serve_pages(_desk) as address:
        yield address


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    with (
        chromium.new_context(base_url=address, locale="en-US") as context,
        attentive_page(context) as page,
    ):
        yield page
