"""The one guarded way to fetch from addresses that others named (A-238, A-152, A-067).

https only (http to a loopback host where the issuer itself is on one), an address that may be
reached (`outbound.py`), port 443 or one from 1024 up, no redirects, 3 s for the whole exchange with
every octet of its head and body counted, 1 MiB at most, nothing compressed.
"""

import io
import socket
from collections.abc import Collection
from http.client import HTTPException, HTTPResponse
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

from idp.addresses import fetched_fault
from idp.conf import LOOPBACK_HOSTS
from idp.errors import OutsideError
from idp.outbound import Deadline, Network, NotAllowed, Reach

TOTAL_S = 3.0
MAX_BYTES = 1 << 20
MAX_HEAD = 1 << 16


class Fetcher:
    """GETs with limits, safe for threads. `networks` are private ones that may be reached too."""

    def __init__(
        self, issuer: str, networks: Collection[Network] = (), *, total_s: float = TOTAL_S
    ) -> None:
        self._loopback = urlsplit(issuer).hostname in LOOPBACK_HOSTS
        self._reach = Reach(loopback=self._loopback, networks=networks)
        self._total_s = total_s

    def get(self, url: str, accept: str) -> bytes:
        """The body of a 200 answer. OutsideError for everything else."""
        if fetched_fault(url, loopback=self._loopback):
            raise OutsideError("fetch", "address not allowed")
        try:
            return self._get(urlsplit(url), accept)
        except NotAllowed as error:
            raise OutsideError("fetch", "address not allowed") from error
        except TimeoutError as error:
            raise OutsideError("fetch", "timed out") from error
        except (OSError, HTTPException) as error:
            raise OutsideError("fetch", type(error).__name__) from error

    def _get(self, url: SplitResult, accept: str) -> bytes:
        deadline = Deadline(self._total_s)
        with self._reach.connect(url, deadline) as connection:
            connection.settimeout(deadline.left())
            connection.sendall(_request(url, accept))
            # The standard reader of HTTP asks its socket for a file, and gets the bounded one.
            response = HTTPResponse(cast("Any", _Bounded(connection, deadline)))
            with response:
                response.begin()
                return _body(response)


class _Bounded(io.RawIOBase):
    """What the other side sends: each read within the deadline, all of them within the size."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline
        self._left = MAX_BYTES + MAX_HEAD

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Itself, buffered."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._deadline.left())
        count = self._connection.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise OutsideError("fetch", "too large")
        return count


def _request(url: SplitResult, accept: str) -> bytes:
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    head = (
        f"GET {target} HTTP/1.1",
        f"Host: {url.netloc}",
        f"Accept: {accept}",
        "Accept-Encoding: identity",
        "User-Agent: Gongmu",
        "Connection: close",
    )
    return "\r\n".join((*head, "", "")).encode()


def _body(response: HTTPResponse) -> bytes:
    if response.status != 200:
        raise OutsideError("fetch", f"status {response.status}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise OutsideError("fetch", "compressed")  # a small body could become any size
    body = response.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise OutsideError("fetch", "too large")
    if response.length:
        raise OutsideError("fetch", "shorter than it said")
    return body
