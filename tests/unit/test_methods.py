"""What a browser remembers, what a phone sees first, and where a plain camera lands."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.conf import DEFAULT_ACR_RULES, AcrRule
from idp.contracts import Attempt, JsonObject, Proof, Step
from tests.fakes.html import Page
from tests.fakes.pages import create_pages_app
from tests.unit.oidc.scene import Asked, World

PHONE = (
    "Mozilla/5.0 (Linux; Android 16; SM-S931N) AppleWebKit/537.36 Chrome/156.0 Mobile Safari/537.36"
)
DESK = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36"


class FakeWalletMethod:
    """A wallet method that says nothing of its own."""

    def begin(self, attempt: Attempt) -> Step:
        return Step({}, {"id": attempt.id})

    def complete(self, attempt: Attempt, state: JsonObject, answer: JsonObject) -> Proof:
        raise NotImplementedError

    def link_query(self, request_uri: str) -> str:
        return urlencode({"client_id": "c", "request_uri": request_uri})

    def request_object(self, attempt: Attempt, state: JsonObject, wallet: JsonObject) -> str:
        raise NotImplementedError


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A provider with two ways to sign in."""
    made = World(tmp_path)
    methods: dict[str, Any] = {"mobile_id": FakeWalletMethod(), "other": FakeWalletMethod()}
    rules = (
        *DEFAULT_ACR_RULES,
        AcrRule(method="other", means=("qr", "return_code"), acr="urn:gongmu:acr:2"),
    )
    settings = made.parts.settings.model_copy(update={"acr_rules": rules})
    made.parts = replace(made.parts, methods=methods, settings=settings)
    made.app = create_app(made.parts.settings, made.parts)
    yield made
    made.close()


def login_of(world: World, browser: FlaskClient, registered: Any) -> str:
    """The address of a new login."""
    asked = Asked(registered)
    answer = browser.get("/oauth/authorize", query_string=asked.parameters())
    return str(answer.headers["Location"])


def text(answer: TestResponse) -> str:
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def chosen(browser: FlaskClient, login: str, method: str) -> TestResponse:
    page = Page(text(browser.get(f"{login}?choose=1")))
    fields = page.forms()[f"{login}/{method}"]
    return browser.post(f"{login}/{method}", data=fields)


def test_the_first_time_a_person_chooses_and_then_no_more(world: World) -> None:
    browser, mail = world.browser(), world.register()
    login = login_of(world, browser, mail)
    assert f'action="{login}/other"' in text(browser.get(login))
    answer = chosen(browser, login, "other")
    kept = answer.headers.getlist("Set-Cookie")
    assert any(cookie.startswith("gongmu-method=other;") for cookie in kept)
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in kept)
    again = login_of(world, browser, mail)
    page = text(browser.get(again))
    assert 'id="qr"' in page
    assert f'href="{again}?choose=1"' in page  # always a way back to the choice
    back = Page(text(browser.get(f"{again}?choose=1")))
    [usual] = [button for button in back.all("button") if "usual" in button.get("class", "")]
    assert "other" in usual["text"]
    assert 'id="qr"' in text(browser.get(again))  # looking at the choice changes nothing


@pytest.mark.parametrize("value", ["made_up", "", "../other", "other; x"])
def test_a_cookie_of_another_hand_is_no_method(world: World, value: str) -> None:
    browser = world.browser()
    browser.set_cookie("gongmu-method", value)
    login = login_of(world, browser, world.register())
    assert f'action="{login}/mobile_id"' in text(browser.get(login))


def test_with_one_method_there_is_nothing_to_choose(tmp_path: Path) -> None:
    world = World(tmp_path)
    only: dict[str, Any] = {"mobile_id": FakeWalletMethod()}
    world.parts = replace(world.parts, methods=only)
    world.app = create_app(world.parts.settings, world.parts)
    browser = world.browser()
    login = login_of(world, browser, world.register())
    for address in (login, f"{login}?choose=1"):
        page = text(browser.get(address))
        assert 'id="qr"' in page
        assert "choose=1" not in page.replace(f'value="{address}"', "")
    world.close()


@pytest.mark.parametrize(
    ("headers", "first"),
    [
        ({"User-Agent": PHONE}, "same-device"),
        ({"User-Agent": DESK}, "qr"),
        ({"User-Agent": DESK, "Sec-CH-UA-Mobile": "?1"}, "same-device"),
        ({"User-Agent": "iPhone" * 2000}, "same-device"),
        ({}, "qr"),
    ],
)
def test_on_a_phone_the_app_on_this_device_comes_first(
    world: World, headers: dict[str, str], first: str
) -> None:
    browser = world.browser()
    browser.set_cookie("gongmu-method", "mobile_id")
    login = login_of(world, browser, world.register())
    page = text(browser.get(login, headers=headers))
    places = {"same-device": page.index('class="same-device"'), "qr": page.index('id="qr"')}
    assert min(places, key=lambda name: places[name]) == first
    assert ("<details" in page) is (first == "same-device")


# --- a plain camera -------------------------------------------------------------------------------

ISSUER = "http://localhost:8000"
GOOD = {
    "client_id": "x509_hash:abc",
    "request_uri": f"{ISSUER}/vp/AAAAAAAAAAAAAAAAAAAAAA/request?frame=001abc",
    "request_uri_method": "post",
}


def camera(path: str, query: object) -> Page:
    client = create_pages_app().test_client()
    answer = client.get(path, query_string=cast("Any", query))
    return Page(text(answer))


def links(page: Page) -> list[str]:
    return [link["href"] for link in page.all("a") if not link["href"].startswith(("/", "#"))]


def test_a_camera_is_led_to_the_app() -> None:
    page = camera("/wallet/present", GOOD)
    assert links(page) == [f"openid4vp://?{urlencode(GOOD)}"]
    assert "G-111" in page.html


def test_a_camera_is_led_to_the_app_with_an_offer() -> None:
    offer = {"credential_offer_uri": f"{ISSUER}/issuer/offers/abc"}
    page = camera("/wallet/receive", offer)
    assert links(page) == [f"openid-credential-offer://?{urlencode(offer)}"]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {**GOOD, "request_uri": "https://evil.example/vp/x/request"},
        {**GOOD, "request_uri": f"{ISSUER}.evil.example/vp/x/request"},
        {**GOOD, "more": "x"},
        {name: value for name, value in GOOD.items() if name != "client_id"},
        [*GOOD.items(), ("client_id", "y509")],
    ],
)
def test_a_link_that_is_not_ours_opens_nothing(query: Any) -> None:
    page = camera("/wallet/present", query)
    assert links(page) == []
    assert "evil" not in "".join(link["href"] for link in page.all("a"))


def test_a_camera_uses_nothing_up(world: World) -> None:
    """The page is no wallet: the login goes on waiting for one."""
    desk, camera_phone = world.browser(), world.browser()
    desk.set_cookie("gongmu-method", "mobile_id")
    login = login_of(world, desk, world.register())
    [link] = re_links(text(desk.get(login)))
    query = link.split("?", 1)[1]
    answer = camera_phone.get(f"/wallet/present?{query}&request_uri_method=post")
    assert "openid4vp://" in text(answer)
    status = desk.get(f"{login}/status").json
    assert status is not None
    assert status["step"] == "waiting"


def re_links(page: str) -> list[str]:
    found = Page(page)
    return [a["href"] for a in found.all("a") if a["href"].startswith("openid4vp://")]


def test_where_the_wallet_is_on_its_pages_stand_there(world: World) -> None:
    rules = {rule.rule for rule in world.app.url_map.iter_rules()}
    assert "/wallet/present" in rules
    site: Any = type("Site", (), {"prefixes": ("/wallet",), "blueprint": _blueprint()})()
    app = create_app(world.parts.settings, replace(world.parts, sites={"wallet": site}))
    assert "/wallet/present" not in {rule.rule for rule in app.url_map.iter_rules()}


def _blueprint() -> Any:
    from flask import Blueprint

    return Blueprint("a_wallet", __name__)
