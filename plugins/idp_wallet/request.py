"""The verifier's request (OpenID4VP 1.0 §5): fetch it, and believe it only when all of it holds."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from idp_wallet.chain import Anchors, dns_names, leaf_of, owner
from idp_wallet.dcql import Query, read_query
from idp_wallet.encoding import encode
from idp_wallet.faults import RequestUntrusted
from idp_wallet.keys import peek_header, verify
from idp_wallet.links import PresentationLink, is_safe
from idp_wallet.web import Web

MEDIA_TYPE = "application/oauth-authz-req+jwt"
MAX_REQUEST = 64 * 1024
CLOCK_SKEW_S = 60
_AUDIENCE = "https://self-issued.me/v2"  # §5.8, static discovery
_URL_SAFE = re.compile(r"[A-Za-z0-9._~-]+")
_ENCRYPTIONS = ("A256GCM", "A128GCM")  # the best first


@dataclass(frozen=True, slots=True)
class Encryption:
    """How the answer is encrypted (§8.3)."""

    jwk: Mapping[str, Any]
    enc: str


@dataclass(frozen=True, slots=True)
class Request:
    """A verified request: the named verifier really asks this, now, of this wallet."""

    client_id: str  # in full, with its prefix
    verifier: str  # name in the verifier's certificate
    host: str  # where the answer goes
    response_uri: str
    nonce: str
    state: str | None
    query: Query
    query_document: Mapping[str, Any]
    encryption: Encryption | None  # None: direct_post


def fetch_request(web: Web, link: PresentationLink, wallet_nonce: str) -> str:
    """The signed request object, unverified (§5.10). RequestUntrusted, Unreachable."""
    if link.by_post:
        answer = web.post_form(link.request_uri, {"wallet_nonce": wallet_nonce}, MEDIA_TYPE)
    else:
        answer = web.get(link.request_uri, MEDIA_TYPE)
    if answer.status != 200:
        raise RequestUntrusted("The request is no longer there. Start again, with a new code.")
    if answer.media_type != MEDIA_TYPE:
        raise RequestUntrusted("What lies at the request's address is not a request.")
    return answer.body.decode("ascii", "replace")


def verify_request(
    text: str, link: PresentationLink, wallet_nonce: str, anchors: Anchors, now: datetime
) -> Request:
    """The request, or RequestUntrusted; each step raises."""
    # 1. Signed by a certificate that leads to a root we were given (§5.9.3, HAIP §5).
    leaf, claims = _signed(text, anchors, now)
    # 2. By the one whom the link named (§5.10.2): full client_id, then the certificate behind it.
    if claims.get("client_id") != link.client_id:
        raise RequestUntrusted("The request names another verifier than the link.")
    response_uri = _response_uri(claims)
    _check_client_id(link.client_id, leaf, response_uri)
    # 3. For a wallet, now, and for this wallet's own call.
    _check_occasion(claims, wallet_nonce if link.by_post else "", now)
    # 4. Asked in a way that sends the answer to the verifier only.
    encryption = _check_mode(claims)
    # 5. The question.
    document = claims.get("dcql_query")
    if "scope" in claims or "transaction_data" in claims:
        raise RequestUntrusted("The request asks for more than this wallet understands.")
    return Request(
        client_id=link.client_id,
        verifier=owner(leaf),
        host=urlsplit(response_uri).netloc,
        response_uri=response_uri,
        nonce=_text(claims, "nonce", 16),
        state=_text(claims, "state", 1) if "state" in claims else None,
        query=read_query(document),
        query_document=document if isinstance(document, dict) else {},
        encryption=encryption,
    )


def _signed(text: str, anchors: Anchors, now: datetime) -> tuple[x509.Certificate, dict[str, Any]]:
    try:
        header = _header(text)
        leaf = leaf_of(header, anchors, now)
        return leaf, verify(text, leaf)
    except ValueError as error:
        raise RequestUntrusted(
            "Who asks cannot be verified: this wallet does not trust the request's signature."
        ) from error


def _header(text: str) -> dict[str, Any]:
    if len(text) > MAX_REQUEST:
        raise ValueError("too long")
    header = peek_header(text)
    if header.get("typ") != "oauth-authz-req+jwt" or header.get("alg") != "ES256":
        raise ValueError("typ or alg")
    return header


def _check_client_id(client_id: str, leaf: x509.Certificate, response_uri: str) -> None:
    """The certificate is the one that the client_id names (§5.9.3)."""
    prefix, _, name = client_id.partition(":")
    fits = False
    if prefix == "x509_hash":
        fits = name == encode(hashlib.sha256(leaf.public_bytes(Encoding.DER)).digest())
    elif prefix == "x509_san_dns":
        fits = name in dns_names(leaf) and urlsplit(response_uri).hostname == name
    if not fits:
        raise RequestUntrusted("The verifier's name does not fit its certificate.")


def _response_uri(claims: Mapping[str, Any]) -> str:
    """Where the answer goes; then there is no `redirect_uri` (§8.2)."""
    response_uri = claims.get("response_uri")
    if not isinstance(response_uri, str) or not is_safe(response_uri) or "redirect_uri" in claims:
        raise RequestUntrusted("The answer would go to an address that is not safe (https).")
    return response_uri


def _check_occasion(claims: Mapping[str, Any], wallet_nonce: str, now: datetime) -> None:
    if claims.get("aud") != _AUDIENCE:
        raise RequestUntrusted("The request is not meant for a wallet.")
    if wallet_nonce and claims.get("wallet_nonce") != wallet_nonce:  # §5.10: a replayed object
        raise RequestUntrusted("The request was not made for this call.")
    seconds = now.timestamp()
    for name, sign in (("exp", 1), ("nbf", -1), ("iat", -1)):
        value = claims.get(name, seconds)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RequestUntrusted("The request's times are not in order.")
        if sign * (value - seconds) < -CLOCK_SKEW_S:
            raise RequestUntrusted("The request has expired, or a clock is wrong.")


def _check_mode(claims: Mapping[str, Any]) -> Encryption | None:
    mode = claims.get("response_mode")
    if claims.get("response_type") == "vp_token" and mode == "direct_post":
        return None
    if claims.get("response_type") != "vp_token" or mode != "direct_post.jwt":
        raise RequestUntrusted("The request asks for an answer that this wallet does not give.")
    metadata = claims.get("client_metadata")
    return _encryption(metadata if isinstance(metadata, dict) else {})


def _encryption(metadata: Mapping[str, Any]) -> Encryption:
    """A P-256 key for ECDH-ES and a cipher that both sides have (§8.3)."""
    jwks = metadata.get("jwks")
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    offered = metadata.get("encrypted_response_enc_values_supported", ["A128GCM"])
    enc = next((e for e in _ENCRYPTIONS if isinstance(offered, list) and e in offered), None)
    for jwk in keys if isinstance(keys, list) else ():
        if enc is not None and isinstance(jwk, dict) and _is_usable(jwk):
            return Encryption(jwk, enc)
    raise RequestUntrusted("The request brings no key to encrypt the answer with.")


def _is_usable(jwk: Mapping[str, Any]) -> bool:
    return (
        (jwk.get("kty"), jwk.get("crv")) == ("EC", "P-256")
        and jwk.get("alg", "ECDH-ES") == "ECDH-ES"
        and jwk.get("use", "enc") == "enc"
        and "d" not in jwk
        and isinstance(jwk.get("x"), str)
        and isinstance(jwk.get("y"), str)
    )


def _text(claims: Mapping[str, Any], name: str, least: int) -> str:
    value = claims.get(name)
    if (
        not isinstance(value, str)
        or not least <= len(value) <= 512
        or not _URL_SAFE.fullmatch(value)
    ):
        raise RequestUntrusted(f"The request's {name} is not in order.")
    return value
