"""`/account`: my mobile ID, where I am signed in, what happened in my name, what I agreed to.

Each form ends or takes back something of one's own; another person's id changes nothing.
"""

from typing import Any

from flask import Blueprint, Response, make_response, render_template, request

from idp import browser
from idp.errors import UnauthorizedError
from idp.events import Reason
from idp.people import must_be_active
from idp.services import services
from idp.sessions import Session
from idp.signals import frontchannel
from idp.store.sql import transaction
from idp.web import my_consents, my_story

blueprint = Blueprint("account", __name__)
_PURPOSE = "account"
_SHOWN_MOBILE_IDS = 5


@blueprint.get("/account")
def account() -> Response:
    """Where, when and how strongly I am signed in; to others, how to sign in."""
    if browser.current_session() is None:
        return make_response(render_template("account_closed.html"), 401)
    mine = _mine()
    html = render_template(
        "account.html",
        sessions=[_row(session, mine) for session in _my_sessions(mine)],
        mobile_ids=services().cutoff.all(mine.personnel_number, _SHOWN_MOBILE_IDS),
        story=my_story.of(mine),
        consents=my_consents.of(mine.subject),
    )
    return make_response(html)


@blueprint.post("/account/sessions/<session_id>/end")
def end(session_id: str) -> Response:
    """End one of my own sessions."""
    browser.check_csrf(_PURPOSE)
    mine = _mine()
    if any(session.id == session_id for session in _my_sessions(mine)):
        services().sessions.end(session_id, Reason.BY_PERSON, actor=mine.subject)
    return _signed_out(mine) if session_id == mine.id else browser.see_other("/account")


@blueprint.post("/account/sessions/end-all")
def end_all() -> Response:
    """End every session of mine, this one too."""
    browser.check_csrf(_PURPOSE)
    mine = _mine()
    for session in _my_sessions(mine):
        services().sessions.end(session.id, Reason.BY_PERSON, actor=mine.subject)
    return _signed_out(mine)


@blueprint.post("/account/sessions/<session_id>/not-me")
def not_me(session_id: str) -> Response:
    """A sign-in that I did not make: it ends, and it is an alarm."""
    browser.check_csrf(_PURPOSE)
    if not my_story.disown(_mine(), session_id):
        return browser.see_other("/account")
    reason = Reason.DISOWNED.value
    return make_response(render_template("return_done.html", state="disowned", reason=reason))


@blueprint.post("/account/consents/withdraw")
def withdraw() -> Response:
    """Take back what I agreed to at one relying party."""
    browser.check_csrf(_PURPOSE)
    my_consents.withdraw(_mine(), request.form.get("client_id", ""))
    return browser.see_other("/account")


def _mine() -> Session:
    """My session, when I may act now. UnauthorizedError, AccessDenied."""
    session = browser.current_session()
    if session is None:
        raise UnauthorizedError("login_required", reason=Reason.LOGIN_REQUIRED)
    parts = services()
    max_age_s = parts.settings.lifetimes.directory_state_s
    must_be_active(parts.people.current(session.source, session.personnel_number, max_age_s))
    with transaction(parts.engine) as connection:
        parts.cutoff.gate(connection, session.subject, session.authenticated_at)
    return session


def _my_sessions(mine: Session) -> list[Session]:
    return services().sessions.of(mine.subject)


def _row(session: Session, mine: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "when": session.authenticated_at,
        "device": session.device,
        "place": session.address,
        "acr": session.acr,
        "current": session.id == mine.id,
    }


def _signed_out(mine: Session) -> Response:
    parts = services()
    frames = frontchannel.addresses(parts.engine, parts.settings.issuer, mine.id)
    browser.set_session_cookie("")
    browser.allow_frames(frames)
    html = render_template("signed_out.html", return_url="", relying_party="", frames=frames)
    return make_response(html)
