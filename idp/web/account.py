"""`/account`: my sessions, and ending them."""

from flask import Blueprint, Response, make_response, render_template

from idp import browser
from idp.errors import UnauthorizedError
from idp.events import Reason
from idp.people import must_be_active
from idp.services import services
from idp.sessions import Session
from idp.store.sql import transaction

blueprint = Blueprint("account", __name__)


def _mine() -> Session:
    session = browser.current_session()
    if session is None:
        raise UnauthorizedError("login_required", reason=Reason.LOGIN_REQUIRED)
    parts = services()
    max_age_s = parts.settings.lifetimes.directory_state_s
    must_be_active(parts.people.current(session.source, session.personnel_number, max_age_s))
    with transaction(parts.engine) as connection:
        parts.cutoff.gate(connection, session.subject, session.authenticated_at)
    return session


@blueprint.get("/account")
def account() -> Response:
    """Where, when and how strongly I am signed in."""
    mine = _mine()
    rows = [
        {
            "id": session.id,
            "when": session.authenticated_at,
            "device": session.device,
            "place": session.address,
            "acr": session.acr,
            "current": session.id == mine.id,
        }
        for session in services().sessions.of(mine.subject)
    ]
    return make_response(render_template("account.html", sessions=rows))


@blueprint.post("/account/sessions/<session_id>/end")
def end(session_id: str) -> Response:
    """End one of my own sessions; another person's id changes nothing."""
    browser.check_csrf("account")
    mine = _mine()
    if any(session.id == session_id for session in services().sessions.of(mine.subject)):
        services().sessions.end(session_id, Reason.BY_PERSON, actor=mine.subject)
    if session_id == mine.id:
        browser.set_session_cookie("")
        return browser.see_other("/")
    return browser.see_other("/account")
