"""`/oauth/token`: authenticates the client, then hands to the grant (RFC 6749 §3.2)."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify

from idp.errors import RequestError
from idp.events import Reason
from idp.oidc import bindings, clients, grants, parameters, refresh
from idp.oidc.parameters import Parameters
from idp.relying_parties import RelyingParty

blueprint = Blueprint("token", __name__)
# Each gets the parameters, the client that proved itself, and the key its tokens are bound to.
GRANTS: dict[str, Callable[[Parameters, RelyingParty, str], dict[str, Any]]] = {
    "authorization_code": grants.by_code,
    "refresh_token": refresh.refresh,
    "client_credentials": grants.by_client,
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
    if grant is None:
        raise RequestError(
            "unsupported_grant_type", "grant_type is not supported", reason=Reason.GRANT_TYPE
        )
    if name not in party.grant_types:
        raise RequestError(
            "unauthorized_client", "grant_type is not registered", reason=Reason.GRANT_TYPE
        )
    return grant(given, party, bindings.of_request(party))
