"""Clients nobody here wrote sign a person in: an npm wallet and an npm relying party, over https."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.desk import ACR_RETURN_CODE, Desk, Phone
from tests.interop.node import NodeFailed, NodeRelyingParty, NodeWallet
from tests.provider import Provider
from tests.qr_reader import read_frame

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]
SCOPE = "openid profile email offline_access"


@pytest.fixture(scope="module")
def number(demo_https: Provider) -> str:
    return demo_https.person(index=1)


@pytest.fixture(scope="module")
def received(
    demo_https: Provider, number: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[NodeWallet, dict[str, Any]]:
    wallet = NodeWallet(demo_https, tmp_path_factory.mktemp("wallet") / "state.json")
    offer = demo_https.offer(number)
    return wallet, wallet.run("receive", offer["credential_offer_uri"], offer["tx_code"])


@pytest.fixture(scope="module")
def wallet(received: tuple[NodeWallet, dict[str, Any]]) -> NodeWallet:
    return received[0]


@pytest.fixture
def desk(demo_https: Provider) -> Iterator[Desk]:
    with Desk(demo_https) as browser:
        yield browser


@pytest.fixture
def phone(demo_https: Provider) -> Iterator[Phone]:
    with Phone(demo_https) as browser:
        yield browser


def settings_of(desk: Desk, auth: str, **parameters: str) -> dict[str, Any]:
    return {
        "client_id": desk.registered["client_id"],
        "client_secret": desk.registered["client_secret"],
        "redirect_uri": desk.registered["redirect_uris"][0],
        "auth": auth,
        "parameters": {"scope": SCOPE, **parameters},
    }


def name_of(provider: Provider, number: str) -> str:
    return next(p["name"] for p in provider.people if p["personnel_number"] == number)


def test_wallet_receives_a_mobile_id_it_can_verify(
    demo_https: Provider, received: tuple[NodeWallet, dict[str, Any]], number: str
) -> None:
    _, told = received
    assert told["version"] == "V1"
    assert told["claims"]["personnel_number"] == number
    assert told["claims"]["name"] == name_of(demo_https, number)
    assert told["claims"]["iss"] == demo_https.issuer
    assert "kid" not in told["header"]


@pytest.mark.parametrize("auth", ["basic", "post"])
def test_same_device_sign_in(
    demo_https: Provider, wallet: NodeWallet, desk: Desk, auth: str, number: str
) -> None:
    with NodeRelyingParty(demo_https, settings_of(desk, auth)) as party:
        desk.start(party.authorization_url())
        answered = wallet.run("present", desk.wallet_link)
        assert "personnel_number" in answered["asked"]
        told = party.called_back(desk.get(answered["redirect_uri"]))
    assert told["claims"]["acr"] == "phr"
    assert told["userinfo"]["name"] == name_of(demo_https, number)
    assert told["userinfo"]["sub"] == told["claims"]["sub"]
    assert told["expires_in"] <= 300


def test_two_devices_with_the_code_from_the_qr(
    demo_https: Provider, wallet: NodeWallet, desk: Desk, phone: Phone
) -> None:
    wanted = settings_of(desk, "basic", acr_values=ACR_RETURN_CODE)
    with NodeRelyingParty(demo_https, wanted) as party:
        desk.start(party.authorization_url())
        status = desk.wait_for("waiting")
        link = read_frame(status["frames"][0]["bits"], status["size"])
        assert link.startswith("openid4vp://?")
        answered = wallet.run("present", link, ENC="A256GCM")
        assert answered["enc"] == "A256GCM"
        code = phone.return_code(answered["redirect_uri"])
        assert desk.wait_for("proved")["next"] == desk.login
        told = party.called_back(desk.type_return_code(code))
    assert told["claims"]["acr"] == ACR_RETURN_CODE
    assert "pop" in told["claims"]["amr"]


def test_refresh_and_where_offered_introspection_and_revocation(
    demo_https: Provider, wallet: NodeWallet, desk: Desk
) -> None:
    with NodeRelyingParty(demo_https, settings_of(desk, "basic", prompt="consent")) as party:
        desk.start(party.authorization_url())
        answered = wallet.run("present", desk.wallet_link)
        told = party.called_back(desk.agree(desk.get(answered["redirect_uri"])))
    assert told["refreshed"]["rotated"] is True
    assert told["refreshed"]["userinfo"]["sub"] == told["claims"]["sub"]
    assert told.get("introspected", {"active": True})["active"] is True
    assert told.get("after_revocation", "invalid_grant") == "invalid_grant"


def test_logout_ends_the_session(demo_https: Provider, wallet: NodeWallet, desk: Desk) -> None:
    with NodeRelyingParty(demo_https, settings_of(desk, "post")) as party:
        desk.start(party.authorization_url())
        answered = wallet.run("present", desk.wallet_link)
        told = party.called_back(desk.get(answered["redirect_uri"]))
    # the session signs in again without a question, until it is ended
    again = desk.answered(desk.get(desk.authorization_url(prompt="none")))
    assert "code" in again
    desk.get(told["end_session_url"])
    if 'name="csrf"' in desk.page:
        desk.post(urlsplit(told["end_session_url"]).path)
    after = desk.answered(desk.get(desk.authorization_url(prompt="none")))
    assert after["error"] == "login_required"
    assert after["iss"] == demo_https.issuer


def test_wallet_declines(demo_https: Provider, wallet: NodeWallet, desk: Desk) -> None:
    desk.start()
    wallet.run("decline", desk.wallet_link)
    assert desk.wait_for("failed")["reason"] == "declined"
    [event] = demo_https.events(kind="login:proof:declined", limit=1)
    assert event["reason"] == "declined"


def test_wallet_gets_no_second_credential_from_an_offer(
    demo_https: Provider, tmp_path: Path
) -> None:
    offer = demo_https.offer(demo_https.person(index=2))
    wallet = NodeWallet(demo_https, tmp_path / "state.json")
    with pytest.raises(NodeFailed, match="invalid_grant"):
        wallet.run("receive", offer["credential_offer_uri"], "000000")
    wallet.run("receive", offer["credential_offer_uri"], offer["tx_code"])
    with pytest.raises(NodeFailed, match="invalid_grant"):
        wallet.run("receive", offer["credential_offer_uri"], offer["tx_code"])


def test_wallet_refuses_a_link_with_another_verifier(wallet: NodeWallet, desk: Desk) -> None:
    desk.start()
    link = urlsplit(desk.wallet_link)
    client_id = parse_qs(link.query)["client_id"][0]
    forged = desk.wallet_link.replace(client_id.partition(":")[2], "A" * 43)
    with pytest.raises(NodeFailed, match="client_id does not match"):
        wallet.run("present", forged)


def test_state_file_holds_one_key_and_one_credential(wallet: NodeWallet) -> None:
    assert set(json.loads(wallet.state.read_text())) == {"key", "credential"}
