"""Workers killed with signal 9 in the middle of sign-ins, and a stop that loses nothing (F-08, F-13)."""

import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.desk import Lost
from tests.outages.journey import STEPS, Journey
from tests.outages.proxy import Fault
from tests.outages.stack import Stack
from tests.provider import GONGMU, is_ready
from tests.servers import Child, free_port

pytestmark = pytest.mark.services
KILLS = 6
PAUSE_S = 1.5


def workers(running: Stack) -> list[int]:
    """The processes that answer: children of the main one that hold its name."""
    main = running.provider.child.process.pid
    listed = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    return sorted(int(pid) for pid in listed)


def test_f08_killed_workers_leave_nothing_half_made(killable: Stack) -> None:
    over = threading.Event()
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    killed: set[int] = set()
    with ThreadPoolExecutor(6) as crowd:
        runs = [crowd.submit(_sign_in_until, over, killable) for _ in range(6)]
        try:
            for _ in range(KILLS):
                time.sleep(PAUSE_S + chance.random())
                killable.until(lambda: len(workers(killable)) == 2)
                # The oldest: the server gives up when one dies again right after its birth.
                victim = min(workers(killable))
                os.kill(victim, signal.SIGKILL)
                killed.add(victim)
        finally:
            over.set()
        told = [run.result() for run in runs]
    assert len(killed) == KILLS, f"seed {seed}: {killed}"
    finished, broken, statuses = (
        sum(run[0] for run in told),
        sum(run[1] for run in told),
        set().union(*(run[2] for run in told)),
    )
    assert finished > KILLS, f"seed {seed}: {finished}, {broken} broken\n{killable.log()[-3000:]}"
    assert broken > 0, "no kill met a request"
    assert not statuses & {500}, f"seed {seed}: {statuses}\n{killable.log()[-4000:]}"
    killable.until(lambda: len(workers(killable)) == 2)
    print(f"{KILLS} kills, {finished} sign-ins, {broken} broken requests, seed {seed}")  # noqa: T201


def _sign_in_until(over: threading.Event, running: Stack) -> tuple[int, int, set[int]]:
    """Sign-ins one after the other; a broken request is sent once more, as a client does."""
    finished = broken = 0
    statuses: set[int] = set()
    while not over.is_set():
        with running.journey() as journey:
            for step in STEPS:
                status, breaks = _tried(journey, step)
                broken += breaks
                statuses.add(status)
                if status not in (200, 303):
                    break
            else:
                finished += 1
    return finished, broken, statuses


def _tried(journey: Journey, step: str) -> tuple[int, int]:
    for breaks in range(3):
        try:
            return journey.step(step).status_code, breaks
        except httpx.TransportError:
            time.sleep(0.05)
        except (Lost, KeyError):  # a page or answer that has no way on
            return 0, breaks
    return 0, 3


def test_a_stop_finishes_what_has_begun(killable: Stack, tmp_path: Path) -> None:
    """SIGTERM while requests wait for a slow database: each of them is answered, and all is well."""
    port, file = free_port(), killable.provider.conf_file
    assert file is not None
    own = file.with_name("second.toml")
    text = file.read_text().replace(f"\nport = {file_port(file)}", f"\nport = {port}")
    own.write_text(text)
    child = Child("gongmu", [GONGMU, "--config", str(own), "serve"])
    address = f"http://127.0.0.1:{port}"
    try:
        child.wait_until(lambda: is_ready(address))
        sql = killable.proxies["sql"]
        slow_s, sql.slow_s = sql.slow_s, 0.1
        with ExitStack() as made, ThreadPoolExecutor(6) as crowd:
            clients = [made.enter_context(httpx.Client(timeout=20)) for _ in range(6)]
            for client in clients:
                client.get(f"{address}/healthz")  # the connection is there
            made.enter_context(killable.broken("sql", Fault.SLOW))
            asking = [crowd.submit(_token, killable, address, client) for client in clients]
            time.sleep(0.1)
            child.process.send_signal(signal.SIGTERM)
            statuses = [one.result() for one in asking]
        sql.slow_s = slow_s
        assert statuses == [200] * 6
        assert child.process.wait(15) == 0
    finally:
        child.stop()
        own.unlink()


def file_port(file: Path) -> str:
    return file.read_text().partition("\nport = ")[2].partition("\n")[0]


def _token(running: Stack, address: str, client: httpx.Client) -> int:
    automation = running.provider.automation
    known = (automation["client_id"], automation["client_secret"])
    form = {"grant_type": "client_credentials", "scope": "gongmu:events"}
    return client.post(f"{address}/oauth/token", data=form, auth=known).status_code
