"""`/oauth/logout`: who is signed out, after which question, and where the browser goes."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.unit.oidc.scene import KIM, Asked, Registered, World
from tests.unit.oidc.test_authorize import code_of
from tests.unit.oidc.test_token import redeem

BYE = "https://mail.example/bye"


def id_token(world: World, browser: FlaskClient, party: Registered) -> str:
    asked = Asked(party)
    return str(redeem(browser, asked, code_of(world, browser, asked)).json["id_token"])


@pytest.fixture
def hint(world: World, browser: FlaskClient, mail: Registered) -> str:
    world.sign_in(browser)
    return id_token(world, browser, mail)


def is_signed_in(world: World, browser: FlaskClient, mail: Registered) -> bool:
    answer = browser.get("/oauth/authorize", query_string=Asked(mail).parameters(prompt="none"))
    return "code=" in answer.headers["Location"]


def fields_of(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))


def is_page_error(answer: Any) -> None:
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "text/html" in answer.headers["Content-Type"]


def test_the_sessions_own_hint_signs_out_at_once(
    world: World, browser: FlaskClient, mail: Registered, hint: str
) -> None:
    query = {"id_token_hint": hint, "post_logout_redirect_uri": BYE, "state": "a b&"}
    answer = browser.get("/oauth/logout", query_string=query)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{BYE}?state=a+b%26"
    assert "gongmu-session=;" in answer.headers["Set-Cookie"]
    assert not is_signed_in(world, browser, mail)
    [event] = world.events(kind="session:end:done")
    assert event["reason"] == "by_person"
    again = browser.get("/oauth/logout", query_string=query)
    assert again.headers["Location"].startswith(BYE)


def test_an_expired_hint_will_do(world: World, browser: FlaskClient, hint: str) -> None:
    world.clock.forward(1800)
    answer = browser.get("/oauth/logout", query_string={"id_token_hint": hint, "client_id": "mail"})
    assert "gongmu-session=;" in answer.headers["Set-Cookie"]
    assert answer.status_code == 200


def test_without_hint_the_person_is_asked(
    world: World, browser: FlaskClient, mail: Registered, hint: str
) -> None:
    """A-128: an image on a page elsewhere signs nobody out."""
    query = {"client_id": "mail", "post_logout_redirect_uri": BYE, "state": '"><script>'}
    page = browser.get("/oauth/logout", query_string=query)
    assert page.status_code == 200
    assert '"><script>' not in page.text
    assert "form-action 'self' https://mail.example;" in page.headers["Content-Security-Policy"]
    assert is_signed_in(world, browser, mail)
    fields = fields_of(page.text)
    assert fields["client_id"] == "mail"
    fields["state"] = query["state"]
    assert browser.post("/oauth/logout", data={**fields, "csrf": "x"}).status_code == 403
    answer = browser.post("/oauth/logout", data=fields, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert is_signed_in(world, browser, mail)
    answer = browser.post("/oauth/logout", data=fields)
    assert answer.headers["Location"] == f"{BYE}?state=%22%3E%3Cscript%3E"
    assert not is_signed_in(world, browser, mail)


def test_a_hint_of_an_older_session_of_the_same_person_asks(
    world: World, browser: FlaskClient, mail: Registered, hint: str
) -> None:
    world.sign_in(browser)
    page = browser.get("/oauth/logout", query_string={"id_token_hint": hint})
    assert page.status_code == 200
    assert is_signed_in(world, browser, mail)


def test_refused(world: World, browser: FlaskClient, mail: Registered, hint: str) -> None:
    """A-127."""
    other = world.register("other")
    stranger = world.browser()
    world.sign_in(stranger, official=KIM)
    foreign = id_token(world, stranger, mail)
    access = redeem(browser, asked := Asked(mail), code_of(world, browser, asked)).json
    for query in (
        {"post_logout_redirect_uri": BYE},
        {"client_id": "mail", "post_logout_redirect_uri": f"{BYE}/"},
        {"client_id": "mail", "post_logout_redirect_uri": "javascript:alert(1)"},
        {"client_id": "mail", "post_logout_redirect_uri": other.party.post_logout_redirect_uris[0]},
        {"client_id": "other", "post_logout_redirect_uri": BYE},
        {"client_id": "other", "id_token_hint": hint},
        {"client_id": "unknown"},
        {"id_token_hint": foreign},
        {"id_token_hint": hint[:-4] + "AAAA"},
        {"id_token_hint": access["access_token"]},
        {"id_token_hint": "x"},
        {"client_id": "mail", "post_logout_redirect_uri": BYE, "state": "s" * 2049},
    ):
        is_page_error(browser.get("/oauth/logout", query_string=query))
    is_page_error(browser.get("/oauth/logout?client_id=mail&client_id=other"))
    assert is_signed_in(world, browser, mail)
    assert {event["reason"] for event in world.events(kind="logout:request:refused")} == {
        "redirect_uri",
        "id_token_hint",
        "client_unknown",
        "too_large",
        "repeated_parameter",
    }


def test_a_disabled_partys_address_is_not_followed(
    world: World, browser: FlaskClient, hint: str
) -> None:
    world.parts.relying_parties.set_disabled("mail", True, "test")
    query = {"id_token_hint": hint, "post_logout_redirect_uri": BYE}
    is_page_error(browser.get("/oauth/logout", query_string=query))


def test_a_post_from_another_site_comes_back_by_get(world: World, hint: str) -> None:
    elsewhere = world.browser()  # SameSite=Lax: the cookies stay at home
    form = {"id_token_hint": hint, "post_logout_redirect_uri": BYE}
    answer = elsewhere.post("/oauth/logout", data=form)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/oauth/logout?id_token_hint=")
    assert "Set-Cookie" not in answer.headers


def test_nobody_signed_in(browser: FlaskClient, mail: Registered) -> None:
    answer = browser.get("/oauth/logout")
    assert answer.status_code == 200
    query = {"client_id": "mail", "post_logout_redirect_uri": BYE}
    assert browser.get("/oauth/logout", query_string=query).headers["Location"] == BYE
