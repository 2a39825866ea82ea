"""One private key: made, named, kept as PKCS #8, and the small compact-JWS writer (RFC 7515 §3.1).

Everything we sign goes through `Signer.sign`, so it does no work twice: the key is an object, the
header of each `typ` is encoded once, EC signatures become `r || s` by arithmetic (RFC 7518 §3.4).
"""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from idp.contracts import JsonObject
from idp.errors import GongmuError

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_ECDSA = ec.ECDSA(hashes.SHA256())
_PADDINGS: dict[str, padding.AsymmetricPadding] = {
    "RS256": padding.PKCS1v15(),
    "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size),
}
_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def make_private_key(algorithm: str) -> PrivateKey:
    """A new key for ES256 (P-256), RS256 or PS256 (2048 bits, each its own) or EdDSA (Ed25519)."""
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm in _PADDINGS:
        return rsa.generate_private_key(65537, 2048)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    raise GongmuError(f"no such algorithm: {algorithm}")


def to_pkcs8(key: PrivateKey) -> bytes:
    """The key as bytes, to be sealed."""
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def from_pkcs8(content: bytes) -> PrivateKey:
    """The key again."""
    key = serialization.load_der_private_key(
        content, password=None, unsafe_skip_rsa_key_validation=True
    )  # "unsafe" for keys of strangers: ours was made here, and its seal shows that it is unchanged
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        return key
    raise GongmuError("a sealed key of another type")


def public_jwk(key: PrivateKey, algorithm: str) -> dict[str, str]:
    """The public half as JWK with `kid`, `alg` and `use` (RFC 7517)."""
    members = _members(key)
    return {**members, "kid": thumbprint(members), "alg": algorithm, "use": "sig"}


def _members(key: PrivateKey) -> dict[str, str]:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": _number(point.x, 32), "y": _number(point.y, 32)}
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    return {"kty": "OKP", "crv": "Ed25519", "x": b64url(key.public_key().public_bytes_raw())}


def thumbprint(members: Mapping[str, str]) -> str:
    """SHA-256 over the required members in order (RFC 7638 §3): a new key has a new name."""
    text = json.dumps(dict(sorted(members.items())), separators=(",", ":"))
    return b64url(hashlib.sha256(text.encode()).digest())


def b64url(content: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _number(value: int, length: int = 0) -> str:
    return b64url(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


class Signer:
    """A key that signs. `header` holds `kid` (oidc) or `x5c` (verifier, issuer). Safe for threads."""

    def __init__(self, key: PrivateKey, algorithm: str, header: JsonObject) -> None:
        self._raw = _raw_signature(key, algorithm)
        self._header = {"alg": algorithm, **header}
        self._heads: dict[str, bytes] = {}  # by typ; our own code names them, so they are few

    def sign(self, claims: JsonObject, typ: str) -> str:
        """A compact JWS over the claims."""
        head = self._heads.get(typ) or self._head(typ)
        payload = urlsafe_b64encode(_to_json(dict(claims)).encode()).rstrip(b"=")
        signed = head + payload
        return (signed + b"." + urlsafe_b64encode(self._raw(signed)).rstrip(b"=")).decode()

    def _head(self, typ: str) -> bytes:
        header = _to_json({**self._header, "typ": typ})
        head = urlsafe_b64encode(header.encode()).rstrip(b"=") + b"."
        self._heads[typ] = head
        return head


def _raw_signature(key: PrivateKey, algorithm: str) -> Callable[[bytes], bytes]:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        sign_ec = key.sign

        def sign(data: bytes) -> bytes:
            r, s = decode_dss_signature(sign_ec(data, _ECDSA))
            return (r << 256 | s).to_bytes(64, "big")

        return sign
    if isinstance(key, rsa.RSAPrivateKey):
        sign_rsa: Any = key.sign
        padded, sha256 = _PADDINGS[algorithm], hashes.SHA256()
        return lambda data: bytes(sign_rsa(data, padded, sha256))
    return key.sign
