"""Signing in with real browsers: a desk that reads mail, a phone with the web wallet."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.provider import Provider
from tests.qr_reader import read_picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
PATIENCE_MS = 20_000
PHONE = {"width": 360, "height": 780}


def opened(chromium: Browser, **options: object) -> Page:
    """A page in a browser of its own; a page of ours that breaks a script fails the test."""
    context = chromium.new_context(locale="ko-KR", **options)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    return context.new_page()


@pytest.fixture
def desk(chromium: Browser) -> Iterator[Page]:
    page = opened(chromium, viewport={"width": 1280, "height": 900})
    yield page
    page.context.close()


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    page = opened(chromium, viewport=PHONE, is_mobile=True, has_touch=True, device_scale_factor=2)
    yield page
    page.context.close()


def receive(page: Page, demo: Provider, number: str) -> None:
    """Take a mobile ID into the web wallet of this browser, as the offer's link does."""
    offer = demo.offer(number)
    query = urlsplit(offer["credential_offer_uri"]).query
    page.goto(f"{demo.wallet_url}/receive?{query}")
    page.get_by_test_id("tx-code").fill(offer["tx_code"])
    page.get_by_test_id("receive-submit").click()
    expect(page.get_by_test_id("card-name")).to_have_text(name_of(demo, number))


def name_of(demo: Provider, number: str) -> str:
    return str(next(p["name"] for p in demo.people if p["personnel_number"] == number))


def press_sign_in(page: Page, demo: Provider, party: str) -> None:
    """Open the relying party and press its one button; the QR page comes, by a chooser or not."""
    page.goto(demo.relying_parties[party]["url"])
    page.get_by_role("link", name=re.compile("로그인|Sign in")).or_(
        page.get_by_role("button", name=re.compile("로그인|Sign in"))
    ).first.click()
    page.wait_for_url("**/login/**")
    if page.locator("#qr").count() == 0:
        page.get_by_role("button", name=re.compile("모바일|Mobile ID")).first.click()
    page.locator("#qr").wait_for()


def scan(page: Page) -> str:
    """What a camera reads from the screen."""
    page.locator("#qr").scroll_into_view_if_needed()
    link = read_picture(page.screenshot())
    assert link.startswith("openid4vp://?")
    return link


def present(phone: Page, demo: Provider, link: str) -> None:
    """Give the web wallet a link it scanned, and approve."""
    phone.goto(demo.wallet_url)
    phone.get_by_test_id("paste-link").fill(link)
    phone.get_by_test_id("paste-submit").click()
    phone.get_by_test_id("present-accept").click()


def return_code(phone: Page) -> str:
    shown = phone.locator("output#return-code")
    shown.wait_for()
    digits = re.sub(r"\s", "", shown.inner_text())
    assert re.fullmatch(r"\d{6}", digits)
    return digits


def test_desk_and_phone(desk: Page, phone: Page, demo: Provider) -> None:
    number = demo.person(index=3)
    receive(phone, demo, number)
    press_sign_in(desk, demo, "mail")
    present(phone, demo, scan(desk))
    code = return_code(phone)
    field = desk.locator("input[name=return_code]")
    field.wait_for()
    expect(field).to_be_focused()
    field.fill(code)
    field.press("Enter")
    arrive(desk, demo, number)


def asked_to_agree(page: Page, demo: Provider, party: str = "mail") -> bool:
    """Wait for the relying party, or for the page that asks to agree to it; whether it asks."""
    there = demo.relying_parties[party]["url"]
    page.wait_for_url(
        lambda url: url.startswith(there) or urlsplit(url).path.startswith("/oauth/authorize")
    )
    return not page.url.startswith(there)


def arrive(page: Page, demo: Provider, number: str, party: str = "mail") -> None:
    """Agree where that is asked; the relying party greets by name."""
    if asked_to_agree(page, demo, party):
        page.locator("button[name=decision][value=allow]").click()
    page.wait_for_url(f"{demo.relying_parties[party]['url']}**")
    expect(page.locator("body")).to_contain_text(name_of(demo, number))


def test_one_device(phone: Page, demo: Provider) -> None:
    number = demo.person(index=4)
    receive(phone, demo, number)
    press_sign_in(phone, demo, "mail")
    phone.locator(f"a[href^='{demo.wallet_url}/present']").click()
    phone.get_by_test_id("present-accept").click()
    arrive(phone, demo, number)


def test_intranet_needs_no_return_code(desk: Page, phone: Page, demo: Provider) -> None:
    number = demo.person(index=3)
    receive(phone, demo, number)
    press_sign_in(desk, demo, "intranet")
    present(phone, demo, scan(desk))
    arrive(desk, demo, number, "intranet")
    assert phone.locator("output#return-code").count() == 0


def test_declining_on_the_phone_is_said_at_the_desk(
    desk: Page, phone: Page, demo: Provider
) -> None:
    receive(phone, demo, demo.person(index=3))
    press_sign_in(desk, demo, "intranet")
    phone.goto(demo.wallet_url)
    phone.get_by_test_id("paste-link").fill(scan(desk))
    phone.get_by_test_id("paste-submit").click()
    phone.get_by_test_id("present-decline").click()
    expect(desk.locator("#qr")).to_have_count(0)
    assert urlsplit(desk.url).path.startswith("/login/")


def test_the_qr_moves_and_every_frame_reads(desk: Page, demo: Provider) -> None:
    press_sign_in(desk, demo, "mail")
    frames = set()
    for _ in range(3):
        [address] = parse_qs(urlsplit(scan(desk)).query)["request_uri"]
        frames.add(parse_qs(urlsplit(address).query)["frame"][0])
        desk.wait_for_timeout(1200)
    assert len(frames) == 3


def test_wallet_says_when_a_link_is_too_old(desk: Page, phone: Page, demo: Provider) -> None:
    receive(phone, demo, demo.person(index=3))
    press_sign_in(desk, demo, "mail")
    link = scan(desk)
    desk.wait_for_timeout(12_500)
    phone.goto(demo.wallet_url)
    phone.get_by_test_id("paste-link").fill(link)
    phone.get_by_test_id("paste-submit").click()
    expect(phone.get_by_test_id("wallet-error")).to_be_visible()


def test_keyboard_alone(desk: Page, phone: Page, demo: Provider) -> None:
    number = demo.person(index=5)
    receive(phone, demo, number)
    desk.goto(demo.relying_parties["mail"]["url"])
    tab_to(desk, re.compile("로그인|Sign in"))
    desk.keyboard.press("Enter")
    desk.locator("#qr").wait_for()
    present(phone, demo, scan(desk))
    code = return_code(phone)
    expect(desk.locator("input[name=return_code]")).to_be_focused()
    desk.keyboard.type(code)
    desk.keyboard.press("Enter")
    if asked_to_agree(desk, demo):
        agree = desk.locator("button[name=decision][value=allow]").inner_text()
        tab_to(desk, re.compile(f"^{re.escape(agree)}$"))
        desk.keyboard.press("Enter")
    desk.wait_for_url(f"{demo.relying_parties['mail']['url']}**")
    expect(desk.locator("body")).to_contain_text(name_of(demo, number))


def tab_to(page: Page, name: re.Pattern[str]) -> None:
    """Press Tab until what has the focus bears that name."""
    for _ in range(30):
        page.keyboard.press("Tab")
        text = page.evaluate(
            "document.activeElement.innerText || document.activeElement.value || ''"
        )
        if name.search(text):
            return
    raise AssertionError(f"nothing with the focus is named {name.pattern}")


@pytest.fixture
def plain_desk(chromium: Browser) -> Iterator[Page]:
    """A desk without JavaScript."""
    page = opened(chromium, java_script_enabled=False, viewport={"width": 1280, "height": 900})
    yield page
    page.context.close()


def test_without_javascript_at_the_desk(plain_desk: Page, phone: Page, demo: Provider) -> None:
    number = demo.person(index=6)
    receive(phone, demo, number)
    press_sign_in(plain_desk, demo, "mail")
    present(phone, demo, scan(plain_desk))
    code = return_code(phone)
    field = plain_desk.locator("input[name=return_code]")
    field.wait_for()  # the page refreshes itself
    field.fill(code)
    field.press("Enter")
    arrive(plain_desk, demo, number)


def test_no_page_asks_anyone_else_for_anything(
    chromium: Browser, demo: Provider, phone: Page
) -> None:
    """No third-party resource on any page (R-012), and no script error."""
    context: BrowserContext = chromium.new_context(locale="en-US")
    page = context.new_page()
    hosts: set[str | None] = set()
    faults: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: (
            faults.append(f"{said.text} {said.location}") if said.type == "error" else None
        ),
    )
    press_sign_in(page, demo, "mail")
    page.wait_for_timeout(3000)
    page.goto(demo.wallet_url)
    page.goto(demo.issuer)
    context.close()
    assert hosts == {urlsplit(demo.issuer).hostname}
    assert faults == []
