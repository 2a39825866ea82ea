"""Selective disclosure: SD-JWT with key binding (RFC 9901). Pure, with no clock of its own.

    <issuer-signed JWT>~<disclosure>~...~<disclosure>~<key-binding JWT>

`split` takes a presentation apart, `disclose` puts the disclosed claims where their digests stand
(§7.1), `check_key_binding` verifies that the holder made it for us and now (§7.3). The signature of
the issuer is the caller's to verify, before `disclose`.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from idp.contracts import JsonObject
from idp.events import Reason
from idp_mobile_id import jose

LIMIT = 256 * 1024  # characters: a portrait may be among the disclosures (E7)
MAX_DISCLOSURES = 64
CREDENTIAL_TYP = "dc+sd-jwt"
KEY_BINDING_TYP = "kb+jwt"
# What an issuer must say openly (SD-JWT VC §2.2.2.2), and what steers the processing itself.
_NEVER_DISCLOSED = frozenset(
    {"iss", "nbf", "exp", "iat", "cnf", "vct", "vct#integrity", "status", "aud", "_sd_alg"}
)


@dataclass(frozen=True, slots=True)
class Presentation:
    """A presentation taken apart; nothing in it is verified yet."""

    credential: jose.Jws
    disclosures: tuple[str, ...]
    key_binding: str
    bound: bytes  # what `sd_hash` covers: everything up to and with the last "~"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a key-binding JWT must say."""

    nonce: str
    audience: str  # our whole client_id, prefix included (VP §14.1.2)
    now: int
    past_s: int  # how old it may be
    future_s: int  # how far a phone's clock may be ahead


def split(text: str) -> Presentation:
    """Take a presentation apart (§4). ProofRejected: PROOF_MALFORMED, HOLDER_BINDING, DISCLOSURE."""
    if len(text) > LIMIT or not text.isascii():
        jose.reject(Reason.PROOF_MALFORMED, "a presentation too long or not ASCII")
    head, tilde, key_binding = text.rpartition("~")
    if not tilde:
        jose.reject(Reason.PROOF_MALFORMED, "no SD-JWT")
    if not key_binding:
        jose.reject(Reason.HOLDER_BINDING, "no key-binding JWT")
    token, *disclosures = head.split("~", MAX_DISCLOSURES + 1)
    if len(disclosures) > MAX_DISCLOSURES:
        jose.reject(Reason.DISCLOSURE, "too many disclosures")
    return Presentation(
        credential=jose.parse_jws(token, CREDENTIAL_TYP, Reason.ISSUER_SIGNATURE),
        disclosures=tuple(disclosures),
        key_binding=key_binding,
        bound=f"{head}~".encode("ascii"),
    )


def digest(data: bytes) -> str:
    """SHA-256 in base64url: of a disclosure's text (§4.2.3), of a presentation (§4.3)."""
    return jose.encode(sha256(data).digest())


def disclose(claims: JsonObject, disclosures: tuple[str, ...]) -> dict[str, Any]:
    """The claims with what was disclosed in its place and all digests gone (§7.1).

    `claims` is the verified payload. ProofRejected(DISCLOSURE) when a digest occurs twice, a
    disclosure belongs nowhere, or a claim would be overwritten.
    """
    if claims.get("_sd_alg", "sha-256") != "sha-256":
        jose.reject(Reason.DISCLOSURE, "_sd_alg is not sha-256")
    work = _Work({})
    for disclosure in disclosures:
        key = digest(disclosure.encode("ascii"))
        if key in work.open:
            jose.reject(Reason.DISCLOSURE, "a disclosure twice")
        work.open[key] = _parse(disclosure)
    opened = {name: value for name, value in claims.items() if name != "_sd_alg"}
    result = _object(opened, work, 0)
    if work.open:
        jose.reject(Reason.DISCLOSURE, "a disclosure that no digest refers to")
    return result


@dataclass(slots=True)
class _Work:
    """What is still to be placed, and every digest met so far."""

    open: dict[str, list[Any]]
    met: set[str] = field(default_factory=set)

    def take(self, key: Any, length: int) -> list[Any] | None:
        """The disclosure of a digest, once; None for a decoy or what was not disclosed."""
        if not isinstance(key, str) or key in self.met:
            jose.reject(Reason.DISCLOSURE, "a digest twice, or none")
        self.met.add(key)
        found = self.open.pop(key, None)
        if found is not None and len(found) != length:
            jose.reject(Reason.DISCLOSURE, "a disclosure of the wrong kind")
        return found


def _parse(disclosure: str) -> list[Any]:
    """[salt, name, value] or [salt, value] (§4.2.1, §4.2.2)."""
    value = jose.load_json(jose.decode(disclosure, Reason.DISCLOSURE), Reason.DISCLOSURE)
    if not isinstance(value, list) or len(value) not in (2, 3) or not isinstance(value[0], str):
        jose.reject(Reason.DISCLOSURE, "not a disclosure")
    if len(value) == 3 and (not isinstance(value[1], str) or value[1] in ("_sd", "...")):
        jose.reject(Reason.DISCLOSURE, "a disclosure with a forbidden name")
    return value


def _value(value: Any, work: _Work, depth: int) -> Any:
    if depth > jose.MAX_DEPTH:
        jose.reject(Reason.DISCLOSURE, "too deep")
    if isinstance(value, dict):
        return _object(value, work, depth)
    if isinstance(value, list):
        return _array(value, work, depth)
    return value


def _object(value: Mapping[str, Any], work: _Work, depth: int) -> dict[str, Any]:
    """§7.1 step 3.c: the claims of `_sd` join the object."""
    if "..." in value or "_sd_alg" in value:
        jose.reject(Reason.DISCLOSURE, "a reserved name out of its place")
    digests = value.get("_sd", [])
    if not isinstance(digests, list):
        jose.reject(Reason.DISCLOSURE, "_sd is not a list")
    result = {
        name: _value(member, work, depth + 1) for name, member in value.items() if name != "_sd"
    }
    for key in digests:
        found = work.take(key, 3)
        if found is None:
            continue
        name = found[1]
        if name in result or (depth == 0 and name in _NEVER_DISCLOSED):
            jose.reject(Reason.DISCLOSURE, "a disclosure over a claim that stands")
        result[name] = _value(found[2], work, depth + 1)
    return result


def _array(value: list[Any], work: _Work, depth: int) -> list[Any]:
    """§7.1 step 3.d: elements `{"...": digest}` are replaced, or left out."""
    result = []
    for element in value:
        if not (isinstance(element, dict) and "..." in element):
            result.append(_value(element, work, depth + 1))
            continue
        if len(element) != 1:
            jose.reject(Reason.DISCLOSURE, "a digest with company")
        found = work.take(element["..."], 2)
        if found is not None:
            result.append(_value(found[1], work, depth + 1))
    return result


def check_key_binding(presentation: Presentation, cnf: Any, expected: Expected) -> None:
    """Does nothing when the holder of `cnf` made this presentation for us, now (§7.3).

    ProofRejected: HOLDER_BINDING, HOLDER_NONCE, HOLDER_AUDIENCE, HOLDER_TIME, HOLDER_HASH.
    """
    if not isinstance(cnf, dict):
        jose.reject(Reason.HOLDER_BINDING, "no cnf")
    key = jose.public_key(cnf.get("jwk"), Reason.HOLDER_BINDING)
    jws = jose.parse_jws(presentation.key_binding, KEY_BINDING_TYP, Reason.HOLDER_BINDING)
    jose.verify_es256(jws, key, Reason.HOLDER_BINDING)
    _equal(jws.claims, "nonce", expected.nonce, Reason.HOLDER_NONCE)
    _equal(jws.claims, "aud", expected.audience, Reason.HOLDER_AUDIENCE)
    issued = jose.moment(jws.claims, "iat", Reason.HOLDER_TIME)
    if issued is None or not -expected.future_s <= expected.now - issued <= expected.past_s:
        jose.reject(Reason.HOLDER_TIME, "the key-binding JWT is not of now")
    expires = jose.moment(jws.claims, "exp", Reason.HOLDER_TIME)
    if expires is not None and expected.now >= expires:
        jose.reject(Reason.HOLDER_TIME, "the key-binding JWT has expired")
    _equal(jws.claims, "sd_hash", digest(presentation.bound), Reason.HOLDER_HASH)


def _equal(claims: JsonObject, name: str, value: str, reason: Reason) -> None:
    found = claims.get(name)
    if not isinstance(found, str) or not hmac.compare_digest(found.encode(), value.encode()):
        jose.reject(reason, f"{name} is not ours")
