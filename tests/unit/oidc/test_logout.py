"""`/oauth/logout`: who is signed out, after which question, and where the browser goes."""

import re
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text, update

from idp.events import Reason
from idp.store.sql import transaction
from idp.store.tables import sessions
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


def test_an_expired_hint_of_a_session_that_is_over_counts_for_nothing(
    world: World, browser: FlaskClient, mail: Registered, hint: str
) -> None:
    world.parts.sessions.end(world.events(kind="session:start:accepted")[0]["session"], Reason.NONE)
    world.sign_in(browser, official=KIM)
    query = {"id_token_hint": hint, "post_logout_redirect_uri": BYE}
    is_page_error(browser.get("/oauth/logout", query_string=query))  # not yet: Kim is not meant
    world.clock.forward(301)
    page = browser.get("/oauth/logout", query_string=query)
    assert page.status_code == 200  # the person is asked, and goes nowhere afterwards
    assert {"id_token_hint", "post_logout_redirect_uri"}.isdisjoint(fields_of(page.text))
    assert is_signed_in(world, browser, mail)
    page = browser.get("/oauth/logout", query_string={**query, "client_id": "mail"})
    assert "post_logout_redirect_uri" in fields_of(page.text)
    assert is_signed_in(world, browser, mail)


def test_the_frames_of_the_signed_out_page(world: World, browser: FlaskClient) -> None:
    """Those who had a grant in the session and registered for it, and their origins alone (§3)."""
    addresses = ("https://framed0.example/out?a=b", "https://framed1.example/out")
    first, second = (
        world.register(f"framed{number}", frontchannel_logout_uri=address)
        for number, address in enumerate(addresses)
    )
    world.register("absent", frontchannel_logout_uri="https://absent.example/out")
    session = world.sign_in(browser)
    tokens = [id_token(world, browser, party) for party in (first, second, world.register("none"))]
    bye = first.party.post_logout_redirect_uris[0]
    query = {"id_token_hint": tokens[0], "post_logout_redirect_uri": bye, "state": "s"}
    answer = browser.get("/oauth/logout", query_string=query)
    told = urlencode({"iss": "http://localhost", "sid": session.id})
    assert [
        unescape(frame) for frame in re.findall(r'<iframe hidden src="([^"]+)"', answer.text)
    ] == [
        f"{addresses[0]}&{told}",
        f"{addresses[1]}?{told}",
    ]
    policy = answer.headers["Content-Security-Policy"]
    assert "; frame-src https://framed0.example https://framed1.example; " in policy
    assert f'id="back" href="{bye}?state=s"' in answer.text
    assert world.parts.sessions.get(session.id) is None
    # Once more there is nobody to sign out, and no other page may have frames.
    assert browser.get("/oauth/logout", query_string=query).headers["Location"] == f"{bye}?state=s"
    assert "frame-src" not in browser.get("/").headers["Content-Security-Policy"]


def test_the_frames_of_a_session_that_was_taken_over(world: World, browser: FlaskClient) -> None:
    """A party that knows the older `sid` hears of that one."""
    party = world.register("framed", frontchannel_logout_uri="https://framed.example/out")
    older = world.sign_in(browser)
    code_of(world, browser, Asked(party))
    newer = world.sign_in(browser)
    with transaction(world.parts.engine) as connection:
        connection.execute(
            update(sessions).where(sessions.c.id == older.id).values(successor=newer.id)
        )
    hint = id_token(world, browser, world.register("none"))
    page = browser.get("/oauth/logout", query_string={"id_token_hint": hint})
    assert re.findall(r"sid=([\w-]+)", "".join(re.findall("<iframe[^>]*>", page.text))) == [
        older.id
    ]


def test_ending_this_browsers_session_in_the_account_loads_the_frames_too(
    world: World, browser: FlaskClient
) -> None:
    party = world.register("framed", frontchannel_logout_uri="https://framed.example/out")
    session = world.sign_in(browser)
    code_of(world, browser, Asked(party))
    csrf = fields_of(browser.get("/account").text)["csrf"]
    answer = browser.post(f"/account/sessions/{session.id}/end", data={"csrf": csrf})
    assert f"sid={session.id}" in answer.text
    assert "frame-src https://framed.example;" in answer.headers["Content-Security-Policy"]


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


def test_a127_refused(world: World, browser: FlaskClient, mail: Registered, hint: str) -> None:
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


@pytest.mark.parametrize(
    ("profile", "after", "followed"),
    [
        ("public", "http://127.0.0.1:50123/bye", True),
        ("public", "http://127.0.0.1:50123/other", False),
        ("public", "http://localhost:50123/bye", False),
        ("oidc", "http://127.0.0.1:50123/bye", False),
    ],
)
def test_an_installed_programs_port_varies_after_logout_too(
    world: World,
    browser: FlaskClient,
    profile: Any,
    after: str,
    followed: bool,  # noqa: FBT001 - parametrized
) -> None:
    """RFC 8252 §7.3: what has no fixed port to sign in at has none to come back to."""
    method = "none" if profile == "public" else "client_secret_basic"
    world.register(
        "app",
        profile=profile,
        token_endpoint_auth_methods=(method,),
        post_logout_redirect_uris=("http://127.0.0.1/bye",),
    )
    query = {"client_id": "app", "post_logout_redirect_uri": after}
    answer = browser.get("/oauth/logout", query_string=query)
    assert (answer.headers.get("Location", "") == after) is followed
    if not followed:
        is_page_error(answer)


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


def test_metrics_tell_how_many_letters_wait(world: World, browser: FlaskClient) -> None:
    party = world.register(backchannel_logout_uri="https://mail.example/logout")
    session = world.sign_in(browser)
    code_of(world, browser, Asked(party))
    assert "gongmu_outbox_waiting 0.0\n" in browser.get("/metrics").text
    world.parts.sessions.end(session.id, Reason.BY_PERSON)
    assert "gongmu_outbox_waiting 1.0\n" in browser.get("/metrics").text
    with transaction(world.parts.engine) as connection:
        connection.execute(text("ALTER TABLE outbox RENAME TO gone"))
    answer = browser.get("/metrics")
    assert answer.status_code == 200
    assert "gongmu_outbox_waiting NaN\n" in answer.text
