from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from idp_wallet.dcql import choose, read_query
from idp_wallet.encoding import encode
from idp_wallet.faults import NothingToShow, RequestUntrusted
from idp_wallet.keys import public_jwk
from tests.unit.idp_wallet.world import VCT, issue, party

NOW = datetime.now(UTC)


def part(name="id", **changes):
    whole = {"id": name, "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}} | changes
    return {key: value for key, value in whole.items() if value is not None}


def picked(query, *cards):
    return choose(read_query(query), cards, NOW)


def test_only_what_is_asked(card):
    (choice,) = picked({"credentials": [part(claims=[{"path": ["name"]}])]}, card)
    assert choice.names == ("name",)
    assert len(choice.disclosures) == 1


def test_no_claims_asks_for_no_disclosure(card):
    (choice,) = picked({"credentials": [part()]}, card)
    assert (choice.names, choice.disclosures) == ((), ())


def test_the_same_disclosure_is_sent_once(card):
    claims = [{"path": ["name"]}, {"path": ["name"], "id": "b"}]
    (choice,) = picked({"credentials": [part(claims=claims)]}, card)
    assert len(choice.disclosures) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "mso_mdoc"},
        {"meta": {"vct_values": ["urn:other"]}},
        {"meta": None},
        {"claims": [{"path": ["birthdate"]}]},
        {"claims": [{"path": ["name"], "values": ["김철수"]}]},
        {"claims": [{"path": ["name"]}, {"path": ["birthdate"]}]},
        {"trusted_authorities": [{"type": "aki", "values": ["AAAA"]}]},
        {"trusted_authorities": [{"type": "etsi_tl", "values": ["https://list"]}]},
    ],
)
def test_no_card_answers(card, changes):
    with pytest.raises(NothingToShow):
        picked({"credentials": [part(**changes)]}, card)


def test_expired_cards_are_not_shown(card, world):
    old = replace(card, credential=issue(world.issuer, world.base, public_jwk(card.key), exp=1))
    with pytest.raises(NothingToShow):
        picked({"credentials": [part()]}, old)
    later = NOW + timedelta(days=1)
    with pytest.raises(NothingToShow):
        choose(read_query({"credentials": [part()]}), [card], later)


def test_values_are_compared_with_their_type(card, world):
    one = replace(card, credential=issue(world.issuer, world.base, public_jwk(card.key), level=1))
    for value, fits in ((1, True), (True, False), ("1", False)):
        query = {"credentials": [part(claims=[{"path": ["level"], "values": [value]}])]}
        if fits:
            assert picked(query, one)
        else:
            with pytest.raises(NothingToShow):
                picked(query, one)


def test_the_first_claim_set_that_can_be_met(card):
    claims = [{"id": n, "path": [n]} for n in ("birthdate", "rank", "name")]
    query = part(claims=claims, claim_sets=[["birthdate"], ["rank"], ["name"]])
    (choice,) = picked({"credentials": [query]}, card)
    assert choice.names == ("rank",)


def test_trusted_authority_by_key_identifier(card, world):
    from cryptography import x509

    known = world.issuer.root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    values = [encode(known.value.digest)]
    assert picked(
        {"credentials": [part(trusted_authorities=[{"type": "aki", "values": values}])]}, card
    )


def test_the_newest_fitting_card_is_taken_and_each_part_needs_one(card, world):
    other = replace(
        card, credential=issue(party(), world.base, public_jwk(card.key), vct="urn:other")
    )
    two = {"credentials": [part("a"), part("b", meta={"vct_values": ["urn:other"]})]}
    assert [choice.card for choice in picked(two, card, other)] == [card, other]
    with pytest.raises(NothingToShow):
        picked(two, card)


def test_credential_sets(card):
    parts = [part("a", meta={"vct_values": ["urn:none"]}), part("b"), part("c")]

    def ask(*sets):
        return [
            c.query_id for c in picked({"credentials": parts, "credential_sets": list(sets)}, card)
        ]

    assert ask({"options": [["a"], ["b"]]}) == ["b"]
    assert ask({"options": [["b"]]}, {"options": [["c"]], "required": False}) == ["b"]
    with pytest.raises(NothingToShow):
        ask({"options": [["a"], ["a", "b"]]})
    with pytest.raises(NothingToShow):
        ask({"options": [["b"]]}, {"options": [["a"]]})


@pytest.mark.parametrize(
    "query",
    [
        None,
        [],
        {},
        {"credentials": [part(name="a b")]},
        {"credentials": [part(), part()]},
        {"credentials": [part(claims=[])]},
        {"credentials": [part(claims=[{"path": []}])]},
        {"credentials": [part(claims=[{"path": [-1]}])]},
        {"credentials": [part(claims=[{"path": [1.5]}])]},
        {"credentials": [part(claims=[{"path": ["a"], "values": []}])]},
        {"credentials": [part(claims=[{"path": ["a"]}], claim_sets=[["a"]])]},
        {"credentials": [part(claims=[{"id": "a", "path": ["a"]}] * 2)]},
        {"credentials": [part()], "credential_sets": [{"options": [["zzz"]]}]},
        {"credentials": [part()], "credential_sets": []},
        {"credentials": "x"},
    ],
)
def test_a_question_out_of_order_is_refused(query):
    with pytest.raises(RequestUntrusted):
        read_query(query)
