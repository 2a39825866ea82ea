"""Where a relying party publishes its keys: a real HTTP server that answers each path as the test says."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.listening import listening

Answer = Callable[[socket.socket], None]


@dataclass
class KeyHost:
    """`answers` by path; what is not there is 404. `calls` counts requests by path."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)

    def serve(self, path: str, answer: Answer) -> str:
        """From now on, this answer at that path; gives the address."""
        self.answers[path] = answer
        return f"{self.url}{path}"

    def publish(self, path: str, *keys: dict[str, Any]) -> str:
        """A JWK set."""
        return self.serve(path, body(json.dumps({"keys": keys}).encode()))

    def silence(self, _connection: socket.socket) -> None:
        """Says nothing while the test runs."""
        self.over.wait(20)

    def drip(self, connection: socket.socket) -> None:
        """One octet of a header every 0.1 s, for ever."""
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.over.wait(0.1):
            connection.sendall(b"a")

    def take(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(20)
            try:
                head = connection.recv(8192).decode()
                path = head.split(" ")[1]
                self.calls[path] += 1
                self.answers.get(path, body(b"", "404 Not Found"))(connection)
            except OSError:
                return  # the other side has heard enough


def body(octets: bytes, status: str = "200 OK", *headers: str) -> Answer:
    """An answer with its length."""
    lines = (f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(octets)}", "", "")

    def answer(connection: socket.socket) -> None:
        connection.sendall("\r\n".join(lines).encode() + octets)

    return answer


def flood(connection: socket.socket) -> None:
    """100 MB of JSON that never ends a text."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"keys": "')
    for _ in range(1600):
        connection.sendall(b"a" * 65536)


def key_host() -> AbstractContextManager[KeyHost]:
    """Listening on loopback."""
    return listening(KeyHost)


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and how many seconds it took."""
    begun = time.monotonic()
    result = call()
    return result, time.monotonic() - begun
