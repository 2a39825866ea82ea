"""Selective disclosure, its vectors and its abuses (RFC 9901 §7.1; A-147, A-148)."""

from typing import Any

import pytest

from idp.errors import ProofRejected
from idp.events import Reason
from idp_mobile_id import sd_jwt
from tests.fakes import jws
from tests.fakes.issuer import PERSON, disclosure
from tests.unit.idp_mobile_id.scene import Scene

# RFC 9901 §4.2.1 to §4.2.3
FAMILY_NAME = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"
FAMILY_NAME_DIGEST = "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"
NATIONALITY = "WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIkZSIl0"
NATIONALITY_DIGEST = "w0I8EKcdCtUPkGCNUrfwVp2xEgNjtoIDlOxc9-PlOhs"


def refused(claims: Any, *disclosures: str) -> Reason:
    with pytest.raises(ProofRejected) as caught:
        sd_jwt.disclose(claims, disclosures)
    return caught.value.reason


def test_the_digests_of_the_rfc() -> None:
    assert sd_jwt.digest(FAMILY_NAME.encode()) == FAMILY_NAME_DIGEST
    assert sd_jwt.digest(NATIONALITY.encode()) == NATIONALITY_DIGEST


def test_the_disclosures_of_the_rfc_come_to_their_places() -> None:
    claims = {
        "_sd_alg": "sha-256",
        "_sd": [FAMILY_NAME_DIGEST, "decoy"],
        "nationalities": ["DE", {"...": NATIONALITY_DIGEST}, {"...": "decoy-of-an-array"}],
    }
    assert sd_jwt.disclose(claims, (FAMILY_NAME, NATIONALITY)) == {
        "family_name": "Möbius",
        "nationalities": ["DE", "FR"],
    }
    assert sd_jwt.disclose(claims, ()) == {"nationalities": ["DE"]}


def test_disclosures_within_disclosures() -> None:
    street = disclosure("s1", "street", "Hanbit-ro")
    address = disclosure("s2", "address", {"city": "Sejong", "_sd": [jws.digest(street)]})
    claims = {"_sd": [jws.digest(address)]}
    both = sd_jwt.disclose(claims, (street, address))
    assert both == {"address": {"city": "Sejong", "street": "Hanbit-ro"}}
    assert sd_jwt.disclose(claims, (address,)) == {"address": {"city": "Sejong"}}
    assert refused(claims, street) is Reason.DISCLOSURE  # its parent is hidden


def test_a147_a_disclosure_that_nothing_refers_to() -> None:
    assert refused({"_sd": ["decoy"]}, FAMILY_NAME) is Reason.DISCLOSURE
    assert refused({}, FAMILY_NAME) is Reason.DISCLOSURE


def test_a147_the_same_digest_or_disclosure_twice() -> None:
    twice = {"_sd": [FAMILY_NAME_DIGEST, FAMILY_NAME_DIGEST]}
    assert refused(twice, FAMILY_NAME) is Reason.DISCLOSURE
    assert refused({"_sd": ["decoy", "decoy"]}) is Reason.DISCLOSURE
    elsewhere = {"_sd": [FAMILY_NAME_DIGEST], "a": {"_sd": [FAMILY_NAME_DIGEST]}}
    assert refused(elsewhere, FAMILY_NAME) is Reason.DISCLOSURE
    assert refused({"_sd": [FAMILY_NAME_DIGEST]}, FAMILY_NAME, FAMILY_NAME) is Reason.DISCLOSURE


@pytest.mark.parametrize(
    "name", ["iss", "nbf", "exp", "iat", "cnf", "vct", "status", "aud", "_sd_alg"]
)
def test_a147_a_disclosure_in_place_of_what_must_be_said_openly(name: str) -> None:
    hidden = disclosure("salt", name, "x")
    assert refused({"_sd": [jws.digest(hidden)]}, hidden) is Reason.DISCLOSURE


@pytest.mark.parametrize("name", ["family_name", "_sd", "..."])
def test_a147_a_disclosure_over_a_claim_or_with_a_reserved_name(name: str) -> None:
    hidden = disclosure("salt", name, "x")
    claims = {"family_name": "Kim", "_sd": [jws.digest(hidden)]}
    assert refused(claims, hidden) is Reason.DISCLOSURE


def test_a147_two_disclosures_of_one_name() -> None:
    first, second = disclosure("1", "name", "A"), disclosure("2", "name", "B")
    claims = {"_sd": [jws.digest(first), jws.digest(second)]}
    assert refused(claims, first, second) is Reason.DISCLOSURE


def test_a147_a_disclosure_of_the_wrong_kind() -> None:
    assert refused({"_sd": [NATIONALITY_DIGEST]}, NATIONALITY) is Reason.DISCLOSURE
    assert refused({"a": [{"...": FAMILY_NAME_DIGEST}]}, FAMILY_NAME) is Reason.DISCLOSURE


@pytest.mark.parametrize(
    "claims",
    [
        {"_sd": "x"},
        {"_sd": {"a": 1}},
        {"_sd": [1]},
        {"_sd": [None]},
        {"_sd": [["x"]]},
        {"a": [{"...": 1}]},
        {"a": [{"...": "x", "b": 1}]},
        {"...": "x"},
        {"a": {"...": "x"}},
        {"a": {"_sd_alg": "sha-256"}},
        {"a": [{"_sd": 1}]},
    ],
)
def test_a147_digests_that_are_none(claims: Any) -> None:
    assert refused(claims) is Reason.DISCLOSURE


@pytest.mark.parametrize(
    "hidden",
    [
        "",
        "%%%",
        FAMILY_NAME + "=",
        FAMILY_NAME[:-1],
        disclosure(b'["salt", "name", "\xff"]'),
        disclosure(b'["salt", "name"'),
        disclosure(b'["salt", "name", NaN]'),
        disclosure(b'["salt", "name", {"a": 1, "a": 2}]'),
        disclosure(b'["salt", "name", "\\ud800"]'),
        disclosure(b"[" * 3000),
        disclosure("salt"),
        disclosure("salt", "name", 1, 2),
        disclosure(1, "name", "x"),
        disclosure("salt", 1, "x"),
        disclosure(b'{"salt": 1}'),
        disclosure(b"[]"),
        disclosure(b'"ab"'),
        disclosure(b'"abc"'),
    ],
)
def test_a147_a_disclosure_that_is_none(hidden: str) -> None:
    assert refused({"_sd": [jws.digest(hidden)]}, hidden) is Reason.DISCLOSURE
    assert refused({"a": [{"...": jws.digest(hidden)}]}, hidden) is Reason.DISCLOSURE


def test_elements_of_an_array_may_be_anything() -> None:
    hidden = disclosure("salt", {"n": 1})
    claims = {"a": [{"...": jws.digest(hidden)}, {"n": 2}]}
    assert sd_jwt.disclose(claims, (hidden,)) == {"a": [{"n": 1}, {"n": 2}]}


def test_a147_disclosures_and_presentations_have_a_largest_size(scene: Scene) -> None:
    person = {**PERSON, **{f"claim{number}": number for number in range(60)}}
    credential = scene.credential(person=person)
    names = list(person)
    assert scene.complete(scene.answer(scene.present(credential, reveal=names[:64])))
    text = scene.present(credential, reveal=names[:65])
    assert scene.refused_presentation(text) is Reason.DISCLOSURE
    with pytest.raises(ProofRejected) as caught:
        sd_jwt.split("~" * sd_jwt.LIMIT + "~")
    assert caught.value.reason is Reason.PROOF_MALFORMED
    with pytest.raises(ProofRejected) as caught:
        sd_jwt.split("a~" + "b" * sd_jwt.LIMIT)
    assert caught.value.reason is Reason.PROOF_MALFORMED


def test_a147_nesting_has_an_end() -> None:
    inner = disclosure("0", "a", 1)
    disclosures = [inner]
    for level in range(40):
        inner = disclosure(str(level + 1), "a", {"_sd": [jws.digest(inner)]})
        disclosures.append(inner)
    assert refused({"_sd": [jws.digest(inner)]}, *disclosures) is Reason.DISCLOSURE


def test_a147_ten_thousand_disclosures(scene: Scene) -> None:
    more = ["AAAA"] * 10_000
    assert scene.refused_presentation(scene.present(more=more)) is Reason.DISCLOSURE


def test_a147_an_unreferenced_disclosure_signed_by_the_holder(scene: Scene) -> None:
    text = scene.present(more=[disclosure("salt", "personnel_number", "20180002")])
    assert scene.refused_presentation(text) is Reason.DISCLOSURE


@pytest.mark.parametrize("algorithm", ["md5", "sha-1", "SHA-256", "sha-512", "", None, ["sha-256"]])
def test_a148_another_hash(scene: Scene, algorithm: Any) -> None:
    assert scene.refused_credential(claims={"_sd_alg": algorithm}) is Reason.DISCLOSURE


def test_a148_no_hash_named_means_sha256(scene: Scene) -> None:
    credential = scene.credential(claims={"_sd_alg": jws.DROP})
    assert scene.complete(scene.answer(scene.present(credential)))
