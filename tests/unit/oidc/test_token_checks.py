"""Introspection and revocation (A-080, A-082, A-084, A-085)."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from idp.contracts import State
from idp.errors import OutsideError
from idp.events import Reason
from tests.unit.oidc.scene import Asked, Registered, World
from tests.unit.oidc.test_authorize import code_of
from tests.unit.oidc.test_token import MACHINE, is_refused, redeem

INACTIVE = {"active": False}


@pytest.fixture
def tokens(world: World, browser: FlaskClient, asked: Asked) -> dict[str, Any]:
    world.sign_in(browser)
    scope = "openid profile email offline_access"
    answer = redeem(browser, asked, code_of(world, browser, asked, scope=scope))
    found: dict[str, Any] = answer.json
    return found


def introspect(world: World, party: Registered, token: str) -> Any:
    answer = world.browser().post("/oauth/introspect", data={"token": token}, headers=party.basic)
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json


def revoke(world: World, party: Registered, token: str) -> int:
    answer = world.browser().post("/oauth/revoke", data={"token": token}, headers=party.basic)
    return int(answer.status_code)


def test_an_active_token(world: World, mail: Registered, tokens: dict[str, Any]) -> None:
    told = introspect(world, mail, tokens["access_token"])
    now = int(world.clock().timestamp())
    assert (told["active"], told["client_id"], told["exp"]) == (True, "mail", now + 300)
    assert told["username"] == "hong@example.go.kr"
    assert (told["acr"], told["aud"]) == ("urn:gongmu:acr:2", "http://localhost")
    assert told["sub"] != "forged"


def test_inactive_is_all_that_is_said(
    world: World, mail: Registered, tokens: dict[str, Any]
) -> None:
    other, access = world.register("other"), tokens["access_token"]
    machine = world.register("robot", **MACHINE)
    grant = {"grant_type": "client_credentials"}
    own = world.browser().post("/oauth/token", data=grant, headers=machine.basic).json
    assert introspect(world, other, access) == INACTIVE
    assert introspect(world, mail, own["access_token"]) == INACTIVE
    for token in ("x", "a.b.c", tokens["id_token"], tokens["refresh_token"], access + "="):
        assert introspect(world, mail, token) == INACTIVE
    world.directory.change("E100", state=State.RETIRED)
    assert introspect(world, mail, access) == INACTIVE
    world.directory.change("E100", state=State.ACTIVE)
    assert introspect(world, mail, access)["active"]
    world.clock.forward(300)
    assert introspect(world, mail, access) == INACTIVE


def test_a_programs_own_token(world: World) -> None:
    """It has no person behind it, so no `sid`; whose API it is for may ask as well (R-084)."""
    machine = world.register("robot", **MACHINE)
    audience = machine.party.audience
    api = world.register("api", protected_resources=(audience,))
    grant = {"grant_type": "client_credentials"}
    own = world.browser().post("/oauth/token", data=grant, headers=machine.basic).json
    for asking in (machine, api):
        told = introspect(world, asking, own["access_token"])
        assert (told["active"], told["aud"], told["sub"]) == (True, audience, "robot")
        assert "sid" not in told
    world.clock.forward(300)
    assert introspect(world, machine, own["access_token"]) == INACTIVE


def test_after_sign_out(world: World, mail: Registered, tokens: dict[str, Any]) -> None:
    told = introspect(world, mail, tokens["access_token"])
    world.parts.sessions.end(told["sid"], Reason.BY_PERSON)
    assert introspect(world, mail, tokens["access_token"]) == INACTIVE


def test_both_need_the_client(world: World, mail: Registered, tokens: dict[str, Any]) -> None:
    for path in ("/oauth/introspect", "/oauth/revoke"):
        form = {"token": tokens["access_token"]}
        is_refused(world.browser().post(path, data=form), "invalid_client", 401)
        is_refused(world.browser().post(path, headers=mail.basic, data={}), "invalid_request")
        assert world.browser().get(path).status_code == 405
    assert introspect(world, mail, tokens["access_token"])["active"]


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoking_one_ends_all(
    world: World, mail: Registered, tokens: dict[str, Any], kind: str
) -> None:
    assert revoke(world, mail, tokens[kind]) == 200
    assert introspect(world, mail, tokens["access_token"]) == INACTIVE
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    answer = world.browser().post("/oauth/token", data=form, headers=mail.basic)
    is_refused(answer, "invalid_grant")
    assert revoke(world, mail, tokens[kind]) == 200  # again: the same


def test_another_clients_token_stays(
    world: World, mail: Registered, tokens: dict[str, Any]
) -> None:
    """A-084."""
    other = world.register("other")
    for token in (tokens["access_token"], tokens["refresh_token"], "x"):
        assert revoke(world, other, token) == 200
    assert introspect(world, mail, tokens["access_token"])["active"]


def test_never_200_when_it_cannot_be_written(
    world: World, mail: Registered, tokens: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A-085."""

    def away(_grant: str, _reason: Reason) -> bool:
        raise OutsideError("sql", "away")

    monkeypatch.setattr(world.parts.sessions, "end_grant", away)
    assert revoke(world, mail, tokens["access_token"]) == 503
