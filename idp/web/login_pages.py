"""The desk's side of a login: chooser, QR, polls, return code, finish (steps 2, 5 and 6).

Pages never route to one another: each looks at the stored state and shows what it asks for.
"""

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, g, jsonify, make_response, render_template, request

from idp import browser, randomness
from idp.contracts import WalletMethod
from idp.errors import LoginError, LoginExpired, LoginNotFound, RequestError, WrongStep
from idp.events import Kind, Reason
from idp.frames import frame
from idp.login import (
    MAX_RETURN_CODE_TRIES,
    Bound,
    Failed,
    Finished,
    LoginState,
    Proved,
    Started,
    Waiting,
    Wire,
    begin,
    fail,
    try_return_code,
    wrong_return_code,
)
from idp.logins import Stored
from idp.services import services
from idp.web import finish, methods, qr_page, setback
from idp.web.record import record

blueprint = Blueprint("login", __name__)
NO_JS_REFRESH_S = 5


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
        return _open(stored, state)
    if isinstance(state, Proved):
        return _return_code_page(state)
    if isinstance(state, Finished):
        return browser.see_other(f"/oauth/authorize?login={login_id}")
    return _over(state, state.reason if isinstance(state, Failed) else Reason.LOGIN_STEP)


@blueprint.post("/login/<login_id>/<method>")
def choose(login_id: str, method: str) -> Response:
    """Begin a method, or begin it anew: with an expired login, on a new one for the same request."""
    browser.check_csrf(_purpose(login_id))
    if method not in services().methods:
        raise LoginNotFound(f"no method {method!r}")
    stored = services().logins.peek_for(login_id, browser.browser_hash())
    state = stored.state
    if isinstance(state, Started | Waiting) and services().now() < state.ticket.expires_at:
        _begin(stored, method)
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
        return _return_code_page(after, error=True)
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
        return browser.see_other(f"/oauth/authorize?login={stored.state.ticket.id}")
    fresh = services().logins.again(stored.state.ticket)
    return browser.see_other(f"/login/{fresh.ticket.id}")


def _towards_party(stored: Stored) -> Response:
    browser.allow_form_target(stored.state.ticket.request.redirect_uri)
    return browser.see_other(f"/oauth/authorize?login={stored.state.ticket.id}")


def _begin(stored: Stored, name: str) -> Response:
    """Step 2: the method begins, the handle is registered, the QR is drawn."""
    state = stored.state
    if not isinstance(state, Started | Waiting):
        raise WrongStep(f"begin in {state.step}")
    logins = services().logins
    wire = Wire(
        method=name,
        handle=randomness.token(16),
        nonce=randomness.token(32),
        frame_secret=randomness.token(32),
        method_state={},
        begun_at=services().now(),
    )
    attempt = logins.attempt(begin(state, wire), qr_page.response_uri(wire.handle))
    step = services().methods[name].begin(attempt)
    wire = Wire(**{**_fields(wire), "method_state": dict(step.state)})
    logins.register_handle(wire.handle, state.ticket.id)
    waiting = begin(state, wire)
    logins.change(stored, waiting)
    record(waiting, Kind.LOGIN_STARTED)
    return _qr(waiting)


def _fields(wire: Wire) -> dict[str, Any]:
    return {name: getattr(wire, name) for name in Wire.__slots__}


def _open(stored: Stored, state: Started | Waiting) -> Response:
    """The chooser when it is asked for or nothing is known of this browser; else the method's page."""
    may_choose = len(methods.names()) > 1
    if may_choose and "choose" in request.args:
        return _chooser(state)
    if isinstance(state, Waiting):
        return _qr(state)
    method = methods.remembered()
    return _begin(stored, method) if method else _chooser(state)


def _chooser(state: Started | Waiting) -> Response:
    return _page("login.html", state, methods=methods.names(), remembered=methods.remembered())


def _qr(state: Waiting) -> Response:
    now = services().now()
    left_s = max(0, int((state.ticket.expires_at - now).total_seconds()))
    method = services().methods[state.wire.method]
    if not isinstance(method, WalletMethod):
        raise WrongStep("method without a page")
    second = qr_page.elapsed_s(state.wire, now)
    links = qr_page.links(method, state.wire, frame(state.wire, second))
    found = setback.find(state)
    return _page(
        "methods/mobile_id.html",
        state,
        qr_svg=qr_page.svg(method, state.wire, second),
        wallets=links,
        wallet_link=links[0]["href"],
        status_url=f"/login/{state.ticket.id}/status",
        step=("scanned" if state.pinned else "waiting") if left_s else "expired",
        expires_in_s=left_s,
        no_js_refresh_s=NO_JS_REFRESH_S if left_s else 0,
        setback=found,
        on_phone=methods.on_phone(),
        may_choose=len(methods.names()) > 1,
    )


def _return_code_page(state: Proved, *, error: bool = False) -> Response:
    tries_left = MAX_RETURN_CODE_TRIES - state.tries
    return _page("methods/mobile_id_code.html", state, tries_left=tries_left, error=error)


def _over(state: LoginState, reason: Reason) -> Response:
    """The login has ended: why, the one next step, a code for the help desk."""
    response = _page("login_over.html", state, reason=reason.value)
    response.status_code = 403
    return response


def _page(template: str, state: LoginState, **values: Any) -> Response:
    party = finish.party_of(state.ticket)
    browser.allow_form_target(state.ticket.request.redirect_uri)
    g.ui_locales = state.ticket.request.ui_locales
    return make_response(
        render_template(
            template,
            login_id=state.ticket.id,
            relying_party=qr_page.localized_name(party),
            **values,
        )
    )


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
    if isinstance(state, Proved) and not finish.qr_alone_suffices(state):
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
