"""Encrypting to a relying party: a compact JWE for one of its public keys (RFC 7516 §3.1).

joserfc does the cryptography, with a content key and an ephemeral key of each answer's own. Pure: no store.
"""

from collections.abc import Mapping
from typing import Any

from joserfc.jwe import JWERegistry, encrypt_compact

from idp import jws

KEY_TYPES = {
    "ECDH-ES": "EC",
    "ECDH-ES+A128KW": "EC",
    "ECDH-ES+A256KW": "EC",
    "RSA-OAEP-256": "RSA",
}
METHODS = ("A128CBC-HS256", "A128GCM", "A256GCM")
DEFAULT_METHOD = "A128CBC-HS256"  # where only an algorithm is registered (OIDC Registration §2)
_ENCRYPTING = frozenset({"encrypt", "wrapKey", "deriveKey", "deriveBits"})  # RFC 7517 §4.3
_REGISTRY = JWERegistry(algorithms=[*KEY_TYPES, *METHODS])


def encrypt(token: str, jwks: Mapping[str, Any], algorithm: str, method: str) -> str:
    """A JWT, readable to the owner of these keys alone (RFC 7519 §5.2). NotGenuine when none fits."""
    jwk = key_for(jwks, algorithm)
    header = {
        "alg": algorithm,
        "enc": method or DEFAULT_METHOD,
        "kid": jwk["kid"],
        "cty": "JWT",
    }
    return encrypt_compact(header, token, jws.public_key(jws.text_of(jwk)), registry=_REGISTRY)


def key_for(jwks: Mapping[str, Any], algorithm: str) -> Mapping[str, Any]:
    """The first key for this algorithm, one that says it is for encryption before others. NotGenuine."""
    fitting = [key for key in jwks.get("keys", ()) if _fits(key, algorithm)]
    fitting.sort(key=lambda key: "use" not in key)
    if not fitting:
        raise jws.NotGenuine(f"no key to encrypt to with {algorithm}")
    found: Mapping[str, Any] = fitting[0]
    return found


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    uses = key.get("key_ops", _ENCRYPTING)
    return (
        key.get("kty") == KEY_TYPES[algorithm]
        and key.get("use", "enc") == "enc"
        and key.get("alg", algorithm) == algorithm
        and isinstance(uses, list | frozenset)
        and not _ENCRYPTING.isdisjoint(use for use in uses if isinstance(use, str))
    )
