"""Phone and desk in one trusted network: no return code, and no more than that is believed of it."""

from collections.abc import Iterator

import httpx
import pytest

from tests.attacks.forge import decode
from tests.attacks.holder import Held, fetched
from tests.desk import ACR_QR, ACR_RETURN_CODE, Desk, Phone
from tests.provider import Provider
from tests.servers import new_database
from tests.stack import ldif_table, start_stack

pytestmark = pytest.mark.services
NETWORKS = """
[[networks]]
cidr = "127.0.0.1/32"
name = "Annex, floor 3"
trusted = true
[[networks]]
cidr = "127.0.0.0/30"
name = "Annex, foyer"
"""


@pytest.fixture(scope="module")
def office(
    redis_url: str, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Provider]:
    database = new_database(postgres_url, "office")
    directories = ldif_table("esaram") + ldif_table("insarang") + NETWORKS
    provider = start_stack(tmp_path_factory.mktemp("office"), redis_url, database, directories)
    try:
        yield provider
    finally:
        provider.child.stop()


@pytest.fixture(scope="module")
def held(office: Provider) -> Held:
    return Held.receive(office, office.person(index=0))


def answers_from(address: str, desk: Desk, held: Held) -> str:
    """The wallet answers that desk's QR from that address; where its browser is sent."""
    answer = fetched(held, desk.wallet_link)
    way = httpx.HTTPTransport(local_address=address)
    with httpx.Client(transport=way, timeout=20) as wallet:
        posted = wallet.post(answer.ask.response_uri, data=answer.build())
    assert posted.status_code == 200, posted.text
    return str(posted.json()["redirect_uri"])


def test_both_in_it_need_no_code(office: Provider, held: Held) -> None:
    with Desk(office) as desk, Phone(office) as phone:
        desk.start(acr_values=ACR_RETURN_CODE)
        phone.get(answers_from("127.0.0.1", desk, held))
        assert "return-code" not in phone.page  # it says what is approved, and "this was not me"
        assert "not-me" in phone.page
        tokens = desk.redeem(desk.answered(desk.get(desk.wait_for("ready")["next"]))["code"]).json()
    assert decode(tokens["id_token"])[1]["acr"] == ACR_RETURN_CODE


def test_a_phone_outside_shows_the_code(office: Provider, held: Held) -> None:
    with Desk(office) as desk, Phone(office) as phone:
        desk.start(acr_values=ACR_RETURN_CODE)
        code = phone.return_code(answers_from("127.0.0.2", desk, held))
        assert desk.status()["step"] == "proved"
        desk.answered(desk.type_return_code(code))


def test_a_desk_outside_asks_for_the_code(office: Provider, held: Held) -> None:
    with Desk(office) as desk, Phone(office) as phone:
        desk.client.close()
        way = httpx.HTTPTransport(local_address="127.0.0.2")
        desk.client = httpx.Client(base_url=office.issuer, transport=way, timeout=20)
        desk.start(acr_values=ACR_RETURN_CODE)
        code = phone.return_code(answers_from("127.0.0.1", desk, held))
        assert desk.status()["step"] == "proved"
        desk.answered(desk.type_return_code(code))


def test_a_network_that_has_a_name_alone_is_trusted_with_nothing(
    office: Provider, held: Held
) -> None:
    with Desk(office) as desk, Phone(office) as phone:
        desk.client.close()
        way = httpx.HTTPTransport(local_address="127.0.0.2")
        desk.client = httpx.Client(base_url=office.issuer, transport=way, timeout=20)
        desk.start(acr_values=ACR_RETURN_CODE)
        assert phone.return_code(answers_from("127.0.0.2", desk, held))
        assert desk.status()["step"] == "proved"


def test_it_is_as_strong_as_a_code_and_no_stronger(office: Provider, held: Held) -> None:
    with Desk(office) as desk:
        desk.start(acr_values=ACR_QR)
        answers_from("127.0.0.1", desk, held)
        tokens = desk.redeem(desk.answered(desk.get(desk.wait_for("ready")["next"]))["code"]).json()
    assert decode(tokens["id_token"])[1]["acr"] == ACR_RETURN_CODE
