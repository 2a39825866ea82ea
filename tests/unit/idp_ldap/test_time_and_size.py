"""Every question to a server ends in time and within a size (A-223)."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.errors import OutsideError
from tests.unit.idp_ldap.support import (
    BIND,
    JPEG,
    PEOPLE,
    PERSON,
    SEARCH,
    Answerer,
    entry,
    fake_server,
    finding,
    good,
    integer,
    message,
    result,
    source,
)


def _drip(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
    """A bind at once, then an answer one octet at a time."""
    if operation == BIND:
        yield message(number, result(0x61))
        return
    for octet in message(number, entry(f"uid=1,{PEOPLE}", cn=[bytes(4000)])):
        time.sleep(0.05)
        yield bytes([octet])


def _silence(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
    return
    yield


def _endless_entries(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
    yield from good(number, operation, octets) if operation == BIND else ()
    while operation == SEARCH:
        yield message(number, entry(f"uid=1,{PEOPLE}", **PERSON)) * 50


def _huge(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
    """200 MB in one attribute."""
    if operation == BIND:
        yield message(number, result(0x61))
        return
    head = b"\x30\x84" + (200_000_000).to_bytes(4, "big")
    yield head + integer(number) + b"\x64\x84" + (199_999_980).to_bytes(4, "big")
    for _ in range(200):
        yield bytes(1_000_000)


@pytest.mark.parametrize("answer", [_drip, _silence, _endless_entries, _huge])
def test_every_question_ends_in_time(tmp_path: Path, answer: Answerer) -> None:
    """A-223: slow drip, silence, entries without end, 200 MB."""
    with fake_server(answer) as server:
        directory = source(server.url, tmp_path, timeout_s=1)
        began = time.monotonic()
        with pytest.raises(OutsideError):
            directory.find("E1")
        assert time.monotonic() - began < 1.6


def test_a_large_answer_is_refused_by_its_size(tmp_path: Path) -> None:
    with fake_server(_huge) as server, pytest.raises(OutsideError, match="4 MiB"):
        source(server.url, tmp_path).find("E1")


def test_a_server_that_accepts_nothing_is_left_in_time(tmp_path: Path) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        began = time.monotonic()
        with pytest.raises(OutsideError):
            source(f"ldap://127.0.0.1:{port}", tmp_path, timeout_s=0.5).find("E1")
        assert time.monotonic() - began < 1.2
        for filler in fillers:
            filler.close()


def test_a_handshake_that_never_ends_is_left_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and answers nothing
        url = f"ldaps://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(OutsideError):
            source(url, tmp_path, timeout_s=0.5).find("E1")
        assert time.monotonic() - began < 1.2


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x30\x03\x02\x01\x01",
        b"\x30\x80" * 500,
        b"\x30\x82\x07\xd0" + b"\x30\x80" * 1000,
        b"\x30\x05\x02\x01\x02\x61\x00",
        bytes(64),
    ],
)
def test_octets_that_are_no_ldap_are_an_outage(tmp_path: Path, octets: bytes) -> None:
    def answer(number: int, operation: int, seen: bytes) -> Iterator[bytes]:
        yield from good(number, operation, seen) if operation == BIND else (octets,)

    with fake_server(answer) as server, pytest.raises(OutsideError):
        source(server.url, tmp_path, timeout_s=1).find("E1")


@pytest.mark.parametrize("code", [1, 3, 11, 32, 50, 51, 52, 53, 80, 123])
def test_a_result_that_is_no_success_is_an_outage(tmp_path: Path, code: int) -> None:
    """An entry that came before the fault does not count either: never partial."""
    with (
        fake_server(finding(entry(f"uid=1,{PEOPLE}", **PERSON), code=code)) as server,
        pytest.raises(OutsideError),
    ):
        source(server.url, tmp_path).find("E1")


def test_a_photo_that_is_too_large_does_not_stop_a_sign_in(tmp_path: Path) -> None:
    person = entry(f"uid=1,{PEOPLE}", **PERSON, jpegPhoto=[JPEG + bytes(1_000_000)])
    with fake_server(finding(person)) as server:
        found = source(server.url, tmp_path).find("E1")
    assert found is not None
    assert found.photo is None
