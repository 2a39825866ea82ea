"""Signed request objects: an authorization request as a JWT of the relying party (RFC 9101).

By value (`request`), at `/oauth/authorize` and at `/oauth/par`; by reference only to what was pushed
(`par.py`), so nothing is ever fetched. Where there is an object, its values are the whole request, and
what stands beside it is not read (§6.3, A-019). Encrypted objects are not taken (A-022).
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from idp import jws
from idp.events import Reason
from idp.oidc import assertions, replay
from idp.oidc.parameters import MAX_PARAMETERS, Parameters, is_unclean
from idp.oidc.way_back import page_error, refused
from idp.relying_parties import RelyingParty
from idp.services import services

TYP = "oauth-authz-req+jwt"  # §10.8: a JWT made for anything else is none of these
RULES = jws.Rules(frozenset(assertions.ALGORITHMS), frozenset({TYP}))
MAX_LIFE_S = 60
MAX_AGE_S = 3600  # of `nbf` (FAPI 2.0 Message Signing §5.3.1)
SKEW_S = 10  # how far ahead `iat` and `nbf` may lie: clocks differ
MAX_JTI = 256
_OF_THE_JWT = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "sub"})


def unwrapped(given: Parameters, party: RelyingParty) -> Parameters:
    """What is asked: the members of the object, or the parameters themselves where there is none.

    RequestError, with may_redirect where the fault concerns the relying party.
    """
    if "request" not in given:
        if party.require_signed_request_object:
            raise refused("invalid_request", "the request must be signed", Reason.REQUEST_OBJECT)
        return given
    if "request_uri" in given:
        raise refused("invalid_request", "request and request_uri", Reason.REQUEST_OBJECT)
    try:
        claims = services().key_sets.verify(given["request"], party, RULES)  # 1. signed by it
        expires_at = _check(claims, party)  # 2. made for us, now
        members = {name: _text(name, claims[name]) for name in claims.keys() - _OF_THE_JWT}
        if members.get("client_id") != party.client_id:  # 3. the same client outside (§5)
            raise page_error(
                "invalid_request", Reason.REQUEST_OBJECT, "another client_id inside", party
            )
        _spend(claims["jti"], party, expires_at)  # 4. for the first time
    except jws.NotGenuine as error:
        raise refused(
            "invalid_request_object", "the request object is not valid", Reason.REQUEST_OBJECT
        ) from error
    return {name: text for name, text in members.items() if text}


def _check(claims: Mapping[str, Any], party: RelyingParty) -> datetime:
    """Until when its id must be remembered (§6.2). NotGenuine when it is not for us and for now."""
    if claims.get("iss", party.client_id) != party.client_id:
        raise jws.NotGenuine("iss must be the client")
    issuer = services().settings.issuer
    if claims.get("aud") not in (issuer, [issuer]):
        raise jws.NotGenuine("aud must be the issuer")
    if len(claims) > MAX_PARAMETERS:
        raise jws.NotGenuine("too many members")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= MAX_JTI:
        raise jws.NotGenuine("jti")
    return _expiry(claims, party)


def _spend(jti: str, party: RelyingParty, expires_at: datetime) -> None:
    if not replay.is_first(f"request {party.client_id}", jti, expires_at):
        raise jws.NotGenuine("spent before")


def _expiry(claims: Mapping[str, Any], party: RelyingParty) -> datetime:
    """It lives a minute, by the party's own clock where that is a little ahead of ours."""
    now = int(services().now().timestamp())
    issued_at, not_before = jws.seconds(claims, "iat"), jws.seconds(claims, "nbf")
    if not_before is None and party.profile == "fapi2":
        raise jws.NotGenuine("nbf is missing")
    if not_before is not None and not_before < now - MAX_AGE_S:
        raise jws.NotGenuine("nbf is long past")
    begins = max(now, issued_at or 0, not_before or 0)
    if begins > now + SKEW_S:
        raise jws.NotGenuine("iat or nbf is in the future")
    expires_at = jws.seconds(claims, "exp")
    if expires_at is None or not now < expires_at <= begins + MAX_LIFE_S:
        raise jws.NotGenuine("exp is missing, past, or too far ahead")
    return datetime.fromtimestamp(expires_at, UTC) + timedelta(seconds=SKEW_S)


def _text(name: str, value: Any) -> str:
    """A member as the parameter it stands for (§4; OIDC Core §6.1). NotGenuine for any other form."""
    if name == "claims" and isinstance(value, dict):
        return json.dumps(value)
    if name == "max_age" and type(value) is int:
        return str(value)
    if name == "resource" and isinstance(value, list) and all(isinstance(v, str) for v in value):
        value = " ".join(value)
    if not isinstance(value, str) or is_unclean(value):
        raise jws.NotGenuine(f"{name[:64]} is not a text")
    return value
