"""`/oauth/userinfo`: who the bearer's token is about, asked live (OIDC Core §5.3)."""

from typing import Any

from flask import Blueprint, Response, jsonify

from idp import access_tokens, bearer, step_up
from idp.errors import AccessDenied, RequestError, UnauthorizedError
from idp.events import Reason
from idp.oidc import gate, sealed_answers, user_claims
from idp.services import services

blueprint = Blueprint("userinfo", __name__)


@blueprint.route("/oauth/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """The UserInfo endpoint."""
    told = answer()
    if isinstance(told, Response):
        return told
    response = jsonify(told)
    response.headers["Cache-Control"] = "no-store"
    return response


def answer() -> dict[str, Any] | Response:
    """The claims of the token's scopes, as JSON or as the JWT that the party is registered for.

    A token whose person or grant is gone does not count.
    """
    token = bearer.presented(services().settings.issuer)
    if "openid" not in token.scope:
        raise _insufficient_scope()
    grant, session = access_tokens.live(token)
    party = services().relying_parties.get(grant.client_id)
    if party is None:
        raise UnauthorizedError("invalid_token", scheme="Bearer", reason=Reason.CLIENT_UNKNOWN)
    try:
        official = gate.admit(session, party)
    except AccessDenied as error:
        raise UnauthorizedError("invalid_token", scheme="Bearer", reason=error.reason) from error
    step_up.must_be(token, session, party.minimum_acr)  # it may have been raised since
    asked = user_claims.asked(grant.claims, "userinfo")
    told = {**user_claims.of(official, party, token.scope, asked), "sub": token.subject}
    return sealed_answers.userinfo(party, told) if party.userinfo_signed_response_alg else told


def _insufficient_scope() -> RequestError:
    error = RequestError("insufficient_scope", "the token lacks openid", reason=Reason.SCOPE)
    error.status = 403
    return error
