"""The pages of a login that waits: the chooser, the QR, the passkey; and the beginning of a method (step 2)."""

from datetime import timedelta
from typing import Any

from flask import Response, g, make_response, render_template, request

from idp import browser, randomness
from idp.contracts import BrowserMethod, WalletMethod
from idp.errors import WrongStep
from idp.events import Kind, Reason
from idp.frames import frame
from idp.login import LoginState, Started, Waiting, Wire, begin, fail
from idp.logins import CHALLENGE_S, Stored
from idp.services import services
from idp.web import admission, methods, qr_page, setback
from idp.web.record import record

NO_JS_REFRESH_S = 5


def start(stored: Stored, name: str) -> Waiting:
    """The method begins; beside a QR, a passkey may answer as well."""
    state = stored.state
    if not isinstance(state, Started | Waiting):
        raise WrongStep(f"begin in {state.step}")
    waiting = begin(state, new_wire(state, name), _beside(state, name))
    if isinstance(services().methods[name], WalletMethod):
        services().logins.register_handle(waiting.wire.handle, state.ticket.id)
    services().logins.change(stored, waiting)
    record(waiting, Kind.LOGIN_STARTED)  # a request that nobody looked at has no event
    return waiting


def _beside(state: Started | Waiting, name: str) -> Wire | None:
    if not isinstance(services().methods[name], WalletMethod):
        return None
    for other in methods.offered(state.ticket):
        if isinstance(services().methods[other], BrowserMethod):
            return new_wire(state, other)
    return None


def new_wire(state: Started | Waiting, name: str) -> Wire:
    """What a method needs from its beginning on: a handle and a challenge of its own."""
    logins, method = services().logins, services().methods[name]
    wire = Wire(
        method=name,
        handle=randomness.token(16),
        nonce=randomness.token(32),
        frame_secret=randomness.token(32),
        method_state={},
        begun_at=services().now(),
    )
    waiting = begin(state, wire)
    if isinstance(method, BrowserMethod):
        step = method.begin(logins.browser_attempt(waiting))
        options = dict(step.page["options"])
    else:
        step = method.begin(logins.attempt(waiting, qr_page.response_uri(wire.handle)))
        options = {}
    fields: dict[str, Any] = {name: getattr(wire, name) for name in Wire.__slots__}
    return Wire(**{**fields, "method_state": dict(step.state), "options": options})


def opened(stored: Stored, state: Started | Waiting) -> Response:
    """The page of the method that was begun or is the usual one; the chooser when it is asked for."""
    offered = methods.offered(state.ticket)
    if not offered:
        services().logins.change(stored, fail(state, Reason.ACR_UNMET))
        return browser.see_other(f"/login/{state.ticket.id}")
    if len(offered) > 1 and "choose" in request.args:
        return _chooser(state, offered)
    if isinstance(state, Waiting):
        return show(state)
    usual = methods.usual(state.ticket, offered)
    return show(start(stored, usual)) if usual else _chooser(state, offered)


def show(state: Waiting, status: int = 200) -> Response:
    """The page of the method that was begun."""
    method = services().methods.get(state.wire.method)
    if isinstance(method, BrowserMethod):
        response = page(
            "methods/fido2.html",
            state,
            refused=state.refused.value if state.refused is not Reason.NONE else "",
            rp_id=method.rp_id,
            may_use_mobile_id="mobile_id" in methods.offered(state.ticket),
            **_passkey_values(state, state.wire),
        )
        response.status_code = status
        return response
    if not isinstance(method, WalletMethod):
        raise WrongStep("method without a page")
    return _qr(state, method)


def _chooser(state: Started | Waiting, offered: list[str]) -> Response:
    return page(
        "login.html",
        state,
        methods=offered,
        remembered=methods.remembered(offered),
        on_device_only=methods.on_device_only(state.ticket),
    )


def _passkey_values(state: Waiting, wire: Wire | None) -> dict[str, Any]:
    """The options, while their challenge may still be answered."""
    if wire is None or state.answered:
        return {"options": None, "expires_in_s": 0}
    until = min(state.ticket.expires_at, wire.begun_at + timedelta(seconds=CHALLENGE_S))
    left_s = max(0, int((until - services().now()).total_seconds()))
    return {"options": wire.options if left_s else None, "expires_in_s": left_s}


def _qr(state: Waiting, method: WalletMethod) -> Response:
    now = services().now()
    left_s = max(0, int((state.ticket.expires_at - now).total_seconds()))
    second = qr_page.elapsed_s(state.wire, now)
    links = qr_page.links(method, state.wire, frame(state.wire, second))
    passkey = _passkey_values(state, state.beside)
    return page(
        "methods/mobile_id.html",
        state,
        options=passkey["options"],
        qr_svg=qr_page.svg(method, state.wire, second),
        wallets=links,
        wallet_link=links[0]["href"],
        status_url=f"/login/{state.ticket.id}/status",
        step=("scanned" if state.pinned else "waiting") if left_s else "expired",
        expires_in_s=left_s,
        no_js_refresh_s=NO_JS_REFRESH_S if left_s else 0,
        setback=setback.find(state),
        on_phone=methods.on_phone(),
        may_choose=len(methods.offered(state.ticket)) > 1,
    )


def page(template: str, state: LoginState, **values: Any) -> Response:
    """A page of this login, in the language that its request asks for."""
    ticket = state.ticket
    name = admission.service_name(ticket)
    if not ticket.own_page:
        browser.allow_form_target(ticket.request.redirect_uri)
    g.ui_locales = ticket.request.ui_locales
    return make_response(
        render_template(template, login_id=ticket.id, relying_party=name, **values)
    )
