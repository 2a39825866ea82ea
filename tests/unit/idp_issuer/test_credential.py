"""A-170, A-171, A-173, A-174, A-177 and the rules of the credential endpoint (VCI 1.0 §8)."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from idp.contracts import MobileIdState, State
from idp.events import Reason
from tests.unit.idp_issuer.world import HONG, Wallet, World, in_parallel


def error_of(answer: Any) -> tuple[int, str]:
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.get_json()["error"]


@pytest.fixture
def offer(world: World) -> Any:
    return world.offers.make_offer("E100", "staff-1")


@pytest.fixture
def token(wallet: Wallet, offer: Any) -> str:
    return wallet.token(offer)


def test_answer_is_not_kept(wallet: Wallet, token: str) -> None:
    answer = wallet.request(token, wallet.proof(wallet.nonce()))
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.mimetype == "application/json"
    assert set(answer.get_json()) == {"credentials"}


# --- the access token ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer unknown"},
        {"Authorization": "Bearer " + "x" * 300},
        {"Authorization": "Basic eDp5"},
        {"Authorization": "DPoP {token}"},
        {"Authorization": "Bearer {token} "},
        {"Authorization": "Bearer  {token}"},
        {"Authorization": "Bearer {token}, Bearer {token}"},
        [("Authorization", "Bearer {token}"), ("Authorization", "Bearer {token}")],
        {"Authorization": "Bearer 토큰"},
    ],
)
def test_a174_no_token_of_ours(wallet: Wallet, token: str, headers: Any) -> None:
    pairs = headers.items() if isinstance(headers, dict) else headers
    filled = [(name, value.replace("{token}", token)) for name, value in pairs]
    body = {
        "credential_configuration_id": "mobile-id",
        "proofs": {"jwt": [wallet.proof(wallet.nonce())]},
    }
    answer = wallet.client.post("/issuer/credential", json=body, headers=filled)
    assert error_of(answer) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert wallet.request(token, wallet.proof(wallet.nonce())).status_code == 200


@pytest.mark.parametrize("with_header", [True, False])
@pytest.mark.parametrize("name", ["access_token", "access%5Ftoken"])
def test_a174_token_in_the_query(
    wallet: Wallet, token: str, name: str, *, with_header: bool
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if with_header else {}
    body = {
        "credential_configuration_id": "mobile-id",
        "proofs": {"jwt": [wallet.proof(wallet.nonce())]},
    }
    answer = wallet.client.post(f"/issuer/credential?{name}={token}", json=body, headers=headers)
    assert error_of(answer) == (401, "invalid_token")


def test_a174_token_in_the_body(wallet: Wallet, token: str) -> None:
    answer = wallet.client.post("/issuer/credential", data={"access_token": token})
    assert error_of(answer) == (401, "invalid_token")


def test_the_scheme_may_be_written_anyhow(wallet: Wallet, token: str) -> None:
    body = {
        "credential_configuration_id": "mobile-id",
        "proofs": {"jwt": [wallet.proof(wallet.nonce())]},
    }
    headers = {"Authorization": f"BEARER {token}"}
    assert wallet.client.post("/issuer/credential", json=body, headers=headers).status_code == 200


def test_token_lives_300_seconds(world: World, wallet: Wallet, token: str) -> None:
    world.clock.forward(300)
    answer = wallet.request(token, wallet.proof(wallet.nonce()))
    assert error_of(answer) == (401, "invalid_token")


def test_a_token_issues_once(world: World, wallet: Wallet, token: str) -> None:
    assert wallet.request(token, wallet.proof(wallet.nonce())).status_code == 200
    answer = wallet.request(token, wallet.proof(wallet.nonce()))
    assert error_of(answer) == (401, "invalid_token")
    assert len(world.cutoff.all()) == 1


def test_a_token_issues_once_however_many_ask_at_once(
    world: World, wallet: Wallet, token: str
) -> None:
    proofs = [wallet.proof(wallet.nonce()) for _ in range(24)]

    def ask(number: int) -> Any:
        body = {"credential_configuration_id": "mobile-id", "proofs": {"jwt": [proofs[number]]}}
        headers = {"Authorization": f"Bearer {token}"}
        return world.client().post("/issuer/credential", json=body, headers=headers)

    answers = in_parallel(ask, 24)
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 200
    assert set(codes[1:]) <= {400, 401}  # beside the one that gets it, or after it
    errors = {answer.get_json().get("error") for answer in answers}
    assert errors <= {None, "credential_request_denied", "invalid_token"}
    assert [one.state for one in world.cutoff.all()] == [MobileIdState.LIVE]


# --- the request --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"credential_configuration_id": None}, "invalid_credential_request"),
        ({"credential_configuration_id": 7}, "invalid_credential_request"),
        ({"credential_configuration_id": ["mobile-id"]}, "invalid_credential_request"),
        ({"credential_identifier": "mobile-id"}, "invalid_credential_request"),
        ({"credential_configuration_id": "other"}, "unknown_credential_configuration"),
        ({"credential_configuration_id": ""}, "unknown_credential_configuration"),
        (
            {"credential_configuration_id": None, "credential_identifier": "mobile-id"},
            "unknown_credential_identifier",
        ),
        ({"credential_response_encryption": {}}, "invalid_encryption_parameters"),
        ({"proofs": None}, "invalid_proof"),
        ({"proofs": []}, "invalid_proof"),
        ({"proofs": {}}, "invalid_proof"),
        ({"proofs": {"attestation": ["x"]}}, "invalid_proof"),
        ({"proofs": {"jwt": []}}, "invalid_proof"),
        ({"proofs": {"jwt": "x"}}, "invalid_proof"),
        ({"proofs": {"jwt": [7]}}, "invalid_proof"),
        ({"proofs": {"jwt": ["{proof}", "{proof}"]}}, "invalid_proof"),  # N proofs of one key
        ({"proofs": {"jwt": ["{proof}"], "attestation": ["x"]}}, "invalid_proof"),
        ({"proofs": None, "proof": {"proof_type": "jwt", "jwt": "{proof}"}}, "invalid_proof"),
    ],
)
def test_request_refused(wallet: Wallet, token: str, changes: dict[str, Any], error: str) -> None:
    proof = wallet.proof(wallet.nonce())
    filled = json.loads(json.dumps(changes).replace("{proof}", proof))
    assert error_of(wallet.request(token, proof, **filled)) == (400, error)
    # A bad request uses up neither the offer nor the nonce.
    assert wallet.request(token, proof).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"{",
        b'{"credential_configuration_id":"mobile-id","credential_configuration_id":"mobile-id"}',
        b'{"x":' + b"[" * 3000 + b"]" * 3000 + b"}",
        b'{"x":NaN}',
        b'{"x":"\xff"}',
        b'{"x":"\\ud800"}',
        b'{"x":' + b"1" * 5000 + b"}",
    ],
)
def test_body_refused(wallet: Wallet, token: str, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    answer = wallet.client.post(
        "/issuer/credential", data=body, headers=headers, content_type="application/json"
    )
    assert error_of(answer) == (400, "invalid_credential_request")


def test_other_content_types_are_refused(wallet: Wallet, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    body = {
        "credential_configuration_id": "mobile-id",
        "proofs": {"jwt": [wallet.proof(wallet.nonce())]},
    }
    for mimetype in ("application/jwt", "text/plain", ""):
        answer = wallet.client.post(
            "/issuer/credential", data=json.dumps(body), headers=headers, content_type=mimetype
        )
        assert error_of(answer) == (400, "invalid_credential_request")


def test_a_body_without_end_is_refused(wallet: Wallet, token: str) -> None:
    answer = wallet.post(token, {"x": "y" * 70000})
    assert answer.status_code == 413


# --- credential identifiers ---------------------------------------------------------------------

DETAILS = json.dumps([{"type": "openid_credential", "credential_configuration_id": "mobile-id"}])


def test_a_token_with_identifiers_is_used_with_one(wallet: Wallet, offer: Any) -> None:
    body = wallet.redeem(offer, authorization_details=DETAILS).get_json()
    (details,) = body["authorization_details"]
    (identifier,) = details["credential_identifiers"]
    proof = wallet.proof(wallet.nonce())
    token = body["access_token"]
    assert error_of(wallet.request(token, proof)) == (400, "invalid_credential_request")
    changes = {"credential_configuration_id": None, "credential_identifier": identifier}
    assert wallet.request(token, proof, **changes).status_code == 200


@pytest.mark.parametrize("identifier", ["E200", "mobile-id-2", "", "MOBILE-ID"])
def test_a173_another_subject_by_identifier(wallet: Wallet, offer: Any, identifier: str) -> None:
    token = wallet.token(offer, authorization_details=DETAILS)
    changes = {"credential_configuration_id": None, "credential_identifier": identifier}
    answer = wallet.request(token, wallet.proof(wallet.nonce()), **changes)
    assert error_of(answer) == (400, "unknown_credential_identifier")


def test_a173_a_token_is_for_the_person_of_its_offer(world: World, wallet: Wallet) -> None:
    world.directory.add(HONG, personnel_number="E200", name="성춘향")
    token = wallet.token(world.offers.make_offer("E200", "staff-1"))
    world.offers.make_offer("E100", "staff-1")
    answer = wallet.request(
        token, wallet.proof(wallet.nonce()), personnel_number="E100", sub="E100"
    )
    assert answer.status_code == 200
    live = [one for one in world.cutoff.all() if one.state is MobileIdState.LIVE]
    assert [one.personnel_number for one in live] == ["E200"]


# --- the nonce ----------------------------------------------------------------------------------


def test_nonce_answer(wallet: Wallet) -> None:
    answer = wallet.client.post("/issuer/nonce")
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.get_json()) == {"c_nonce"}
    assert len({wallet.nonce() for _ in range(50)}) == 50
    assert len(wallet.nonce()) >= 43


def test_a170_nonce_used_twice(world: World, wallet: Wallet, token: str) -> None:
    nonce = wallet.nonce()
    other = Wallet(world)
    assert wallet.request(token, wallet.proof(nonce)).status_code == 200
    second = other.token(world.offers.make_offer("E100", "staff-1"))
    assert error_of(other.request(second, other.proof(nonce))) == (400, "invalid_nonce")
    assert world.refused[-1].reason is Reason.NONCE_INVALID
    assert other.request(second, other.proof(other.nonce())).status_code == 200


def test_a170_nonce_of_another_is_gone_for_both_never_for_two(world: World) -> None:
    wallets = [Wallet(world), Wallet(world)]
    world.directory.add(HONG, personnel_number="E200")
    tokens = [
        wallet.token(world.offers.make_offer(number, "staff-1"))
        for wallet, number in zip(wallets, ("E100", "E200"), strict=True)
    ]
    nonce = wallets[0].nonce()
    pairs = list(zip(wallets, tokens, strict=True))
    answers = in_parallel(lambda n: pairs[n][0].request(pairs[n][1], pairs[n][0].proof(nonce)), 2)
    assert sorted(answer.status_code for answer in answers) == [200, 400]


def test_a170_nonce_expired(make_world: Callable[..., World]) -> None:
    world = make_world(nonce_lifetime_s=60)
    wallet = Wallet(world)
    token = wallet.token(world.offers.make_offer("E100", "staff-1"))
    nonce = wallet.nonce()
    world.clock.forward(60)
    assert error_of(wallet.request(token, wallet.proof(nonce))) == (400, "invalid_nonce")


@pytest.mark.parametrize("nonce", ["guessed", "x" * 128, "토큰", "}{", "offer:x"])
def test_a170_nonce_guessed(wallet: Wallet, token: str, nonce: str) -> None:
    assert error_of(wallet.request(token, wallet.proof(nonce))) == (400, "invalid_nonce")


def test_a_proof_without_a_nonce_is_an_invalid_proof(wallet: Wallet, token: str) -> None:
    assert error_of(wallet.request(token, wallet.proof(None))) == (400, "invalid_proof")


def test_a171_a_bad_proof_uses_up_neither_nonce_nor_offer(
    world: World, wallet: Wallet, offer: Any, token: str
) -> None:
    nonce = wallet.nonce()
    bad = wallet.proof(nonce, claims={"aud": "https://evil.example"})
    assert error_of(wallet.request(token, bad)) == (400, "invalid_proof")
    assert world.refused[-1].journey == offer.id
    assert wallet.request(token, wallet.proof(nonce)).status_code == 200


def test_iss_of_a_named_client(world: World, wallet: Wallet) -> None:
    token = wallet.token(world.offers.make_offer("E100", "staff-1"), client_id="wallet")
    other = wallet.proof(wallet.nonce(), claims={"iss": "other"})
    assert error_of(wallet.request(token, other)) == (400, "invalid_proof")
    named = wallet.proof(wallet.nonce(), claims={"iss": "wallet"})
    assert wallet.request(token, named).status_code == 200


# --- the person ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.RETIRED, Reason.PERSON_RETIRED),
        (State.SUSPENDED, Reason.PERSON_SUSPENDED),
        (State.ON_LEAVE, Reason.PERSON_ON_LEAVE),
        (State.UNKNOWN, Reason.PERSON_STATE_UNKNOWN),
    ],
)
def test_a177_no_longer_active(
    world: World, wallet: Wallet, token: str, state: State, reason: Reason
) -> None:
    world.directory.add(HONG, state=state)
    answer = wallet.request(token, wallet.proof(wallet.nonce()))
    assert error_of(answer) == (400, "credential_request_denied")
    assert world.refused[-1].reason is reason
    assert world.cutoff.all()[0].state is MobileIdState.OFFERED


def test_a177_gone_from_the_directory(world: World, wallet: Wallet, token: str) -> None:
    world.directory.people.clear()
    answer = wallet.request(token, wallet.proof(wallet.nonce()))
    assert error_of(answer) == (400, "credential_request_denied")


def test_a177_the_offer_was_withdrawn(world: World, wallet: Wallet, offer: Any, token: str) -> None:
    world.cutoff.set_state(offer.id, MobileIdState.REVOKED, "staff-1")
    answer = wallet.request(token, wallet.proof(wallet.nonce()))
    assert error_of(answer) == (400, "credential_request_denied")


def test_a_directory_that_does_not_answer_costs_nothing(
    world: World, wallet: Wallet, token: str
) -> None:
    world.directory.away = True
    assert wallet.request(token, wallet.proof(wallet.nonce())).status_code == 503
    world.directory.away = False
    assert wallet.request(token, wallet.proof(wallet.nonce())).status_code == 200


def test_what_the_directory_says_now_is_issued(world: World, wallet: Wallet, token: str) -> None:
    world.directory.add(HONG, rank="서기관")
    credential = wallet.request(token, wallet.proof(wallet.nonce())).get_json()["credentials"][0]
    from tests.unit.idp_issuer.world import unb64

    disclosed = [json.loads(unb64(one)) for one in credential["credential"].split("~")[1:-1]]
    assert {name: value for _, name, value in disclosed}["rank"] == "서기관"
