"""The account gate's half in SQL, for whoever writes a session: in that same transaction."""

from datetime import UTC, datetime

from sqlalchemy import Connection, select

from idp.contracts import MobileIdState, PasskeyState
from idp.cutoff.rows import row_of
from idp.errors import AccessDenied
from idp.events import Reason
from idp.store.tables import cut_offs, passkeys

WHY_NOT_LIVE = {
    MobileIdState.SUSPENDED: Reason.STATUS_SUSPENDED,
    MobileIdState.REVOKED: Reason.STATUS_REVOKED,
    MobileIdState.OFFERED: Reason.STATUS_MISSING,
}


def gate(connection: Connection, subject: str, since: datetime) -> None:
    """AccessDenied(CUT_OFF) when a live cut-off of the subject is at or after `since`."""
    query = select(cut_offs.c.id).where(
        cut_offs.c.subject == subject,
        cut_offs.c.lifted_at.is_(None),
        cut_offs.c.at >= since.astimezone(UTC),  # SQLite compares the text, without a zone
    )
    if connection.execute(query.limit(1)).first() is not None:
        raise AccessDenied("cut off since", reason=Reason.CUT_OFF)


def must_be_live(connection: Connection, mobile_id: str) -> None:
    """AccessDenied unless this mobile ID is LIVE now.

    Called in the transaction that writes a session, it closes the race with a suspension: the
    shared lock lets either the session be seen and ended, or the suspension be seen here.
    """
    row = row_of(connection, mobile_id, share=True)
    state = MobileIdState(row.state) if row is not None else MobileIdState.REVOKED
    if state is not MobileIdState.LIVE:
        raise AccessDenied(f"mobile ID is {state}", reason=WHY_NOT_LIVE[state])


def passkey_must_be_live(connection: Connection, passkey_id: str) -> str:
    """The mobile ID that this passkey is tied to ("" for none). AccessDenied unless it is LIVE now.

    Called, and locked, as `must_be_live`; and in the order of who suspends a phone: its mobile ID, then
    its passkeys. In another order either would wait for the other until the database broke it off.
    """
    mobile_id = _phone_of_live(connection, passkey_id)
    if mobile_id:
        must_be_live(connection, mobile_id)
    return _phone_of_live(connection, passkey_id, share=True)


def _phone_of_live(connection: Connection, passkey_id: str, *, share: bool = False) -> str:
    query = select(passkeys.c.state, passkeys.c.mobile_id).where(passkeys.c.id == passkey_id)
    row = connection.execute(query.with_for_update(read=True) if share else query).one_or_none()
    if row is None or row.state == PasskeyState.REMOVED.value:
        raise AccessDenied("passkey is gone", reason=Reason.PASSKEY_REMOVED)
    if row.state != PasskeyState.LIVE.value:
        raise AccessDenied("passkey is suspended", reason=Reason.PASSKEY_SUSPENDED)
    return str(row.mobile_id)
