"""One kept connection to a server, with as little work at this end as can be."""

import json
import re
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LOCATION = re.compile(rb"\r\nlocation: *([^\r]+)", re.IGNORECASE)
FORM = "application/x-www-form-urlencoded"


class Unexpected(Exception):
    """An answer with another status than the operation must have."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read whole."""

    status: int
    head: bytes
    body: bytes

    @property
    def location(self) -> str:
        found = _LOCATION.search(self.head)
        return found.group(1).decode() if found else ""

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Wire:
    """A connection that asks and waits; give it back by `close`."""

    def __init__(self, port: int) -> None:
        self._host = f"localhost:{port}"
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _value: object, _trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def get(self, path: str, expected: int = 200, **headers: str) -> Answer:
        return self.ask(request("GET", path, self._host, headers), expected)

    def post(self, path: str, form: dict[str, str], expected: int = 200, **headers: str) -> Answer:
        body = urlencode(form).encode()
        return self.ask(request("POST", path, self._host, headers, body), expected)

    def ask(self, octets: bytes, expected: int = 200) -> Answer:
        """Send a request made by `request`; Unexpected for another status."""
        self._socket.sendall(octets)
        answer = self._read()
        if answer.status != expected:
            raise Unexpected(f"{answer.status} for {octets[:60]!r}: {answer.body[:300]!r}")
        return answer

    def _read(self) -> Answer:
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        head, _, body = got.partition(b"\r\n\r\n")
        found = _LENGTH.search(head)
        missing = (int(found.group(1)) if found else 0) - len(body)
        while missing > 0:
            more = self._more()
            body += more
            missing -= len(more)
        return Answer(int(head[9:12]), head, body)

    def _more(self) -> bytes:
        octets = self._socket.recv(65536)
        if not octets:
            raise Unexpected("the server hung up")
        return octets


def request(
    method: str, path: str, host: str, headers: dict[str, str], body: bytes | None = None
) -> bytes:
    """The octets of a request; names of headers are given with "_" for "-"."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Accept: */*"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines += [f"Content-Type: {FORM}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")
