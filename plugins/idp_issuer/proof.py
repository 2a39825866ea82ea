"""A wallet's proof that it holds a key (OpenID4VCI 1.0 Appendix F.1): checks only, no store, no clock."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from idp.contracts import JsonObject
from idp.errors import RequestError
from idp.events import Reason
from idp_issuer.wire import NotStrict, base64url, json_object, refusal

MAX_LENGTH = 16384  # room for a key attestation or a chain, which we ignore
MAX_AGE_S = 300
SKEW_S = 60
_KEY_PARAMETERS = ("jwk", "kid", "x5c", "trust_chain")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class _Registry(jws.JWSRegistry):
    """Header parameters that we do not know are ignored, as long as `crit` does not name them."""

    max_header_length = MAX_LENGTH


_REGISTRY = _Registry(algorithms=["ES256"], strict_check_header=False)


@dataclass(frozen=True, slots=True)
class HolderKey:
    """The key a wallet proved to hold, and the nonce it signed, which is not yet known to be ours."""

    jwk: JsonObject  # {"kty", "crv", "x", "y"} and nothing else
    thumbprint: str  # RFC 7638
    nonce: str


def check(jwt: str, issuer: str, now: datetime, client_id: str) -> HolderKey:
    """The key of a proof, verified in all but its nonce. RequestError("invalid_proof").

    `issuer` is our Credential Issuer Identifier; `client_id` what the wallet called itself at the
    token endpoint, "" when anonymous.
    """
    # 1 three parts, each strict
    header, claims = _parts(jwt)
    # 2 typ, alg, nothing critical, exactly one key
    _check_header(header)
    # 3 a public P-256 key
    key = _public_key(header["jwk"])
    # 4 the signature
    _verify(jwt, key)
    # 5 for us, now, by whom
    _check_claims(claims, issuer, client_id)
    _check_times(claims, int(now.timestamp()))
    # 6 a nonce; without one the proof is at fault, not the nonce (§8.3.1.2)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not 1 <= len(nonce) <= 128:
        raise _invalid("the proof has no nonce")
    public = key.as_dict(private=False)
    jwk = {name: public[name] for name in ("kty", "crv", "x", "y")}
    return HolderKey(jwk=jwk, thumbprint=key.thumbprint(), nonce=nonce)


def _invalid(public: str) -> RequestError:
    return refusal("invalid_proof", public, Reason.HOLDER_PROOF)


def _parts(jwt: str) -> tuple[dict[str, Any], dict[str, Any]]:
    parts = jwt.split(".")
    if len(jwt) > MAX_LENGTH or len(parts) != 3:
        raise _invalid("the proof is not a compact JWS")
    try:
        header, claims, _ = map(base64url, parts)
        return json_object(header), json_object(claims)
    except NotStrict as error:
        raise _invalid("the proof is malformed") from error


def _check_header(header: JsonObject) -> None:
    if header.get("typ") != "openid4vci-proof+jwt":
        raise _invalid("typ is not openid4vci-proof+jwt")
    if header.get("alg") != "ES256":
        raise _invalid("alg is not ES256")
    if {"crit", "b64", "cty", "zip"} & header.keys():
        raise _invalid("a header parameter is not supported")
    named = [name for name in _KEY_PARAMETERS if name in header]
    if named != ["jwk"]:
        raise _invalid("exactly one key is needed, as jwk")


def _public_key(jwk: Any) -> ECKey:
    """An EC key on P-256, given canonically and without any private part."""
    if not isinstance(jwk, dict):
        raise _invalid("jwk is not an object")
    if _PRIVATE & jwk.keys():
        raise _invalid("jwk holds a private key")
    if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256":
        raise _invalid("the key is not on P-256")
    if jwk.get("use", "sig") != "sig" or jwk.get("alg", "ES256") != "ES256":
        raise _invalid("the key is not for ES256")
    x, y = jwk.get("x"), jwk.get("y")
    if not isinstance(x, str) or not isinstance(y, str):
        raise _invalid("a coordinate is missing")
    try:
        if len(base64url(x)) != 32 or len(base64url(y)) != 32:
            raise _invalid("a coordinate is not 32 bytes")
        return ECKey.import_key({"kty": "EC", "crv": "P-256", "x": x, "y": y})
    except (JoseError, ValueError) as error:
        raise _invalid("the key is not a point of P-256") from error


def _verify(jwt: str, key: ECKey) -> None:
    try:
        jws.deserialize_compact(jwt, key, registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise _invalid("the signature does not verify") from error


def _check_claims(claims: JsonObject, issuer: str, client_id: str) -> None:
    if claims.get("aud") != issuer:
        raise _invalid("aud is not this issuer")
    # Anonymous at the token endpoint: there must be no iss (Appendix F.1).
    if "iss" in claims and (not client_id or claims["iss"] != client_id):
        raise _invalid("iss is not the client of the access token")


def _check_times(claims: JsonObject, now: int) -> None:
    times = {name: claims[name] for name in ("iat", "exp", "nbf") if name in claims}
    if any(type(value) is not int for value in times.values()):  # a bool is an int to isinstance
        raise _invalid("a time is not a whole number")
    if "iat" not in times or not now - MAX_AGE_S <= times["iat"] <= now + SKEW_S:
        raise _invalid("iat is not now")
    if times.get("exp", now) < now - SKEW_S or times.get("nbf", now) > now + SKEW_S:
        raise _invalid("the proof is not valid now")
