"""The end of a login (6): the gate once more, the strength reached, the session with its event."""

from dataclasses import replace

from flask import Response

from idp import assurance, browser, randomness
from idp.errors import AccessDenied, OutsideError, WrongStep
from idp.events import Reason
from idp.login import Bound, Finished, LoginState, Proved, Ticket, bind, fail, finish
from idp.logins import Stored
from idp.services import services
from idp.web import admission, news

MAX_RACES = 5  # how often the phone may look while the session is written


def onward(ticket: Ticket) -> str:
    """Where the browser goes when this login is over, well or not."""
    return ticket.own_page or f"/oauth/authorize?login={ticket.id}"


def means_without_code(state: Proved) -> tuple[str, ...]:
    """What reaches the strength that is asked for without a return code; () when the code is needed."""
    means = ("qr", "trusted_network") if state.in_one_network else ("qr",)
    used = {*state.proof.means, *means}
    reached = assurance.acr_of(services().settings.acr_rules, state.wire.method, used)
    return means if reached and assurance.reaches(reached, state.ticket.required_acr) else ()


def as_bound(state: LoginState) -> Bound | None:
    """What can be finished now: Bound, or Proved where no return code is needed."""
    if isinstance(state, Proved) and (means := means_without_code(state)):
        return bind(state, *means)
    return state if isinstance(state, Bound) else None


def complete(stored: Stored, bound: Bound) -> Response:
    """Finish a login in this browser: 303 back to `/oauth/authorize?login=<id>`, or to our own page.

    The state changes first and by compare-and-set, so of two requests one makes the session; if
    the session cannot be written, the login has no session and yields no code (fail closed). Once it
    is written the state changes again: whoever disowned the login in between ends the session.
    """
    parts = services()
    ticket = bound.ticket
    try:
        admission.must_be_admitted(parts.people.find(bound.person.personnel_number), ticket)
        acr = _strength(bound)
    except AccessDenied as error:
        parts.logins.change(stored, fail(bound, error.reason))
        error.journey, error.relying_party = ticket.journey, ticket.relying_party
        raise
    finished = finish(bound, randomness.token(16))
    stored = parts.logins.change(stored, finished)
    try:
        cookie = _start_session(bound, finished.session, acr)
    except (AccessDenied, OutsideError) as error:
        error.journey, error.relying_party = ticket.journey, ticket.relying_party
        parts.logins.change(stored, fail(stored.state, error.reason))
        raise
    if not _still_wanted(stored, finished.session):
        parts.sessions.end(finished.session, Reason.DISOWNED)
        raise AccessDenied("disowned meanwhile", reason=Reason.DISOWNED)
    browser.set_session_cookie(cookie)
    if not ticket.own_page and news.of(bound.person.subject, finished.session):
        return browser.see_other(f"/login/{ticket.id}/news")
    return browser.see_other(onward(ticket))


def _still_wanted(stored: Stored, session_id: str) -> bool:
    """Marks the session as written; false when the phone has disowned the login meanwhile."""
    logins = services().logins
    for _ in range(MAX_RACES):
        state = stored.state
        if not isinstance(state, Finished) or state.session != session_id:
            return False
        try:
            logins.change(stored, replace(state, session_written=True))
        except WrongStep:  # the phone looked, or disowned
            stored = logins.peek_for(state.ticket.id, state.ticket.browser_hash)
        else:
            return True
    return False


def _start_session(bound: Bound, session_id: str, acr: str) -> str:
    amr = tuple(sorted(bound.proof.amr))
    former = browser.current_session()
    return services().sessions.start(bound, session_id, acr, amr, former)


def _strength(bound: Bound) -> str:
    reached = assurance.acr_of(services().settings.acr_rules, bound.wire.method, bound.means)
    if not reached or not assurance.reaches(reached, bound.ticket.required_acr):
        raise AccessDenied(f"reached {reached!r}", reason=Reason.ACR_UNMET)
    return reached
