"""A server on loopback that gives each connection to a fake, in a thread of its own."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar


class Taker(Protocol):
    """What answers; `over` is set when the test is."""

    over: threading.Event

    def take(self, connection: socket.socket) -> None:
        """One connection."""


T = TypeVar("T", bound=Taker)


@contextmanager
def listening(made_for: Callable[[str], T]) -> Iterator[T]:
    """What `made_for` makes of the server's address, while it listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        taker = made_for(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=_accept, args=(listener, taker))
        thread.start()
        try:
            yield taker
        finally:
            taker.over.set()
            thread.join()


def _accept(listener: socket.socket, taker: Taker) -> None:
    threads = []
    while not taker.over.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        threads.append(threading.Thread(target=taker.take, args=(connection,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
