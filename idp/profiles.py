"""What a profile of a relying party mandates: contradictions within its settings (D-2).

`oidc` is an ordinary confidential web application; `fapi2` holds the FAPI 2.0 Security Profile (§5.3.2,
§5.4) on every route in; `public` is an installed or browser application that can keep no secret (RFC
8252, RFC 9700 §2.1.1). Pure: settings in, faults out.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Fault = tuple[str, str, str]  # key, what was found, what is allowed

FAPI_AUTH_METHODS = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
FAPI_ALGORITHMS = ("ES256", "PS256", "EdDSA")
SIGNED = (
    "id_token_signed_response_alg",
    "authorization_signed_response_alg",
    "userinfo_signed_response_alg",
    "introspection_signed_response_alg",
)
CODE = "authorization_code"
_CONFIDENTIAL_GRANTS = ("client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange")


def profile_faults(settings: Mapping[str, Any]) -> Iterator[Fault]:
    """Everything in these settings that contradicts their profile."""
    if settings["profile"] == "fapi2":
        yield from _fapi2(settings)
    elif settings["profile"] == "public":
        yield from _public(settings)
    elif "none" in settings["token_endpoint_auth_methods"]:
        yield "token_endpoint_auth_methods", "none", "a method with a secret or a key, or public"
    if settings["profile"] != "oidc" and not settings["pkce_required"]:
        yield "pkce_required", "false", f"true with profile {settings['profile']}"


def _fapi2(settings: Mapping[str, Any]) -> Iterator[Fault]:
    methods = settings["token_endpoint_auth_methods"]
    if not set(methods) <= set(FAPI_AUTH_METHODS):
        allowed = f"of {' '.join(FAPI_AUTH_METHODS)} alone with profile fapi2"
        yield "token_endpoint_auth_methods", " ".join(methods)[:200], allowed
    constrained = ("dpop_bound_access_tokens", "tls_client_certificate_bound_access_tokens")
    if not any(settings[name] for name in constrained):
        yield constrained[0], "false", f"true with profile fapi2, or {constrained[1]}"
    for name in SIGNED:
        if settings[name] and settings[name] not in FAPI_ALGORITHMS:
            allowed = f"one of {' '.join(FAPI_ALGORITHMS)} with profile fapi2"
            yield name, settings[name][:64], allowed


def _public(settings: Mapping[str, Any]) -> Iterator[Fault]:
    methods = settings["token_endpoint_auth_methods"]
    if tuple(methods) != ("none",):
        yield "token_endpoint_auth_methods", " ".join(methods)[:200], "none with profile public"
    grants = sorted(set(settings["grant_types"]) & set(_CONFIDENTIAL_GRANTS))
    if grants:
        yield "grant_types", " ".join(grants), "grants of a person alone with profile public"
