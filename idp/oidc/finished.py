"""A finished login, looked at once more before anything is given out for it.

Between the sign-in and the code, the relying party may have been disabled, the person cut off, the
session ended, or another person may sit at this browser: everything is asked again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Response

from idp import browser
from idp.contracts import Official
from idp.errors import LoginError, RequestError, WrongStep
from idp.events import Reason
from idp.login import Finished
from idp.logins import Stored
from idp.oidc import fitness, gate, way_back
from idp.oidc.way_back import WayBack
from idp.relying_parties import RelyingParty
from idp.services import services
from idp.sessions import Session


@dataclass(frozen=True, slots=True)
class Ready:
    """A login whose code may be made now."""

    stored: Stored
    state: Finished
    session: Session
    party: RelyingParty
    way: WayBack
    official: Official


def when_ready(stored: Stored, then: Callable[[Ready], Response]) -> Response:
    """Calls `then` with a login that is finished and still good, and gives its answer.

    What the relying party must know goes back to it; what concerns this browser alone is raised
    (LoginError, AccessDenied).
    """
    state = stored.state
    if not isinstance(state, Finished):
        raise WrongStep(f"not finished but {state.step}")
    ticket = state.ticket
    way = way_back.of_request(ticket.request)  # 1. the way back still stands
    party = way.party
    if state.code_issued:  # 2. nothing was given out yet (Back button, second tab)
        raise _over(state, Reason.LOGIN_STEP)
    session = browser.current_session()
    if session is None or not _is_of(session, state):  # 3. this browser holds the session
        raise _over(state, Reason.SESSION_OVER)
    try:
        fitness.must_fit(  # 4. the session answers the request
            fitness.lack(
                session,
                ticket.request,
                party,
                ticket.required_acr,
                asked_at=ticket.created_at,
            )
        )
        official = gate.admit_browser(session, party)  # 5. the person may act now
        return then(Ready(stored, state, session, party, way, official))
    except RequestError as error:
        if not error.may_redirect:
            raise
        return way_back.refusal(way, error, ticket.journey)


def _is_of(session: Session, state: Finished) -> bool:
    """The login's own session, or the one that has taken it over since (a second tab, A-126)."""
    return state.session == session.id or services().sessions.heir(state.session) == session.id


def _over(state: Finished, reason: Reason) -> LoginError:
    error = LoginError("no code for this login", reason=reason)
    error.journey, error.relying_party = state.ticket.journey, state.ticket.relying_party
    return error
