"""A Redis that is full, holds what we never wrote, or answers late: named errors, never another's answer.

A-266, A-270, A-271.
"""

import json
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
import redis

from idp.errors import OutsideError
from idp.store.short import RedisShort, open_short
from tests.outages.journey import AUTHORIZE, FINISH, PAGE, POLL, STEPS, TOKEN
from tests.outages.proxy import Fault, Proxy, proxy
from tests.outages.redis_pair import SECRET
from tests.outages.stack import Stack
from tests.servers import redis_server

pytestmark = pytest.mark.services


# --- full (A-266) -------------------------------------------------------------------------------


def test_a266_a_full_redis_refuses_and_forgets_nothing(whole: Stack) -> None:
    with whole.journey() as spent, whole.journey() as new, whole.journey() as started:
        for step in STEPS[: STEPS.index(TOKEN) + 1]:
            spent.must(step)
        started.until(PAGE)
        store = whole.redis
        store.config_set("maxmemory-policy", "noeviction")
        store.config_set("maxmemory", "1")
        try:
            whole.is_clean(new.step(AUTHORIZE))
            whole.is_clean(started.step(PAGE))
            answer = spent.step(TOKEN)
            assert answer.status_code in (400, 503), answer.text
            assert "access_token" not in answer.text
        finally:
            store.config_set("maxmemory", "0")
        started.must(PAGE)
        assert spent.step(TOKEN).json()["error"] == "invalid_grant"


# --- poisoned (A-271) ---------------------------------------------------------------------------


def _json(text: str) -> Callable[[redis.Redis, str, bytes], None]:
    def lay(store: redis.Redis, key: str, stored: bytes) -> None:
        head = stored.rpartition(b"|")[0] if text.startswith("|") else stored[:17]
        store.set(key, head + text.encode(), ex=60)

    return lay


def _changed(store: redis.Redis, key: str, stored: bytes) -> None:
    """What an attacker with write access wants: the same state, with another person in it."""
    store.set(key, stored.replace(b"E1000001", b"E1000002"), ex=60)


def _typed(store: redis.Redis, key: str, _stored: bytes) -> None:
    store.delete(key)
    store.lpush(key, "a list")
    store.expire(key, 60)


def _pickled(store: redis.Redis, key: str, _stored: bytes) -> None:
    store.set(key, pickle.dumps({"step": "finished"}), ex=60)


def _moved(store: redis.Redis, key: str, _stored: bytes) -> None:
    """A value of ours, from another key."""
    others = (one for one in store.scan_iter("login:*", _type="string") if one.decode() != key)
    store.set(key, next(filter(None, map(store.get, others))), ex=60)


POISONS = {
    "another person": _changed,
    "wrong JSON": _json("{not json"),
    "other JSON": _json(json.dumps({"step": "finished"})),
    "pickle": _pickled,
    "other type": _typed,
    "another login": _moved,
}


@pytest.mark.parametrize("name", POISONS)
def test_a271_what_we_did_not_write_is_as_good_as_absent(whole: Stack, name: str) -> None:
    with whole.journey() as journey, whole.journey() as other:
        other.until(POLL)
        journey.until(FINISH)
        key = f"login:{{{journey.desk.login.rpartition('/')[2]}}}"
        stored = whole.redis.get(key)
        assert b"E1000001" in stored
        length = len(whole.log())
        POISONS[name](whole.redis, key, stored)
        assert journey.step(POLL).status_code == 404
        assert journey.step(FINISH).status_code == 404
    if name != "pickle":  # it does not begin with this primary's identity: as if left by another
        whole.until(lambda: '"not_ours"' in whole.log()[length:])


def test_a271_a_poisoned_code_buys_nothing(whole: Stack) -> None:
    with whole.journey() as journey:
        journey.until(TOKEN)
        key = f"code:{{{sha256(journey.code.encode()).hexdigest()}}}"
        stored = whole.redis.get(key)
        assert b'"lab"' in stored
        whole.redis.set(key, stored.replace(b'"session"', b'"session" '), ex=60)
        assert journey.step(TOKEN).json() == {
            "error": "invalid_grant",
            "error_description": "the grant does not count",
        }


# --- late answers (A-270) -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def lone_redis() -> Iterator[str]:
    with redis_server() as url:
        yield url


def test_a270_answers_never_go_to_another_caller(lone_redis: str) -> None:
    """Connections break, hang and come late under a crowd; who reads key n gets value n or an error."""
    port = int(lone_redis.rpartition(":")[2].partition("/")[0])
    with proxy(port) as way:
        way.slow_s = 0.15
        store = open_short(f"redis://127.0.0.1:{way.port}/0", timeout_s=0.1, secret=SECRET)
        direct = open_short(lone_redis, secret=SECRET)
        for number in range(50):
            direct.put(f"login:{number}", f"value of {number}", 600)
        over = threading.Event()
        with ThreadPoolExecutor(9) as crowd:
            mischief = crowd.submit(_misbehave, way, over)
            readers = [crowd.submit(_read_all, store, 500) for _ in range(8)]
            try:
                tallies = [reader.result() for reader in readers]
            finally:
                over.set()
            mischief.result()
    right = sum(right for right, _ in tallies)
    failed = sum(failed for _, failed in tallies)
    assert right + failed == 8 * 500
    assert right > 20, (right, failed)  # enough to tell, however slow the machine
    assert failed > 20, (right, failed)


def _misbehave(way: Proxy, over: threading.Event) -> None:
    faults = (Fault.SLOW, Fault.RESET, Fault.HALF_OPEN, Fault.SLOW)
    turn = 0
    while not over.is_set():
        way._fault = faults[turn % len(faults)]  # without cutting: what is late may still come
        time.sleep(0.03)
        way._fault = Fault.NONE
        time.sleep(0.06)
        turn += 1


def _read_all(store: RedisShort, times: int) -> tuple[int, int]:
    right = failed = 0
    for turn in range(times):
        number = turn % 50
        try:
            value = store.get(f"login:{number}")
        except OutsideError:
            failed += 1
            time.sleep(0.003)
            continue
        assert value == f"value of {number}"
        right += 1
    return right, failed
