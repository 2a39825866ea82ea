"""A client's DPoP key, as a client that nobody here wrote would use it (RFC 9449 §4.2)."""

import secrets
import time
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fakes.jws import digest, dump, public_jwk, sign, spoil


class DpopKey:
    """Makes proofs, good ones unless told otherwise."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.jwk = public_jwk(self.key)

    @property
    def thumbprint(self) -> str:
        """RFC 7638."""
        members = {name: self.jwk[name] for name in ("crv", "kty", "x", "y")}
        return digest(dump(members).decode().replace(" ", ""))

    def proof(
        self,
        method: str,
        address: str,
        nonce: str = "",
        access_token: str = "",
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A proof for one call; `header` and `claims` change members of a good one."""
        good: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": address,
            "iat": int(time.time()),
        }
        if nonce:
            good["nonce"] = nonce
        if access_token:
            good["ath"] = digest(access_token)
        whole = spoil({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk}, header)
        return sign(whole, spoil(good, claims), self.key)

    def call(
        self,
        client: httpx.Client,
        method: str,
        path: str,
        access_token: str = "",
        **arguments: Any,
    ) -> httpx.Response:
        """Once to learn a nonce, and once more with it."""
        address = f"{str(client.base_url).rstrip('/')}{path}"
        headers = dict(arguments.pop("headers", {}))
        if access_token:
            headers["Authorization"] = f"DPoP {access_token}"
        nonce = ""
        for _ in range(2):
            proof = self.proof(method, address, nonce, access_token)
            answer = client.request(method, path, headers={**headers, "DPoP": proof}, **arguments)
            if "DPoP-Nonce" not in answer.headers:
                break
            nonce = answer.headers["DPoP-Nonce"]
        return answer
