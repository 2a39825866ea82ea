"""What a relying party may register: every rule for its settings, all faults told at once.

Settings come as plain JSON. A fault is (key, what was found, what is allowed); an empty list means
that nothing stands against it. Strict here lets the routes be simple: they compare strings.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from idp.addresses import address_fault, host_of, is_host
from idp.conf import ACR_ORDER
from idp.jws import NotGenuine, public_key, text_of

Fault = tuple[str, str, str]

RESPONSE_MODES = ("query", "fragment", "form_post")
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
AUTH_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")
ID_TOKEN_ALGORITHMS = ("ES256", "RS256", "EdDSA")
_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", re.ASCII)  # shorter than any `sub`
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,64}", re.ASCII)  # RFC 6749 §3.3
MAX_KEYS = 10
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def problems_of(settings: Mapping[str, Any], *, loopback: bool) -> list[Fault]:
    """Every fault of these settings; `loopback` allows http on loopback hosts."""
    return [
        *_names(settings),
        *_addresses(settings, loopback=loopback),
        *_closed_lists(settings),
        *_grants(settings),
        *_subjects(settings),
        *_keys(settings),
    ]


def is_client_id(text: str) -> bool:
    """Whether a text could be registered as a client_id at all; no other is looked up."""
    return _CLIENT_ID.fullmatch(text) is not None


def _names(settings: Mapping[str, Any]) -> Iterator[Fault]:
    if not _CLIENT_ID.fullmatch(settings["client_id"]):
        yield "client_id", settings["client_id"][:64], "1 to 40 letters, digits, '.', '_', '-'"
    for name in ("name_ko", "name_en"):
        text = settings[name]
        if not 1 <= len(text.strip()) <= 80 or not text.isprintable():
            yield name, repr(text[:80]), "1 to 80 printable characters"


def _addresses(settings: Mapping[str, Any], *, loopback: bool) -> Iterator[Fault]:
    lists = ("redirect_uris", "post_logout_redirect_uris")
    backchannel = [settings["backchannel_logout_uri"]] if settings["backchannel_logout_uri"] else []
    for key, addresses in (
        *((name, settings[name]) for name in lists),
        ("backchannel_logout_uri", backchannel),
    ):
        if len(addresses) > 50 or len(set(addresses)) != len(addresses):
            yield key, f"{len(addresses)} addresses", "at most 50, each once"
        for address in addresses:
            fault = address_fault(address, loopback=loopback)
            if fault:
                yield key, address[:200], fault


def _closed_lists(settings: Mapping[str, Any]) -> Iterator[Fault]:
    for key, allowed in (
        ("response_modes", RESPONSE_MODES),
        ("grant_types", GRANT_TYPES),
        ("token_endpoint_auth_methods", AUTH_METHODS),
    ):
        found = settings[key]
        if not found or len(set(found)) != len(found) or not set(found) <= set(allowed):
            yield key, " ".join(found)[:200], f"some of: {' '.join(allowed)}"
    for key, choices in (
        ("id_token_signed_response_alg", ID_TOKEN_ALGORITHMS),
        ("minimum_acr", ACR_ORDER),
    ):
        if settings[key] not in choices:
            yield key, settings[key][:64], f"one of: {' '.join(choices)}"
    scope = settings["scope"]
    if len(scope) > 50 or not all(_SCOPE.fullmatch(name) for name in scope):
        yield "scope", " ".join(scope)[:200], "at most 50 scope names (RFC 6749 section 3.3)"


def _grants(settings: Mapping[str, Any]) -> Iterator[Fault]:
    grants = settings["grant_types"]
    if "authorization_code" in grants and not settings["redirect_uris"]:
        yield "redirect_uris", "none", "at least one for authorization_code"
    if "authorization_code" in grants and "openid" not in settings["scope"]:
        yield "scope", "no openid", "openid for authorization_code"
    if "refresh_token" in grants and "authorization_code" not in grants:
        yield "grant_types", "refresh_token alone", "refresh_token with authorization_code"
    if "client_credentials" in grants and not settings["audience"]:
        yield "audience", "none", "the API that client_credentials tokens are for"


def _subjects(settings: Mapping[str, Any]) -> Iterator[Fault]:
    """Two hosts without a sector would make two subs of one person (OIDC Core §8.1, A-089)."""
    sector = settings["sector"]
    if sector and not is_host(sector):
        yield "sector", sector[:200], "a host name in lower case"
    if not sector and len({host_of(uri) for uri in settings["redirect_uris"]}) > 1:
        yield "sector", "none", "a sector, since the redirect URIs have several hosts"


def _keys(settings: Mapping[str, Any]) -> Iterator[Fault]:
    jwks, jwks_uri = settings["jwks"], settings["jwks_uri"]
    if "private_key_jwt" in settings["token_endpoint_auth_methods"] and not (jwks or jwks_uri):
        yield "jwks", "none", "public keys for private_key_jwt, or their jwks_uri"
    if jwks is not None and jwks_uri:
        yield "jwks_uri", "jwks too", "one of jwks and jwks_uri (RFC 7591 section 2)"
    fault = keys_fault(jwks) if jwks is not None else None
    if fault is not None:
        yield ("jwks", *fault)


def keys_fault(jwks: Any) -> tuple[str, str] | None:
    """What is wrong with a JWK set, and what is allowed; None when nothing is. It may be any JSON."""
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not 1 <= len(keys) <= MAX_KEYS:
        return "no keys", f"a JWK set of 1 to {MAX_KEYS} public keys"
    kids = [key.get("kid") for key in keys if isinstance(key, dict)]
    if len(kids) != len(keys) or not all(isinstance(kid, str) and kid for kid in kids):
        return "a key without kid", "keys with a kid each"
    if len(set(kids)) != len(kids):
        return "a kid twice", "a kid of its own for each key"
    for key in keys:
        if not _is_public(key):
            return f"key {key['kid'][:64]!r}", "a public P-256, Ed25519 or RSA key (2048 bits up)"
    return None


def _is_public(key: Mapping[str, Any]) -> bool:
    if _PRIVATE_MEMBERS & key.keys():
        return False
    try:
        public_key(text_of(key))
    except NotGenuine:
        return False
    return True
