"""The desk's side of a login: chooser, QR, polls, return code, finish (steps 2, 5 and 6).

Pages never route to one another: each looks at the stored state and shows what it asks for.
"""

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, jsonify, request

from idp import browser, rates
from idp.contracts import WalletMethod
from idp.errors import LoginError, LoginExpired, LoginNotFound, RequestError, WrongStep
from idp.events import Kind, Reason
from idp.login import (
    MAX_RETURN_CODE_TRIES,
    Bound,
    Failed,
    Finished,
    LoginState,
    Proved,
    Started,
    Waiting,
    fail,
    try_return_code,
    wrong_return_code,
)
from idp.logins import Stored
from idp.services import services
from idp.web import browser_answer, digital, finish, method_pages, methods, qr_page, setback
from idp.web.record import record

blueprint = Blueprint("login", __name__)
blueprint.register_blueprint(browser_answer.blueprint)
blueprint.register_blueprint(digital.blueprint)


def _purpose(login_id: str) -> str:
    return f"login:{login_id}"


@blueprint.get("/login/<login_id>")
def show(login_id: str) -> Response:
    """The page that the state of the login asks for; finishes a login that is ready."""
    stored = _peek(login_id)
    state = stored.state
    bound = finish.as_bound(state)
    if bound is not None:
        return finish.complete(stored, bound)
    if isinstance(state, Started | Waiting):
        return method_pages.opened(stored, state)
    if isinstance(state, Proved):
        return _return_code_form(state)
    if isinstance(state, Finished):
        return browser.see_other(finish.onward(state.ticket))
    return _over(state, state.reason if isinstance(state, Failed) else Reason.LOGIN_STEP)


@blueprint.post("/login/<login_id>/<method>")
def choose(login_id: str, method: str) -> Response:
    """Begin a method, or begin it anew: with an expired login, on a new one for the same request."""
    browser.check_csrf(_purpose(login_id))
    stored = services().logins.peek_for(login_id, browser.browser_hash())
    state = stored.state
    if method not in methods.offered(state.ticket):
        raise LoginNotFound("no such method")
    if isinstance(state, Started | Waiting) and services().now() < state.ticket.expires_at:
        rates.must_fit("logins")  # each beginning is an event
        method_pages.start(stored, method)
        return methods.remember(browser.see_other(f"/login/{login_id}"), method)
    return _again(stored)


@blueprint.get("/login/<login_id>/again")
def again(login_id: str) -> Response:
    """A new login for the same request, when this one is over without a session."""
    return _again(services().logins.peek_for(login_id, browser.browser_hash()))


@blueprint.post("/login/<login_id>/cancel")
def cancel(login_id: str) -> Response:
    """The person changed their mind at the desk: the relying party is told access_denied."""
    browser.check_csrf(_purpose(login_id))
    stored = services().logins.peek_for(login_id, browser.browser_hash())
    if not isinstance(stored.state, Finished | Failed):
        services().logins.change(stored, fail(stored.state, Reason.DECLINED))
    elif isinstance(stored.state, Failed) and not stored.state.leaving:
        services().logins.change(stored, replace(stored.state, leaving=True))
    return _towards_party(stored)


@blueprint.get("/login/<login_id>/leave")
def leave(login_id: str) -> Response:
    """Back to the relying party from a login that is over: it is told access_denied."""
    stored = services().logins.peek_for(login_id, browser.browser_hash())
    if isinstance(stored.state, Failed) and not stored.state.leaving:
        services().logins.change(stored, replace(stored.state, leaving=True))
    return _towards_party(stored)


@blueprint.get("/login/<login_id>/status")
def status(login_id: str) -> Response:
    """A poll: only reads; answers the step and the next frames."""
    try:
        state = services().logins.load_for(login_id, browser.browser_hash()).state
    except LoginExpired:
        return _json({"step": "expired", "reason": Reason.LOGIN_EXPIRED.value, "next": None})
    return _json(_status(state))


@blueprint.post("/login/<login_id>/return-code")
def return_code(login_id: str) -> Response:
    """The code the phone shows, typed at the desk: three tries."""
    browser.check_csrf(_purpose(login_id))
    stored = services().logins.load_for(login_id, browser.browser_hash())
    state = stored.state
    if not isinstance(state, Proved):  # disowned, finished in another tab: its page says so
        return browser.see_other(f"/login/{login_id}")
    typed = "".join(request.form.get("return_code", "").split())
    after = try_return_code(state, typed)
    stored = services().logins.change(stored, after)
    if isinstance(after, Bound):
        return finish.complete(stored, after)
    record(after, Kind.RETURN_CODE_REFUSED, _reason_of(after))
    if isinstance(after, Proved):
        return _return_code_form(after, error=True)
    return browser.see_other(f"/login/{login_id}")


@blueprint.post("/login/<login_id>/finish")
def finish_login(login_id: str) -> Response:
    """Finish a login that is ready (the page does the same when it is opened)."""
    browser.check_csrf(_purpose(login_id))
    stored = services().logins.load_for(login_id, browser.browser_hash())
    bound = finish.as_bound(stored.state)
    if bound is None:
        raise WrongStep(f"finish in {stored.state.step}")
    return finish.complete(stored, bound)


def _peek(login_id: str) -> Stored:
    """The login, and an expired one that has a page to be said on."""
    stored = services().logins.peek_for(login_id, browser.browser_hash())
    over = services().now() >= stored.state.ticket.expires_at
    if over and not isinstance(stored.state, Waiting | Finished | Failed):
        return services().logins.change(stored, fail(stored.state, Reason.LOGIN_EXPIRED))
    return stored


def _again(stored: Stored) -> Response:
    if isinstance(stored.state, Finished):
        return browser.see_other(finish.onward(stored.state.ticket))
    rates.must_fit("logins")
    fresh = services().logins.again(stored.state.ticket)
    return browser.see_other(f"/login/{fresh.ticket.id}")


def _towards_party(stored: Stored) -> Response:
    ticket = stored.state.ticket
    if not ticket.own_page:
        browser.allow_form_target(ticket.request.redirect_uri)
    return browser.see_other(finish.onward(ticket))


def _return_code_form(state: Proved, *, error: bool = False) -> Response:
    tries_left = MAX_RETURN_CODE_TRIES - state.tries
    return method_pages.page(
        "methods/mobile_id_code.html", state, tries_left=tries_left, error=error
    )


def _over(state: LoginState, reason: Reason) -> Response:
    """The login has ended: why, the one next step, a code for the help desk."""
    response = method_pages.page("login_over.html", state, reason=reason.value)
    response.status_code = 403
    return response


def _status(state: LoginState) -> dict[str, Any]:
    here = f"/login/{state.ticket.id}"
    if isinstance(state, Waiting):
        method = services().methods[state.wire.method]
        if state.pinned or not isinstance(method, WalletMethod):
            found = setback.find(state)
            mark = found.mark if found else ""
            return {"step": "scanned", "reason": None, "next": None, "setback": mark}
        frames = qr_page.frames(method, state.wire, services().now())
        return {"step": "waiting", "reason": None, "next": None, **frames}
    if isinstance(state, Proved) and not finish.means_without_code(state):
        return {"step": "proved", "reason": None, "next": here}
    if isinstance(state, Failed):
        return {"step": "failed", "reason": state.reason.value, "next": here}
    return {"step": "ready", "reason": None, "next": here}


def _json(body: dict[str, Any]) -> Response:
    response = jsonify(body)
    response.headers["Cache-Control"] = "no-store"
    return response


def _reason_of(state: Bound | Proved | Failed) -> Reason:
    try:
        wrong_return_code(state)
    except LoginError as error:
        return error.reason
    raise RequestError("server_error", detail="a right return code has no reason")
