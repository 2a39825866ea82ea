"""Logins in the short-lived store: found by id and browser, or by the handle in a QR; changed by compare-and-set."""

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from idp import randomness
from idp.contracts import Attempt, Short
from idp.errors import LoginExpired, LoginNotFound, WrongStep
from idp.events import Reason
from idp.login import (
    AuthorizationRequest,
    Failed,
    Finished,
    LoginState,
    Started,
    Ticket,
    Waiting,
    wire_of,
)

CHALLENGE_S = 120  # how long a browser may take to answer a challenge
_ADAPTER: TypeAdapter[LoginState] = TypeAdapter(Annotated[LoginState, Field(discriminator="step")])


@dataclass(frozen=True, slots=True)
class Stored:
    """A state and the text it was read from, for the compare-and-set."""

    state: LoginState
    text: str


@dataclass(frozen=True, slots=True)
class Glance:
    """What a poll needs of a login whose QR waits, and nothing else."""

    method: str
    handle: str
    frame_secret: str
    begun_at: datetime


class Logins:
    """Logins in the short-lived store. Every method raises OutsideError when it is away."""

    def __init__(self, short: Short, now: Callable[[], datetime], lifetime_s: int) -> None:
        self._short = short
        self._now = now
        self._lifetime_s = lifetime_s

    def start(
        self, request: AuthorizationRequest, browser_hash: str, required_acr: str, **seen: str
    ) -> Started:
        """A new login, bound to a browser. `seen`: device, address, network; own_page."""
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

    def glance(self, login_id: str, browser_hash: str) -> Glance | None:
        """The same for a poll, without building the whole state (10,000 browsers do it at once).

        None for whatever is not an unpinned QR of this browser in its time: ask `load_for`, which
        says why.
        """
        text = self._short.get(f"login:{login_id}")
        state = json.loads(text) if text is not None else {}  # ours: we alone write there
        if state.get("step") != "waiting" or state["pinned"]:
            return None
        ticket, wire = state["ticket"], state["wire"]
        if not hmac.compare_digest(ticket["browser_hash"], browser_hash):
            return None
        if self._now() >= datetime.fromisoformat(ticket["expires_at"]):
            return None
        begun_at = datetime.fromisoformat(wire["begun_at"])
        return Glance(wire["method"], wire["handle"], wire["frame_secret"], begun_at)

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
            raise LoginNotFound("no such login")
        try:
            return Stored(_ADAPTER.validate_json(text), text)
        except ValidationError as error:  # written by another version of ours: begin anew
            raise LoginNotFound("a state of another form") from error

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
            own_page=ticket.own_page,
        )

    def register_handle(self, handle: str, login_id: str) -> None:
        """Let a handle find its login."""
        self._short.put(f"handle:{handle}", login_id, self._lifetime_s * 3)

    def change(self, stored: Stored, new: LoginState) -> Stored:
        """Compare-and-set. WrongStep when another request was quicker."""
        text = _dump(new)
        if not self._short.replace(f"login:{new.ticket.id}", stored.text, text):
            raise WrongStep("changed meanwhile")
        return Stored(new, text)

    def attempt(self, state: Waiting, response_uri: str) -> Attempt:
        """The login as its method sees it."""
        return Attempt(
            id=state.ticket.id,
            nonce=state.wire.nonce,
            expires_at=state.ticket.expires_at,
            response_uri=response_uri,
        )

    def browser_attempt(self, state: Waiting) -> Attempt:
        """The same for the browser that answers itself: its challenge lives 120 s (A-191)."""
        until = state.wire.begun_at + timedelta(seconds=CHALLENGE_S)
        expires_at = min(state.ticket.expires_at, until)
        return Attempt(id=state.ticket.id, nonce=state.wire.nonce, expires_at=expires_at)


def _dump(state: LoginState) -> str:
    return _ADAPTER.dump_json(state).decode()
