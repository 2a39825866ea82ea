"""Client metadata of RFC 7591 §2 and OpenID Connect Registration §2, and the settings they become.

A caller says where it is and how it proves itself. What it may do here is said by an administrator
alone: a caller that names such a setting is refused (A-235). Metadata that nobody here knows is passed
over, as RFC 7591 §2 asks, and the answer shows what was registered.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from idp.addresses import host_of
from idp.errors import RequestError
from idp.events import Reason
from idp.relying_parties import RelyingParty

Metadata = Mapping[str, Any]

LISTS = ("redirect_uris", "post_logout_redirect_uris", "grant_types", "contacts")
FLAGS = (
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "dpop_bound_access_tokens",
    "tls_client_certificate_bound_access_tokens",
)
TEXTS = (
    *("jwks_uri", "sector_identifier_uri", "backchannel_logout_uri", "frontchannel_logout_uri"),
    *("software_id", "software_version", "tls_client_auth_subject_dn", "tls_client_auth_san_dns"),
    *("id_token_signed_response_alg", "authorization_signed_response_alg"),
    *("userinfo_signed_response_alg", "introspection_signed_response_alg"),
    *("id_token_encrypted_response_alg", "id_token_encrypted_response_enc"),
    *("userinfo_encrypted_response_alg", "userinfo_encrypted_response_enc"),
)
_OWN = {*LISTS, *FLAGS, *TEXTS, "jwks", "scope", "default_max_age"}
GRANTS = ("authorization_code", "refresh_token")  # a program of its own needs an administrator
SCOPES = ("openid", "profile", "email", "groups", "offline_access")
_MARKS = ("trusted", "skip_consent", "require_consent", "role", "roles", "owner", "created_by")
_STATE = ("id", "is_active", "active", "enabled", "disabled_at", "secret_mac", "registration_mac")
FORBIDDEN = frozenset(
    {one.name for one in fields(RelyingParty)} - _OWN - {"client_id"} | {*_MARKS, *_STATE}
)
_ISSUED = ("client_id", "registration_access_token", "registration_client_uri")
ISSUED = frozenset({*_ISSUED, "client_secret", "client_id_issued_at", "client_secret_expires_at"})


def settings_of(given: Metadata, party: RelyingParty) -> RelyingParty:
    """The party with the caller's metadata in place of all it said before. RequestError.

    `party` brings the id and what an administrator decided. A value that is left out goes back to
    its default (RFC 7592 §2.2).
    """
    forbidden = sorted(FORBIDDEN & given.keys())
    if forbidden:
        raise bad(f"{forbidden[0]} is set by an administrator", Reason.REGISTRATION)
    _check_fixed(given)
    fresh = RelyingParty(party.client_id, "", "")
    values: dict[str, Any] = {
        **{name: _texts(given, name, getattr(fresh, name)) for name in LISTS},
        **{name: _flag(given, name) for name in FLAGS},
        **{name: _text(given, name, getattr(fresh, name)) for name in TEXTS},
        "default_max_age": _number(given, "default_max_age"),
        "jwks": _object(given, "jwks"),
        "scope": tuple(dict.fromkeys(_text(given, "scope", " ".join(SCOPES)).split())),
    }
    _check_granted(values, party)
    return replace(party, **values, **_names(given), sector=_sector(values, party))


def method_of(given: Metadata) -> str:
    """How the caller will prove itself (RFC 7591 §2)."""
    return _text(given, "token_endpoint_auth_method", "client_secret_basic")


def _check_granted(values: Mapping[str, Any], party: RelyingParty) -> None:
    """No grant and no scope beyond everybody's and what an administrator gave this party."""
    for name, ordinary in (("grant_types", GRANTS), ("scope", SCOPES)):
        if set(values[name]) - {*ordinary, *getattr(party, name)}:
            raise bad(f"{name} may be some of {' '.join(ordinary)}", Reason.REGISTRATION)


def _sector(values: Mapping[str, Any], party: RelyingParty) -> str:
    """The host that vouches for the redirect URIs, or the sector that an administrator chose."""
    if values["sector_identifier_uri"]:
        return host_of(values["sector_identifier_uri"])
    return "" if party.sector_identifier_uri else party.sector


def shown(party: RelyingParty) -> dict[str, Any]:
    """What is registered, as metadata; no secret, and nothing that an administrator decided."""
    [method, *_] = party.token_endpoint_auth_methods
    known = {name: getattr(party, name) for name in (*LISTS, *TEXTS, "jwks", "default_max_age")}
    return {
        "client_name": party.name_en,
        "client_name#ko": party.name_ko,
        "token_endpoint_auth_method": method,
        "response_types": ["code"],
        "subject_type": "pairwise",
        "scope": " ".join(party.scope),
        **{name: getattr(party, name) for name in FLAGS},
        **{name: value for name, value in known.items() if value not in ("", (), None)},
    }


def bad(public: str, reason: Reason = Reason.BAD_REQUEST, code: str = "") -> RequestError:
    """RFC 7591 §3.2.2."""
    return RequestError(code or "invalid_client_metadata", public, reason=reason)


def _check_fixed(given: Metadata) -> None:
    """What has one value here (A-089: no `sub` that two sectors share)."""
    if given.get("response_types", ["code"]) != ["code"]:
        raise bad("response_types may be code")
    if given.get("subject_type", "pairwise") != "pairwise":
        raise bad("subject_type may be pairwise")
    if given.get("application_type", "web") not in ("web", "native"):
        raise bad("application_type may be web or native")


def _names(given: Metadata) -> dict[str, Any]:
    name = _text(given, "client_name", "")
    if not name:
        raise bad("client_name is missing: people are shown it")
    return {
        "name_en": _text(given, "client_name#en", name),
        "name_ko": _text(given, "client_name#ko", name),
    }


def _text(given: Metadata, name: str, default: str) -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise bad(f"{name} is a text")
    return value


def _texts(given: Metadata, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    value = given.get(name, default)
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise bad(f"{name} is an array of texts", _reason(name), _code(name))
    return tuple(value)


def _flag(given: Metadata, name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise bad(f"{name} is true or false")
    return value


def _number(given: Metadata, name: str) -> int | None:
    value = given.get(name)
    if value is not None and type(value) is not int:
        raise bad(f"{name} is a whole number")
    return value


def _object(given: Metadata, name: str) -> dict[str, Any] | None:
    value = given.get(name)
    if value is not None and not isinstance(value, dict):
        raise bad(f"{name} is an object")
    return value


def fault(key: str, allowed: str) -> RequestError:
    """A fault of the register, as this endpoint says it."""
    # RFC 6749 §5.2 leaves out what a header or a log would have to quote.
    plain = "".join(letter for letter in f"{key}: {allowed}" if letter not in '"\\')
    return bad(plain, _reason(key), _code(key))


def _code(key: str) -> str:
    return "invalid_redirect_uri" if key == "redirect_uris" else ""


def _reason(key: str) -> Reason:
    return Reason.REDIRECT_URI if key == "redirect_uris" else Reason.BAD_REQUEST
