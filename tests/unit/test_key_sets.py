"""Keys of a relying party: how long they are believed, when they are fetched, and who waits."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from idp import jws
from idp.errors import OutsideError
from idp.key_sets import FRESH_S, KEPT_S, MAX_SETS, PAUSE_S, KeySets, read_jwks
from idp.relying_parties import RelyingParty

RULES = jws.Rules(frozenset({"ES256"}), frozenset({"jwt"}))
KEYS = {kid: ECKey.generate_key("P-256", {"kid": kid}) for kid in ("a", "b")}


def public(*kids: str) -> bytes:
    return json.dumps({"keys": [KEYS[kid].as_dict(private=False) for kid in kids]}).encode()


def party(name: str = "one") -> RelyingParty:
    return RelyingParty(name, "이름", "Name", jwks_uri=f"https://{name}.example/keys")


def token(kid: str) -> str:
    return jwt.encode({"alg": "ES256", "typ": "JWT", "kid": kid}, {"iss": "one"}, KEYS[kid])


class Host:
    """What the address answers; counts how often it is asked."""

    def __init__(self, answer: bytes | Exception = b"") -> None:
        self.answer = answer
        self.calls = 0
        self.now = 1000.0

    def get(self, _url: str, _accept: str) -> bytes:
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def sets(self) -> KeySets:
        return KeySets(self.get, 8, lambda: self.now)


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(jws.NotGenuine) as caught:
        call()
    return str(caught.value)


def test_fetched_once_while_fresh() -> None:
    host = Host(public("a"))
    sets = host.sets()
    for _ in range(5):
        assert sets.verify(token("a"), party(), RULES) == {"iss": "one"}
    assert host.calls == 1
    host.now += FRESH_S
    sets.verify(token("a"), party(), RULES)
    assert host.calls == 2


def test_registered_keys_are_never_fetched() -> None:
    host = Host(public("b"))
    mine = RelyingParty("one", "이름", "Name", jwks=json.loads(public("a")))
    assert host.sets().verify(token("a"), mine, RULES) == {"iss": "one"}
    assert host.sets().of(RelyingParty("none", "이름", "Name")) == {}
    assert host.calls == 0


def test_a066_a_removed_key_is_dead_within_a_minute() -> None:
    host = Host(public("a", "b"))
    sets = host.sets()
    sets.verify(token("a"), party(), RULES)
    host.answer = public("b")
    host.now += FRESH_S
    assert refused(lambda: sets.verify(token("a"), party(), RULES)) == "unknown kid"
    sets.verify(token("b"), party(), RULES)
    # Who keeps the address from answering keeps a removed key alive for a minute at most.
    host.answer = OutsideError("fetch", "timed out")
    host.now += KEPT_S - 1
    sets.verify(token("b"), party(), RULES)
    host.now += 1
    assert "timed out" in refused(lambda: sets.verify(token("b"), party(), RULES))


def test_a067_a_failure_is_remembered() -> None:
    host = Host(OutsideError("fetch", "timed out"))
    sets = host.sets()
    for _ in range(5):
        assert "timed out" in refused(lambda: sets.verify(token("a"), party(), RULES))
    assert host.calls == 1
    host.answer = public("a")
    host.now += PAUSE_S
    sets.verify(token("a"), party(), RULES)
    assert host.calls == 2


def test_a065_an_unknown_kid_fetches_once_and_not_soon_again() -> None:
    host = Host(public("a"))
    sets = host.sets()
    sets.verify(token("a"), party(), RULES)
    host.answer = public("a", "b")
    for _ in range(5):
        assert refused(lambda: sets.verify(token("b"), party(), RULES)) == "unknown kid"
    assert host.calls == 1
    host.now += PAUSE_S
    sets.verify(token("b"), party(), RULES)
    assert host.calls == 2
    stranger = jwt.encode({"alg": "ES256", "typ": "JWT", "kid": "../../x"}, {}, KEYS["a"])
    for _ in range(20):
        assert refused(lambda: sets.verify(stranger, party(), RULES)) == "unknown kid"
    assert host.calls == 2


def test_a101_no_key_comes_with_the_token() -> None:
    host = Host(public("a"))
    forged = ECKey.generate_key("P-256")
    header = {
        "alg": "ES256",
        "typ": "JWT",
        "kid": "a",
        "jwk": forged.as_dict(private=False),
        "jku": "https://evil.example/keys",
    }
    foreign = jwt.encode(header, {"iss": "one"}, forged)
    assert refused(lambda: host.sets().verify(foreign, party(), RULES)) == "signature"


@pytest.mark.parametrize(
    "octets",
    [
        b"<html></html>",
        b"",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": [1]}',
        b"\xff",
        b"[" * 100_000,
        public("a", "a"),
        json.dumps({"keys": [KEYS["a"].as_dict(private=True)]}).encode(),
        json.dumps({"keys": [OctKey.generate_key(256, {"kid": "o"}).as_dict()]}).encode(),
        json.dumps({"keys": [{"kty": "EC", "kid": "e", "crv": "P-256"}]}).encode(),
        json.dumps({"keys": [{**KEYS["a"].as_dict(private=False), "kid": 7}]}).encode(),
        json.dumps({"keys": json.loads(public("a"))["keys"] * 11}).encode(),
    ],
    ids=lambda octets: f"{len(octets)} octets",  # keys are new in every run
)
def test_a067_what_is_no_set_of_public_keys_is_refused(octets: bytes) -> None:
    with pytest.raises(jws.NotGenuine):
        read_jwks(octets)
    host = Host(octets)
    assert refused(lambda: host.sets().of(party())).startswith("jwks_uri: ")


def test_a_weak_key_is_refused() -> None:
    weak = RSAKey.generate_key(2048, {"kid": "r"}).as_dict(private=False)
    read_jwks(json.dumps({"keys": [weak]}).encode())
    with pytest.raises(jws.NotGenuine):
        read_jwks(json.dumps({"keys": [{**weak, "n": "w" * 171}]}).encode())


class Slow:
    """An address that answers when the test lets it."""

    def __init__(self) -> None:
        self.calls = 0
        self.asked = threading.Event()
        self.go = threading.Event()

    def get(self, url: str, _accept: str) -> bytes:
        if "slow" in url:
            self.calls += 1
            self.asked.set()
            self.go.wait(5)
        return public("a")


def in_threads(count: int, call: Callable[[], Any]) -> tuple[list[threading.Thread], list[str]]:
    told: list[str] = []

    def run() -> None:
        try:
            call()
        except OutsideError:
            told.append("busy")
        except jws.NotGenuine as error:
            told.append(str(error))
        else:
            told.append("good")

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, told


def test_a067_one_slow_party_delays_nobody_else() -> None:
    """Of eight threads two wait for it, one of which fetches; the rest are told to come again."""
    slow = Slow()
    sets = KeySets(slow.get, 8)
    threads, told = in_threads(8, lambda: sets.of(party("slow")))
    assert slow.asked.wait(5)
    end = time.monotonic() + 5
    while len(told) < 6 and time.monotonic() < end:
        time.sleep(0.005)
    assert told == ["busy"] * 6
    begun = time.monotonic()
    assert sets.verify(token("a"), party("other"), RULES)
    assert time.monotonic() - begun < 0.5
    slow.go.set()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["busy"] * 6 + ["good"] * 2
    assert slow.calls == 1
    assert sets._flights == {}


def test_many_slow_parties_hold_half_of_the_threads() -> None:
    slow = Slow()
    sets = KeySets(slow.get, 8)
    names = iter(f"slow{number}" for number in range(8))
    threads, told = in_threads(8, lambda: sets.of(party(next(names))))
    end = time.monotonic() + 5
    while len(told) < 4 and time.monotonic() < end:
        time.sleep(0.005)
    assert told == ["busy"] * 4
    slow.go.set()
    for thread in threads:
        thread.join()


def test_while_one_fetches_anew_others_go_on_with_what_there_is() -> None:
    slow, now = Slow(), [1000.0]
    slow.go.set()
    sets = KeySets(slow.get, 8, lambda: now[0])
    sets.of(party("slow"))
    now[0] += FRESH_S
    slow.go.clear()
    slow.asked.clear()
    [thread], told = in_threads(1, lambda: sets.of(party("slow")))
    assert slow.asked.wait(5)
    begun = time.monotonic()
    assert sets.verify(token("a"), party("slow"), RULES)
    assert time.monotonic() - begun < 0.5
    slow.go.set()
    thread.join()
    assert told == ["good"]


def test_what_is_kept_is_bounded() -> None:
    host = Host(public("a"))
    sets = host.sets()
    for number in range(MAX_SETS + 5):
        sets.of(party(f"p{number}"))
    assert len(sets._kept) == MAX_SETS
