"""Browsers that wait for a phone: each polls its own login every two seconds, over kept connections.

The connections are those of a proxy in front: fewer than browsers, each used by many. One thread drives
them all with epoll, so that the machine is left to the server.
"""

import heapq
import select
import socket
import time
from collections import Counter
from dataclasses import dataclass, field

from idp import randomness
from idp.login import AuthorizationRequest, Wire, begin, digest
from idp.services import Services
from tests.bench import cpu
from tests.bench.contenders import Contender
from tests.bench.wire import request
from tests.provider import Provider
from tests.stack import services_of

EVERY_S = 2.0
BROWSERS_PER_CONNECTION = 20


@dataclass(slots=True)
class Told:
    """What came of it."""

    browsers: int
    seconds: float = 0.0
    answers: Counter[int] = field(default_factory=Counter)
    late: int = 0  # answers that took longer than a second
    cpu_s: float = 0.0
    stores_cpu_s: float = 0.0

    @property
    def errors(self) -> int:
        return sum(count for status, count in self.answers.items() if status != 200)

    def __str__(self) -> str:
        polls = sum(self.answers.values())
        return (
            f"{self.browsers} browsers, {self.seconds:.0f} s: {polls} polls "
            f"({polls / self.seconds:.0f} a second), {self.errors} errors, {self.late} later than 1 s; "
            f"server {self.cpu_s / self.seconds:.2f} of a core ({self.cpu_s * 1000 / polls:.3f} ms a "
            f"poll), stores {self.stores_cpu_s / self.seconds:.2f}"
        )


@dataclass(slots=True)
class _Connection:
    """One kept connection: at most one question at a time."""

    socket: socket.socket
    questions: list[bytes]
    at: int = 0
    asked_at: float = 0.0
    got: bytes = b""


def run(
    server: Contender, provider: Provider, stores: list[int], browsers: int, seconds: float
) -> Told:
    """Let them wait."""
    questions = _questions(server, provider, browsers)
    connections = _connections(server.port, questions)
    told = Told(browsers)
    begun, before = time.monotonic(), cpu.seconds(server.pid)
    before_stores = sum(map(cpu.seconds, stores))
    try:
        _poll(connections, told, begun + seconds)
    finally:
        for connection in connections:
            connection.socket.close()
    told.seconds = time.monotonic() - begun
    told.cpu_s = cpu.seconds(server.pid) - before
    told.stores_cpu_s = sum(map(cpu.seconds, stores)) - before_stores
    return told


def _questions(server: Contender, provider: Provider, browsers: int) -> list[bytes]:
    assert provider.conf_file is not None
    with services_of(provider.conf_file) as parts:
        return [_question(server, parts) for _ in range(browsers)]


def _question(server: Contender, parts: Services) -> bytes:
    """A poll for a login with a QR on the screen, written as the login page writes it."""
    browser = randomness.token(32)
    asked = AuthorizationRequest(
        "mail", "https://mail.example/cb", "query", ("openid",), None, None, ""
    )
    started = parts.logins.start(asked, digest(browser), "urn:gongmu:acr:2")
    wire = Wire(
        "mobile_id",
        randomness.token(16),
        randomness.token(32),
        randomness.token(32),
        {"decryption_key": "x" * 400},  # about as large as the real one
        parts.now(),
    )
    parts.logins.put(begin(started, wire))
    path = f"/login/{started.ticket.id}/status"
    cookie = {"Cookie": f"gongmu-browser={browser}"}
    return request("GET", path, f"localhost:{server.port}", cookie)


def _connections(port: int, questions: list[bytes]) -> list[_Connection]:
    found = []
    for first in range(0, len(questions), BROWSERS_PER_CONNECTION):
        one = socket.create_connection(("127.0.0.1", port), timeout=10)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.setblocking(False)
        found.append(_Connection(one, questions[first : first + BROWSERS_PER_CONNECTION]))
    return found


def _poll(connections: list[_Connection], told: Told, end: float) -> None:
    """Every connection asks its next question when it is due; late answers delay it, as in life."""
    epoll = select.epoll()
    by_number = {one.socket.fileno(): one for one in connections}
    begun = time.monotonic()
    due = [
        (begun + EVERY_S * place / len(connections) / len(one.questions), one.socket.fileno())
        for place, one in enumerate(connections)
    ]
    heapq.heapify(due)
    for number in by_number:
        epoll.register(number, select.EPOLLIN)
    while (now := time.monotonic()) < end:
        while due and due[0][0] <= now:
            _, number = heapq.heappop(due)
            _ask(by_number[number], now)
        wait_s = min(0.05, max(0.0, due[0][0] - now)) if due else 0.05
        for number, _ in epoll.poll(wait_s):
            one = by_number[number]
            if _answered(one, told):
                every_s = EVERY_S / len(one.questions)
                heapq.heappush(due, (max(one.asked_at + every_s, now), number))
    epoll.close()


def _ask(one: _Connection, now: float) -> None:
    one.asked_at = now
    one.socket.sendall(one.questions[one.at])
    one.at = (one.at + 1) % len(one.questions)


def _answered(one: _Connection, told: Told) -> bool:
    one.got += one.socket.recv(65536)
    head, mark, body = one.got.partition(b"\r\n\r\n")
    if not mark:
        return False
    lower = head.lower()
    length = int(lower.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    if len(body) < length:
        return False
    told.answers[int(head[9:12])] += 1
    told.late += time.monotonic() - one.asked_at > 1.0
    one.got = b""
    return True
