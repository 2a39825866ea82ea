"""`/oauth/token`: authenticates the client, then hands to the grant (RFC 6749 §3.2)."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify

from idp.errors import RequestError
from idp.events import Reason
from idp.oidc import bindings, clients, device, exchange, grants, parameters, refresh
from idp.oidc.parameters import Parameters
from idp.registration import DEVICE_CODE, TOKEN_EXCHANGE
from idp.relying_parties import RelyingParty
from idp.services import services

blueprint = Blueprint("token", __name__)
# Each gets the parameters, the client that proved itself, and the key its tokens are bound to.
GRANTS: dict[str, Callable[[Parameters, RelyingParty, str], dict[str, Any]]] = {
    "authorization_code": grants.by_code,
    "refresh_token": refresh.refresh,
    "client_credentials": grants.by_client,
    TOKEN_EXCHANGE: exchange.exchange,
    DEVICE_CODE: device.by_device_code,
}


@blueprint.post("/oauth/token")
def token() -> Response:
    """The token endpoint."""
    response = jsonify(answer())
    response.headers["Cache-Control"] = "no-store"  # RFC 6749 §5.1
    return response


def answer() -> dict[str, Any]:
    """The members of the token response to this request."""
    given = parameters.of_body()
    party = clients.authenticate(given)
    name = given.get("grant_type")
    if name is None:
        raise RequestError("invalid_request", "grant_type is missing", reason=Reason.GRANT_TYPE)
    grant = GRANTS.get(name)
    if grant is None or not is_on(name):
        raise RequestError(
            "unsupported_grant_type", "grant_type is not supported", reason=Reason.GRANT_TYPE
        )
    if name not in party.grant_types:
        raise RequestError(
            "unauthorized_client", "grant_type is not registered", reason=Reason.GRANT_TYPE
        )
    return grant(given, party, bindings.of_request(party))


def is_on(name: str) -> bool:
    """Whether this provider gives tokens in that way; two ways are off until they are switched on."""
    switches = services().settings.grants
    if name == TOKEN_EXCHANGE:
        return switches.token_exchange
    return switches.device if name == DEVICE_CODE else True
