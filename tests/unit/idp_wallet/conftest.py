"""One world a test, and a card received in it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import request
from playwright.sync_api import Browser, Page

from idp_wallet.card import Card
from idp_wallet.keys import new_key, public_jwk
from idp_wallet.web import Web
from tests.fakes.desk import open_chromium
from tests.unit.idp_wallet.world import World, issue, korean, make_app, make_wallet, served

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


@pytest.fixture
def served_wallet(tmp_path: Path) -> Iterator[World]:
    """A world with the web wallet on the same origin."""
    world = World()
    app = make_app(world)

    @app.before_request
    def fall_ill() -> tuple[str, int] | None:
        return ("down", 503) if request.path == world.seen.get("down") else None

    @app.post("/test/issue")
    def issue_any() -> str:
        return issue(world.issuer, world.base, request.get_json())

    with served(app) as world.base:
        make_wallet(world, app, korean(tmp_path / "words"))
        yield world


@pytest.fixture(scope="module")  # no longer: only one Playwright may run at a time
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    """A page of a fresh browser profile, phone-sized, in Korean; faults of scripts fail the test."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, locale="ko-KR")
    page = context.new_page()
    page.set_default_timeout(10_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []
