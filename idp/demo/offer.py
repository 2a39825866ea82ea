"""The first mobile ID, offered by the demo itself through its own API, so that nobody need type a command."""

import ssl
from typing import Any
from urllib.parse import urlsplit

import httpx

from idp.demo.folder import Place


def first_offer(place: Place, automation: dict[str, Any], number: str) -> tuple[str, str]:
    """The web wallet's link for an offer to this person, and its code. httpx.HTTPError."""
    trust = ssl.create_default_context(cafile=str(place.tls.ca_file)) if place.tls else True
    with httpx.Client(base_url=place.issuer, verify=trust, timeout=5, trust_env=False) as client:
        answer = client.post(
            "/oauth/token",
            data={"grant_type": "client_credentials", "scope": "gongmu:issue"},
            auth=(automation["client_id"], automation["client_secret"]),
        ).raise_for_status()
        offer = client.post(
            "/api/v1/mobile-ids",
            json={"personnel_number": number},
            headers={"Authorization": f"Bearer {answer.json()['access_token']}"},
        ).raise_for_status()
    told = offer.json()
    query = urlsplit(told["credential_offer_uri"]).query
    return f"{place.issuer}/wallet/receive?{query}", str(told["tx_code"])
