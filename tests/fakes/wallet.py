"""A wallet that really signs: reads a request object, presents, encrypts, posts.

Each step is a function of its own with overrides, so that a test can spoil one field of a good answer.
It shares no code with the verifier: encryption is joserfc's, signatures are made here.
"""

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwe
from joserfc.jwk import ECKey

from tests.fakes import jws
from tests.fakes.certificates import new_key
from tests.fakes.issuer import IssuedCredential, Overrides

REQUEST_TYPE = "application/oauth-authz-req+jwt"


class RequestRefused(Exception):
    """What a careful wallet says to a request that is not right."""


@dataclass(frozen=True)
class Link:
    """What a QR says."""

    client_id: str
    request_uri: str
    method: str

    @classmethod
    def of(cls, text: str) -> "Link":
        """The link in a QR, whatever its scheme."""
        query = parse_qs(urlsplit(text).query, strict_parsing=True)
        if set(query) != {"client_id", "request_uri", "request_uri_method"}:
            raise RequestRefused(f"the link says {sorted(query)}")
        return cls(query["client_id"][0], query["request_uri"][0], query["request_uri_method"][0])


@dataclass(frozen=True)
class FakeWallet:
    """A phone with one key."""

    key: Any = field(default_factory=new_key)

    # --- the request ----------------------------------------------------------------------------

    def fetch(
        self, http: httpx.Client, link: Link, wallet_nonce: str | None = "nonce-of-the-wallet"
    ) -> str:
        """The request object behind a link (VP §5.10)."""
        fields = {"wallet_nonce": wallet_nonce} if wallet_nonce else {}
        if link.method == "post":
            answer = http.post(link.request_uri, data=fields, headers={"Accept": REQUEST_TYPE})
        else:
            answer = http.get(link.request_uri, headers={"Accept": REQUEST_TYPE})
        if answer.status_code != 200 or answer.headers["Content-Type"] != REQUEST_TYPE:
            raise RequestRefused(f"{answer.status_code} {answer.text[:200]}")
        return answer.text

    def read_request(
        self, token: str, root: bytes, client_id: str, wallet_nonce: str | None = None
    ) -> dict[str, Any]:
        """The claims of a request object, verified as HAIP asks a wallet to. RequestRefused."""
        claims = self._verified(token, root, client_id)
        _require(claims["response_type"] == "vp_token", "response_type")
        _require("redirect_uri" not in claims and len(claims["nonce"]) >= 22, "response")
        _require(claims.get("wallet_nonce") == wallet_nonce, "wallet_nonce")
        return claims

    def read_browser_request(
        self, options: Mapping[str, Any], root: bytes, origin: str
    ) -> dict[str, Any]:
        """The same for what a browser on `origin` hands over (Digital Credentials API, VP A.3)."""
        [asked] = options["requests"]
        _require(asked["protocol"] == "openid4vp-v1-signed", "protocol")
        token = asked["data"]["request"]
        claims = self._verified(token, root, jws.claims_of(token)["client_id"])
        _require(origin in claims["expected_origins"], "expected_origins")
        _require(claims["response_mode"] == "dc_api.jwt", "response_mode")
        _require(not {"state", "response_uri", "redirect_uri"} & set(claims), "not for a browser")
        return claims

    def _verified(self, token: str, root: bytes, client_id: str) -> dict[str, Any]:
        """The claims of a signed request by someone under this root."""
        header, claims = jws.header_of(token), jws.claims_of(token)
        chain = [x509.load_der_x509_certificate(b64decode(text)) for text in header["x5c"]]
        anchor = x509.load_der_x509_certificate(root)
        for subject, issuer in zip(chain, [*chain[1:], anchor], strict=True):
            subject.verify_directly_issued_by(issuer)
        _verify(token, chain[0].public_key())
        leaf_hash = jws.encode(sha256(b64decode(header["x5c"][0])).digest())
        _require(header["typ"] == "oauth-authz-req+jwt" and header["alg"] == "ES256", "header")
        _require(anchor not in chain and chain[0].subject != chain[0].issuer, "chain")
        _require(client_id in (f"x509_hash:{leaf_hash}", claims["client_id"]), "client_id outside")
        _require(claims["client_id"] == client_id, "client_id inside")
        _require(claims["aud"] == "https://self-issued.me/v2", "aud")
        return claims

    # --- the presentation -----------------------------------------------------------------------

    def key_binding(
        self,
        bound: str,
        request: Mapping[str, Any],
        now: datetime,
        *,
        header: Overrides = None,
        claims: Overrides = None,
        key: Any = ...,
    ) -> str:
        """The key-binding JWT over `bound`, the presentation up to its last "~" (RFC 9901 §4.3)."""
        good_claims = {
            "iat": int(now.timestamp()),
            "aud": request["client_id"],
            "nonce": request["nonce"],
            "sd_hash": jws.digest(bound),
        }
        return jws.sign(
            jws.spoil({"alg": "ES256", "typ": "kb+jwt"}, header),
            jws.spoil(good_claims, claims),
            self.key if key is ... else key,
        )

    def present(
        self,
        credential: IssuedCredential,
        request: Mapping[str, Any],
        now: datetime,
        *,
        reveal: Sequence[str] | None = None,
        more: Sequence[str] = (),
        **spoilt: Any,
    ) -> str:
        """A presentation that reveals these claims (what was asked, by default); `more`: disclosures."""
        names = asked_for(request) if reveal is None else reveal
        bound = "~".join(
            [credential.token, *(credential.disclosures[name] for name in names), *more, ""]
        )
        return bound + self.key_binding(bound, request, now, **spoilt)

    # --- the answer -----------------------------------------------------------------------------

    def answer(
        self,
        request: Mapping[str, Any],
        *presentations: Any,
        payload: Overrides = None,
        header: Mapping[str, Any] | None = None,
        key: Mapping[str, Any] | None = None,
        algorithms: Sequence[str] = ("ECDH-ES", "A128GCM", "A256GCM"),
    ) -> dict[str, str]:
        """The form to be posted: encrypted as the request asks (VP §8.2, §8.3)."""
        query_id = request["dcql_query"]["credentials"][0]["id"]
        good = {"vp_token": {query_id: list(presentations)}, "state": request["state"]}
        body = jws.spoil(good, payload)
        if request["response_mode"] == "direct_post":
            return {
                name: value if isinstance(value, str) else json.dumps(value)
                for name, value in body.items()
            }
        key = key or request["client_metadata"]["jwks"]["keys"][0]
        good_header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": key["kid"]}
        return {"response": encrypt(jws.spoil(good_header, header), body, key, algorithms)}

    def browser_answer(
        self, request: Mapping[str, Any], *presentations: Any, **spoilt: Any
    ) -> dict[str, str]:
        """The form that a page posts: the DigitalCredential as JSON (VP A.4). `credential`: overrides."""
        overrides = spoilt.pop("credential", {})
        payload = {"state": jws.DROP, **(spoilt.pop("payload", None) or {})}
        asked = {"state": "", **request}
        data = self.answer(asked, *presentations, payload=payload, **spoilt)
        good = {"protocol": "openid4vp-v1-signed", "data": data}
        return {"credential": json.dumps(jws.spoil(good, overrides))}

    def post(
        self, http: httpx.Client, request: Mapping[str, Any], form: Mapping[str, str]
    ) -> httpx.Response:
        """Post an answer to where the request says."""
        return http.post(request["response_uri"], data=dict(form))


def asked_for(request: Mapping[str, Any]) -> list[str]:
    """The names of the claims that a request asks for."""
    credential = request["dcql_query"]["credentials"][0]
    return [entry["path"][0] for entry in credential.get("claims", [])]


def encrypt(
    header: Mapping[str, Any], payload: Any, key: Mapping[str, Any], algorithms: Sequence[str]
) -> str:
    """A compact JWE to a public JWK."""
    wanted = {name: value for name, value in key.items() if name not in ("alg", "use", "d")}
    registry = jwe.JWERegistry(algorithms=list(algorithms), strict_check_header=False)
    registry.max_protected_header_length = 64 * 1024
    return jwe.encrypt_compact(
        dict(header), jws.dump(payload), ECKey.import_key(wanted), registry=registry
    )


def _verify(token: str, key: Any) -> None:
    signed, _, signature = token.rpartition(".")
    raw = jws.decode(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    key.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(SHA256()))


def _require(condition: bool, what: str) -> None:  # noqa: FBT001 - an assertion that is always on
    if not condition:
        raise RequestRefused(what)
