"""The frames of a login's QR, and the response code: MACs under the login's own secret (design section 4).

A frame is three digits (whole seconds since the QR began) and a 96-bit MAC. Screenshots and slow
relays die with it; the first frame that a wallet fetches pins the login.
"""

import hmac
from base64 import urlsafe_b64encode
from datetime import datetime

from idp.errors import ProofRejected
from idp.events import Reason
from idp.login import Waiting, Wire

CLOCK_SKEW_S = 2  # between our own workers


def _mac(secret: str, text: str, length: int) -> str:
    mac = hmac.digest(secret.encode(), text.encode(), "sha256")
    return urlsafe_b64encode(mac[:length]).decode().rstrip("=")


def frame(wire: Wire, second: int) -> str:
    """Frame number `second` (whole seconds since begin): three digits and a 96-bit MAC."""
    return frame_of(wire.frame_secret, second)


def frame_of(secret: str, second: int) -> str:
    """The same for the secret of a login."""
    return f"{second:03d}{_mac(secret, f'frame:{second}', 12)}"


def response_code(wire: Wire) -> str:
    """The 192-bit code in the wallet's redirect_uri (VP §8.2); single use by the state."""
    return _mac(wire.frame_secret, "response", 24)


def check_frame(state: Waiting, presented: str, now: datetime, window_s: int) -> None:
    """A frame answers while it is recent; once pinned, only the pinned one does.

    Raises ProofRejected with FRAME_NOT_PINNED, FRAME_FORGED or FRAME_OLD.
    """
    if state.pinned:
        if not hmac.compare_digest(state.pinned.encode(), presented.encode()):
            raise ProofRejected("another frame is pinned", reason=Reason.FRAME_NOT_PINNED)
        return
    second = int(presented[:3]) if presented[:3].isascii() and presented[:3].isdigit() else -1
    genuine = frame(state.wire, second) if second >= 0 else "-"
    if not hmac.compare_digest(genuine.encode(), presented.encode()):
        raise ProofRejected("not a frame of this login", reason=Reason.FRAME_FORGED)
    age_s = (now - state.wire.begun_at).total_seconds() - second
    if not -CLOCK_SKEW_S <= age_s <= window_s:
        raise ProofRejected(f"frame is {age_s:.0f} s old", reason=Reason.FRAME_OLD)
