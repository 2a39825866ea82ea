"""Hostile ID token hints (A-034, A-100 to A-107, A-127): they neither sign in nor out."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.attacks.forge import Maker, decode, es256
from tests.attacks.holder import Held, fetched
from tests.attacks.test_jose import signing_key
from tests.desk import Desk
from tests.provider import Provider

pytestmark = [pytest.mark.services, pytest.mark.timeout(240)]


LONGEST = 5000  # what is longer is refused as an address already (E7)


@pytest.fixture(scope="module")
def signed_in(demo: Provider, held: Held) -> Iterator[tuple[Desk, str]]:
    """A browser with a session, and its genuine ID token."""
    with Desk(demo) as desk:
        desk.start()
        where = desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
        yield desk, desk.redeem(desk.answered(where)["code"]).json()["id_token"]


@pytest.fixture(scope="module")
def forged(demo: Provider, signed_in: tuple[Desk, str]) -> list[tuple[str, str]]:
    _, genuine = signed_in
    header, payload = decode(genuine)
    own = ec.generate_private_key(ec.SECP256R1())
    maker = Maker(header, payload, signing_key(demo, header["kid"]), own)
    made = [
        *maker.signatures(),
        *maker.headers(),
        *maker.payloads(es256(own)),
        *maker.texts(genuine),
    ]
    return [(name, hint) for name, hint in made if len(hint) < LONGEST]


def silent(desk: Desk, **changed: str) -> dict[str, str]:
    """prompt=none in that browser, as a request of its own."""
    request = Desk(desk.provider)
    request.client.close()
    return desk.answered(desk.get(request.authorization_url(prompt="none", **changed)))


def test_a034_forged_hint_gives_no_code(
    signed_in: tuple[Desk, str], forged: list[tuple[str, str]]
) -> None:
    desk, genuine = signed_in
    for name, hint in forged:
        answered = silent(desk, id_token_hint=hint)
        assert "code" not in answered, name
        assert answered["error"] in {"login_required", "invalid_request"}, name
        assert answered["iss"] == desk.provider.issuer, name
    assert "code" in silent(desk, id_token_hint=genuine)


def test_a127_forged_hint_ends_no_session(
    signed_in: tuple[Desk, str], forged: list[tuple[str, str]]
) -> None:
    desk, _ = signed_in
    end = desk.provider.discovery()["end_session_endpoint"]
    for name, hint in forged:
        answer = desk.client.get(f"{end}?{urlencode({'id_token_hint': hint})}")
        assert answer.status_code in {200, 400}, f"{name}: {answer.status_code}"
        assert "location" not in answer.headers, name
    assert "code" in silent(desk)


def test_a034_genuine_hint_of_another_person(demo: Provider, signed_in: tuple[Desk, str]) -> None:
    desk, genuine = signed_in
    other = Held.receive(demo, demo.person(index=11))
    with Desk(demo) as stranger:
        stranger.start()
        where = stranger.get(fetched(other, stranger.wallet_link).post().json()["redirect_uri"])
        assert "code" in stranger.answered(where)
        assert silent(stranger, id_token_hint=genuine)["error"] == "login_required"
    assert "code" in silent(desk)
