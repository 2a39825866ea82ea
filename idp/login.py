r"""One login as a state machine: the heart. No HTTP, no SQL; a pure value goes in, the next comes out.

    Started --begin--> Waiting --prove--> Proved --bind--> Bound --finish--> Finished
       \__________________\__________________\_____________\________________\--> Failed(reason)

* `Started`: the authorization request is valid; a browser is bound by the hash of its cookie.
* `Waiting`: a QR is on the screen. The first frame whose address a wallet fetched pins it. For a
  method that answers in the browser itself (a passkey): a challenge is there, for one answer.
* `Proved`: a presentation verified, and the directory knows a person who may enter. Nobody is signed in yet.
* `Bound`: the phone and the desk are one: same browser, or the return code typed at the desk; or the
  relying party is content with the QR alone, or with the network that both are in; or a passkey
  answered in the browser itself.
* `Finished`: a session is written, or about to be; `/oauth/authorize?login=` makes the code.
  Who disowns the login at this moment still ends it.

A transition takes one state and returns the next, so a step out of order does not type-check.
`logins.py` keeps states in the short-lived store; every change is a compare-and-set.
"""

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from idp import randomness
from idp.contracts import Proof
from idp.errors import ProofRejected, ReturnCodeWrong, WrongStep
from idp.events import Reason

MAX_REJECTIONS = 3  # bad presentations before the login is dead
MAX_RETURN_CODE_TRIES = 3


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A validated authorization request (OIDC Core §3.1.2.1); every value passed its checks."""

    client_id: str
    redirect_uri: str
    response_mode: str  # one that the relying party registered (`registration.RESPONSE_MODES`)
    scope: tuple[str, ...]
    state: str | None
    nonce: str | None
    code_challenge: str  # S256; "" only where the relying party is exempt
    prompt: tuple[str, ...] = ()
    max_age: int | None = None  # seconds
    acr_values: tuple[str, ...] = ()
    login_hint: str = ""
    ui_locales: tuple[str, ...] = ()
    hint_sub: str = ""  # the `sub` that a genuine id_token_hint named
    claims: str = ""  # the claims parameter, checked, as canonical JSON (OIDC Core §5.5)
    resource: tuple[str, ...] = ()  # resource indicators (RFC 8707), each registered for the party
    dpop_jkt: str = ""  # the key the code is bound to (RFC 9449 §10)
    pushed: str = (
        ""  # the request_uri it was pushed under, used up when the code is made (RFC 9126)
    )


@dataclass(frozen=True, slots=True)
class Ticket:
    """What every state of a login carries."""

    id: str
    journey: str
    browser_hash: str  # SHA-256 of the cookie of the browser that started
    request: AuthorizationRequest
    relying_party: str  # its client_id, as events say it
    required_acr: str
    created_at: datetime
    expires_at: datetime
    device: str = ""  # short summary of the desk browser, for the phone's page
    address: str = ""
    network: str = ""  # named network of the desk
    own_page: str = ""  # a page of ours that the person goes on to; "" when a relying party asked


@dataclass(frozen=True, slots=True)
class Wire:
    """One method that was begun: what a wallet, or the browser with a passkey, answers to."""

    method: str
    handle: str
    nonce: str
    frame_secret: str  # base64url; keys frames and the response code; never leaves the server
    method_state: dict[str, Any]
    begun_at: datetime  # frames count whole seconds from here
    options: dict[str, Any] = field(default_factory=dict)  # for the browser that answers itself


@dataclass(frozen=True, slots=True)
class Started:
    ticket: Ticket
    step: Literal["started"] = "started"


@dataclass(frozen=True, slots=True)
class Waiting:
    ticket: Ticket
    wire: Wire
    pinned: str = ""  # the frame that a wallet fetched first; it alone answers from then on
    pinned_address: str = ""
    rejections: int = 0
    beside: Wire | None = None  # a challenge on the QR's page, for a passkey instead of the phone
    answered: bool = False  # the browser has answered: this challenge is used up
    refused: Reason = Reason.NONE  # why the answer before was, for the page
    step: Literal["waiting"] = "waiting"


@dataclass(frozen=True, slots=True)
class Person:
    """Who proved it: enough for the pages and for the session, nothing more."""

    subject: str
    source: str
    personnel_number: str
    name: str


@dataclass(frozen=True, slots=True)
class ProofRecord:
    """A Proof as it is kept (JSON has no sets)."""

    issuer: str
    number: str
    amr: tuple[str, ...]
    means: tuple[str, ...]
    at: datetime
    credential: str
    passkey: str = ""


@dataclass(frozen=True, slots=True)
class Proved:
    ticket: Ticket
    wire: Wire
    proof: ProofRecord
    person: Person
    answer_digest: str  # of the accepted response: the same again gets the same answer
    approver_hash: str = ""  # the browser on the phone that opened the return address first
    return_code: str = ""
    tries: int = 0
    in_one_network: bool = False  # desk and phone are in one that stands in for the code
    step: Literal["proved"] = "proved"


@dataclass(frozen=True, slots=True)
class Bound:
    ticket: Ticket
    wire: Wire
    proof: ProofRecord
    person: Person
    means: tuple[str, ...]  # the proof's and how the devices were bound
    answer_digest: str = ""
    approver_hash: str = ""
    step: Literal["bound"] = "bound"


@dataclass(frozen=True, slots=True)
class Finished:
    ticket: Ticket
    wire: Wire | None  # None when a session was there already
    session: str  # session id
    answer_digest: str = ""
    approver_hash: str = ""
    session_written: bool = (
        False  # until then nobody has the session, and the phone may still stop it
    )
    code_issued: bool = False
    step: Literal["finished"] = "finished"


@dataclass(frozen=True, slots=True)
class Failed:
    ticket: Ticket
    wire: Wire | None
    reason: Reason
    answer_digest: str = ""  # when a good presentation came, but the person may not enter
    approver_hash: str = ""
    leaving: bool = False  # the person asked to go back to the relying party
    step: Literal["failed"] = "failed"


LoginState = Started | Waiting | Proved | Bound | Finished | Failed


def digest(secret: str) -> str:
    """SHA-256 in hexadecimal: how cookies and codes are kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


# --- transitions --------------------------------------------------------------------------------


def begin(state: Started | Waiting, wire: Wire, beside: Wire | None = None) -> Waiting:
    """A method has begun. Beginning again (a new QR) forgets the former one."""
    return Waiting(ticket=state.ticket, wire=wire, beside=beside)


def pin(state: Waiting, frame: str, address: str) -> Waiting:
    """The first frame fetched is the only one that answers from now on."""
    return replace(state, pinned=frame, pinned_address=address)


def reject(state: Waiting) -> Waiting | Failed:
    """A presentation did not verify; the third such ends the login."""
    rejections = state.rejections + 1
    if rejections >= MAX_REJECTIONS:
        return fail(state, Reason.TOO_MANY_REJECTIONS)
    return replace(state, rejections=rejections)


def take_answer(state: Waiting) -> Waiting:
    """The browser has answered: nothing answers this challenge again, whatever that was worth (A-191).

    An answer to the challenge beside a QR is the choice of that method: the QR is forgotten.
    """
    if state.answered:
        raise WrongStep("answered already")
    if state.beside is not None:
        return Waiting(state.ticket, state.beside, answered=True)
    return replace(state, answered=True)


def refuse_answer(state: Waiting, reason: Reason, wire: Wire) -> Waiting | Failed:
    """The browser's answer did not verify: a new challenge; the third such ends the login."""
    rejections = state.rejections + 1
    if rejections >= MAX_REJECTIONS:
        return fail(state, Reason.PASSKEY_TRIES)
    return Waiting(state.ticket, wire, rejections=rejections, refused=reason)


def prove(
    state: Waiting,
    proof: Proof,
    person: Person,
    answer_digest: str,
    *,
    in_one_network: bool = False,
) -> Proved:
    """A presentation verified and the person may act."""
    record = ProofRecord(
        issuer=proof.identifier.issuer,
        number=proof.identifier.number,
        amr=tuple(sorted(proof.amr)),
        means=tuple(sorted(proof.means)),
        at=proof.at,
        credential=proof.credential,
        passkey=proof.passkey,
    )
    return Proved(
        ticket=state.ticket,
        wire=state.wire,
        proof=record,
        person=person,
        answer_digest=answer_digest,
        in_one_network=in_one_network,
    )


def show_return_code(state: Proved, approver_hash: str) -> Proved:
    """The first other browser that opens the return address keeps the code; nobody else can."""
    if state.approver_hash:
        if not hmac.compare_digest(state.approver_hash, approver_hash):
            raise ProofRejected("opened by another browser", reason=Reason.RESPONSE_CODE)
        return state
    return replace(state, approver_hash=approver_hash, return_code=randomness.digits(6))


def try_return_code(state: Proved, typed: str) -> Bound | Proved | Failed:
    """The code typed at the desk: Bound when right; the third wrong one ends the login."""
    if state.return_code and hmac.compare_digest(state.return_code.encode(), typed.encode()):
        return bind(state, "qr", "return_code")
    tries = state.tries + 1
    if tries >= MAX_RETURN_CODE_TRIES:
        return fail(state, Reason.RETURN_CODE_TRIES)
    return replace(state, tries=tries)


def bind(state: Proved, *means: str) -> Bound:
    """Phone and desk are one, by these means."""
    return Bound(
        ticket=state.ticket,
        wire=state.wire,
        proof=state.proof,
        person=state.person,
        means=tuple(sorted({*state.proof.means, *means})),
        answer_digest=state.answer_digest,
        approver_hash=state.approver_hash,
    )


def finish(state: Bound, session: str) -> Finished:
    """A session exists."""
    return Finished(
        ticket=state.ticket,
        wire=state.wire,
        session=session,
        answer_digest=state.answer_digest,
        approver_hash=state.approver_hash,
    )


def fail(state: LoginState, reason: Reason, answer_digest: str = "") -> Failed:
    """The login ends here."""
    approver_hash = "" if isinstance(state, Started | Waiting) else state.approver_hash
    return Failed(state.ticket, wire_of(state), reason, answer_digest, approver_hash)


def wire_of(state: LoginState) -> Wire | None:
    """The wallet side of a login, once a method has begun."""
    return None if isinstance(state, Started) else state.wire


def wrong_return_code(state: Bound | Proved | Failed) -> None:
    """ReturnCodeWrong unless the code was right; the reason says whether tries are left."""
    if isinstance(state, Failed):
        raise ReturnCodeWrong("no tries left", reason=Reason.RETURN_CODE_TRIES)
    if isinstance(state, Proved):
        raise ReturnCodeWrong("wrong", reason=Reason.RETURN_CODE_WRONG)
