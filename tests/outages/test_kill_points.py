"""Signal 9 at every point of a sign-in, and what it leaves: to be gone on with, or cleanly dead (F-08).

A run takes three points of each step (the first, the last, one by chance); GONGMU_SOAK=1 takes all of
them, ten times over.
"""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest

from tests.desk import Lost
from tests.outages.journey import POLL, STEPS, TOKEN, USERINFO, Journey
from tests.outages.killing import Lives, Point
from tests.outages.stack import Stack, stack
from tests.servers import new_database, redis_server
from tests.servers_slapd import Slapd

pytestmark = pytest.mark.services
SOAK = bool(os.environ.get("GONGMU_SOAK"))
WRITING = [step for step in STEPS if step not in (POLL, USERINFO)]  # these two only read


@pytest.fixture(scope="module")
def mortal(
    postgres_url: str, directory: Slapd, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, Lives]]:
    """A provider of one worker that is killed, and back at once."""
    database = new_database(postgres_url, "outages_points")
    folder = tmp_path_factory.mktemp("points")
    with redis_server() as redis_url, stack(folder, redis_url, database, directory, 3) as running:
        running.provider.child.process.terminate()
        running.provider.child.process.wait(20)
        assert running.provider.conf_file is not None
        lives = Lives(running.provider.conf_file, running.provider.issuer)
        try:
            lives.begin()
            yield running, lives
        finally:
            lives.end()


@pytest.mark.parametrize("step", WRITING)
def test_f08_killed_at_each_point_of_a_step(mortal: tuple[Stack, Lives], step: str) -> None:
    running, lives = mortal
    running.works_again()  # what is looked up once is known
    points = min(_points_of(running, step) for _ in range(2))  # a new connection has more
    killed = 0
    for number in _chosen(points):
        point = Point(number, lives.kill)
        with running.journey() as journey:
            journey.until(step)
            with _watched(running, point), suppress(httpx.TransportError, Lost):
                journey.step(step)
            if not point.reached:
                continue
            killed += 1
            lives.begin()
            _go_on(running, journey, step, f"{step}, point {number} of {points}")
        running.works_again()
        running.is_sound()
    assert killed, f"none of {points} points was reached"


def _points_of(running: Stack, step: str) -> int:
    """How many answers of the stores the step waits for, when all is well."""
    point = Point(0, lambda: None)
    with running.journey() as journey:
        journey.until(step)
        with _watched(running, point):
            journey.must(step)
    return point.seen


def _chosen(points: int) -> list[int]:
    if SOAK:
        return 10 * list(range(1, points + 1))
    return sorted({1, random.randint(1, points), points})


@contextmanager
def _watched(running: Stack, point: Point) -> Iterator[None]:
    """While inside, the point counts what both stores answer."""
    ways = [running.proxies[system] for system in ("redis", "sql")]
    for way in ways:
        way.on_answer = point
    yield
    for way in ways:
        way.on_answer = None


def _go_on(running: Stack, journey: Journey, step: str, told: str) -> None:
    """As a person and a program do: the step once more, then the rest while it goes well."""
    code_used = 0
    for name in STEPS[STEPS.index(step) :]:
        try:
            status = journey.step(name).status_code
        except (Lost, KeyError):  # a page that has no way on
            break
        assert status < 500, f"{told}: {name} answers {status}\n{running.log()[-4000:]}"
        if status not in (200, 303):
            break
        code_used += name == TOKEN
    if journey.code:
        again = journey.desk.redeem(journey.code)
        assert again.status_code == 400, f"{told}: the code was taken twice"
        assert code_used <= 1
