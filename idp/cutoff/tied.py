"""Passkeys on a phone share the fate of its mobile ID: steps of that change, in the same transaction."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, update

from idp.contracts import PasskeyState
from idp.events import Event, Kind, Reason
from idp.store.tables import passkeys


def suspend_tied(
    connection: Connection, phones: list[str], now: datetime, actor: str = ""
) -> list[Event]:
    """Suspend the passkeys tied to these mobile IDs; gives the events to write."""
    live = (passkeys.c.mobile_id.in_(phones), passkeys.c.state == PasskeyState.LIVE.value)
    return _change(connection, live, PasskeyState.SUSPENDED, now, actor)


def reinstate_tied(
    connection: Connection, phone: str, now: datetime, actor: str = ""
) -> list[Event]:
    """The phone was found: what was suspended with it, and for nothing else, counts again."""
    with_it = (
        passkeys.c.mobile_id == phone,
        passkeys.c.state == PasskeyState.SUSPENDED.value,
        passkeys.c.state_reason == Reason.PHONE_CUT_OFF.value,
    )
    return _change(connection, with_it, PasskeyState.LIVE, now, actor)


def _change(
    connection: Connection,
    which: tuple[ColumnElement[bool], ...],
    to: PasskeyState,
    now: datetime,
    actor: str,
) -> list[Event]:
    rows = connection.execute(
        update(passkeys)
        .where(*which)
        .values(state=to.value, state_reason=Reason.PHONE_CUT_OFF.value, changed_at=now)
        .returning(passkeys.c.id, passkeys.c.subject, passkeys.c.mobile_id)
    ).all()
    return [
        Event(
            Kind.PASSKEY_STATE,
            reason=Reason.PHONE_CUT_OFF,
            subject=row.subject,
            actor=actor,
            mobile_id=row.mobile_id,
            passkey=row.id,
            data={"to": to.value},
        )
        for row in rows
    ]
