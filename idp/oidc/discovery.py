"""What a stranger's client must know: metadata and public keys. Only what works stands here.

OpenID Connect Discovery §3, RFC 8414 §2, RFC 9207 §3. Both documents are the same; OAuth's says it once
more under our signature (RFC 8414 §2.1). Each resource of ours tells which tokens open it (RFC 9728 §2).
"""

from collections.abc import Collection
from typing import Any

from flask import Blueprint, Response, jsonify

from idp import dpop, encryption
from idp.conf import ACR_ORDER
from idp.contracts import Use
from idp.oidc import clients
from idp.oidc.assertions import ALGORITHMS
from idp.oidc.checks import PROMPTS
from idp.oidc.token import GRANTS, is_on
from idp.registration import RESPONSE_MODES
from idp.services import services

blueprint = Blueprint("discovery", __name__)
SCOPES = ("openid", "profile", "email", "groups", "offline_access")
CLAIMS = ("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid")
PERSONAL_CLAIMS = (
    *("name", "preferred_username", "email", "email_verified"),
    *("agency", "department", "rank", "groups"),
)
SIGNED_TYP = "oauth-authorization-server+jwt"
API_SCOPES = ("gongmu:rp", "gongmu:people", "gongmu:issue", "gongmu:events")


@blueprint.get("/.well-known/openid-configuration")
def metadata() -> Response:
    """The provider's metadata."""
    return _public(document())


@blueprint.get("/.well-known/oauth-authorization-server")
def oauth_metadata() -> Response:
    """The same, and once more as a JWT for whoever keeps it or gets it from others (RFC 8414 §2.1)."""
    said = document()
    parts = services()
    claims = {**said, "iss": said["issuer"], "iat": int(parts.now().timestamp())}
    return _public({**said, "signed_metadata": parts.keys.sign(claims, SIGNED_TYP, Use.OIDC)})


@blueprint.get("/.well-known/oauth-protected-resource")
def userinfo_metadata() -> Response:
    """Of userinfo, whose tokens have the issuer as their audience (RFC 9728 §2)."""
    return _public(_resource("", SCOPES))


@blueprint.get("/.well-known/oauth-protected-resource/api/v1")
def api_metadata() -> Response:
    """Of the automation API."""
    return _public(_resource("/api/v1", API_SCOPES))


def _resource(path: str, scopes: Collection[str]) -> dict[str, Any]:
    issuer = services().settings.issuer
    return {
        "resource": f"{issuer}{path}",
        "authorization_servers": [issuer],
        "scopes_supported": list(scopes),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": _has_certificates(),
    }


@blueprint.get("/oauth/jwks")
def jwks() -> Response:
    """The keys that verify what we sign (RFC 7517 §5)."""
    return _public(dict(services().keys.jwks()))


def document() -> dict[str, Any]:
    """Metadata of this issuer; it depends on the settings alone, never on the request (A-112)."""
    settings = services().settings
    issuer = settings.issuer
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "pushed_authorization_request_endpoint": f"{issuer}/oauth/par",
        "token_endpoint": f"{issuer}/oauth/token",
        "userinfo_endpoint": f"{issuer}/oauth/userinfo",
        "jwks_uri": f"{issuer}/oauth/jwks",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "end_session_endpoint": f"{issuer}/oauth/logout",
        **_devices(),
        **_registration(),
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": [name for name in GRANTS if is_on(name)],
        "acr_values_supported": _reachable(),
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": list(settings.keys.algorithms),
        **_sealed(list(settings.keys.algorithms)),
        **_authentication(),
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": _has_certificates(),
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": sorted(PROMPTS),
        "claim_types_supported": ["normal"],
        "claims_supported": [*CLAIMS, *PERSONAL_CLAIMS],
        "ui_locales_supported": list(settings.languages),
        "protected_resources": [issuer, f"{issuer}/api/v1"],
        **_requests_and_logout(),
    }


def _authentication() -> dict[str, list[str]]:
    """How clients prove themselves, at each endpoint that asks (RFC 8414 §2)."""
    methods = clients.offered()
    return {
        "token_endpoint_auth_methods_supported": [*methods, "none"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": [*methods, "none"],
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
    }


def _requests_and_logout() -> dict[str, Any]:
    """How requests may come and be answered, and how parties hear of the end."""
    return {
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_object_signing_alg_values_supported": list(ALGORITHMS),
        "request_uri_parameter_supported": False,  # only what was pushed (RFC 9126)
        "require_pushed_authorization_requests": False,  # of some parties, by their profile
        "require_signed_request_object": False,
        "authorization_signing_alg_values_supported": list(services().settings.keys.algorithms),
    }


def _sealed(signing: list[str]) -> dict[str, list[str]]:
    """How answers that are JWTs are signed and encrypted (OIDC Discovery §3, RFC 9701 §7)."""
    encrypting = {
        f"{answer}_encryption_{what}_values_supported": list(names)
        for answer in ("id_token", "userinfo")
        for what, names in (("alg", encryption.KEY_TYPES), ("enc", encryption.METHODS))
    }
    return {
        "userinfo_signing_alg_values_supported": signing,
        "introspection_signing_alg_values_supported": signing,
        **encrypting,
    }


def _devices() -> dict[str, str]:
    """Where a device without a browser asks, when the grant is switched on (RFC 8628 §4)."""
    settings = services().settings
    where = f"{settings.issuer}/oauth/device_authorization"
    return {"device_authorization_endpoint": where} if settings.grants.device else {}


def _has_certificates() -> bool:
    return bool(services().settings.server.client_certificate_header)


def _registration() -> dict[str, str]:
    """Where a party may register itself, when any may."""
    settings = services().settings
    where = f"{settings.issuer}/oauth/register"
    return {"registration_endpoint": where} if settings.registration.enabled else {}


def _reachable() -> list[str]:
    """The strengths that some enabled method can reach."""
    parts = services()
    reached = {rule.acr for rule in parts.settings.acr_rules if rule.method in parts.methods}
    return [acr for acr in ACR_ORDER if acr in reached]


def _public(body: dict[str, Any]) -> Response:
    response = jsonify(body)
    response.headers["Cache-Control"] = "public, max-age=300"
    response.headers["Access-Control-Allow-Origin"] = "*"  # public documents, readable by anyone
    return response
