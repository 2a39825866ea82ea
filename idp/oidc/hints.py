"""`id_token_hint`: an ID token of ours, handed back to say who is meant (OIDC Core §3.1.2.1).

It proves nothing about who is here. It may only narrow: the session, or the login that follows, must be
of that person, or the relying party is told so.
"""

from dataclasses import dataclass

from idp import jws
from idp.events import Reason
from idp.login import AuthorizationRequest
from idp.oidc.minting import ID_TOKEN_TYP
from idp.oidc.parameters import Parameters
from idp.oidc.way_back import refused
from idp.registration import ID_TOKEN_ALGORITHMS
from idp.services import services

# Access tokens have another type, so none passes here.
RULES = jws.Rules(frozenset(ID_TOKEN_ALGORITHMS), frozenset({ID_TOKEN_TYP.lower()}))


@dataclass(frozen=True, slots=True)
class IdTokenHint:
    """What a genuine ID token of ours says; it may be long expired."""

    client_id: str
    sub: str
    sid: str
    expires_at: int  # seconds since 1970


def read(token: str) -> IdTokenHint:
    """An ID token of ours, expired or not. NotGenuine otherwise (A-034, A-080)."""
    claims = jws.verify(token, services().keys.jwks(), RULES)
    if claims.get("iss") != services().settings.issuer:
        raise jws.NotGenuine("another issuer")
    expires_at = jws.seconds(claims, "exp")
    values = [claims.get(name) for name in ("aud", "sub", "sid")]
    if expires_at is None or not all(isinstance(value, str) and value for value in values):
        raise jws.NotGenuine("exp, aud, sub or sid is missing or of another type")
    client_id, sub, sid = map(str, values)
    return IdTokenHint(client_id, sub, sid, expires_at)


def wanted_sub(parameters: Parameters, request: AuthorizationRequest) -> str:
    """The `sub` that the hint names, or the claims parameter; "" for neither. Both must agree.

    A hint that is not genuine is refused.
    """
    token = parameters.get("id_token_hint")
    if token is None:
        return request.hint_sub
    try:
        hint = read(token)
    except jws.NotGenuine as error:
        raise _unusable(request) from error
    if hint.client_id != request.client_id or request.hint_sub not in ("", hint.sub):
        raise _unusable(request)
    return hint.sub


def _unusable(request: AuthorizationRequest) -> Exception:
    code = "login_required" if "none" in request.prompt else "invalid_request"
    return refused(code, "id_token_hint is not an ID token for this client", Reason.ID_TOKEN_HINT)
