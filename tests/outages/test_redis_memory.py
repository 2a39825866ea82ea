"""A Redis that lost its memory, or part of it, or is two: nothing spent is ever accepted again.

A-063, A-267 to A-269, F-01, F-02.
"""

import time
from collections.abc import Iterator

import pytest

from idp.errors import OutsideError
from idp.store.short import RedisShort, open_short
from tests.outages.journey import CODE, FINISH, POLL, REFRESH, RESPONSE, TOKEN, USERINFO
from tests.outages.redis_pair import SECRET, Pair, pair, sentinels
from tests.outages.stack import Stack

pytestmark = pytest.mark.services


@pytest.mark.parametrize("step", [POLL, RESPONSE, FINISH])
def test_a_flush_in_mid_login_asks_for_a_rescan(whole: Stack, step: str) -> None:
    with whole.journey() as journey:
        journey.until(step)
        whole.redis.flushall()
        assert journey.step(step).status_code == 404


def test_a267_a_spent_code_stays_spent_after_a_flush(whole: Stack) -> None:
    with whole.journey() as journey:
        journey.until(CODE)
        journey.must(CODE)
        journey.must(TOKEN)
        spent = journey.tokens["refresh_token"]
        whole.redis.flushall()
        assert journey.step(TOKEN).json()["error"] == "invalid_grant"
        journey.tokens["refresh_token"] = spent
        assert journey.step(REFRESH).json()["error"] == "invalid_grant"
        assert journey.step(USERINFO).status_code == 200  # the session is in SQL and goes on


def test_a267_the_same_presentation_again_after_a_flush(whole: Stack) -> None:
    with whole.journey() as journey:
        journey.until(RESPONSE)
        journey.must(RESPONSE)
        whole.redis.flushall()
        assert journey.step(RESPONSE).status_code == 404


def test_a267_a_nonce_of_the_issuer_is_gone_after_a_flush(whole: Stack) -> None:
    from tests.attacks.issuance import Issuance

    issuance = Issuance(whole.provider, "E1000003")
    proof = issuance.proof()
    whole.redis.flushall()
    answer = issuance.ask(proof)
    assert answer.status_code in (400, 401), answer.text
    assert "credentials" not in answer.json()


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    with pair() as running:
        yield running


@pytest.fixture
def two(servers: Pair) -> Pair:
    servers.reunite()
    return servers


def opened(address: int) -> RedisShort:
    return open_short(f"redis://127.0.0.1:{address}/0", timeout_s=1, secret=SECRET)


def test_a268_writes_lost_in_a_failover_cannot_be_spent_again(two: Pair) -> None:
    """The code is there on the new primary, as if nobody had taken it: it reads as absent."""
    with two.way() as way:
        store = opened(way.port)
        store.put("code:a", "grant", 60)
        store.put("family:a", "token-1", 60)
        two.wait_for_replica()
        two.detach()  # from here on the replica hears nothing
        taken = store.take("code:a", remember_s=60)
        assert taken is not None
        assert taken.first
        assert store.replace("family:a", "token-1", "token-2")
        two.promote()
        way.target = two.second
        way.cut()
        assert two.replica.get("code:{a}") is not None  # unspent there
        assert store.take("code:a", remember_s=60) is None
        assert store.get("family:a") is None
        assert not store.replace("family:a", "token-1", "token-3")


def test_a269_of_two_primaries_each_refuses_what_the_other_minted(two: Pair) -> None:
    old, new = opened(two.first), opened(two.second)
    old.put("code:before", "grant", 60)
    two.wait_for_replica()
    two.promote()
    old.put("code:a", "grant", 60)
    new.put("code:b", "grant", 60)
    assert new.take("code:a") is None
    assert old.take("code:b") is None
    assert new.take("code:before") is None
    assert old.take("code:before") is not None


def test_a_primary_that_comes_back_does_not_know_its_former_self(two: Pair) -> None:
    """First, second, first again: its process is the same, and so is its run_id."""
    store = opened(two.first)
    store.put("code:a", "grant", 60)
    two.wait_for_replica()
    two.promote()
    two.follow(two.primary, two.second)
    two.promote_first()
    assert two.primary.get("code:{a}") is not None
    assert opened(two.first).take("code:a") is None


def test_a_replica_is_no_store(two: Pair) -> None:
    with pytest.raises(OutsideError, match="NotPrimary"):
        opened(two.second).get("code:a")


def test_one_that_is_demoted_while_connected_is_left(two: Pair) -> None:
    store = opened(two.second)
    two.promote()
    store.put("code:a", "grant", 60)
    two.follow(two.replica, two.first)
    with pytest.raises(OutsideError):
        store.put("code:b", "grant", 60)


def test_sentinel_names_the_primary_and_the_next_one(two: Pair) -> None:
    with sentinels(two) as three:
        store = open_short(three.url, timeout_s=2, secret=SECRET)
        store.put("code:a", "grant", 60)
        assert store.get("code:a") == "grant"
        two.wait_for_replica()
        three.fail_over()
        two.follow(two.primary, two.second)  # what Sentinel does itself ten seconds later
        deadline = time.monotonic() + 5
        while True:
            try:
                store.put("code:b", "grant", 60)
                break
            except OutsideError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert two.replica.get("code:{b}") is not None
        assert store.get("code:b") == "grant"
        assert store.take("code:a") is None
