"""What a relying party would be told of a person, and why a claim or a group would be missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idp import claims
from idp.claims import Explained
from idp.contracts import JsonObject, Official
from idp.errors import AccessDenied, RequestError
from idp.events import Reason
from idp.people import must_be_active
from idp.relying_parties import RelyingParty
from idp.services import Services


@dataclass(frozen=True, slots=True)
class Preview:
    """One person at one relying party."""

    official: Official
    party: RelyingParty
    scope: frozenset[str]
    refusal: Reason  # why the person would not get in; NONE when they would
    claims: tuple[Explained, ...]  # each path begins at the raw entry


def preview(
    parts: Services,
    personnel_number: str,
    client_id: str,
    scope: frozenset[str] | None = None,
    mapping: JsonObject | None = None,
) -> Preview:
    """The claims for these scopes (all that the party may ask for when None).

    `mapping` stands in for the registered one, so that it can be tried first. RequestError for an
    unknown party, AccessDenied for a person who cannot be told, ConfError for a bad mapping.
    """
    party = parts.relying_parties.get(client_id)
    if party is None:
        raise _unknown(client_id)
    official = parts.people.find(personnel_number)
    granted = frozenset(party.scope) if scope is None else scope & frozenset(party.scope)
    used = party.claims if mapping is None else mapping
    claims.parse_mapping(used)
    extra = parts.adapters[party.kind].claims(official, granted)
    origins = parts.people.origins(official.source)
    return Preview(
        official=official,
        party=party,
        scope=granted,
        refusal=_refusal(parts, official, party),
        claims=tuple(
            _from_the_entry(one, official, origins)
            for one in claims.explain(official, granted, used, extra)
        ),
    )


def _unknown(client_id: str) -> RequestError:
    public = "there is no relying party with this id"
    error = RequestError("not_found", public, detail=client_id, reason=Reason.CLIENT_UNKNOWN)
    error.status = 404
    return error


def _refusal(parts: Services, official: Official, party: RelyingParty) -> Reason:
    try:
        must_be_active(official)
        parts.adapters[party.kind].admit(official)
    except AccessDenied as refused:
        return refused.reason
    return Reason.CLIENT_DISABLED if party.disabled else Reason.NONE


def _from_the_entry(
    one: Explained, official: Official, origins: Mapping[str, tuple[str, ...]]
) -> Explained:
    """The same with the raw attributes in front of its path."""
    raw = dict.fromkeys(text for step in one.path for text in _raw(step, official, origins))
    return Explained(one.claim, (*raw, *one.path), one.value, one.missing, one.left_out)


def _raw(step: str, official: Official, origins: Mapping[str, tuple[str, ...]]) -> list[str]:
    """`attribute=value` of what a step reads: the first attribute that has one, or those asked."""
    if step.startswith("entry."):
        asked: tuple[str, ...] = (step.removeprefix("entry."),)
    else:
        asked = origins.get(step, ())
    by_name = {name.lower(): values for name, values in official.attributes.items()}
    for attribute in asked:
        values = by_name.get(attribute.lower(), ())
        if values:
            return [f"{attribute}={value}" for value in values]
    return [f"{attribute} (no value)" for attribute in asked if step != "groups"] or list(asked)


def shown(found: Preview) -> dict[str, Any]:
    """The preview as JSON."""
    return {
        "client_id": found.party.client_id,
        "personnel_number": found.official.personnel_number,
        "scope": sorted(found.scope),
        "may_enter": found.refusal is Reason.NONE,
        "reason": found.refusal.value,
        "claims": [
            {
                "claim": one.claim,
                "value": one.value,
                "path": list(one.path),
                "missing": one.missing,
                "left_out": dict(one.left_out),
            }
            for one in found.claims
        ],
    }
