"""The status lists: vectors of the draft, A-178, A-183, and how old a list may be."""

import time
import zlib
from typing import Any

import pytest
from joserfc import jws

from idp import cutoff
from idp.contracts import MobileIdState
from idp.errors import OutsideError
from idp_issuer import lists, status_list
from tests.unit.idp_issuer.world import ISSUER, Wallet, World, head, in_parallel, payload, unb64

ONE_BIT = (1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1)
TWO_BITS = (1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3)


def test_vectors_of_the_draft() -> None:
    assert status_list.pack(dict(enumerate(ONE_BIT)), 16, 1) == "eNrbuRgAAhcBXQ"
    assert status_list.pack(dict(enumerate(TWO_BITS)), 12, 2) == "eNo76fITAAPfAgc"
    assert zlib.decompress(unb64("eNrbuRgAAhcBXQ")) == bytes.fromhex("b9a3")
    assert zlib.decompress(unb64("eNo76fITAAPfAgc")) == bytes.fromhex("c944f9")


@pytest.mark.parametrize("values", [{12: 1}, {-1: 1}, {0: 4}, {0: -1}])
def test_what_does_not_fit_is_a_fault_of_ours(values: dict[int, int]) -> None:
    with pytest.raises(ValueError, match="outside"):
        status_list.pack(values, 12, 2)


def test_lists_have_as_many_places_as_the_register_gives_out() -> None:
    assert lists.SIZE == cutoff.STATUS_LIST_SIZE


def get(world: World, path: str = "/status/1", **options: Any) -> Any:
    return world.client().get(path, **options)


def values_of(token: str) -> dict[int, int]:
    """Every place that is not valid."""
    packed = zlib.decompress(unb64(payload(token)["status_list"]["lst"]))
    assert len(packed) == cutoff.STATUS_LIST_SIZE // 4
    return {
        place * 4 + shift: byte >> shift * 2 & 3
        for place, byte in enumerate(packed)
        if byte
        for shift in range(4)
        if byte >> shift * 2 & 3
    }


def test_the_token(world: World) -> None:
    answer = get(world, headers={"Accept": "application/statuslist+jwt"})
    assert answer.status_code == 200
    assert answer.mimetype == "application/statuslist+jwt"
    assert answer.headers["Cache-Control"] == "public, max-age=3"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    token = answer.get_data(as_text=True)
    assert jws.deserialize_compact(token, world.signing_key, algorithms=["ES256"])
    assert head(token)["typ"] == "statuslist+jwt"
    now = int(world.clock().timestamp())
    claims = payload(token)
    assert {name: claims[name] for name in ("sub", "iat", "exp", "ttl")} == {
        "sub": f"{ISSUER}/status/1",
        "iat": now,
        "exp": now + 600,
        "ttl": 60,
    }
    assert claims["status_list"]["bits"] == 2


def test_the_list_follows_the_life_of_a_mobile_id(world: World, wallet: Wallet) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    wallet.receive(offer)
    index = world.cutoff.get(offer.id).status_index
    seen = []
    for state in (MobileIdState.SUSPENDED, MobileIdState.LIVE, MobileIdState.REVOKED):
        world.cutoff.set_state(offer.id, state, "staff-1")
        world.clock.forward(3)
        seen.append(values_of(get(world).get_data(as_text=True)))
    assert seen == [{index: 2}, {}, {index: 1}]


def test_a178_a_list_does_not_tell_how_many_are_in_it(world: World, wallet: Wallet) -> None:
    before = get(world).get_data(as_text=True)
    wallet.receive(world.offers.make_offer("E100", "staff-1"))
    world.clock.forward(3)
    after = get(world).get_data(as_text=True)
    assert payload(before)["status_list"] == payload(after)["status_list"]


@pytest.mark.parametrize(
    "path",
    [
        "/status/2",
        "/status/0",
        "/status/01",
        "/status/-1",
        "/status/1.0",
        "/status/१",
        "/status/x",
        "/status/999999",
        "/status/1000000",
        "/status/" + "9" * 5000,
        "/status/1%00",
        "/status/",
    ],
)
def test_there_is_no_such_list(world: World, path: str) -> None:
    assert get(world, path).status_code == 404


def test_a_form_that_we_do_not_speak(world: World) -> None:
    assert get(world, headers={"Accept": "application/statuslist+cwt"}).status_code == 406
    for accept in (
        "*/*",
        "application/*",
        "application/statuslist+cwt, application/statuslist+jwt",
    ):
        assert get(world, headers={"Accept": accept}).status_code == 200


def test_a_list_is_kept_for_seconds_and_never_longer(
    world: World, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    wallet.receive(offer)
    first = get(world).get_data()
    world.cutoff.set_state(offer.id, MobileIdState.REVOKED, "staff-1")
    world.clock.forward(2.9)
    assert get(world).get_data() == first
    world.clock.forward(0.1)
    assert get(world).get_data() != first
    # With the register away no older list is handed out.
    world.clock.forward(3)

    def away(_number: int) -> Any:
        raise OutsideError("sql", "away")

    monkeypatch.setattr(world.cutoff, "states", away)
    assert get(world).status_code == 503


def test_a_clock_set_back_does_not_keep_a_list_for_ever(world: World) -> None:
    first = get(world).get_data()
    world.clock.forward(-3600)
    assert get(world).get_data() != first


def test_many_requests_make_one_list(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    states = world.cutoff.states

    def counted(number: int) -> Any:
        made.append(number)
        time.sleep(0.05)
        return states(number)

    monkeypatch.setattr(world.cutoff, "states", counted)
    answers = in_parallel(lambda _: get(world).get_data(), 40)
    assert len(set(answers)) == 1
    assert made == [1]


def test_the_lists_kept_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.cutoff, "states", lambda _number: {})
    monkeypatch.setattr(lists, "SIZE", 16)
    kept = lists.StatusLists(world.kit, world.settings)
    for number in range(1, 100):
        kept.token(number)
    assert len(kept._kept) == lists.MAX_KEPT
