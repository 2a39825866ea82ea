"""What the wallet is asked (VP §5, HAIP §5; R-030, R-037, R-038, A-157, A-163)."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from idp.errors import GongmuError, RequestError
from idp.events import Reason
from tests.fakes import jws
from tests.fakes.certificates import Authority
from tests.fakes.wallet import Link
from tests.unit.idp_mobile_id.scene import BASE_URL, Scene


def test_the_link_says_who_asks_and_where_and_no_more(scene: Scene) -> None:
    uri = f"{BASE_URL}/vp/handle/request?frame=007AbC-_"
    query = scene.method.link_query(uri)
    assert "frame%3D007AbC-_" in query
    assert "%3A%2F%2Flocalhost%3A8000%2Fvp%2Fhandle%2Frequest%3F" in query
    assert Link.of("openid4vp://?" + query) == Link(scene.state["client_id"], uri, "post")
    assert len(query) < 260


def test_the_client_id_is_the_hash_of_the_leaf(scene: Scene) -> None:
    leaf_hash = jws.encode(sha256(scene.verifier.chain[0]).digest())
    assert scene.request["client_id"] == f"x509_hash:{leaf_hash}"


def test_the_request_is_what_haip_asks_for(scene: Scene) -> None:
    token = scene.method.request_object(scene.attempt, scene.state, {})
    header = jws.header_of(token)
    assert header["typ"] == "oauth-authz-req+jwt"
    request = scene.request
    identifier = scene.own.root.certificate.extensions.get_extension_for_class(
        x509.SubjectKeyIdentifier
    ).value.digest
    assert request["response_mode"] == "direct_post.jwt"
    assert request["response_uri"] == scene.attempt.response_uri
    assert request["nonce"] == scene.attempt.nonce
    assert request["exp"] == int(scene.attempt.expires_at.timestamp())
    assert "redirect_uri" not in request
    assert "scope" not in request
    (asked,) = request["dcql_query"]["credentials"]
    authorities = asked.pop("trusted_authorities")
    assert asked == {
        "id": "mobile_id",
        "format": "dc+sd-jwt",
        "meta": {"vct_values": ["urn:gongmu:credential:mobile-id:1"]},
        "claims": [{"path": ["personnel_number"]}],
    }
    assert authorities[0]["type"] == "aki"
    assert authorities[0]["values"][0] == jws.encode(identifier)
    assert len(authorities[0]["values"]) == 2  # the foreign issuer's root as well
    metadata = request["client_metadata"]
    assert metadata["encrypted_response_enc_values_supported"] == ["A128GCM", "A256GCM"]
    assert metadata["vp_formats_supported"] == {
        "dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]}
    }
    (key,) = metadata["jwks"]["keys"]
    assert {key["kty"], key["crv"], key["alg"], key["use"]} == {"EC", "P-256", "ECDH-ES", "enc"}
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}  # never "d"


def test_r037_the_same_request_can_be_fetched_again(scene: Scene) -> None:
    assert scene.read_request() == scene.read_request()
    first, second = scene.read_request(wallet_nonce="a"), scene.read_request(wallet_nonce="b")
    assert (first.pop("wallet_nonce"), second.pop("wallet_nonce")) == ("a", "b")
    assert first == second == scene.request


def test_r030_r038_state_and_key_are_new_for_each_request(scene: Scene) -> None:
    states = [scene.method.begin(scene.attempt).state for _ in range(50)]
    assert len({state["state"] for state in states}) == 50
    assert len({state["key"]["d"] for state in states}) == 50
    assert all(len(jws.decode(state["state"])) >= 16 for state in states)


def test_nothing_of_the_state_goes_to_the_page(scene: Scene) -> None:
    assert scene.method.begin(scene.attempt).page == {}


def test_a157_metadata_of_real_wallets_is_taken_and_ignored(scene: Scene) -> None:
    wallet = {"wallet_metadata": '{"vp_formats_supported": {}}', "vp_formats_supported": "{}"}
    token = scene.method.request_object(scene.attempt, scene.state, wallet)
    assert "wallet_nonce" not in jws.claims_of(token)
    assert jws.claims_of(token) == scene.request


@pytest.mark.parametrize(
    "wallet",
    [
        {"wallet_metadata": "x" * 1_000_000},
        {"wallet_metadata": {"a": 1}},
        {"wallet_nonce": "x" * 513},
        {"wallet_nonce": "with space"},
        {"wallet_nonce": "line\nbreak"},
        {"wallet_nonce": "nonce\n"},
        {"wallet_nonce": "한글"},
        {"wallet_nonce": ["x"]},
        {"wallet_nonce": 1},
    ],
)
def test_a157_a_wallets_own_fields_are_bounded(scene: Scene, wallet: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as caught:
        scene.method.request_object(scene.attempt, scene.state, wallet)
    assert caught.value.code == "invalid_request"


def test_a163_nothing_that_a_wallet_sends_changes_the_query(scene: Scene) -> None:
    wallet = {"dcql_query": "{}", "nonce": "mine", "response_uri": "https://evil.example"}
    token = scene.method.request_object(scene.attempt, scene.state, wallet)
    assert jws.claims_of(token) == scene.request


def test_an_unencrypted_request_offers_no_key(tmp_path: Path) -> None:
    scene = Scene(tmp_path, response_mode="direct_post")
    assert scene.state["encrypted"] is False
    assert set(scene.request["client_metadata"]) == {"vp_formats_supported"}


def test_the_dns_name_as_client_id(tmp_path: Path) -> None:
    scene = Scene(tmp_path, client_id_prefix="x509_san_dns")
    assert scene.request["client_id"] == "x509_san_dns:localhost"
    assert scene.complete()


def test_the_dns_name_must_be_in_the_certificate(scene: Scene) -> None:
    scene.verifier = scene.verifier_root.leaf(BASE_URL, hosts=("other.example",))
    method = scene.open(client_id_prefix="x509_san_dns")
    with pytest.raises(GongmuError) as caught:
        method.begin(scene.attempt)
    assert caught.value.reason is Reason.CONFIGURATION


def test_a_renewed_certificate_does_not_disturb_a_login_that_has_begun(scene: Scene) -> None:
    answer = scene.answer()
    scene.verifier = scene.verifier_root.leaf(BASE_URL, hosts=("localhost",))
    assert scene.method.begin(scene.attempt).state["client_id"] != scene.state["client_id"]
    assert scene.complete(answer)


def test_roots_that_come_and_go_are_asked_for_each_time(scene: Scene) -> None:
    other = Authority.root("New root")
    scene.kit = replace(scene.kit, trust_anchors=lambda _use: (other.der,))
    scene.method = scene.open()
    values = scene.read_request()["dcql_query"]["credentials"][0]["trusted_authorities"]
    assert values != scene.request["dcql_query"]["credentials"][0]["trusted_authorities"]
