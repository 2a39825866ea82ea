"""The web wallet as an app on a phone: installed, offline, behind a PIN, with a camera."""

import re
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import segno
from playwright.sync_api import Browser, Locator, Page, expect

from tests.fakes.desk import FLAGS
from tests.provider import Provider
from tests.qr_reader import read_picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
PHONE = {"width": 360, "height": 780}
PIN = "204817"
SIGN_IN = re.compile("로그인|Sign in")


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    """A fresh phone; what breaks a script fails the test."""
    context = chromium.new_context(viewport=PHONE, is_mobile=True, has_touch=True, locale="ko-KR")
    context.set_default_timeout(20_000)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def desk(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="ko-KR")
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def receive(page: Page, demo: Provider, number: str, pin: str = "") -> None:
    """Take a mobile ID, and a PIN for it or none."""
    offer = demo.offer(number)
    page.goto(f"{demo.wallet_url}/receive?{urlsplit(offer['credential_offer_uri']).query}")
    page.get_by_test_id("tx-code").fill(offer["tx_code"])
    page.get_by_test_id("receive-submit").click()
    if pin:
        set_pin(page, pin)
    else:
        page.get_by_test_id("new-pin-later").click()
    expect(page.get_by_test_id("new-pin")).to_be_hidden()


def set_pin(page: Page, pin: str, again: str | None = None) -> None:
    page.get_by_test_id("new-pin").fill(pin)
    page.get_by_test_id("new-pin-again").fill(pin if again is None else again)
    page.get_by_test_id("new-pin-submit").click()


def type_pin(page: Page, pin: str) -> None:
    page.get_by_test_id("pin").fill(pin)
    page.get_by_test_id("pin-submit").click()


def reopened(page: Page, demo: Provider) -> Page:
    """The wallet opened anew: another tab of the same phone, which was not opened yet."""
    fresh = page.context.new_page()
    page.close()
    fresh.goto(demo.wallet_url)
    return fresh


def stored(page: Page) -> dict[str, int]:
    """How much lies in each store of the phone."""
    found: dict[str, int] = page.evaluate(
        """async () => {
          const { run } = await import('/assets/wallet/database.js');
          const kept = {};
          for (const store of ['cards', 'lock', 'history']) {
            kept[store] = (await run(store, 'readonly', (place) => place.getAll())).length;
          }
          return kept;
        }"""
    )
    return found


def controlled(page: Page, demo: Provider) -> None:
    """The wallet's page, once its worker serves it."""
    page.goto(demo.wallet_url)
    page.evaluate(
        """new Promise((done) => {
          const look = () => (navigator.serviceWorker.controller ? done(true) : setTimeout(look, 50));
          look();
        })"""
    )


def scanned(desk: Page, demo: Provider) -> str:
    """The link on the desk's screen."""
    desk.goto(demo.relying_parties["intranet"]["url"])
    link = desk.get_by_role("link", name=SIGN_IN)
    link.or_(desk.get_by_role("button", name=SIGN_IN)).first.click()
    desk.wait_for_url("**/login/**")
    if desk.locator("#qr").count() == 0:
        desk.get_by_role("button", name=re.compile("모바일|Mobile ID")).first.click()
    desk.locator("#qr").wait_for()
    return read_picture(desk.screenshot())


def asked(phone: Page, desk: Page, demo: Provider) -> None:
    """The phone shows who is asking."""
    phone.goto(f"{demo.wallet_url}/present?{urlsplit(scanned(desk, demo)).query}")
    expect(phone.get_by_test_id("present-accept")).to_be_visible()


def status(page: Page, state: str) -> Locator:
    line = page.get_by_test_id("card-status")
    expect(line).to_have_attribute("data-live", state)
    return line


# --- an app ---------------------------------------------------------------------------------------


def test_it_can_be_installed(phone: Page, demo: Provider) -> None:
    controlled(phone, demo)
    link = phone.locator("link[rel=manifest]").get_attribute("href")
    assert link == "/wallet/manifest.webmanifest"
    tools = phone.context.new_cdp_session(phone)
    manifest = tools.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"] == f"{demo.issuer}{link}"
    # A private window can install nothing; nothing else stands in the way.
    errors = tools.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert {error["errorId"] for error in errors} <= {"in-incognito"}


def test_the_worker_serves_the_wallet_alone(phone: Page, demo: Provider) -> None:
    controlled(phone, demo)
    found = phone.evaluate(
        "navigator.serviceWorker.ready.then(({ scope, active }) => [scope, active.scriptURL])"
    )
    assert found == [demo.wallet_url, f"{demo.wallet_url}/worker.js"]
    phone.goto(f"{demo.issuer}/")
    assert phone.evaluate("navigator.serviceWorker.controller") is None


def test_the_worker_keeps_the_page_and_its_assets_and_nothing_else(
    phone: Page, desk: Page, demo: Provider
) -> None:
    phone.goto(f"{demo.issuer}/")
    phone.evaluate("Promise.all(['gongmu-wallet-old', 'other'].map((name) => caches.open(name)))")
    controlled(phone, demo)
    receive(phone, demo, demo.person(index=3))
    asked(phone, desk, demo)
    phone.get_by_test_id("present-accept").click()
    phone.wait_for_url("**/vp/**")
    controlled(phone, demo)
    status(phone, "live")
    kept = phone.evaluate(
        """async () => {
          const addresses = [];
          for (const name of await caches.keys()) {
            const requests = await (await caches.open(name)).keys();
            addresses.push(...requests.map(({ url }) => new URL(url)));
          }
          return addresses.map(({ pathname, search }) => pathname + search);
        }"""
    )
    names = phone.evaluate("caches.keys()")
    assert len(names) == 2
    assert "other" in names
    assert "gongmu-wallet-old" not in names
    assert "/wallet" in kept
    for address in kept:
        assert address == "/wallet" or re.fullmatch(r"/assets/wallet/[\w.-]+", address)


def test_without_a_network_the_card_is_shown_as_not_live(phone: Page, demo: Provider) -> None:
    number = demo.person(index=4)
    controlled(phone, demo)
    receive(phone, demo, number)
    phone.goto(demo.wallet_url)
    status(phone, "live")
    phone.goto(f"{demo.wallet_url}/receive")  # seen last, and yet the card is what is kept
    phone.context.set_offline(True)
    for address in ("", "?x=1", "/present?client_id=a&request_uri=b"):
        phone.goto(f"{demo.wallet_url}{address}")
        expect(phone.get_by_test_id("card-name")).to_have_text(name_of(demo, number))
        line = status(phone, "offline")
        expect(line).to_contain_text("오프라인: 실시간 확인 아님")
        expect(line).to_contain_text(re.compile(r"마지막 확인: \d{4}\. .* (GMT|UTC)"))
    phone.context.set_offline(False)
    phone.get_by_test_id("card-again").click()
    status(phone, "live")


def name_of(demo: Provider, number: str) -> str:
    return str(next(p["name"] for p in demo.people if p["personnel_number"] == number))


# --- the card -------------------------------------------------------------------------------------


def test_the_card_turns_by_keyboard(phone: Page, demo: Provider) -> None:
    number = demo.person(index=5)
    receive(phone, demo, number)
    phone.goto(demo.wallet_url)
    back = phone.get_by_test_id("card-back")
    expect(back).to_be_hidden()
    phone.get_by_test_id("card-flip").focus()
    phone.keyboard.press("Enter")
    expect(back).to_contain_text(number)
    expect(back).to_contain_text("잃어버렸다면")
    expect(phone.get_by_test_id("card-name")).to_be_hidden()
    expect(phone.get_by_test_id("card-flip")).to_be_focused()
    for field in ("issuing_authority", "date_of_issuance", "valid_until"):
        expect(back.locator(f"[data-field={field}]")).not_to_be_empty()
    phone.keyboard.press("Space")
    expect(back).to_be_hidden()
    expect(phone.get_by_test_id("card-name")).to_be_visible()


def test_a_card_that_a_newer_one_ended_is_shown_as_ended(
    phone: Page, desk: Page, demo: Provider
) -> None:
    number = demo.person(index=6)
    receive(phone, demo, number)
    phone.goto(demo.wallet_url)
    status(phone, "live")
    receive(desk, demo, number)
    # The issuer's list may be some seconds old.
    for _ in range(20):
        phone.get_by_test_id("card-again").click()
        phone.wait_for_timeout(700)
        if phone.get_by_test_id("card-status").get_attribute("data-live") == "revoked":
            break
    status(phone, "revoked")
    phone.route("**/status/*", lambda route: route.abort())  # what was known stays known
    phone.reload()
    status(phone, "revoked")


@pytest.mark.parametrize("spoil", ["body", "status"])
def test_a_list_that_cannot_be_believed_shows_nothing_as_live(
    phone: Page, demo: Provider, spoil: str
) -> None:
    receive(phone, demo, demo.person(index=3))
    answers = {"body": {"status": 200, "body": "a.b.c"}, "status": {"status": 503, "body": ""}}
    phone.route("**/status/*", lambda route: route.fulfill(**answers[spoil]))
    phone.goto(demo.wallet_url)
    status(phone, "unknown")


def packed(byte: int, length: int = 1 << 15) -> str:
    """A list in which every place of two bits says the same."""
    return urlsafe_b64encode(zlib.compress(bytes([byte]) * length)).decode().rstrip("=")


@pytest.mark.parametrize(
    ("lst", "state"),
    [
        (packed(0b00000000), "live"),
        (packed(0b01010101), "revoked"),
        (packed(0b10101010), "suspended"),
        (packed(0b11111111), "unknown"),
        (packed(0, length=0), "unknown"),
    ],
)
def test_what_the_list_says_is_what_is_shown(
    phone: Page, demo: Provider, lst: str, state: str
) -> None:
    receive(phone, demo, demo.person(index=3))
    verified = {"bits": 2, "lst": lst}
    phone.route("**/wallet/verify-status", lambda route: route.fulfill(json=verified))
    phone.goto(demo.wallet_url)
    status(phone, state)


def test_a_list_that_was_not_verified_says_nothing(phone: Page, demo: Provider) -> None:
    receive(phone, demo, demo.person(index=3))
    refused = {"bits": 2, "lst": packed(0)}
    phone.route("**/wallet/verify-status", lambda route: route.fulfill(status=400, json=refused))
    phone.goto(demo.wallet_url)
    status(phone, "unknown")


def test_only_the_cards_own_place_in_the_list_counts(phone: Page, demo: Provider) -> None:
    receive(phone, demo, demo.person(index=3))
    index = phone.evaluate(
        """async () => {
          const [card] = await (await import('/assets/wallet/cards.js')).list();
          return card.sdJwt.payload.status.status_list.idx;
        }"""
    )
    places = bytearray(b"\xff" * (1 << 15))
    places[index // 4] &= ~(0b11 << index % 4 * 2)
    places[index // 4] |= 0b10 << index % 4 * 2
    lst = urlsafe_b64encode(zlib.compress(bytes(places))).decode().rstrip("=")
    verified = {"bits": 2, "lst": lst}
    phone.route("**/wallet/verify-status", lambda route: route.fulfill(json=verified))
    phone.goto(demo.wallet_url)
    status(phone, "suspended")


def test_a_card_past_its_time_is_shown_as_expired(phone: Page, demo: Provider) -> None:
    receive(phone, demo, demo.person(index=3))
    phone.clock.set_fixed_time(datetime.now(UTC) + timedelta(days=3000))
    phone.goto(demo.wallet_url)
    status(phone, "expired")


def test_deleting_asks_first(phone: Page, demo: Provider) -> None:
    receive(phone, demo, demo.person(index=3), PIN)
    phone.goto(demo.wallet_url)
    phone.get_by_test_id("card-delete").click()
    expect(phone.get_by_test_id("sure-no")).to_be_focused()
    phone.keyboard.press("Escape")
    assert stored(phone)["cards"] == 1
    phone.get_by_test_id("card-delete").click()
    phone.get_by_test_id("sure-no").click()
    assert stored(phone)["cards"] == 1
    phone.get_by_test_id("card-delete").click()
    phone.get_by_test_id("sure-yes").click()
    expect(phone.locator("#empty")).to_be_visible()
    assert stored(phone) == {"cards": 0, "lock": 0, "history": 0}


def test_the_history_tells_who_asked_and_what_was_answered(
    phone: Page, desk: Page, demo: Provider
) -> None:
    receive(phone, demo, demo.person(index=3))
    asked(phone, desk, demo)
    phone.get_by_test_id("present-decline").click()
    expect(phone.get_by_test_id("present-declined")).to_be_visible()
    asked(phone, desk, demo)
    phone.get_by_test_id("present-accept").click()
    phone.wait_for_url("**/vp/**")
    phone.goto(demo.wallet_url)
    history = phone.get_by_test_id("history")
    history.locator("summary").click()
    entries = history.locator("li")
    expect(entries).to_have_count(2)
    for entry, answer in ((entries.nth(0), "수락함"), (entries.nth(1), "거절함")):
        expect(entry).to_contain_text(answer)
        expect(entry).to_contain_text(urlsplit(demo.issuer).netloc)
        expect(entry).to_contain_text("공무원 번호")
    phone.get_by_test_id("clear-history").click()
    phone.get_by_test_id("sure-yes").click()
    expect(entries).to_have_count(0)


def test_an_answer_that_is_not_taken_is_noted_as_such(
    phone: Page, desk: Page, demo: Provider
) -> None:
    receive(phone, demo, demo.person(index=3))
    asked(phone, desk, demo)
    phone.route("**/vp/*/response", lambda route: route.abort())
    phone.get_by_test_id("present-accept").click()
    expect(phone.get_by_test_id("wallet-error")).to_be_visible()
    phone.goto(demo.wallet_url)
    phone.get_by_test_id("history").locator("summary").click()
    expect(phone.get_by_test_id("history").locator("li")).to_contain_text("완료되지 않음")


# --- the PIN --------------------------------------------------------------------------------------


def test_the_pin_is_offered_with_the_card_and_weak_ones_are_refused(
    phone: Page, demo: Provider
) -> None:
    offer = demo.offer(demo.person(index=3))
    phone.goto(f"{demo.wallet_url}/receive?{urlsplit(offer['credential_offer_uri']).query}")
    phone.get_by_test_id("tx-code").fill(offer["tx_code"])
    phone.get_by_test_id("receive-submit").click()
    said = phone.get_by_test_id("new-pin-said")
    expect(phone.get_by_test_id("new-pin")).to_be_focused()
    expect(said).to_be_hidden()
    for pin, again, words in (
        ("12345", "12345", "숫자 6자리"),
        ("abcdef", "abcdef", "숫자 6자리"),
        ("000000", "000000", "짐작"),
        ("123456", "123456", "짐작"),
        (PIN, "204818", "서로 다릅니다"),
    ):
        set_pin(phone, pin, again)
        expect(said).to_contain_text(words)
    assert stored(phone)["lock"] == 0
    set_pin(phone, PIN)
    expect(said).to_be_hidden()
    assert stored(phone)["lock"] == 1


def test_who_said_later_is_reminded(phone: Page, demo: Provider) -> None:
    receive(phone, demo, demo.person(index=3))
    expect(phone.locator("#no-pin")).to_be_visible()
    phone.goto(demo.wallet_url)
    phone.get_by_test_id("protect").click()
    set_pin(phone, PIN)
    expect(phone.get_by_test_id("protect")).to_be_hidden()
    expect(phone.get_by_test_id("change-pin")).to_be_visible()


def test_the_pin_is_asked_on_opening_and_before_that_nothing_is_seen(
    phone: Page, demo: Provider
) -> None:
    number = demo.person(index=3)
    receive(phone, demo, number, PIN)
    page = reopened(phone, demo)
    expect(page.get_by_test_id("pin")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("pin")).to_be_visible()
    assert name_of(demo, number) not in page.content()
    type_pin(page, PIN)
    expect(page.get_by_test_id("card-name")).to_have_text(name_of(demo, number))
    page.reload()  # opened a moment ago, in this tab
    expect(page.get_by_test_id("card-name")).to_be_visible()


def test_five_wrong_pins_erase_card_and_key_also_over_reloads(phone: Page, demo: Provider) -> None:
    receive(phone, demo, demo.person(index=3), PIN)
    page = reopened(phone, demo)
    said = page.get_by_test_id("pin-said")
    type_pin(page, "12")  # not a try
    page.get_by_test_id("pin").fill("999990")
    for _ in range(2):  # pressed twice in haste: one try
        page.get_by_test_id("pin").press("Enter")
    expect(said).to_contain_text("4번 더")
    type_pin(page, "999990")
    expect(said).to_contain_text("3번 더")
    page.reload()
    expect(said).to_contain_text("3번 더")
    for words in ("2번 더", "한 번 더"):
        type_pin(page, "999990")
        expect(said).to_contain_text(words)
    type_pin(page, "999990")
    expect(page.get_by_test_id("wallet-error")).to_have_attribute("data-code", "erased")
    assert stored(page) == {"cards": 0, "lock": 0, "history": 0}
    page.reload()
    expect(page.locator("#empty")).to_be_visible()
    expect(page.get_by_test_id("pin")).to_be_hidden()


def test_the_pin_is_asked_before_each_presentation(phone: Page, desk: Page, demo: Provider) -> None:
    receive(phone, demo, demo.person(index=3), PIN)
    sent: list[str] = []
    phone.on("request", lambda request: sent.append(urlsplit(request.url).path))
    asked(phone, desk, demo)
    phone.get_by_test_id("present-accept").click()
    type_pin(phone, "999990")
    expect(phone.get_by_test_id("pin-said")).to_be_visible()
    phone.get_by_test_id("pin-cancel").click()
    expect(phone.get_by_test_id("present-accept")).to_be_visible()
    assert not any(path.endswith("/response") for path in sent)
    phone.get_by_test_id("present-accept").click()
    type_pin(phone, PIN)
    phone.wait_for_url("**/vp/**")


def test_before_the_pin_the_card_is_not_seen_on_the_question_either(
    phone: Page, desk: Page, demo: Provider
) -> None:
    number = demo.person(index=3)
    receive(phone, demo, number, PIN)
    link = scanned(desk, demo)
    page = phone.context.new_page()
    page.goto(f"{demo.wallet_url}/present?{urlsplit(link).query}")
    expect(page.get_by_test_id("present-accept")).to_be_visible()
    assert name_of(demo, number) not in page.content()


def test_five_wrong_pins_before_a_presentation_send_nothing(
    phone: Page, desk: Page, demo: Provider
) -> None:
    receive(phone, demo, demo.person(index=3), PIN)
    sent: list[str] = []
    phone.on("request", lambda request: sent.append(urlsplit(request.url).path))
    asked(phone, desk, demo)
    phone.get_by_test_id("present-accept").click()
    for left in ("4번 더", "3번 더", "2번 더", "한 번 더"):
        type_pin(phone, "999990")
        expect(phone.get_by_test_id("pin-said")).to_contain_text(left)
    type_pin(phone, "999990")
    expect(phone.get_by_test_id("wallet-error")).to_have_attribute("data-code", "erased")
    assert not any(path.endswith("/response") for path in sent)
    assert stored(phone)["cards"] == 0


@pytest.mark.parametrize(
    "event",
    [
        "document.dispatchEvent(new Event('visibilitychange'))",
        "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))",
    ],
)
def test_who_comes_back_after_a_while_is_asked_again(
    phone: Page, demo: Provider, event: str
) -> None:
    receive(phone, demo, demo.person(index=3), PIN)
    phone.goto(demo.wallet_url)
    expect(phone.get_by_test_id("card-name")).to_be_visible()
    phone.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # back at once
    phone.wait_for_timeout(300)
    expect(phone.get_by_test_id("card-name")).to_be_visible()
    phone.evaluate("sessionStorage.setItem('gongmu-wallet-open-until', String(Date.now() - 1))")
    phone.evaluate(event)
    expect(phone.get_by_test_id("pin")).to_be_visible()
    expect(phone.get_by_test_id("card-name")).to_have_count(0)


def test_a_forgotten_pin_is_a_new_card(phone: Page, demo: Provider) -> None:
    receive(phone, demo, demo.person(index=3), PIN)
    page = reopened(phone, demo)
    page.get_by_test_id("pin-forgotten").click()
    page.get_by_test_id("sure-no").click()
    assert stored(page)["cards"] == 1
    page.get_by_test_id("pin-forgotten").click()
    page.get_by_test_id("sure-yes").click()
    expect(page.locator("#empty")).to_be_visible()
    assert stored(page) == {"cards": 0, "lock": 0, "history": 0}


def test_changing_the_pin_asks_the_former_first(phone: Page, demo: Provider) -> None:
    receive(phone, demo, demo.person(index=3), PIN)
    phone.goto(demo.wallet_url)
    phone.get_by_test_id("change-pin").click()
    type_pin(phone, PIN)
    set_pin(phone, "918273")
    expect(phone.get_by_test_id("new-pin")).to_be_hidden()
    page = reopened(phone, demo)
    type_pin(page, PIN)
    expect(page.get_by_test_id("pin-said")).to_contain_text("4번 더")
    type_pin(page, "918273")
    expect(page.get_by_test_id("card-name")).to_be_visible()


def test_fingerprint_or_face_instead_of_the_pin(phone: Page, demo: Provider) -> None:
    tools = phone.context.new_cdp_session(phone)
    tools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    sensor = {"authenticatorId": made["authenticatorId"]}
    receive(phone, demo, demo.person(index=3), PIN)
    phone.goto(demo.wallet_url)
    phone.get_by_test_id("use-passkey").click()
    type_pin(phone, PIN)
    expect(phone.locator("#passkey-used")).to_be_visible()
    # It is no passkey of the sign-in: nothing that a page could find without its id.
    [credential] = tools.send("WebAuthn.getCredentials", sensor)["credentials"]
    assert credential["isResidentCredential"] is False
    phone.evaluate("sessionStorage.clear()")
    phone.reload()
    tools.send("WebAuthn.setUserVerified", {**sensor, "isUserVerified": False})
    phone.get_by_test_id("pin-passkey").click()  # somebody else's finger
    phone.wait_for_timeout(500)
    expect(phone.get_by_test_id("card-name")).to_have_count(0)
    tools.send("WebAuthn.setUserVerified", {**sensor, "isUserVerified": True})
    phone.get_by_test_id("pin-passkey").click()
    expect(phone.get_by_test_id("card-name")).to_be_visible()


GENUINE = """async ([flags, type, origin, spoil]) => {
  const bytes = (text) => new TextEncoder().encode(text);
  const site = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes(location.hostname)));
  if (spoil === "site") site[0] ^= 1;
  navigator.credentials.get = async ({ publicKey: { challenge } }) => {
    const { encode } = await import("/assets/wallet/base64url.js");
    const asked = encode(spoil === "challenge" ? new Uint8Array(32) : challenge);
    const client = { type, challenge: asked, origin: origin || location.origin };
    const authenticatorData = Uint8Array.from([...site, flags, 0, 0, 0, 1]).buffer;
    return { response: { authenticatorData, clientDataJSON: bytes(JSON.stringify(client)).buffer } };
  };
  return (await import("/assets/wallet/passkey.js")).ask(new Uint8Array(16));
}"""


FLAGS_PRESENT_AND_VERIFIED = 0b101
ANSWERS = [
    ((FLAGS_PRESENT_AND_VERIFIED, "webauthn.get", "", ""), True),
    ((0b001, "webauthn.get", "", ""), False),
    ((0b100, "webauthn.get", "", ""), False),
    ((FLAGS_PRESENT_AND_VERIFIED, "webauthn.create", "", ""), False),
    ((FLAGS_PRESENT_AND_VERIFIED, "webauthn.get", "https://evil.example", ""), False),
    ((FLAGS_PRESENT_AND_VERIFIED, "webauthn.get", "", "challenge"), False),
    ((FLAGS_PRESENT_AND_VERIFIED, "webauthn.get", "", "site"), False),
]


def test_only_a_verified_person_opens_by_fingerprint(phone: Page, demo: Provider) -> None:
    phone.goto(demo.wallet_url)
    for answer, right in ANSWERS:
        assert phone.evaluate(GENUINE, list(answer)) is right, answer


# --- the camera -----------------------------------------------------------------------------------


def film(folder: Path, text: str) -> Path:
    """A film (YUV4MPEG2) in which a QR code stands still."""
    width, height, scale = 640, 480, 5
    matrix = [bytes(row) for row in segno.make(text, error="l", micro=False).matrix]
    top, left = (height - len(matrix) * scale) // 2, (width - len(matrix) * scale) // 2
    assert top > 4 * scale
    luma = bytearray(b"\xeb" * width * height)
    for y, row in enumerate(matrix):
        line = b"".join((b"\x10" if dark else b"\xeb") * scale for dark in row)
        for step in range(scale):
            at = (top + y * scale + step) * width + left
            luma[at : at + len(line)] = line
    frame = b"FRAME\n" + bytes(luma) + b"\x80" * (width * height // 2)
    file = folder / "camera.y4m"
    file.write_bytes(f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420\n".encode() + frame * 3)
    return file


@pytest.fixture(scope="module")
def camera(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory, demo: Provider
) -> Iterator[Browser]:
    """A browser whose camera sees the QR code of an offer."""
    link = demo.offer(demo.person(index=3))["credential_offer_uri"]
    file = film(tmp_path_factory.mktemp("film"), link)
    flags = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={file}")
    kind = chromium.browser_type
    browser = kind.launch(executable_path="/usr/bin/chromium", args=[*FLAGS, *flags])
    yield browser
    browser.close()


@pytest.fixture
def filming(camera: Browser) -> Iterator[Page]:
    context = camera.new_context(viewport=PHONE, locale="ko-KR")
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def test_the_camera_finds_the_code(filming: Page, demo: Provider) -> None:
    filming.context.grant_permissions(["camera"], origin=demo.issuer)
    filming.goto(demo.wallet_url)
    filming.get_by_test_id("scan").click()
    filming.wait_for_url("**/wallet/receive?credential_offer_uri=**")
    expect(filming.get_by_test_id("tx-code")).to_be_visible()
    assert parse_qs(urlsplit(filming.url).query)["credential_offer_uri"]


def test_the_camera_stops_when_told(filming: Page, demo: Provider) -> None:
    filming.context.grant_permissions(["camera"], origin=demo.issuer)
    filming.route("**/wallet/read-qr", lambda route: route.fulfill(json={"link": ""}))
    filming.goto(demo.wallet_url)
    filming.get_by_test_id("scan").click()
    expect(filming.get_by_test_id("scan-stop")).to_be_focused()
    filming.evaluate("window.track = document.getElementById('camera').srcObject.getTracks()[0]")
    filming.get_by_test_id("scan-stop").click()
    expect(filming.get_by_test_id("camera")).to_be_hidden()
    expect(filming.get_by_test_id("scan")).to_be_focused()
    assert filming.evaluate("track.readyState") == "ended"


def test_the_camera_stops_when_the_page_is_hidden(filming: Page, demo: Provider) -> None:
    filming.context.grant_permissions(["camera"], origin=demo.issuer)
    filming.route("**/wallet/read-qr", lambda route: route.fulfill(json={"link": ""}))
    filming.goto(demo.wallet_url)
    filming.get_by_test_id("scan").click()
    expect(filming.get_by_test_id("scan-stop")).to_be_focused()
    filming.evaluate(
        """() => {
          window.track = document.getElementById('camera').srcObject.getTracks()[0];
          Object.defineProperty(document, 'hidden', { value: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    expect(filming.get_by_test_id("camera")).to_be_hidden()
    assert filming.evaluate("track.readyState") == "ended"


def test_where_the_browser_reads_codes_itself_no_frame_leaves_the_phone(
    filming: Page, demo: Provider
) -> None:
    filming.context.grant_permissions(["camera"], origin=demo.issuer)
    link = demo.offer(demo.person(index=3))["credential_offer_uri"]
    filming.add_init_script(
        f"""globalThis.BarcodeDetector = class {{
          static async getSupportedFormats() {{ return ['qr_code']; }}
          async detect(video) {{ return video.videoWidth ? [{{ rawValue: '{link}' }}] : []; }}
        }};"""
    )
    sent: list[str] = []
    filming.on("request", lambda request: sent.append(urlsplit(request.url).path))
    filming.goto(demo.wallet_url)
    filming.get_by_test_id("scan").click()
    filming.wait_for_url("**/wallet/receive?**")
    assert "/wallet/read-qr" not in sent


def test_another_qr_code_is_told_and_looked_past(filming: Page, demo: Provider) -> None:
    filming.context.grant_permissions(["camera"], origin=demo.issuer)
    seen = iter(["https://elsewhere.example/menu"])
    filming.route(
        "**/wallet/read-qr",
        lambda route: (
            route.fulfill(json={"link": other}) if (other := next(seen, "")) else route.continue_()
        ),
    )
    filming.goto(demo.wallet_url)
    filming.get_by_test_id("scan").click()
    filming.wait_for_url("**/wallet/receive?**")


def test_a_server_that_is_down_ends_the_scan_in_words(filming: Page, demo: Provider) -> None:
    filming.context.grant_permissions(["camera"], origin=demo.issuer)
    filming.route("**/wallet/read-qr", lambda route: route.abort())
    filming.goto(demo.wallet_url)
    filming.get_by_test_id("scan").click()
    expect(filming.get_by_test_id("wallet-error")).to_have_attribute("data-code", "unreachable")
    expect(filming.get_by_test_id("scan")).to_be_visible()


def test_a_camera_that_is_not_allowed_has_words_and_the_link_still_works(
    filming: Page, demo: Provider
) -> None:
    filming.goto(demo.wallet_url)
    filming.get_by_test_id("scan").click()
    error = filming.get_by_test_id("wallet-error")
    expect(error).to_have_attribute("data-code", "camera_denied")
    expect(filming.get_by_test_id("scan")).to_be_visible()
    link = demo.offer(demo.person(index=3))["credential_offer_uri"]
    filming.get_by_test_id("paste-link").fill(link)
    filming.get_by_test_id("paste-submit").click()
    filming.wait_for_url("**/wallet/receive?**")


def test_a_phone_without_a_camera(phone: Page, demo: Provider) -> None:
    phone.context.grant_permissions(["camera"], origin=demo.issuer)
    phone.goto(demo.wallet_url)
    phone.get_by_test_id("scan").click()
    expect(phone.get_by_test_id("wallet-error")).to_have_attribute("data-code", "camera_missing")


# --- for everyone ---------------------------------------------------------------------------------

NAMELESS = """() => [...document.querySelectorAll('button, a, input, video, summary, article, dialog')]
  .filter((element) => !element.closest('template'))
  .filter((element) => {
    const by = (element.getAttribute('aria-labelledby') ?? '').split(' ').filter(Boolean);
    const label = [...(element.labels ?? [])].map((one) => one.innerText).join('');
    const named = by.map((id) => document.getElementById(id)?.textContent).join('');
    const text = element.innerText || element.textContent;
    return !(element.getAttribute('aria-label') || named || label || text).trim()
      && element.type !== 'hidden';
  })
  .map((element) => element.outerHTML)"""
DUPLICATES = """() => {
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  return ids.filter((id, at) => ids.indexOf(id) !== at);
}"""
SMALL = """() => [...document.querySelectorAll('button, a, input, summary')]
  .filter((element) => element.checkVisibility())
  .map((element) => [element.outerHTML.slice(0, 80), element.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.height < 44 || box.width < 44))"""


def test_everything_has_a_name_and_is_large_enough(phone: Page, demo: Provider) -> None:
    receive(phone, demo, demo.person(index=3), PIN)
    phone.goto(demo.wallet_url)
    status(phone, "live")
    phone.get_by_test_id("history").locator("summary").click()
    phone.evaluate("document.getElementById('sure-yes').textContent = 'x'")  # filled when asked
    assert phone.evaluate(NAMELESS) == []
    assert phone.evaluate(DUPLICATES) == []
    assert phone.evaluate(SMALL) == []
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert phone.locator("h1").count() == 1
    assert phone.locator("html").get_attribute("lang") == "ko"


def test_the_focus_goes_from_top_to_bottom(phone: Page, demo: Provider) -> None:
    receive(phone, demo, demo.person(index=3), PIN)
    phone.goto(demo.wallet_url)
    status(phone, "live")
    tops = []
    phone.evaluate("document.body.focus()")
    for _ in range(30):
        phone.keyboard.press("Tab")
        top = phone.evaluate(
            """() => {
              const element = document.activeElement;
              if (element === document.body) return null;
              return element.getBoundingClientRect().top + scrollY;
            }"""
        )
        if top is None:
            break
        tops.append(top)
    assert len(tops) >= 9
    assert tops == sorted(tops)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["ko-KR", "en-US"])
def test_it_fits_a_small_phone(
    chromium: Browser, demo: Provider, scheme: str, language: str
) -> None:
    context = chromium.new_context(
        viewport={"width": 320, "height": 600},
        color_scheme=scheme,  # type: ignore[arg-type]
        locale=language,
    )
    page = context.new_page()
    receive(page, demo, demo.person(index=3))
    page.goto(demo.wallet_url)
    status(page, "live")
    for _ in range(2):
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert page.locator(".card:visible").evaluate("e => e.scrollWidth <= e.clientWidth")
        page.get_by_test_id("card-flip").click()
    context.close()
