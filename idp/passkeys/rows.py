"""Rows of `passkeys` as values, and the events of their changes."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from idp.contracts import Identifier, Passkey, PasskeyState
from idp.events import Event, Kind, Reason
from idp.store.sql import utc
from idp.store.tables import passkeys, subjects


@dataclass(frozen=True, slots=True)
class Seen:
    """The browser that an owner changes something with, as events tell of it."""

    address: str
    network: str
    device: str


def as_passkey(row: Row[Any]) -> Passkey:
    """A row as a value."""
    return Passkey(
        id=row.id,
        credential_id=row.credential_id,
        user_handle=row.user_handle,
        identifier=Identifier(row.issuer, row.personnel_number),
        name=row.name,
        data=row.data,
        version=row.version,
        mobile_id=row.mobile_id,
        state=PasskeyState(row.state),
        created_at=utc(row.created_at) or row.created_at,
        used_at=utc(row.used_at),
    )


def owner_of(connection: Connection, subject: str) -> Identifier:
    """Who a person is, by our id."""
    query = select(subjects.c.issuer, subjects.c.personnel_number).where(subjects.c.id == subject)
    row = connection.execute(query).one()
    return Identifier(row.issuer, row.personnel_number)


def lock_owner(connection: Connection, subject: str) -> None:
    """Changes of one person's passkeys happen one after the other."""
    lock = select(subjects.c.id).where(subjects.c.id == subject).with_for_update(key_share=True)
    connection.execute(lock).all()


def row_of(connection: Connection, passkey_id: str, subject: str = "") -> Row[Any] | None:
    """The row of a passkey; of this person only, when one is named."""
    query = select(passkeys).where(passkeys.c.id == passkey_id)
    if subject:
        query = query.where(passkeys.c.subject == subject)
    return connection.execute(query).one_or_none()


def state_changed(row: Row[Any], to: PasskeyState, reason: Reason, actor: str = "") -> Event:
    """A passkey was suspended, reinstated or removed."""
    return Event(
        Kind.PASSKEY_STATE,
        reason=reason,
        subject=row.subject,
        actor=actor,
        mobile_id=row.mobile_id,
        passkey=row.id,
        data={"to": to.value},
    )
