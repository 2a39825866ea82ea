"""The courier: every letter once if possible, nobody waits for another, nothing is lost whoever dies."""

import os
import signal
import sqlite3
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import update

from idp.errors import OutsideError
from idp.signals import Chore, Letter, Pace, outbox
from idp.store.sql import transaction, utc
from idp.store.tables import outbox as table
from tests.contract.outbox_world import QUICK, Told, World, refuse, until, utc_now
from tests.servers import Child

# --- the courier ------------------------------------------------------------------------------------


def test_a_letter_is_delivered_at_once_and_once(world: World) -> None:
    told = Told()
    slow = Pace(poll_s=5)  # only the bell can be in time
    with world.courier(told, slow):
        time.sleep(0.1)
        begun = time.monotonic()
        world.write("mail")
        until(world.kinds)
        assert time.monotonic() - begun < 4
    assert world.kinds() == [("logout:delivery:done", "mail")]
    assert len(told.letters) == 1


def test_two_processes_share_the_work(world: World) -> None:
    one, other = Told(), Told()
    world.write(*[f"t{number}" for number in range(30)])
    with world.courier(one), world.courier(other):
        until(lambda: len(world.kinds()) == 30)
    ids = [letter.id for letter in (*one.letters, *other.letters)]
    assert len(ids) == len(set(ids)) == 30


def test_a_letter_is_given_up_after_five_retries(world: World) -> None:
    told = Told(dead=refuse)
    world.write("dead")
    with world.courier(told):
        until(lambda: ("logout:delivery:failed", "dead") in world.kinds())
        time.sleep(0.3)
    assert [letter.tries for letter in told.letters] == [1, 2, 3, 4, 5, 6]
    assert [kind for kind, _ in world.kinds()] == [
        *["logout:delivery:delayed"] * 5,
        "logout:delivery:failed",
    ]
    [row] = world.letters()
    assert (row.failed, row.done_at is None) == (True, False)


def test_five_retries_take_ten_minutes_and_a_lease_outlives_a_try() -> None:
    pace = Pace()
    assert (len(pace.retries_s), sum(pace.retries_s)) == (5, 600)
    assert list(pace.retries_s) == sorted(pace.retries_s)
    assert 3 < pace.lease_s < 8  # else a dead worker's letter would not be there within 10 s


def test_an_old_letter_gets_its_try_and_no_more(world: World) -> None:
    told = Told(dead=refuse)
    world.write("dead")
    with transaction(world.engine) as connection:
        connection.execute(update(table).values(created_at=utc_now() - timedelta(hours=1)))
    with world.courier(told):
        until(world.kinds)
    assert world.kinds() == [("logout:delivery:failed", "dead")]
    assert len(told.letters) == 1


def test_a_letter_that_kills_its_workers_is_given_up(world: World) -> None:
    told = Told()
    world.write("mail")
    with transaction(world.engine) as connection:
        connection.execute(update(table).values(tries=30))
    with world.courier(told):
        until(world.kinds)
    assert world.kinds() == [("logout:delivery:failed", "mail")]
    assert told.letters == []


def test_a_retry_waits_its_time(world: World) -> None:
    told = Told(dead=refuse)
    world.write("dead")
    with world.courier(told, Pace(poll_s=0.1, retries_s=(60,))):
        until(world.kinds)
        begun = utc_now()
    [row] = world.letters()
    assert 50 < ((utc(row.due_at) or begun) - begun).total_seconds() <= 60
    assert len(told.letters) == 1


def test_f20_slow_parties_keep_nobody_waiting(world: World) -> None:
    """Twenty that hang, with letters that are all older, and one that is well."""
    over = threading.Event()

    def hang(_letter: Letter) -> None:
        over.wait(1.5)
        raise OutsideError("relying_party", "timed out")

    slow = [f"slow{number}" for number in range(20)]
    told = Told(**dict.fromkeys(slow, hang))
    world.write(*slow * 3)
    with world.courier(told, Pace(poll_s=0.1, retries_s=(60,))):
        time.sleep(3.3)  # they are known by now
        for _ in range(3):
            begun = time.monotonic()
            before = len(told.letters)
            world.write("well")
            until(lambda: [k for k in told.letters[before:] if k.target == "well"])  # noqa: B023
            assert time.monotonic() - begun < 1.0  # less than one of them takes
        assert len(world.kinds()) < 60 + 3  # they hang still
        over.set()


def test_one_party_has_four_threads_and_in_doubt_only_one(world: World) -> None:
    over = threading.Event()
    told = Told(busy=lambda _letter: over.wait(1) and None)
    world.write(*["busy"] * 6)
    with world.courier(told, Pace(poll_s=0.1, retries_s=())):
        until(lambda: told.most.get("busy") == 4)
        time.sleep(0.1)
        assert told.most["busy"] == 4
        over.set()
        until(lambda: len(world.kinds()) == 6)
        told.does["busy"] = refuse
        world.write("busy")
        until(lambda: ("logout:delivery:failed", "busy") in world.kinds())
        told.does["busy"] = lambda letter: time.sleep(0.1) or refuse(letter)
        told.most.clear()
        world.write(*["busy"] * 4)
        until(lambda: world.kinds().count(("logout:delivery:failed", "busy")) == 5)
        assert told.most["busy"] == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_does_not_silence_the_outbox(world: World) -> None:
    told, faults = Told(), [1]

    def fail_once() -> None:
        if faults and faults.pop():
            raise ValueError("a fault")

    with world.courier(told, QUICK, Chore(0.05, fail_once)):
        until(lambda: not faults)
        world.write("mail")
        until(world.kinds)


# --- what may die -----------------------------------------------------------------------------------

_WORKER = """
    import sys, time
    from datetime import UTC, datetime
    from idp.conf import Stores
    from idp.journal import Journal
    from idp.signals import Courier, Pace
    from idp.store.sql import open_engine

    class Stuck:
        def deliver(self, letter):
            print("mine", flush=True)
            time.sleep(60)

    now = lambda: datetime.now(UTC)
    engine = open_engine(Stores(sql_url=sys.argv[1]))
    pace = Pace(poll_s=0.05, lease_s=1.0)
    Courier(engine, Journal(engine, now), {"test": Stuck()}, now, pace=pace).start()
    time.sleep(60)
"""


def test_the_letter_of_a_killed_worker_is_taken_over(world: World) -> None:
    told = Told()
    world.write("mail")
    url = world.engine.url.render_as_string(hide_password=False)
    worker = Child("courier", [sys.executable, "-c", textwrap.dedent(_WORKER), url])
    try:
        worker.wait_until(lambda: True if "mine" in worker.stdout.read_text() else None)
        os.kill(worker.process.pid, signal.SIGKILL)
        with world.courier(told):
            until(world.kinds, 3)
    finally:
        worker.stop()
    assert [letter.tries for letter in told.letters] == [2]
    assert world.kinds() == [("logout:delivery:done", "mail")]


@contextmanager
def sql_away(world: World) -> Iterator[None]:
    """Nobody can use the database of this world; what it holds stays."""
    url = world.engine.url
    if url.get_backend_name() == "sqlite":
        locker = sqlite3.connect(str(url.database), isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            locker.rollback()
            locker.close()
        return
    address = url.set(drivername="postgresql", database="postgres")
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as admin:
        name = url.database or ""
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())


def test_a_handler_that_misses_sql_has_not_failed_its_target(world: World) -> None:
    def without_sql(letter: Letter) -> None:
        if letter.tries == 1:
            raise OutsideError("sql", "away")

    told = Told(mail=without_sql)
    world.write("mail")
    with world.courier(told, Pace(poll_s=0.1, lease_s=0.3)):
        until(world.kinds)
    assert world.kinds() == [("logout:delivery:done", "mail")]
    assert [letter.tries for letter in told.letters] == [1, 2]


def test_f20_sql_away_loses_nothing(world: World) -> None:
    """It goes while one letter is on its way and another waits."""
    on_its_way, go_on = threading.Event(), threading.Event()

    def slowly(_letter: Letter) -> None:
        on_its_way.set()
        go_on.wait(10)

    told = Told(one=slowly)
    with world.courier(told, Pace(poll_s=0.1, lease_s=1.0)):
        world.write("one")
        assert on_its_way.wait(5)
        with transaction(world.engine) as connection:
            outbox.write(connection, "test", "two", {}, utc_now() + timedelta(seconds=0.3))
        with sql_away(world):
            go_on.set()
            time.sleep(1.0)
        time.sleep(1.1)  # it is left alone for a second
        until(lambda: {party for _, party in world.kinds()} == {"one", "two"}, 15)
    assert {letter.target for letter in told.letters} == {"one", "two"}
    assert all(row.done_at is not None and not row.failed for row in world.letters())
