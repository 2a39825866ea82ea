"""Token exchange: an internal application calls another for the person it serves (RFC 8693).

Off by default, by `grants.token_exchange` and by the caller's grant types. The new token is narrower than
the one it came from in every way: for one application that the caller is registered to call, with no
more scope, for no longer, naming the caller as the actor; and it rests on the same grant, so whatever
ends that (sign-out, revocation, a loss report) ends it as well.
"""

from typing import Any

from idp import access_tokens, assurance, browser
from idp.access_tokens import AccessToken
from idp.contracts import JsonObject, Official
from idp.errors import AccessDenied, RequestError, UnauthorizedError
from idp.events import Event, Kind, Reason
from idp.oidc import gate, minting
from idp.oidc.minting import Sitting
from idp.oidc.parameters import Parameters
from idp.oidc.subjects import sub_of
from idp.oidc.token_answers import of_access_token
from idp.oidc.token_checks import is_for
from idp.relying_parties import RelyingParty
from idp.services import services
from idp.sessions import Session

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a type of token
MAX_ACTORS = 4  # how many applications may stand between the person and the last one
_NOT_HANDED_ON = frozenset({"offline_access"})  # what only the first client may do


def exchange(given: Parameters, caller: RelyingParty, binding: str) -> dict[str, Any]:
    """A token for another application (RFC 8693 §2.2.1). RequestError (§2.2.2) otherwise."""
    _check_request(given)  # 1. what is asked for is what we do
    token, session, grant = _subject(given, caller, binding)  # 2. a live token, in the right hands
    target = _target(given, caller, session)  # 3. an application that the caller may call
    scope = _scope(given, token, caller)  # 4. no more than the token has
    official = _admitted(session, caller, target)  # 5. the person may enter at both
    claims = minting.person_claims(
        Sitting(caller, session, official, grant, scope, binding, target.client_id)
    )
    claims["sub"] = sub_of(target, session.subject)  # as the target knows the person
    claims["act"] = _actors(token, caller)  # 6. whoever stands between is named
    claims["exp"] = min(claims["exp"], token.expires_at)  # 7. for no longer
    _record(caller, target, token, session)
    return {
        **of_access_token(minting.issued(caller, claims), scope, binding),
        "issued_token_type": ACCESS_TOKEN,
        "expires_in": claims["exp"] - claims["iat"],
    }


def _check_request(given: Parameters) -> None:
    """RFC 8693 §2.1: access tokens for access tokens, and nobody acts but the caller itself."""
    if given.get("subject_token_type") != ACCESS_TOKEN or "subject_token" not in given:
        raise _bad("an access token is exchanged")
    if given.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise _bad("only an access token is given")
    if "actor_token" in given or "actor_token_type" in given:
        raise _bad("the caller itself is the actor")


def _subject(
    given: Parameters, caller: RelyingParty, binding: str
) -> tuple[AccessToken, Session, str]:
    """A person's token that counts now, for the caller or its own; with its session and its grant's id."""
    try:
        token = access_tokens.counting(access_tokens.genuine(given["subject_token"]))
        if not is_for(token, caller):
            raise _bad("the token is not for the caller", Reason.GRANT_CLIENT)
        grant, session = access_tokens.live(token)
    except UnauthorizedError as error:
        raise _bad("the subject token does not count", error.reason) from error
    # Else whoever holds a client's stolen token and its secret would be rid of the token's key.
    if token.binding and token.client_id == caller.client_id and token.binding != binding:
        raise _bad("the token is bound to another key", Reason.SENDER_KEY)
    return token, session, grant.id


def _target(given: Parameters, caller: RelyingParty, session: Session) -> RelyingParty:
    """The application in `audience`, by its client_id: registered for the caller, and open."""
    name = given.get("audience", "")
    target = services().relying_parties.get(name) if name in caller.exchange_audiences else None
    if target is None or target.disabled or "resource" in given:
        raise _no_target("audience is not one that the caller may call", Reason.RESOURCE)
    if not assurance.reaches(session.acr, target.minimum_acr):
        raise _no_target("the person signed in less strongly than that", Reason.ACR_UNMET)
    return target


def _scope(given: Parameters, token: AccessToken, caller: RelyingParty) -> tuple[str, ...]:
    allowed = token.scope & set(caller.scope) - _NOT_HANDED_ON
    wanted = frozenset(given["scope"].split(" ")) if "scope" in given else allowed
    if not wanted or not wanted <= allowed:
        raise RequestError(
            "invalid_scope", "the scope is wider than the token's", reason=Reason.SCOPE
        )
    return tuple(sorted(wanted))


def _admitted(session: Session, caller: RelyingParty, target: RelyingParty) -> Official:
    """The account gate (I-11), at both applications."""
    try:
        official = gate.admit(session, caller)
        services().adapters[target.kind].admit(official)
    except AccessDenied as error:
        raise _bad("the subject token does not count", error.reason) from error
    return official


def _actors(token: AccessToken, caller: RelyingParty) -> JsonObject:
    """The caller, and within it who acted before (RFC 8693 §4.1)."""
    if token.act is None:
        return {"sub": caller.client_id}
    depth, former = 1, token.act
    while "act" in former:
        depth, former = depth + 1, former["act"]
    if depth >= MAX_ACTORS:
        raise _bad("too many applications stand between")
    return {"sub": caller.client_id, "act": token.act}


def _record(
    caller: RelyingParty, target: RelyingParty, token: AccessToken, session: Session
) -> None:
    services().journal.record_alone(
        Event(
            Kind.TOKEN_EXCHANGED,
            relying_party=caller.client_id,
            journey=session.journey,
            subject=session.subject,
            session=session.id,
            acr=session.acr,
            address=browser.address(),
            network=browser.network(),
            data={"audience": target.client_id, "token_of": token.client_id},
        )
    )


def _bad(public: str, reason: Reason = Reason.TOKEN_INVALID) -> RequestError:
    return RequestError("invalid_request", public, reason=reason)


def _no_target(public: str, reason: Reason) -> RequestError:
    return RequestError("invalid_target", public, reason=reason)
