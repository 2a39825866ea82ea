"""Authorization codes: made once for a login, taken once at the token endpoint (RFC 6749 §4.1.2, §10.5)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from flask import Response
from pydantic import TypeAdapter, ValidationError

from idp import randomness
from idp.errors import WrongStep
from idp.events import Event, Kind, Reason
from idp.login import AuthorizationRequest, Finished, digest
from idp.logins import Stored
from idp.oidc import par, remembered, way_back
from idp.oidc.way_back import WayBack
from idp.services import services
from idp.sessions import Grant, Session

REMEMBER_S = 600  # how long a spent code is known, to tell a replay from a guess
_TOUCH_S = 60  # activity is written at most this often


@dataclass(frozen=True, slots=True)
class Code:
    """What a code stands for; the code itself is kept only as its digest."""

    grant: str
    client_id: str
    redirect_uri: str
    code_challenge: str
    nonce: str | None
    scope: tuple[str, ...]
    session: str
    expires_at: datetime
    claims: str = ""  # the claims parameter as canonical JSON (OIDC Core §5.5); "" when none
    resource: tuple[str, ...] = ()  # where its tokens may be used (RFC 8707)
    dpop_jkt: str = ""  # the key that must redeem it (RFC 9449 §10); "" when any may


@dataclass(frozen=True, slots=True)
class TakenCode:
    """A code that was presented; `first` is true for exactly one request."""

    code: Code
    first: bool


ADAPTER: TypeAdapter[Code] = TypeAdapter(Code)


def issue(request: AuthorizationRequest, session: Session, way: WayBack) -> Response:
    """Grant, event and code; the answer that carries it. OutsideError when a store is away.

    RequestError when the request was pushed and its one code was made before, or when the person
    has just taken back what they agreed to.
    """
    parts = services()
    par.use_up(request)
    grant = parts.sessions.add_grant(
        session,
        request.client_id,
        request.scope,
        claims=request.claims,
        resource=request.resource,
    )
    if way.party.consent == "once":
        _must_still_be_agreed(request, grant)
    value = randomness.token(32)
    lifetime_s = parts.settings.lifetimes.code_s
    code = Code(
        grant=grant.id,
        client_id=request.client_id,
        redirect_uri=request.redirect_uri,
        code_challenge=request.code_challenge,
        nonce=request.nonce,
        scope=request.scope,
        session=session.id,
        expires_at=parts.now() + timedelta(seconds=lifetime_s),
        claims=request.claims,
        resource=request.resource,
        dpop_jkt=request.dpop_jkt,
    )
    parts.short.put(f"code:{digest(value)}", ADAPTER.dump_json(code).decode(), lifetime_s)
    if (parts.now() - session.seen_at).total_seconds() >= _TOUCH_S:
        parts.sessions.touch(session.id)
    return way_back.answer(way, {"code": value})


def _must_still_be_agreed(request: AuthorizationRequest, grant: Grant) -> None:
    """Who withdrew after the question and before the grant has not seen it: then it ends here."""
    wanted = remembered.of_request(request)
    if remembered.covers(grant.subject, grant.client_id, wanted, lock=True):
        return
    ended = Event(Kind.GRANT_ENDED, reason=Reason.BY_PERSON, relying_party=grant.client_id)
    services().sessions.end_grant(grant.id, ended)
    raise way_back.refused("consent_required", "the person must agree", Reason.CONSENT_REQUIRED)


def issue_once(stored: Stored, state: Finished, session: Session, way: WayBack) -> Response:
    """The code of a finished login: of any number of requests, one gets it. LoginError for the others."""
    if state.code_issued:
        raise WrongStep("the code was made before")
    services().logins.change(stored, replace(state, code_issued=True))
    return issue(state.ticket.request, session, way)


def take(value: str) -> TakenCode | None:
    """Use a code, once and atomically. None when it is unknown; expired ones are unknown."""
    if not 40 <= len(value) <= 64:
        return None
    parts = services()
    taken = parts.short.take(f"code:{digest(value)}", remember_s=REMEMBER_S)
    if taken is None:
        return None
    try:
        code = ADAPTER.validate_json(taken.value)
    except ValidationError:  # written by another version of ours: as good as unknown
        return None
    if taken.first and parts.now() >= code.expires_at:
        return None
    return TakenCode(code, taken.first)
