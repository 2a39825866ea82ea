"""Revoked, suspended, or not to be found out: no sign-in (A-152, R-083)."""

import threading
import zlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from idp.contracts import MobileIdState, Status
from idp.errors import ProofRejected
from idp.events import Reason
from idp_mobile_id.status import StatusList, _inflate, read_reference
from tests.fakes import jws
from tests.fakes.certificates import Authority, new_key
from tests.fakes.issuer import pack
from tests.unit.idp_mobile_id.scene import BASE_URL, FOREIGN, Scene


def foreign(scene: Scene, **claims: Any) -> dict[str, str]:
    return scene.answer(scene.present(scene.credential(scene.foreign, claims=claims)))


def serve(scene: Scene, *arguments: Any, **spoilt: Any) -> None:
    scene.served[scene.foreign.list_uri] = scene.foreign.status_list(
        scene.now, *arguments, **spoilt
    )


def refused(scene: Scene, **claims: Any) -> Reason:
    return scene.refused(foreign(scene, **claims))


# --- vectors of the draft (§4.1) ------------------------------------------------------------------


def test_the_one_bit_vector() -> None:
    bits, entries = _inflate({"bits": 1, "lst": "eNrbuRgAAhcBXQ"})
    assert entries == b"\xb9\xa3"
    values = [StatusList(bits, entries, 0).value(index) for index in range(16)]
    assert values == [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]


def test_the_two_bit_vector() -> None:
    bits, entries = _inflate({"bits": 2, "lst": "eNo76fITAAPfAgc"})
    assert entries == b"\xc9\x44\xf9"
    values = [StatusList(bits, entries, 0).value(index) for index in range(12)]
    assert values == [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]


@pytest.mark.parametrize("bits", [4, 8])
def test_wider_entries(bits: int) -> None:
    found, entries = _inflate({"bits": bits, "lst": pack({3: 9, 4: 1}, bits, 16)})
    assert [StatusList(found, entries, 0).value(i) for i in (2, 3, 4)] == [0, 9, 1]


# --- our own register -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (MobileIdState.SUSPENDED, Reason.STATUS_SUSPENDED),
        (MobileIdState.REVOKED, Reason.STATUS_REVOKED),
        (MobileIdState.OFFERED, Reason.STATUS_LIST),
    ],
)
def test_a152_our_register_says_no(scene: Scene, state: MobileIdState, reason: Reason) -> None:
    scene.register[scene.own.list_uri, 5] = Status(state, "mobile-id-5")
    assert scene.refused(scene.answer()) is reason


def test_a152_our_register_knows_nothing_of_it(scene: Scene) -> None:
    scene.register.clear()
    assert scene.refused(scene.answer()) is Reason.STATUS_LIST
    assert scene.fetched == []  # we never ask ourselves over the network


def test_a152_nobody_borrows_another_ones_good_status(scene: Scene) -> None:
    ours = {"status_list": {"idx": 5, "uri": scene.own.list_uri}}
    assert refused(scene, status=ours) is Reason.STATUS_LIST
    theirs = {"status_list": {"idx": 5, "uri": scene.foreign.list_uri}}
    assert scene.refused_credential(claims={"status": theirs}) is Reason.STATUS_LIST
    assert scene.fetched == []


def test_status_is_asked_last(scene: Scene) -> None:
    credential = scene.credential(scene.foreign)
    text = scene.present(credential, key=new_key())
    assert scene.refused_presentation(text) is Reason.HOLDER_BINDING
    assert scene.fetched == []


# --- the reference --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [jws.DROP, None, {}, [], "x", {"status_list": None}, {"x": {}}])
def test_a151_no_status(scene: Scene, status: Any) -> None:
    assert scene.refused_credential(claims={"status": status}) is Reason.STATUS_MISSING


def test_a_policy_may_take_credentials_without_status(tmp_path: Path) -> None:
    scene = Scene(tmp_path, require_status=False)
    assert scene.complete(foreign(scene, status=jws.DROP)).credential == ""
    # One that names a status is held to it all the same.
    serve(scene, {5: 1})
    assert refused(scene) is Reason.STATUS_REVOKED
    assert refused(scene, status=None) is Reason.STATUS_MISSING


@pytest.mark.parametrize("index", [-1, 2**32, True, 1.0, "5", None])
def test_a152_an_index_that_is_none(scene: Scene, index: Any) -> None:
    status = {"status_list": {"idx": index, "uri": scene.foreign.list_uri}}
    assert refused(scene, status=status) is Reason.STATUS_LIST


@pytest.mark.parametrize(
    "uri",
    [
        "",
        None,
        1,
        "https://a/" + "x" * 2048,
        "ftp://a/1",
        "https://한글",
        "file:///etc/passwd",
        "http://[",
        "https://",
        "x",
    ],
)
def test_a152_an_address_that_is_none(uri: Any) -> None:
    with pytest.raises(ProofRejected) as caught:
        read_reference({"status_list": {"idx": 1, "uri": uri}})
    assert caught.value.reason is Reason.STATUS_LIST


# --- somebody else's list ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason"),
    [(1, Reason.STATUS_REVOKED), (2, Reason.STATUS_SUSPENDED), (3, Reason.STATUS_LIST)],
)
def test_a152_the_list_says_no(scene: Scene, value: int, reason: Reason) -> None:
    serve(scene, {5: value})
    assert refused(scene) is reason


def test_a152_the_neighbours_status_is_not_ours(scene: Scene) -> None:
    serve(scene, {4: 1, 6: 2})
    assert scene.complete(foreign(scene))


def test_a152_an_index_beyond_the_list(scene: Scene) -> None:
    for index in (64, 65, 2**31):
        status = {"status_list": {"idx": index, "uri": scene.foreign.list_uri}}
        assert refused(scene, status=status) is Reason.STATUS_LIST
    last = {"status_list": {"idx": 63, "uri": scene.foreign.list_uri}}
    assert scene.complete(foreign(scene, status=last))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "https://issuer.example/lists/8"},
        {"sub": jws.DROP},
        {"iat": jws.DROP},
        {"iat": "1"},
        {"iat": 2**39},
        {"exp": 1},
        {"exp": "1"},
        {"exp": True},
        {"ttl": 0},
        {"ttl": -1},
        {"ttl": "60"},
        {"status_list": jws.DROP},
        {"status_list": []},
        {"status_list": {"bits": 3, "lst": pack({}, 1, 64)}},
        {"status_list": {"bits": True, "lst": pack({}, 1, 64)}},
        {"status_list": {"bits": "1", "lst": pack({}, 1, 64)}},
        {"status_list": {"bits": 1}},
        {"status_list": {"bits": 1, "lst": 1}},
        {"status_list": {"bits": 1, "lst": "%%"}},
        {"status_list": {"bits": 1, "lst": ""}},
        {"status_list": {"bits": 1, "lst": jws.encode(b"rubbish")}},
        {"status_list": {"bits": 1, "lst": jws.encode(zlib.compress(bytes(64))[:-5])}},
        {"status_list": {"bits": 1, "lst": jws.encode(zlib.compress(bytes(64)) + b"more")}},
        {"status_list": {"bits": 1, "lst": jws.encode(zlib.compress(bytes(64), wbits=-15))}},
    ],
)
def test_a152_a_list_with_one_wrong_claim(scene: Scene, claims: Any) -> None:
    serve(scene, claims=claims)
    assert refused(scene) is Reason.STATUS_LIST


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": jws.DROP},
        {"alg": "none"},
        {"alg": "HS256"},
        {"x5c": jws.DROP},
        {"x5c": []},
        {"jku": "https://canary.example/"},
    ],
)
def test_a152_a_list_with_a_wrong_header(scene: Scene, header: Any) -> None:
    serve(scene, header=header)
    assert refused(scene) is Reason.STATUS_LIST


def test_a152_a_list_signed_by_another(scene: Scene) -> None:
    stranger = Authority.root().leaf(FOREIGN)
    spoilt: list[dict[str, Any]] = [
        {"key": new_key()},
        {"key": None},
        {"signer": stranger},
        {"signer": scene.own.signer},
        {"signer": scene.foreign.root.leaf("https://someone.example", hosts=("else.example",))},
    ]
    for wrong in spoilt:
        serve(scene, **wrong)
        assert refused(scene) is Reason.STATUS_LIST


def test_a_list_may_be_signed_by_its_host_under_the_issuers_root(scene: Scene) -> None:
    uri = "https://status.example/1"
    signer = scene.foreign.root.leaf(hosts=("status.example",))
    elsewhere = replace(scene.foreign, list_uri=uri)
    scene.served[uri] = elsewhere.status_list(scene.now, signer=signer)
    assert scene.complete(scene.answer(scene.present(scene.credential(elsewhere))))


@pytest.mark.parametrize("token", [b"", b"x", b"\xff", b"a.b.c", b"<html>", b"." * 1_000_000])
def test_a152_something_that_is_no_list(scene: Scene, token: bytes) -> None:
    scene.served[scene.foreign.list_uri] = token
    assert refused(scene) is Reason.STATUS_LIST


def test_a152_a_list_that_inflates_without_end(scene: Scene) -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join([*(packer.compress(bytes(2**20)) for _ in range(16)), packer.flush()])
    serve(scene, claims={"status_list": {"bits": 1, "lst": jws.encode(bomb)}})
    assert refused(scene) is Reason.STATUS_LIST


def test_a152_the_list_cannot_be_had(scene: Scene) -> None:
    scene.served.clear()
    assert refused(scene) is Reason.STATUS_UNAVAILABLE
    assert refused(scene) is Reason.STATUS_UNAVAILABLE
    assert len(scene.fetched) == 1  # a server that is down is not asked by every sign-in
    scene.now += timedelta(seconds=5)
    serve(scene)
    assert scene.complete(foreign(scene))


# --- how long a list is kept ------------------------------------------------------------------------


def test_a152_a_list_is_kept_for_its_ttl_and_no_longer(scene: Scene) -> None:
    assert scene.complete(foreign(scene))
    scene.served.clear()
    scene.now += timedelta(seconds=59)
    assert scene.complete(foreign(scene))
    assert len(scene.fetched) == 1
    scene.now += timedelta(seconds=1)
    assert refused(scene) is Reason.STATUS_UNAVAILABLE


@pytest.mark.parametrize(
    ("claims", "kept_s"),
    [
        ({"ttl": 10**9}, 300),
        ({"ttl": jws.DROP}, 60),
        ({"ttl": jws.DROP, "exp": jws.DROP}, 60),
        ({"ttl": 10}, 10),
    ],
)
def test_a_ttl_has_bounds(scene: Scene, claims: Any, kept_s: int) -> None:
    serve(scene, claims=claims)
    assert scene.complete(foreign(scene))
    scene.now += timedelta(seconds=kept_s - 1)
    assert scene.complete(foreign(scene))
    assert len(scene.fetched) == 1
    scene.now += timedelta(seconds=1)
    assert scene.complete(foreign(scene))
    assert len(scene.fetched) == 2


def test_a_list_is_not_kept_beyond_its_own_end(scene: Scene) -> None:
    serve(scene, claims={"exp": int(scene.now.timestamp()) + 20})
    assert scene.complete(foreign(scene))
    scene.now += timedelta(seconds=20)
    assert refused(scene) is Reason.STATUS_LIST


def test_f17_a_list_rolled_back(scene: Scene) -> None:
    old = scene.served[scene.foreign.list_uri]
    scene.now += timedelta(seconds=10)
    serve(scene, {5: 1})
    assert refused(scene) is Reason.STATUS_REVOKED
    scene.now += timedelta(seconds=60)
    scene.served[scene.foreign.list_uri] = old
    assert refused(scene) is Reason.STATUS_LIST
    scene.served.clear()
    assert refused(scene) is Reason.STATUS_UNAVAILABLE
    scene.now += timedelta(seconds=5)
    scene.served[scene.foreign.list_uri] = old
    assert refused(scene) is Reason.STATUS_LIST


def test_many_sign_ins_at_once_fetch_a_list_once(scene: Scene) -> None:
    answers = [foreign(scene) for _ in range(8)]
    start = threading.Barrier(8)
    proofs = []

    def sign_in(answer: dict[str, str]) -> None:
        start.wait()
        proofs.append(scene.complete(answer))

    threads = [threading.Thread(target=sign_in, args=(answer,)) for answer in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(proofs) == 8
    assert len(scene.fetched) == 1


def test_lists_kept_are_bounded(scene: Scene) -> None:
    for number in range(70):
        uri = f"https://issuer.example/lists/{number}"
        issuer = replace(scene.foreign, list_uri=uri)
        scene.served[uri] = issuer.status_list(scene.now)
        assert scene.complete(scene.answer(scene.present(scene.credential(issuer))))
    assert len(scene.method._verifier.statuses._lists) <= 64


def test_the_issuer_is_ours_only_by_its_whole_name(scene: Scene) -> None:
    assert scene.own.issuer == BASE_URL
    near = {"status_list": {"idx": 5, "uri": f"{BASE_URL}.evil.example/status/1"}}
    assert scene.refused_credential(claims={"status": near}) is Reason.STATUS_LIST
