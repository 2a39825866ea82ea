"""What operators see of an outage: readiness names the system, metrics count it, the log says why."""

import re
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.outages.journey import RESPONSE
from tests.outages.proxy import Fault
from tests.outages.stack import Stack

pytestmark = pytest.mark.services


@pytest.mark.parametrize("system", ["redis", "sql", "esaram"])
def test_readyz_names_what_does_not_answer(whole: Stack, system: str) -> None:
    name = "directory" if system == "esaram" else system
    with whole.provider.client() as probe:
        with whole.broken(system, Fault.STOPPED):
            answer = probe.get("/readyz")
            told = answer.json()
            assert answer.status_code == 503
            assert told["stores"].pop(name) == "unavailable"
            assert set(told["stores"].values()) == {"ok"}
            assert probe.get("/healthz").status_code == 200
        whole.until(lambda: probe.get("/readyz").status_code == 200, 5)


@pytest.mark.parametrize("system", ["redis", "sql", "esaram"])
def test_metrics_and_log_tell_each_failure(whole: Stack, system: str) -> None:
    before = failures(whole, system)
    for _ in range(2):  # the first may only make the counts of the two workers equal
        length = len(whole.log())
        with whole.journey() as journey:
            journey.until(RESPONSE)
            with whole.broken(system, Fault.RESET):
                whole.is_clean(journey.step(RESPONSE))
            line = next(line for line in whole.log()[length:].splitlines() if '"refused"' in line)
        assert f'"detail": "{system}: ' in line
        assert "password" not in line.lower()
        whole.works_again()
    whole.until(lambda: failures(whole, system) != before)


def failures(running: Stack, system: str) -> set[float]:
    """The counts of both workers, each asked whenever chance has it."""
    pattern = re.compile(
        rf'^gongmu_outside_failures_total{{system="{system}"}} ([\d.]+)', re.MULTILINE
    )
    counts = {0.0}
    for _ in range(12):  # a connection each
        with running.provider.client() as scraper:
            counts |= set(map(float, pattern.findall(scraper.get("/metrics").text)))
    return counts


def test_one_failing_directory_source_leaves_running_sessions_no_longer_than_stated(
    whole: Stack,
) -> None:
    """F-04: with directory_state_s = 0 nobody acts on an older answer."""
    with whole.journey() as journey:
        journey.all()
        with whole.broken("esaram", Fault.STOPPED):
            whole.is_clean(journey.step("userinfo"))
        assert journey.step("userinfo").status_code == 200


def test_threads_stay_free_while_sql_hangs(whole: Stack) -> None:
    """F-05, F-07: polls need no SQL and go on at their pace while a crowd asks what does."""
    over = threading.Event()
    with whole.journey() as journey, ThreadPoolExecutor(16) as crowd:
        journey.until("poll")
        with ended(over), whole.broken("sql", Fault.HALF_OPEN):
            asking = [crowd.submit(ask_until, over, whole) for _ in range(16)]
            time.sleep(3.5)  # the first of them wait in vain, each worker learns
            seconds = []
            for _ in range(30):
                answer = journey.step("poll")
                assert answer.status_code == 200
                seconds.append(answer.elapsed.total_seconds())
        statuses = {status for one in asking for status in one.result()}
    assert sorted(seconds)[-3] < 0.5, sorted(seconds)
    assert statuses == {503}


@contextmanager
def ended(over: threading.Event) -> Iterator[None]:
    """However the body ends, the crowd goes home."""
    try:
        yield
    finally:
        over.set()


def ask_until(over: threading.Event, running: Stack) -> set[int]:
    """Clients that nobody has looked up yet, one after the other."""
    seen = set()
    with running.provider.client() as client:
        while not over.is_set():
            form = {"client_id": secrets.token_hex(8), "client_secret": "x"}
            seen.add(client.post("/oauth/token", data=form).status_code)
            time.sleep(0.02)
    return seen
