"""Strict reading of what JOSE defines: base64url, JSON, compact JWS, public keys. Pure.

Stricter than the RFCs where laxness has been an attack: one spelling of every base64url text (A-107),
no member twice (A-104), bounded depth (A-105), ES256 only (A-100), no key out of a header (A-101).
Everything read here is hostile. Every function raises ProofRejected with the reason it is given;
its text is ours alone, never a part of what was read.
"""

import json
import math
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from idp.contracts import JsonObject
from idp.errors import ProofRejected
from idp.events import Reason

JWT_LIMIT = 16 * 1024  # characters (E7)
MAX_DEPTH = 32
_ES256 = ec.ECDSA(SHA256())
# Keys, extensions and nestings that a header may not bring along (RFC 8725 §3.10; ).
_FORBIDDEN_HEADERS = frozenset({"crit", "b64", "jku", "x5u", "jwk", "zip", "cty"})


@dataclass(frozen=True, slots=True)
class Jws:
    """A compact JWS taken apart; its signature is not verified yet."""

    header: JsonObject
    claims: JsonObject
    signed: bytes
    signature: bytes


def reject(reason: Reason, detail: str, cause: Exception | None = None) -> NoReturn:
    """Raise ProofRejected."""
    raise ProofRejected(detail, reason=reason) from cause


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def decode(text: str, reason: Reason) -> bytes:
    """The bytes of a base64url text in its one canonical spelling (RFC 7515 §2)."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        reject(reason, "not base64url", error)
    if encode(data) != text:  # padding, whitespace, other alphabets, stray last bits
        reject(reason, "not canonical base64url")
    return data


def decode_standard(text: str, reason: Reason) -> bytes:
    """The bytes of a base64 text with padding, as `x5c` has them (RFC 7515 §4.1.6)."""
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        reject(reason, "not base64", error)


def load_json(data: bytes, reason: Reason) -> Any:
    """Parsed JSON: UTF-8, no member twice, finite numbers, at most 32 deep."""
    try:
        text = data.decode("utf-8")
        value = _STRICT.decode(text)
        if text.count("[") + text.count("{") > MAX_DEPTH or "\\u" in text:
            _check_shape(value)
    except (ValueError, RecursionError) as error:
        reject(reason, "not strict JSON", error)
    return value


def load_object(data: bytes, reason: Reason) -> dict[str, Any]:
    """The same, when it must be an object."""
    value = load_json(data, reason)
    if not isinstance(value, dict):
        reject(reason, "not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite)


def _check_shape(value: Any) -> None:
    """ValueError when too deep, or when a string holds half a surrogate pair."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        children: list[Any] = []
        for item in level:
            if isinstance(item, str):
                item.encode("utf-8")
            elif isinstance(item, dict):
                children += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                children += item
        level = children
    if level:
        raise ValueError("too deep")


def parse_jws(token: Any, typ: str, reason: Reason, limit: int = JWT_LIMIT) -> Jws:
    """A compact JWS whose header names ES256 and exactly this `typ` (RFC 8725 §3.11)."""
    if not isinstance(token, str) or len(token) > limit or token.count(".") != 2:
        reject(reason, "not a compact JWS of acceptable size")
    header_b64, claims_b64, signature_b64 = token.split(".")
    header = load_object(decode(header_b64, reason), reason)
    if header.get("alg") != "ES256":
        reject(reason, "alg is not ES256")
    if header.get("typ") != typ:
        reject(reason, f"typ is not {typ}")
    if not _FORBIDDEN_HEADERS.isdisjoint(header):
        reject(reason, "the header brings a key, an extension or a nesting")
    return Jws(
        header=header,
        claims=load_object(decode(claims_b64, reason), reason),
        signed=f"{header_b64}.{claims_b64}".encode("ascii"),
        signature=decode(signature_b64, reason),
    )


def verify_es256(jws: Jws, key: ec.EllipticCurvePublicKey, reason: Reason) -> None:
    """Does nothing when the signature is that key's (RFC 7518 §3.4)."""
    if len(jws.signature) != 64 or not isinstance(key.curve, ec.SECP256R1):
        reject(reason, "not a P-256 signature")
    r, s = (int.from_bytes(half, "big") for half in (jws.signature[:32], jws.signature[32:]))
    try:
        key.verify(encode_dss_signature(r, s), jws.signed, _ES256)
    except InvalidSignature as error:
        reject(reason, "the signature does not verify", error)


def public_key(jwk: Any, reason: Reason) -> ec.EllipticCurvePublicKey:
    """The key of a public P-256 JWK (RFC 7518 §6.2.1); a private one is refused."""
    if not isinstance(jwk, dict) or (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
        reject(reason, "not a P-256 JWK")
    if "d" in jwk:
        reject(reason, "a private key")
    x, y = jwk.get("x"), jwk.get("y")
    if not isinstance(x, str) or not isinstance(y, str) or len(x) != 43 or len(y) != 43:
        reject(reason, "coordinates are not 32 bytes each")
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(decode(x, reason), "big"),
        int.from_bytes(decode(y, reason), "big"),
        ec.SECP256R1(),
    )
    try:
        return numbers.public_key()
    except ValueError as error:  # not on the curve
        reject(reason, "not a point of P-256", error)


def moment(claims: JsonObject, name: str, reason: Reason) -> int | None:
    """A NumericDate in whole seconds, or None when absent (RFC 7519 §2; A-104)."""
    value = claims.get(name)
    if name not in claims:
        return None
    if type(value) is not int or not 0 <= value < 2**40:  # bool is an int to Python
        reject(reason, f"{name} is not a time in whole seconds")
    return value
