"""Tokens for one resource, claims asked for one by one, and opaque tokens, over HTTP (R-009, RFC 8707; A-056)."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from idp.contracts import State
from idp.events import Reason
from idp.login import digest
from tests.fakes.jws import claims_of
from tests.unit.oidc.running import Running, running
from tests.unit.oidc.scene import Asked, Registered

pytestmark = pytest.mark.services
INACTIVE = {"active": False}
LEDGER, ARCHIVE = "https://ledger.example/api", "https://archive.example/"


@pytest.fixture(scope="module")
def gongmu(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, sql_url: str
) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("audience"), redis_url, sql_url) as provider:
        world, parties = provider.world, provider.parties
        parties["desk"] = world.register("desk", resources=(LEDGER, ARCHIVE))
        parties["ledger"] = world.register("ledger", protected_resources=(LEDGER,))
        parties["narrow"] = world.register("narrow", scope=("openid", "profile", "offline_access"))
        parties["opaque"] = world.register("opaque", access_token_format="opaque")
        parties["robot"] = world.register(
            "robot",
            redirect_uris=(),
            post_logout_redirect_uris=(),
            grant_types=("client_credentials",),
            scope=("gongmu:people",),
            audience=f"{provider.issuer}/api/v1",
            access_token_format="opaque",
        )
        yield provider


def code_of(gongmu: Running, asked: Asked, **changed: Any) -> str:
    with gongmu.signed_in() as browser:
        return gongmu.code(asked, browser, **changed)


def tokens_of(gongmu: Running, name: str, scope: str = "openid profile", **more: Any) -> Any:
    asked = Asked(gongmu.party(name))
    answer = gongmu.redeem(asked, code_of(gongmu, asked, scope=scope, **more))
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(gongmu: Running, path: str, party: Registered, **form: str) -> httpx.Response:
    with gongmu.client() as backend:
        return backend.post(path, data=form, headers=party.basic)


def introspect(gongmu: Running, party: Registered, token: str) -> Any:
    return post(gongmu, "/oauth/introspect", party, token=token).json()


# --- one audience -----------------------------------------------------------------------------------


def test_a_token_for_one_resource(gongmu: Running) -> None:
    tokens = tokens_of(gongmu, "desk", resource=LEDGER)
    assert claims_of(tokens["access_token"])["aud"] == LEDGER
    told = introspect(gongmu, gongmu.party("ledger"), tokens["access_token"])
    assert (told["active"], told["aud"], told["client_id"]) == (True, LEDGER, "desk")
    assert not {"name", "email", "username"} & set(told)
    assert introspect(gongmu, gongmu.party("desk"), tokens["access_token"])["active"]
    assert introspect(gongmu, gongmu.party("mail"), tokens["access_token"]) == INACTIVE


def test_it_opens_nothing_else_so_the_id_token_tells(gongmu: Running) -> None:
    """A resource server that keeps a token must not read userinfo with it (R-009)."""
    tokens = tokens_of(gongmu, "desk", resource=LEDGER)
    assert gongmu.userinfo(tokens["access_token"]).status_code == 401
    assert claims_of(tokens["id_token"])["name"] == "홍길동"
    plain = tokens_of(gongmu, "desk")
    assert "name" not in claims_of(plain["id_token"])
    assert gongmu.userinfo(plain["access_token"]).json()["name"] == "홍길동"


def test_of_several_resources_one_is_named_for_each_token(gongmu: Running) -> None:
    asked = Asked(gongmu.party("desk"))
    scope = "openid profile offline_access"
    both = [LEDGER, ARCHIVE]
    code = code_of(gongmu, asked, scope=scope, resource=both)
    tokens = gongmu.redeem(asked, code, resource=LEDGER).json()
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    for resource in (ARCHIVE, LEDGER):
        answer = post(gongmu, "/oauth/token", gongmu.party("desk"), **form, resource=resource)
        assert claims_of(answer.json()["access_token"])["aud"] == resource
        form["refresh_token"] = answer.json()["refresh_token"]
    for wrong in ("https://other.example/", f"{LEDGER} {ARCHIVE}"):
        answer = post(gongmu, "/oauth/token", gongmu.party("desk"), **form, resource=wrong)
        assert answer.json()["error"] == "invalid_target"


# --- claims one by one (OIDC Core §5.5) -------------------------------------------------------------


def test_claims_that_are_asked_for_by_name(gongmu: Running) -> None:
    asked = {"userinfo": {"email": {"essential": True}}, "id_token": {"agency": None}}
    tokens = tokens_of(gongmu, "mail", "openid", claims=json.dumps(asked))
    told = gongmu.userinfo(tokens["access_token"]).json()
    assert told["email"] == "hong@example.go.kr"
    assert "name" not in told
    id_token = claims_of(tokens["id_token"])
    assert id_token["agency"] == "행정안전부"
    assert not {"email", "name"} & set(id_token)
    assert (
        "email" not in gongmu.userinfo(tokens_of(gongmu, "mail", "openid")["access_token"]).json()
    )


def test_none_beyond_what_the_party_is_registered_for(gongmu: Running) -> None:
    names = ("email", "groups", "name", "sub", "acr", "personnel_number", "toString", "__proto__")
    section = dict.fromkeys(names)
    asked = {"userinfo": section, "id_token": section}
    tokens = tokens_of(gongmu, "narrow", "openid", claims=json.dumps(asked))
    told = gongmu.userinfo(tokens["access_token"]).json()
    assert set(told) == {"sub", "name"}
    id_token = claims_of(tokens["id_token"])
    assert id_token["sub"] == told["sub"] != "forged"
    assert id_token["acr"] == "urn:gongmu:acr:2"
    assert not {"email", "groups", "personnel_number"} & set(id_token)


# --- opaque tokens ----------------------------------------------------------------------------------


def test_an_opaque_token_says_nothing_and_does_all(gongmu: Running) -> None:
    party = gongmu.party("opaque")
    tokens = tokens_of(gongmu, "opaque", "openid profile offline_access")
    token = tokens["access_token"]
    assert len(token) == 43
    assert "." not in token
    assert claims_of(tokens["id_token"])["at_hash"]
    assert gongmu.userinfo(token).json()["name"] == "홍길동"
    told = introspect(gongmu, party, token)
    assert (told["active"], told["token_type"], told["client_id"]) == (True, "Bearer", "opaque")
    assert introspect(gongmu, gongmu.party("mail"), token) == INACTIVE
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    later = post(gongmu, "/oauth/token", party, **form).json()["access_token"]
    assert later != token
    assert gongmu.userinfo(later).status_code == 200


def test_a056_an_opaque_token_changed_a_little(gongmu: Running) -> None:
    token = tokens_of(gongmu, "opaque")["access_token"]
    other = "A" if token[-1] != "A" else "B"
    for changed in (
        token.swapcase(),
        f"{token}=",
        token[:-1] + other,
        token[:-1],
        f"{token}A",
        secrets.token_urlsafe(32),
        digest(token),
    ):
        assert gongmu.userinfo(changed).status_code == 401
    assert gongmu.userinfo(token).status_code == 200


def is_dead(gongmu: Running, token: str) -> bool:
    inactive = introspect(gongmu, gongmu.party("opaque"), token) == INACTIVE
    return inactive and gongmu.userinfo(token).status_code == 401


def test_revocation_sign_out_and_loss_end_an_opaque_token(gongmu: Running) -> None:
    tokens = tokens_of(gongmu, "opaque")
    form = {"token": tokens["access_token"]}
    assert post(gongmu, "/oauth/revoke", gongmu.party("opaque"), **form).is_success
    assert is_dead(gongmu, tokens["access_token"])
    parts = gongmu.world.parts
    tokens = tokens_of(gongmu, "opaque")
    parts.sessions.end(claims_of(tokens["id_token"])["sid"], Reason.BY_PERSON)
    assert is_dead(gongmu, tokens["access_token"])
    token = tokens_of(gongmu, "opaque")["access_token"]
    parts.short.delete(f"access:{digest(token)}")  # a store that lost it
    assert is_dead(gongmu, token)


def test_so_do_the_directory_the_register_and_time(gongmu: Running) -> None:
    token = tokens_of(gongmu, "opaque")["access_token"]
    clock, directory = gongmu.world.clock, gongmu.world.directory
    parties = gongmu.world.parts.relying_parties
    directory.change("E100", state=State.RETIRED)
    try:
        assert is_dead(gongmu, token)
    finally:
        directory.change("E100", state=State.ACTIVE)
    parties.set_disabled("opaque", True, "test")
    try:
        assert gongmu.userinfo(token).status_code == 401
    finally:
        parties.set_disabled("opaque", False, "test")
    assert not is_dead(gongmu, token)
    try:
        clock.forward(300)
        assert is_dead(gongmu, token)
    finally:
        clock.at = None


def test_a_programs_opaque_token_can_be_taken_back(gongmu: Running) -> None:
    robot = gongmu.party("robot")
    token = post(gongmu, "/oauth/token", robot, grant_type="client_credentials").json()[
        "access_token"
    ]
    assert introspect(gongmu, robot, token)["active"]
    with gongmu.client() as backend:
        headers = {"Authorization": f"Bearer {token}"}
        assert backend.get("/api/v1/people", headers=headers).status_code == 200
        assert post(gongmu, "/oauth/revoke", gongmu.party(), token=token).is_success  # another's
        assert introspect(gongmu, robot, token)["active"]
        assert post(gongmu, "/oauth/revoke", robot, token=token).is_success
        assert backend.get("/api/v1/people", headers=headers).status_code == 401
    assert introspect(gongmu, robot, token) == INACTIVE
