"""Metadata: what it says is so, and an independent validator takes it."""

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata
from flask.testing import FlaskClient

from idp import jws
from idp.oidc.discovery import SIGNED_TYP
from tests.unit.oidc.scene import World

RULES = jws.Rules(frozenset({"ES256"}), frozenset({SIGNED_TYP}))
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k"}


def test_both_documents_are_one_and_valid(world: World, browser: FlaskClient) -> None:
    answer = browser.get("/.well-known/openid-configuration")
    document = answer.json
    oauth = browser.get("/.well-known/oauth-authorization-server").json
    signed = oauth.pop("signed_metadata")
    assert document == oauth
    claims = jws.verify(signed, world.parts.keys.jwks(), RULES)  # RFC 8414 §2.1
    assert claims.pop("iss") == document["issuer"]
    assert claims.pop("iat") == int(world.clock().timestamp())
    assert claims == document
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    https = {
        name: value.replace("http://", "https://") if isinstance(value, str) else value
        for name, value in document.items()
    }
    # The validator knows RS256 as compulsory; this small world signs with ES256 and EdDSA only.
    https["id_token_signing_alg_values_supported"] = ["RS256", "ES256"]
    OpenIDProviderMetadata(https).validate()
    AuthorizationServerMetadata(https).validate()
    assert document["issuer"] == "http://localhost"
    assert document["response_types_supported"] == ["code"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["request_uri_parameter_supported"] is False  # by default it would be true


def test_every_endpoint_is_there(browser: FlaskClient) -> None:
    document = browser.get("/.well-known/openid-configuration").json
    for name, value in document.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert value.startswith("http://localhost/")
            path = value.removeprefix("http://localhost")
            assert browser.get(path).status_code != 404, name
            assert browser.post(path, data={"x": "1"}).status_code != 404, name


def test_a088_keys_are_public_and_one_per_kid(world: World, browser: FlaskClient) -> None:
    """A-088."""
    keys = browser.get("/oauth/jwks").json["keys"]
    kids = [key["kid"] for key in keys]
    assert len(set(kids)) == len(kids) >= 2
    assert all(PRIVATE.isdisjoint(key) for key in keys)


def test_a112_the_request_changes_nothing(browser: FlaskClient) -> None:
    """A-112."""
    for headers in (
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
        {"Forwarded": "host=evil.example"},
    ):
        answer = browser.get("/.well-known/openid-configuration", headers=headers)
        assert "evil" not in answer.text
