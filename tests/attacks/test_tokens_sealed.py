"""Answers that are JWTs, over HTTP: who can read them, and that none passes for another (A-080, A-082, R-084)."""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.jwk import KeySet

from idp import jws
from idp.errors import ConfError
from tests.fakes.jwe import PrivateKey, decrypt, jwk_of
from tests.fakes.jws import claims_of, decode, header_of
from tests.unit.oidc.running import Running, running
from tests.unit.oidc.scene import Asked, Registered

pytestmark = pytest.mark.services
EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)
SIGNING = jwk_of(ec.generate_private_key(ec.SECP256R1()), "signs", use="sig")
JWKS = {"keys": [SIGNING, jwk_of(EC_KEY, "ec", use="enc"), jwk_of(RSA_KEY, "rsa", use="enc")]}
SEALED: dict[str, dict[str, Any]] = {
    "ecdh": {
        "id_token_encrypted_response_alg": "ECDH-ES",
        "id_token_encrypted_response_enc": "A256GCM",
        "userinfo_signed_response_alg": "EdDSA",
        "userinfo_encrypted_response_alg": "ECDH-ES+A128KW",
    },
    "oaep": {
        "id_token_encrypted_response_alg": "RSA-OAEP-256",
        "userinfo_signed_response_alg": "ES256",
    },
}
RULES = jws.Rules(frozenset({"EdDSA"}), frozenset({"jwt"}))
INTROSPECTION = "application/token-introspection+jwt"


@pytest.fixture(scope="module")
def gongmu(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, sql_url: str
) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("sealed"), redis_url, sql_url) as provider:
        for name, settings in SEALED.items():
            provider.parties[name] = provider.world.register(
                name, jwks=JWKS, claims_in_id_token=True, **settings
            )
        yield provider


def tokens_of(gongmu: Running, name: str, scope: str = "openid profile") -> dict[str, Any]:
    asked = Asked(gongmu.party(name))
    with gongmu.signed_in() as browser:
        code = gongmu.code(asked, browser, scope=scope)
    answer = gongmu.redeem(asked, code)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return {**found, "nonce": asked.nonce}


def opened(gongmu: Running, token: str) -> jwt.Token:
    """Verified by the published keys."""
    with gongmu.client() as anyone:
        keys = KeySet.import_key_set(anyone.get("/oauth/jwks").json())
    return jwt.decode(token, keys, algorithms=["ES256"])


@pytest.mark.parametrize(("name", "key"), [("ecdh", EC_KEY), ("oaep", RSA_KEY)])
def test_an_encrypted_id_token(gongmu: Running, name: str, key: PrivateKey) -> None:
    tokens = tokens_of(gongmu, name, "openid profile offline_access")
    header, inner = decrypt(tokens["id_token"], key)
    assert header["alg"] == SEALED[name]["id_token_encrypted_response_alg"]
    assert header["cty"] == "JWT"
    claims = opened(gongmu, inner).claims
    assert (claims["aud"], claims["nonce"]) == (name, tokens["nonce"])
    assert claims["name"] == "홍길동"
    with gongmu.client() as backend:
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        again = backend.post("/oauth/token", data=form, headers=gongmu.party(name).basic).json()
    assert opened(gongmu, decrypt(again["id_token"], key)[1]).claims["sub"] == claims["sub"]


def test_signed_userinfo(gongmu: Running) -> None:
    tokens = tokens_of(gongmu, "oaep")
    answer = gongmu.userinfo(tokens["access_token"])
    assert answer.headers["content-type"] == "application/jwt"
    assert "no-store" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    claims = opened(gongmu, answer.text).claims
    assert (claims["iss"], claims["aud"], claims["name"]) == (gongmu.issuer, "oaep", "홍길동")
    id_token = decrypt(tokens["id_token"], RSA_KEY)[1]
    assert claims["sub"] == claims_of(id_token)["sub"]


def test_signed_and_encrypted_userinfo(gongmu: Running) -> None:
    answer = gongmu.userinfo(tokens_of(gongmu, "ecdh")["access_token"])
    assert answer.headers["content-type"] == "application/jwt"
    header, inner = decrypt(answer.text, EC_KEY)
    assert (header["alg"], header["enc"]) == ("ECDH-ES+A128KW", "A128CBC-HS256")
    assert header_of(inner)["alg"] == "EdDSA"
    claims = jws.verify(inner, gongmu.world.parts.keys.jwks(), RULES)
    assert (claims["aud"], claims["name"]) == ("ecdh", "홍길동")


def test_a_party_that_withdrew_its_key(gongmu: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a jwks_uri keys come and go: a named error, and nothing in the open instead."""
    token = tokens_of(gongmu, "ecdh")["access_token"]
    asked = Asked(gongmu.party("ecdh"))
    with gongmu.signed_in() as browser:
        code = gongmu.code(asked, browser)
    none_left = {"keys": [SIGNING]}
    key_sets = type(gongmu.world.parts.key_sets)
    monkeypatch.setattr(key_sets, "of", lambda _self, _party, _kid=None: none_left)
    for answer in (gongmu.redeem(asked, code), gongmu.userinfo(token)):
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
        assert "token" not in answer.json()


def test_errors_of_userinfo_are_never_sealed(gongmu: Running) -> None:
    answer = gongmu.userinfo("x")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/json")


def test_a080_no_answer_passes_for_a_token(gongmu: Running) -> None:
    tokens = tokens_of(gongmu, "oaep")
    told = gongmu.userinfo(tokens["access_token"]).text
    introspected = ask(gongmu, gongmu.party("oaep"), tokens["access_token"], INTROSPECTION).text
    asked = Asked(gongmu.party("oaep"))
    for token in (told, introspected):
        assert gongmu.userinfo(token).status_code == 401
        with gongmu.signed_in() as browser:
            parameters = asked.parameters(id_token_hint=token)
            location = browser.get("/oauth/authorize", params=parameters).headers["location"]
        assert "error=invalid_request" in location


@pytest.mark.parametrize(
    "settings",
    [
        {"id_token_encrypted_response_alg": "ECDH-ES", "jwks": {"keys": [SIGNING]}},
        {"id_token_encrypted_response_alg": "ECDH-ES", "jwks": None},
        {"id_token_encrypted_response_alg": "RSA1_5", "jwks": JWKS},
        {"id_token_encrypted_response_alg": "dir", "jwks": JWKS},
        {"id_token_encrypted_response_enc": "A128GCM", "jwks": JWKS},
        {"userinfo_encrypted_response_alg": "ECDH-ES", "jwks": JWKS},  # and not signed
        {
            "id_token_encrypted_response_alg": "ECDH-ES",
            "id_token_encrypted_response_enc": "A128CBC",
            "jwks": JWKS,
        },
    ],
)
def test_what_cannot_be_registered(gongmu: Running, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfError):
        gongmu.world.register("sealed-wrongly", **settings)


# --- introspection as a JWT (RFC 9701) --------------------------------------------------------------


def ask(
    gongmu: Running, party: Registered, token: str, accept: str = "application/json"
) -> httpx.Response:
    headers = {**party.basic, "Accept": accept}
    with gongmu.client() as backend:
        return backend.post("/oauth/introspect", data={"token": token}, headers=headers)


def test_signed_introspection(gongmu: Running) -> None:
    mail = gongmu.party("mail")
    token = tokens_of(gongmu, "mail")["access_token"]
    answer = ask(gongmu, mail, token, INTROSPECTION)
    assert answer.headers["content-type"] == INTROSPECTION
    assert "no-store" in answer.headers["cache-control"]
    signed = opened(gongmu, answer.text)
    assert signed.header["typ"] == "token-introspection+jwt"
    # What would make it look like another kind of token stands one level below.
    assert set(signed.claims) == {"iss", "aud", "iat", "token_introspection"}
    assert (signed.claims["iss"], signed.claims["aud"]) == (gongmu.issuer, "mail")
    assert signed.claims["token_introspection"] == ask(gongmu, mail, token).json()


@pytest.mark.parametrize(
    ("accept", "signed"),
    [
        (INTROSPECTION, True),
        (f"{INTROSPECTION}, application/json;q=0.5", True),
        (f"application/json, {INTROSPECTION};q=0.5", False),
        (f"{INTROSPECTION};q=0", False),
        ("*/*", False),
        ("application/jwt", False),
        ("", False),
        ("token-introspection+jwt" * 300, False),
    ],
)
def test_only_for_who_asks_for_it(gongmu: Running, accept: str, *, signed: bool) -> None:
    answer = ask(gongmu, gongmu.party("mail"), "x", accept)
    assert answer.status_code == 200
    assert (answer.headers["content-type"] == INTROSPECTION) is signed


def test_a082_inactive_is_all_that_is_said_in_either_form(gongmu: Running) -> None:
    mail, other = gongmu.party("mail"), gongmu.party("other")
    tokens = tokens_of(gongmu, "mail", "openid profile email offline_access")
    clock = gongmu.world.clock
    cases = [
        (other, tokens["access_token"]),  # not in its audience
        (mail, tokens["id_token"]),
        (mail, tokens["refresh_token"]),
        (mail, "x"),
        (mail, "A" * 43),
        (mail, other_issuer(tokens["access_token"])),
    ]
    for party, token in cases:
        assert ask(gongmu, party, token).json() == {"active": False}
        signed = opened(gongmu, ask(gongmu, party, token, INTROSPECTION).text)
        assert signed.claims["token_introspection"] == {"active": False}
        assert signed.claims["aud"] == party.client_id
    try:
        clock.forward(300)
        assert ask(gongmu, mail, tokens["access_token"]).json() == {"active": False}
    finally:
        clock.at = None


def other_issuer(token: str) -> str:
    """The same claims, but for the issuer, under the old signature."""
    head, body, signature = token.split(".")
    claims = {**json.loads(decode(body)), "iss": "https://other.example"}
    return f"{head}.{b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.{signature}"


def test_a082_without_authentication(gongmu: Running) -> None:
    token = tokens_of(gongmu, "mail")["access_token"]
    with gongmu.client() as backend:
        for headers in ({}, {"Accept": INTROSPECTION}):
            mark = gongmu.mark()
            answer = backend.post("/oauth/introspect", data={"token": token}, headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
            [event] = gongmu.events_after(mark)
            assert event["reason"] == "client_authentication"
