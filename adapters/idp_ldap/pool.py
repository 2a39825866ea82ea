"""A few connections that threads take turns with. A broken one takes all that rest with it."""

import threading
import time
from collections.abc import Callable

from idp.errors import OutsideError
from idp_ldap.link import Link
from idp_ldap.wire import Deadline, OutOfTime

MAX_REST_S = 60.0  # firewalls forget quiet connections
MAX_AGE_S = 600.0  # so that a replica which returned gets its share again


class Pool:
    """At most `size` connections at a time; opened when none rests."""

    def __init__(self, source: str, size: int, open_link: Callable[[Deadline], Link]) -> None:
        self._source = source
        self._open = open_link
        self._places = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._resting: list[Link] = []

    def enter(self, deadline: Deadline) -> None:
        """Wait for a place. OutsideError when there is none in time."""
        try:
            free = self._places.acquire(timeout=deadline.left())
        except OutOfTime:
            free = False
        if not free:
            raise OutsideError(self._source, "all connections are busy")

    def leave(self) -> None:
        """Give the place back."""
        self._places.release()

    def rested(self) -> Link | None:
        """A connection that was used before and rests, if any is fresh enough."""
        now = time.monotonic()
        with self._lock:
            while self._resting:
                link = self._resting.pop()
                if now - link.rested < MAX_REST_S and now - link.born < MAX_AGE_S:
                    return link
                link.close()
        return None

    def fresh(self, deadline: Deadline) -> Link:
        """A new connection. LinkBroken."""
        return self._open(deadline)

    def rest(self, link: Link) -> None:
        """Keep a sound connection for the next one."""
        link.rested = time.monotonic()
        with self._lock:
            self._resting.append(link)

    def drop(self, link: Link) -> None:
        """Close a broken connection, and those that rest: they led to the same server."""
        link.close()
        self.close()

    def close(self) -> None:
        """Close all that rest."""
        with self._lock:
            resting, self._resting = self._resting, []
        for link in resting:
            link.close()
