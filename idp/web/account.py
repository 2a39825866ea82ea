"""`/account`: my mobile ID, where I am signed in, what happened in my name, what I agreed to.

Each form ends or takes back something of one's own; another person's id changes nothing.
"""

from typing import Any

from flask import Blueprint, Response, make_response, render_template, request

from idp import browser
from idp.contracts import MobileId
from idp.cutoff import is_stale_offer
from idp.events import Reason
from idp.services import services
from idp.sessions import Session
from idp.signals import frontchannel
from idp.web import enrol, methods, my_consents, my_story, own

blueprint = Blueprint("account", __name__)
_PURPOSE = "account"
_SHOWN_MOBILE_IDS = 5


@blueprint.get("/account")
def account() -> Response:
    """Where, when and how strongly I am signed in; to others, how to sign in."""
    if browser.current_session() is None:
        return own.closed("account")
    mine = own.session()
    html = render_template(
        "account.html",
        sessions=[_row(session, mine) for session in _my_sessions(mine)],
        mobile_ids=_my_mobile_ids(mine),
        passkeys=_my_passkeys(mine),
        may_have_passkeys=methods.browser_method() is not None,
        story=my_story.of(mine),
        consents=my_consents.of(mine.subject),
    )
    return make_response(html)


def _my_mobile_ids(mine: Session) -> list[MobileId]:
    """The last ones, without offers that nobody took in time."""
    found = services().cutoff.all(mine.personnel_number, 4 * _SHOWN_MOBILE_IDS)
    now = services().now()
    return [one for one in found if not is_stale_offer(one, now)][:_SHOWN_MOBILE_IDS]


@blueprint.post("/account/sessions/<session_id>/end")
def end(session_id: str) -> Response:
    """End one of my own sessions."""
    browser.check_csrf(_PURPOSE)
    mine = own.session()
    if any(session.id == session_id for session in _my_sessions(mine)):
        services().sessions.end(session_id, Reason.BY_PERSON, actor=mine.subject)
    return _signed_out(mine) if session_id == mine.id else browser.see_other("/account")


@blueprint.post("/account/sessions/end-all")
def end_all() -> Response:
    """End every session of mine, this one too."""
    browser.check_csrf(_PURPOSE)
    mine = own.session()
    services().sessions.end_all(mine.subject, Reason.BY_PERSON, actor=mine.subject)
    return _signed_out(mine)


@blueprint.post("/account/sessions/<session_id>/not-me")
def not_me(session_id: str) -> Response:
    """A sign-in that I did not make: it ends, and it is an alarm."""
    browser.check_csrf(_PURPOSE)
    if not my_story.disown(own.session(), session_id):
        return browser.see_other("/account")
    reason = Reason.DISOWNED.value
    return make_response(render_template("return_done.html", state="disowned", reason=reason))


@blueprint.post("/account/consents/withdraw")
def withdraw() -> Response:
    """Take back what I agreed to at one relying party."""
    browser.check_csrf(_PURPOSE)
    my_consents.withdraw(own.session(), request.form.get("client_id", ""))
    return browser.see_other("/account")


def _my_sessions(mine: Session) -> list[Session]:
    return services().sessions.of(mine.subject)


def _my_passkeys(mine: Session) -> list[dict[str, Any]]:
    return [enrol.row(one) for one in services().passkeys.of(mine.subject)]


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
