"""The wallet's side of a login (OpenID4VP 1.0): the request (3) and the response (4)."""

import hashlib
import hmac
import json

from flask import Blueprint, Response, jsonify, make_response, request

from idp import browser, problems
from idp.contracts import Proof, WalletMethod
from idp.errors import (
    AccessDenied,
    LoginError,
    ProofDeclined,
    ProofRejected,
    RequestError,
    WrongStep,
)
from idp.events import Kind, Reason
from idp.frames import check_frame, response_code
from idp.login import (
    Failed,
    LoginState,
    Proved,
    Waiting,
    Wire,
    fail,
    pin,
    prove,
    reject,
    wire_of,
)
from idp.logins import Stored
from idp.services import services
from idp.web import admission, qr_page, return_pages, setback
from idp.web.reasons import WORDS
from idp.web.record import record, recorded

blueprint = Blueprint("wallet_protocol", __name__)
blueprint.register_blueprint(return_pages.blueprint)
_ASKED = ("wallet_nonce", "wallet_metadata")
MAX_FORGED_ERRORS = 10  # error answers without our state, per login and minute


@blueprint.route("/vp/<handle>/request", methods=["GET", "POST"])
def request_object(handle: str) -> Response:
    """The signed request object, to the first recent frame only (VP §5.10; pins the login)."""
    stored = services().logins.by_handle(handle)
    state = stored.state
    if not isinstance(state, Waiting):
        raise WrongStep(f"request in {state.step}")
    presented = request.args.get("frame", "")
    window_s = services().settings.lifetimes.frame_window_s
    try:
        check_frame(state, presented, services().now(), window_s)
        state = _pinned(stored, state, presented)
    except ProofRejected as error:
        if error.reason is Reason.FRAME_NOT_PINNED:
            setback.keep(state, error.reason)
        raise recorded(error, state, Kind.LOGIN_FRAME_REFUSED) from error
    form = _form()
    wallet: dict[str, str] = {name: form[name] for name in _ASKED if name in form}
    attempt = services().logins.attempt(state, qr_page.response_uri(handle))
    body = _method(state.wire).request_object(attempt, state.wire.method_state, wallet)
    response = make_response(body)
    response.mimetype = "application/oauth-authz-req+jwt"
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/vp/<handle>/response")
def presentation(handle: str) -> Response:
    """The wallet's answer (VP §8.2): 200 with `redirect_uri`, never a redirect.

    The first verified presentation wins; the same one again gets the same answer.
    """
    answer = _form()
    digest = hashlib.sha256(json.dumps(answer, sort_keys=True).encode()).hexdigest()
    stored = services().logins.by_handle(handle)
    state = stored.state
    if not isinstance(state, Waiting):
        return _same_again(state, digest)
    if not state.pinned:
        raise recorded(ProofRejected("never fetched", reason=Reason.LOGIN_STEP), state)
    attempt = services().logins.attempt(state, qr_page.response_uri(handle))
    try:
        proof = _method(state.wire).complete(attempt, state.wire.method_state, answer)
    except ProofDeclined:
        return _declined(stored, state)
    except ProofRejected as error:
        _count_rejection(stored, state, error, is_error="error" in answer)
        raise recorded(error, state, Kind.PROOF_REJECTED) from error
    return _decide(stored, state, proof, digest)


@blueprint.errorhandler(LoginError)
def say_why(error: LoginError) -> Response:
    """The refusal as a wallet gets it, with the help desk's code, so that the phone can show it.

    English and ASCII (RFC 6749 §5.2): the code is what the help desk needs in any language.
    """
    response = problems.answer(error)
    if response.mimetype == "application/json":
        words = WORDS[error.reason]
        body = {"error": error.code, "error_description": f"{words.code} {words.title}"}
        response.set_data(json.dumps(body))
    return response


def _form() -> dict[str, str]:
    """The form's fields, each at most once (E1)."""
    given = request.method == "POST" and request.content_length != 0
    if given and request.mimetype != "application/x-www-form-urlencoded":
        raise RequestError("invalid_request", "a form is expected", reason=Reason.PROOF_MALFORMED)
    fields = {}
    for name, values in request.form.lists():
        if len(values) != 1:
            raise RequestError(
                "invalid_request", "a field is repeated", reason=Reason.REPEATED_PARAMETER
            )
        fields[name] = values[0]
    return fields


def _method(wire: Wire) -> WalletMethod:
    method = services().methods.get(wire.method)
    if not isinstance(method, WalletMethod):
        raise WrongStep("no such wallet method")
    return method


def _wire(state: LoginState) -> Wire:
    wire = wire_of(state)
    if wire is None:
        raise WrongStep("nothing has begun")
    return wire


def _pinned(stored: Stored, state: Waiting, presented: str) -> Waiting:
    """Pin by compare-and-set; of two wallets at once one wins and the other is told so."""
    here = browser.address()
    if state.pinned:
        if state.pinned_address != here:
            record(state, Kind.LOGIN_ADDRESS_CHANGED)
        return state
    new = pin(state, presented, here)
    try:
        services().logins.change(stored, new)
    except LoginError:
        current = services().logins.by_handle(state.wire.handle).state
        if not isinstance(current, Waiting):
            raise
        window_s = services().settings.lifetimes.frame_window_s
        check_frame(current, presented, services().now(), window_s)
        return current
    record(new, Kind.LOGIN_PINNED)
    return new


def _same_again(state: LoginState, digest: str) -> Response:
    """A repeated post of the accepted presentation gets the same answer; anything else is late."""
    known = getattr(state, "answer_digest", "")
    if known and hmac.compare_digest(known, digest):
        return _redirect_uri(_wire(state))
    raise recorded(ProofRejected(f"response in {state.step}", reason=Reason.LOGIN_STEP), state)


def _redirect_uri(wire: Wire) -> Response:
    address = f"{services().settings.issuer}/vp/{wire.handle}/return"
    response = jsonify({"redirect_uri": f"{address}?response_code={response_code(wire)}"})
    response.headers["Cache-Control"] = "no-store"
    return response


def _declined(stored: Stored, state: Waiting) -> Response:
    services().logins.change(stored, fail(state, Reason.DECLINED))
    record(state, Kind.PROOF_DECLINED, Reason.DECLINED)
    return _redirect_uri(state.wire)


def _count_rejection(
    stored: Stored, state: Waiting, error: ProofRejected, *, is_error: bool
) -> None:
    """The third bad presentation ends the login; a forged error answer may not (A-140, A-154)."""
    if is_error and error.reason is Reason.PROOF_STATE:
        if services().short.count(f"rate:forged:{state.ticket.id}", 60) > MAX_FORGED_ERRORS:
            error.status = 429
        return
    setback.keep(state, error.reason)
    if error.reason is Reason.STATUS_UNAVAILABLE:  # a list server that is down is nobody's guess
        return
    for _ in range(3):  # others may be posting at the same time
        try:
            services().logins.change(stored, reject(state))
        except LoginError:
            stored = services().logins.by_handle(state.wire.handle)
            if not isinstance(stored.state, Waiting):
                return
            state = stored.state
        else:
            return


def _decide(stored: Stored, state: Waiting, proof: Proof, digest: str) -> Response:
    """The presentation is good: who is it, may they act? The wallet is told the same either way."""
    subject = ""
    try:
        official = services().people.find(proof.identifier.number)
        person = admission.person_of(proof.identifier.issuer, official)
        subject = person.subject
        admission.must_be_admitted(official, state.ticket)
    except AccessDenied as error:
        new: Proved | Failed = fail(state, error.reason, digest)
    else:
        in_one = browser.is_in_trusted(state.ticket.network)
        new = prove(state, proof, person, digest, in_one_network=in_one)
    try:
        services().logins.change(stored, new)
    except LoginError:
        return _same_again(services().logins.by_handle(state.wire.handle).state, digest)
    if isinstance(new, Failed):
        record(new, Kind.LOGIN_REFUSED, new.reason, subject=subject)
    else:
        record(new, Kind.PROOF_ACCEPTED, subject=subject)
    return _redirect_uri(state.wire)
