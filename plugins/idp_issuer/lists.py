"""The signed status lists: read from the register, kept for a few seconds, never older."""

import threading
from collections import OrderedDict
from datetime import datetime
from typing import TYPE_CHECKING

from idp.contracts import MobileIdState, SiteKit, Use
from idp.errors import RequestError
from idp.events import Reason
from idp_issuer import status_list
from idp_issuer.wire import refusal

if TYPE_CHECKING:
    from idp_issuer.settings import IssuerSettings

SIZE = 1 << 17  # of every list, whoever is in it; as many places as the register gives out per list
BITS = 2
MAX_KEPT = 32
_VALUES = {
    MobileIdState.REVOKED: status_list.INVALID,
    MobileIdState.SUSPENDED: status_list.SUSPENDED,
}


class StatusLists:
    """`/status/<n>` as signed tokens. Safe for threads."""

    def __init__(self, kit: SiteKit, settings: "IssuerSettings") -> None:
        self._kit = kit
        self._settings = settings
        self._kept: OrderedDict[int, tuple[datetime, str]] = OrderedDict()
        # Held while a list is made: one request makes it, and none can put an older one over it.
        self._lock = threading.Lock()

    @property
    def refresh_s(self) -> int:
        """How old a list may be when it is handed out; caches on the way may add as much."""
        return self._settings.status_refresh_s

    def token(self, number: int) -> str:
        """The Status List Token of list `number` (draft §5.1). RequestError (404), OutsideError."""
        with self._lock:
            kept = self._kept.get(number)
            now = self._kit.now()
            if kept is not None and 0 <= (now - kept[0]).total_seconds() < self.refresh_s:
                return kept[1]
            token = self._make(number, now)
            self._kept[number] = (now, token)
            self._kept.move_to_end(number)
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
            return token

    def _make(self, number: int, now: datetime) -> str:
        states = self._kit.mobile_ids.states(number)
        if states is None:
            raise not_found()
        values = {index: _VALUES[state] for index, state in states.items() if state in _VALUES}
        iat = int(now.timestamp())
        claims = {
            "sub": f"{self._kit.base_url}/status/{number}",
            "iat": iat,
            "exp": iat + self._settings.status_lifetime_s,
            "ttl": self._settings.status_ttl_s,
            "status_list": {"bits": BITS, "lst": status_list.pack(values, SIZE, BITS)},
        }
        return self._kit.sign(claims, "statuslist+jwt", Use.ISSUER)


def not_found() -> RequestError:
    """There is no such list."""
    error = refusal("not_found", "there is no such status list", Reason.BAD_REQUEST)
    error.status = 404
    error.recorded = True  # like any other address that does not exist
    return error
