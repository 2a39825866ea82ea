"""The answer of a method that works in the browser itself (a passkey): a sign-in in one POST.

    POST /login/<id>/answer    Waiting -> (challenge used up) -> Proved -> Bound -> Finished
    GET  /login/<id>/news      what the owner of passkeys should know before going on

The challenge is used up first, by compare-and-set, and only then is the answer looked at: of two posts
of the same answer one is verified, whichever process they reach (A-203), so a form that is sent twice
never looks like a cloned key.
"""

from flask import Blueprint, Response, request

from idp import browser
from idp.contracts import BrowserMethod, Proof
from idp.errors import AccessDenied, ProofRejected, WrongStep
from idp.events import Kind, Reason
from idp.login import (
    Bound,
    Failed,
    Finished,
    Person,
    Waiting,
    bind,
    fail,
    prove,
    refuse_answer,
    take_answer,
)
from idp.logins import Stored
from idp.services import services
from idp.web import admission, finish, method_pages, methods, news
from idp.web.record import record

blueprint = Blueprint("browser_answer", __name__)
MAX_ANSWER = 16 * 1024


@blueprint.post("/login/<login_id>/answer")
def answer(login_id: str) -> Response:
    """The browser's answer: the relying party, or the page again with why not."""
    browser.check_csrf(f"login:{login_id}")
    stored = services().logins.load_for(login_id, browser.browser_hash())
    if not isinstance(stored.state, Waiting) or not _may_answer(stored.state):
        return browser.see_other(f"/login/{login_id}")
    try:
        state = take_answer(stored.state)
        used = services().logins.change(stored, state)
    except WrongStep:  # sent twice: the page says how the other one went
        return browser.see_other(f"/login/{login_id}")
    try:
        proof = _verified(state)
    except ProofRejected as error:
        return _refused(used, state, error.reason)
    return methods.remember(sign_in(used, state, proof), state.wire.method)


@blueprint.get("/login/<login_id>/news")
def tell(login_id: str) -> Response:
    """What changed with the person's passkeys since they last signed in, before they go on."""
    stored = services().logins.peek_for(login_id, browser.browser_hash())
    state, session = stored.state, browser.current_session()
    if not isinstance(state, Finished) or session is None or session.id != state.session:
        return browser.see_other(f"/login/{login_id}")
    return method_pages.page(
        "passkey_news.html",
        state,
        passkeys=news.of(session.subject, session.id),
        next_url=finish.onward(state.ticket),
    )


def _may_answer(state: Waiting) -> bool:
    """Whether this browser was asked anything: a QR alone asks the phone."""
    asked = state.beside or state.wire
    return isinstance(services().methods.get(asked.method), BrowserMethod)


def _verified(state: Waiting) -> Proof:
    """What the method says of the one field, within the time of its challenge. ProofRejected."""
    method = services().methods[state.wire.method]
    attempt = services().logins.browser_attempt(state)
    if services().now() >= attempt.expires_at:
        raise ProofRejected("too late", reason=Reason.PASSKEY_TIME)
    values = request.form.getlist("credential")
    if len(values) != 1 or len(values[0]) > MAX_ANSWER:
        raise ProofRejected("not one field of a fitting size")
    return method.complete(attempt, state.wire.method_state, {"credential": values[0]})


def _refused(used: Stored, state: Waiting, reason: Reason) -> Response:
    """Why, with a new challenge; the third time the login ends."""
    after = refuse_answer(state, reason, method_pages.new_wire(state, state.wire.method))
    services().logins.change(used, after)
    record(state, Kind.PROOF_REJECTED, reason)
    if isinstance(after, Failed):
        return browser.see_other(f"/login/{state.ticket.id}")
    return method_pages.show(after, status=400)


def sign_in(used: Stored, state: Waiting, proof: Proof) -> Response:
    """The key is genuine: who is it, may they act? Then the session, in this same request."""
    try:
        official = services().people.find(proof.identifier.number)
        person = admission.person_of(proof.identifier.issuer, official)
    except AccessDenied as error:
        services().logins.change(used, fail(state, error.reason))
        record(state, Kind.LOGIN_REFUSED, error.reason)
        return browser.see_other(f"/login/{state.ticket.id}")
    bound = _bound(state, proof, person)
    record(bound, Kind.PROOF_ACCEPTED, subject=person.subject)
    return finish.complete(used, bound)


def _bound(state: Waiting, proof: Proof, person: Person) -> Bound:
    """Nothing has to be bound to one another: who asked and who answered is the same browser."""
    return bind(prove(state, proof, person, ""))
