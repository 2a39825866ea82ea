"""Passkeys in Chromium with virtual authenticators: made, used without typing, refused, removed."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.attacks.holder import Held, fetched
from tests.desk import Desk
from tests.passkeys import Seat
from tests.provider import Provider

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
INTERNAL = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
OLD_USB_KEY = {
    **INTERNAL,
    "transport": "usb",
    "hasResidentKey": False,
    "hasUserVerification": False,
}
USB_KEY = {**INTERNAL, "transport": "usb"}
PATIENCE_MS = 15_000
PARTY = "intranet"  # asks for nothing beyond the sign-in


class Machine:
    """A computer with a browser and an authenticator, and what its person does."""

    def __init__(self, demo: Provider, page: Page) -> None:
        self.demo, self.page = demo, page
        self.devices: CDPSession = page.context.new_cdp_session(page)
        self.devices.send("WebAuthn.enable", {"enableUI": False})
        self.authenticator = ""

    def plug_in(self, options: dict[str, Any]) -> None:
        self.unplug()
        added = self.devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.authenticator = added["authenticatorId"]

    def unplug(self) -> None:
        if self.authenticator:
            named = {"authenticatorId": self.authenticator}
            self.devices.send("WebAuthn.removeVirtualAuthenticator", named)
            self.authenticator = ""

    def touches(self, *, at_once: bool) -> None:
        """Whether the person touches whatever asks, without being asked by the test."""
        named = {"authenticatorId": self.authenticator, "enabled": at_once}
        self.devices.send("WebAuthn.setAutomaticPresenceSimulation", named)

    def recognised(self, *, verified: bool) -> None:
        named = {"authenticatorId": self.authenticator, "isUserVerified": verified}
        self.devices.send("WebAuthn.setUserVerified", named)

    @property
    def credentials(self) -> list[dict[str, Any]]:
        named = {"authenticatorId": self.authenticator}
        found: list[dict[str, Any]] = self.devices.send("WebAuthn.getCredentials", named)[
            "credentials"
        ]
        return found

    def to_account(self, held: Held, then: str = "/account/passkeys/new") -> None:
        """Sign in to one's own account by the mobile ID on this device, then open that page."""
        self.page.goto(f"{self.demo.issuer}/account/passkeys")
        self.page.get_by_role("button", name=re.compile("^로그인$|^Sign in$")).click()
        self.by_mobile_id(held)
        self.page.goto(self.demo.issuer + then)

    def by_mobile_id(self, held: Held) -> None:
        """Present the mobile ID to the QR page that is open, on this same device."""
        self.page.locator("#qr").wait_for()
        link = self.page.locator("a[href^='openid4vp://']").first.get_attribute("href") or ""
        self.page.goto("about:blank")  # or the page itself would go on, to ask for the code
        self.page.goto(fetched(held, link).post().json()["redirect_uri"])

    def enrol(self, name: str) -> None:
        self.page.locator("#passkey-name").fill(name)
        self.page.locator("#new-passkey button[type=submit]").click()

    def sign_out(self) -> None:
        """Another day: no session, no remembered method."""
        kept = [
            cookie
            for cookie in self.page.context.cookies()
            if not cookie["name"].endswith(("-session", "-method"))
        ]
        self.page.context.clear_cookies()
        self.page.context.add_cookies(kept)  # type: ignore[arg-type]

    def ask(self, **changed: str) -> None:
        """A relying party sends the browser to sign in."""
        with Desk(self.demo, party=PARTY) as desk:
            self.page.goto(desk.authorization_url(**changed))

    def press(self) -> None:
        """The button, while the browser's own list waits for a touch that does not come."""
        button = self.page.locator("button[data-passkey]")
        button.wait_for()
        expect(self.page.locator("#passkey-autofill")).to_be_visible()
        self.touches(at_once=True)
        button.click()

    @property
    def status(self) -> Any:
        return self.page.locator("#passkey-status")

    def arrived(self) -> None:
        self.page.wait_for_url(f"{self.demo.relying_parties[PARTY]['url']}**")


Open = Callable[..., Machine]


@pytest.fixture(scope="module")
def held(demo: Provider) -> Iterator[Held]:
    """Somebody who is left without passkeys, and without news of any."""
    number = demo.person(index=5)
    yield Held.receive(demo, number)
    found = demo.api("GET", "passkeys", "gongmu:people", params={"personnel_number": number})
    for one in found.json()["passkeys"]:
        demo.api("POST", f"passkeys/{one['id']}/remove", "gongmu:people")
    with Seat(demo) as last:
        last.to_account(Held.receive(demo, number))


@pytest.fixture
def opened(chromium: Browser, demo: Provider) -> Iterator[Open]:
    """Makes machines; a script error of ours fails the test."""
    with ExitStack() as stack:
        faults: list[str] = []

        def make(locale: str = "ko-KR", **options: Any) -> Machine:
            context = chromium.new_context(locale=locale, **options)
            context.set_default_timeout(PATIENCE_MS)
            stack.callback(context.close)
            page = context.new_page()
            page.on("pageerror", lambda error: faults.append(str(error)))
            return Machine(demo, page)

        yield make
        assert faults == []


@pytest.fixture
def machine(opened: Open, held: Held) -> Machine:
    """At the page that makes a passkey, with an authenticator that recognises its owner."""
    made = opened()
    made.plug_in(INTERNAL)
    made.to_account(held)
    return made


def test_made_used_without_typing_and_removed(machine: Machine, held: Held) -> None:
    page = machine.page
    machine.enrol("지울 노트북")
    page.wait_for_url("**/account/passkeys")
    expect(page.locator("main")).to_contain_text("지울 노트북")
    assert len(machine.credentials) == 1
    machine.sign_out()
    machine.touches(at_once=False)
    machine.ask(acr_values="phr")
    machine.press()
    machine.arrived()
    page.goto(f"{machine.demo.issuer}/account/passkeys")
    page.get_by_role("link", name=re.compile("삭제.*지울 노트북")).click()
    page.locator("main button.danger").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("로그인하지 않았습니다")


def test_from_the_browsers_own_list(machine: Machine) -> None:
    """Conditional mediation: on the QR page nothing is pressed, the list of the field answers."""
    machine.enrol("내 노트북")
    machine.page.wait_for_url("**/account/passkeys")
    machine.sign_out()
    machine.ask()
    machine.arrived()


def test_a_step_up_from_the_qr_to_a_touch(machine: Machine, demo: Provider, held: Held) -> None:
    machine.enrol("내 노트북")
    machine.page.wait_for_url("**/account/passkeys")
    machine.sign_out()
    machine.touches(at_once=False)
    machine.ask(acr_values="urn:gongmu:acr:1", prompt="login")
    machine.by_mobile_id(held)
    before = machine.page.context.cookies()
    machine.ask(acr_values="phr", prompt="login")
    machine.press()
    machine.arrived()
    session = [one["value"] for one in before if one["name"] == "gongmu-session"]
    after = [
        one["value"] for one in machine.page.context.cookies() if one["name"] == "gongmu-session"
    ]
    assert session != after
    assert demo.events(limit=1, kind="session:start:accepted")[0]["acr"] == "phr"


def test_a_key_that_can_keep_nothing_is_refused_in_words(opened: Open, held: Held) -> None:
    machine = opened()
    machine.plug_in(OLD_USB_KEY)
    machine.to_account(held)
    machine.enrol("옛 열쇠")
    expect(machine.status).to_contain_text("보관할 수 없습니다")
    expect(machine.page.locator("#new-passkey button[type=submit]")).to_be_enabled()


def test_the_same_device_twice_is_said(machine: Machine) -> None:
    machine.enrol("내 노트북")
    machine.page.wait_for_url("**/account/passkeys")
    machine.page.goto(f"{machine.demo.issuer}/account/passkeys/new")
    machine.enrol("또")
    expect(machine.status).to_contain_text("이미 패스키가 있습니다")


def test_a_copy_is_refused_and_the_owner_reads_why(opened: Open, machine: Machine) -> None:
    """The virtual authenticator's counter is set back, as in a clone made earlier."""
    machine.enrol("내 노트북")
    machine.page.wait_for_url("**/account/passkeys")
    machine.sign_out()
    machine.touches(at_once=False)
    machine.ask(acr_values="phr")
    machine.press()
    machine.arrived()
    [credential] = machine.credentials
    thief = opened("en-US")
    thief.plug_in(USB_KEY)
    copy = {**credential, "signCount": 0}
    copy = {name: value for name, value in copy.items() if name != "backupEligibility"}
    thief.devices.send(
        "WebAuthn.addCredential", {"authenticatorId": thief.authenticator, "credential": copy}
    )
    thief.touches(at_once=False)
    thief.ask(acr_values="phr")
    thief.press()
    expect(thief.page.locator(".setback h2")).to_have_text("There may be a copy of this passkey")
    expect(thief.page.locator(".setback")).to_contain_text("G-728")
    machine.page.goto(f"{machine.demo.issuer}/account/passkeys")
    expect(machine.page.get_by_role("heading", level=1)).to_have_text("로그인하지 않았습니다")


def test_unknown_here_is_said_and_forgotten_there(opened: Open, machine: Machine) -> None:
    """The passkey was removed by an operator; its manager is told (Signal API, where there is one)."""
    machine.enrol("내 노트북")
    machine.page.wait_for_url("**/account/passkeys")
    newest = machine.demo.api("GET", "passkeys", "gongmu:people").json()["passkeys"][0]
    machine.demo.api("POST", f"passkeys/{newest['id']}/remove", "gongmu:people")
    machine.sign_out()
    machine.touches(at_once=False)
    machine.ask(acr_values="phr")
    machine.press()
    expect(machine.page.locator(".setback")).to_contain_text("G-726")
    expect(machine.page.locator("button[data-passkey]")).to_have_text("다시 시도")
    if machine.page.evaluate("'signalUnknownCredential' in PublicKeyCredential"):
        machine.page.wait_for_timeout(500)
        assert machine.credentials == []
    machine.page.get_by_role("button", name="모바일 공무원증으로 로그인").click()
    machine.page.locator("#qr").wait_for()  # whoever lost the key gets in


def test_cancelled_or_not_there_is_said_and_can_be_tried_again(opened: Open, held: Held) -> None:
    machine = opened("en-US")
    machine.plug_in(USB_KEY)
    machine.ask(acr_values="phr")
    button = machine.page.locator("button[data-passkey]")
    expect(button).to_be_focused()
    button.press("Enter")
    expect(machine.status).to_contain_text("No passkey answered")
    expect(button).to_be_enabled()


def test_not_recognised_makes_none(machine: Machine) -> None:
    machine.recognised(verified=False)
    machine.enrol("내 노트북")
    expect(machine.status).to_contain_text("만들지 못했습니다")
    assert machine.credentials == []


def test_without_javascript_the_page_leads_to_the_mobile_id(opened: Open) -> None:
    machine = opened(java_script_enabled=False)
    machine.ask(acr_values="phr")
    expect(machine.page.locator("noscript, .notice.strong").first).to_be_visible()
    machine.page.get_by_role("button", name="모바일 공무원증으로 로그인").click()
    machine.page.locator("#qr").wait_for()
