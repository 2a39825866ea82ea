"""The wallet's side of a login (OpenID4VP 1.0): the request, the response, the return address."""

import hashlib
import hmac
import json

from flask import Blueprint, Response, jsonify, make_response, render_template, request

from idp import browser
from idp.contracts import Proof, WalletMethod
from idp.errors import (
    AccessDenied,
    LoginError,
    ProofDeclined,
    ProofRejected,
    RequestError,
    WrongStep,
)
from idp.events import Event, Kind, Reason
from idp.frames import check_frame, response_code
from idp.login import (
    Bound,
    Failed,
    Finished,
    LoginState,
    Proved,
    Started,
    Waiting,
    Wire,
    bind,
    fail,
    pin,
    prove,
    reject,
    show_return_code,
)
from idp.logins import Stored
from idp.services import services
from idp.web import finish, qr_page

blueprint = Blueprint("wallet_protocol", __name__)
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
        raise _told(error, state, Kind.LOGIN_FRAME_REFUSED) from error
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
        raise _told(ProofRejected("never fetched", reason=Reason.LOGIN_STEP), state)
    attempt = services().logins.attempt(state, qr_page.response_uri(handle))
    try:
        proof = _method(state.wire).complete(attempt, state.wire.method_state, answer)
    except ProofDeclined:
        return _declined(stored, state)
    except ProofRejected as error:
        _count_rejection(stored, state, error, is_error="error" in answer)
        raise _told(error, state, Kind.PROOF_REJECTED) from error
    return _decide(stored, state, proof, digest)


@blueprint.get("/vp/<handle>/return")
def return_address(handle: str) -> Response:
    """Where the phone's browser lands: the same browser is bound; another one is shown the code."""
    stored = services().logins.by_handle(handle)
    state = stored.state
    wire = _wire(state)
    given = request.args.get("response_code", "")
    if not hmac.compare_digest(response_code(wire).encode(), given.encode()):
        raise _burned(stored)
    if isinstance(state, Failed):
        return _done("failed", state.reason)
    if isinstance(state, Proved):
        return _bind_or_show(stored, state)
    return _done("done", Reason.NONE, _not_me_of(state))


@blueprint.post("/vp/<handle>/not-me")
def not_me(handle: str) -> Response:
    """The person at the phone did not start this: the login dies, and the session it made."""
    browser.check_csrf(f"approve:{handle}")
    stored = services().logins.by_handle(handle)
    state = stored.state
    approver = getattr(state, "approver_hash", "")
    if not approver or not hmac.compare_digest(approver, browser.browser_hash()):
        raise _told(LoginError("not the approver", reason=Reason.OTHER_BROWSER), state)
    if isinstance(state, Finished):
        services().sessions.end(state.session, Reason.DISOWNED)
    services().logins.change(stored, fail(state, Reason.DISOWNED))
    _record(state, Kind.LOGIN_NOT_ME, Reason.DISOWNED)
    return _done("disowned", Reason.DISOWNED)


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
    if isinstance(state, Started) or state.wire is None:
        raise WrongStep("nothing has begun")
    return state.wire


def _pinned(stored: Stored, state: Waiting, presented: str) -> Waiting:
    """Pin by compare-and-set; of two wallets at once one wins and the other is told so."""
    here = browser.address()
    if state.pinned:
        if state.pinned_address != here:
            _record(state, Kind.LOGIN_ADDRESS_CHANGED, Reason.NONE)
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
    _record(new, Kind.LOGIN_PINNED, Reason.NONE)
    return new


def _same_again(state: LoginState, digest: str) -> Response:
    """A repeated post of the accepted presentation gets the same answer; anything else is late."""
    known = getattr(state, "answer_digest", "")
    if known and hmac.compare_digest(known, digest):
        return _redirect_uri(_wire(state))
    raise _told(ProofRejected(f"response in {state.step}", reason=Reason.LOGIN_STEP), state)


def _redirect_uri(wire: Wire) -> Response:
    address = f"{services().settings.issuer}/vp/{wire.handle}/return"
    response = jsonify({"redirect_uri": f"{address}?response_code={response_code(wire)}"})
    response.headers["Cache-Control"] = "no-store"
    return response


def _declined(stored: Stored, state: Waiting) -> Response:
    services().logins.change(stored, fail(state, Reason.DECLINED))
    _record(state, Kind.PROOF_DECLINED, Reason.DECLINED)
    return _redirect_uri(state.wire)


def _count_rejection(
    stored: Stored, state: Waiting, error: ProofRejected, *, is_error: bool
) -> None:
    """The third bad presentation ends the login; a forged error answer may not (A-140, A-154)."""
    if is_error and error.reason is Reason.PROOF_STATE:
        if services().short.count(f"rate:forged:{state.ticket.id}", 60) > MAX_FORGED_ERRORS:
            error.status = 429
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
    try:
        official = services().people.find(proof.identifier.number)
        person = finish.subject_of(proof.identifier.issuer, official)
        finish.admitted(person, state.ticket)
    except AccessDenied as error:
        new: Proved | Failed = fail(state, error.reason, digest)
    else:
        new = prove(state, proof, person, digest)
    try:
        services().logins.change(stored, new)
    except LoginError:
        return _same_again(services().logins.by_handle(state.wire.handle).state, digest)
    if isinstance(new, Failed):
        _record(new, Kind.LOGIN_REFUSED, new.reason)
    else:
        _record(new, Kind.PROOF_ACCEPTED, Reason.NONE, subject=new.person.subject)
    return _redirect_uri(state.wire)


def _burned(stored: Stored) -> LoginError:
    """A wrong response code: someone is guessing, so the login ends (A-159)."""
    state = stored.state
    if isinstance(state, Proved):
        services().logins.change(stored, fail(state, Reason.RESPONSE_CODE))
    return _told(ProofRejected("wrong response code", reason=Reason.RESPONSE_CODE), state)


def _bind_or_show(stored: Stored, state: Proved) -> Response:
    here = browser.browser_hash()
    if hmac.compare_digest(state.ticket.browser_hash, here):
        bound: Bound = bind(state, "same_device")
        return finish.complete(services().logins.change(stored, bound), bound)
    try:
        shown = show_return_code(state, here)
    except ProofRejected as error:
        raise _told(error, state) from error
    if shown is not state:
        services().logins.change(stored, shown)
        _record(shown, Kind.RETURN_CODE_SHOWN, Reason.NONE, subject=shown.person.subject)
    return _return_code_page(shown)


def _return_code_page(state: Proved) -> Response:
    handle, ticket = state.wire.handle, state.ticket
    return make_response(
        render_template(
            "return_code.html",
            relying_party=qr_page.localized_name(finish.party_of(ticket)),
            desk_device=ticket.device,
            desk_place=ticket.network or ticket.address,
            desk_time=ticket.created_at,
            person_name=state.person.name,
            return_code="" if finish.qr_alone_suffices(state) else state.return_code,
            not_me_url=f"/vp/{handle}/not-me",
            csrf_value=browser.csrf_token(f"approve:{handle}"),
        )
    )


def _not_me_of(state: LoginState) -> dict[str, str]:
    """The approver may still disown a finished login."""
    approver = getattr(state, "approver_hash", "")
    if not approver or not hmac.compare_digest(approver, browser.browser_hash()):
        return {}
    handle = _wire(state).handle
    return {
        "not_me_url": f"/vp/{handle}/not-me",
        "csrf_value": browser.csrf_token(f"approve:{handle}"),
    }


def _done(outcome: str, reason: Reason, not_me: dict[str, str] | None = None) -> Response:
    html = render_template("return_done.html", state=outcome, reason=reason.value, **(not_me or {}))
    return make_response(html)


def _told(error: LoginError, state: LoginState, kind: Kind = Kind.PROOF_REJECTED) -> LoginError:
    """The error, with its event written: one per refusal, in the login's journey."""
    _record(state, kind, error.reason)
    error.recorded = True
    return error


def _record(state: LoginState, kind: Kind, reason: Reason, subject: str = "") -> None:
    ticket = state.ticket
    services().journal.record_alone(
        Event(
            kind,
            reason=reason,
            journey=ticket.journey,
            relying_party=ticket.relying_party,
            method=_wire(state).method,
            subject=subject,
            address=browser.address(),
            network=browser.network(),
            device=browser.device(),
        )
    )
