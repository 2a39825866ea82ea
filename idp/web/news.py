"""What changed with a person's passkeys since they last signed in: said at the next sign-in (R-061)."""

from idp.contracts import BrowserMethod, Passkey
from idp.services import services


def of(subject: str, session_id: str) -> list[Passkey]:
    """Added, suspended or removed since the sign-in before; not the one that has just been used."""
    parts = services()
    if not any(isinstance(method, BrowserMethod) for method in parts.methods.values()):
        return []
    return parts.passkeys.news(subject, session_id)
