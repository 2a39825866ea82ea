"""Relying parties of the demo that a test registers, and a person who signs in at them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from idp.relying_parties import RelyingParty
from tests.attacks.holder import Held, fetched
from tests.desk import ACR_QR, Desk
from tests.flows.test_logout import database_of
from tests.provider import Provider


@contextmanager
def registered(provider: Provider, name: str, **settings: Any) -> Iterator[str]:
    """A relying party with these settings beside the demo's own; its secret, or '' for a public one."""
    party = RelyingParty(
        client_id=name,
        **{"name_ko": name, "name_en": name, "minimum_acr": ACR_QR, **settings},
    )
    with database_of(provider) as (_, register):
        secret = register.add(party, "cli:tests")
    provider.relying_parties[name] = {
        "client_id": name,
        "client_secret": secret,
        "redirect_uris": list(party.redirect_uris),
    }
    try:
        yield secret or ""
    finally:
        del provider.relying_parties[name]


def signed_in_at(desk: Desk, held: Held, authorization_url: str) -> str:
    """Sign in by the wallet on the same device; the address at the relying party where that ends."""
    desk.start(authorization_url)
    return desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"])


def session_is_over(desk: Desk) -> bool:
    """Whether the browser has to sign in again at the provider."""
    answer = desk.answered(desk.get(desk.authorization_url(prompt="none", scope="openid")))
    return answer.get("error") == "login_required"


def hint_of(end_session_url: str) -> str:
    """The ID token that a client puts into the address by which it logs out."""
    return parse_qs(urlsplit(end_session_url).query)["id_token_hint"][0]
