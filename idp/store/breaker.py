"""A system that is away is left alone for a moment, so that waiting for it does not use up all threads."""

import threading
import time
from collections.abc import Callable

from idp.errors import OutsideError

LIMIT = 3  # failures in a row
REST_S = 1.0


class Breaker:
    """After `LIMIT` failures in a row everyone is refused at once; each `REST_S` one may try again.

    The first success ends that. A caller says `enter` before, then `succeeded` or `failed`.
    """

    def __init__(
        self, system: str, patience_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._system = system
        self._patience_s = patience_s  # how long one try may take
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._again_at = 0.0

    def enter(self) -> None:
        """Does nothing, or raises OutsideError while the system rests."""
        if self._failures < LIMIT:
            return
        with self._lock:
            now = self._clock()
            if self._failures >= LIMIT and now < self._again_at:
                raise OutsideError(self._system, "away a moment ago, not asked again yet")
            self._again_at = now + self._patience_s + REST_S  # this one tries; the others wait

    def succeeded(self) -> None:
        """It answered."""
        if self._failures:
            with self._lock:
                self._failures = 0

    def failed(self) -> None:
        """It did not answer in time."""
        with self._lock:
            self._failures += 1
            self._again_at = self._clock() + REST_S
