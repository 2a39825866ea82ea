"""Calling an address that others named: which addresses may be reached, and one end for all waits.

One connection to an address that was checked, never to the name again, which defeats rebinding. The
deadline holds from the name's resolution to the last octet, so that nobody holds a thread by dripping
(A-067, A-238). Link-local addresses, where clouds answer with credentials, are never reached.
"""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterator
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import SplitResult

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PRIVATE: tuple[Network, ...] = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
_METADATA = frozenset(  # of clouds, at addresses that are not link-local
    map(
        ip_address,
        ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    )
)
_NAT64 = ip_network("64:ff9b::/96")
_UNICAST = ip_network("2000::/3")  # what IPv6 has given out; outside of it nothing is public


class NotAllowed(Exception):
    """Nothing at this address may be called."""


class Deadline:
    """One end for several waits."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then. TimeoutError when it has passed."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Reach:
    """Opens connections to allowed addresses: public ones, `networks`, loopback in the demo."""

    def __init__(self, *, loopback: bool, networks: Collection[Network] = ()) -> None:
        self._loopback = loopback
        self._networks = networks
        self._trust = ssl.create_default_context()  # the authorities of this machine

    def connect(self, url: SplitResult, deadline: Deadline) -> socket.socket:
        """A connection for an http or https address. NotAllowed, OSError (TimeoutError, SSLError)."""
        host = url.hostname or ""
        port = url.port or (443 if url.scheme == "https" else 80)
        connection = self._reach(host, port, deadline)
        if url.scheme != "https":
            return connection
        try:
            connection.settimeout(deadline.left())
            return self._trust.wrap_socket(connection, server_hostname=host)
        except (OSError, ValueError) as error:  # ValueError: a host that no certificate can name
            connection.close()
            raise error if isinstance(error, OSError) else ssl.SSLError("host") from error

    def _reach(self, host: str, port: int, deadline: Deadline) -> socket.socket:
        refused: OSError | None = None
        for address in _resolved(host, port, deadline):
            if not is_allowed(address, loopback=self._loopback, networks=self._networks):
                continue
            try:
                return _connected(address, port, deadline.left())
            except OSError as error:
                refused = error
        raise refused or NotAllowed


def is_allowed(address: Address, *, loopback: bool, networks: Collection[Network] = ()) -> bool:
    """Whether this may be called; an address inside another one is looked at too."""
    inner = _inside(address)
    if inner is not None:
        return is_allowed(inner, loopback=loopback, networks=networks)
    if address in _METADATA or address.is_link_local or address.is_multicast:
        return False
    if address.is_loopback:
        return loopback
    if any(address in network for network in networks):
        return True
    return address.is_global and (address.version == 4 or address in _UNICAST)


def _inside(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for: mapped, 6to4, Teredo or NAT64."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or (address.teredo[1] if address.teredo else None)


def _resolved(host: str, port: int, deadline: Deadline) -> Iterator[Address]:
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
    if isinstance(answer, OSError):
        raise answer
    if isinstance(answer, UnicodeError):
        raise OSError("not a host name") from answer
    return map(ip_address, answer)


def _connected(address: Address, port: int, timeout_s: float) -> socket.socket:
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
