"""Hostile JWTs wherever one is read over HTTP (A-100, A-101, A-102, A-104, A-105, A-107).

The KB-JWT and the credential are JWTs too: `test_qr.py` spoils those.
"""

import base64
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.attacks.forge import Maker, decode, es256, unb64
from tests.attacks.issuance import Issuance
from tests.provider import Provider
from tests.servers import Canary, canary

pytestmark = pytest.mark.services
API = "/api/v1/events?limit=1"


@pytest.fixture(scope="module")
def listener() -> Iterator[Canary]:
    with canary() as found:
        yield found


@pytest.fixture(scope="module")
def genuine(demo: Provider) -> str:
    return demo.token("gongmu:events")


def signing_key(demo: Provider, kid: str) -> ec.EllipticCurvePublicKey:
    """The provider's public key with that kid, from its JWKS."""
    with demo.client() as client:
        keys = client.get(demo.discovery()["jwks_uri"]).json()["keys"]
    [jwk] = [key for key in keys if key["kid"] == kid]
    x, y = (int.from_bytes(unb64(jwk[name]), "big") for name in "xy")
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


@pytest.fixture(scope="module")
def token_maker(demo: Provider, genuine: str, listener: Canary) -> Maker:
    header, payload = decode(genuine)
    return Maker(
        header,
        payload,
        signing_key(demo, header["kid"]),
        ec.generate_private_key(ec.SECP256R1()),
        listener.url,
    )


def all_forged(maker: Maker, genuine: str) -> list[tuple[str, str]]:
    return [
        *maker.signatures(),
        *maker.headers(),
        *maker.payloads(es256(maker.own)),
        *maker.texts(genuine),
    ]


def refused_at(demo: Provider, path: str, forged: list[tuple[str, str]]) -> None:
    """Each one: 401 invalid_token, no more."""
    with demo.client() as client:
        for name, token in forged:
            answer = client.get(path, headers={"Authorization": f"Bearer {token}".encode()})
            assert answer.status_code == 401, f"{name}: {answer.status_code} {answer.text}"
            assert "invalid_token" in answer.headers["www-authenticate"], name
            assert "no-store" in answer.headers["cache-control"], name
            assert "Traceback" not in answer.text, name


def test_a100_to_a107_access_token_at_the_api(
    demo: Provider, token_maker: Maker, genuine: str, listener: Canary
) -> None:
    refused_at(demo, API, all_forged(token_maker, genuine))
    assert listener.calls == 0
    with demo.client() as client:
        good = client.get(API, headers={"Authorization": f"Bearer {genuine}"})
    assert good.status_code == 200


def test_a100_to_a107_access_token_at_userinfo(
    demo: Provider, token_maker: Maker, genuine: str, listener: Canary
) -> None:
    path = demo.discovery()["userinfo_endpoint"].removeprefix(demo.issuer)
    refused_at(demo, path, all_forged(token_maker, genuine))
    assert listener.calls == 0


def test_a100_each_refused_token_is_one_event(demo: Provider, token_maker: Maker) -> None:
    forged = list(token_maker.signatures())[:5]
    mark = demo.last_event()
    refused_at(demo, API, forged)
    seen = demo.events_after(mark)
    assert [event["reason"] for event in seen] == ["token_invalid"] * 5
    for name, token in forged:
        assert token not in str(seen), name


def test_a100_to_a107_introspection_says_inactive_and_no_more(
    demo: Provider, token_maker: Maker, genuine: str
) -> None:
    path = demo.discovery().get("introspection_endpoint")
    if path is None:
        pytest.skip("discovery names no introspection endpoint")
    lab = demo.relying_parties["lab"]
    with demo.client() as client:
        for name, token in all_forged(token_maker, genuine):
            answer = client.post(
                path, data={"token": token}, auth=(lab["client_id"], lab["client_secret"])
            )
            assert (answer.status_code, answer.json()) == (200, {"active": False}), name


def proof_maker(issuance: Issuance, own: ec.EllipticCurvePrivateKey, url: str) -> Maker:
    header, payload = issuance.proof_parts()
    return Maker(header, payload, issuance.key.public_key(), own, url)


def test_a100_to_a107_proof_of_the_holder_key(demo: Provider, listener: Canary) -> None:
    issuance = Issuance(demo, demo.person(index=7))
    own = ec.generate_private_key(ec.SECP256R1())
    maker = proof_maker(issuance, own, listener.url)
    own_jwk_counts = {"jwk", "jwk without kid"}  # naming one's own key is what a proof does
    forged = [
        *((name, jwt) for name, jwt in maker.signatures()),
        *((name, jwt) for name, jwt in maker.headers() if name not in own_jwk_counts),
        *maker.texts(issuance.proof()),
    ]
    for name, jwt in forged:
        answer = issuance.ask(jwt)
        assert answer.status_code == 400, f"{name}: {answer.status_code} {answer.text}"
        assert answer.json()["error"] in {"invalid_proof", "invalid_nonce"}, name
        assert "credentials" not in answer.json(), name
    assert listener.calls == 0
    assert issuance.ask(issuance.proof()).status_code == 200


def test_a104_a105_claims_of_a_proof_by_the_right_key(demo: Provider) -> None:
    issuance = Issuance(demo, demo.person(index=7))
    names = [name for name, _ in proof_payloads(issuance)]
    for position, name in enumerate(names):
        [jwt] = [jwt for at, (_, jwt) in enumerate(proof_payloads(issuance)) if at == position]
        answer = issuance.ask(jwt)
        assert answer.status_code == 400, f"{name}: {answer.status_code} {answer.text}"
        assert answer.json()["error"] in {"invalid_proof", "invalid_nonce"}, name
    assert issuance.ask(issuance.proof()).status_code == 200


def proof_payloads(issuance: Issuance) -> list[tuple[str, str]]:
    """Made anew each time, since a nonce counts once."""
    maker = proof_maker(issuance, issuance.key, "http://127.0.0.1:9/")
    return list(maker.payloads(es256(issuance.key)))


def test_a100_a_refused_proof_is_one_event_and_changes_nothing(demo: Provider) -> None:
    issuance = Issuance(demo, demo.person(index=7))
    maker = proof_maker(issuance, ec.generate_private_key(ec.SECP256R1()), "http://127.0.0.1:9/")
    mark = demo.last_event()
    assert issuance.ask(dict(maker.signatures())["r and s are zero"]).status_code == 400
    [event] = demo.events_after(mark)
    assert (event["kind"], event["reason"]) == ("mobile_id:issue:refused", "holder_proof")


def test_a171_private_key_in_the_proof(demo: Provider) -> None:
    issuance = Issuance(demo, demo.person(index=7))
    header, payload = issuance.proof_parts()
    number = issuance.key.private_numbers().private_value.to_bytes(32, "big")
    secret = base64.urlsafe_b64encode(number).decode().rstrip("=")
    spoilt = {**header, "jwk": {**header["jwk"], "d": secret}}
    maker = Maker(spoilt, payload, issuance.key.public_key(), issuance.key)
    answer = issuance.ask(maker._make(es256(issuance.key)))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_proof")
