"""The session that a device gets by the device grant: a branch of its owner's, ended with or before it."""

from typing import Any

from sqlalchemy import Connection, Select, insert, select

from idp import assurance, randomness
from idp.cutoff import gate, must_be_live, passkey_must_be_live
from idp.errors import AccessDenied
from idp.events import Event, Kind, Reason
from idp.login import digest
from idp.registration import DEVICE_ACRS
from idp.services import services
from idp.sessions import Session
from idp.store.sql import transaction
from idp.store.tables import sessions

METHOD = "device"


def start(owner: Session, client_id: str, device: str, address: str, network: str) -> Session:
    """A session of its own, with its event in one transaction (D-6). AccessDenied when the owner's is over.

    It rests on the same sign-in: its time, its mobile ID or passkey, its end. It is worth a return code
    at most, since a code that was read aloud to a stranger opens the stranger's device (D-1).
    """
    parts = services()
    session_id, now = randomness.token(16), parts.now()
    acr = min(owner.acr, DEVICE_ACRS[-1], key=assurance.strength)
    with transaction(parts.engine) as connection:
        gate(connection, owner.subject, owner.authenticated_at)
        query = select(sessions).where(sessions.c.id == owner.id, sessions.c.ended_at.is_(None))
        # As at a sign-in: what is suspended at this very moment opens nothing. Locked in the order of
        # who suspends it: the mobile ID, the passkeys, then the sessions.
        _must_be_live(connection, query)
        row = connection.execute(query.with_for_update(read=True)).mappings().one_or_none()
        if row is None:
            raise AccessDenied("ended this moment", reason=Reason.SESSION_OVER)
        own = {
            "id": session_id,
            "cookie_hash": digest(randomness.token(32)),  # of a cookie that nobody gets
            "method": METHOD,
            "means": [*owner.means, METHOD],
            "acr": acr,
            "device": device,
            "address": address,
            "seen_at": now,
            "successor": "",
        }
        connection.execute(insert(sessions).values({**row, **own}))
        parts.journal.record(
            connection,
            Event(
                Kind.SESSION_STARTED,
                journey=owner.journey,
                subject=owner.subject,
                relying_party=client_id,
                method=METHOD,
                acr=acr,
                amr=owner.amr,
                session=session_id,
                mobile_id=row["mobile_id"],
                passkey=row["passkey"],
                address=address,
                network=network,
                device=device,
                data={"allowed_in": owner.id},
            ),
        )
    session = parts.sessions.get(session_id)
    if session is None:
        raise AccessDenied("ended this moment", reason=Reason.SESSION_OVER)
    return session


def _must_be_live(connection: Connection, owner: Select[Any]) -> None:
    """Whatever opened the owner's session. AccessDenied when that has stopped."""
    row = connection.execute(owner).one_or_none()
    if row is not None and row.passkey:
        passkey_must_be_live(connection, row.passkey)
    elif row is not None and row.mobile_id:
        must_be_live(connection, row.mobile_id)
