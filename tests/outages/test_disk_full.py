"""The disk of the database is full: refused before an event is lost, back once there is room (F-06, F-11)."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.desk import Lost
from tests.outages.journey import STEPS
from tests.outages.stack import Stack, stack
from tests.servers import redis_server
from tests.servers_slapd import Slapd

pytestmark = pytest.mark.services
SIZE = "24m"
ATTEMPTS = 150  # rows still go into pages that are there
FILL = "CREATE TABLE filler AS SELECT repeat('x', 500) FROM generate_series(1, 100)"
MORE = "INSERT INTO filler SELECT repeat('x', 500) FROM generate_series(1, {rows})"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 24 MiB that the database server may write to."""
    folder = Path(tempfile.mkdtemp(prefix="gongmu-small-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("a small file system can only be made by root")
    shutil.chown(folder, "postgres", "postgres")
    folder.chmod(0o700)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)
        folder.rmdir()


@pytest.fixture
def cramped(
    postgres_url: str, small_disk: Path, directory: Slapd, tmp_path: Path
) -> Iterator[tuple[Stack, str]]:
    """A provider whose database lies there, and how to reach the database as its owner."""
    url = make_url(postgres_url)
    admin = url.set(database="postgres", drivername="postgresql").render_as_string()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")  # type: ignore[call-overload]
        connection.execute("CREATE DATABASE outages_cramped TABLESPACE small")
    database = url.set(database="outages_cramped").render_as_string()
    try:
        with (
            redis_server() as redis_url,
            stack(tmp_path, redis_url, database, directory) as running,
        ):
            yield running, database.replace("+psycopg", "")
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("DROP DATABASE outages_cramped WITH (FORCE)")
            connection.execute("DROP TABLESPACE small")


def fill(address: str) -> None:
    """Until not a page is left."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(FILL)
        for rows in (10_000, 1000, 100, 10, 10):
            with suppress(psycopg.errors.DiskFull):
                while True:
                    connection.execute(MORE.format(rows=rows))  # type: ignore[call-overload]


def test_f06_a_full_disk_refuses_cleanly_and_loses_nothing(cramped: tuple[Stack, str]) -> None:
    running, address = cramped
    running.works_again()
    fill(address)
    refused = sum(_ends_in_503(running) for _ in range(_enough(running)))
    assert refused, "the disk never was full"
    running.is_sound()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP TABLE filler")
    running.works_again(20)
    running.is_sound()


def _enough(running: Stack) -> int:
    """Sign-ins until the first is refused, and a few more."""
    for number in range(ATTEMPTS):
        if _ends_in_503(running):
            return 5
        assert number < ATTEMPTS - 1, "the disk never was full"
    return 0


def _ends_in_503(running: Stack) -> bool:
    """One sign-in; a step that is refused is refused cleanly, and nobody goes on after it."""
    with running.journey() as journey:
        for step in STEPS:
            try:
                answer = journey.step(step)
            except (Lost, KeyError):
                return False
            if answer.status_code not in (200, 303):
                return running.is_clean(answer)
    return False
