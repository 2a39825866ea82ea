import json

import pytest

from idp_wallet.encoding import encode
from idp_wallet.keys import new_key, sign
from idp_wallet.sd_jwt import digest, find, parse, present
from tests.unit.idp_wallet.world import PERSON, party, verified


def disclosure(*parts):
    return encode(json.dumps(parts).encode())


def issued(payload, *disclosures):
    jwt = sign("dc+sd-jwt", payload, new_key())
    return "~".join((jwt, *disclosures, ""))


def test_reads_what_an_independent_issuer_wrote(card):
    assert card.sd_jwt.claims() | PERSON == card.sd_jwt.claims()
    assert "_sd_alg" not in card.sd_jwt.claims()


def test_shows_only_what_is_chosen(card, world):
    name = find(card.sd_jwt.root, ("name",))[0]
    text = present(card.sd_jwt, name.disclosures, card.key, {"aud": "a", "nonce": "n", "iat": 1})
    seen = verified(text, world.issuer, "a", "n")
    assert seen["name"] == PERSON["name"]
    assert not (PERSON.keys() - {"name"}) & seen.keys()
    assert len(text.split("~")) == 3


def test_nested_claims_bring_what_lies_above_and_below():
    street = disclosure("s1", "street", "세종대로")
    floor = disclosure("s2", "floor", 3)
    address = disclosure("s3", "address", {"_sd": [digest(street), digest(floor)], "zip": "1"})
    element = disclosure("s4", {"x": 1})
    text = issued(
        {"_sd": [digest(address)], "list": [0, {"...": digest(element)}, {"...": "decoy"}]},
        street,
        floor,
        address,
        element,
    )
    root = parse(text).root
    assert find(root, ("address", "street"))[0].disclosures == (address, street)
    assert set(find(root, ("address",))[0].disclosures) == {address, street, floor}
    assert find(root, ("address", "zip"))[0].disclosures == (address,)
    assert find(root, ("list", 0))[0].disclosures == ()
    assert find(root, ("list", 1, "x"))[0].disclosures == (element,)
    assert [found.node.plain() for found in find(root, ("list", None))] == [0, {"x": 1}]
    for nothing in (("list", 2), ("address", 0), ("name",), ("list", "x"), ("address", None)):
        assert find(root, nothing) == []


A = disclosure("s", "a", 1)
DEEP = [disclosure("s", "d", 1)]
for _ in range(60):
    DEEP.append(disclosure("s", "d", {"_sd": [digest(DEEP[-1])]}))


@pytest.mark.parametrize(
    ("payload", "disclosures"),
    [
        ({"_sd": []}, [A]),  # belongs to nothing
        ({"_sd": [digest(A), digest(A)]}, [A]),
        ({"_sd": [digest(A)], "b": {"_sd": [digest(A)]}}, [A]),
        ({"_sd": [digest(A)]}, [A, A]),
        ({"_sd": [digest(A)], "a": 2}, [A]),  # would cover a signed claim
        ({"_sd": [digest(disclosure("s", "_sd", 1))]}, [disclosure("s", "_sd", 1)]),
        ({"_sd": [digest(disclosure("s", "...", 1))]}, [disclosure("s", "...", 1)]),
        ({"_sd": [digest(disclosure("s", 1))]}, [disclosure("s", 1)]),
        ({"_sd": [digest(disclosure("s", 1, 1))]}, [disclosure("s", 1, 1)]),
        ({"_sd": "x"}, []),
        ({"_sd": [1]}, []),
        ({"a": {"...": "x"}}, []),
        ({"a": [{"...": "x", "b": 1}]}, []),
        ({"_sd_alg": "md5"}, []),
        ({"_sd": ["é"]}, ["é"]),
        ({"_sd": [digest(DEEP[-1])]}, DEEP),
        ({}, [A] * 200),
    ],
)
def test_r040_a_credential_out_of_order_is_refused(payload, disclosures):
    with pytest.raises(ValueError):
        parse(issued(payload, *disclosures))


@pytest.mark.parametrize("text", ["", "~", "a.b.c~", "no", "a.b~", "x" * 300_000 + "~"])
def test_what_is_no_credential(text):
    with pytest.raises(ValueError):
        parse(text)


def test_a_credential_without_tilde_is_not_taken():
    with pytest.raises(ValueError):
        parse(issued({})[:-1])


def test_reissued_cards_share_an_id_and_others_do_not(card, world):
    from dataclasses import replace

    other = party()
    assert replace(card).id == card.id
    assert replace(card, issuer="https://other.go.kr").id != card.id
    assert other.client_id != world.verifier.client_id
