"""A good presentation, and what it proves."""

import pytest
from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier

from idp.contracts import Identifier, WalletMethod
from idp.errors import ProofDeclined
from idp.events import Reason
from tests.fakes import jws
from tests.fakes.issuer import PERSON
from tests.unit.idp_mobile_id.scene import BASE_URL, FOREIGN, Scene


def test_our_own_mobile_id_is_proved_by_the_register(scene: Scene) -> None:
    proof = scene.complete()
    assert isinstance(scene.method, WalletMethod)
    assert proof.identifier == Identifier(BASE_URL, "20180001")
    assert proof.amr == {"pop"}
    assert proof.means == frozenset()
    assert proof.at == scene.now
    assert proof.credential == "mobile-id-5"
    assert scene.fetched == []


def test_another_issuers_is_proved_by_its_status_list(scene: Scene) -> None:
    proof = scene.complete(scene.answer(scene.present(scene.credential(scene.foreign))))
    assert proof.identifier == Identifier(FOREIGN, "20180001")
    assert proof.credential == ""
    assert scene.fetched == [(scene.foreign.list_uri, "application/statuslist+jwt")]


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
def test_both_content_encryptions_are_taken(scene: Scene, enc: str) -> None:
    assert scene.complete(scene.answer(header={"enc": enc}))


def test_parties_of_the_key_agreement_are_taken_into_account(scene: Scene) -> None:
    parties = {"apu": jws.encode(b"wallet"), "apv": jws.encode(b"verifier")}
    assert scene.complete(scene.answer(header=parties))


def test_a_wallet_may_reveal_more_than_was_asked(scene: Scene) -> None:
    assert scene.complete(scene.answer(scene.present(reveal=list(PERSON))))


def test_an_unencrypted_answer_is_taken_where_the_settings_say_so(tmp_path) -> None:
    scene = Scene(tmp_path, response_mode="direct_post")
    answer = scene.answer()
    assert set(answer) == {"vp_token", "state"}
    assert scene.complete(answer).identifier.number == "20180001"


def test_an_independent_verifier_agrees(scene: Scene) -> None:
    text = scene.present(reveal=["name", "personnel_number"])
    leaf = scene.own.signer.certificate.public_key()
    other = SDJWTVerifier(
        text,
        lambda _issuer, _header: JWK.from_pyca(leaf),
        expected_aud=scene.request["client_id"],
        expected_nonce=scene.request["nonce"],
    ).get_verified_payload()
    assert other["personnel_number"] == scene.complete(scene.answer(text)).identifier.number
    assert other["name"] == PERSON["name"]


def test_the_person_declines(scene: Scene) -> None:
    with pytest.raises(ProofDeclined):
        scene.complete({"error": "access_denied", "state": scene.request["state"]})
    encrypted = scene.answer(
        payload=jws.dump({"error": "access_denied", "state": scene.state["state"]})
    )
    with pytest.raises(ProofDeclined):
        scene.complete(encrypted)


@pytest.mark.parametrize("error", ["invalid_request", "wallet_unavailable", "x" * 1000, ""])
def test_a_wallet_that_cannot_is_not_a_person_who_declines(scene: Scene, error: str) -> None:
    answer = {"error": error, "state": scene.request["state"]}
    assert scene.refused(answer) is Reason.PROOF_QUERY
