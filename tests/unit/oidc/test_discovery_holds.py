"""Discovery holds: what it lists is accepted, what it does not list is refused (one recipe for each member)."""

import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jwk, jws, jwt
from joserfc.jwe import JWERegistry
from joserfc.jwe import decrypt_compact as open_jwe

from idp.errors import ConfError
from tests.fakes.jws import claims_of, header_of
from tests.unit.oidc.scene import Asked, Registered, World, sent_back
from tests.unit.oidc.test_authorize import code_of
from tests.unit.oidc.test_token import redeem

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # joserfc prefers Ed25519
ISSUER = "http://localhost"
EC, RSA, OKP = (
    jwk.ECKey.generate_key("P-256", auto_kid=True),
    jwk.RSAKey.generate_key(2048, auto_kid=True),
    jwk.OKPKey.generate_key("Ed25519", auto_kid=True),
)
LARGE = jwk.ECKey.generate_key("P-384", auto_kid=True)
KEYS: dict[str, Any] = {
    "ES256": EC,
    "PS256": RSA,
    "RS256": RSA,
    "PS384": RSA,
    "EdDSA": OKP,
    "Ed25519": OKP,
    "ES384": LARGE,
    "HS256": jwk.OctKey.generate_key(256, auto_kid=True),
}
JWKS = {"keys": [key.as_dict(private=False) for key in (EC, RSA, OKP)]}
DOCUMENT = "/.well-known/openid-configuration"


@pytest.fixture
def document(browser: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = browser.get(DOCUMENT).json
    return found


def signed(algorithm: str, claims: dict[str, Any], **header: Any) -> str:
    """By the client's key for that algorithm; an `alg` of none has no signature."""
    if algorithm == "none":
        return ".".join((*map(_encoded, ({"alg": "none"}, claims)), "x"))
    key = KEYS[algorithm]
    whole = {"alg": algorithm, **({"kid": key.kid} if "jwk" not in header else {}), **header}
    return jwt.encode(whole, claims, key, algorithms=[algorithm])


def _encoded(value: dict[str, Any]) -> str:
    return urlsafe_b64encode(str(value).replace("'", '"').encode()).decode().rstrip("=")


def about(client_id: str, /, **more: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": client_id,
        "aud": ISSUER,
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        "jti": secrets.token_urlsafe(9),
        **more,
    }


def keyed(world: World, client_id: str = "keyed", **changes: Any) -> Registered:
    methods = {"token_endpoint_auth_methods": ("private_key_jwt",)}
    return world.register(client_id, **{**methods, "jwks": JWKS, **changes})


def plain(name: str) -> str:
    """A client id that is a host name as well."""
    return re.sub("[^a-z0-9]", "", name.lower())[-30:]


def assertion(algorithm: str, client_id: str) -> dict[str, str]:
    return {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": signed(algorithm, about(client_id, sub=client_id)),
    }


# --- grants, methods, modes -----------------------------------------------------------------------

OTHER_GRANTS = (
    *("password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
    *("urn:ietf:params:oauth:grant-type:saml2-bearer", "urn:openid:params:grant-type:ciba"),
    *("urn:ietf:params:oauth:grant-type:device_code", "authorization_code "),
    "urn:ietf:params:oauth:grant-type:token-exchange",
)


def test_grant_types(browser: FlaskClient, mail: Registered, document: dict[str, Any]) -> None:
    listed = set(document["grant_types_supported"])
    assert {"authorization_code", "refresh_token", "client_credentials"} <= listed
    for name in (*listed, *OTHER_GRANTS):
        answer = browser.post("/oauth/token", data={"grant_type": name}, headers=mail.basic)
        refused = answer.json["error"] == "unsupported_grant_type"
        assert refused == (name not in listed), name


def _by_form(_browser: FlaskClient, party: Registered, form: dict[str, str]) -> Any:
    mine = {"client_id": party.client_id, "client_secret": party.secret}
    return _browser.post("/oauth/token", data={**form, **mine})


def _by_key(browser: FlaskClient, party: Registered, form: dict[str, str]) -> Any:
    return browser.post("/oauth/token", data={**form, **assertion("ES256", party.client_id)})


def _by_nothing(browser: FlaskClient, party: Registered, form: dict[str, str]) -> Any:
    return browser.post("/oauth/token", data={**form, "client_id": party.client_id})


AUTHENTICATE: dict[str, Callable[[FlaskClient, Registered, dict[str, str]], Any]] = {
    "client_secret_basic": lambda browser, party, form: browser.post(
        "/oauth/token", data=form, headers=party.basic
    ),
    "client_secret_post": _by_form,
    "private_key_jwt": _by_key,
    "none": _by_nothing,
}


def test_client_authentication(
    world: World, browser: FlaskClient, document: dict[str, Any]
) -> None:
    """Each listed method gets tokens for a code; the tls_ ones are listed only behind a proxy that helps."""
    listed = document["token_endpoint_auth_methods_supported"]
    assert set(listed) == set(AUTHENTICATE)
    world.clock.at = None
    world.sign_in(browser)
    for name in listed:
        profile = {"profile": "public"} if name == "none" else {}
        party = keyed(world, plain(name), token_endpoint_auth_methods=(name,), **profile)
        asked = Asked(party)
        form = asked.form(code_of(world, browser, asked))
        answer = AUTHENTICATE[name](browser, party, form)
        assert answer.status_code == 200, f"{name}: {answer.text}"
    with pytest.raises(ConfError):
        keyed(world, "hmac", token_endpoint_auth_methods=("client_secret_jwt",))


def test_response_types_and_modes(
    world: World, browser: FlaskClient, document: dict[str, Any]
) -> None:
    listed = document["response_modes_supported"]
    party = world.register("modes", response_modes=tuple(listed))
    world.sign_in(browser)
    for mode in (*listed, "web_message", "okta_post_message", "QUERY", "query.JWT"):
        query = Asked(party).parameters(response_mode=mode)
        answer = browser.get("/oauth/authorize", query_string=query)
        if mode not in listed:
            assert answer.status_code == 400, mode
        elif mode.startswith("form_post"):
            assert 'name="response"' in answer.text or 'name="code"' in answer.text, mode
        else:
            told = sent_back(answer.headers["Location"])
            assert ("response" if "jwt" in mode else "code") in told, mode
            assert ("#" in answer.headers["Location"]) == mode.startswith("fragment"), mode
    assert document["response_types_supported"] == ["code"]
    query = Asked(party).parameters(response_type="id_token")
    answer = browser.get("/oauth/authorize", query_string=query)
    assert sent_back(answer.headers["Location"])["error"] == "unsupported_response_type"


def test_prompts_challenges_scopes_and_languages(
    world: World, browser: FlaskClient, document: dict[str, Any]
) -> None:
    party = world.register("words", scope=tuple(document["scopes_supported"]))
    world.sign_in(browser)

    def error(**changed: str) -> str:
        answer = browser.get("/oauth/authorize", query_string=Asked(party).parameters(**changed))
        location = answer.headers.get("Location", "")
        return sent_back(location).get("error", "") if location.startswith("https:") else ""

    for prompt in (*document["prompt_values_supported"], "create"):
        wrong = error(prompt=prompt) == "invalid_request"
        assert wrong == (prompt not in document["prompt_values_supported"]), prompt
    for method in ("S256", "plain", "S512"):
        wrong = error(code_challenge_method=method) == "invalid_request"
        assert wrong == (method not in document["code_challenge_methods_supported"]), method
    assert error(scope=" ".join(document["scopes_supported"])) == ""
    for scope in ("phone", "address", "gongmu:people"):
        assert error(scope=f"openid {scope}") == "invalid_scope"
    for tag in document["ui_locales_supported"]:
        page = browser.get("/", headers={"Accept-Language": tag})
        assert f'<html lang="{tag}">' in page.text


# --- algorithms -----------------------------------------------------------------------------------


def test_algorithms_of_clients(
    world: World, browser: FlaskClient, document: dict[str, Any]
) -> None:
    """Assertions, request objects and proofs, each by each algorithm; the RSA key is no excuse for RS256."""
    world.clock.at = None
    party = keyed(world)
    world.sign_in(browser)

    def authenticates(algorithm: str) -> bool:
        form = {"token": "x", **assertion(algorithm, "keyed")}
        return browser.post("/oauth/introspect", data=form).status_code == 200

    def asks(algorithm: str) -> bool:
        members = about("keyed", **Asked(party).parameters())
        query = {
            "client_id": "keyed",
            "request": signed(algorithm, members, typ="oauth-authz-req+jwt"),
        }
        answer = browser.get("/oauth/authorize", query_string=query)
        return "code=" in answer.headers.get("Location", "")

    def proves(algorithm: str) -> bool:
        key = KEYS[algorithm] if algorithm != "none" else EC
        claims = {"jti": secrets.token_urlsafe(9), "htm": "POST", "htu": f"{ISSUER}/oauth/token"}
        header = {"typ": "dpop+jwt", "jwk": key.as_dict(private=False)}
        proof = signed(algorithm, {**claims, "iat": int(time.time())}, **header)
        form = {"grant_type": "authorization_code", "code": "x", **assertion("ES256", "keyed")}
        answer = browser.post("/oauth/token", data=form, headers={"DPoP": proof})
        return answer.json["error"] == "use_dpop_nonce"

    for member, tries in (
        ("token_endpoint_auth_signing_alg_values_supported", authenticates),
        ("introspection_endpoint_auth_signing_alg_values_supported", authenticates),
        ("revocation_endpoint_auth_signing_alg_values_supported", authenticates),
        ("request_object_signing_alg_values_supported", asks),
        ("dpop_signing_alg_values_supported", proves),
    ):
        for algorithm in (*KEYS, "none"):
            listed = algorithm in document[member]
            assert tries(algorithm) == listed, f"{member}: {algorithm}"


RESPONSES = {
    "id_token_signing_alg_values_supported": "id_token_signed_response_alg",
    "userinfo_signing_alg_values_supported": "userinfo_signed_response_alg",
    "introspection_signing_alg_values_supported": "introspection_signed_response_alg",
    "authorization_signing_alg_values_supported": "authorization_signed_response_alg",
}


@pytest.mark.parametrize("member", RESPONSES)
def test_algorithms_of_answers(
    world: World, browser: FlaskClient, document: dict[str, Any], member: str
) -> None:
    """What a party is registered for it gets, by a key of the JWKS; nothing else can be registered."""
    world.sign_in(browser)
    keys = jwk.KeySet.import_key_set(browser.get("/oauth/jwks").json)
    for number, algorithm in enumerate(document[member]):
        setting = {RESPONSES[member]: algorithm, "response_modes": ("query", "jwt")}
        token = answered(world, browser, world.register(f"signed{number}", **setting), member)
        assert header_of(token)["alg"] == algorithm
        key = keys.get_by_kid(header_of(token)["kid"])
        jws.deserialize_compact(token, key, algorithms=[algorithm])
    for algorithm in ("none", "HS256", "RS512", "ES384"):
        with pytest.raises(ConfError):
            world.register("refused", **{RESPONSES[member]: algorithm})


def answered(world: World, browser: FlaskClient, party: Registered, member: str) -> str:
    """The JWT that this member is about, as this party gets it."""
    asked = Asked(party)
    if member.startswith("authorization"):
        query = asked.parameters(response_mode="jwt")
        answer = browser.get("/oauth/authorize", query_string=query)
        return sent_back(answer.headers["Location"])["response"]
    tokens = redeem(browser, asked, code_of(world, browser, asked)).json
    if member.startswith("id_token"):
        return str(tokens["id_token"])
    if member.startswith("userinfo"):
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return str(browser.get("/oauth/userinfo", headers=headers).text)
    headers = {**party.basic, "Accept": "application/token-introspection+jwt"}
    form = {"token": tokens["access_token"]}
    return str(browser.post("/oauth/introspect", data=form, headers=headers).text)


@pytest.mark.parametrize("what", ["id_token", "userinfo"])
def test_encryption_of_answers(
    world: World, browser: FlaskClient, document: dict[str, Any], what: str
) -> None:
    world.sign_in(browser)
    algorithms = document[f"{what}_encryption_alg_values_supported"]
    methods = document[f"{what}_encryption_enc_values_supported"]
    registry = JWERegistry(algorithms=[*algorithms, *methods])
    pairs = [(algorithm, methods[0]) for algorithm in algorithms]
    for algorithm, method in [*pairs, *((algorithms[0], method) for method in methods[1:])]:
        key = RSA if algorithm.startswith("RSA") else EC
        setting = {
            f"{what}_encrypted_response_alg": algorithm,
            f"{what}_encrypted_response_enc": method,
            **({"userinfo_signed_response_alg": "ES256"} if what == "userinfo" else {}),
        }
        party = world.register(plain(algorithm + method), jwks=JWKS, **setting)
        token = answered(world, browser, party, what)
        opened = open_jwe(token, key, registry=registry)
        assert (opened.headers()["alg"], opened.headers()["enc"]) == (algorithm, method)
        assert opened.plaintext is not None
        assert claims_of(opened.plaintext.decode())["aud"] == party.client_id
    for algorithm in ("RSA1_5", "dir", "PBES2-HS256+A128KW", "RSA-OAEP"):
        with pytest.raises(ConfError):
            world.register("x", jwks=JWKS, **{f"{what}_encrypted_response_alg": algorithm})


# --- whatever else there is -----------------------------------------------------------------------

CHECKED_ELSEWHERE = {
    "acr_values_supported": "test_authorize, test_step_up",
    "subject_types_supported": "test_token: pairwise",
    "claim_types_supported": "test_userinfo: plain values",
    "claims_supported": "below",
    "protected_resources": "test_step_up",
    "introspection_endpoint_auth_methods_supported": "below",
    "revocation_endpoint_auth_methods_supported": "below",
}
TRUE_OR_FALSE = {
    "authorization_response_iss_parameter_supported": True,  # test_a044
    "backchannel_logout_supported": True,  # tests/flows/test_logout.py
    "backchannel_logout_session_supported": True,
    "frontchannel_logout_supported": True,  # test_logout
    "frontchannel_logout_session_supported": True,
    "claims_parameter_supported": True,  # test_a037
    "request_parameter_supported": True,  # above
    "request_uri_parameter_supported": False,  # test_a017
    "require_pushed_authorization_requests": False,  # most requests of these tests are not
    "require_signed_request_object": False,
    "tls_client_certificate_bound_access_tokens": False,  # true behind a proxy: test_a073
}


def test_nothing_is_listed_that_no_test_knows(document: dict[str, Any]) -> None:
    """A member that someone adds needs a recipe here, or a word on where it is tried."""
    source = Path(__file__).read_text(encoding="utf-8")
    for name, value in document.items():
        if isinstance(value, bool):
            assert TRUE_OR_FALSE.pop(name) == value, name
        elif isinstance(value, list) and name not in CHECKED_ELSEWHERE:
            assert f'"{name}"' in source or "_encryption_" in name, name
    assert TRUE_OR_FALSE == {}


def test_claims_are_those_that_come(
    world: World, browser: FlaskClient, document: dict[str, Any]
) -> None:
    party = world.register("claims", claims_in_id_token=True)
    world.sign_in(browser)
    asked = Asked(party)
    code = code_of(world, browser, asked, scope="openid profile email groups")
    claims = set(claims_of(redeem(browser, asked, code).json["id_token"]))
    listed = set(document["claims_supported"])
    assert listed <= claims | {"preferred_username"}  # the mail adapter's
    assert claims - listed <= {"at_hash", "room"}  # bound to its token; this party's own adapter


def test_methods_of_the_other_endpoints(
    world: World, browser: FlaskClient, document: dict[str, Any]
) -> None:
    world.clock.at = None
    for path, member in (
        ("/oauth/introspect", "introspection_endpoint_auth_methods_supported"),
        ("/oauth/revoke", "revocation_endpoint_auth_methods_supported"),
    ):
        for name in AUTHENTICATE:
            profile = {"profile": "public"} if name == "none" else {}
            party = keyed(world, plain(path + name), token_endpoint_auth_methods=(name,), **profile)
            form, headers = {"token": "x"}, {}
            if name == "private_key_jwt":
                form |= assertion("ES256", party.client_id)
            elif name == "client_secret_basic":
                headers = party.basic
            else:
                form["client_id"] = party.client_id
                if name == "client_secret_post":
                    form["client_secret"] = party.secret
            accepted = browser.post(path, data=form, headers=headers).status_code == 200
            assert accepted == (name in document[member]), f"{path} {name}"
