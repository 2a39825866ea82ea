"""HTTP/1.1 by hand: a library would not send what a hostile program sends."""

import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes, urlsplit

PATIENCE_S = 5.0
_AT_ONCE = 1 << 16
Pairs = list[tuple[str, str]]


@dataclass
class Sent:
    """A request before it is written: texts may hold what is no UTF-8 (lone surrogates)."""

    method: str
    path: str
    query: Pairs = field(default_factory=list)
    headers: Pairs = field(default_factory=list)
    form: Pairs | None = None  # else `body`
    body: bytes = b""
    frame: bool = True  # false: no Content-Length of ours, the headers hold another

    def raw(self, host: str) -> bytes:
        """The bytes on the wire."""
        body = encoded(self.form) if self.form is not None else self.body
        headers = [("Host", host), ("Connection", "close"), *self.headers]
        names = {name.lower() for name, _ in self.headers}
        if self.form is not None and "content-type" not in names:
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        if self.frame and (body or self.method not in {"GET", "HEAD"}):
            headers.append(("Content-Length", str(len(body))))
        target = as_bytes(self.path) + (b"?" + encoded(self.query) if self.query else b"")
        first = as_bytes(self.method) + b" " + target + b" HTTP/1.1\r\n"
        lines = b"".join(as_bytes(f"{name}: {value}") + b"\r\n" for name, value in headers)
        return first + lines + b"\r\n" + body


@dataclass(frozen=True, slots=True)
class Got:
    """What came back; status 0: the connection was closed without an answer."""

    status: int
    head: str
    body: str
    seconds: float


def as_bytes(text: str) -> bytes:
    """UTF-8, lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")


def encoded(pairs: Iterable[tuple[str, str]]) -> bytes:
    """application/x-www-form-urlencoded."""
    quoted = ((quote_from_bytes(as_bytes(text)) for text in pair) for pair in pairs)
    return "&".join("=".join(pair) for pair in quoted).encode()


def exchange(issuer: str, sent: Sent) -> Got:
    """Send it and read to the end. TimeoutError when nothing came for five seconds."""
    where = urlsplit(issuer)
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", where.port or 80), PATIENCE_S) as wire:
        try:
            wire.sendall(sent.raw(where.netloc))
            if not sent.frame:  # the server may wait for more: there is no more
                with suppress(OSError):  # not connected any more
                    wire.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass  # refused before the end of the body; the answer may be there all the same
        answer = _read(wire)
    head, _, body = answer.decode("utf-8", "replace").partition("\r\n\r\n")
    status = int(head[9:12]) if head.startswith("HTTP/1.1 ") else 0
    return Got(status, head, body, time.monotonic() - begun)


def _read(wire: socket.socket) -> bytes:
    parts = []
    try:
        while part := wire.recv(_AT_ONCE):
            parts.append(part)
    except ConnectionError:
        pass  # closed with our bytes unread; what came before counts
    return b"".join(parts)
