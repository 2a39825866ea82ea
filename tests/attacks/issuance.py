"""Taking a mobile ID step by step (OpenID4VCI 1.0), so that a test can spoil any of them."""

import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from tests.attacks.forge import compact, es256, jwk_of
from tests.provider import Provider

PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"


def token_form(wallet: httpx.Client, offered: dict[str, str]) -> dict[str, str]:
    """The token request for an offer (§6.1)."""
    link = parse_qs(urlsplit(offered["credential_offer_uri"]).query)
    offer = wallet.get(link["credential_offer_uri"][0]).json()
    return {
        "grant_type": PRE_AUTHORIZED,
        "pre-authorized_code": offer["grants"][PRE_AUTHORIZED]["pre-authorized_code"],
        "tx_code": offered["tx_code"],
    }


def token_endpoint(wallet: httpx.Client, metadata: dict[str, Any]) -> str:
    """Where the issuer's metadata says tokens come from (§12.2.4, RFC 8414 §3.1)."""
    [server] = metadata.get("authorization_servers", [metadata["credential_issuer"]])
    parts = urlsplit(server)
    well_known = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server"
    found: dict[str, Any] = wallet.get(well_known + parts.path.rstrip("/")).json()
    assert found["issuer"] == server
    return str(found["token_endpoint"])


@dataclass
class Issuance:
    """One offer on its way to a credential; the holder's key is made here."""

    provider: Provider
    number: str
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    metadata: dict[str, Any] = field(init=False)
    token: str = field(init=False)

    def __post_init__(self) -> None:
        with self.provider.client() as wallet:
            form = token_form(wallet, self.provider.offer(self.number))
            self.metadata = wallet.get("/.well-known/openid-credential-issuer").json()
            answer = wallet.post(token_endpoint(wallet, self.metadata), data=form)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]

    def nonce(self) -> str:
        """A fresh c_nonce."""
        with self.provider.client() as wallet:
            return str(wallet.post(self.metadata["nonce_endpoint"]).json()["c_nonce"])

    def proof_parts(self, **changed: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and payload of a good proof, with a fresh nonce."""
        header = {
            "typ": "openid4vci-proof+jwt",
            "alg": "ES256",
            "jwk": jwk_of(self.key.public_key()),
        }
        payload = {
            "aud": self.provider.issuer,
            "iat": int(time.time()),
            "nonce": self.nonce(),
            **changed,
        }
        return header, payload

    def proof(self, **changed: Any) -> str:
        """A good proof, with some claims changed."""
        header, payload = self.proof_parts(**changed)
        return compact(json.dumps(header), json.dumps(payload), es256(self.key))

    def ask(self, *proofs: str, token: str | None = None) -> httpx.Response:
        """The credential request."""
        [configuration] = self.metadata["credential_configurations_supported"]
        with self.provider.client() as wallet:
            return wallet.post(
                self.metadata["credential_endpoint"],
                headers={"Authorization": f"Bearer {self.token if token is None else token}"},
                json={
                    "credential_configuration_id": configuration,
                    "proofs": {"jwt": list(proofs)},
                },
            )
