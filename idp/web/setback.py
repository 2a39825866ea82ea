"""What went wrong on a phone while the login at the desk still waits, so that the desk can say it.

Kept beside the login, under the QR's handle: a new QR starts without it. Words for a page; nothing
is ever decided by it.
"""

from dataclasses import dataclass

from idp.events import Reason
from idp.login import LoginState, Waiting
from idp.services import services


@dataclass(frozen=True, slots=True)
class Setback:
    """Why a phone was refused, and a mark that changes when there is something new to say."""

    reason: Reason
    mark: str

    @property
    def other_phone(self) -> bool:
        """A second phone scanned the code; the first one goes on undisturbed."""
        return self.reason is Reason.FRAME_NOT_PINNED


def keep(state: Waiting, reason: Reason) -> None:
    """Let the desk's page say it."""
    parts = services()
    parts.short.put(_key(state), reason.value, parts.settings.lifetimes.login_s)


def find(state: LoginState) -> Setback | None:
    """What the desk should say now; asked only once a phone has scanned the QR."""
    if not isinstance(state, Waiting) or not state.pinned:
        return None
    kept = services().short.get(_key(state))
    return Setback(Reason(kept), f"{kept}-{state.rejections}") if kept else None


def _key(state: Waiting) -> str:
    return f"setback:{state.wire.handle}"
