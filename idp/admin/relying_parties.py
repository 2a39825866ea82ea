"""Relying parties as administrators say and see them: command and API share this.

Settings come as a JSON object with the names of `RelyingParty`. A name that is not one, a value of
another type, a kind that is not installed: each is told with what was found and what is allowed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from idp.addresses import host_of
from idp.errors import ConfError, Problem
from idp.relying_parties import RelyingParty
from idp.services import Services

SETTINGS = tuple(
    one.name for one in fields(RelyingParty) if one.name not in ("client_id", "disabled")
)
PROGRAM_SCOPES = ("gongmu:people", "gongmu:events", "gongmu:issue")  # of a program, by default
_ADAPTER: TypeAdapter[RelyingParty] = TypeAdapter(RelyingParty)
_PROFILES: Mapping[str, Mapping[str, Any]] = {  # what a profile mandates, where nothing is said
    "fapi2": {
        "token_endpoint_auth_methods": ("private_key_jwt",),
        "dpop_bound_access_tokens": True,
        "require_pushed_authorization_requests": True,
    },
    "public": {"token_endpoint_auth_methods": ("none",)},
}


def new(parts: Services, client_id: str, settings: Mapping[str, Any]) -> RelyingParty:
    """A party that may be registered with these settings. ConfError with every fault at once."""
    named = {"name_ko": client_id, "name_en": settings.get("name_ko", client_id)}
    profile = settings.get("profile")
    mandated = _PROFILES.get(profile, {}) if isinstance(profile, str) else {}
    if any(
        settings.get(name) for name in ("tls_client_auth_subject_dn", "tls_client_auth_san_dns")
    ):
        mandated = {**mandated, "token_endpoint_auth_methods": ("tls_client_auth",)}
    return changed(parts, RelyingParty(client_id, "", ""), {**named, **mandated, **settings})


def changed(parts: Services, party: RelyingParty, settings: Mapping[str, Any]) -> RelyingParty:
    """The party with these settings in place of its own; it may be registered. ConfError."""
    problems = [
        _problem(party.client_id, name, "unknown", "one of: " + " ".join(SETTINGS))
        for name in settings
        if name not in SETTINGS
    ]
    if problems:
        raise ConfError(problems)
    sector_uri = settings.get("sector_identifier_uri")
    if isinstance(sector_uri, str) and sector_uri and "sector" not in settings:
        settings = {**settings, "sector": host_of(sector_uri)}
    try:
        wanted = _ADAPTER.validate_python({**_plain(party), **settings})
    except ValidationError as error:
        raise ConfError([*_type_faults(party.client_id, error)]) from error
    if wanted.kind not in parts.adapters:
        allowed = f"one of: {' '.join(sorted(parts.adapters))}"
        raise ConfError([_problem(party.client_id, "kind", wanted.kind[:64], allowed)])
    parts.relying_parties.check(wanted)
    return replace(wanted, disabled=party.disabled)


def shown(party: RelyingParty) -> dict[str, Any]:
    """Every setting as JSON. There is no secret among them."""
    found: dict[str, Any] = _ADAPTER.dump_python(party, mode="json")
    return found


def _plain(party: RelyingParty) -> dict[str, Any]:
    return asdict(party)


def _type_faults(client_id: str, error: ValidationError) -> Iterator[Problem]:
    for one in error.errors():
        key = ".".join(map(str, one["loc"])) or "settings"
        yield _problem(client_id, key, repr(one["input"])[:80], one["msg"])


def _problem(client_id: str, key: str, found: str, allowed: str) -> Problem:
    return Problem(f"relying party {client_id[:64]}", key, None, found, allowed)
