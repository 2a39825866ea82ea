"""The pages of passkeys over a clock of the test's own: how long what counts, who is offered what, who gets in."""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.contracts import MethodKit, State
from idp.events import Kind
from idp.logins import Logins
from idp.store.sql import transaction
from idp.store.tables import cut_offs
from idp_fido2 import Fido2Settings
from tests.fakes.html import Page
from tests.fakes.security_key import SecurityKey, form
from tests.unit.oidc.scene import ACR_1, ACR_2, HONG, Asked, Registered, World
from tests.unit.test_methods import FakeWalletMethod

PHONE = "Mozilla/5.0 (Linux; Android 16; SM-S931N) Chrome/156.0 Mobile Safari/537.36"
NEW = "/account/passkeys/new"
ELSEWHERE = "https://sign-in.agency.example"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A provider with the QR and with passkeys; logins live for ten minutes."""
    made = World(tmp_path)
    parts = made.parts
    kit = MethodKit(
        **{name: getattr(parts.kit, name) for name in type(parts.kit).__slots__},
        passkeys=parts.passkeys,
    )
    fido2 = Fido2Settings(related_origins=(ELSEWHERE,)).open(kit)
    methods: dict[str, Any] = {"mobile_id": FakeWalletMethod(), "fido2": fido2}
    logins = Logins(parts.short, made.clock, 600)
    made.parts = replace(parts, methods=methods, logins=logins)
    made.app = create_app(made.parts.settings, made.parts)
    yield made
    made.close()


@pytest.fixture
def key() -> SecurityKey:
    return SecurityKey("http://localhost")


def options(answer: TestResponse) -> dict[str, Any]:
    found = re.search(r'data-options="([^"]+)"', answer.text)
    assert found, answer.text
    given: dict[str, Any] = json.loads(html.unescape(found.group(1)))
    return given


def fields(answer: TestResponse, action: str) -> dict[str, str]:
    found: dict[str, str] = Page(answer.text).forms()[action]
    return found


def add(browser: FlaskClient, key: SecurityKey, page: TestResponse) -> TestResponse:
    made = form(key.create(options(page)))
    sent = {**fields(page, "/account/passkeys"), "name": "열쇠", **made}
    return browser.post("/account/passkeys", data=sent)


def enrolled(world: World, key: SecurityKey) -> None:
    browser = world.browser()
    world.sign_in(browser, acr="phr")
    assert add(browser, key, browser.get(NEW)).status_code == 303


def asked_for(
    world: World, browser: FlaskClient, party: Registered, **changed: str
) -> tuple[str, TestResponse]:
    """The address of a login and its page."""
    answer = browser.get("/oauth/authorize", query_string=Asked(party).parameters(**changed))
    login = str(answer.headers["Location"])
    return login, browser.get(login)


def touched(browser: FlaskClient, login: str, page: TestResponse, key: SecurityKey) -> TestResponse:
    sent = {**fields(page, f"{login}/answer"), **form(key.get(options(page)))}
    return browser.post(f"{login}/answer", data=sent)


def codes(answer: TestResponse) -> list[str]:
    return re.findall(r"G-\d{3}", answer.text)


# --- how long -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "good"), [(119, True), (121, False)])
def test_a191_a_challenge_lives_two_minutes(
    world: World, key: SecurityKey, *, seconds: int, good: bool
) -> None:
    enrolled(world, key)
    browser = world.browser()
    login, page = asked_for(world, browser, world.register(), acr_values="phr")
    world.clock.forward(seconds)
    answer = touched(browser, login, page, key)
    assert (answer.status_code == 303) is good
    assert good or codes(answer) == ["G-702"]
    assert bool(world.events(kind=Kind.SESSION_STARTED, reason="none")[1:]) is good


def test_a_page_that_is_opened_again_asks_the_same_until_then(world: World) -> None:
    browser = world.browser()
    login, page = asked_for(world, browser, world.register(), acr_values="phr")
    assert options(browser.get(login)) == options(page)
    world.clock.forward(121)
    late = browser.get(login)
    assert "data-options" not in late.text
    sent = fields(late, f"{login}/fido2")
    again = browser.post(f"{login}/fido2", data=sent)
    assert options(browser.get(again.headers["Location"])) != options(page)


@pytest.mark.parametrize(("seconds", "good"), [(119, True), (121, False)])
def test_a191_options_for_a_new_one_live_two_minutes(
    world: World, key: SecurityKey, *, seconds: int, good: bool
) -> None:
    browser = world.browser()
    world.sign_in(browser, acr="phr")
    page = browser.get(NEW)
    world.clock.forward(seconds)
    answer = add(browser, key, page)
    assert (answer.status_code == 303) is good
    assert good or codes(answer) == ["G-702"]
    assert good or add(browser, key, answer).status_code == 303  # a clean retry on that very page


@pytest.mark.parametrize("acr", [ACR_2, "phr"])
def test_a200_a_sign_in_is_fresh_for_five_minutes(world: World, key: SecurityKey, acr: str) -> None:
    browser = world.browser()
    world.sign_in(browser, acr=acr)
    world.clock.forward(298)
    page = browser.get(NEW)
    assert page.status_code == 200
    world.clock.forward(3)
    answer = add(browser, key, page)
    assert answer.status_code == 403
    [event] = world.events(kind=Kind.PASSKEY_REFUSED)
    assert event["reason"] == "fresh_sign_in"
    step_up = browser.get(NEW)
    assert step_up.status_code == 403
    sent = fields(step_up, "/account/sign-in")
    assert sent["next"] == "new"
    assert urlsplit(
        browser.post("/account/sign-in", data=sent).headers["Location"]
    ).path.startswith("/login/")


def test_a201_removing_needs_a_fresh_sign_in_and_renaming_does_not(
    world: World, key: SecurityKey
) -> None:
    enrolled(world, key)
    browser = world.browser()
    mine = world.sign_in(browser, acr="phr")
    [passkey] = world.parts.passkeys.of(mine.subject)
    here = f"/account/passkeys/{passkey.id}"
    sent = fields(browser.get(f"{here}/remove"), f"{here}/remove")
    world.clock.forward(301)
    assert browser.get(f"{here}/remove").status_code == 403
    assert browser.post(f"{here}/remove", data=sent).status_code == 403
    assert browser.post(f"{here}/rename", data={**sent, "name": "새"}).status_code == 303
    assert [one.name for one in world.parts.passkeys.of(mine.subject)] == ["새"]


def test_a200_a_qr_alone_is_never_enough(world: World) -> None:
    browser = world.browser()
    world.sign_in(browser, acr=ACR_1)
    assert browser.get(NEW).status_code == 403


# --- who is offered what --------------------------------------------------------------------------


def test_the_qr_comes_first_with_a_passkey_beside_it(world: World) -> None:
    _login, page = asked_for(world, world.browser(), world.register())
    assert 'id="qr"' in page.text
    assert options(page)["userVerification"] == "required"


@pytest.mark.parametrize(("agent", "qr"), [("", False), (PHONE, True)])
def test_where_a_qr_cannot_be_enough_the_passkey_comes_first(
    world: World, agent: str, *, qr: bool
) -> None:
    browser = world.browser()
    browser.environ_base["HTTP_USER_AGENT"] = agent
    browser.set_cookie("gongmu-method", "mobile_id")
    login, page = asked_for(world, browser, world.register(), acr_values="phr")
    assert ('id="qr"' in page.text) is qr
    assert options(page)
    chooser = browser.get(f"{login}?choose=1")
    assert [f'action="{login}/{name}"' in chooser.text for name in ("mobile_id", "fido2")] == [
        True,
        True,
    ]


def test_only_what_can_reach_the_strength_is_offered(world: World) -> None:
    browser = world.browser()
    login, page = asked_for(world, browser, world.register(), acr_values="phrh")
    assert f"{login}/mobile_id" not in page.text
    sent = {"csrf": fields(page, f"{login}/answer")["csrf"]}
    assert browser.post(f"{login}/mobile_id", data=sent).status_code == 404


def test_where_nothing_can_reach_it_the_login_says_so(world: World) -> None:
    settings = world.parts.settings.model_copy(update={"acr_rules": ()})
    app = create_app(settings, replace(world.parts, settings=settings))
    world.app = app
    browser = world.browser()
    login, page = asked_for(world, browser, world.register(), acr_values="phr")
    assert page.headers["Location"] == login
    over = browser.get(login)
    assert (over.status_code, codes(over)) == (403, ["G-213"])


def test_what_was_used_last_comes_first(world: World, key: SecurityKey) -> None:
    enrolled(world, key)
    browser, mail = world.browser(), world.register()
    login, page = asked_for(world, browser, mail)
    touched(browser, login, page, key)
    _login, page = asked_for(world, browser, mail, prompt="login")
    assert 'id="qr"' not in page.text
    assert options(page)


def test_an_answer_to_the_challenge_beside_it_ends_the_qr(world: World, key: SecurityKey) -> None:
    browser = world.browser()
    login, page = asked_for(world, browser, world.register())
    handle = re.search(r"%2Fvp%2F([\w-]{22})%2Frequest", page.text)
    assert handle
    answer = touched(browser, login, page, _stranger(key))
    assert codes(answer) == ["G-726"]
    gone = browser.get(f"/vp/{handle.group(1)}/request?frame=x")
    assert gone.status_code == 404


def _stranger(key: SecurityKey) -> SecurityKey:
    key.credentials.append(key.new_credential(-7, b"nobody" * 5, "localhost"))
    return key


def test_an_answer_where_no_passkey_was_asked_for_changes_nothing(world: World) -> None:
    world.parts = replace(world.parts, methods={"mobile_id": world.parts.methods["mobile_id"]})
    world.app = create_app(world.parts.settings, world.parts)
    browser = world.browser()
    login, page = asked_for(world, browser, world.register())
    sent = {"csrf": fields(page, f"{login}/mobile_id")["csrf"], "credential": "{}"}
    assert browser.post(f"{login}/answer", data=sent).headers["Location"] == login
    assert 'id="qr"' in browser.get(login).text
    assert world.browser().get(NEW).status_code == 404
    assert world.browser().get("/account/passkeys").status_code == 404


# --- who gets in ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "code"),
    [(State.RETIRED, "G-503"), (State.SUSPENDED, "G-504"), (State.UNKNOWN, "G-507")],
)
def test_who_may_not_act_is_told_why(
    world: World, key: SecurityKey, state: State, code: str
) -> None:
    enrolled(world, key)
    world.directory.change(HONG.personnel_number, state=state)
    browser = world.browser()
    login, page = asked_for(world, browser, world.register())
    answer = touched(browser, login, page, key)
    assert (answer.status_code, codes(answer)) == (403, [code])
    assert len(world.events(kind=Kind.SESSION_STARTED)) == 1
    assert code in browser.get(login).text


def test_who_is_in_no_directory_any_more(world: World, key: SecurityKey) -> None:
    enrolled(world, key)
    del world.directory.people[HONG.personnel_number]
    browser = world.browser()
    login, page = asked_for(world, browser, world.register())
    touched(browser, login, page, key)
    assert codes(browser.get(login)) == ["G-501"]


def test_a_directory_that_is_away_signs_nobody_in(world: World, key: SecurityKey) -> None:
    enrolled(world, key)
    browser = world.browser()
    login, page = asked_for(world, browser, world.register())
    world.directory.away = True
    assert touched(browser, login, page, key).status_code == 503
    assert len(world.events(kind=Kind.SESSION_STARTED)) == 1


def test_who_was_cut_off_adds_none(world: World, key: SecurityKey) -> None:
    browser = world.browser()
    mine = world.sign_in(browser, acr="phr")
    page = browser.get(NEW)
    cut = {"id": "c", "subject": mine.subject, "reason": "lost", "at": world.clock()}
    with transaction(world.parts.engine) as connection:
        connection.execute(insert(cut_offs).values(cut))
    assert add(browser, key, page).status_code == 403
    assert world.parts.passkeys.of(mine.subject) == []


# --- our own pages --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ("new", NEW),
        ("passkeys", "/account/passkeys"),
        ("account", "/account"),
        ("https://evil.example", "/account"),
        ("//evil.example", "/account"),
        ("", "/account"),
    ],
)
def test_a_sign_in_of_our_own_ends_at_our_own_page(
    world: World, key: SecurityKey, wanted: str, there: str
) -> None:
    enrolled(world, key)
    browser = world.browser()
    closed = browser.get("/account")
    assert closed.status_code == 401
    sent = {**fields(closed, "/account/sign-in"), "next": wanted}
    login = browser.post("/account/sign-in", data=sent).headers["Location"]
    answer = touched(browser, login, browser.get(login), key)
    assert answer.headers["Location"] == there
    assert browser.get(there).status_code == 200
    assert browser.get(f"/oauth/authorize?login={login.rpartition('/')[2]}").status_code == 400


def test_giving_it_up_leads_back(world: World) -> None:
    browser = world.browser()
    sent = fields(browser.get("/account"), "/account/sign-in")
    login = browser.post("/account/sign-in", data=sent).headers["Location"]
    sent = fields(browser.get(login), f"{login}/cancel")
    assert browser.post(f"{login}/cancel", data=sent).headers["Location"] == "/account"


def test_it_needs_the_forms_own_token(world: World) -> None:
    assert world.browser().post("/account/sign-in", data={"next": "new"}).status_code == 403


def test_the_page_of_news_is_for_whoever_signed_in(world: World, key: SecurityKey) -> None:
    enrolled(world, key)
    browser = world.browser()
    login, page = asked_for(world, browser, world.register())
    assert browser.get(f"{login}/news").headers["Location"] == login
    assert world.browser().get(f"{login}/news").status_code == 404
    touched(browser, login, page, key)
    assert browser.get(f"{login}/news").status_code == 200


def test_related_origins_are_published(world: World) -> None:
    answer = world.browser().get("/.well-known/webauthn")
    assert (answer.mimetype, answer.json) == ("application/json", {"origins": [ELSEWHERE]})
