"""The `sub` of a person at a relying party, for whoever answers a request."""

from idp.relying_parties import RelyingParty
from idp.services import services
from idp.subjects import pairwise, sector_of

__all__ = ["sector_of", "sub_of"]


def sub_of(party: RelyingParty, subject: str) -> str:
    """The pairwise `sub` (OIDC Core §8.1)."""
    return pairwise(services().keys.secret("pairwise"), party, subject)
