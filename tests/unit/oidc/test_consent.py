"""Consent: when it is asked, what a decision does, and for whom it counts."""

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from idp.store.sql import transaction
from idp.store.tables import consents
from tests.unit.oidc.scene import KIM, Asked, Registered, World, sent_back
from tests.unit.oidc.test_authorize import code_of


@pytest.fixture
def once(world: World) -> Registered:
    return world.register("once", consent="once")


def open_page(browser: FlaskClient, asked: Asked, **changed: str) -> dict[str, str]:
    """The address and the token of the consent page."""
    answer = browser.get("/oauth/authorize", query_string=asked.parameters(**changed))
    assert answer.status_code == 200, answer.headers.get("Location")
    found = re.search(r'action="(/oauth/consent/[\w-]+)"', answer.text)
    token = re.search(r'name="csrf" value="(\w+)"', answer.text)
    assert found
    assert token
    assert "form-action 'self' https://once.example;" in answer.headers["Content-Security-Policy"]
    return {"url": found.group(1), "csrf": token.group(1)}


def decide(browser: FlaskClient, page: dict[str, str], decision: str, **form: str) -> Any:
    return browser.post(page["url"], data={"csrf": page["csrf"], "decision": decision, **form})


def test_once_means_once(world: World, browser: FlaskClient, once: Registered) -> None:
    session = world.sign_in(browser)
    asked = Asked(once)
    answer = decide(browser, open_page(browser, asked), "allow")
    told = sent_back(answer.headers["Location"])
    assert (answer.status_code, told["state"]) == (303, asked.state)
    token = browser.post("/oauth/token", data=asked.form(told["code"]), headers=once.basic)
    assert token.status_code == 200
    code_of(world, browser, Asked(once))
    [event] = world.events(kind="consent:grant:accepted")
    assert (event["session"], event["relying_party"]) == (session.id, "once")
    open_page(browser, Asked(once), scope="openid profile email")  # more than was agreed to
    open_page(browser, Asked(once), prompt="consent")
    other = world.browser()
    world.sign_in(other, official=KIM)
    open_page(other, Asked(once))  # another person


def claims(*names: str, section: str = "userinfo") -> str:
    return json.dumps({section: dict.fromkeys(names)})


def test_single_claims_are_asked_for_and_remembered(
    world: World, browser: FlaskClient, once: Registered
) -> None:
    """Asked again when scopes or claims grow, for what was agreed to is kept and not replaced."""
    world.sign_in(browser)
    decide(browser, open_page(browser, Asked(once)), "allow")
    more = {"claims": claims("email", "acr", "sub")}
    query, english = Asked(once).parameters(**more), {"Accept-Language": "en"}
    page = browser.get("/oauth/authorize", query_string=query, headers=english)
    assert ">Mail address<" in page.text
    decide(browser, open_page(browser, Asked(once), **more), "allow")
    code_of(world, browser, Asked(once), **more)
    code_of(world, browser, Asked(once))
    code_of(world, browser, Asked(once), claims=claims("email", section="id_token"))
    code_of(world, browser, Asked(once), claims=claims("acr", "auth_time", section="id_token"))
    open_page(browser, Asked(once), claims=claims("email", "groups"))
    open_page(browser, Asked(once), scope="openid email")
    decide(browser, open_page(browser, Asked(once), scope="openid email"), "allow")
    code_of(world, browser, Asked(once), **more)  # the first page's scope is still agreed to
    [row] = [row for row in my_consents(world) if row.client_id == "once"]
    assert (row.scope, row.claims) == ("email openid profile", "email")
    assert {
        event["data"].get("claims") for event in world.events(kind="consent:grant:accepted")
    } == {
        None,
        "email",
    }


def test_two_pages_agreed_to_at_once_are_one_consent(
    world: World, browser: FlaskClient, once: Registered
) -> None:
    world.sign_in(browser)
    pages = [open_page(browser, Asked(once)) for _ in range(2)]
    for page in pages:
        assert "code=" in decide(browser, page, "allow").headers["Location"]
    assert len(my_consents(world)) == 1


def my_consents(world: World) -> list[Any]:
    with transaction(world.parts.engine) as connection:
        return list(connection.execute(select(consents)))


def test_always_means_always(world: World, browser: FlaskClient) -> None:
    party = world.register("once", consent="always")
    world.sign_in(browser)
    for _ in range(2):
        answer = decide(browser, open_page(browser, Asked(party)), "allow")
        assert sent_back(answer.headers["Location"])["code"]


def test_no(world: World, browser: FlaskClient, once: Registered) -> None:
    world.sign_in(browser)
    asked = Asked(once)
    page = open_page(browser, asked)
    told = sent_back(decide(browser, page, "deny").headers["Location"])
    assert (told["error"], told["state"]) == ("access_denied", asked.state)
    assert told["iss"] == "http://localhost"
    assert len(world.events(kind="consent:grant:refused")) == 1
    assert world.events(kind="authorization:request:refused") == []  # one event
    assert "Location" not in decide(browser, page, "allow").headers
    open_page(browser, Asked(once))


def test_a_decision_counts_once(world: World, browser: FlaskClient, once: Registered) -> None:
    world.sign_in(browser)
    page = open_page(browser, Asked(once))
    assert "code=" in decide(browser, page, "allow").headers["Location"]
    again = decide(browser, page, "allow")
    assert again.status_code == 403
    assert "Location" not in again.headers


def test_a124_forged_decisions(world: World, browser: FlaskClient, once: Registered) -> None:
    """A-123, A-124."""
    world.sign_in(browser)
    page, other = open_page(browser, Asked(once)), open_page(browser, Asked(once))
    for headers, form in (
        ({}, {"csrf": ""}),
        ({}, {"csrf": other["csrf"]}),
        ({"Origin": "https://evil.example"}, {}),
        ({"Sec-Fetch-Site": "cross-site"}, {}),
    ):
        data = {"csrf": page["csrf"], "decision": "allow", **form}
        answer = browser.post(page["url"], data=data, headers=headers)
        assert answer.status_code == 403
    assert browser.get(page["url"]).status_code == 405
    assert decide(browser, page, "maybe").status_code == 400
    stranger = world.browser()
    world.sign_in(stranger)
    assert decide(stranger, page, "allow").status_code == 403
    # What the form adds is not read: the request that was shown is the one that is answered.
    answer = decide(browser, page, "allow", redirect_uri="https://evil.example", scope="openid x")
    assert answer.headers["Location"].startswith("https://once.example/cb?code=")


def test_signed_out_meanwhile(world: World, browser: FlaskClient, once: Registered) -> None:
    world.sign_in(browser)
    page = open_page(browser, Asked(once))
    world.end_all()
    answer = decide(browser, page, "allow")
    assert answer.status_code == 403
    assert "Location" not in answer.headers
    assert world.events(kind="consent:grant:accepted") == []
