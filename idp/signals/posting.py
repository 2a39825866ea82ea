"""The one way to POST to an address that a relying party registered (A-090, A-238).

https only (http to a loopback host in the demo). The host may be on a private network, where an
agency's programs live, but never link-local, where clouds answer with credentials, nor on this
machine. One connection to an address that was checked, no redirect followed, one deadline for
everything from the name's resolution to the answer's head, of which at most 1 KiB is read.
"""

import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from idp.errors import OutsideError
from idp.registration import address_fault

TOTAL_S = 3.0
MAX_BYTES = 1 << 10
SYSTEM = "relying_party"
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r]")
_PRIVATE = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
_METADATA = frozenset(  # of clouds, at addresses that are not link-local
    map(
        ip_address,
        ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    )
)
_NAT64 = ip_network("64:ff9b::/96")


class Poster:
    """POSTs with limits, safe for threads. `loopback` is for the demo, whose parties are here."""

    def __init__(self, *, loopback: bool, total_s: float = TOTAL_S) -> None:
        self._loopback = loopback
        self._total_s = total_s
        self._trust = ssl.create_default_context()  # the authorities of this machine

    def __call__(self, url: str, body: bytes, content_type: str) -> int:
        """The status of the answer. OutsideError when there is none in time, or it is not HTTP."""
        fault = address_fault(url, loopback=self._loopback)
        if fault:
            raise OutsideError(SYSTEM, "address not allowed")
        try:
            return self._post(urlsplit(url), body, content_type)
        except TimeoutError as error:
            raise OutsideError(SYSTEM, "timed out") from error
        except ssl.SSLError as error:
            raise OutsideError(SYSTEM, "TLS failed") from error
        except (OSError, UnicodeError) as error:
            raise OutsideError(SYSTEM, "not reached") from error

    def _post(self, url: SplitResult, body: bytes, content_type: str) -> int:
        deadline = _Deadline(self._total_s)
        with self._connect(url, deadline) as connection:
            connection.settimeout(deadline.left())
            connection.sendall(_request(url, body, content_type))
            return _status(connection, deadline)

    def _connect(self, url: SplitResult, deadline: "_Deadline") -> socket.socket:
        host = url.hostname or ""
        port = url.port or (443 if url.scheme == "https" else 80)
        connection = self._reach(host, port, deadline)
        if url.scheme != "https":
            return connection
        connection.settimeout(deadline.left())
        try:
            return self._trust.wrap_socket(connection, server_hostname=host)
        except OSError:
            connection.close()
            raise

    def _reach(self, host: str, port: int, deadline: "_Deadline") -> socket.socket:
        """Connected to an address that was checked, and not to the name: that defeats rebinding."""
        refused: OSError | None = None
        for address in _resolved(host, port, deadline):
            if not is_allowed(address, loopback=self._loopback):
                continue
            try:
                return _connected(address, port, deadline.left())
            except OSError as error:
                refused = error
        raise refused or OutsideError(SYSTEM, "address not allowed")


def is_allowed(address: IPv4Address | IPv6Address, *, loopback: bool) -> bool:
    """Whether a relying party may be there; an address inside another one is looked at too."""
    inner = _inside(address)
    if inner is not None:
        return is_allowed(inner, loopback=loopback)
    if address in _METADATA or address.is_link_local or address.is_multicast:
        return False
    if address.is_loopback:
        return loopback
    return address.is_global or any(address in network for network in _PRIVATE)


def _inside(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for: mapped, 6to4, Teredo or NAT64."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or (address.teredo[1] if address.teredo else None)


class _Deadline:
    """One end for several waits."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then. TimeoutError when it has passed."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _resolved(host: str, port: int, deadline: _Deadline) -> Iterator[IPv4Address | IPv6Address]:
    """The addresses of a host. The resolver knows no deadline, so it is asked in a thread of its own."""
    answers: queue.SimpleQueue[list[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            answers.put(error)
        else:
            answers.put([str(entry[4][0]) for entry in found])

    threading.Thread(target=ask, name="gongmu-resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left())
    except queue.Empty as error:
        raise TimeoutError from error
    if not isinstance(answer, list):
        raise answer
    return map(ip_address, answer)


def _connected(address: IPv4Address | IPv6Address, port: int, timeout_s: float) -> socket.socket:
    """A connection to that very address: nothing asks a resolver again."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect((str(address), port))
    except OSError:
        connection.close()
        raise
    return connection


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


def _status(connection: socket.socket, deadline: _Deadline) -> int:
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
