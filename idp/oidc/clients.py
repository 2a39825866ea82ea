"""Which client calls: one method of authentication, the registered one, one answer to every failure.

RFC 6749 §2.3, §5.2; E5.
"""

from base64 import b64decode
from dataclasses import dataclass
from urllib.parse import unquote_plus

from flask import request

from idp import jws
from idp.errors import RequestError, UnauthorizedError
from idp.events import Reason
from idp.oidc import assertions
from idp.oidc.parameters import Parameters
from idp.relying_parties import RelyingParty
from idp.services import services

_MAX_SECRET = 512


@dataclass(frozen=True, slots=True)
class _Claimed:
    """Who the caller says it is, and by what; nothing of it is trusted."""

    client_id: str
    method: str
    proof: str


def authenticate(given: Parameters) -> RelyingParty:
    """The client that proved itself. RequestError for two methods at once, UnauthorizedError else."""
    claimed = _claimed(given)
    party = services().relying_parties.get(claimed.client_id)
    # The proof is always tried, so that an unknown client takes as long as a wrong secret.
    proved = _proves(claimed, party)
    if party is None or party.disabled or not proved:
        raise _unauthorized(party)
    if claimed.method not in party.token_endpoint_auth_methods:
        raise _unauthorized(party)
    return party


def _claimed(given: Parameters) -> _Claimed:
    header = request.headers.get("Authorization")
    ways = [header is not None, "client_secret" in given, "client_assertion" in given]
    if sum(ways) > 1:
        raise RequestError("invalid_request", "use one method of client authentication")
    if header is not None:
        claimed = _basic(header)
    elif "client_assertion" in given:
        claimed = _assertion(given)
    elif "client_secret" in given and "client_id" in given:
        claimed = _Claimed(given["client_id"], "client_secret_post", given["client_secret"])
    else:
        raise _unauthorized(None)
    if given.get("client_id", claimed.client_id) != claimed.client_id:
        raise _unauthorized(None)
    return claimed


def _basic(header: str) -> _Claimed:
    """HTTP Basic, with id and secret form-encoded first (RFC 6749 §2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise _unauthorized(None)
    try:
        text = b64decode(encoded.strip(), validate=True).decode("utf-8")
        client_id, colon, secret = text.partition(":")
        names = [unquote_plus(part, errors="strict") for part in (client_id, secret)]
    except ValueError as error:
        raise _unauthorized(None) from error
    if not colon:
        raise _unauthorized(None)
    return _Claimed(names[0], "client_secret_basic", names[1])


def _assertion(given: Parameters) -> _Claimed:
    if given.get("client_assertion_type") != assertions.TYPE:
        raise _unauthorized(None)
    try:
        client_id = assertions.client_of(given["client_assertion"])
    except jws.NotGenuine as error:
        raise _unauthorized(None) from error
    return _Claimed(client_id, "private_key_jwt", given["client_assertion"])


def _proves(claimed: _Claimed, party: RelyingParty | None) -> bool:
    if claimed.method != "private_key_jwt":
        secret = claimed.proof if len(claimed.proof) <= _MAX_SECRET else ""
        return services().relying_parties.secret_is_right(claimed.client_id, secret)
    if party is None or claimed.method not in party.token_endpoint_auth_methods:
        return False
    try:
        assertions.check(claimed.proof, party)
    except jws.NotGenuine as error:
        raise _unauthorized(party) from error
    return True


def _unauthorized(party: RelyingParty | None) -> UnauthorizedError:
    error = UnauthorizedError("invalid_client", "client authentication failed", scheme="Basic")
    error.reason = Reason.CLIENT_AUTHENTICATION
    error.relying_party = party.client_id if party else ""
    return error
