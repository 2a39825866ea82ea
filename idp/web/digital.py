"""The mobile ID through the browser itself (Digital Credentials API), beside the QR of the same login.

    GET  /login/<id>/digital    what the browser is to ask a wallet for, signed for our origin
    POST /login/<id>/digital    what it brought: Waiting -> Proved -> Bound -> Finished

The login's cookie stands for the wallet's `state`, and nothing has to be bound: the browser that asked
brings the answer. Of two answers, or of one and a phone's, the first to change the login wins.
"""

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import NotFound

from idp import browser
from idp.contracts import Attempt, BrowserWalletMethod
from idp.errors import ProofDeclined, ProofRejected
from idp.events import Kind, Reason
from idp.login import Failed, Waiting, reject
from idp.logins import Stored
from idp.services import services
from idp.web import browser_answer, methods, qr_page
from idp.web.record import record, recorded

blueprint = Blueprint("digital", __name__)


@blueprint.get("/login/<login_id>/digital")
def ask(login_id: str) -> Response:
    """DigitalCredentialRequestOptions; asked for by the page upon the person's click."""
    state = services().logins.load_for(login_id, browser.browser_hash()).state
    if not isinstance(state, Waiting):
        raise NotFound
    response = jsonify(_method(state).browser_request(_attempt(state), state.wire.method_state))
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/login/<login_id>/digital")
def answer(login_id: str) -> Response:
    """The relying party, or why not; the third bad answer ends the login (A-140)."""
    browser.check_csrf(f"login:{login_id}")
    stored = services().logins.load_for(login_id, browser.browser_hash())
    state = stored.state
    if not isinstance(state, Waiting):  # a phone was faster, or it was sent twice
        return browser.see_other(f"/login/{login_id}")
    given = {"credential": _one_field()}
    try:
        proof = _method(state).complete_in_browser(_attempt(state), state.wire.method_state, given)
    except ProofDeclined:
        record(state, Kind.PROOF_DECLINED, Reason.DECLINED)
        return browser.see_other(f"/login/{login_id}")
    except ProofRejected as error:
        return _refused(stored, state, error)
    return methods.remember(browser_answer.sign_in(stored, state, proof), state.wire.method)


def _one_field() -> str:
    values = request.form.getlist("credential")
    return values[0] if len(values) == 1 else ""


def _refused(stored: Stored, state: Waiting, error: ProofRejected) -> Response:
    after = reject(state)
    services().logins.change(stored, after)
    if not isinstance(after, Failed):
        raise recorded(error, state, Kind.PROOF_REJECTED) from error
    record(state, Kind.PROOF_REJECTED, error.reason)
    return browser.see_other(f"/login/{state.ticket.id}")


def _attempt(state: Waiting) -> Attempt:
    return services().logins.attempt(state, qr_page.response_uri(state.wire.handle))


def _method(state: Waiting) -> BrowserWalletMethod:
    method = services().methods.get(state.wire.method)
    if not isinstance(method, BrowserWalletMethod):
        raise NotFound
    return method
