"""What a relying party is told about a person: the core's scopes, its mapping, its adapter's claims."""

from idp.claims import claims_for
from idp.contracts import JsonObject, Official
from idp.relying_parties import RelyingParty
from idp.services import services


def of(official: Official, party: RelyingParty, scope: frozenset[str]) -> JsonObject:
    """Claims without protocol claims, which nothing here can overwrite."""
    extra = services().adapters[party.kind].claims(official, scope)
    return claims_for(official, scope, party.claims, extra)
