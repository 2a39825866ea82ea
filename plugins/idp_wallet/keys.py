"""JOSE as the wallet needs it: the holder's key, checking a signature, encrypting an answer."""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate
from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from idp_wallet.encoding import decode, dump, parse_object


class _WithChain(jws.JWSRegistry):
    """ES256 only; headers long enough for a certificate chain."""

    max_header_length = 16 * 1024
    max_payload_length = 256 * 1024


_REGISTRY = _WithChain(algorithms=["ES256"], strict_check_header=False)
_ENCRYPTION = jwe.JWERegistry(algorithms=["ECDH-ES", "A128GCM", "A256GCM"])


def new_key() -> ECKey:
    """A fresh P-256 key for one card."""
    return ECKey.generate_key("P-256", auto_kid=False)


def public_jwk(key: ECKey) -> dict[str, str]:
    """The public half, with nothing that would single the key out beside itself."""
    public = key.as_dict(private=False)
    return {name: str(public[name]) for name in ("kty", "crv", "x", "y")}


def sign(typ: str, claims: Mapping[str, Any], key: ECKey, **header: Any) -> str:
    """A compact JWS with ES256."""
    protected = {"alg": "ES256", "typ": typ, **header}
    return jws.serialize_compact(protected, dump(claims), key, registry=_REGISTRY)


def peek_header(token: str) -> dict[str, Any]:
    """The protected header, unverified. ValueError."""
    parts = token.split(".")
    if len(parts) != 3:
        raise ValueError("not a compact JWS")
    header = parse_object(decode(parts[0]))
    if "crit" in header:  # nothing that must be understood is understood here
        raise ValueError("crit")
    return header


def verify(token: str, certificate: Certificate) -> dict[str, Any]:
    """The claims of a JWS that this certificate's P-256 key signed with ES256. ValueError."""
    public = certificate.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(
        public.curve, ec.SECP256R1
    ):
        raise ValueError("not a P-256 certificate")  # noqa: TRY004 - what came in is at fault
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        found = jws.deserialize_compact(token, ECKey.import_key(pem), registry=_REGISTRY)
    except JoseError as error:
        raise ValueError("signature") from error
    return parse_object(found.payload)


def encrypt(claims: Mapping[str, Any], jwk: Mapping[str, Any], enc: str) -> str:
    """A compact JWE, ECDH-ES to a P-256 key; its `kid` says which (VP 1.0 §8.3). ValueError."""
    if (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
        raise ValueError("not a P-256 key")
    header = {"alg": "ECDH-ES", "enc": enc}
    if jwk.get("kid"):
        header["kid"] = str(jwk["kid"])
    public: dict[str, str | list[str]] = {name: str(jwk[name]) for name in ("kty", "crv", "x", "y")}
    try:
        key = ECKey.import_key(public)
        return jwe.encrypt_compact(header, dump(claims), key, registry=_ENCRYPTION)
    except (JoseError, ValueError) as error:
        raise ValueError("the key to encrypt to") from error
