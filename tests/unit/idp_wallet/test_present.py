import json
from datetime import UTC, datetime

import pytest
from joserfc import jwe, jws

from idp_wallet.dcql import choose
from idp_wallet.faults import AnswerRefused, RequestUntrusted
from idp_wallet.links import read_link
from idp_wallet.present import make_answer, make_refusal, send
from idp_wallet.request import fetch_request, verify_request
from tests.unit.idp_wallet.world import PERSON, decrypted, verified

NOW = datetime.now(UTC)
WALLET_NONCE = "wallet-nonce-0123456789"


def asked(web, world):
    link = read_link(world.present_link)
    text = fetch_request(web, link, WALLET_NONCE)
    return verify_request(text, link, WALLET_NONCE, (world.verifier.root,), datetime.now(UTC))


def answered(web, world, card):
    request = asked(web, world)
    form = make_answer(request, choose(request.query, [card], NOW), NOW)
    return send(web, request, form)


def test_an_encrypted_answer(web, world, card):
    address = answered(web, world, card)
    assert address == f"{world.base}/vp/1/return?response_code=abc"
    assert list(world.seen["response"]) == ["response"]
    token = world.seen["response"]["response"]
    header = jwe.decrypt_compact(token, world.encryption).headers()
    assert (header["alg"], header["enc"]) == ("ECDH-ES", "A256GCM")
    assert header["kid"] == world.encryption.kid
    answer = decrypted(token, world.encryption)
    assert answer["state"] == "state-of-this-login-0123"
    (presentation,) = answer["vp_token"]["mobile_id"]
    seen = verified(presentation, world.issuer, world.verifier.client_id, world.nonce)
    assert (seen["name"], seen["personnel_number"]) == (PERSON["name"], PERSON["personnel_number"])
    assert "portrait" not in seen
    binding = jws.extract_compact(presentation.rsplit("~", 1)[1].encode())
    assert binding.protected["typ"] == "kb+jwt"
    assert abs(json.loads(binding.payload)["iat"] - NOW.timestamp()) < 5


def test_a_plain_answer(web, world, card):
    world.request = {"response_mode": "direct_post", "state": None}
    answered(web, world, card)
    form = world.seen["response"]
    assert set(form) == {"vp_token"}
    assert verified(
        json.loads(form["vp_token"])["mobile_id"][0],
        world.issuer,
        world.verifier.client_id,
        world.nonce,
    )


def test_saying_no(web, world):
    request = asked(web, world)
    send(web, request, make_refusal(request))
    answer = decrypted(world.seen["response"]["response"], world.encryption)
    assert answer == {"error": "access_denied", "state": "state-of-this-login-0123"}


def test_a_redirect_is_not_followed(web, world, card):
    world.answer = (302, {})
    with pytest.raises(AnswerRefused):
        answered(web, world, card)
    assert "elsewhere" not in world.seen


def test_the_verifier_says_no(web, world, card):
    world.answer = (400, {"error": "invalid_presentation"})
    with pytest.raises(AnswerRefused, match="did not accept"):
        answered(web, world, card)


@pytest.mark.parametrize("address", ["http://evil.go.kr/x", "javascript:alert(1)", 7, ["x"]])
def test_an_unsafe_way_back(web, world, card, address):
    world.answer = (200, {"redirect_uri": address})
    with pytest.raises(AnswerRefused, match="not safe"):
        answered(web, world, card)


def test_no_way_back_is_fine(web, world, card):
    world.answer = (200, {"other": 1})
    assert answered(web, world, card) == ""
    world.answer = (200, {"redirect_uri": "https://id.go.kr/x#response_code=1"})
    assert answered(web, world, card) == "https://id.go.kr/x#response_code=1"


def test_a_key_off_the_curve(web, world, card):
    metadata = world.request_claims(None)["client_metadata"]
    metadata["jwks"]["keys"][0]["y"] = metadata["jwks"]["keys"][0]["x"]
    world.request = {"client_metadata": metadata}
    with pytest.raises(RequestUntrusted):
        answered(web, world, card)
