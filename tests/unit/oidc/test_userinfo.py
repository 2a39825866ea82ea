"""`/oauth/userinfo`, and the tokens it refuses."""

import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from flask.testing import FlaskClient

from idp.contracts import State, Use
from idp.events import Event, Kind, Reason
from tests.fakes.jws import decode, encode
from tests.unit.oidc.scene import Asked, World
from tests.unit.oidc.test_authorize import code_of
from tests.unit.oidc.test_token import redeem


@pytest.fixture
def tokens(world: World, browser: FlaskClient, asked: Asked) -> dict[str, Any]:
    world.sign_in(browser)
    scope = "openid profile email groups offline_access"
    answer = redeem(browser, asked, code_of(world, browser, asked, scope=scope))
    found: dict[str, Any] = answer.json
    return found


def ask(world: World, token: str, method: str = "GET") -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return world.browser().open("/oauth/userinfo", method=method, headers=headers)


def is_refused(answer: Any) -> None:
    assert answer.status_code == 401, answer.text
    assert answer.json["error"] == "invalid_token"
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="gongmu", error="invalid_token", resource_metadata=')
    assert "sub" not in answer.json


def payload(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(decode(token.split(".")[1]))
    return found


def test_who_it_is(world: World, tokens: dict[str, Any]) -> None:
    for method in ("GET", "POST"):
        answer = ask(world, tokens["access_token"], method)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        told = answer.json
        assert told["sub"] == payload(tokens["id_token"])["sub"]
        assert (told["name"], told["email"]) == ("홍길동", "hong@example.go.kr")
        assert told["groups"] == ["mail-users"]
        assert told["room"] == "디지털정부실"  # the adapter's
        assert "acr" not in told  # the adapter's forgery
    assert "name" not in payload(tokens["id_token"])


def test_the_directory_is_asked_each_time(world: World, tokens: dict[str, Any]) -> None:
    """A-081, A-131."""
    world.directory.change("E100", department="정보화담당관")
    assert ask(world, tokens["access_token"]).json["department"] == "정보화담당관"
    world.directory.change("E100", state=State.RETIRED)
    is_refused(ask(world, tokens["access_token"]))
    world.directory.change("E100", state=State.ACTIVE)
    world.directory.away = True
    assert ask(world, tokens["access_token"]).status_code == 503


def test_ends(world: World, tokens: dict[str, Any]) -> None:
    """A-129."""
    sid, gid = payload(tokens["id_token"])["sid"], payload(tokens["access_token"])["gid"]
    world.clock.forward(299)
    assert ask(world, tokens["access_token"]).status_code == 200
    world.parts.sessions.end(sid, Reason.BY_PERSON)
    is_refused(ask(world, tokens["access_token"]))
    ended = Event(Kind.GRANT_ENDED)
    assert not world.parts.sessions.end_grant(gid, ended)  # it ended with the session


def test_time(world: World, tokens: dict[str, Any]) -> None:
    world.clock.forward(300)
    is_refused(ask(world, tokens["access_token"]))


def test_a_disabled_client(world: World, tokens: dict[str, Any]) -> None:
    world.parts.relying_parties.set_disabled("mail", True, "test")
    is_refused(ask(world, tokens["access_token"]))


def test_other_tokens_are_not_access_tokens(world: World, tokens: dict[str, Any]) -> None:
    """A-080."""
    is_refused(ask(world, tokens["id_token"]))
    is_refused(ask(world, tokens["refresh_token"]))
    claims = payload(tokens["access_token"])
    for typ in ("JWT", "logout+jwt", "oauth-authz-req+jwt"):
        is_refused(ask(world, world.parts.keys.sign(claims, typ, Use.OIDC)))
    is_refused(ask(world, world.parts.keys.sign(claims, "at+jwt", Use.VERIFIER)))
    is_refused(ask(world, world.parts.keys.sign(claims, "at+jwt", Use.OIDC, "EdDSA")))


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://other.example"},
        {"iss": "http://localhost/"},
        {"aud": "http://localhost/api/v1"},
        {"aud": ["http://localhost"]},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": 9999999999.5},
        {"iat": None},
        {"sub": None},
        {"jti": ["x"]},
        {"scope": ["openid"]},
        {"client_id": "other"},
        {"client_id": None},
        {"gid": "unknown"},
        {"gid": None},
        {"gid": 7},
    ],
)
def test_genuine_signature_wrong_content(
    world: World, tokens: dict[str, Any], changed: dict[str, Any]
) -> None:
    world.register("other")
    claims = {**payload(tokens["access_token"]), **changed}
    kept = {name: value for name, value in claims.items() if value is not None}
    is_refused(ask(world, world.parts.keys.sign(kept, "at+jwt", Use.OIDC)))


def test_without_openid(world: World, tokens: dict[str, Any]) -> None:
    claims = {**payload(tokens["access_token"]), "scope": "profile"}
    answer = ask(world, world.parts.keys.sign(claims, "at+jwt", Use.OIDC))
    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")


def test_header_only(world: World, tokens: dict[str, Any]) -> None:
    """A-079."""
    browser, token = world.browser(), tokens["access_token"]
    is_refused(browser.get(f"/oauth/userinfo?access_token={token}"))
    is_refused(browser.post("/oauth/userinfo", data={"access_token": token}))
    for header in (f"Basic {token}", token, "Bearer", f"Bearer {token} x"):
        is_refused(browser.get("/oauth/userinfo", headers={"Authorization": header}))


def test_other_spellings(world: World, tokens: dict[str, Any]) -> None:
    """A-107: one token, one spelling."""
    token = tokens["access_token"]
    header, body, signature = token.split(".")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = last[last.index(signature[-1]) ^ 1]
    assert urlsafe_b64decode(f"{signature[:-1]}{other}==") == urlsafe_b64decode(f"{signature}==")
    for spelling in (f"{header}.{body}.{signature[:-1]}{other}", f"{token}=", f"{token}."):
        is_refused(ask(world, spelling))
    changed = encode(decode(body).replace(b'"openid', b'"0penid'))
    is_refused(ask(world, f"{header}.{changed}.{signature}"))
