"""Reading a compact JWE by hand, on `cryptography` alone: what a relying party does (RFC 7516 §5.2, RFC 7518)."""

import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from cryptography.hazmat.primitives.padding import PKCS7

from tests.fakes.jws import decode, encode, public_jwk

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_CONTENT_BYTES = {"A128GCM": 16, "A256GCM": 32, "A128CBC-HS256": 32}
_WRAP_BYTES = {"ECDH-ES+A128KW": 16, "ECDH-ES+A256KW": 32}


def decrypt(token: str, key: PrivateKey) -> tuple[dict[str, Any], str]:
    """Header and plaintext. Whatever is wrong raises."""
    head, wrapped, iv, ciphertext, tag = token.split(".")
    header = json.loads(decode(head))
    content_key = _content_key(header, decode(wrapped), key)
    plain = _open(header["enc"], content_key, decode(iv), decode(ciphertext), decode(tag), head)
    return header, plain.decode()


def _content_key(header: dict[str, Any], wrapped: bytes, key: PrivateKey) -> bytes:
    algorithm = header["alg"]
    if isinstance(key, rsa.RSAPrivateKey):
        assert algorithm == "RSA-OAEP-256"
        return key.decrypt(wrapped, padding.OAEP(padding.MGF1(SHA256()), SHA256(), None))
    x, y = (int.from_bytes(decode(header["epk"][name]), "big") for name in ("x", "y"))
    sender = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    secret = key.exchange(ec.ECDH(), sender)
    if algorithm == "ECDH-ES":
        assert wrapped == b""
        return _derived(secret, header["enc"], _CONTENT_BYTES[header["enc"]], header)
    return aes_key_unwrap(_derived(secret, algorithm, _WRAP_BYTES[algorithm], header), wrapped)


def _derived(secret: bytes, name: str, length: int, header: dict[str, Any]) -> bytes:
    """Concat KDF with SHA-256, one round (RFC 7518 §4.6.2)."""
    parties = [decode(header.get(member, "")) for member in ("apu", "apv")]
    fields = [name.encode(), *parties]
    info = b"".join(len(one).to_bytes(4, "big") + one for one in fields)
    whole = (1).to_bytes(4, "big") + secret + info + (length * 8).to_bytes(4, "big")
    return hashlib.sha256(whole).digest()[:length]


def _open(method: str, key: bytes, iv: bytes, ciphertext: bytes, tag: bytes, head: str) -> bytes:
    if method.endswith("GCM"):
        return AESGCM(key).decrypt(iv, ciphertext + tag, head.encode())
    length = (len(head) * 8).to_bytes(8, "big")
    made = hmac.digest(key[:16], head.encode() + iv + ciphertext + length, "sha256")[:16]
    assert hmac.compare_digest(made, tag)
    decryptor = Cipher(algorithms.AES(key[16:]), modes.CBC(iv)).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def jwk_of(key: PrivateKey, kid: str, **more: str) -> dict[str, str]:
    """The public half as a JWK."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {**public_jwk(key), "kid": kid, **more}
    numbers = key.public_key().public_numbers()
    n, e = (
        encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))
        for value in (numbers.n, numbers.e)
    )
    return {"kty": "RSA", "n": n, "e": e, "kid": kid, **more}
