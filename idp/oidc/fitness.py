"""Whether a session answers a request: who, how long ago, how strongly (OIDC Core §3.1.2.1, RFC 9470)."""

from datetime import datetime

from idp import assurance
from idp.errors import RequestError
from idp.events import Reason
from idp.login import AuthorizationRequest
from idp.oidc.subjects import sub_of
from idp.oidc.way_back import refused
from idp.relying_parties import RelyingParty
from idp.services import services
from idp.sessions import Session

_CLOCK_SKEW_S = 5  # between our own workers
_FRESH = frozenset({"login", "select_account"})


def lack(
    session: Session | None,
    request: AuthorizationRequest,
    party: RelyingParty,
    required_acr: str,
    asked_at: datetime | None = None,
) -> Reason:
    """What a session lacks for a request; Reason.NONE when it will do.

    `asked_at` is given when the person has just signed in for this very request: what happened since
    then is fresh, however small `max_age` is (A-029, A-030).
    """
    if session is None:
        return Reason.LOGIN_REQUIRED
    if request.hint_sub and sub_of(party, session.subject) != request.hint_sub:
        return Reason.ID_TOKEN_HINT
    if not _is_fresh(session, request, asked_at):
        return Reason.LOGIN_REQUIRED
    if not assurance.reaches(session.acr, required_acr):
        return Reason.ACR_UNMET
    return Reason.NONE


def must_fit(reason: Reason, *, silent: bool = False) -> None:
    """RequestError for what is lacking, in the code a relying party understands."""
    if reason is Reason.NONE:
        return
    if reason is Reason.ACR_UNMET and silent:
        raise refused("interaction_required", "a stronger sign-in is needed", reason)
    if reason is Reason.ACR_UNMET:
        raise refused(
            "unmet_authentication_requirements", "the sign-in was not strong enough", reason
        )
    raise _login_required(reason)


def _login_required(reason: Reason) -> RequestError:
    return refused("login_required", "the person must sign in", reason)


def _is_fresh(session: Session, request: AuthorizationRequest, asked_at: datetime | None) -> bool:
    """`authenticated_at` alone counts: using a session does not make it younger (A-031)."""
    since_request = (
        (session.authenticated_at - asked_at).total_seconds() if asked_at is not None else -1.0
    )
    if asked_at is not None and since_request >= -_CLOCK_SKEW_S:
        return True
    if _FRESH & set(request.prompt):
        return False
    age_s = (services().now() - session.authenticated_at).total_seconds()
    return request.max_age is None or age_s < request.max_age
