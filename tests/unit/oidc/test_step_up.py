"""A resource says what sign-in it needs (RFC 9470), and which tokens open it (RFC 9728)."""

import re
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from idp.access_tokens import TYP
from idp.contracts import Use
from idp.step_up import OPERATOR_MAX_AGE_S
from tests.unit.oidc.scene import ACR_1, ACR_2, Asked, Registered, World
from tests.unit.oidc.test_authorize import code_of
from tests.unit.oidc.test_token import redeem

API = "http://localhost/api/v1"


def challenge(answer: Any) -> dict[str, str]:
    assert answer.status_code == 401, answer.text
    scheme, _, said = answer.headers["WWW-Authenticate"].partition(" ")
    return {"scheme": scheme, **dict(re.findall(r'(\w+)="([^"]*)"', said))}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_raised_minimum_counts_at_userinfo(
    world: World, browser: FlaskClient, mail: Registered
) -> None:
    world.sign_in(browser)
    asked = Asked(mail)
    token = redeem(browser, asked, code_of(world, browser, asked)).json["access_token"]
    assert browser.get("/oauth/userinfo", headers=bearer(token)).status_code == 200
    world.parts.relying_parties.update(
        replace(mail.party, minimum_acr="phr"), "test", since=mail.party
    )
    answer = browser.get("/oauth/userinfo", headers=bearer(token))
    assert challenge(answer) == {
        "scheme": "Bearer",
        "realm": "gongmu",
        "error": "insufficient_user_authentication",
        "acr_values": "phr",
        "resource_metadata": "http://localhost/.well-known/oauth-protected-resource",
    }
    assert answer.json["error"] == "insufficient_user_authentication"
    [event] = world.events(kind="token:use:refused")
    assert event["reason"] == "acr_unmet"


def test_a_raised_minimum_ends_refreshing(
    world: World, browser: FlaskClient, mail: Registered
) -> None:
    """The relying party sends the person to sign in, as for any refresh token that is over."""
    world.sign_in(browser)
    asked = Asked(mail)
    code = code_of(world, browser, asked, scope="openid offline_access")
    token = redeem(browser, asked, code).json["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token}
    token = browser.post("/oauth/token", data=form, headers=mail.basic).json["refresh_token"]
    world.parts.relying_parties.update(
        replace(mail.party, minimum_acr="phr"), "test", since=mail.party
    )
    form = {"grant_type": "refresh_token", "refresh_token": token}
    answer = browser.post("/oauth/token", data=form, headers=mail.basic)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    assert world.events(kind="token:issue:refused")[0]["reason"] == "acr_unmet"


def person_at_the_api(world: World, mail: Registered, acr: str) -> str:
    """A person's token for the API, as an operator's program would hold one."""
    session, _ = world.new_session(acr=acr)
    grant = world.parts.sessions.add_grant(session, mail.client_id, ("gongmu:people",))
    now = int(world.clock().timestamp())
    claims = {
        "iss": "http://localhost",
        "aud": API,
        "sub": "s",
        "client_id": mail.client_id,
        "iat": now,
        "exp": now + 86400,
        "jti": "j",
        "scope": "gongmu:people",
        "gid": grant.id,
        "sid": session.id,
        "acr": "phrh",
        "auth_time": now,
    }
    return world.parts.keys.sign(claims, TYP, Use.OIDC)


@pytest.mark.parametrize("acr", [ACR_1, ACR_2])
def test_a233_the_api_refuses_a_person_signed_in_by_qr(
    world: World, browser: FlaskClient, mail: Registered, acr: str
) -> None:
    """What the token says of its strength is not asked: the session's own counts."""
    token = person_at_the_api(world, mail, acr)
    told = challenge(browser.get("/api/v1/people", headers=bearer(token)))
    assert (told["error"], told["acr_values"], told["max_age"]) == (
        "insufficient_user_authentication",
        "phr",
        "900",
    )
    assert told["resource_metadata"].endswith("/.well-known/oauth-protected-resource/api/v1")


def test_a233_the_api_refuses_a_sign_in_of_long_ago(
    world: World, browser: FlaskClient, mail: Registered
) -> None:
    token = person_at_the_api(world, mail, "phr")
    world.clock.forward(OPERATOR_MAX_AGE_S - 1)
    assert browser.get("/api/v1/people", headers=bearer(token)).status_code == 200
    world.clock.forward(1)
    told = challenge(browser.get("/api/v1/people", headers=bearer(token)))
    assert (told["error"], told["max_age"]) == ("insufficient_user_authentication", "900")
    assert world.events(kind="api:request:refused")[0]["reason"] == "login_required"


def test_each_resource_says_which_tokens_open_it(world: World, browser: FlaskClient) -> None:
    """The address is the one that RFC 9728 §3.1 makes of the resource; the API's scopes are its own."""
    provider = browser.get("/.well-known/openid-configuration").json
    for resource in provider["protected_resources"]:
        path = resource.removeprefix("http://localhost")
        answer = browser.get(f"/.well-known/oauth-protected-resource{path}")
        document = answer.json
        assert document["resource"] == resource
        assert document["authorization_servers"] == [provider["issuer"]]
        assert document["bearer_methods_supported"] == ["header"]
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    described = browser.get("/api/v1/openapi.json").get_data(as_text=True)
    assert set(document["scopes_supported"]) == set(re.findall(r'"(gongmu:\w+)":', described))
    assert browser.get("/.well-known/oauth-protected-resource/nothing").status_code == 404
