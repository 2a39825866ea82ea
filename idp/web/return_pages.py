"""The phone's browser after the wallet (4): bound, shown the return code, told how it went; "this was not me"."""

import hmac
from contextlib import suppress
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, g, jsonify, make_response, render_template, request

from idp import browser
from idp.errors import LoginError, LoginExpired, LoginNotFound, ProofRejected, WrongStep
from idp.events import Event, Kind, Reason
from idp.frames import response_code
from idp.login import (
    Bound,
    Failed,
    Finished,
    LoginState,
    Proved,
    Wire,
    bind,
    fail,
    show_return_code,
    wire_of,
)
from idp.logins import Stored
from idp.services import services
from idp.web import admission, finish
from idp.web.record import record, recorded

blueprint = Blueprint("return_pages", __name__)
MAX_RACES = 5  # how often the desk may be quicker than "this was not me"


@blueprint.get("/vp/<handle>/return")
def return_address(handle: str) -> Response:
    """Where the phone's browser lands: the same browser is bound; another one is shown the code."""
    stored = services().logins.by_handle(handle)
    state = stored.state
    wire = _wire(state)
    given = request.args.get("response_code", "")
    if not hmac.compare_digest(response_code(wire).encode(), given.encode()):
        raise _burned(stored)
    is_desk = hmac.compare_digest(state.ticket.browser_hash, browser.browser_hash())
    if is_desk:
        g.ui_locales = state.ticket.request.ui_locales  # those of the desk are not the phone's
    if isinstance(state, Failed):
        return _over(state, is_desk=is_desk)
    if isinstance(state, Proved):
        return _bind_or_show(stored, state)
    if isinstance(state, Bound | Finished):
        state = _first_to_look(stored, state)
    return _done("done", Reason.NONE, _not_me_of(state))


def _over(state: Failed, *, is_desk: bool) -> Response:
    """A login that has ended: the browser that began it has a way back, the phone beside it has none.

    Who was shown a code had said yes on the phone: then it was the desk that cancelled.
    """
    if is_desk:
        return browser.see_other(f"/login/{state.ticket.id}")
    by_phone = state.reason is Reason.DECLINED and not state.approver_hash
    outcome = "declined" if by_phone else "failed"
    return _done(outcome, state.reason)


def _first_to_look(stored: Stored, state: Bound | Finished) -> Bound | Finished:
    """The phone of a login that the desk finished by the QR alone: it may disown what it did not start."""
    here = browser.browser_hash()
    if state.approver_hash or hmac.compare_digest(state.ticket.browser_hash, here):
        return state
    with suppress(WrongStep):
        seen = replace(state, approver_hash=here)
        services().logins.change(stored, seen)
        return seen
    return state


@blueprint.get("/vp/<handle>/progress")
def progress(handle: str) -> Response:
    """Whether the page on the phone still says what is so. Only reads, and only for the approver."""
    state = services().logins.by_handle(handle).state
    if not isinstance(state, Failed) and not _is_approver(state):
        raise LoginError("not the approver", reason=Reason.OTHER_BROWSER)
    response = jsonify({"step": state.step})
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/vp/<handle>/not-me")
def not_me(handle: str) -> Response:
    """The person at the phone did not start this: the login dies, and the session it made.

    We gave the form's token to the approver alone, so it says who asks even when the login is
    forgotten, and the alarm is raised in any case.
    """
    browser.check_csrf(f"approve:{handle}")
    try:
        state = _stop(handle)
    except (LoginNotFound, LoginExpired):
        return _too_late()
    subject = state.person.subject if isinstance(state, Proved | Bound) else ""
    record(state, Kind.LOGIN_NOT_ME, Reason.DISOWNED, subject=subject)
    return _done("disowned", Reason.DISOWNED)


def _stop(handle: str) -> LoginState:
    """End the login, however quick the desk is; gives the state it was in.

    The state goes first: a session that is being written right now is ended by who writes it
    (`finish.complete`), one that is written already is ended here.
    """
    for _ in range(MAX_RACES):
        stored = services().logins.by_handle(handle)
        state = stored.state
        if isinstance(state, Failed):
            return state
        with suppress(WrongStep):
            services().logins.change(stored, fail(state, Reason.DISOWNED))
            if isinstance(state, Finished):
                services().sessions.end(state.session, Reason.DISOWNED)
            return state
    raise WrongStep("the login changes all the time")


def _too_late() -> Response:
    """The login is over and forgotten, and what it may have opened is not known here any more."""
    services().journal.record_alone(
        Event(
            Kind.LOGIN_NOT_ME,
            reason=Reason.DISOWNED,
            address=browser.address(),
            network=browser.network(),
            device=browser.device(),
        )
    )
    return _done("late", Reason.DISOWNED)


def _wire(state: LoginState) -> Wire:
    wire = wire_of(state)
    if wire is None:
        raise WrongStep("nothing has begun")
    return wire


def _is_approver(state: LoginState) -> bool:
    """Whether this browser is the one that was shown the return code."""
    approver = getattr(state, "approver_hash", "")
    return bool(approver) and hmac.compare_digest(approver, browser.browser_hash())


def _burned(stored: Stored) -> LoginError:
    """A wrong response code: someone is guessing, so the login ends (A-159)."""
    state = stored.state
    if isinstance(state, Proved):
        services().logins.change(stored, fail(state, Reason.RESPONSE_CODE))
    return recorded(ProofRejected("wrong response code", reason=Reason.RESPONSE_CODE), state)


def _bind_or_show(stored: Stored, state: Proved) -> Response:
    here = browser.browser_hash()
    if hmac.compare_digest(state.ticket.browser_hash, here):
        bound: Bound = bind(state, "same_device")
        return finish.complete(services().logins.change(stored, bound), bound)
    try:
        shown = show_return_code(state, here)
    except ProofRejected as error:
        raise recorded(error, state) from error
    if shown is not state:
        services().logins.change(stored, shown)
        record(shown, Kind.RETURN_CODE_SHOWN, subject=shown.person.subject)
    return _return_code_shown(shown)


def _return_code_shown(state: Proved) -> Response:
    return make_response(
        render_template(
            "return_code.html",
            person_name=state.person.name,
            return_code="" if finish.means_without_code(state) else state.return_code,
            **_facts(state),
            **_approver_values(state.wire.handle),
        )
    )


def _facts(state: LoginState) -> dict[str, Any]:
    """What is being approved: which service, on which screen, where and when."""
    ticket = state.ticket
    return {
        "relying_party": admission.service_name(ticket),
        "desk_device": ticket.device,
        "desk_place": ticket.network or ticket.address,
        "desk_time": ticket.created_at,
    }


def _approver_values(handle: str) -> dict[str, str]:
    return {
        "progress_url": f"/vp/{handle}/progress",
        "not_me_url": f"/vp/{handle}/not-me",
        "csrf_value": browser.csrf_token(f"approve:{handle}"),
    }


def _not_me_of(state: LoginState) -> dict[str, Any]:
    """The approver is told what was opened, and may still disown it."""
    if not _is_approver(state):
        return {}
    return {**_facts(state), **_approver_values(_wire(state).handle)}


def _done(outcome: str, reason: Reason, not_me: dict[str, Any] | None = None) -> Response:
    html = render_template("return_done.html", state=outcome, reason=reason.value, **(not_me or {}))
    return make_response(html)
