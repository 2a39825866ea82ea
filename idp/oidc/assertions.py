"""`private_key_jwt`: a client proves itself with its key (OIDC Core §9, RFC 7523 §3, FAPI 2.0 §5.3.2.1)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from idp import jws
from idp.oidc import replay
from idp.relying_parties import RelyingParty
from idp.services import services

ALGORITHMS = ("ES256", "PS256", "EdDSA", "Ed25519")  # the last two are one (RFC 9864)
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
RULES = jws.Rules(frozenset(ALGORITHMS), frozenset({"", "jwt", "client-authentication+jwt"}))
MAX_AHEAD_S = 300  # how far ahead `exp` may lie
SKEW_S = 60  # how far ahead `iat` and `nbf` may lie: clocks differ
MAX_JTI = 256


def check(assertion: str, party: RelyingParty) -> None:
    """Does nothing when this is the client's own, fresh and unspent assertion. NotGenuine otherwise."""
    claims = services().key_sets.verify(assertion, party, RULES)  # 1. signed with its key
    if claims.get("iss") != party.client_id or claims.get("sub") != party.client_id:  # 2. itself
        raise jws.NotGenuine("iss and sub must be the client")
    if claims.get("aud") != services().settings.issuer:  # 3. for us, as a string only
        raise jws.NotGenuine("aud must be the issuer")
    expires_at = _expiry(claims)  # 4. in time
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= MAX_JTI:  # 5. with an id
        raise jws.NotGenuine("jti")
    if not replay.is_first(party.client_id, jti, expires_at):  # 6. for the first time
        raise jws.NotGenuine("spent before")


def client_of(assertion: str) -> str:
    """The client an assertion claims to be from; untrusted. NotGenuine when it says nothing."""
    claims: Mapping[str, Any] = jws.unverified_claims(assertion, RULES)
    subject = claims.get("sub")
    if not isinstance(subject, str):
        raise jws.NotGenuine("sub")
    return subject


def _expiry(claims: Mapping[str, Any]) -> datetime:
    """Until when its id must be remembered: clocks of several hosts may differ."""
    now = int(services().now().timestamp())
    expires_at = jws.seconds(claims, "exp")
    if expires_at is None or not now < expires_at <= now + MAX_AHEAD_S:
        raise jws.NotGenuine("exp is missing, past, or too far ahead")
    issued_at, not_before = jws.seconds(claims, "iat"), jws.seconds(claims, "nbf")
    if max(issued_at or 0, not_before or 0) > now + SKEW_S:
        raise jws.NotGenuine("iat or nbf is in the future")
    return datetime.fromtimestamp(expires_at + SKEW_S, UTC)
