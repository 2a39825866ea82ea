"""Which client calls: one method of authentication, the registered one, one answer to every failure.

RFC 6749 §2.3, §5.2; E5.
"""

from base64 import b64decode
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import unquote_plus

from flask import request

from idp import jws
from idp.errors import RequestError, UnauthorizedError
from idp.events import Reason
from idp.oidc import assertions, mutual_tls
from idp.oidc.parameters import Parameters
from idp.profiles import FAPI_AUTH_METHODS
from idp.relying_parties import RelyingParty
from idp.services import services

_MAX_SECRET = 512
_WITH_SECRET = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True, slots=True)
class _Claimed:
    """Who the caller says it is, and by what; nothing of it is trusted."""

    client_id: str
    method: str
    proof: str


def authenticate(given: Parameters) -> RelyingParty:
    """The client that proved itself. RequestError for two methods at once, UnauthorizedError else.

    A client of profile `public` has nothing to prove: what it may do rests on its codes and keys.
    """
    claimed = _claimed(given)
    party = services().relying_parties.get(claimed.client_id)
    # The proof is always tried, so that an unknown client takes as long as a wrong secret.
    proved = _proves(claimed, party)
    if party is None or party.disabled or not proved:
        raise unauthorized(party)
    return party


def offered() -> list[str]:
    """The methods that a client may be registered for and use here."""
    return [*_WITH_SECRET, "private_key_jwt", *mutual_tls.offered(services().settings.server)]


def _claimed(given: Parameters) -> _Claimed:
    header = request.headers.get("Authorization")
    asserts = not given.keys().isdisjoint(("client_assertion", "client_assertion_type"))
    ways = [header is not None, "client_secret" in given, asserts]
    if sum(ways) > 1:
        raise RequestError("invalid_request", "use one method of client authentication")
    if header is not None:
        claimed = _basic(header)
    elif asserts:
        claimed = _assertion(given)
    elif "client_secret" in given and "client_id" in given:
        claimed = _Claimed(given["client_id"], "client_secret_post", given["client_secret"])
    elif "client_id" in given:
        claimed = _Claimed(given["client_id"], "", "")
    else:
        raise unauthorized(None)
    if given.get("client_id", claimed.client_id) != claimed.client_id:
        raise unauthorized(None)
    return claimed


def _basic(header: str) -> _Claimed:
    """HTTP Basic, with id and secret form-encoded first (RFC 6749 §2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise unauthorized(None)
    try:
        text = b64decode(encoded.strip(), validate=True).decode("utf-8")
        client_id, colon, secret = text.partition(":")
        names = [unquote_plus(part, errors="strict") for part in (client_id, secret)]
    except ValueError as error:
        raise unauthorized(None) from error
    if not colon:
        raise unauthorized(None)
    return _Claimed(names[0], "client_secret_basic", names[1])


def _assertion(given: Parameters) -> _Claimed:
    if given.get("client_assertion_type") != assertions.TYPE:
        raise unauthorized(None)
    try:
        client_id = assertions.client_of(given.get("client_assertion", ""))
    except jws.NotGenuine as error:
        raise unauthorized(None) from error
    return _Claimed(client_id, "private_key_jwt", given["client_assertion"])


def _proves(claimed: _Claimed, party: RelyingParty | None) -> bool:
    """Whether the caller is that client, by a method that it is registered for and its profile allows."""
    methods = _methods(party) if party else ()
    if claimed.method in _WITH_SECRET:
        secret = claimed.proof if len(claimed.proof) <= _MAX_SECRET else ""
        right = services().relying_parties.secret_is_right(claimed.client_id, secret)
        return right and claimed.method in methods
    if party is None:
        return False
    if (
        not claimed.method
    ):  # nothing in the request but its name: a certificate beside it, or nothing
        return "none" in methods or mutual_tls.proves(party, methods)
    if claimed.method not in methods:
        return False
    try:
        assertions.check(claimed.proof, party)
    except jws.NotGenuine as error:
        raise unauthorized(party) from error
    return True


def _methods(party: RelyingParty) -> Collection[str]:
    """Those it is registered for, held to the mandates of its profile (D-2)."""
    if party.profile == "oidc":
        return [name for name in party.token_endpoint_auth_methods if name != "none"]
    allowed = FAPI_AUTH_METHODS if party.profile == "fapi2" else ("none",)
    return [name for name in party.token_endpoint_auth_methods if name in allowed]


def unauthorized(party: RelyingParty | None) -> UnauthorizedError:
    """The one answer to every failure (E5)."""
    error = UnauthorizedError("invalid_client", "client authentication failed", scheme="Basic")
    error.reason = Reason.CLIENT_AUTHENTICATION
    error.relying_party = party.client_id if party else ""
    return error
