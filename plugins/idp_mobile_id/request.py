"""What the wallet is asked: the signed request object (OpenID4VP 1.0 §5, HAIP 1.0 §5).

Each login has its own encryption key and `state`; both lie in the login's state until the answer. The
same request may be fetched again: but for `wallet_nonce` the object says the same each time (R-037).
A browser may be asked in place of the QR (Digital Credentials API, VP Appendix A): the same question in
another object, for this origin alone; its answer has no `state` and names the origin as its audience.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from cryptography import x509

from idp.contracts import Attempt, JsonObject, Kit, Use
from idp.errors import GongmuError, RequestError
from idp.events import Reason
from idp_mobile_id import jose, jwe, sd_jwt, trust

AUDIENCE = "https://self-issued.me/v2"  # a wallet found by its link only (VP §5.8)
REQUEST_TYP = "oauth-authz-req+jwt"
QUERY_ID = "mobile_id"
ClientIdPrefix = Literal["x509_hash", "x509_san_dns"]
ResponseMode = Literal["direct_post.jwt", "direct_post"]
BROWSER_PROTOCOL = "openid4vp-v1-signed"
BROWSER_RESPONSE_MODE = "dc_api.jwt"
_WALLET_NONCE = re.compile(r"[!-~]{1,512}")  # visible ASCII
_METADATA_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class RequestState:
    """What a request must remember until its answer; goes through the login's state as JSON."""

    client_id: str
    state: str
    key: Mapping[str, str]  # our private JWK
    encrypted: bool  # what is posted to us is encrypted to it; what browsers bring always is

    def to_json(self) -> JsonObject:
        return asdict(self)

    @classmethod
    def from_json(cls, value: JsonObject) -> "RequestState":
        return cls(**value)


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for, and how it is to come back."""

    vct: str
    number_claim: str
    response_mode: ResponseMode
    authorities: tuple[bytes, ...]  # DER of the roots whose credentials are taken


def client_id(kit: Kit, prefix: ClientIdPrefix) -> str:
    """Who we are to a wallet, by our verifier certificate (VP §5.9.3)."""
    leaf = kit.certificates(Use.VERIFIER)[0]
    if prefix == "x509_hash":
        return f"x509_hash:{jose.encode(sha256(leaf).digest())}"
    host = urlsplit(kit.base_url).hostname or ""
    names = trust.certificate(leaf).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    if host not in names.value.get_values_for_type(x509.DNSName):
        detail = "x509_san_dns needs a verifier certificate with the issuer's host as DNS name"
        raise GongmuError(detail, reason=Reason.CONFIGURATION)
    return f"x509_san_dns:{host}"


def link_query(client: str, request_uri: str) -> str:
    """The query of the link in the QR: who asks and where, nothing else (VP §5)."""
    parameters = {"client_id": client, "request_uri": request_uri, "request_uri_method": "post"}
    return urlencode(parameters, quote_via=quote, safe="")


def new_state(kit: Kit, client: str, response_mode: ResponseMode) -> RequestState:
    """A fresh state (256 bits) and a fresh key (HAIP §5)."""
    return RequestState(
        client_id=client,
        state=kit.token(32),
        key=jwe.new_key(kit.token(8)),
        encrypted=response_mode == "direct_post.jwt",
    )


def claims(attempt: Attempt, state: RequestState, query: Query, wallet_nonce: str) -> JsonObject:
    """The body of the request object. It has `response_uri`, hence no `redirect_uri` (VP §8.2)."""
    body: dict[str, Any] = {
        "aud": AUDIENCE,
        "client_id": state.client_id,
        "response_type": "vp_token",
        "response_mode": query.response_mode,
        "response_uri": attempt.response_uri,
        "nonce": attempt.nonce,
        "state": state.state,
        "exp": int(attempt.expires_at.timestamp()),
        "dcql_query": dcql(query),
        "client_metadata": client_metadata(state.key if state.encrypted else None),
    }
    return {**body, "wallet_nonce": wallet_nonce} if wallet_nonce else body


def browser_claims(attempt: Attempt, state: RequestState, query: Query, origin: str) -> JsonObject:
    """The body of the request object for a browser on `origin` (VP Appendix A.2, A.3.2)."""
    return {
        "aud": AUDIENCE,
        "client_id": state.client_id,
        "expected_origins": [origin],
        "response_type": "vp_token",
        "response_mode": BROWSER_RESPONSE_MODE,
        "nonce": attempt.nonce,
        "exp": int(attempt.expires_at.timestamp()),
        "dcql_query": dcql(query),
        "client_metadata": client_metadata(state.key),
    }


def origin_of(url: str) -> str:
    """The origin of our pages, as browsers write it (RFC 6454 §6.2)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def dcql(query: Query) -> JsonObject:
    """One credential of our type, of it the personnel number only (VP §6)."""
    identifiers = [
        jose.encode(trust.key_identifier(trust.certificate(der))) for der in query.authorities
    ]
    return {
        "credentials": [
            {
                "id": QUERY_ID,
                "format": sd_jwt.CREDENTIAL_TYP,
                "meta": {"vct_values": [query.vct]},
                "claims": [{"path": [query.number_claim]}],
                "trusted_authorities": [{"type": "aki", "values": identifiers}],
            }
        ]
    }


def client_metadata(key: Mapping[str, str] | None) -> JsonObject:
    """How the wallet is to answer, encrypted to `key` if there is one (VP §5.1, §11.1; HAIP §5)."""
    formats = {
        sd_jwt.CREDENTIAL_TYP: {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]}
    }
    if key is None:
        return {"vp_formats_supported": formats}
    return {
        "vp_formats_supported": formats,
        "jwks": {"keys": [jwe.public_jwk(key)]},
        "encrypted_response_enc_values_supported": list(jwe.KEY_BITS),
    }


def read_wallet_nonce(wallet: JsonObject) -> str:
    """The wallet's nonce to be echoed, "" when it sent none (VP §5.10). RequestError.

    `wallet_metadata` is not needed: what we ask for is what every HAIP wallet can do.
    """
    metadata = wallet.get("wallet_metadata") or ""
    if not isinstance(metadata, str) or len(metadata) > _METADATA_LIMIT:
        message = "wallet_metadata is too large"
        raise RequestError("invalid_request", message, reason=Reason.TOO_LARGE)
    nonce = wallet.get("wallet_nonce") or ""
    if nonce and not (isinstance(nonce, str) and _WALLET_NONCE.fullmatch(nonce)):
        raise RequestError("invalid_request", "wallet_nonce is malformed")
    return str(nonce)
