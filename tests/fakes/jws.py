"""Compact JWS and base64url as a test wants them: also with no, a wrong or a foreign signature."""

import hashlib
import hmac
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

DROP = object()  # as the value of an override: leave this member out


def base64(data: bytes) -> str:
    return b64encode(data).decode()


def encode(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def dump(value: Any) -> bytes:
    """JSON; bytes are taken as they are, so that a test can write what no JSON writer would."""
    return value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()


def spoil(good: Mapping[str, Any], overrides: Mapping[str, Any] | bytes | None) -> Any:
    """The good members with the overrides over them; bytes replace the whole."""
    if isinstance(overrides, bytes):
        return overrides
    both = {**good, **(overrides or {})}
    return {name: value for name, value in both.items() if value is not DROP}


def digest(text: str) -> str:
    return encode(hashlib.sha256(text.encode()).digest())


def sign(header: Any, claims: Any, key: Any) -> str:
    """A compact JWS: an EC key signs ES256, bytes are an HMAC key, None leaves no signature."""
    signed = f"{encode(dump(header))}.{encode(dump(claims))}"
    return f"{signed}.{encode(signature(signed.encode(), key))}"


def signature(signed: bytes, key: Any) -> bytes:
    if key is None:
        return b""
    if isinstance(key, bytes):
        return hmac.digest(key, signed, "sha256")
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256())))
    length = (key.curve.key_size + 7) // 8
    return r.to_bytes(length, "big") + s.to_bytes(length, "big")


def claims_of(token: str) -> Any:
    """What a JWS says, unverified."""
    return json.loads(decode(token.split(".")[1]))


def header_of(token: str) -> Any:
    return json.loads(decode(token.split(".", maxsplit=1)[0]))


def public_jwk(key: Any) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    length = (key.curve.key_size + 7) // 8
    x, y = (encode(value.to_bytes(length, "big")) for value in (numbers.x, numbers.y))
    names = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
    return {"kty": "EC", "crv": names[key.curve.name], "x": x, "y": y}
