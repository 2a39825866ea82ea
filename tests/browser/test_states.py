"""What people see when a sign-in fails: at the desk and on the phone, in both languages, with and without scripts.

Every case goes through the running demo. The wallet is one that can be taken apart, so that it can be
wrong in one thing; desk and phone are real browsers.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.attacks import attacker
from tests.attacks.forge import decode
from tests.attacks.holder import Ask, Held, fetched
from tests.desk import Desk
from tests.provider import Provider
from tests.servers_slapd import Slapd

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
PATIENCE_MS = 15_000
CODE = re.compile(r"G-\d{3}")
WAYS = [("ko-KR", True), ("en-US", False)]


@dataclass(frozen=True)
class Way:
    """How a person looks at the pages."""

    locale: str
    scripts: bool

    def __str__(self) -> str:
        return f"{self.locale[:2]}-{'js' if self.scripts else 'plain'}"


@pytest.fixture(params=[Way(*way) for way in WAYS], ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


Opened = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser, way: Way) -> Iterator[Opened]:
    """Makes a page in a browser of its own."""
    with ExitStack() as stack:

        def make(**options: object) -> Page:
            context = chromium.new_context(
                locale=way.locale,
                java_script_enabled=way.scripts,
                **options,  # type: ignore[arg-type]
            )
            stack.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            return context.new_page()

        yield make


@pytest.fixture
def desk(opened: Opened, demo: Provider) -> Page:
    return desk_at(opened, demo)


def desk_at(opened: Opened, provider: Provider) -> Page:
    """A desk with a QR that asks for the return code as well."""
    page = opened(viewport={"width": 1280, "height": 900})
    with Desk(provider) as asking:
        page.goto(asking.authorization_url(acr_values="urn:gongmu:acr:2"))
    page.locator("#qr").wait_for()
    return page


@pytest.fixture
def phone(opened: Opened) -> Page:
    return opened(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)


@pytest.fixture(scope="module")
def held(demo: Provider) -> Held:
    return Held.receive(demo, demo.person(index=7))


def link_of(desk: Page) -> str:
    """The link of a page that is fresh: a wallet must come within the frame's time."""
    desk.reload()
    found = desk.locator("a[href^='openid4vp://']").first.get_attribute("href")
    assert found is not None
    return found


def presented(desk: Page, held: Held) -> str:
    """A good presentation; where the phone's browser is sent."""
    return str(fetched(held, link_of(desk)).post().json()["redirect_uri"])


def shows(page: Page, code: str) -> None:
    """The code for the help desk is on the page, which speaks the language of the browser."""
    expect(page.locator("main")).to_contain_text(code, timeout=PATIENCE_MS)
    assert set(CODE.findall(page.locator("main").inner_text())) == {code}
    korean = re.search("[가-힣]", page.locator("h1").inner_text()) is not None
    language = page.locator("html").get_attribute("lang")
    assert korean or language == "en"


def step_is(page: Page, name: str, address: str) -> None:
    """The one step that stands out leads there."""
    primary = page.locator("main .primary:visible")
    assert primary.count() == 1, name
    target = primary.get_attribute("href") or primary.locator("..").get_attribute("action")
    assert re.fullmatch(address, str(target)), target


def can_start_over(desk: Page) -> None:
    """The next step really leads to a new QR."""
    desk.locator("main .primary:visible").first.click()
    expect(desk.locator("#login")).to_have_attribute("data-state", "waiting")


# --- the QR ---------------------------------------------------------------------------------------


def test_expired_qr(desk: Page, way: Way) -> None:
    """The login is over after its two minutes; here the page is told so at once."""
    if not way.scripts:
        pytest.skip("the page as the server draws it then is among the samples of tests/unit")
    expired = {"step": "expired", "reason": "login_expired", "next": None}
    desk.route("**/status", lambda route: route.fulfill(json=expired))
    expect(desk.locator("#login")).to_have_attribute("data-state", "expired")
    shows(desk, "G-303")
    desk.unroute("**/status")
    desk.locator(".renew button").click()
    expect(desk.locator("#login")).to_have_attribute("data-state", "waiting")


def test_old_frame_on_the_phone(desk: Page, held: Held, demo: Provider) -> None:
    ask = Ask(demo, link_of(desk))
    frame = parse_qs(urlsplit(ask.request_uri).query)["frame"][0]
    forged = Ask(demo, ask.link.replace(frame, f"{frame[:3]}{frame[:2:-1]}"))
    told = forged.get()
    assert (told.status_code, told.json()["error_description"][:5]) == (400, "G-306")
    expect(desk.locator("#login")).to_have_attribute("data-state", "waiting")


def test_lost_network_at_the_desk(desk: Page, way: Way) -> None:
    if not way.scripts:
        pytest.skip("without scripts the browser itself says so")
    desk.context.set_offline(True)
    expect(desk.locator("#login")).to_have_attribute("data-state", "offline", timeout=20_000)
    shows(desk, "G-110")
    desk.context.set_offline(False)
    expect(desk.locator("#login")).to_have_attribute("data-state", "waiting", timeout=20_000)
    expect(desk.locator("#login-code")).to_be_hidden()


def test_second_wallet_on_the_same_qr(desk: Page, held: Held, demo: Provider) -> None:
    link = link_of(desk)
    first = fetched(held, link)
    frame = parse_qs(urlsplit(first.ask.request_uri).query)["frame"][0]
    second = Ask(demo, link.replace(frame, f"{(int(frame[:3]) + 1):03d}{frame[3:]}"))
    told = second.get()
    assert (told.status_code, told.json()["error_description"][:5]) == (400, "G-307")
    shows(desk, "G-307")
    assert first.post().status_code == 200  # the first goes on undisturbed
    desk.locator("input[name=return_code]").wait_for()


# --- refused --------------------------------------------------------------------------------------


def test_refused_on_the_phone(desk: Page, phone: Page, held: Held) -> None:
    answer = fetched(held, link_of(desk))
    refusal = {"error": "access_denied", "state": answer.state}
    phone.goto(answer.post(refusal).json()["redirect_uri"])
    for page in (desk, phone):
        shows(page, "G-308")
    step_is(desk, "again", r"/login/[\w-]+/again")
    can_start_over(desk)


def test_wallet_with_an_id_of_an_unknown_issuer(desk: Page, held: Held) -> None:
    answer = fetched(held, link_of(desk))
    elsewhere = "https://wallet.example"
    leaf = attacker.root(elsewhere).issue(elsewhere)
    payload = {**decode(held.issuer_jwt)[1], "iss": elsewhere}
    answer.issuer_jwt = attacker.signed(payload, leaf, attacker.x5c(leaf))
    told = answer.post()
    shows_refusal(desk, told.status_code, told.json(), "G-408")


def test_revoked_id(desk: Page, demo: Provider) -> None:
    """A newer mobile ID of the same person has taken its place."""
    former = Held.receive(demo, demo.person(index=6))
    Held.receive(demo, former.number)
    told = fetched(former, link_of(desk)).post()
    shows_refusal(desk, told.status_code, told.json(), "G-420")


def shows_refusal(desk: Page, status: int, told: dict[str, str], code: str) -> None:
    """The wallet gets the code, the desk says it with words, and a new QR is one press away."""
    assert status == 400
    assert told["error_description"].startswith(f"{code} ")
    shows(desk, code)
    expect(desk.get_by_role("alert")).to_be_visible()
    renew = desk.locator(".renew button")
    expect(renew).to_be_visible()
    renew.click()
    expect(desk.locator("#login")).to_have_attribute("data-state", "waiting")
    assert desk.locator(".setback").count() == 0


# --- the return code ------------------------------------------------------------------------------


def typed(desk: Page, code: str) -> None:
    field = desk.locator("input[name=return_code]")
    field.wait_for()
    field.fill(code)
    field.press("Enter")


def shown_code(phone: Page, address: str) -> str:
    phone.goto(address)
    return phone.locator("output#return-code").inner_text().strip()


def test_wrong_return_code_three_times(desk: Page, phone: Page, held: Held) -> None:
    code = shown_code(phone, presented(desk, held))
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    for left in ("2", "1"):
        typed(desk, wrong)
        expect(desk.locator("#code-error")).to_contain_text(left)
        shows(desk, "G-310")
    typed(desk, wrong)
    for page in (desk, phone):
        shows(page, "G-311")
    can_start_over(desk)


def test_return_address_with_a_bad_response_code(desk: Page, phone: Page, held: Held) -> None:
    address = presented(desk, held)
    phone.goto(address[:-4] + "AAAA")
    for page in (desk, phone):
        shows(page, "G-312")
    can_start_over(desk)


def test_the_phone_says_when_the_desk_is_done(desk: Page, phone: Page, held: Held) -> None:
    """And "this was not me" still ends what the desk has opened."""
    code = shown_code(phone, presented(desk, held))
    desk.route("http://localhost:9999/**", lambda route: route.fulfill(body="there"))
    typed(desk, code)
    desk.wait_for_url("http://localhost:9999/**")
    expect(phone.locator(".mark.good")).to_be_visible()
    issuer = held.provider.issuer
    assert desk.goto(f"{issuer}/account").status == 200  # type: ignore[union-attr]
    phone.locator("form.alarm button").click()
    shows(phone, "G-309")
    assert desk.goto(f"{issuer}/account").status == 401  # type: ignore[union-attr]
    shows(desk, "G-211")


def test_not_me_before_the_desk_is_done(desk: Page, phone: Page, held: Held) -> None:
    shown_code(phone, presented(desk, held))
    phone.locator("form.alarm button").click()
    for page in (phone, desk):
        shows(page, "G-309")
    can_start_over(desk)


def test_not_me_counts_when_the_login_is_dead_already(
    desk: Page, phone: Page, held: Held, demo: Provider
) -> None:
    """Whoever was shown the code raises the alarm also after the attacker has used up the tries."""
    code = shown_code(phone, presented(desk, held))
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    phone.context.set_offline(True)
    for _ in range(3):
        typed(desk, wrong)
    shows(desk, "G-311")
    phone.context.set_offline(False)
    mark = demo.last_event()
    phone.locator("form.alarm button").click()
    shows(phone, "G-309")
    assert [event["kind"] for event in demo.events_after(mark)] == ["login:person:disowned"]


# --- the person -----------------------------------------------------------------------------------

STATES = [("retired", "G-503"), ("suspended", "G-504")]


@contextmanager
def employed_as(server: Slapd, number: str, state: str) -> Iterator[None]:
    """While inside, the personnel directory says so of that person."""
    entry = f"dn: employeeNumber={number},ou=people,dc=esaram,dc=example"
    change = f"{entry}\nchangetype: modify\nreplace: employeeType\nemployeeType: {{}}\n"
    server.modify(change.format(state))
    try:
        yield
    finally:
        server.modify(change.format("active"))


@pytest.mark.services
@pytest.mark.parametrize(("state", "code"), STATES)
def test_person_who_may_not_act(
    opened: Opened, phone: Page, served: Provider, personnel: Slapd, state: str, code: str
) -> None:
    held = Held.receive(served, "E1000002")
    desk = desk_at(opened, served)
    with employed_as(personnel, held.number, state):
        phone.goto(presented(desk, held))
        for page in (phone, desk):
            shows(page, code)
    step_is(desk, "back to the service", r"/login/[\w-]+/leave")
    desk.route("http://localhost:9999/**", lambda route: route.fulfill(body="there"))
    desk.locator("main .primary").click()
    desk.wait_for_url("http://localhost:9999/**error=access_denied**")
