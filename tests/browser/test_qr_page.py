"""The QR page in a real browser: frames that decode, every state of a login, with and without scripts."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.fakes.desk import Desk, decode, second_of
from tests.fakes.pages import qr_link

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("desk")]


# --- the QR ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_second_shows_its_own_frame(page: Page, desk: Desk, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    desk.began -= 37  # the page was opened long after the QR began: only the server's clock counts
    page.goto("/page/qr")
    seen = []
    for _look in range(5):
        earliest = int(desk.elapsed_s())
        seen.append(second_of(decode(page)))
        latest = int(desk.elapsed_s())
        assert seen[-1] == 0 or earliest - 2 <= seen[-1] <= latest
        page.wait_for_timeout(900)
    assert len(set(seen) - {0}) >= 4
    assert seen == sorted(seen)


@pytest.mark.parametrize("width", [360, 1280])
def test_without_scripts_the_servers_drawing_decodes(
    chromium: Browser, address: str, width: int
) -> None:
    with chromium.new_context(
        base_url=address,
        locale="en-US",
        java_script_enabled=False,
        viewport={"width": width, "height": 800},
    ) as context:
        page = context.new_page()
        page.goto("/page/qr")
        assert decode(page) == qr_link(0)
        assert page.get_by_role("button", name="New QR code").is_visible()


def test_without_scripts_the_page_refreshes_itself(chromium: Browser, address: str) -> None:
    with chromium.new_context(
        base_url=address, locale="en-US", java_script_enabled=False
    ) as context:
        page = context.new_page()
        page.goto("/page/qr-no-js")
        with page.expect_navigation(timeout=10_000):
            pass


def test_a_frame_too_old_to_answer_is_not_shown_as_good(page: Page, desk: Desk) -> None:
    desk.frames = range(-20, -9)
    desk.began -= 60
    page.goto("/page/qr")
    expect(page.locator("#login.stale")).to_be_attached()
    assert decode(page) == ""


def test_links_on_this_device_stay_as_young_as_the_picture(page: Page, desk: Desk) -> None:
    desk.began -= 37
    page.goto("/page/qr")
    link = page.get_by_role("link", name="Open the mobile ID app")
    expect(link).not_to_have_attribute("href", qr_link(0))
    assert second_of(link.get_attribute("href") or "") >= 37


def test_a_link_that_runs_script_is_not_taken(page: Page, desk: Desk) -> None:
    desk.fixed = {"step": "waiting", "links": ["\tjavascript:alert(1)", "javascript:alert(1)"]}
    page.goto("/page/qr")
    page.wait_for_timeout(400)
    assert desk.polls == 1
    assert page.get_by_role("link", name="Open the mobile ID app").get_attribute("href") == qr_link(
        0
    )


# --- the states of a login ------------------------------------------------------------------------


def test_scanned_hides_the_code_and_asks_more_often(page: Page, desk: Desk) -> None:
    desk.fixed = {"step": "scanned"}
    page.goto("/page/qr")
    expect(page.get_by_role("status")).to_have_text(
        "Your phone has read the QR code. Approve the sign-in on the phone."
    )
    assert decode(page) == ""
    before = desk.polls
    page.wait_for_timeout(2500)
    assert 3 <= desk.polls - before <= 5


@pytest.mark.parametrize("step", ["proved", "ready", "failed"])
def test_it_goes_on_where_the_server_says(page: Page, desk: Desk, step: str) -> None:
    desk.fixed = {"step": step, "next": "/page/code"}
    page.goto("/page/qr")
    page.wait_for_url("**/page/code")
    page.go_back()
    assert "/page/qr" not in page.url  # the used-up QR is not in the history


@pytest.mark.parametrize(
    "target", ["https://evil.invalid/", "javascript:alert(1)", "//evil.invalid"]
)
def test_it_goes_nowhere_else(page: Page, desk: Desk, target: str) -> None:
    desk.fixed = {"step": "proved", "next": target}
    page.goto("/page/qr")
    expect(page.get_by_role("status")).to_have_text("Approved on the phone. One moment.")
    page.wait_for_timeout(300)
    assert page.url.endswith("/page/qr")


@pytest.mark.parametrize("how", ["said", "gone"])
def test_an_expired_code_offers_a_new_one(page: Page, desk: Desk, how: str) -> None:
    desk.fixed = {"step": "expired"}
    desk.fault = 404 if how == "gone" else 0
    page.goto("/page/qr")
    expect(page.get_by_role("status")).to_contain_text("has expired")
    assert decode(page) == ""
    expect(page.get_by_role("button", name="New QR code")).to_be_visible()
    asked = desk.polls
    page.wait_for_timeout(2500)
    assert desk.polls == asked
    form = page.locator("form.renew")
    assert form.get_attribute("action") == "/login/Rk9PQkFSRk9PQkFSRk9P/mobile_id"


def test_a_page_opened_expired_asks_nothing(page: Page, desk: Desk) -> None:
    page.goto("/page/qr-expired")
    page.wait_for_timeout(500)
    assert desk.polls == 0
    assert decode(page) == ""


def test_a_lost_connection_is_said_and_survived(page: Page, desk: Desk) -> None:
    page.goto("/page/qr")
    desk.fault = 503
    status = page.get_by_role("status")
    expect(status).to_have_text("The connection is interrupted. We keep trying.", timeout=15_000)
    desk.fault = 0
    expect(status).to_have_text("Waiting for your phone.", timeout=15_000)
    assert second_of(decode(page)) > 0


def test_one_lost_poll_says_nothing(page: Page, desk: Desk) -> None:
    page.goto("/page/qr")
    page.wait_for_timeout(300)
    desk.fault = 503
    page.wait_for_timeout(2500)
    desk.fault = 0
    assert page.get_by_role("status").inner_text() == "Waiting for your phone."


def test_a_hidden_page_asks_seldom_and_at_once_when_seen(page: Page, desk: Desk) -> None:
    page.add_init_script(
        "window.__hidden = true; Object.defineProperty(document, 'hidden', {get: () => window.__hidden})"
    )
    page.goto("/page/qr")
    page.wait_for_timeout(4500)
    assert desk.polls == 1
    page.evaluate("window.__hidden = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(300)
    assert desk.polls == 2


def test_the_live_region_does_not_chatter(page: Page, desk: Desk) -> None:
    page.goto("/page/qr")
    page.evaluate(
        "window.__said = 0; new MutationObserver((found) => { window.__said += found.length; })"
        ".observe(document.getElementById('login-status'), {childList: true, characterData: true, subtree: true})"
    )
    page.wait_for_timeout(4500)
    assert page.evaluate("window.__said") == 0
    assert page.locator("#time-left").get_attribute("aria-hidden") == "true"
    assert page.locator("#time-left").inner_text().endswith("left")


# --- on a phone -----------------------------------------------------------------------------------


def test_on_a_phone_the_code_is_folded_and_alive_when_unfolded(page: Page, desk: Desk) -> None:
    page.goto("/page/qr-phone")
    expect(page.get_by_role("link", name="Open the mobile ID app")).to_be_visible()
    expect(page.locator("#qr")).to_be_hidden()
    page.get_by_text("show the QR code").click()
    expect(page.locator("#qr[data-second]")).to_be_visible()
    assert second_of(decode(page)) >= 0


def test_on_a_phone_without_scripts_nothing_is_folded(chromium: Browser, address: str) -> None:
    with chromium.new_context(base_url=address, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/page/qr-phone")
        assert decode(page) == qr_link(0)


def test_on_a_phone_what_is_over_shows_one_step(page: Page) -> None:
    page.goto("/page/qr-phone-expired")
    expect(page.locator(".same-device")).to_be_hidden()
    expect(page.locator("#other-device")).to_be_hidden()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    expect(page.locator("#login-code")).to_contain_text("G-303")


def test_a_new_setback_is_fetched_with_its_words(page: Page, desk: Desk) -> None:
    desk.fixed = {"step": "scanned", "setback": "status_revoked-1"}
    pages: list[str] = []
    page.on("request", lambda request: pages.append(request.url) if is_page(request) else None)
    page.goto("/page/qr", wait_until="commit")
    for _look in range(100):
        if len(pages) > 1:
            break
        page.wait_for_timeout(100)
    desk.reset()  # or this desk's page, which has no words, would be fetched for ever
    page.wait_for_timeout(1200)
    assert len(pages) > 1  # it has the words
    assert set(pages) == {page.url}


def is_page(request: Request) -> bool:
    return request.is_navigation_request()


def test_a_setback_that_is_said_is_not_fetched_again(page: Page, desk: Desk) -> None:
    desk.fixed = {"step": "scanned", "setback": "status_revoked-1"}
    page.goto("/page/qr-refused")
    page.wait_for_timeout(1800)
    assert desk.polls >= 2
    expect(page.get_by_role("alert")).to_contain_text("This mobile ID has been revoked")
    expect(page.get_by_role("status")).to_have_text("This mobile ID cannot sign in.")
