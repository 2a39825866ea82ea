"""Many requests at the same instant: every connection waits with one byte unsent (last-byte sync)."""

import selectors
import socket
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and a body; status 0 when the connection broke."""

    status: int
    body: bytes

    def json(self) -> Any:
        return httpx.Response(self.status, content=self.body).json()


def form_post(url: str, form: dict[str, str], **headers: str) -> bytes:
    """A whole HTTP/1.1 request."""
    parts, body = urlsplit(url), urlencode(form).encode()
    lines = [
        f"POST {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def plain_get(url: str, **headers: str) -> bytes:
    """A whole HTTP/1.1 request without a body."""
    parts = urlsplit(url)
    lines = [
        f"GET {parts.path}?{parts.query} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def burst(url: str, requests: list[bytes]) -> list[Reply]:
    """Send all of them at once to the host of `url`; the replies in order."""
    parts = urlsplit(url)
    assert parts.scheme == "http"
    connections = []
    for request in requests:
        connection = socket.create_connection((parts.hostname, parts.port), timeout=DEADLINE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(request[:-1])
        connections.append(connection)
    time.sleep(0.02)  # let the server take them all in
    for connection, request in zip(connections, requests, strict=True):
        connection.sendall(request[-1:])
    return [_reply(raw) for raw in _read_all(connections)]


def _read_all(connections: list[socket.socket]) -> list[bytes]:
    raw = [b""] * len(connections)
    until = time.monotonic() + DEADLINE_S
    with selectors.DefaultSelector() as selector:
        for at, connection in enumerate(connections):
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ, at)
        while selector.get_map() and time.monotonic() < until:
            for key, _ in selector.select(timeout=1):
                chunk = _receive(key.fileobj)  # type: ignore[arg-type]
                raw[key.data] += chunk
                if not chunk:
                    selector.unregister(key.fileobj)
    for connection in connections:
        connection.close()
    return raw


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


def _reply(raw: bytes) -> Reply:
    head, _, body = raw.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 "):
        return Reply(0, raw)
    if b"transfer-encoding: chunked" in head.lower():
        body = _dechunk(body)
    return Reply(int(head[9:12]), body)


def _dechunk(body: bytes) -> bytes:
    found = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            break
        found, body = found + body[:length], body[length + 2 :]
    return found


def counted(replies: list[Reply]) -> Counter[int]:
    """How often each status came."""
    return Counter(reply.status for reply in replies)
