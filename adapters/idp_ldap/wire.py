"""The socket below ldap3: verified TLS, and an end to everything in time and in size.

ldap3 waits without limit for whatever a server sends, a little at a time or 200 MB of it, and its own
TLS checks nothing unless told (G-07). So it gets a socket that was opened here.
"""

import socket
import ssl
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

MAX_ANSWER = 4 * 1024 * 1024  # octets in one search
MAX_BESIDE = 64  # messages that are no entries: references, results


class OutOfTime(OSError):
    """The question took longer than it may."""


class TooMuch(OSError):
    """The answer is larger than it may be."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """That many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds until then. OutOfTime when it has passed."""
        seconds = self.at - time.monotonic()
        if seconds <= 0:
            raise OutOfTime("out of time")
        return seconds

    def part(self, share: float) -> "Deadline":
        """An earlier one: that share of what is left."""
        return Deadline.after(self.left() * share)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, from a checked URL of the settings."""

    host: str
    port: int
    protection: Literal["tls", "start_tls", "plain"]

    @classmethod
    def of(cls, url: str, *, plain: bool) -> "Address":
        """The address in `ldaps://host[:port]` or `ldap://host[:port]`; `plain` concerns the latter."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "ldaps":
            return cls(host, parts.port or 636, "tls")
        return cls(host, parts.port or 389, "plain" if plain else "start_tls")


class Wire:
    """What ldap3 takes for its socket."""

    def __init__(self, plain: socket.socket, deadline: Deadline) -> None:
        self._socket = plain
        self._deadline = deadline
        self._octets_left = MAX_ANSWER
        self._messages_left = MAX_BESIDE

    def allow(self, deadline: Deadline) -> None:
        """A new question: until then, MAX_ANSWER octets, however many pages they come in."""
        self._deadline = deadline
        self._octets_left = MAX_ANSWER

    def expect(self, entries: int) -> None:
        """An exchange of it: so many entries and a few messages beside."""
        self._messages_left = entries + MAX_BESIDE

    def count_message(self) -> None:
        """Before a message is decoded, which takes longer than receiving it. OutOfTime, TooMuch."""
        self._deadline.left()
        self._messages_left -= 1
        if self._messages_left < 0:
            raise TooMuch("more messages than were asked for")

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Shake hands, or raise OSError: certificate, host name and version are the context's to check."""
        wrapped = context.wrap_socket(
            self._socket, server_hostname=host, do_handshake_on_connect=False
        )
        self._socket = wrapped
        wrapped.settimeout(self._deadline.left())
        wrapped.do_handshake()

    @property
    def certificate(self) -> bytes | None:
        """What the other side showed in the handshake (DER); None without TLS."""
        wrapped = self._socket
        return wrapped.getpeercert(binary_form=True) if isinstance(wrapped, ssl.SSLSocket) else None

    def recv(self, size: int) -> bytes:
        """Some octets. OutOfTime, TooMuch."""
        self._socket.settimeout(self._deadline.left())
        data = self._socket.recv(size)
        self._octets_left -= len(data)
        if self._octets_left < 0:
            raise TooMuch("more than 4 MiB")
        return data

    def sendall(self, data: bytes) -> None:
        """All octets. OutOfTime."""
        self._socket.settimeout(self._deadline.left())
        self._socket.sendall(data)

    def shutdown(self, how: int) -> None:
        """As of a socket."""
        self._socket.shutdown(how)

    def close(self) -> None:
        """As of a socket; waits for nobody."""
        self._socket.close()


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later, chain and host name verified; only `ca_file` is trusted when there is one."""
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def open_wire(address: Address, deadline: Deadline) -> Wire:
    """A connected socket, still without TLS. OSError when nobody answers in time."""
    fault: OSError = OSError("no address")
    found = resolve(address.host, address.port, deadline)
    for number, (family, place) in enumerate(found):
        try:
            return Wire(_connect(family, place, deadline.part(1 / (len(found) - number))), deadline)
        except OSError as error:
            fault = error
    raise fault


def _connect(family: int, place: tuple[str, int], deadline: Deadline) -> socket.socket:
    plain = socket.socket(family, socket.SOCK_STREAM)
    try:
        plain.settimeout(deadline.left())
        plain.connect(place)
        # Without it a TLS bind waits 40 ms for a delayed acknowledgement.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    except OSError:
        plain.close()
        raise
    return plain


def resolve(host: str, port: int, deadline: Deadline) -> list[tuple[int, tuple[str, int]]]:
    """Addresses of a host. The resolver cannot be told when to stop, so it is left behind."""
    try:
        version = ip_address(host).version
    except ValueError:
        pass
    else:
        return [(socket.AF_INET if version == 4 else socket.AF_INET6, (host, port))]
    answer: Future[list[tuple[int, tuple[str, int]]]] = Future()
    threading.Thread(target=_resolve, args=(host, port, answer), daemon=True).start()
    try:
        return answer.result(deadline.left())
    except TimeoutError as error:
        raise OutOfTime("name resolution") from error


def _resolve(host: str, port: int, answer: "Future[list[tuple[int, tuple[str, int]]]]") -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answer.set_result([(family, (str(to[0]), port)) for family, _, _, _, to in found])
    except (OSError, UnicodeError) as error:
        answer.set_exception(OSError(f"name resolution: {error}"))
