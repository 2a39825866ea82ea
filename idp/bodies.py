"""Request bodies are read whole, within limits, before the application sees the request.

The server hands a body over while it is still arriving, and a thread that waits for one waits as long
as the client likes (RFC 9110 gives no end). So only some of the threads may be reading at any time, and
fewer for one address: whoever sends slowly keeps other slow senders waiting, never the pages, the polls
or the requests whose body is there. A proxy that buffers requests takes even this from us.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

MAX_BODY = 4 * 1024 * 1024  # the largest that any route takes (a picture); routes say less
PATIENCE_S = 2.0  # for a place among those who read


class Busy(Exception):
    """Too many bodies are being read."""


class Readers:
    """Counts who is reading a body: at most `total` at once, at most half of them for one address."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._each = max(1, total // 2)
        self._of: Counter[str] = Counter()
        self._free = threading.Condition()

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """A place to read from; Busy when none comes free in time."""
        with self._free:
            if not self._free.wait_for(lambda: self._has_room(address), PATIENCE_S):
                raise Busy
            self._of[address] += 1
        try:
            yield
        finally:
            with self._free:
                self._of[address] -= 1
                self._of += Counter()  # drops those who read no more
                self._free.notify_all()

    def _has_room(self, address: str) -> bool:
        return self._of.total() < self._total and self._of[address] < self._each


def guard(application: Application, threads: int) -> Application:
    """The application behind the guard; `threads` of this process serve requests, two stay free."""
    readers = Readers(max(1, threads - 2))

    def guarded(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("CONTENT_LENGTH") in ("", "0", None) and not _is_chunked(environ):
            return application(environ, start_response)
        try:
            with readers.place(environ.get("REMOTE_ADDR", "")):
                body = environ["wsgi.input"].read(_length(environ))
        except Busy:
            return _refuse(start_response, "503 Service Unavailable", ("Retry-After", "5"))
        if len(body) > MAX_BODY:
            return _refuse(start_response, "413 Content Too Large", ("Connection", "close"))
        if len(body) < _length(environ) and not _is_chunked(environ):  # cut off on its way
            return _refuse(start_response, "400 Bad Request", ("Connection", "close"))
        # From here the length is known, so the limits of the routes hold for chunked bodies too.
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return application(environ, start_response)

    return guarded


def _length(environ: Environ) -> int:
    """How much to read: what is announced (PEP 3333: no more), one octet past the limit at most."""
    announced = environ.get("CONTENT_LENGTH") or ""
    known = announced.isascii() and announced.isdigit() and not _is_chunked(environ)
    return min(int(announced[:12]), MAX_BODY + 1) if known else MAX_BODY + 1


def _is_chunked(environ: Environ) -> bool:
    return "HTTP_TRANSFER_ENCODING" in environ


def _refuse(start_response: StartResponse, status: str, header: tuple[str, str]) -> list[bytes]:
    error = "temporarily_unavailable" if status.startswith("503") else "invalid_request"
    body = f'{{"error":"{error}"}}'.encode()
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), header]
    start_response(status, [*headers, ("Content-Length", str(len(body)))])
    return [body]
