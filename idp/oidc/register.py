"""`/oauth/register`: a relying party registers itself and keeps its own record (RFC 7591, RFC 7592).

Off by default, and only for who was invited (`gongmu rp invite`). Each secret is shown once: the client
secret when it is made, the registration access token when it is made and with each change, when the
former one dies (RFC 7592 §2.2). What was read back shows neither (OpenID Connect Registration §4.3).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from typing import Any

from flask import Blueprint, Response, jsonify, request

from idp import browser, jws, randomness
from idp.addresses import host_of
from idp.errors import ConfError, RequestError, UnauthorizedError
from idp.events import Reason
from idp.oidc import client_metadata, clients, software_statements
from idp.oidc.client_metadata import bad
from idp.outbound import is_allowed
from idp.registration import RESPONSE_MODES
from idp.relying_parties import RelyingParty
from idp.self_registration import refused
from idp.services import services

blueprint = Blueprint("register", __name__)
MAX_GUESSES = 20  # of one address in a minute; what is wrong beyond costs no event


@blueprint.post("/oauth/register")
def register() -> Response:
    """Register: 201 with id, secret and registration access token, shown this once."""
    token = _token()
    with _counting_guesses():
        services().self_registration.check(token)
    given = _metadata()
    if client_metadata.ISSUED & given.keys():
        raise bad("ids and secrets are made here", Reason.REGISTRATION)
    wanted = _wanted(given)
    with _told_as_metadata():
        done = services().self_registration.register(token, wanted)
    answer = {**_shown(wanted, given), "client_id_issued_at": int(services().now().timestamp())}
    if done.client_secret:
        answer |= {"client_secret": done.client_secret, "client_secret_expires_at": 0}
    return _answer(answer, done.registration_token, 201)


@blueprint.get("/oauth/register/<client_id>")
def read(client_id: str) -> Response:
    """What is registered (RFC 7592 §2.1)."""
    return _answer(_shown(_own(client_id), {}))


@blueprint.put("/oauth/register/<client_id>")
def change(client_id: str) -> Response:
    """Replace what the party said of itself (RFC 7592 §2.2); the next token is in the answer."""
    party = _own(client_id)
    given = _metadata()
    _check_issued(given, party)
    wanted = _settings(given, party)
    with _told_as_metadata():
        token = services().self_registration.change(_token(), wanted, since=party)
    return _answer(_shown(wanted, given), token)


@blueprint.delete("/oauth/register/<client_id>")
def remove(client_id: str) -> Response:
    """End it (RFC 7592 §2.3). Its id is never given again."""
    _own(client_id)
    services().self_registration.remove(client_id, _token())
    return Response(status=204, headers={"Cache-Control": "no-store"})


@blueprint.before_request
def _only_when_on() -> None:
    if not services().settings.registration.enabled:
        error = RequestError("not_found", "registration is off", reason=Reason.CONFIGURATION)
        error.status = 404
        raise error


def _wanted(given: Mapping[str, Any]) -> RelyingParty:
    """A new party, with people asked before it is told anything: nobody has vouched for it."""
    method = client_metadata.method_of(given)
    if method not in (*clients.offered(), "none"):
        raise bad(f"token_endpoint_auth_method may be {' '.join(clients.offered())} or none")
    party = RelyingParty(
        f"self.{randomness.token(15)}",
        *("", ""),  # its names are in the metadata
        consent="once",
        response_modes=RESPONSE_MODES,
        token_endpoint_auth_methods=(method,),
        profile="public" if method == "none" else "oidc",
    )
    return _settings(given, party)


def _settings(given: Mapping[str, Any], party: RelyingParty) -> RelyingParty:
    """The settings, with no address that leads the provider where nobody but an insider may (A-238)."""
    wanted = client_metadata.settings_of(given, party)
    for name in ("backchannel_logout_uri", "jwks_uri", "sector_identifier_uri"):
        if not _may_be_called(host_of(getattr(wanted, name))):
            raise bad(f"{name}: a host that may be called from here", Reason.REGISTRATION)
    return wanted


def _may_be_called(host: str) -> bool:
    """A name is looked at when it is called; an address in its place at once."""
    settings = services().settings
    try:
        address = ip_address(host)
    except ValueError:
        return True
    networks = tuple(map(ip_network, settings.outbound.private_networks))
    return is_allowed(address, loopback=settings.environment == "demo", networks=networks)


def _check_issued(given: Mapping[str, Any], party: RelyingParty) -> None:
    """What was given out comes back as it is, or not at all (RFC 7592 §2.2)."""
    if given.get("client_id") != party.client_id:
        raise bad("client_id must be there, and be the party's")
    if (client_metadata.ISSUED - {"client_id", "client_secret"}) & given.keys():
        raise bad("what is issued here cannot be chosen", Reason.REGISTRATION)
    secret = given.get("client_secret", "")
    register = services().relying_parties
    if secret != "" and not (
        isinstance(secret, str) and register.secret_is_right(party.client_id, secret)
    ):
        raise bad("client_secret is not the party's", Reason.REGISTRATION)
    if client_metadata.method_of(given) not in party.token_endpoint_auth_methods:
        # A key must not become a secret by whoever finds a token.
        raise bad("token_endpoint_auth_method stays; register anew", Reason.REGISTRATION)


def _own(client_id: str) -> RelyingParty:
    """The party whose token the caller has."""
    token = _token()
    with _counting_guesses():
        return services().self_registration.party_of(client_id, token)


def _token() -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise refused()
    return token.strip()


@contextmanager
def _counting_guesses() -> Iterator[None]:
    """Refusals of one address: after some in a minute, they are no events any more."""
    try:
        yield
    except UnauthorizedError as error:
        guesses = services().short.count(f"rate:register:{browser.address()}", 60)
        error.recorded = guesses > MAX_GUESSES
        raise


@contextmanager
def _told_as_metadata() -> Iterator[None]:
    """The first fault of the register, in the words of RFC 7591 §3.2.2."""
    try:
        yield
    except ConfError as error:
        first = error.problems[0]
        raise client_metadata.fault(first.key, first.allowed) from error


def _metadata() -> dict[str, Any]:
    """The JSON object in the body; what a software statement says comes first (RFC 7591 §2.3)."""
    if request.query_string or request.mimetype != "application/json":
        raise bad("a JSON object is expected (application/json)")
    try:
        given = jws.json_object(request.get_data())
    except jws.NotGenuine as error:
        raise bad("a JSON object is expected (application/json)") from error
    return software_statements.read(given)


def _shown(party: RelyingParty, given: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a party; a software statement goes back as it came (RFC 7591 §3.2.1)."""
    issuer = services().settings.issuer
    statement = {name: given[name] for name in ("software_statement",) if name in given}
    return {
        **client_metadata.shown(party),
        **statement,
        "client_id": party.client_id,
        "registration_client_uri": f"{issuer}/oauth/register/{party.client_id}",
    }


def _answer(body: dict[str, Any], token: str = "", status: int = 200) -> Response:
    response = jsonify({**body, "registration_access_token": token} if token else body)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
