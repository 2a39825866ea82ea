"""The walk that README.md promises a newcomer, with the labels that it prints, in both languages.

A README that no longer fits the pages fails here: controls are found by nothing but its words.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.attacks.holder import Held
from tests.browser.test_passkeys import INTERNAL, Machine
from tests.fakes.desk import FLAGS
from tests.passkeys import Seat
from tests.provider import ROOT, Provider

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
PATIENCE_MS = 20_000
LANGUAGES = {"ko": "ko-KR", "en": "en-US"}
SIZES = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 360, "height": 780}, "is_mobile": True, "has_touch": True},
}
TRIES = 5  # to paste a link within ten seconds on a machine that is busy
NO_LIST = "PublicKeyCredential.isConditionalMediationAvailable = async () => false"


class Readme:
    """What README.md tells one to press, in one language."""

    def __init__(self, language: str) -> None:
        text = (ROOT / "README.md").read_text()
        self._start = text.partition("## Start in five minutes")[2].partition("\n## ")[0]
        self._language = language

    def step(self, number: int) -> list[str]:
        """The labels of a numbered step, in their order."""
        return self._labels(rf"^{number}\. .*(?:\n   .*)*")

    def paragraph(self, beginning: str) -> list[str]:
        """The labels of a paragraph."""
        return self._labels(rf"^{re.escape(beginning)}.*(?:\n.+)*")

    def address(self, path: str, demo: Provider) -> str:
        """The address with that path that it prints, at the ports of this demo."""
        [port] = re.findall(rf"<http://localhost:(\d+){path}>", self._start)
        mail = urlsplit(demo.relying_parties["mail"]["url"])
        return {"8000": demo.issuer, "8001": f"{mail.scheme}://{mail.netloc}"}[port] + path

    def _labels(self, passage: str) -> list[str]:
        [found] = re.findall(passage, self._start, re.MULTILINE)
        pairs = re.findall(r"\*([^*]+)\*\s+\(\*([^*]+)\*\)", found)
        assert found.count("*") == 4 * len(pairs), f"a label in one language only: {found}"
        return [pair[list(LANGUAGES).index(self._language)] for pair in pairs]


class Walker:
    """A newcomer with README.md in hand, at a desk and with a phone (perhaps one and the same)."""

    def __init__(self, demo: Provider, number: str, language: str, pages: list[Page]) -> None:
        self.demo, self.number = demo, number
        self.desk, self.phone = pages[0], pages[-1]
        self.readme = Readme(language)
        self._language = language

    def receive(self) -> None:
        """Step 1."""
        receive, later, done = self.readme.step(1)
        offer = self.demo.offer(self.number)
        self.phone.goto(
            f"{self.demo.wallet_url}/receive?{urlsplit(offer['credential_offer_uri']).query}"
        )
        self.phone.get_by_role("textbox").fill(offer["tx_code"])
        self.press(self.phone, receive)
        self.press(self.phone, later, self.phone.get_by_role("dialog"))
        self.press(self.phone, done)
        seen(self.phone.get_by_text(self.name, exact=True))

    def open_mail(self) -> None:
        """Step 2."""
        [sign_in] = self.readme.step(2)
        self.desk.goto(self.readme.address("/mail", self.demo))
        self.press(self.desk, sign_in)
        seen(self.desk.get_by_role("img", name="QR"))

    def present(self) -> str:
        """Step 3: the six digits."""
        app, open_link, accept = self.readme.step(3)
        self._paste(app, open_link, accept)
        self.press(self.phone, accept)
        return seen(self.phone.get_by_text(re.compile(r"^\d{6}$"))).inner_text()

    def _paste(self, app: str, open_link: str, accept: str) -> None:
        for _ in range(TRIES):
            link = control(self.desk, app).get_attribute("href") or ""
            self.phone.get_by_role("textbox").fill(link)
            self.press(self.phone, open_link)
            asked = control(self.phone, accept)
            seen(asked.or_(self.phone.get_by_role("alert")))
            if asked.is_visible():
                return
            self.phone.goto(self.demo.wallet_url)
        raise AssertionError("the link was too old each time")

    def type_and_agree(self, digits: str) -> None:
        """Step 4."""
        go_on, agree = self.readme.step(4)
        seen(control(self.desk, go_on))
        self.desk.get_by_role("textbox").fill(digits)
        self.press(self.desk, go_on)
        self.press(self.desk, agree)
        self.arrive()

    def on_one_device(self) -> None:
        """What takes the place of the steps 3 and 4."""
        open_wallet, accept, agree = self.readme.paragraph("On one device")
        for label in (open_wallet, accept, agree):
            self.press(self.desk, label)
        self.arrive()

    def arrive(self) -> None:
        """In the mailbox."""
        seen(self.desk.get_by_role("heading", level=1).filter(has_text=self.name))
        assert self.desk.url == self.readme.address("/mail", self.demo)

    def press(self, page: Page, label: str, within: Locator | None = None) -> None:
        """Press what bears that label, on a page in one's language that is not too wide."""
        found = seen(control(within or page, label))
        assert page.locator("html").get_attribute("lang") == self._language
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) <= 0, f"wider than the screen, at {label}"
        found.click()

    @property
    def name(self) -> str:
        [found] = [one for one in self.demo.people if one["personnel_number"] == self.number]
        return str(found["name"])


def control(within: Page | Locator, label: str) -> Locator:
    """The button or link with exactly that label."""
    button = within.get_by_role("button", name=label, exact=True)
    return button.or_(within.get_by_role("link", name=label, exact=True))


def seen(what: Locator) -> Locator:
    """The same, once it is on the screen."""
    expect(what).to_be_visible(timeout=PATIENCE_MS)
    return what


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def number(demo: Provider) -> Iterator[str]:
    """Of the newcomer, who leaves nothing behind."""
    found = demo.person(index=1)
    yield found
    as_new(demo, found)


def as_new(demo: Provider, number: str) -> None:
    """Without a passkey, news of one, or anything agreed to, whatever was done with that person."""
    found = demo.api("GET", "passkeys", "gongmu:people", params={"personnel_number": number})
    for one in found.json()["passkeys"]:
        demo.api("POST", f"passkeys/{one['id']}/remove", "gongmu:people")
    with Seat(demo) as seat:
        seat.to_account(Held.receive(demo, number))
        seat.get("/account")
        seat.post("/account/consents/withdraw", client_id="mail")


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def walker(
    chromium: Browser, demo: Provider, number: str, language: str, size: str, devices: int
) -> Iterator[Walker]:
    """In a window, and in a private one where there are two devices."""
    as_new(demo, number)
    contexts = [
        chromium.new_context(locale=LANGUAGES[language], **SIZES[size])  # type: ignore[arg-type]  # a width is an int
        for _ in range(devices)
    ]
    for context in contexts:
        context.set_default_timeout(PATIENCE_MS)
    yield Walker(demo, number, language, [context.new_page() for context in contexts])
    for context in contexts:
        context.close()


@pytest.mark.parametrize("devices", [2])
def test_two_devices(walker: Walker) -> None:
    walker.receive()
    walker.open_mail()
    walker.type_and_agree(walker.present())


@pytest.mark.parametrize("devices", [1])
def test_one_device_and_a_passkey_afterwards(walker: Walker) -> None:
    walker.receive()
    walker.open_mail()
    walker.on_one_device()
    add, make, sign_out, again, by_passkey = walker.readme.paragraph("Afterwards")
    page = walker.desk
    page.add_init_script(NO_LIST)  # or the browser's own list would answer before the button
    Machine(walker.demo, page).plug_in(INTERNAL)
    page.goto(walker.readme.address("/account", walker.demo))
    walker.press(page, add)
    walker.press(page, make)
    page.wait_for_url("**/account/passkeys")
    page.goto(walker.readme.address("/mail", walker.demo))
    for label in (sign_out, again, by_passkey):
        walker.press(page, label)
    walker.arrive()
