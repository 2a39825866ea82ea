"""How a session starts: what is asked once more, what it keeps of its login, the event that commits with it."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from idp.cutoff import gate, must_be_live, passkey_must_be_live
from idp.events import Event, Kind
from idp.login import Bound


def still_good(connection: Connection, login: Bound) -> Bound:
    """The login with the phone that its passkey is on now. AccessDenied: suspended, reported since the proof."""
    if login.proof.passkey:
        phone = passkey_must_be_live(connection, login.proof.passkey)
        login = replace(login, proof=replace(login.proof, credential=phone))
    elif login.proof.credential:
        must_be_live(connection, login.proof.credential)
    gate(connection, login.person.subject, login.proof.at)
    return login


def row_of(login: Bound, acr: str, amr: tuple[str, ...]) -> dict[str, Any]:
    """What a session keeps of its login."""
    ticket = login.ticket
    return {
        "subject": login.person.subject,
        "source": login.person.source,
        "personnel_number": login.person.personnel_number,
        "journey": ticket.journey,
        "method": login.wire.method,
        "means": list(login.means),
        "acr": acr,
        "amr": list(amr),
        "mobile_id": login.proof.credential,
        "passkey": login.proof.passkey,
        "device": ticket.device,
        "address": ticket.address,
        "authenticated_at": login.proof.at,
    }


def started(login: Bound, session_id: str, acr: str, amr: tuple[str, ...]) -> Event:
    """The event of a session, which commits with it (D-6)."""
    ticket = login.ticket
    return Event(
        Kind.SESSION_STARTED,
        journey=ticket.journey,
        subject=login.person.subject,
        relying_party=ticket.relying_party,
        method=login.wire.method,
        acr=acr,
        amr=amr,
        session=session_id,
        mobile_id=login.proof.credential,
        address=ticket.address,
        network=ticket.network,
        device=ticket.device,
        passkey=login.proof.passkey,
        data={"means": " ".join(login.means)},
    )
