"""What a relying party is told about a person: the core's scopes, its mapping, its adapter's claims."""

import json
from functools import lru_cache

from idp.claims import claims_for
from idp.contracts import JsonObject, Official
from idp.relying_parties import RelyingParty
from idp.services import services

_NONE: frozenset[str] = frozenset()


def of(
    official: Official,
    party: RelyingParty,
    scope: frozenset[str],
    asked: frozenset[str] = _NONE,
) -> JsonObject:
    """Claims without protocol claims, which nothing here can overwrite.

    `asked` names claims that the request asked for one by one, and the person agreed to (OIDC Core §5.5).
    They come as far as the party is registered for the scope that each of them needs, never beyond.
    """
    found = _by_scope(official, party, scope)
    if not asked - found.keys():
        return found
    more = _by_scope(official, party, frozenset(party.scope))
    return {**found, **{name: more[name] for name in asked & more.keys()}}


def _by_scope(official: Official, party: RelyingParty, scope: frozenset[str]) -> JsonObject:
    extra = services().adapters[party.kind].claims(official, scope)
    return claims_for(official, scope, party.claims, extra)


def asked(claims: str, place: str) -> frozenset[str]:
    """The claims that a request asked for by name in "userinfo" or "id_token".

    `claims` is the claims parameter as it was kept: checked, canonical JSON, or "" without one.
    """
    return _asked(claims, place) if claims else _NONE


@lru_cache(maxsize=1024)
def _asked(claims: str, place: str) -> frozenset[str]:
    return frozenset(json.loads(claims).get(place) or ())
