"""The `sub` of a person at a relying party: pairwise, keyed, the same for ever (OIDC Core §8.1)."""

import hmac
from base64 import urlsafe_b64encode
from functools import lru_cache

from idp.addresses import host_of, sector_hosts
from idp.relying_parties import RelyingParty


def pairwise(secret: bytes, party: RelyingParty, subject: str) -> str:
    """43 base64url characters: HMAC-SHA256 of sector and person, under the key named "pairwise"."""
    mac = hmac.digest(secret, f"{sector_of(party)}|{subject}".encode(), "sha256")
    return urlsafe_b64encode(mac).decode().rstrip("=")


def sector_of(party: RelyingParty) -> str:
    """The sector: registered, else the one host of all redirect URIs, else the client itself.

    A program that names a stranger's host beside an address of its own, where the codes go to it, does
    not see that host's subs (A-089).
    """
    return party.sector or _only_host(party.redirect_uris) or f"client:{party.client_id}"


@lru_cache(maxsize=2048)
def _only_host(redirect_uris: tuple[str, ...]) -> str:
    hosts = sector_hosts(redirect_uris)
    return hosts.pop() if len(hosts) == 1 and set(map(host_of, redirect_uris)) == hosts else ""
