"""Connections: few, used again, replaced when dead, replicas in turn."""

import gc
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from idp.errors import OutsideError
from idp_ldap.wire import Address as Place
from idp_ldap.wire import Deadline, OutOfTime, Wire, open_wire, resolve
from tests.unit.idp_ldap.support import (
    SEARCH,
    fake_server,
    good,
    source,
)


def test_connections_are_used_again_and_closed_with_the_directory(tmp_path: Path) -> None:
    with fake_server() as server:
        directory = source(server.url, tmp_path)
        for _ in range(5):
            assert directory.find("E1") is None
        assert server.connections == 1
        del directory
        gc.collect()


def test_no_more_connections_than_allowed(tmp_path: Path) -> None:
    release = threading.Event()

    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        if operation == SEARCH:
            release.wait(5)
        yield from good(number, operation, octets)

    with fake_server(answer) as server:
        directory = source(server.url, tmp_path, connections=2)
        with ThreadPoolExecutor(4) as threads:
            asked = [threads.submit(directory.find, "E1") for _ in range(4)]
            time.sleep(0.3)
            assert server.connections == 2
            release.set()
            assert [one.result(5) for one in asked] == [None] * 4
        assert server.connections == 2


def test_who_gets_no_connection_in_time_is_told_so(tmp_path: Path) -> None:
    release = threading.Event()

    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        if operation == SEARCH:
            release.wait(5)
        yield from good(number, operation, octets)

    with fake_server(answer) as server, ThreadPoolExecutor(1) as thread:
        directory = source(server.url, tmp_path, connections=1, timeout_s=1)
        first = thread.submit(directory.find, "E1")
        time.sleep(0.3)
        pool = directory._searcher._pool  # type: ignore[attr-defined]
        with pytest.raises(OutsideError, match="busy"):
            pool.enter(Deadline.after(0.1))
        release.set()
        assert first.result(5) is None
        assert directory.find("E1") is None  # the place was given back


def test_a_connection_that_the_server_closed_is_replaced(tmp_path: Path) -> None:
    """A restart of the directory costs nobody a sign-in."""
    gone: list[int] = []

    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        if operation == SEARCH and len(gone) == 1:
            gone.append(1)
            raise OSError  # closes this connection
        gone.append(1) if operation == SEARCH else None
        yield from good(number, operation, octets)

    with fake_server(answer) as server:
        directory = source(server.url, tmp_path)
        assert directory.find("E1") is None
        assert directory.find("E1") is None
        assert server.connections == 2


def test_a_connection_that_died_without_a_word_is_replaced_in_time(tmp_path: Path) -> None:
    """A firewall that dropped a quiet connection: half the time for it, half for another."""
    searches: list[int] = []

    def answer(number: int, operation: int, octets: bytes) -> Iterator[bytes]:
        if operation == SEARCH:
            searches.append(number)
            if len(searches) == 2:
                return
        yield from good(number, operation, octets)

    with fake_server(answer) as server:
        directory = source(server.url, tmp_path, timeout_s=2)
        assert directory.find("E1") is None
        assert directory.find("E1") is None
        assert server.connections == 2


def test_the_next_replica_is_asked_when_one_is_away(tmp_path: Path) -> None:
    with socket.socket() as closed, fake_server() as server:
        closed.bind(("127.0.0.1", 0))
        away = f"ldap://127.0.0.1:{closed.getsockname()[1]}"
        directory = source((away, server.url), tmp_path)
        assert directory.find("E1") is None
        assert server.connections == 1


def test_no_replica_answers(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = f"ldap://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(OutsideError):
            source((away, away), tmp_path).check()


def test_small_packets_go_out_at_once() -> None:
    with fake_server() as server:
        wire = open_wire(Place("127.0.0.1", server.port, "plain"), Deadline.after(2))
        assert wire._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert isinstance(wire, Wire)
        wire.close()


def test_names_are_resolved_within_the_deadline() -> None:
    found = resolve("localhost", 389, Deadline.after(2))
    assert {place for _, place in found} <= {("127.0.0.1", 389), ("::1", 389)}
    with pytest.raises(OSError, match="name resolution"):
        resolve("no such host.invalid", 389, Deadline.after(5))
    with pytest.raises(OutOfTime):
        resolve("localhost", 389, Deadline.after(-1))
