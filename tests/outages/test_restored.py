"""A backup is put back while the provider runs, and before it starts (A-274, F-21)."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from idp.store.high_water import EVERY_S
from tests.outages.journey import RESPONSE, USERINFO
from tests.outages.stack import Stack, stack
from tests.provider import GONGMU
from tests.servers import new_database, redis_server
from tests.servers_slapd import Slapd

pytestmark = pytest.mark.services


class Backup:
    """A copy of the database on the same server."""

    def __init__(self, url: str) -> None:
        parts = make_url(url)
        self._name = str(parts.database)
        self._admin = parts.set(database="postgres", drivername="postgresql").render_as_string(
            hide_password=False
        )

    def make(self) -> None:
        """Nobody may be connected meanwhile."""
        self._run(
            f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS false',
            f"SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = '{self._name}'",  # noqa: S608 - our own name
            f'CREATE DATABASE "{self._name}_copy" TEMPLATE "{self._name}"',
            f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS true',
        )

    def put_back(self) -> None:
        """The copy in the place of what there is."""
        self._run(
            f'DROP DATABASE "{self._name}" WITH (FORCE)',
            f'ALTER DATABASE "{self._name}_copy" RENAME TO "{self._name}"',
        )

    def _run(self, *statements: str) -> None:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]


@pytest.fixture
def backed_up(
    postgres_url: str, directory: Slapd, tmp_path: Path
) -> Iterator[tuple[Stack, Backup]]:
    """A provider whose mobile ID was revoked after the backup; the journal is beside its configuration."""
    database = new_database(postgres_url, "outages_restored")
    with redis_server() as redis_url, stack(tmp_path, redis_url, database, directory) as running:
        yield running, Backup(database)


def gongmu(running: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    file = str(running.provider.conf_file)
    command = [GONGMU, "--config", file, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a274_what_was_revoked_after_a_backup_does_not_revive(
    backed_up: tuple[Stack, Backup], tmp_path: Path
) -> None:
    running, backup = backed_up
    with running.journey() as journey:
        journey.all()
        [live] = [one["id"] for one in _listed(running) if one["state"] == "live"]
        running.engine.dispose()
        backup.make()
        running.works_again()
        assert gongmu(running, "mobile-id", "revoke", live).returncode == 0
        file = _journal(running, tmp_path)
        time.sleep(2 * EVERY_S)  # both workers have looked
        backup.put_back()
        for _ in range(6):  # from the first request on, in both workers
            assert journey.step(USERINFO).status_code == 503
        _confirmed(running, file)
    assert {one["id"]: one["state"] for one in _listed(running)}[live] == "revoked"
    with running.journey() as journey:
        journey.until(RESPONSE)
        assert journey.step(RESPONSE).status_code == 400, "a revoked mobile ID signed in"
    assert gongmu(running, "events", "verify").returncode == 0


def _journal(running: Stack, folder: Path) -> Path:
    """The events as they are kept off this host."""
    events = json.loads(gongmu(running, "events", "list", "--json", "--limit", "500").stdout)
    file = folder / "journal.jsonl"
    file.write_text("".join(f"{json.dumps(one)}\n" for one in events))
    return file


def _confirmed(running: Stack, journal: Path) -> None:
    """Refused until an operator says how to go on; then back by itself."""
    with running.provider.client() as probe:
        assert probe.get("/readyz").json()["stores"]["sql"] == "unavailable"
        assert "gongmu db restored" in gongmu(running, "doctor").stdout
        assert gongmu(running, "db", "restored").returncode == 2
        done = gongmu(running, "db", "restored", "--journal", str(journal), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["revoked"] == 1
        running.until(lambda: probe.get("/readyz").status_code == 200, 15)


def _listed(running: Stack) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(gongmu(running, "mobile-id", "list", "--json").stdout)
    return found


def time_of_mark(running: Stack) -> None:
    """Until both workers have looked how far SQL is."""
    time.sleep(2 * EVERY_S)
