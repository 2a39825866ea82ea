"""`/oauth/introspect` (RFC 7662) and `/oauth/revoke` (RFC 7009): a client asks about, or ends, its tokens."""

from typing import Any

from flask import Blueprint, Response, jsonify

from idp import access_tokens, browser
from idp.access_tokens import AccessToken
from idp.contracts import JsonObject
from idp.errors import AccessDenied, RequestError, UnauthorizedError
from idp.events import Event, Kind, Reason
from idp.oidc import clients, gate, minting, parameters, refresh, sealed_answers, user_claims
from idp.oidc.parameters import Parameters
from idp.relying_parties import RelyingParty
from idp.services import services
from idp.sessions import Session

blueprint = Blueprint("token_checks", __name__)
INACTIVE: JsonObject = {"active": False}
GUESSES_PER_MINUTE = 600  # of one client: tokens that we never made


@blueprint.post("/oauth/introspect")
def introspect() -> Response:
    """The introspection endpoint."""
    told = answer()
    return told if isinstance(told, Response) else _no_store(jsonify(told))


def answer() -> dict[str, Any] | Response:
    """The truth about an access token, now; to its own client and to whom it is for (R-084).

    Whatever is wrong, the answer is `{"active": false}` alone: an error would make mail servers
    believe that we are away.
    """
    given = parameters.of_body()
    party = clients.authenticate(given)
    if party.profile == "public":  # anybody can call under its name
        raise clients.unauthorized(party)
    told = _told(_token(given), party)
    if sealed_answers.wants_signed_introspection():
        return sealed_answers.introspection(party, told)
    return dict(told)


@blueprint.post("/oauth/revoke")
def revoke() -> Response:
    """Ends the grant of a token, with every token of it (RFC 7009 §2.1). 503 when it cannot be written.

    Another client's token and nonsense get the same 200: nothing happens to either.
    """
    given = parameters.of_body()
    party = clients.authenticate(given)
    value = _token(given)
    grant_id = refresh.grant_of(value) or _grant_of_access_token(value, party)
    found = services().sessions.live_grant(grant_id) if grant_id else None
    if found is not None and found[0].client_id != party.client_id:
        _record_foreign(party)
    elif found is not None:
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


def _told(value: str, party: RelyingParty) -> JsonObject:
    try:
        token = access_tokens.genuine(value)
    except UnauthorizedError:
        _count_guess(party)
        return INACTIVE
    if not is_for(token, party):
        return INACTIVE
    try:
        access_tokens.counting(token)
        if not token.grant:
            return _of_token(token)
        _, session = access_tokens.live(token)
        official = gate.admit(session, party)
    except (UnauthorizedError, AccessDenied):
        return INACTIVE
    told = {**_of_token(token), **_of_session(session)}
    if token.client_id != party.client_id:
        return told
    if official.mail and "email" in token.scope:
        told["username"] = official.mail
    return {**user_claims.of(official, party, token.scope), **told}


def is_for(token: AccessToken, party: RelyingParty) -> bool:
    """Whether the party is the token's own client, or the one that the token opens something at."""
    own = party.client_id in (token.client_id, token.audience)
    return own or token.audience in party.protected_resources


def _of_token(token: AccessToken) -> dict[str, Any]:
    return {
        "active": True,
        "iss": token.issuer,
        "sub": token.subject,
        "aud": token.audience,
        "client_id": token.client_id,
        "scope": " ".join(sorted(token.scope)),
        "token_type": minting.token_type(token.binding),
        "iat": token.issued_at,
        "exp": token.expires_at,
        "jti": token.id,
        **minting.confirmation(token.binding),
        **({} if token.act is None else {"act": token.act}),
    }


def _of_session(session: Session) -> dict[str, Any]:
    """How the person signed in (RFC 9470 §6.2)."""
    return {
        "acr": session.acr,
        "amr": list(session.amr),
        "auth_time": int(session.authenticated_at.timestamp()),
        "sid": session.id,
    }


def _count_guess(party: RelyingParty) -> None:
    """Who asks about very many tokens that we never made is guessing, or floods us (A-083).

    Genuine ones are answered even then: no attack on a mail server's login locks out its users.
    """
    guesses = services().short.count(f"rate:introspect:{party.client_id}", 60)
    if guesses <= GUESSES_PER_MINUTE:
        return
    error = RequestError("invalid_request", "too many unknown tokens", reason=Reason.RATE)
    error.status, error.relying_party = 429, party.client_id
    error.recorded = guesses > GUESSES_PER_MINUTE + 1  # one event a minute
    raise error


def _grant_of_access_token(value: str, party: RelyingParty) -> str:
    """The grant behind an access token of ours; "" for anything else.

    A token that has no grant of its own lives for minutes. An opaque one is forgotten here; a signed
    one cannot be taken back, and its client is told so (RFC 7009 §2.2.1).
    """
    try:
        token = access_tokens.genuine(value)
    except UnauthorizedError:
        return ""
    if token.client_id != party.client_id:
        _record_foreign(party)
        return ""
    if token.grant and token.act is None:
        return token.grant
    if not access_tokens.forget(value):
        raise RequestError("unsupported_token_type", "this token ends by itself")
    return ""


def _record_foreign(party: RelyingParty) -> None:
    """Someone would have ended another client's token: the answer does not tell, the event does (A-084)."""
    services().journal.record_alone(
        Event(
            Kind.TOKEN_REJECTED,
            reason=Reason.GRANT_CLIENT,
            relying_party=party.client_id,
            address=browser.address(),
            network=browser.network(),
        )
    )


def _no_store(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
