"""axe-core finds nothing to complain of on any page: both languages, both sizes, light and dark.

Each page is reached through the running demo once, and looked at in every way before going on.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.attacks.holder import Held, fetched
from tests.desk import Desk
from tests.fakes.desk import Desk as SampleDesk
from tests.fakes.desk import serve_pages
from tests.fakes.pages import SAMPLES
from tests.provider import ROOT, Provider

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
AXE = ROOT / "tests" / "interop" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOKS: tuple[tuple[int, Any], ...] = (
    (1280, "light"),
    (360, "dark"),
    (1280, "dark"),
    (360, "light"),
)
RUN = "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})"
EVERY_SAMPLE = sorted(set(SAMPLES) - {"form-post"})  # that one leaves at once


Opened = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Opened]:
    """Makes a page in a browser of its own that lets axe in: our policy would not (`bypass_csp`)."""
    with ExitStack() as stack:

        def make(locale: str = "ko-KR", **options: Any) -> Page:
            context = chromium.new_context(
                locale=locale, bypass_csp=True, reduced_motion="reduce", **options
            )
            stack.callback(context.close)
            context.add_init_script(path=AXE)
            return context.new_page()

        yield make


def complaints(page: Page) -> list[str]:
    """What axe says of the page as it is, as "rule: where"."""
    found = page.evaluate(RUN, TAGS)
    return [
        f"{page.url} {violation['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def look(page: Page) -> list[str]:
    """At a desk by day, on a phone by night."""
    said = []
    for width, scheme in LOOKS[:2]:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        said += complaints(page)
    return said


def test_pages_without_a_sign_in(opened: Opened, demo: Provider) -> None:
    page = opened("en-US")
    said = []
    for address in ("/", "/account", "/nothing", "/wallet", "/wallet/present", "/wallet/receive"):
        page.goto(demo.issuer + address)
        page.wait_for_load_state("networkidle")
        said += look(page)
    assert said == []


def test_every_page_of_a_sign_in(opened: Opened, demo: Provider) -> None:
    held = Held.receive(demo, demo.person(index=2))
    desk, phone = opened("ko-KR"), opened("en-US")
    desk.route("http://localhost:9999/**", lambda route: route.fulfill(body="there"))
    with Desk(demo) as asking:
        desk.goto(asking.authorization_url(acr_values="urn:gongmu:acr:2", prompt="consent"))
    said = look(desk)
    link = desk.locator("a[href^='openid4vp://']").first.get_attribute("href") or ""
    phone.goto(fetched(held, link).post().json()["redirect_uri"])
    said += look(phone)
    for code in ("000000", phone.locator("#return-code").inner_text()):
        desk.locator("input[name=return_code]").wait_for()
        said += look(desk)
        desk.locator("input[name=return_code]").fill(code)
        desk.keyboard.press("Enter")
        desk.locator("#code-error, button[name=decision]").first.wait_for()
    said += look(desk)
    desk.locator("button[name=decision][value=allow]").click()
    desk.wait_for_url("http://localhost:9999/**")
    phone.locator(".mark.good").wait_for()
    said += look(phone)
    for address in ("/account", "/oauth/logout"):
        desk.goto(demo.issuer + address)
        said += look(desk)
    desk.locator("main .primary").click()
    assert said + look(desk) == []


@pytest.mark.parametrize(("locale", "first"), [("ko-KR", 0), ("en-US", 2)])
def test_every_sample(opened: Opened, locale: str, first: int) -> None:
    """The states that the demo reaches only by waiting or by a fault."""
    page = opened(locale)
    said = []
    with serve_pages(SampleDesk()) as address:
        for number, name in enumerate(EVERY_SAMPLE):
            width, scheme = LOOKS[first + number % 2]
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            page.goto(f"{address}/page/{name}")
            said += complaints(page)
    assert said == []
