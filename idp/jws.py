"""Reading a compact JWS strictly: one spelling, one key, a named type (RFC 7515, RFC 8725).

joserfc does the signatures; what it leaves open is closed here: duplicate members, depth, other
spellings of the same base64url, `crit`, nesting, and any key that the token itself brings. Pure: no
clock, no store. Claims are checked by the caller, who knows what the token is for.
"""

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key
from joserfc.jws import JWSRegistry

MAX_CHARACTERS = 16 * 1024
MAX_DEPTH = 32
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_KEY_TYPES = {
    "ES256": "EC",
    "RS256": "RSA",
    "PS256": "RSA",
    "EdDSA": "OKP",
    "Ed25519": "OKP",
}
_SHAPES = {"EC": ("crv", "x", "y"), "RSA": ("n", "e"), "OKP": ("crv", "x")}
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class NotGenuine(Exception):
    """A token that does not verify. The caller says what that means; the text is for the log."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a kind of token may look like."""

    algorithms: frozenset[str]
    types: frozenset[str]  # of the `typ` header in lower case; "" where it may be missing


def verify(token: str, jwks: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    """The claims of a token signed by one of these keys (RFC 7515 §5.2). NotGenuine otherwise."""
    header = read_header(token, rules)  # 1. form, type, algorithm
    key = public_key(text_of(_key(header, jwks)))  # 2. a key we know, never one it brings
    return open_with(token, header["alg"], key)  # 3. signature, then the claims


def read_header(token: str, rules: Rules) -> dict[str, Any]:
    """The header, untrusted but well formed and allowed by the rules. NotGenuine otherwise."""
    if len(token) > MAX_CHARACTERS or not _COMPACT.fullmatch(token):
        raise NotGenuine("not a compact JWS")
    header = json_object(_decode(token.partition(".")[0]))
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in rules.algorithms:
        raise NotGenuine("algorithm not allowed")
    if {"crit", "b64", "cty", "zip", "enc"} & header.keys():
        raise NotGenuine("a header that changes the meaning")
    typ = header.get("typ", "")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in rules.types:
        raise NotGenuine("another type of token")
    return header


def unverified_claims(token: str, rules: Rules) -> dict[str, Any]:
    """The claims before any key is known: only to find whose key it should be. NotGenuine."""
    read_header(token, rules)
    return json_object(_decode(token.split(".")[1]))


def open_with(token: str, algorithm: str, key: Key) -> dict[str, Any]:
    """The claims, when this key made the signature; `read_header` has passed. NotGenuine otherwise."""
    signed, _, signature = token.rpartition(".")
    try:
        model = JWSRegistry.algorithms[algorithm]
        model.check_key(key)
        genuine = model.verify(signed.encode(), _decode(signature), key)
    except (JoseError, ValueError) as error:
        raise NotGenuine("key and algorithm do not fit") from error
    if not genuine:
        raise NotGenuine("signature")
    return json_object(_decode(signed.partition(".")[2]))


def find_key(jwks: Mapping[str, Any], kid: str) -> Mapping[str, Any]:
    """The one key with this id. NotGenuine when there is none, or more than one."""
    found = [key for key in jwks.get("keys", ()) if key.get("kid") == kid]
    if len(found) != 1:
        raise NotGenuine("unknown kid")
    one: Mapping[str, Any] = found[0]
    return one


def text_of(jwk: Mapping[str, Any]) -> str:
    """One spelling of a JWK: what `public_key` caches by."""
    return json.dumps(jwk, sort_keys=True)


@lru_cache(maxsize=1024)
def public_key(jwk_text: str) -> Key:
    """A JWK as a key object, its public members only; cached, since importing costs more than using."""
    jwk = json.loads(jwk_text)
    kty = jwk.get("kty")
    if (
        not isinstance(kty, str)
        or kty not in _SHAPES
        or (kty in _CURVES and jwk.get("crv") != _CURVES[kty])
    ):
        raise NotGenuine("key type or curve not allowed")
    members = {name: jwk.get(name) for name in _SHAPES[kty]}
    if not all(isinstance(value, str) for value in members.values()):
        raise NotGenuine("a member of the key is missing")
    if kty == "RSA" and not 2048 <= _bits(members["n"]) <= 8192:
        raise NotGenuine("RSA key too short or too long")
    try:
        return import_key({"kty": kty, **members})
    except (JoseError, ValueError) as error:
        raise NotGenuine("not a key") from error


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """SHA-256 over the required members of a JWK that `public_key` takes (RFC 7638 §3)."""
    members = {name: jwk[name] for name in ("kty", *_SHAPES[jwk["kty"]])}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return encode(hashlib.sha256(text.encode()).digest())


def encode(octets: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def _bits(number: str) -> int:
    return int.from_bytes(_decode(number), "big").bit_length()


def seconds(claims: Mapping[str, Any], name: str) -> int | None:
    """A NumericDate claim: a whole number and nothing that only looks like one (A-104)."""
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise NotGenuine(f"{name} is not a time")
    return value


def _key(header: Mapping[str, Any], jwks: Mapping[str, Any]) -> Mapping[str, Any]:
    kid = header.get("kid")
    if isinstance(kid, str):
        return find_key(jwks, kid)
    wanted = _KEY_TYPES[header["alg"]]
    found = [key for key in jwks.get("keys", ()) if key.get("kty") == wanted]
    if kid is not None or len(found) != 1:
        raise NotGenuine("no kid, and not one key only")
    one: Mapping[str, Any] = found[0]
    return one


def _decode(part: str) -> bytes:
    try:
        octets = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as error:
        raise NotGenuine("base64url") from error
    # Another spelling of the same bytes would slip past a list of spent tokens.
    if encode(octets) != part:
        raise NotGenuine("base64url is not canonical")
    return octets


def json_object(octets: bytes) -> dict[str, Any]:
    """A JSON object that all readers read alike (A-104, A-105). NotGenuine otherwise."""
    try:
        value = json.loads(
            octets.decode("utf-8"), object_pairs_hook=_members, parse_constant=_refuse
        )
        depth = _depth(value)
    except (ValueError, RecursionError) as error:
        raise NotGenuine("JSON") from error
    if not isinstance(value, dict) or depth > MAX_DEPTH:
        raise NotGenuine("not an object, or too deep")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotGenuine("a member stands twice")
    for name in members:
        _check_text(name)
    return members


def _refuse(constant: str) -> None:
    raise NotGenuine(f"{constant} is not JSON")


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    if isinstance(value, str):
        _check_text(value)
    return 0


def _check_text(text: str) -> None:
    """NUL and lone surrogates are JSON, but no store and no comparison of ours takes them."""
    if "\0" in text:
        raise NotGenuine("NUL in a text")
    if not text.isascii():
        text.encode()  # UnicodeEncodeError is a ValueError
