"""Things a small program remembers for a while, by a random key: its sessions."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from idp import randomness

_AT_MOST = 1000


class Shelf:
    """At most a thousand things, each for `lifetime_s`; safe for threads."""

    def __init__(self, lifetime_s: int) -> None:
        self._lifetime_s = lifetime_s
        self._things: OrderedDict[str, tuple[float, dict[str, Any]]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, thing: dict[str, Any], key: str = "") -> str:
        """Keep it; gives the key, which is random unless it is given."""
        key = key or randomness.token(32)
        with self._lock:
            self._things[key] = (time.monotonic() + self._lifetime_s, thing)
            if len(self._things) > _AT_MOST:
                self._things.popitem(last=False)
        return key

    def get(self, key: str) -> dict[str, Any] | None:
        """The thing, unless its time is over."""
        with self._lock:
            until, thing = self._things.get(key, (0.0, None))
        return thing if time.monotonic() < until else None

    def take(self, key: str) -> dict[str, Any] | None:
        """The thing, this once."""
        found = self.get(key)
        with self._lock:
            return found if self._things.pop(key, None) else None

    def drop(self, is_over: Callable[[dict[str, Any]], bool]) -> None:
        """Forget all things that are over."""
        with self._lock:
            for key in [key for key, (_, thing) in self._things.items() if is_over(thing)]:
                del self._things[key]
