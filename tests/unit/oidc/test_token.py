"""Codes, clients and programs at the token endpoint; what the tokens say."""

import base64
import hashlib
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from idp.contracts import State
from idp.store.sql import transaction
from idp.store.tables import cut_offs
from tests.unit.oidc.scene import Asked, Registered, World
from tests.unit.oidc.test_authorize import code_of

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def redeem(browser: FlaskClient, asked: Asked, code: str, **changed: str | None) -> Any:
    return browser.post(
        "/oauth/token", data=asked.form(code, **changed), headers=asked.registered.basic
    )


def is_refused(answer: Any, code: str, status: int = 400) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json["error"] == code
    assert answer.headers["Cache-Control"] == "no-store"
    assert "access_token" not in answer.text


def claims_of(world: World, token: str, typ: str) -> dict[str, Any]:
    """Verified by joserfc with the published keys, as a relying party would."""
    keys = KeySet.import_key_set(world.browser().get("/oauth/jwks").json)
    found = jwt.decode(token, keys, algorithms=["ES256", "Ed25519"])
    assert found.header["typ"] == typ
    return dict(found.claims)


def test_what_a_code_gives(world: World, browser: FlaskClient, asked: Asked) -> None:
    session = world.sign_in(browser)
    answer = redeem(browser, asked, code_of(world, browser, asked))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "id_token"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 300)
    now = int(world.clock().timestamp())
    told = claims_of(world, body["id_token"], "JWT")
    assert told == {
        "iss": "http://localhost",
        "sub": told["sub"],
        "aud": "mail",
        "azp": "mail",
        "iat": now,
        "exp": now + 300,
        "auth_time": now,
        "acr": session.acr,
        "amr": ["pop"],
        "sid": session.id,
        "nonce": asked.nonce,
        "at_hash": told["at_hash"],
    }
    access = claims_of(world, body["access_token"], "at+jwt")
    assert access["sub"] == told["sub"]
    assert (access["aud"], access["client_id"]) == ("http://localhost", "mail")
    assert access["exp"] - access["iat"] == 300
    half = hashlib.sha256(body["access_token"].encode()).digest()[:16]
    assert told["at_hash"] == base64.urlsafe_b64encode(half).decode().rstrip("=")
    [event] = world.events(kind="token:issue:accepted")
    assert event["session"] == session.id
    assert body["access_token"] not in str(event)


def test_no_nonce_no_claim_and_other_algorithms(world: World, browser: FlaskClient) -> None:
    party = world.register("ed", id_token_signed_response_alg="EdDSA", claims_in_id_token=True)
    world.sign_in(browser)
    asked = Asked(party)
    answer = redeem(browser, asked, code_of(world, browser, asked, nonce=None))
    header, payload, _ = answer.json["id_token"].split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["alg"] == "EdDSA"
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert "nonce" not in claims
    assert claims["name"] == "홍길동"
    # The adapter tried to say who this is and how strongly: it cannot.
    assert (claims["acr"], claims["sub"] != "forged") == ("urn:gongmu:acr:2", True)


def test_sub_is_pairwise_and_stable(world: World, browser: FlaskClient, mail: Registered) -> None:
    other = world.register("other")
    third = world.register("third", redirect_uris=("https://mail.example/third",))
    world.sign_in(browser)
    subs = []
    for party in (mail, mail, other, third):
        asked = Asked(party)
        answer = redeem(browser, asked, code_of(world, browser, asked))
        subs.append(claims_of(world, answer.json["id_token"], "JWT")["sub"])
    assert subs[0] == subs[1] == subs[3] != subs[2]
    assert len(subs[0]) == 43
    assert world.parts.people.search("홍", 1)[0].personnel_number not in subs[0]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"redirect_uri": "https://mail.example/cb/"}, "redirect_uri"),
        ({"redirect_uri": None}, "redirect_uri"),
        ({"code_verifier": "w" * 43}, "pkce"),
        ({"code_verifier": None}, "pkce"),
        ({"code_verifier": "w" * 42}, "pkce"),
        ({"code_verifier": "w" * 129}, "pkce"),
    ],
)
def test_one_wrong_use_burns_the_code(
    world: World, browser: FlaskClient, asked: Asked, changed: dict[str, str | None], reason: str
) -> None:
    world.sign_in(browser)
    code = code_of(world, browser, asked)
    is_refused(redeem(browser, asked, code, **changed), "invalid_grant")
    [event] = world.events(kind="token:issue:refused")
    assert event["reason"] == reason
    is_refused(redeem(browser, asked, code), "invalid_grant")


def test_code_of_another_client(world: World, browser: FlaskClient, asked: Asked) -> None:
    """A-052."""
    other = world.register("other")
    world.sign_in(browser)
    code = code_of(world, browser, asked)
    answer = browser.post("/oauth/token", data=asked.form(code), headers=other.basic)
    is_refused(answer, "invalid_grant")
    is_refused(redeem(browser, asked, code), "invalid_grant")


def test_verifier_without_challenge(world: World, browser: FlaskClient) -> None:
    """RFC 9700 §4.8.2."""
    old = world.register("old", pkce_required=False)
    asked = Asked(old)
    world.sign_in(browser)
    without = {"code_challenge": None, "code_challenge_method": None}
    code = code_of(world, browser, asked, **without)
    is_refused(redeem(browser, asked, code), "invalid_grant")
    code = code_of(world, browser, asked, **without)
    assert redeem(browser, asked, code, code_verifier=None).status_code == 200


def test_replay_by_the_client_itself_kills_what_was_issued(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    """A-050, first half."""
    world.sign_in(browser)
    code = code_of(world, browser, asked)
    token = redeem(browser, asked, code).json["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert browser.get("/oauth/userinfo", headers=bearer).status_code == 200
    is_refused(redeem(browser, asked, code), "invalid_grant")
    assert browser.get("/oauth/userinfo", headers=bearer).status_code == 401
    [event] = world.events(kind="token:code:replayed")
    assert event["reason"] == "grant_replayed"
    assert len(world.events(kind="token:issue:refused")) == 0  # one event for one refusal


def test_replay_by_a_stranger_kills_nothing(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    """A-050, second half: no denial of service by replay."""
    other = world.register("other")
    world.sign_in(browser)
    code = code_of(world, browser, asked)
    token = redeem(browser, asked, code).json["access_token"]
    form = asked.form(code)
    is_refused(browser.post("/oauth/token", data=form), "invalid_client", 401)
    is_refused(browser.post("/oauth/token", data=form, headers=other.basic), "invalid_grant")
    is_refused(redeem(browser, asked, code, code_verifier="w" * 43), "invalid_grant")
    is_refused(redeem(browser, asked, code, redirect_uri="https://x.example"), "invalid_grant")
    answer = browser.get("/oauth/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert world.events(kind="token:code:replayed") == []


def test_an_old_code(world: World, browser: FlaskClient, asked: Asked) -> None:
    """A-053."""
    world.sign_in(browser)
    code = code_of(world, browser, asked)
    world.clock.forward(61)
    is_refused(redeem(browser, asked, code), "invalid_grant")


def test_a_person_who_may_not_act_any_more(
    world: World, browser: FlaskClient, mail: Registered
) -> None:
    """A-057: ended session, retired, cut off."""
    asked = Asked(mail)
    session = world.sign_in(browser)
    code = code_of(world, browser, asked)
    world.directory.change("E100", state=State.RETIRED)
    is_refused(redeem(browser, asked, code), "invalid_grant")
    world.directory.change("E100", state=State.ACTIVE)
    asked = Asked(mail)
    code = code_of(world, browser, asked)
    with transaction(world.parts.engine) as connection:
        values = {"id": "c", "subject": session.subject, "at": world.clock(), "reason": "lost"}
        connection.execute(cut_offs.insert().values(**values))
    is_refused(redeem(browser, asked, code), "invalid_grant")
    assert {event["reason"] for event in world.events(kind="token:issue:refused")} == {
        "person_retired",
        "cut_off",
    }
    with transaction(world.parts.engine) as connection:
        connection.execute(cut_offs.delete())
    asked = Asked(mail)
    code = code_of(world, browser, asked)
    world.end_all()
    is_refused(redeem(browser, asked, code), "invalid_grant")


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code "}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x" * 43}, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "x"}, "invalid_grant"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
    ],
)
def test_grants_refused(
    browser: FlaskClient, mail: Registered, form: dict[str, str], code: str
) -> None:
    is_refused(browser.post("/oauth/token", data=form, headers=mail.basic), code)


def test_the_query_counts_for_nothing(browser: FlaskClient, mail: Registered) -> None:
    answer = browser.post("/oauth/token?grant_type=client_credentials", data={}, headers=mail.basic)
    is_refused(answer, "invalid_request")
    assert browser.get("/oauth/token").status_code == 405


# --- clients ------------------------------------------------------------------------------------

MACHINE = {
    "redirect_uris": (),
    "post_logout_redirect_uris": (),
    "grant_types": ("client_credentials",),
    "scope": ("gongmu:people", "gongmu:events"),
    "audience": "http://localhost/api/v1",
}
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
def machine(world: World) -> Registered:
    return world.register("robot", **MACHINE)


def test_a_program_for_itself(world: World, browser: FlaskClient, machine: Registered) -> None:
    answer = browser.post("/oauth/token", data=GRANT, headers=machine.basic)
    assert answer.status_code == 200, answer.text
    assert answer.json["scope"] == "gongmu:people gongmu:events"
    claims = claims_of(world, answer.json["access_token"], "at+jwt")
    assert (claims["sub"], claims["aud"]) == ("robot", "http://localhost/api/v1")
    assert {"gid", "sid", "acr"}.isdisjoint(claims)
    narrow = {**GRANT, "scope": "gongmu:people"}
    assert browser.post("/oauth/token", data=narrow, headers=machine.basic).json["scope"] == (
        "gongmu:people"
    )
    wide = {**GRANT, "scope": "gongmu:people gongmu:issue"}
    is_refused(browser.post("/oauth/token", data=wide, headers=machine.basic), "invalid_scope")
    bearer = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert browser.get("/oauth/userinfo", headers=bearer).status_code == 401  # not its audience
    told = browser.get("/api/v1/people", headers=bearer)
    assert told.status_code == 200


def basic(text: str | bytes) -> dict[str, str]:
    raw = text.encode() if isinstance(text, str) else text
    return {"Authorization": f"Basic {base64.b64encode(raw).decode()}"}


def test_secrets(world: World, browser: FlaskClient, machine: Registered) -> None:
    posted = {**GRANT, "client_id": "robot", "client_secret": machine.secret}
    assert browser.post("/oauth/token", data=posted).status_code == 200
    encoded = basic(f"%72obot:{machine.secret}")
    assert browser.post("/oauth/token", data=GRANT, headers=encoded).status_code == 200
    for headers in (
        basic(f"robot:{machine.secret}x"),
        basic(f"nobody:{machine.secret}"),
        basic(f"robot {machine.secret}"),
        basic("robot:"),
        basic(b"\xff\xfe:x"),
        basic("robot:%ff"),
        {"Authorization": "Basic !!!"},
        {"Authorization": f"Bearer {machine.secret}"},
        {},
    ):
        answer = browser.post("/oauth/token", data=GRANT, headers=headers)
        is_refused(answer, "invalid_client", 401)
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="gongmu", charset="UTF-8"'
        assert answer.json == {
            "error": "invalid_client",
            "error_description": "client authentication failed",
        }
    world.parts.relying_parties.set_disabled("robot", True, "test")
    answer = browser.post("/oauth/token", data=GRANT, headers=machine.basic)
    is_refused(answer, "invalid_client", 401)


def test_one_method_only_and_only_the_registered(world: World, browser: FlaskClient) -> None:
    """A-058, A-059."""
    party = world.register("post", **MACHINE, token_endpoint_auth_methods=("client_secret_post",))
    posted = {**GRANT, "client_id": "post", "client_secret": party.secret}
    assert browser.post("/oauth/token", data=posted).status_code == 200
    answer = browser.post("/oauth/token", data=GRANT, headers=party.basic)
    is_refused(answer, "invalid_client", 401)
    answer = browser.post("/oauth/token", data=posted, headers=party.basic)
    is_refused(answer, "invalid_request")
    both = {**posted, "client_assertion": "a.b.c", "client_assertion_type": TYPE}
    is_refused(browser.post("/oauth/token", data=both), "invalid_request")


def test_client_id_beside_basic_must_agree(
    world: World, browser: FlaskClient, machine: Registered
) -> None:
    world.register("other")
    form = {**GRANT, "client_id": "robot"}
    assert browser.post("/oauth/token", data=form, headers=machine.basic).status_code == 200
    form["client_id"] = "other"
    answer = browser.post("/oauth/token", data=form, headers=machine.basic)
    is_refused(answer, "invalid_client", 401)


# --- private_key_jwt ----------------------------------------------------------------------------


class Keyed:
    """A client with keys of three kinds."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.keys: dict[str, Any] = {
            "ES256": ECKey.generate_key("P-256", {"kid": "ec"}),
            "PS256": RSAKey.generate_key(2048, {"kid": "rsa"}),
            "Ed25519": OKPKey.generate_key("Ed25519", {"kid": "ed"}),
        }
        world.register(
            "keyed",
            **MACHINE,
            token_endpoint_auth_methods=("private_key_jwt",),
            jwks={"keys": [key.as_dict(private=False) for key in self.keys.values()]},
        )
        self.number = 0

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(self.world.clock().timestamp())
        self.number += 1
        good = {
            "iss": "keyed",
            "sub": "keyed",
            "aud": "http://localhost",
            "iat": now,
            "exp": now + 60,
            "jti": f"j{self.number}",
            **changed,
        }
        return {name: value for name, value in good.items() if value is not None}

    def assertion(self, header: dict[str, Any] | None = None, **changed: Any) -> str:
        head = {"alg": "ES256", "kid": "ec", **(header or {})}
        registry = jws.JWSRegistry(algorithms=list(self.keys))
        payload = json.dumps(self.claims(**changed))
        return jws.serialize_compact(head, payload, self.keys[head["alg"]], registry=registry)

    def send(self, assertion: str, **form: str) -> Any:
        data = {**GRANT, "client_assertion": assertion, "client_assertion_type": TYPE, **form}
        return self.world.browser().post("/oauth/token", data=data)


@pytest.fixture
def keyed(world: World) -> Keyed:
    made = Keyed(world)
    world.browser().get("/oauth/jwks")
    return made


def test_assertions_accepted(keyed: Keyed) -> None:
    now = int(keyed.world.clock().timestamp())
    for assertion in (
        keyed.assertion(),
        keyed.assertion({"alg": "PS256", "kid": "rsa"}),
        keyed.assertion({"alg": "Ed25519", "kid": "ed"}),
        keyed.assertion({"typ": "JWT"}),
        keyed.assertion({"typ": "client-authentication+jwt"}),
        keyed.assertion(iat=now + 10, nbf=now + 10),
        keyed.assertion(exp=now + 300),
    ):
        answer = keyed.send(assertion)
        assert answer.status_code == 200, answer.text
    assert keyed.send(keyed.assertion(), client_id="keyed").status_code == 200


def test_assertions_refused(keyed: Keyed) -> None:
    """A-061, A-062, A-064, A-065, A-104."""
    now = int(keyed.world.clock().timestamp())
    for changed in (
        {"aud": "http://localhost/oauth/token"},
        {"aud": ["http://localhost"]},
        {"aud": "https://other.example"},
        {"aud": None},
        {"iss": "mail"},
        {"sub": "mail"},
        {"iss": None},
        {"sub": ["keyed"]},
        {"exp": now},
        {"exp": now + 301},
        {"exp": None},
        {"exp": str(now + 60)},
        {"exp": now + 60.0},
        {"exp": 10**400},
        {"exp": True},
        {"iat": now + 61},
        {"nbf": now + 61},
        {"jti": None},
        {"jti": ""},
        {"jti": ["j"]},
        {"jti": "j" * 257},
        {"deep": json.loads("[" * 200 + "]" * 200)},
    ):
        answer = keyed.send(keyed.assertion(**changed))
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client"), changed
    for header in ({"kid": "unknown"}, {"kid": "../../etc"}, {"kid": "rsa"}, {"typ": "at+jwt"}):
        assert keyed.send(keyed.assertion(header)).status_code == 401, header
    assert keyed.send(keyed.assertion(), client_id="mail").status_code == 401
    assert keyed.send(keyed.assertion(), client_assertion_type="x").status_code == 401


def test_an_assertion_works_once(keyed: Keyed) -> None:
    """A-063."""
    assertion = keyed.assertion()
    assert keyed.send(assertion).status_code == 200
    assert keyed.send(assertion).status_code == 401
    keyed.world.memory._entries.clear()  # the store loses its memory
    keyed.world.clock.forward(1)
    assert keyed.send(assertion).status_code == 401
    assert keyed.send(keyed.assertion()).status_code == 200


def test_an_assertion_is_not_the_registered_method(world: World, keyed: Keyed) -> None:
    world.register("plain", **MACHINE)
    assertion = keyed.assertion(iss="plain", sub="plain")
    assert keyed.send(assertion).status_code == 401


def test_rs256_is_not_offered(keyed: Keyed) -> None:
    key = keyed.keys["PS256"]
    head = {"alg": "RS256", "kid": "rsa"}
    assertion = jws.serialize_compact(head, json.dumps(keyed.claims()), key, algorithms=["RS256"])
    assert keyed.send(assertion).status_code == 401
