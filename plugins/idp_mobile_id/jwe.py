"""The encrypted answer of a wallet: ECDH-ES direct, P-256, A128GCM or A256GCM, nothing else. Pure.

Every fault gives one and the same error, so that an answer tells nothing about the key (A-103).
(OpenID4VP 1.0 §8.3, HAIP 1.0 §5, RFC 7516, RFC 7518 §4.6)
"""

from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from idp.errors import ProofRejected
from idp.events import Reason
from idp_mobile_id import jose

KEY_BITS = {"A128GCM": 128, "A256GCM": 256}
_REASON = Reason.PROOF_DECRYPTION
_FORBIDDEN_HEADERS = frozenset({"crit", "zip", "jku", "x5u", "jwk", "x5c"})
_HEADER_LIMIT = 8 * 1024


def new_key(kid: str) -> dict[str, str]:
    """A fresh private P-256 JWK for one request."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = key.private_numbers(), key.public_key().public_numbers()
    values = {"x": public.x, "y": public.y, "d": private.private_value}
    numbers = {name: jose.encode(value.to_bytes(32, "big")) for name, value in values.items()}
    return {"kty": "EC", "crv": "P-256", **numbers, "kid": kid}


def public_jwk(private: Mapping[str, Any]) -> dict[str, str]:
    """What the wallet gets of it (RFC 7517 §4; VP §5.1 wants `kid`, `alg`, `use`)."""
    named = {name: str(private[name]) for name in ("kty", "crv", "x", "y", "kid")}
    return {**named, "use": "enc", "alg": "ECDH-ES"}


def decrypt(token: str, private: Mapping[str, Any]) -> bytes:
    """The plaintext. `private` is our JWK for this request. ProofRejected, always the same."""
    try:
        return _decrypt(token, private)
    except (ProofRejected, ValueError, InvalidTag) as error:
        raise ProofRejected("the answer does not decrypt", reason=_REASON) from error


def _decrypt(token: str, private: Mapping[str, Any]) -> bytes:
    parts = token.split(".", 5)
    if len(parts) != 5 or parts[1] or len(parts[0]) > _HEADER_LIMIT:
        raise ValueError("not a compact JWE with a directly agreed key")
    header = jose.load_object(jose.decode(parts[0], _REASON), _REASON)
    iv, ciphertext, tag = (jose.decode(part, _REASON) for part in parts[2:])
    if header.get("alg") != "ECDH-ES" or header.get("enc") not in KEY_BITS:
        raise ValueError("algorithm")
    if header.get("kid") != private["kid"] or not _FORBIDDEN_HEADERS.isdisjoint(header):
        raise ValueError("header")
    if len(iv) != 12 or len(tag) != 16:
        raise ValueError("lengths")  # a truncated tag would be guessable
    key = _agree(header, private)
    return AESGCM(key).decrypt(iv, ciphertext + tag, parts[0].encode("ascii"))


def _agree(header: Mapping[str, Any], private: Mapping[str, Any]) -> bytes:
    """The content key by ECDH-ES and the Concat KDF (RFC 7518 §4.6.2)."""
    theirs = jose.public_key(header.get("epk"), _REASON)  # on the curve, or refused
    secret = _private_key(private).exchange(ec.ECDH(), theirs)
    algorithm = str(header["enc"])
    bits = KEY_BITS[algorithm]
    info = b"".join(
        len(part).to_bytes(4, "big") + part
        for part in (algorithm.encode(), _party(header, "apu"), _party(header, "apv"))
    )
    derivation = ConcatKDFHash(SHA256(), bits // 8, info + bits.to_bytes(4, "big"))
    return derivation.derive(secret)


def _party(header: Mapping[str, Any], name: str) -> bytes:
    value = header.get(name, "")
    if not isinstance(value, str) or len(value) > 1024:
        raise ValueError(name)
    return jose.decode(value, _REASON)


def _private_key(private: Mapping[str, Any]) -> ec.EllipticCurvePrivateKey:
    x, y, d = (int.from_bytes(jose.decode(private[name], _REASON), "big") for name in "xyd")
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1())
    return ec.EllipticCurvePrivateNumbers(d, public).private_key()
