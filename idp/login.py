r"""One login as a state machine: the heart. No HTTP, no SQL; a pure value goes in, the next comes out.

    Started --begin--> Waiting --prove--> Proved --bind--> Bound --finish--> Finished
       \\________________\\__________________\\_______________\\--> Failed(reason)

* `Started`: the authorization request is valid; a browser is bound by the hash of its cookie.
* `Waiting`: a QR is on the screen. The first frame whose address a wallet fetched pins it.
* `Proved`: a presentation verified and the directory knows the person. Nobody is signed in yet.
* `Bound`: the phone and the desk are one: same browser, or the return code typed at the desk.
* `Finished`: a session exists; `/oauth/authorize?login=` makes the code.

A transition takes one state and returns the next, so a step out of order does not type-check.
`Logins` keeps states in the short-lived store; every change is a compare-and-set.
"""

import dataclasses
import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from idp import randomness
from idp.contracts import Attempt, Proof, Short
from idp.errors import LoginError, LoginExpired, LoginNotFound, ProofRejected, ReturnCodeWrong
from idp.events import Reason

MAX_REJECTIONS = 3  # bad presentations before the login is dead
MAX_RETURN_CODE_TRIES = 3
CLOCK_SKEW_S = 2  # between our own workers


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A validated authorization request (OIDC Core §3.1.2.1); every value passed its checks."""

    client_id: str
    redirect_uri: str
    response_mode: str  # "query", "fragment" or "form_post"
    scope: tuple[str, ...]
    state: str | None
    nonce: str | None
    code_challenge: str  # S256; "" only where the relying party is exempt
    prompt: tuple[str, ...] = ()
    max_age: int | None = None  # seconds
    acr_values: tuple[str, ...] = ()
    login_hint: str = ""
    ui_locales: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ticket:
    """What every state of a login carries."""

    id: str
    journey: str
    browser_hash: str  # SHA-256 of the cookie of the browser that started
    request: AuthorizationRequest
    relying_party: str  # display name key: the client_id
    required_acr: str
    created_at: datetime
    expires_at: datetime
    device: str = ""  # short summary of the desk browser, for the phone's page
    address: str = ""
    network: str = ""  # named network of the desk


@dataclass(frozen=True, slots=True)
class Wire:
    """What the wallet side of a login needs, from begin() on."""

    method: str
    handle: str
    nonce: str
    frame_secret: str  # base64url; keys frames and the response code; never leaves the server
    method_state: dict[str, Any]
    begun_at: datetime  # frames count whole seconds from here


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
    code_issued: bool = False
    step: Literal["finished"] = "finished"


@dataclass(frozen=True, slots=True)
class Failed:
    ticket: Ticket
    wire: Wire | None
    reason: Reason
    answer_digest: str = ""  # when a good presentation came, but the person may not enter
    step: Literal["failed"] = "failed"


LoginState = Started | Waiting | Proved | Bound | Finished | Failed
_ADAPTER: TypeAdapter[LoginState] = TypeAdapter(Annotated[LoginState, Field(discriminator="step")])


def digest(secret: str) -> str:
    """SHA-256 in hexadecimal: how cookies and codes are kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


# --- transitions --------------------------------------------------------------------------------


def begin(state: Started | Waiting, wire: Wire) -> Waiting:
    """A method has begun. Beginning again (a new QR) forgets the former one."""
    return Waiting(ticket=state.ticket, wire=wire)


def pin(state: Waiting, frame: str, address: str) -> Waiting:
    """The first frame fetched is the only one that answers from now on."""
    return replace(state, pinned=frame, pinned_address=address)


def reject(state: Waiting) -> Waiting | Failed:
    """A presentation did not verify; the third such ends the login."""
    rejections = state.rejections + 1
    if rejections >= MAX_REJECTIONS:
        return fail(state, Reason.TOO_MANY_REJECTIONS)
    return replace(state, rejections=rejections)


def prove(state: Waiting, proof: Proof, person: Person, answer_digest: str) -> Proved:
    """A presentation verified and the person may act."""
    record = ProofRecord(
        issuer=proof.identifier.issuer,
        number=proof.identifier.number,
        amr=tuple(sorted(proof.amr)),
        means=tuple(sorted(proof.means)),
        at=proof.at,
        credential=proof.credential,
    )
    return Proved(
        ticket=state.ticket,
        wire=state.wire,
        proof=record,
        person=person,
        answer_digest=answer_digest,
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
    return Failed(state.ticket, wire_of(state), reason, answer_digest)


def wire_of(state: LoginState) -> Wire | None:
    """The wallet side of a login, once a method has begun."""
    return None if isinstance(state, Started) else state.wire


# --- frames of the QR, and the response code ------------------------------------------------------


def _mac(wire: Wire, text: str, length: int) -> str:
    mac = hmac.digest(wire.frame_secret.encode(), text.encode(), "sha256")
    return urlsafe_b64encode(mac[:length]).decode().rstrip("=")


def frame(wire: Wire, second: int) -> str:
    """Frame number `second` (whole seconds since begin): three digits and a 96-bit MAC."""
    return f"{second:03d}{_mac(wire, f'frame:{second}', 12)}"


def response_code(wire: Wire) -> str:
    """The 192-bit code in the wallet's redirect_uri (VP §8.2); single use by the state."""
    return _mac(wire, "response", 24)


def check_frame(state: Waiting, presented: str, now: datetime, window_s: int) -> None:
    """A frame answers while it is recent; once pinned, only the pinned one does.

    Raises ProofRejected with FRAME_NOT_PINNED, FRAME_FORGED or FRAME_OLD.
    """
    if state.pinned:
        if not hmac.compare_digest(state.pinned.encode(), presented.encode()):
            raise ProofRejected("another frame is pinned", reason=Reason.FRAME_NOT_PINNED)
        return
    second = int(presented[:3]) if presented[:3].isascii() and presented[:3].isdigit() else -1
    genuine = frame(state.wire, second) if second >= 0 else "-"
    if not hmac.compare_digest(genuine.encode(), presented.encode()):
        raise ProofRejected("not a frame of this login", reason=Reason.FRAME_FORGED)
    age_s = (now - state.wire.begun_at).total_seconds() - second
    if not -CLOCK_SKEW_S <= age_s <= window_s:
        raise ProofRejected(f"frame is {age_s:.0f} s old", reason=Reason.FRAME_OLD)


# --- keeping ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stored:
    """A state and the text it was read from, for the compare-and-set."""

    state: LoginState
    text: str


class Logins:
    """Logins in the short-lived store. Every method raises OutsideError when it is away."""

    def __init__(self, short: Short, now: Callable[[], datetime], lifetime_s: int) -> None:
        self._short = short
        self._now = now
        self._lifetime_s = lifetime_s

    def start(
        self, request: AuthorizationRequest, browser_hash: str, required_acr: str, **seen: str
    ) -> Started:
        """A new login, bound to a browser. `seen`: device, address, network."""
        now = self._now()
        ticket = Ticket(
            id=randomness.token(16),
            journey=randomness.token(16),
            browser_hash=browser_hash,
            request=request,
            relying_party=request.client_id,
            required_acr=required_acr,
            created_at=now,
            expires_at=now + timedelta(seconds=self._lifetime_s),
            **seen,
        )
        state = Started(ticket)
        self.put(state)
        return state

    def put(self, state: LoginState) -> None:
        """Write a state that no other request can be changing (a new login)."""
        # Kept longer than the login lives, so that a page can say that it expired.
        self._short.put(f"login:{state.ticket.id}", _dump(state), self._lifetime_s * 3)

    def load_for(self, login_id: str, browser_hash: str) -> Stored:
        """A login, only for the browser that started it. LoginNotFound, LoginExpired (A-158)."""
        stored = self.peek_for(login_id, browser_hash)
        self._must_live(stored.state)
        return stored

    def peek_for(self, login_id: str, browser_hash: str) -> Stored:
        """The same, also when it has expired: to say so, or to begin anew from it."""
        stored = self._read(login_id)
        if not hmac.compare_digest(stored.state.ticket.browser_hash, browser_hash):
            raise LoginNotFound("another browser", reason=Reason.OTHER_BROWSER)
        return stored

    def by_handle(self, handle: str) -> Stored:
        """The login a QR's handle points to. LoginNotFound, LoginExpired."""
        login_id = self._short.get(f"handle:{handle}") if len(handle) <= 64 else None
        if login_id is None:
            raise LoginNotFound("handle")
        stored = self._read(login_id)
        wire = wire_of(stored.state)
        if wire is None or wire.handle != handle:
            raise LoginNotFound("superseded handle")
        self._must_live(stored.state)
        return stored

    def _read(self, login_id: str) -> Stored:
        text = self._short.get(f"login:{login_id}") if len(login_id) <= 64 else None
        if text is None:
            raise LoginNotFound(login_id)
        return Stored(_ADAPTER.validate_json(text), text)

    def _must_live(self, state: LoginState) -> None:
        if self._now() >= state.ticket.expires_at and not isinstance(state, Finished | Failed):
            raise LoginExpired(state.ticket.id)

    def again(self, ticket: Ticket) -> Started:
        """A new login for the same request and browser (a new QR after this one is over)."""
        return self.start(
            ticket.request,
            ticket.browser_hash,
            ticket.required_acr,
            device=ticket.device,
            address=ticket.address,
            network=ticket.network,
        )

    def register_handle(self, handle: str, login_id: str) -> None:
        """Let a handle find its login."""
        self._short.put(f"handle:{handle}", login_id, self._lifetime_s * 3)

    def change(self, stored: Stored, new: LoginState) -> Stored:
        """Compare-and-set. LoginError(LOGIN_STEP) when another request was quicker."""
        text = _dump(new)
        if not self._short.replace(f"login:{new.ticket.id}", stored.text, text):
            raise LoginError("changed meanwhile", reason=Reason.LOGIN_STEP)
        return Stored(new, text)

    def attempt(self, state: Waiting, response_uri: str) -> Attempt:
        """The login as its method sees it."""
        return Attempt(
            id=state.ticket.id,
            nonce=state.wire.nonce,
            expires_at=state.ticket.expires_at,
            response_uri=response_uri,
        )


def wrong_return_code(state: Bound | Proved | Failed) -> None:
    """ReturnCodeWrong unless the code was right; the reason says whether tries are left."""
    if isinstance(state, Failed):
        raise ReturnCodeWrong("no tries left", reason=Reason.RETURN_CODE_TRIES)
    if isinstance(state, Proved):
        raise ReturnCodeWrong("wrong", reason=Reason.RETURN_CODE_WRONG)


def _dump(state: LoginState) -> str:
    return _ADAPTER.dump_json(state).decode()


def fields_of(state: LoginState) -> dict[str, Any]:
    """For tests and the CLI: the state as a plain dictionary."""
    return dataclasses.asdict(state)
