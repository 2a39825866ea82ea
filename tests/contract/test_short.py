"""One suite for every implementation of the short-lived store: real Redis, embedded Valkey's protocol, the fake."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis

from idp.errors import OutsideError
from idp.store.short import RedisShort, open_short


@pytest.fixture
def store(redis_url: str) -> RedisShort:
    """An empty one: other tests use the same server."""
    redis.Redis.from_url(redis_url).flushdb()
    return open_short(redis_url)


pytestmark = pytest.mark.services


def test_put_and_get(store: RedisShort) -> None:
    store.put("login:a", '{"x": 1}', 10)
    assert store.get("login:a") == '{"x": 1}'
    assert store.get("login:b") is None


def test_put_new_is_true_once(store: RedisShort) -> None:
    assert store.put_new("jti:a", "1", 10)
    assert not store.put_new("jti:a", "1", 10)


def test_take_gives_the_value_to_one_and_remembers(store: RedisShort) -> None:
    store.put("code:a", "grant", 10)
    first = store.take("code:a", remember_s=60)
    again = store.take("code:a", remember_s=60)
    assert first is not None
    assert first.first
    assert again is not None
    assert (again.value, again.first) == ("grant", False)
    assert store.get("code:a") is None


def test_take_without_memory_forgets(store: RedisShort) -> None:
    store.put("code:a", "grant", 10)
    assert store.take("code:a") is not None
    assert store.take("code:a") is None


def test_replace_compares_and_keeps_the_time_to_live(store: RedisShort, redis_url: str) -> None:
    store.put("login:a", "old", 50)
    assert not store.replace("login:a", "other", "new")
    assert store.replace("login:a", "old", "new")
    assert store.get("login:a") == "new"
    assert 0 < int(redis.Redis.from_url(redis_url).ttl("login:{a}")) <= 50
    assert not store.replace("login:gone", "old", "new")


def test_turn_compares_by_the_head_and_tells_what_stands_there(
    store: RedisShort, redis_url: str
) -> None:
    client = redis.Redis.from_url(redis_url)
    assert store.turn("family:a", "one", "two", "", 50) is None
    store.lay("family:a", "one", "rest of one", 50)
    first = store.turn("family:a", "one", "two", "rest of two", 70)
    again = store.turn("family:a", "one", "three", "rest of three", 90)
    assert first is not None
    assert first.first
    assert again is not None
    assert (again.first, again.value) == (False, "rest of two")
    assert 50 < int(client.ttl("family:{a}")) <= 70
    stored = client.get("family:{a}")
    head, _, rest = stored.partition(b"\n")
    for forged in (
        head + b"\n" + rest + b"x",
        head.replace(b"two", b"one") + b"\n" + rest,
        stored.replace(stored[:16], b"0123456789abcdef"),
        head,
        b"\n",
    ):
        client.set("family:{a}", forged, ex=50)
        turned = store.turn("family:a", "one", "three", "", 50)
        assert turned is None or not turned.first
        assert client.get("family:{a}") == forged


def test_of_many_that_turn_one_value_one_does(store: RedisShort) -> None:
    store.lay("family:a", "one", "", 50)
    turned = _in_parallel(200, lambda: store.turn("family:a", "one", "two", "rest", 50))
    assert sum(1 for one in turned if one is not None and one.first) == 1


def test_count_counts_within_its_window(store: RedisShort) -> None:
    assert [store.count("rate:a", 10) for _ in range(3)] == [1, 2, 3]


def test_a_roll_takes_each_entry_once(store: RedisShort, redis_url: str) -> None:
    assert store.enter("dpop:n", "a") is None
    store.open_roll("dpop:n", 50)
    assert [store.enter("dpop:n", entry) for entry in ("a", "b", "a")] == [True, True, False]
    assert 0 < int(redis.Redis.from_url(redis_url).ttl("dpop:{n}")) <= 50
    store.put("dpop:text", "x", 10)
    assert store.enter("dpop:text", "a") is None


def test_a_roll_is_entered_by_one_of_many(store: RedisShort) -> None:
    store.open_roll("dpop:n", 50)
    assert _in_parallel(200, lambda: store.enter("dpop:n", "a")).count(True) == 1


def test_a_roll_that_was_lost_or_is_not_ours_takes_nothing(
    store: RedisShort, redis_url: str
) -> None:
    client = redis.Redis.from_url(redis_url)
    store.open_roll("dpop:n", 50)
    [own] = client.smembers("dpop:{n}")
    identity = own.partition(b"|")[0]
    for other in (own.replace(identity, b"0123456789abcdef"), own[:-2] + b"x|", b""):
        client.delete("dpop:{n}")
        client.sadd("dpop:{n}", other)
        assert store.enter("dpop:n", "a") is None
    client.flushall()
    assert store.enter("dpop:n", "a") is None


def test_namespaces_are_apart(store: RedisShort) -> None:
    site = store.namespace("issuer")
    site.put("nonce:a", "1", 10)
    assert store.get("nonce:a") is None
    assert store.namespace("wallet").get("nonce:a") is None


def test_every_key_has_a_hash_tag_and_expires(store: RedisShort, redis_url: str) -> None:
    store.put("login:a", "1", 10)
    store.namespace("issuer").put("nonce:a", "1", 10)
    store.count("rate:a", 10)
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    keys = list(client.scan_iter())
    assert sorted(keys) == ["login:{a}", "rate:{a}", "site:{issuer:nonce:a}"]
    assert all(int(client.ttl(key)) > 0 for key in keys)


def test_what_another_primary_wrote_reads_as_absent(store: RedisShort, redis_url: str) -> None:
    """The same octets, but for the identity they begin with."""
    store.put("code:a", "grant", 10)
    client = redis.Redis.from_url(redis_url)
    stored = client.get("code:{a}")
    own = str(client.info("replication")["master_replid"])[:16].encode()
    assert stored.startswith(own + b"|")
    client.set("code:{a}", stored.replace(own, b"0123456789abcdef"), ex=10)
    assert store.get("code:a") is None
    assert store.take("code:a") is None
    assert not store.replace("code:a", "grant", "other")
    assert not store.put_new("code:a", "grant", 10)


def test_two_hundred_takers_one_gets_it(store: RedisShort) -> None:
    store.put("code:a", "grant", 10)
    won = _in_parallel(200, lambda: store.take("code:a", remember_s=60))
    assert sum(1 for taken in won if taken is not None and taken.first) == 1


def test_a_store_that_is_away_raises_the_named_error() -> None:
    away = open_short("redis://127.0.0.1:1/0", timeout_s=0.3)
    for call in (
        lambda: away.get("a:b"),
        lambda: away.put("a:b", "c", 1),
        lambda: away.take("a:b"),
        lambda: away.count("a:b", 1),
        lambda: away.replace("a:b", "c", "d"),
        away.ping,
    ):
        with pytest.raises(OutsideError) as caught:
            call()
        assert caught.value.system == "redis"


def _in_parallel(count: int, work: Callable[[], Any]) -> list[Any]:
    results: list[Any] = []
    barrier = threading.Barrier(min(count, 50))

    def run(times: int) -> None:
        barrier.wait()
        results.extend(work() for _ in range(times))

    threads = [threading.Thread(target=run, args=(count // 50,)) for _ in range(min(count, 50))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
