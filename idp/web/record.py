"""The events of a login as its pages write them: who asked, from where, in which journey."""

from idp import browser
from idp.errors import LoginError
from idp.events import Event, Kind, Reason
from idp.login import LoginState, wire_of
from idp.services import services


def record(
    state: LoginState, kind: Kind, reason: Reason = Reason.NONE, *, subject: str = ""
) -> None:
    """One event in the login's journey."""
    ticket, wire = state.ticket, wire_of(state)
    services().journal.record_alone(
        Event(
            kind,
            reason=reason,
            journey=ticket.journey,
            relying_party=ticket.relying_party,
            method=wire.method if wire else "",
            subject=subject,
            address=browser.address(),
            network=browser.network(),
            device=browser.device(),
        )
    )


def recorded(error: LoginError, state: LoginState, kind: Kind = Kind.PROOF_REJECTED) -> LoginError:
    """The error, with its event written: one per refusal, in the login's journey."""
    record(state, kind, error.reason)
    error.recorded = True
    return error
