"""The mobile ID through the browser (Digital Credentials API), over HTTP: A-166 and what it must not open."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.forge import decode
from tests.attacks.holder import Answer, Ask, Held
from tests.desk import Desk
from tests.provider import Provider

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def owner(demo: Provider) -> Held:
    """Whose mobile ID the browser finds; of this module alone."""
    return Held.receive(demo, demo.person(index=5))


@pytest.fixture
def desk(demo: Provider) -> Iterator[Desk]:
    with Desk(demo) as seat:
        yield seat.start(acr_values="phr")


def asked_by(desk: Desk) -> dict[str, Any]:
    """What the page asks the browser for."""
    answer = desk.client.get(f"{desk.login}/digital")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    [request] = answer.json()["requests"]
    assert request["protocol"] == "openid4vp-v1-signed"
    return decode(request["data"]["request"])[1]


def brought(held: Held, asked: dict[str, Any], origin: str, **kb: Any) -> str:
    """A DigitalCredential, as a wallet makes it for a page of `origin`."""
    ask = Ask(held.provider, "openid4vp://?client_id=none", {"state": "", **asked})
    made = Answer(held, ask)
    made.kb_payload.update({"aud": f"origin:{origin}", **kb})
    data = made.build()
    return json.dumps({"protocol": "openid4vp-v1-signed", "data": data})


def test_a_sign_in_through_the_browser_is_phr(desk: Desk, owner: Held) -> None:
    asked = asked_by(desk)
    assert asked["expected_origins"] == [desk.provider.issuer]
    assert asked["response_mode"] == "dc_api.jwt"
    assert "state" not in asked
    assert "response_uri" not in asked
    credential = brought(owner, asked, desk.provider.issuer)
    where = desk.post(f"{desk.login}/digital", credential=credential)
    tokens = desk.redeem(desk.answered(where)["code"]).json()
    assert decode(tokens["id_token"])[1]["acr"] == "phr"


@pytest.mark.parametrize("origin", ["https://evil.example", "ours, with a path", ""])
def test_a166_an_answer_for_another_sites_page(desk: Desk, owner: Held, origin: str) -> None:
    where = origin.replace("ours, with a path", f"{desk.provider.issuer}/")
    refused(desk, brought(owner, asked_by(desk), where), "G-415")


def refused(desk: Desk, credential: str, code: str) -> None:
    desk.post(f"{desk.login}/digital", credential=credential)
    assert desk.answer.status_code == 400
    assert code in desk.page
    assert desk.status()["step"] == "waiting"


def test_a166_an_answer_to_what_was_not_signed(desk: Desk, owner: Held) -> None:
    good = json.loads(brought(owner, asked_by(desk), desk.provider.issuer))
    bad = json.dumps({**good, "protocol": "openid4vp-v1-unsigned"})
    refused(desk, bad, "G-405")


def test_another_browser_can_neither_ask_nor_answer(
    desk: Desk, owner: Held, demo: Provider
) -> None:
    credential = brought(owner, asked_by(desk), demo.issuer)
    with Desk(demo) as other:
        other.start(acr_values="phr")
        assert other.client.get(f"{desk.login}/digital").status_code == 404
        # Its own form token, and the login of someone else.
        other.post(f"{desk.login}/digital", credential=credential)
        assert other.answer.status_code in (400, 403, 404)
        # Its own login: the answer is to another question.
        other.start(acr_values="phr")
        asked_by(other)
        other.post(f"{other.login}/digital", credential=credential)
        assert other.answer.status_code == 400
    assert desk.status()["step"] == "waiting"


def test_without_the_form_token(desk: Desk, owner: Held) -> None:
    credential = brought(owner, asked_by(desk), desk.provider.issuer)
    answer = desk.client.post(f"{desk.login}/digital", data={"credential": credential})
    assert answer.status_code == 403
    assert desk.status()["step"] == "waiting"


def test_the_same_answer_twice(desk: Desk, owner: Held) -> None:
    credential = brought(owner, asked_by(desk), desk.provider.issuer)
    fields = {"csrf": desk.csrf, "credential": credential}
    first = desk.client.post(f"{desk.login}/digital", data=fields)
    again = desk.client.post(f"{desk.login}/digital", data=fields)
    assert first.status_code == 303
    assert again.status_code == 303
    assert again.headers["location"].endswith(desk.login)
    assert "set-cookie" not in again.headers or "session" not in again.headers["set-cookie"]


def test_the_third_bad_answer_ends_the_login(desk: Desk, owner: Held) -> None:
    asked, csrf = asked_by(desk), desk.csrf
    for _ in range(3):
        bad = brought(owner, asked, desk.provider.issuer, nonce=secrets.token_urlsafe(32))
        desk.client.post(f"{desk.login}/digital", data={"csrf": csrf, "credential": bad})
    assert desk.status()["reason"] == "too_many_rejections"


@pytest.mark.parametrize("credential", ["", "[]", "{", "x" * 60_000, '{"protocol":1}'])
def test_hostile_answers(desk: Desk, credential: str) -> None:
    fields = {"csrf": desk.csrf, "credential": credential}
    answer = desk.client.post(f"{desk.login}/digital", data=fields)
    assert answer.status_code in (400, 413)
    twice = desk.client.post(
        f"{desk.login}/digital", data={"csrf": desk.csrf, "credential": [credential, credential]}
    )
    assert twice.status_code in (400, 413)
    assert desk.client.get("/login/nobody/digital").status_code == 404
