"""The status list that the browser cannot check: every rule by one spoilt token (draft-21 §8.3)."""

import zlib
from datetime import UTC, datetime, timedelta

import pytest

from idp_wallet.encoding import encode
from idp_wallet.faults import StatusUnknown
from idp_wallet.status import MAX_AGE_S, MAX_ENTRIES, verify_status
from tests.unit.idp_wallet.world import Party, party

URI = "https://id.go.kr/status/1"
NOW = datetime.now(UTC)
SECONDS = int(NOW.timestamp())
LST = encode(zlib.compress(bytes(64)))


@pytest.fixture(scope="module")
def issuer() -> Party:
    return party("Issuing body", dns="id.go.kr")


def claims(**changes):
    good = {
        "sub": URI,
        "iat": SECONDS,
        "exp": SECONDS + 600,
        "ttl": 60,
        "status_list": {"bits": 2, "lst": LST},
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def read(issuer, text=None, *, roots=None, uri=URI, now=NOW, header=None, **changes):
    if text is None:
        text = issuer.sign(claims(**changes), **({"typ": "statuslist+jwt"} | (header or {})))
    return verify_status(text, uri, (issuer.root,) if roots is None else roots, now)


def test_a_good_list_is_handed_on_as_it_is(issuer):
    found = read(issuer)
    assert (found.bits, found.lst) == (2, LST)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_every_width_of_the_draft(issuer, bits):
    assert read(issuer, status_list={"bits": bits, "lst": LST}).bits == bits


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": f"{URI}0"},
        {"sub": None},
        {"iat": None},
        {"iat": True},
        {"iat": "1"},
        {"iat": SECONDS + 120},
        {"exp": SECONDS},
        {"exp": "never"},
        {"iat": SECONDS - MAX_AGE_S, "exp": None},
        {"status_list": None},
        {"status_list": []},
        {"status_list": {"bits": 3, "lst": LST}},
        {"status_list": {"bits": True, "lst": LST}},
        {"status_list": {"bits": 2, "lst": 7}},
        {"status_list": {"bits": 2, "lst": "A==="}},
        {"status_list": {"bits": 2, "lst": encode(b"not zlib")}},
        {"status_list": {"bits": 2, "lst": encode(zlib.compress(bytes(64))[:-4])}},
        {"status_list": {"bits": 2, "lst": encode(zlib.compress(bytes(64)) + b"more")}},
        {"status_list": {"bits": 2, "lst": encode(zlib.compress(bytes(MAX_ENTRIES + 1)))}},
        {"header": {"typ": "JWT"}},
        {"header": {"alg": "ES512"}},
        {"header": {"x5c": None}},
        {"header": {"crit": ["b64"]}},
        {"uri": "https://other.go.kr/status/1", "sub": "https://other.go.kr/status/1"},
        {"uri": "http://[", "sub": "http://["},
        {"roots": ()},
        {"now": NOW + timedelta(hours=1)},
    ],
)
def test_a_list_out_of_order_says_nothing(issuer, changes):
    with pytest.raises(StatusUnknown):
        read(issuer, **changes)


def test_a_list_under_another_root_says_nothing(issuer):
    with pytest.raises(StatusUnknown):
        read(party("Stranger", dns="id.go.kr"), roots=(issuer.root,))


def test_a_changed_list_says_nothing(issuer):
    head, _, signature = issuer.sign(claims(), typ="statuslist+jwt").split(".")
    other = issuer.sign(claims(exp=SECONDS + 601), typ="statuslist+jwt").split(".")[1]
    with pytest.raises(StatusUnknown):
        read(issuer, f"{head}.{other}.{signature}")


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é.é.é", "." * 3])
def test_what_is_no_token_says_nothing(issuer, text):
    with pytest.raises(StatusUnknown):
        read(issuer, text)
