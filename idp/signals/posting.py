"""The one way to POST to an address that a relying party registered (A-090, A-238).

https only (http to a loopback host in the demo). The host may be on a private network, where an
agency's programs live, but never link-local, where clouds answer with credentials, nor on this
machine. One connection to an address that was checked, no redirect followed, one deadline for
everything from the name's resolution to the answer's head, of which at most 1 KiB is read.
"""

import re
import socket
import ssl
from collections.abc import Callable
from functools import partial
from urllib.parse import SplitResult, urlsplit

from idp import outbound
from idp.addresses import address_fault
from idp.errors import OutsideError
from idp.outbound import Deadline

TOTAL_S = 3.0
MAX_BYTES = 1 << 10
SYSTEM = "relying_party"
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r]")


class Poster:
    """POSTs with limits, safe for threads. `loopback` is for the demo, whose parties are here."""

    def __init__(self, *, loopback: bool, total_s: float = TOTAL_S) -> None:
        self._loopback = loopback
        self._total_s = total_s
        self._reach = outbound.Reach(loopback=loopback, networks=outbound.PRIVATE)

    def __call__(self, url: str, body: bytes, content_type: str) -> int:
        """The status of the answer. OutsideError when there is none in time, or it is not HTTP."""
        fault = address_fault(url, loopback=self._loopback)
        if fault:
            raise OutsideError(SYSTEM, "address not allowed")
        try:
            return self._post(urlsplit(url), body, content_type)
        except outbound.NotAllowed as error:
            raise OutsideError(SYSTEM, "address not allowed") from error
        except TimeoutError as error:
            raise OutsideError(SYSTEM, "timed out") from error
        except ssl.SSLError as error:
            raise OutsideError(SYSTEM, "TLS failed") from error
        except OSError as error:
            raise OutsideError(SYSTEM, "not reached") from error

    def _post(self, url: SplitResult, body: bytes, content_type: str) -> int:
        deadline = Deadline(self._total_s)
        with self._reach.connect(url, deadline) as connection:
            connection.settimeout(deadline.left())
            connection.sendall(_request(url, body, content_type))
            return _status(connection, deadline)


# Whether a relying party may be there: on a private network too.
is_allowed: Callable[..., bool] = partial(outbound.is_allowed, networks=outbound.PRIVATE)


def _request(url: SplitResult, body: bytes, content_type: str) -> bytes:
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    head = (
        f"POST {target} HTTP/1.1",
        f"Host: {url.netloc}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Accept: */*",
        "User-Agent: Gongmu",
        "Connection: close",
    )
    return "\r\n".join((*head, "", "")).encode() + body


def _status(connection: socket.socket, deadline: Deadline) -> int:
    """The status of the final answer, read up to the end of its head or 1 KiB (RFC 9112 §4)."""
    answer = b""
    while b"\r\n\r\n" not in answer and len(answer) < MAX_BYTES:
        connection.settimeout(deadline.left())
        chunk = connection.recv(MAX_BYTES - len(answer))
        if not chunk:
            break
        answer += chunk
        if answer.startswith(b"HTTP/1.1 1"):  # 100, 103: the final one follows
            answer = answer.partition(b"\r\n\r\n")[2] or answer
    found = _STATUS.match(answer)
    if found is None or found[1].startswith(b"1"):
        raise OutsideError(SYSTEM, "no HTTP answer")
    return int(found[1])
