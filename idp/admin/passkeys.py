"""Passkeys as operators see and change them: `gongmu passkey` and the API do the same."""

from typing import Any

from idp.contracts import Passkey, PasskeyState

CHANGES = {
    "suspend": PasskeyState.SUSPENDED,
    "reinstate": PasskeyState.LIVE,
    "remove": PasskeyState.REMOVED,
}
COLUMNS = (
    "id",
    "personnel_number",
    "name",
    "model",
    "synced",
    "state",
    "mobile_id",
    "created_at",
    "used_at",
)


def shown(passkey: Passkey) -> dict[str, Any]:
    """A passkey as JSON; key, counter and the authenticator's id are nobody's business."""
    return {
        "id": passkey.id,
        "personnel_number": passkey.identifier.number,
        "name": passkey.name,
        "model": str(passkey.data.get("model", "")),
        "synced": passkey.data.get("synced") is True,
        "state": passkey.state.value,
        "mobile_id": passkey.mobile_id,
        "created_at": passkey.created_at.isoformat(),
        "used_at": passkey.used_at.isoformat() if passkey.used_at else None,
    }
