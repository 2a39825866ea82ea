"""For tests of directories: a kit, entries as LDIF, and a server that answers as it is told."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from idp.contracts import Directory, Kit
from idp_ldap import LdapSettings
from tests.servers_slapd import Slapd

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


class FakeServer:
    """Listens on loopback; `seen` holds the operation tags, `octets` all that came in."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ending = threading.Event()
        self.url = f"ldap://127.0.0.1:{self._listener.getsockname()[1]}"
        self.port: int = self._listener.getsockname()[1]
        self.seen: list[int] = []
        self.octets = bytearray()
        self.connections = 0
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                client.settimeout(20)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            while not self._ending.is_set() and (data := client.recv(65536)):
                self.octets += data
                if data[0] != 0x30 or len(data) < 6:
                    return
                head = 2 if data[1] < 0x80 else 2 + (data[1] & 0x7F)
                end = head + 2 + data[head + 1]
                number, operation = int.from_bytes(data[head + 2 : end], "big"), data[end]
                self.seen.append(operation)
                for piece in self._answer(number, operation, data):
                    if self._ending.is_set():
                        return
                    client.sendall(piece)

    def stop(self) -> None:
        self._ending.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(5)


def good(number: int, operation: int, _octets: bytes) -> Iterator[bytes]:
    """Binds anybody, finds nobody."""
    if operation == BIND:
        yield message(number, result(0x61))
    if operation == SEARCH:
        yield message(number, result(0x65))


@contextlib.contextmanager
def fake_server(answer: Answerer = good) -> Iterator[FakeServer]:
    """A server in threads; ends with its listening socket."""
    server = FakeServer(answer)
    try:
        yield server
    finally:
        server.stop()


# --- a directory at such a server ------------------------------------------------------------------

PEOPLE = f"ou=people,{SUFFIX}"
PERSON = {
    "employeeNumber": [b"E1"],
    "cn": ["홍길동".encode()],
    "employeeType": [b"active"],
}


def source(url: str | tuple[str, ...], folder: Path, **over: Any) -> Directory:
    """A directory at that address, without TLS unless told otherwise."""
    password = folder / "password"
    password.write_text("secret-of-the-service\n")
    values: dict[str, Any] = {
        "name": "test",
        "urls": (url,) if isinstance(url, str) else url,
        "bind_dn": f"cn=reader,{SUFFIX}",
        "bind_password_file": password,
        "base_dn": PEOPLE,
        "groups": "none",
        "plain_on_loopback": True,
    }
    return LdapSettings(**values | over).open(kit())


def finding(*found: bytes, code: int = 0, referral: str = "") -> Answerer:
    """A server that answers searches with these entries."""

    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        yield from good(number, operation, octets) if operation != SEARCH else ()
        if operation == SEARCH:
            yield b"".join(message(number, one) for one in found) + message(
                number, result(0x65, code, referral)
            )

    return answer


def reader(server: Slapd, *urls: str, **over: Any) -> Directory:
    values = {
        "name": "test",
        "urls": urls,
        "ca_file": server.ca_file,
        "bind_dn": server.reader_dn,
        "bind_password_file": server.password_file,
        "base_dn": SUFFIX,
        "groups": "none",
    }
    return LdapSettings(**values | over).open(kit())


def suffix_entry() -> str:
    return f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: test\no: test\n"
