"""What a relying party may register: every rule for its settings, all faults told at once.

Settings come as plain JSON. A fault is (key, what was found, what is allowed); an empty list means
that nothing stands against it. Strict here lets the routes be simple: they compare strings.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography.x509 import Name

from idp import encryption
from idp.addresses import (
    address_fault,
    app_address_fault,
    fetched_fault,
    host_of,
    is_host,
    origin_fault,
    sector_hosts,
)
from idp.conf import ACR_ORDER
from idp.jws import NotGenuine, public_key, text_of
from idp.profiles import SIGNED, Fault, profile_faults

RESPONSE_MODES = (
    *("query", "fragment", "form_post"),
    *("jwt", "query.jwt", "fragment.jwt", "form_post.jwt"),  # JARM
)
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a grant type
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
GRANT_TYPES = (
    "authorization_code",
    "refresh_token",
    "client_credentials",
    TOKEN_EXCHANGE,
    DEVICE_CODE,
)
AUTH_METHODS = (
    *("client_secret_basic", "client_secret_post", "private_key_jwt"),
    *("tls_client_auth", "self_signed_tls_client_auth", "none"),
)
ID_TOKEN_ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA")
_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", re.ASCII)  # shorter than any `sub`
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,64}", re.ASCII)  # RFC 6749 §3.3
_CONTACT = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[a-z0-9.-]{1,190}", re.ASCII)
DEVICE_ACRS = ACR_ORDER[:2]  # a typed code binds a device no better than a return code binds a desk
MAX_KEYS = 10
MAX_ADDRESSES = 50
MAX_AGE_S = 30 * 86400
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def problems_of(settings: Mapping[str, Any], *, loopback: bool) -> list[Fault]:
    """Every fault of these settings; `loopback` allows http on loopback hosts."""
    return [
        *_names(settings),
        *_addresses(settings, loopback=loopback),
        *_closed_lists(settings),
        *_grants(settings),
        *_further_grants(settings),
        *_subjects(settings),
        *_keys(settings),
        *_certificates(settings),
        *_encryption(settings),
        *profile_faults(settings),
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
    for name in ("software_id", "software_version"):
        if len(settings[name]) > 128 or not settings[name].isprintable():
            yield name, repr(settings[name][:80]), "at most 128 printable characters"
    contacts = settings["contacts"]
    if len(contacts) > 10 or not all(map(_CONTACT.fullmatch, contacts)):
        yield "contacts", " ".join(contacts)[:200], "at most 10 mail addresses"
    age = settings["default_max_age"]
    if age is not None and not 0 <= age <= MAX_AGE_S:
        yield "default_max_age", str(age)[:20], f"seconds, from 0 to {MAX_AGE_S}"


def _addresses(settings: Mapping[str, Any], *, loopback: bool) -> Iterator[Fault]:
    redirect = app_address_fault if settings["profile"] == "public" else address_fault
    for key, rule in (
        ("redirect_uris", redirect),
        ("post_logout_redirect_uris", redirect),
        ("backchannel_logout_uri", fetched_fault),
        ("frontchannel_logout_uri", address_fault),
        ("jwks_uri", fetched_fault),
        ("sector_identifier_uri", fetched_fault),
        ("origins", origin_fault),
        ("resources", address_fault),
        ("protected_resources", address_fault),
    ):
        value = settings[key]
        addresses = value if isinstance(value, list) else [value] if value else []
        if len(addresses) > MAX_ADDRESSES or len(set(addresses)) != len(addresses):
            yield key, f"{len(addresses)} addresses", f"at most {MAX_ADDRESSES}, each once"
            continue
        for address in addresses:
            fault = rule(address, loopback=loopback)
            if fault:
                yield key, address[:200], fault
    front = settings["frontchannel_logout_uri"]
    if front and _site(front) not in map(_site, settings["redirect_uris"]):
        allowed = "scheme, host and port of a redirect URI (Front-Channel Logout 1.0 section 2)"
        yield "frontchannel_logout_uri", front[:200], allowed


def _site(address: str) -> str:
    """Scheme, host and port, to compare."""
    return "/".join(address.split("/", 3)[:3])


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
        ("minimum_acr", ACR_ORDER),
        (SIGNED[0], ID_TOKEN_ALGORITHMS),
        *((name, ("", *ID_TOKEN_ALGORITHMS)) for name in SIGNED[1:]),
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
    if "refresh_token" in grants and not {"authorization_code", DEVICE_CODE} & set(grants):
        yield "grant_types", "refresh_token alone", "refresh_token with authorization_code"
    if "client_credentials" in grants and not settings["audience"]:
        yield "audience", "none", "the API that client_credentials tokens are for"


def _further_grants(settings: Mapping[str, Any]) -> Iterator[Fault]:
    """Token exchange (RFC 8693) and the device grant (RFC 8628)."""
    grants = settings["grant_types"]
    if DEVICE_CODE in grants and "openid" not in settings["scope"]:
        yield "scope", "no openid", "openid for the device grant"
    if DEVICE_CODE in grants and settings["minimum_acr"] not in DEVICE_ACRS:
        # Whoever reads the code aloud to a stranger signs in the stranger's device (RFC 8628 §5.4).
        yield "minimum_acr", settings["minimum_acr"], f"one of {' '.join(DEVICE_ACRS)} for devices"
    audiences = settings["exchange_audiences"]
    if (TOKEN_EXCHANGE in grants) != bool(audiences):
        yield "exchange_audiences", f"{len(audiences)}", "client_ids, with the grant token-exchange"
    if len(audiences) > MAX_ADDRESSES or not all(map(is_client_id, audiences)):
        yield "exchange_audiences", " ".join(audiences)[:200], f"at most {MAX_ADDRESSES} client_ids"


def _subjects(settings: Mapping[str, Any]) -> Iterator[Fault]:
    """Two hosts without a sector would make two subs of one person (OIDC Core §8.1, A-089)."""
    sector, sector_uri = settings["sector"], settings["sector_identifier_uri"]
    if sector and not is_host(sector):
        yield "sector", sector[:200], "a host name in lower case"
    if sector_uri and sector != host_of(sector_uri):
        yield "sector", sector[:200] or "none", "the host of sector_identifier_uri"
    if not sector and len(sector_hosts(settings["redirect_uris"])) > 1:
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


def _certificates(settings: Mapping[str, Any]) -> Iterator[Fault]:
    """What names the client certificate (RFC 8705 §2.1.2): one thing, for the method that reads it."""
    dn, host = settings["tls_client_auth_subject_dn"], settings["tls_client_auth_san_dns"]
    if host and not is_host(host):
        yield "tls_client_auth_san_dns", host[:200], "a host name in lower case"
    if dn and not _is_name(dn):
        yield "tls_client_auth_subject_dn", dn[:200], "a distinguished name (RFC 4514)"
    used = "tls_client_auth" in settings["token_endpoint_auth_methods"]
    if used and bool(dn) == bool(host):
        allowed = "that or tls_client_auth_san_dns for tls_client_auth, and one of them alone"
        yield "tls_client_auth_subject_dn", dn[:200] or "none", allowed
    if not used and (dn or host):
        yield "tls_client_auth_subject_dn", (dn or host)[:200], "nothing without tls_client_auth"
    bound = ("dpop_bound_access_tokens", "tls_client_certificate_bound_access_tokens")
    if all(settings[name] for name in bound):
        yield bound[1], "true", f"one of it and {bound[0]}: a token has one binding"


def _is_name(text: str) -> bool:
    try:
        return len(text) <= 512 and bool(Name.from_rfc4514_string(text).rdns)
    except ValueError:
        return False


def _encryption(settings: Mapping[str, Any]) -> Iterator[Fault]:
    """OpenID Connect Registration §2: a method only beside an algorithm, and a key to encrypt to."""
    for name in ("id_token_encrypted_response", "userinfo_encrypted_response"):
        algorithm, method = settings[f"{name}_alg"], settings[f"{name}_enc"]
        if algorithm not in ("", *encryption.KEY_TYPES):
            yield f"{name}_alg", algorithm[:64], f"one of: {' '.join(encryption.KEY_TYPES)}"
        if method not in ("", *encryption.METHODS):
            yield f"{name}_enc", method[:64], f"one of: {' '.join(encryption.METHODS)}"
        if method and not algorithm:
            yield f"{name}_enc", method[:64], f"nothing without {name}_alg"
        if algorithm in encryption.KEY_TYPES and not _may_encrypt(settings, algorithm):
            yield "jwks", "none", f"a key to encrypt to, or jwks_uri, for {name}_alg"
    if settings["userinfo_encrypted_response_alg"] and not settings["userinfo_signed_response_alg"]:
        yield "userinfo_signed_response_alg", "none", "one: what is encrypted is signed first"


def _may_encrypt(settings: Mapping[str, Any], algorithm: str) -> bool:
    """Whether there is a key for it; one behind a jwks_uri is looked for when it is needed."""
    jwks = settings["jwks"]
    if settings["jwks_uri"] or jwks is None or keys_fault(jwks) is not None:
        return bool(settings["jwks_uri"] or jwks)  # a fault is told elsewhere
    try:
        encryption.key_for(jwks, algorithm)
    except NotGenuine:
        return False
    return True


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
