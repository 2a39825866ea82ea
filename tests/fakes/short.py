"""`contracts.Short` in memory, for tests without a Redis: thread-safe, with a clock of the test's own."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from idp.contracts import Taken
from idp.errors import OutsideError


@dataclass
class _Entry:
    value: str
    until_s: float
    spent: bool = False
    roll: set[str] | None = None


class MemoryShort:
    """Each verb is atomic, as in `idp.store.short.RedisShort`. `away` makes every verb fail."""

    def __init__(
        self, now: Callable[[], datetime] | None = None, shared: "MemoryShort | None" = None
    ) -> None:
        self._time_s = (lambda: now().timestamp()) if now else time.monotonic
        self._prefix = ""
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()
        self._root = self
        if shared is not None:
            self._time_s, self._entries, self._lock = shared._time_s, shared._entries, shared._lock
            self._root = shared._root
        self.away = False

    def namespace(self, name: str) -> "MemoryShort":
        """The same store for one site."""
        part = MemoryShort(shared=self)
        part._prefix = f"{self._prefix}{name}:"
        return part

    def put(self, key: str, value: str, ttl_s: int) -> None:
        with self._open():
            self._entries[self._prefix + key] = _Entry(value, self._time_s() + ttl_s)

    def put_new(self, key: str, value: str, ttl_s: int) -> bool:
        with self._open():
            if self._living(key) is not None:
                return False
            self._entries[self._prefix + key] = _Entry(value, self._time_s() + ttl_s)
            return True

    def get(self, key: str) -> str | None:
        with self._open():
            entry = self._living(key)
            return None if entry is None or entry.spent else entry.value

    def take(self, key: str, remember_s: int = 0) -> Taken | None:
        with self._open():
            entry = self._living(key)
            if entry is None:
                return None
            first = not entry.spent
            if first and remember_s > 0:
                entry.spent, entry.until_s = True, self._time_s() + remember_s
            elif first:
                del self._entries[self._prefix + key]
            return Taken(entry.value, first)

    def replace(self, key: str, old: str, new: str) -> bool:
        with self._open():
            entry = self._living(key)
            if entry is None or entry.spent or entry.value != old:
                return False
            entry.value = new
            return True

    def lay(self, key: str, head: str, rest: str, ttl_s: int) -> None:
        self.put(key, f"{head}\n{rest}", ttl_s)

    def turn(self, key: str, head: str, new_head: str, new_rest: str, ttl_s: int) -> Taken | None:
        with self._open():
            entry = self._living(key)
            if entry is None:
                return None
            stands, _, rest = entry.value.partition("\n")
            if stands != head:
                return Taken(rest, first=False)
            new = _Entry(f"{new_head}\n{new_rest}", self._time_s() + ttl_s)
            self._entries[self._prefix + key] = new
            return Taken("", first=True)

    def count(self, key: str, window_s: int) -> int:
        with self._open():
            entry = self._living(key)
            if entry is None:
                entry = _Entry("0", self._time_s() + window_s)
                self._entries[self._prefix + key] = entry
            entry.value = str(int(entry.value) + 1)
            return int(entry.value)

    def open_roll(self, key: str, ttl_s: int) -> None:
        with self._open():
            self._entries[self._prefix + key] = _Entry("", self._time_s() + ttl_s, roll=set())

    def enter(self, key: str, entry: str) -> bool | None:
        with self._open():
            found = self._living(key)
            if found is None or found.roll is None:
                return None
            new = entry not in found.roll
            found.roll.add(entry)
            return new

    def delete(self, key: str) -> None:
        with self._open():
            self._entries.pop(self._prefix + key, None)

    def ping(self) -> None:
        with self._open():
            pass

    def dump(self) -> dict[str, str]:
        """Everything alive, by whole key: for tests that ask what a reader of the store would see."""
        with self._lock:
            now_s = self._time_s()
            return {key: one.value for key, one in self._entries.items() if one.until_s > now_s}

    def _open(self) -> threading.Lock:
        if self._root.away:
            raise OutsideError("redis", "away")
        return self._lock

    def _living(self, key: str) -> _Entry | None:
        entry = self._entries.get(self._prefix + key)
        if entry is not None and entry.until_s <= self._time_s():
            del self._entries[self._prefix + key]
            return None
        return entry
