"""DPoP proofs: whoever calls holds a private key, and made this proof for this call (RFC 9449 §4).

Pure: no clock, no store, no HTTP. Whether a proof comes for the first time, and whether its nonce is
one of ours, is asked by `sender.py`, which has the store.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idp import jws

ALGORITHMS = ("ES256", "PS256", "EdDSA", "Ed25519")  # the last two are one (RFC 9864)
RULES = jws.Rules(frozenset(ALGORITHMS), frozenset({"dpop+jwt"}))
MAX_AGE_S = 120  # of `iat`; clocks differ, and the nonce alone says that a proof is new
AHEAD_S = 60  # how far ahead `iat` may lie
MAX_JTI = 256


@dataclass(frozen=True, slots=True)
class Call:
    """What a proof must be made for."""

    method: str
    address: str  # without query and fragment
    at: int  # seconds since 1970
    access_token: str = ""  # the one it comes with, "" where none does


@dataclass(frozen=True, slots=True)
class Proof:
    """A genuine proof for this call. Whether it is the first with this `jti` is not known here."""

    thumbprint: str  # RFC 7638, SHA-256: `jkt`
    jti: str
    nonce: str  # "" when it has none


def read(text: str, call: Call) -> Proof:
    """The checks of RFC 9449 §4.3, by its numbers. NotGenuine when one fails.

    Not here: 1, one header only (a second one makes the text no JWT), 10 and the replay of `jti`.
    """
    header = jws.read_header(text, RULES)  # 2, 4, 5. a JWT, of this type, with such an algorithm
    jwk = _public_jwk(header)  # 7. a public key
    key = jws.public_key(jws.text_of(jwk))
    claims = jws.open_with(text, header["alg"], key)  # 6. that signed it
    issued_at, jti = jws.seconds(claims, "iat"), claims.get("jti")
    if issued_at is None or not isinstance(jti, str) or not 1 <= len(jti) <= MAX_JTI:  # 3. claims
        raise jws.NotGenuine("iat or jti")
    if claims.get("htm") != call.method:  # 8. the method
        raise jws.NotGenuine("htm is another method")
    if claims.get("htu") != call.address:  # 9. the address, as discovery spells it
        raise jws.NotGenuine("htu is another address")
    if not call.at - MAX_AGE_S <= issued_at <= call.at + AHEAD_S:  # 11. made now
        raise jws.NotGenuine("iat is not now")
    if call.access_token:  # 12. for this token; whether the token is for this key, the caller asks
        _check_hash(claims.get("ath"), call.access_token)
    return Proof(jws.thumbprint(jwk), jti, _nonce(claims))


def _public_jwk(header: Mapping[str, Any]) -> Mapping[str, Any]:
    jwk = header.get("jwk")
    if not isinstance(jwk, dict) or jws.PRIVATE_MEMBERS & jwk.keys():
        raise jws.NotGenuine("jwk is not a public key")
    return jwk


def _check_hash(ath: Any, access_token: str) -> None:
    made = jws.encode(hashlib.sha256(access_token.encode()).digest())
    if not isinstance(ath, str) or not hmac.compare_digest(ath.encode(), made.encode()):
        raise jws.NotGenuine("ath is of another token")


def _nonce(claims: Mapping[str, Any]) -> str:
    nonce = claims.get("nonce", "")
    if not isinstance(nonce, str):
        raise jws.NotGenuine("nonce is not a text")
    return nonce
