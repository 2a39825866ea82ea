"""What relying parties with a key do: sign requests and assertions, push, and read any answer."""

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fakes.jws import claims_of, public_jwk, sign, spoil
from tests.unit.oidc.running import Running
from tests.unit.oidc.scene import Asked, sent_back

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TYP = "oauth-authz-req+jwt"


@dataclass
class Keyed:
    """A key of a relying party, and what it signs with it."""

    kid: str = "k1"
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [{**public_jwk(self.key), "kid": self.kid}]}

    def header(self, **changed: Any) -> Any:
        return spoil({"alg": "ES256", "kid": self.kid, "typ": TYP}, changed)

    def object(
        self, gongmu: Running, asked: Asked, header: Mapping[str, Any] | None = None, **changed: Any
    ) -> str:
        """A good request object with some members changed (DROP leaves one out)."""
        return sign(self.header(**(header or {})), members(gongmu, asked, **changed), self.key)

    def assertion(self, gongmu: Running, owner: str, /, **changed: Any) -> dict[str, str]:
        """Good client authentication by private_key_jwt, as form fields."""
        now = int(time.time())
        claims = {
            "iss": owner,
            "sub": owner,
            "aud": gongmu.issuer,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(12),
        }
        header = {"alg": "ES256", "kid": self.kid, "typ": "JWT"}
        token = sign(header, spoil(claims, changed), self.key)
        return {"client_assertion_type": ASSERTION, "client_assertion": token}


def members(gongmu: Running, asked: Asked, **changed: Any) -> Any:
    """The members of a good request object with some changed."""
    now = int(time.time())
    good = {
        **asked.parameters(),
        "iss": asked.registered.client_id,
        "aud": gongmu.issuer,
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        "jti": secrets.token_urlsafe(12),
    }
    return spoil(good, changed)


def push(
    gongmu: Running, form: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """A request to the pushed authorization request endpoint, as it is."""
    with gongmu.client() as backend:
        return backend.post("/oauth/par", data=dict(form), headers=dict(headers or {}))


def pushed(gongmu: Running, asked: Asked, **changed: str | None) -> str:
    """The request_uri of a good pushed request of a party with a secret."""
    answer = push(gongmu, asked.parameters(**changed), asked.registered.basic)
    assert answer.status_code == 201, answer.text
    assert "no-store" in answer.headers["cache-control"]
    body = answer.json()
    assert body["expires_in"] == 60
    assert len(body["request_uri"]) > 60
    return str(body["request_uri"])


def open_pushed(browser: httpx.Client, client_id: str, uri: str, **more: str) -> httpx.Response:
    """The browser is sent to the provider with it."""
    query = {"client_id": client_id, "request_uri": uri, **more}
    return browser.get("/oauth/authorize", params=query)


def answer_in(mode: str, answer: httpx.Response) -> dict[str, str]:
    """The parameters of an authorization response in this mode: of JARM, the token alone, unopened."""
    if mode.startswith("form_post"):
        assert answer.status_code == 200, answer.text
        form = answer.text.partition('<form id="form-post"')[2].partition("</form>")[0]
        fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
        return {name: unescape(value) for name, value in fields}
    assert answer.status_code == 303, answer.text
    parts = urlsplit(answer.headers["location"])
    assert bool(parts.fragment) == mode.startswith("fragment")
    return sent_back(answer.headers["location"])


def told(answer: httpx.Response) -> dict[str, str]:
    """The parameters of an answer by query, opened when they are signed (the signature unchecked)."""
    fields = answer_in("query", answer)
    return claims_of(fields["response"]) if "response" in fields else fields
