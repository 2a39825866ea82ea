"""Redis is ended and started again in mid sign-in, empty or with all it held: never more than a clean retry.

What it held was written by another primary, whose memory of what is spent may have been older (D-6).
"""

import time
from collections.abc import Callable, Iterator

import httpx
import pytest
import redis

from tests.outages.journey import AUTHORIZE, REFRESH, STEPS, TOKEN, USERINFO, Journey
from tests.outages.stack import Stack, stack
from tests.passkeys import PASSKEYS, Seat, passing_seat, reason_on
from tests.servers import RedisProcess, new_database, redis_process
from tests.servers_slapd import Slapd

pytestmark = pytest.mark.services
Restart = Callable[[], None]


@pytest.fixture(scope="module")
def store() -> Iterator[RedisProcess]:
    with redis_process() as running:
        yield running


@pytest.fixture(scope="module")
def running(
    store: RedisProcess,
    postgres_url: str,
    directory: Slapd,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    database = new_database(postgres_url, "outages_restart")
    with stack(tmp_path_factory.mktemp("restart"), store.url, database, directory) as running:
        yield running
        running.works_again()
        running.is_sound()


@pytest.fixture(params=[False, True], ids=["empty", "kept"])
def restart(request: pytest.FixtureRequest, store: RedisProcess) -> Restart:
    """Call it to restart Redis."""

    def do() -> None:
        with redis.Redis.from_url(store.url) as client:
            client.set("held before", "x", ex=60)
            store.restart(keep=request.param)
            assert bool(client.exists("held before")) is request.param

    return do


def answered(running: Stack, journey: Journey, step: str) -> httpx.Response:
    """The step's answer once it is not "later": clean while the connections are made anew."""
    for _try in range(20):
        answer = journey.step(step)
        if answer.status_code != 503:
            return answer
        running.is_clean(answer)
        time.sleep(0.25)
    raise AssertionError(f"{step}: still 503\n{running.log()[-6000:]}")


@pytest.mark.parametrize("step", [step for step in STEPS if step != AUTHORIZE])
def test_a_restart_in_mid_sign_in(running: Stack, restart: Restart, step: str) -> None:
    """Only what SQL holds goes on: the session, and an access token that has been given out."""
    with running.journey_until(step) as journey:
        restart()
        answer = answered(running, journey, step)
        if step == USERINFO:
            assert answer.status_code == 200
        elif step in (TOKEN, REFRESH):
            assert answer.json()["error"] == "invalid_grant"
        else:
            assert answer.status_code == 404, answer.text
    running.works_again()


# --- passkeys ---------------------------------------------------------------------------------------


@pytest.fixture
def seat(running: Stack) -> Iterator[Seat]:
    """A browser whose person has no passkey after the test."""
    running.works_again()
    with passing_seat(running.provider, running.held) as made:
        yield made


def test_a_restart_between_begin_and_complete_of_an_enrolment(
    running: Stack, seat: Seat, restart: Restart
) -> None:
    restart()
    running.works_again()
    seat.enrol()
    assert (seat.answer.status_code, reason_on(seat.page)) == (400, "G-702")
    assert seat.ids() == []
    seat.get(f"{PASSKEYS}/new")
    seat.enrol()
    assert len(seat.ids()) == 1


def test_a_restart_between_begin_and_complete_of_an_assertion(
    running: Stack, seat: Seat, restart: Restart
) -> None:
    seat.enrol()
    with Seat(running.provider) as desk:
        desk.key = seat.key
        desk.begin()
        restart()
        running.works_again()
        desk.touch()
        assert (desk.answer.status_code, reason_on(desk.page)) == (404, "G-301")
        desk.answered(desk.begin().touch())
