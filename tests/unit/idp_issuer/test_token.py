"""A-172, A-173 and the rules of the token endpoint (VCI 1.0 §6, RFC 6749 §5.2)."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from idp.events import Reason
from tests.unit.idp_issuer.world import GRANT, ISSUER, Wallet, World, in_parallel


def wrong(tx_code: str) -> str:
    return f"{(int(tx_code) + 1) % 10**6:06d}"


def error_of(answer: Any) -> tuple[int, str]:
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.get_json()["error"]


def test_answer(world: World, wallet: Wallet) -> None:
    answer = wallet.redeem(world.offers.make_offer("E100", "staff-1"))
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.get_json()
    assert body == {
        "access_token": body["access_token"],
        "token_type": "Bearer",
        "expires_in": 300,
    }


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"pre-authorized_code": None}, "invalid_request"),
        ({"pre-authorized_code": "x"}, "invalid_grant"),
        ({"pre-authorized_code": "x" * 9000}, "invalid_grant"),
        ({"pre-authorized_code": "\x00\U0001f600"}, "invalid_grant"),
        ({"tx_code": None}, "invalid_request"),
        ({"tx_code": ""}, "invalid_request"),
        ({"tx_code": "12345"}, "invalid_grant"),
        ({"tx_code": "１２３４５６"}, "invalid_grant"),
        ({"tx_code": "9" * 9000}, "invalid_grant"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"client_id": "w" * 256}, "invalid_request"),
        ({"client_id": "w\n"}, "invalid_request"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        ({"authorization_details": "{"}, "invalid_authorization_details"),
        ({"authorization_details": "[1]"}, "invalid_authorization_details"),
        (
            {"authorization_details": '[{"type":"openid_credential"}]'},
            "invalid_authorization_details",
        ),
        (
            {
                "authorization_details": json.dumps(
                    [{"type": "openid_credential", "credential_configuration_id": "other"}]
                )
            },
            "invalid_authorization_details",
        ),
        (
            {
                "authorization_details": json.dumps(
                    [{"type": "openid_credential", "credential_configuration_id": "mobile-id"}] * 2
                )
            },
            "invalid_authorization_details",
        ),
    ],
)
def test_request_refused(world: World, wallet: Wallet, changes: dict[str, Any], error: str) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    assert error_of(wallet.redeem(offer, **changes)) == (400, error)
    # None of it used the offer up.
    assert wallet.redeem(offer).status_code == 200


def test_what_wallets_send_beside_is_ignored(world: World, wallet: Wallet) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    answer = wallet.redeem(offer, user_pin="x", resource=ISSUER, scope="mobile-id", foo="bar")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "changes", [{"client_secret": "s"}, {"client_assertion": "a"}], ids=["secret", "assertion"]
)
def test_no_client_is_known(world: World, wallet: Wallet, changes: dict[str, str]) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    answer = wallet.redeem(offer, **changes)
    assert error_of(answer) == (401, "invalid_client")


def test_no_client_is_known_by_header(wallet: Wallet) -> None:
    answer = wallet.client.post(
        "/issuer/token", data={"grant_type": GRANT}, headers={"Authorization": "Basic eDp5"}
    )
    assert error_of(answer) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("body", "mimetype"),
    [
        (b"grant_type=a&grant_type=a", "application/x-www-form-urlencoded"),
        (b"tx_code=1&grant_type=a&tx_code=2", "application/x-www-form-urlencoded"),
        (b"tx_code=&tx_code=", "application/x-www-form-urlencoded"),
        (b"grant_type", "application/x-www-form-urlencoded"),
        (b"a=%ff", "application/x-www-form-urlencoded"),
        ("a=가".encode(), "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % n for n in range(50)), "application/x-www-form-urlencoded"),
        (b'{"grant_type":"a"}', "application/json"),
        (b"grant_type=a", "text/plain"),
        (b"grant_type=a", ""),
    ],
)
def test_form_refused(wallet: Wallet, body: bytes, mimetype: str) -> None:
    answer = wallet.client.post("/issuer/token", data=body, content_type=mimetype)
    assert error_of(answer) == (400, "invalid_request")


def test_parameters_in_the_address_are_refused(world: World, wallet: Wallet) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    code = wallet.read_offer(offer.credential_offer_uri)["grants"][GRANT]["pre-authorized_code"]
    form = {"grant_type": GRANT, "pre-authorized_code": code, "tx_code": offer.tx_code}
    for query in (f"tx_code={offer.tx_code}", "x=1"):
        answer = wallet.client.post(f"/issuer/token?{query}", data=form)
        assert error_of(answer) == (400, "invalid_request")


def test_a_form_of_very_many_fields_is_refused(world: World, wallet: Wallet) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    many = {f"x{number}": "1" for number in range(50)}
    assert error_of(wallet.redeem(offer, **many)) == (400, "invalid_request")


def test_a_body_without_end_is_refused(wallet: Wallet) -> None:
    form = "application/x-www-form-urlencoded"
    answer = wallet.client.post("/issuer/token", data=b"a=" + b"1" * 20000, content_type=form)
    assert answer.status_code == 413
    assert wallet.client.post("/issuer/nonce", data=b"1" * 20000).status_code == 413


def test_get_is_not_allowed(wallet: Wallet) -> None:
    for path in ("/issuer/token", "/issuer/nonce", "/issuer/credential"):
        assert wallet.client.get(path).status_code == 405


def test_a172_code_works_once(world: World, wallet: Wallet) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    document = wallet.read_offer(offer.credential_offer_uri)
    code = document["grants"][GRANT]["pre-authorized_code"]
    form = {"grant_type": GRANT, "pre-authorized_code": code, "tx_code": offer.tx_code}
    assert wallet.client.post("/issuer/token", data=form).status_code == 200
    assert error_of(wallet.client.post("/issuer/token", data=form)) == (400, "invalid_grant")
    assert world.refused[-1].reason is Reason.OFFER_REPLAYED
    assert world.refused[-1].journey == offer.id


def test_a172_two_hundred_at_once_give_one_token(world: World, wallet: Wallet) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    code = wallet.read_offer(offer.credential_offer_uri)["grants"][GRANT]["pre-authorized_code"]
    form = {"grant_type": GRANT, "pre-authorized_code": code, "tx_code": offer.tx_code}
    answers = in_parallel(lambda _: world.client().post("/issuer/token", data=form), 200)
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 199
    assert {answer.get_json()["error"] for answer in answers if answer.status_code == 400} == {
        "invalid_grant"
    }


def test_a172_five_wrong_tries_end_the_offer_even_for_the_right_one(
    world: World, wallet: Wallet
) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    for _ in range(5):
        assert error_of(wallet.redeem(offer, tx_code=wrong(offer.tx_code))) == (
            400,
            "invalid_grant",
        )
    reasons = [error.reason for error in world.refused]
    assert reasons == [Reason.TX_CODE_WRONG] * 4 + [Reason.TX_CODE_TRIES]
    assert error_of(wallet.redeem(offer)) == (400, "invalid_grant")
    assert world.refused[-1].reason is Reason.TX_CODE_TRIES
    assert {error.journey for error in world.refused} == {offer.id}


def test_a172_the_last_try_may_be_the_right_one(world: World, wallet: Wallet) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    for _ in range(4):
        wallet.redeem(offer, tx_code=wrong(offer.tx_code))
    assert wallet.redeem(offer).status_code == 200


def test_a172_the_number_of_tries_is_a_setting(make_world: Callable[..., World]) -> None:
    world = make_world(tx_code_tries=1)
    offer = world.offers.make_offer("E100", "staff-1")
    wallet = Wallet(world)
    wallet.redeem(offer, tx_code=wrong(offer.tx_code))
    assert wallet.redeem(offer).status_code == 400


def test_a172_guesses_at_once_cannot_pass_the_limit(
    world: World, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    code = wallet.read_offer(offer.credential_offer_uri)["grants"][GRANT]["pre-authorized_code"]
    compared = []

    def slow(one: str, other: str) -> bool:
        compared.append(one)
        time.sleep(0.01)  # so that every request is in between at once
        return one == other

    monkeypatch.setattr("idp_issuer.offers.hmac.compare_digest", slow)

    def guess(number: int) -> int:
        tx_code = f"{(int(offer.tx_code) + 1 + number) % 10**6:06d}"
        form = {"grant_type": GRANT, "pre-authorized_code": code, "tx_code": tx_code}
        return int(world.client().post("/issuer/token", data=form).status_code)

    assert set(in_parallel(guess, 60)) == {400}
    assert len(compared) == 5


def test_wrong_digits_of_one_offer_do_not_count_for_another(world: World, wallet: Wallet) -> None:
    first = world.offers.make_offer("E100", "staff-1")
    second = world.offers.make_offer("E100", "staff-1")
    for _ in range(6):
        wallet.redeem(first, tx_code=wrong(first.tx_code))
    assert wallet.redeem(second).status_code == 200


def test_an_offer_expires(world: World, wallet: Wallet) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    code = wallet.read_offer(offer.credential_offer_uri)["grants"][GRANT]["pre-authorized_code"]
    form = {"grant_type": GRANT, "pre-authorized_code": code, "tx_code": offer.tx_code}
    world.clock.forward(600)
    assert error_of(wallet.client.post("/issuer/token", data=form)) == (400, "invalid_grant")
    assert world.refused[-1].reason is Reason.OFFER_UNKNOWN


def test_without_the_store_nothing_is_redeemed(world: World, wallet: Wallet) -> None:
    offer = world.offers.make_offer("E100", "staff-1")
    code = wallet.read_offer(offer.credential_offer_uri)["grants"][GRANT]["pre-authorized_code"]
    form = {"grant_type": GRANT, "pre-authorized_code": code, "tx_code": offer.tx_code}
    world.short.away = True
    assert wallet.client.post("/issuer/token", data=form).status_code == 503
