"""The browser asks for the mobile ID itself, in Chromium; the wallet behind the API is the test's."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.attacks.forge import decode
from tests.attacks.holder import Answer, Ask, Held
from tests.desk import Desk
from tests.provider import Provider

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
PATIENCE_MS = 15_000
# What a browser with the API has; `wallet` answers as the test lets it.
API = """
window.DigitalCredential = class { static userAgentAllowsProtocol(name) { return name === "%s"; } };
navigator.credentials.get = async (options) => {
  const answer = await window.wallet(JSON.stringify(options));
  if (!answer) throw new DOMException("declined", "NotAllowedError");
  return { protocol: "openid4vp-v1-signed", data: { response: answer } };
};
"""
SIGNED = API % "openid4vp-v1-signed"


@pytest.fixture(scope="module")
def owner(demo: Provider) -> Held:
    return Held.receive(demo, demo.person(index=5))


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with ExitStack() as stack:
        context = stack.enter_context(chromium.new_context())
        made = context.new_page()
        made.set_default_timeout(PATIENCE_MS)
        yield made


def opened(page: Page, demo: Provider, api: str, wallet: Any) -> None:
    page.expose_function("wallet", wallet)
    page.add_init_script(api)
    with Desk(demo, party="intranet") as desk:
        page.goto(desk.authorization_url())
    usual = page.locator("form[action$='/mobile_id'] button")
    page.locator("#qr").or_(usual).first.wait_for()
    if not page.locator("#qr").is_visible():
        usual.first.click()
    page.locator("#qr").wait_for()


def test_no_qr_and_no_code(page: Page, demo: Provider, owner: Held) -> None:
    def wallet(options: str) -> str:
        digital = json.loads(options)["digital"]
        asked = decode(digital["requests"][0]["data"]["request"])[1]
        made = Answer(owner, Ask(demo, "openid4vp://?client_id=none", {"state": "", **asked}))
        made.kb_payload["aud"] = f"origin:{demo.issuer}"
        return made.build()["response"]

    opened(page, demo, SIGNED, wallet)
    with page.expect_request(re.compile(r"[?&]code=")):
        page.locator("#digital button").click()


def test_who_says_no_still_has_the_qr(page: Page, demo: Provider) -> None:
    opened(page, demo, SIGNED, lambda _options: "")
    page.locator("#digital button").click()
    expect(page.locator("#digital-status")).to_have_text(re.compile("QR"))
    expect(page.locator("#qr")).to_be_visible()


@pytest.mark.parametrize("api", ["", "delete window.DigitalCredential", API % "org-iso-mdoc"])
def test_not_shown_where_the_browser_cannot(page: Page, demo: Provider, api: str) -> None:
    api = api or "window.DigitalCredential = undefined"
    opened(page, demo, api, lambda _options: "")
    expect(page.locator("#digital")).to_be_hidden()
