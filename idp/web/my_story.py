"""What happened in a person's name, from the events: their last sign-ins, and "this was not me"."""

from datetime import datetime
from typing import Any

from idp import browser
from idp.events import Event, Kind, Reason
from idp.services import services
from idp.session_ends import end_session
from idp.sessions import Session
from idp.store.sql import transaction
from idp.web import qr_page

SHOWN = 20
_KINDS = (
    Kind.SESSION_STARTED,
    Kind.SESSION_ENDED,
    Kind.LOGIN_REFUSED,
    Kind.LOGIN_NOT_ME,
    Kind.PASSKEY_ADDED,
    Kind.PASSKEY_REFUSED,
    Kind.PASSKEY_STATE,
)


def of(mine: Session) -> list[dict[str, Any]]:
    """The newest first. `can_disown`: a sign-in that is not this browser's own."""
    read = services().journal.read
    found = [
        event for kind in _KINDS for event in read(limit=SHOWN, subject=mine.subject, kind=kind)
    ]
    found.sort(key=lambda event: str(event["at"]), reverse=True)
    return [_row(event, mine) for event in found[:SHOWN]]


def _row(event: dict[str, Any], mine: Session) -> dict[str, Any]:
    party = services().relying_parties.get(event.get("relying_party", ""))
    return {
        "kind": event["kind"],
        "when": datetime.fromisoformat(event["at"]),
        "reason": event.get("reason", Reason.NONE.value),
        "relying_party": qr_page.localized_name(party) if party else "",
        "device": event.get("device", ""),
        "place": event.get("network") or event.get("address", ""),
        "acr": event.get("acr", ""),
        "session": event.get("session", ""),
        "can_disown": event["kind"] == Kind.SESSION_STARTED and event["session"] != mine.id,
    }


def disown(mine: Session, session_id: str) -> bool:
    """End a sign-in that the person did not make, with the alarm, in one transaction.

    False when there was no such sign-in in the person's name, or it is this very one.
    """
    parts = services()
    began = parts.journal.read(
        limit=1, subject=mine.subject, session=session_id, kind=Kind.SESSION_STARTED
    )
    if not began or session_id == mine.id:
        return False
    alarm = Event(
        Kind.LOGIN_NOT_ME,
        reason=Reason.DISOWNED,
        journey=began[0].get("journey", ""),
        subject=mine.subject,
        actor=mine.subject,
        relying_party=began[0].get("relying_party", ""),
        session=session_id,
        address=browser.address(),
        network=browser.network(),
        device=browser.device(),
    )
    with transaction(parts.engine) as connection:
        end_session(
            connection, parts.journal, session_id, Reason.DISOWNED, parts.now(), mine.subject
        )
        parts.journal.record(connection, alarm)
    return True
