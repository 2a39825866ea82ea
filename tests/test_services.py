"""The servers that other tests lean on are real and answer."""

import os
import socket
import subprocess
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from tests.servers import Child, DidNotStart, canary, free_port
from tests.servers_slapd import READER_PASSWORD, Slapd

pytestmark = pytest.mark.services


def test_redis_keeps_and_forgets(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.set("test:services", "kept", px=60_000)
        assert client.getdel("test:services") == "kept"
        assert client.get("test:services") is None
        assert client.info("server")["redis_version"]


def test_postgres_commits_and_rolls_back(postgres_database: str) -> None:
    address = postgres_database.replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE t (n integer PRIMARY KEY)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
        connection.execute("INSERT INTO t VALUES (2)")
        connection.rollback()
        assert connection.execute("SELECT n FROM t").fetchall() == [(1,)]


def test_every_database_is_empty_and_its_own(postgres_database: str) -> None:
    with psycopg.connect(postgres_database.replace("+psycopg", "")) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert found.fetchall() == []


def test_slapd_answers_over_tls_and_changes(personnel: Slapd) -> None:
    number = "employeeNumber=E1000009"
    entry = f"{number},ou=people,{personnel.suffix}"
    change = "dn: {}\nchangetype: modify\nreplace: title\ntitle: {}\n"
    for title in ("a title of the tests", "another"):
        personnel.modify(change.format(entry, title))
        assert title_of(personnel, number) == title


def title_of(server: Slapd, number: str) -> str:
    """Read as the service account, over TLS."""
    url = f"ldaps://127.0.0.1:{server.tls_port}"  # libldap would make another name of localhost
    command = ["ldapsearch", "-x", "-LLL", "-H", url, "-D", server.reader_dn]
    options = ["-w", READER_PASSWORD, "-b", server.suffix, f"({number})", "title"]
    found = subprocess.run(
        [*command, *options],
        env={**os.environ, "LDAPTLS_CACERT": str(server.ca_file)},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    ).stdout
    return found.partition("title: ")[2].strip()


def test_a_server_that_fails_says_why() -> None:
    child = Child("broken", ["sh", "-c", "echo no such thing >&2; exit 3"])
    with pytest.raises(DidNotStart, match="no such thing"):
        child.wait_until(lambda: None)
    child.stop()


def test_a_server_that_will_not_end_is_ended() -> None:
    child = Child("stubborn", ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"])
    child.wait_until(lambda: True if "up" in child.stdout.read_text() else None, 10)
    assert child.stop(deadline_s=0.3) is False
    assert child.process.poll() is not None


def test_free_ports_come_in_a_row() -> None:
    assert free_port(following=1) > 1024


def test_canary_counts_who_calls() -> None:
    with canary() as listener:
        assert listener.calls == 0
        with socket.create_connection(
            (urlsplit(listener.url).hostname, urlsplit(listener.url).port)
        ) as call:
            assert call.recv(1) == b""
        assert listener.calls == 1
