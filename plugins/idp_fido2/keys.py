"""Credentials' public keys: COSE_Key in exactly one form for each algorithm (WebAuthn L3 §5.8.5).

SHA-1 (-65535) and whatever else is not listed cannot be offered, hence not registered (A-199).
"""

from typing import Any

from cryptography.exceptions import InvalidSignature
from fido2.cose import CoseKey

from idp.events import Reason
from idp_fido2 import strict

ALGORITHMS = {"ES256": -7, "EdDSA": -8, "ES384": -35, "RS256": -257}
_KTY, _ALG, _CRV, _X, _Y = 1, 3, -1, -2, -3
_N, _E = -1, -2  # of an RSA key
_OKP, _EC2, _RSA = 1, 2, 3
_CURVES = {-7: (_EC2, 1, 32), -8: (_OKP, 6, 32), -35: (_EC2, 2, 48)}  # kty, crv, bytes of a number
_RSA_EXPONENT = b"\x01\x00\x01"
_RSA_BYTES = range(256, 513)  # 2048 to 4096 bits


def read(cose: bytes) -> CoseKey:
    """A key of exactly the members that its algorithm has. ProofRejected(PASSKEY_ALGORITHM)."""
    members, rest = strict.load_cbor_map(cose)
    if rest:
        strict.malformed("a public key goes on after its end")
    if not (_is_curve_key(members) or _is_rsa_key(members)):
        strict.reject(Reason.PASSKEY_ALGORITHM, "a public key of a form that is not allowed")
    return CoseKey.parse(members)


def _is_curve_key(members: dict[Any, Any]) -> bool:
    for algorithm, (kty, crv, size) in _CURVES.items():
        numbers = (_X, _Y) if kty == _EC2 else (_X,)
        if _has(members, {_KTY: kty, _ALG: algorithm, _CRV: crv}, numbers):
            return all(len(members[number]) == size for number in numbers)
    return False


def _is_rsa_key(members: dict[Any, Any]) -> bool:
    return (
        _has(members, {_KTY: _RSA, _ALG: ALGORITHMS["RS256"], _E: _RSA_EXPONENT}, (_N,))
        and len(members[_N]) in _RSA_BYTES
        and members[_N][0] >= 0x80
    )


def _has(members: dict[Any, Any], fixed: dict[int, Any], numbers: tuple[int, ...]) -> bool:
    """Whether there are these members with these values, these byte strings, and nothing else."""
    return (
        members.keys() == {*fixed, *numbers}
        and all(repr(members[label]) == repr(value) for label, value in fixed.items())
        and all(isinstance(members[number], bytes) for number in numbers)
    )


def verify(key: CoseKey, signed: bytes, signature: bytes) -> None:
    """Does nothing when `signature` is the key's. ProofRejected(PASSKEY_SIGNATURE)."""
    try:
        key.verify(signed, signature)
    except (InvalidSignature, ValueError) as error:  # ValueError: the point is not on the curve
        strict.reject(Reason.PASSKEY_SIGNATURE, "the signature is not the key's", error)
