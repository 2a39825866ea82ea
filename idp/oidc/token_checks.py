"""`/oauth/introspect` (RFC 7662) and `/oauth/revoke` (RFC 7009): a client asks about, or ends, its tokens."""

from typing import Any

from flask import Blueprint, Response, jsonify

from idp import access_tokens, browser
from idp.access_tokens import AccessToken
from idp.errors import AccessDenied, RequestError, UnauthorizedError
from idp.events import Event, Kind, Reason
from idp.oidc import clients, gate, parameters, refresh, user_claims
from idp.oidc.parameters import Parameters
from idp.relying_parties import RelyingParty
from idp.services import services

blueprint = Blueprint("token_checks", __name__)


@blueprint.post("/oauth/introspect")
def introspect() -> Response:
    """The introspection endpoint."""
    return _no_store(jsonify(answer()))


def answer() -> dict[str, Any]:
    """The truth about an access token, now; to its own client and to whom it is for (R-084).

    Whatever is wrong, the answer is `{"active": false}` alone: an error would make mail servers
    believe that we are away.
    """
    given = parameters.of_body()
    party = clients.authenticate(given)
    return _told(_token(given), party)


@blueprint.post("/oauth/revoke")
def revoke() -> Response:
    """Ends the grant of a token, with every token of it (RFC 7009 §2.1). 503 when it cannot be written.

    Another client's token and nonsense get the same 200: nothing happens to either.
    """
    given = parameters.of_body()
    party = clients.authenticate(given)
    grant_id = _grant_of(_token(given))
    found = services().sessions.live_grant(grant_id) if grant_id else None
    if found is not None and found[0].client_id == party.client_id:
        services().sessions.end_grant(
            grant_id,
            Event(
                Kind.GRANT_ENDED,
                reason=Reason.GRANT_ENDED,
                relying_party=party.client_id,
                address=browser.address(),
                network=browser.network(),
            ),
        )
    return _no_store(Response(status=200))


def _token(given: Parameters) -> str:
    if "token" not in given:
        raise RequestError("invalid_request", "token is missing")
    return given["token"]


def _told(value: str, party: RelyingParty) -> dict[str, Any]:
    issuer = services().settings.issuer
    try:
        token = access_tokens.read_access_token(value, issuer)
        if token.client_id != party.client_id:
            return {"active": False}
        _, session = access_tokens.live(token)
        official = gate.admit(session, party)
    except (UnauthorizedError, AccessDenied):
        return {"active": False}
    return {
        **user_claims.of(official, party, token.scope),
        "active": True,
        "iss": token.issuer,
        "sub": token.subject,
        "aud": token.audience,
        "client_id": token.client_id,
        "scope": " ".join(sorted(token.scope)),
        "token_type": "Bearer",
        "iat": token.issued_at,
        "exp": token.expires_at,
        "jti": token.id,
        "acr": session.acr,
        "amr": list(session.amr),
        "auth_time": int(session.authenticated_at.timestamp()),
        "sid": session.id,
        **({"username": official.mail} if official.mail and "email" in token.scope else {}),
    }


def _grant_of(value: str) -> str:
    """The grant behind a refresh or an access token of ours; "" for anything else."""
    try:
        return refresh.grant_of(value) or _access(value).grant
    except UnauthorizedError:
        return ""


def _access(value: str) -> AccessToken:
    return access_tokens.read_access_token(value, services().settings.issuer)


def _no_store(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
