"""Every page in a real browser: no complaint of the console, keys, sizes, languages."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.fakes.pages import SAMPLES

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("desk")]

EVERY_PAGE = sorted(set(SAMPLES) - {"form-post"})  # that one leaves at once


def test_the_answer_to_the_service_is_posted_by_itself(page: Page) -> None:
    page.goto("/page/form-post")
    page.wait_for_url("**/posted")
    assert page.content().count("posted") == 1


def test_without_scripts_a_button_posts_it(chromium: Browser, address: str) -> None:
    with chromium.new_context(
        base_url=address, locale="en-US", java_script_enabled=False
    ) as context:
        page = context.new_page()
        page.goto("/page/form-post")
        page.get_by_role("button", name="Go on").click()
        page.wait_for_url("**/posted")


# --- every page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 1280])
def test_no_page_complains_or_scrolls_sideways(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for name in EVERY_PAGE:
        page.goto(f"/page/{name}")
        over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(over) <= 0, name


TARGETS = "button, a.button, a.brand, input:not([type=hidden]), summary"


def test_everything_to_touch_is_large_enough(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    for name in EVERY_PAGE:
        page.goto(f"/page/{name}")
        for target in page.locator(TARGETS).all():
            box = target.bounding_box()
            if box is not None and target.is_visible():
                assert box["height"] >= 44, (name, target.inner_text())
                assert box["width"] >= 44, (name, target.inner_text())


def _focused(page: Page) -> str:
    return str(
        page.evaluate(
            "(document.activeElement.getAttribute('aria-label') || document.activeElement.textContent).trim()"
        )
    )


def test_the_keyboard_goes_through_the_qr_page_in_reading_order(page: Page) -> None:
    page.goto("/page/qr")
    order = []
    for _press in range(8):
        page.keyboard.press("Tab")
        order.append(_focused(page))
        ring = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(ring) == "solid", order[-1]
    assert order == [
        "Skip to content",
        "MOIS sign-in",
        "한국어",
        "New QR code",
        "Open the mobile ID app",
        "Open Web wallet",
        "Let this browser ask for the mobile ID",
        "Cancel and go back",
    ]


def test_the_skip_link_skips(page: Page) -> None:
    page.goto("/page/consent")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert _focused(page) == "Show each item"


def test_the_code_field_is_ready_to_type_into(page: Page) -> None:
    page.goto("/page/code")
    expect(page.locator("#return_code")).to_be_focused()
    page.keyboard.type("1234567")
    assert page.locator("#return_code").input_value() == "123456"


def test_the_language_is_switched_by_one_press(page: Page) -> None:
    page.goto("/page/home")
    page.get_by_role("button", name="한국어").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("공무원 통합 로그인")
    assert page.url.endswith("/page/home")


def test_on_a_phone_the_wallet_on_this_device_comes_first(chromium: Browser, address: str) -> None:
    phone = {"width": 360, "height": 740}
    with chromium.new_context(
        base_url=address, viewport=phone, is_mobile=True, has_touch=True
    ) as context:
        page = context.new_page()
        page.goto("/page/qr")
        link = page.locator(".same-device a").first.bounding_box()
        picture = page.locator("#qr").bounding_box()
        assert link is not None
        assert picture is not None
        assert link["y"] < picture["y"]


def test_motion_rests_for_those_who_ask(page: Page) -> None:
    moving = "getComputedStyle(document.querySelector('button')).transitionDuration"
    page.goto("/page/home")
    assert page.evaluate(moving) != "0s"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == "0s"
