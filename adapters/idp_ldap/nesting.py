"""Which groups a set of groups lies in, remembered for a few seconds.

Whose member a person is, is asked every time. How groups lie in one another changes seldom, is the
same for whole departments, and would cost a search for each level.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MAX_SETS = 1024
MAX_NAMES = 100  # a larger answer is not kept: what is kept must stay small


class Nesting:
    """Set of groups, by DN -> names of these and of all they lie in. Bounded; safe for threads."""

    def __init__(self, age_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._age_s = age_s
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[frozenset[str], tuple[tuple[str, ...], float]] = OrderedDict()

    def now(self) -> float:
        """The moment of a question, by this one's clock."""
        return self._clock()

    def get(self, groups: frozenset[str]) -> tuple[str, ...] | None:
        """The names, or None when they were asked for too long ago or never."""
        with self._lock:
            names, asked_at = self._known.get(groups, ((), 0.0))
            if groups in self._known and 0 <= self._clock() - asked_at < self._age_s:
                return names
            self._known.pop(groups, None)
        return None

    def keep(self, groups: frozenset[str], names: tuple[str, ...], asked_at: float) -> None:
        """Remember an answer; its age counts from the question."""
        if self._age_s <= 0 or len(names) > MAX_NAMES:
            return
        with self._lock:
            self._known[groups] = (names, asked_at)
            self._known.move_to_end(groups)
            if len(self._known) > MAX_SETS:
                self._known.popitem(last=False)
