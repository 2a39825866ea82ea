"""For tests of directories: a kit, entries as LDIF, and a server that answers as it is told."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from idp.contracts import Kit

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
SUFFIX = "dc=test,dc=example"
JPEG = b"\xff\xd8\xff\xe0 a portrait"


def _no(*_: Any) -> Any:
    raise AssertionError("a directory asks nothing of this")


def kit(now: Callable[[], datetime] = lambda: NOW) -> Kit:
    """A kit with a clock and nothing else."""
    return Kit("http://localhost", now, _no, _no, _no, _no, _no, _no)


# --- a server that answers as it is told: just enough of RFC 4511 §4 and BER ------------------------


def tlv(tag: int, *parts: bytes) -> bytes:
    """Tag, length, value."""
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes(4, "big")
    return bytes([tag, 0x84]) + size + body


def integer(number: int) -> bytes:
    """An INTEGER of 0 or more."""
    return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def message(number: int, operation: bytes) -> bytes:
    """An LDAPMessage."""
    return tlv(0x30, integer(number), operation)


def result(tag: int, code: int = 0, referral: str = "") -> bytes:
    """An LDAPResult: 0x61 bind, 0x65 search done, 0x78 extended."""
    referrals = [tlv(0xA3, tlv(0x04, referral.encode()))] if referral else []
    return tlv(tag, tlv(0x0A, bytes([code])), tlv(0x04), tlv(0x04), *referrals)


def entry(dn: str, **attributes: list[bytes]) -> bytes:
    """A SearchResultEntry."""
    listed = [
        tlv(0x30, tlv(0x04, name.encode()), tlv(0x31, *(tlv(0x04, one) for one in values)))
        for name, values in attributes.items()
    ]
    return tlv(0x64, tlv(0x04, dn.encode()), tlv(0x30, *listed))


BIND, SEARCH, EXTENDED, UNBIND = 0x60, 0x63, 0x77, 0x42
Answerer = Callable[[int, int, bytes], Iterator[bytes]]  # (number, operation, octets) -> pieces


@dataclass
class FakeServer:
    """Listens on loopback; `seen` holds the operation tags, `octets` all that came in."""

    port: int
    seen: list[int] = field(default_factory=list)
    octets: bytearray = field(default_factory=bytearray)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"


def good(number: int, operation: int, _octets: bytes) -> Iterator[bytes]:
    """Binds anybody, finds nobody."""
    if operation == BIND:
        yield message(number, result(0x61))
    if operation == SEARCH:
        yield message(number, result(0x65))


@contextlib.contextmanager
def fake_server(answer: Answerer = good) -> Iterator[FakeServer]:
    """A server in a thread; ends with its listening socket."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = FakeServer(listener.getsockname()[1])
    ending = threading.Event()
    threads: list[threading.Thread] = []

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            while not ending.is_set() and (data := client.recv(65536)):
                server.octets += data
                if data[0] != 0x30 or len(data) < 6:
                    return
                head = 2 if data[1] < 0x80 else 2 + (data[1] & 0x7F)
                end = head + 2 + data[head + 1]
                number, operation = int.from_bytes(data[head + 2 : end], "big"), data[end]
                server.seen.append(operation)
                for piece in answer(number, operation, data):
                    if ending.is_set():
                        return
                    client.sendall(piece)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server.connections += 1
                client.settimeout(20)
                thread = threading.Thread(target=serve, args=(client,), daemon=True)
                threads.append(thread)
                thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        ending.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(5)
