"""One sign-in from the button to the tokens, over HTTP, as one story in the events."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.attacks.forge import decode
from tests.attacks.holder import Held, fetched
from tests.desk import ACR_QR, ACR_RETURN_CODE, Desk, Phone
from tests.provider import Provider

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def held(demo: Provider) -> Held:
    return Held.receive(demo, demo.person(index=0))


@pytest.fixture
def desk(demo: Provider) -> Iterator[Desk]:
    with Desk(demo) as browser:
        yield browser


@pytest.fixture
def phone(demo: Provider) -> Iterator[Phone]:
    with Phone(demo) as browser:
        yield browser


def sign_in(desk: Desk, held: Held, **changed: str) -> dict[str, str]:
    """Same device: the answer at the relying party."""
    desk.start(**changed)
    return desk.answered(desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"]))


def test_two_devices_to_tokens(demo: Provider, desk: Desk, phone: Phone, held: Held) -> None:
    mark = demo.last_event()
    desk.start(acr_values=ACR_RETURN_CODE)
    assert desk.status()["step"] == "waiting"
    answer = fetched(held, desk.wallet_link)
    assert desk.status()["step"] == "scanned"
    code = phone.return_code(answer.post().json()["redirect_uri"])
    assert desk.wait_for("proved")["next"] == desk.login
    answered = desk.answered(desk.type_return_code(code))
    assert (answered["state"], answered["iss"]) == (desk.state, demo.issuer)
    tokens = desk.redeem(answered["code"]).json()
    claims = decode(tokens["id_token"])[1]
    assert (claims["nonce"], claims["acr"]) == (desk.nonce, ACR_RETURN_CODE)
    assert claims["aud"] == desk.registered["client_id"]
    assert_one_story(demo, mark)


def assert_one_story(demo: Provider, mark: str) -> None:
    seen = demo.events_after(mark)
    kinds = [event["kind"] for event in seen if event.get("journey")]
    assert kinds[:4] == [
        "login:start:accepted",
        "login:request:pinned",
        "login:proof:accepted",
        "login:return_code:shown",
    ]
    assert {"session:start:accepted", "authorization:code:issued"} <= set(kinds)
    assert len({event["journey"] for event in seen if event.get("journey")}) == 1


def test_events_hold_no_name_number_or_secret(demo: Provider, desk: Desk, held: Held) -> None:
    mark = demo.last_event()
    answered = sign_in(desk, held)
    tokens = desk.redeem(answered["code"]).json()
    name = next(p["name"] for p in demo.people if p["personnel_number"] == held.number)
    told = str(demo.events_after(mark))
    subject = decode(tokens["id_token"])[1]["sub"]
    for secret in (name, held.number, answered["code"], tokens["access_token"], subject):
        assert secret not in told


def test_output_holds_the_six_digits_and_nothing_else(desk: Desk, phone: Phone, held: Held) -> None:
    """Outside programs read `<output id="return-code">` (design section 4)."""
    desk.start(acr_values=ACR_RETURN_CODE)
    phone.return_code(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
    assert re.search(r'<output[^>]*\bid="return-code"[^>]*>\s*\d{6}\s*</output>', phone.page)


def test_wrong_return_code_twice_then_right(desk: Desk, phone: Phone, held: Held) -> None:
    desk.start(acr_values=ACR_RETURN_CODE)
    code = phone.return_code(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    for _ in range(2):
        assert desk.type_return_code(wrong).startswith(desk.provider.issuer)
        assert desk.has_return_code_field
    assert "code" in desk.answered(desk.type_return_code(code))


def test_return_code_may_be_typed_with_a_space(desk: Desk, phone: Phone, held: Held) -> None:
    desk.start(acr_values=ACR_RETURN_CODE)
    code = phone.return_code(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
    assert "code" in desk.answered(desk.type_return_code(f"{code[:3]} {code[3:]}"))


def test_session_answers_without_a_question(desk: Desk, held: Held) -> None:
    first = sign_in(desk, held)
    again = desk.answered(desk.get(desk.authorization_url(nonce="n" * 22)))
    assert again["code"] != first["code"]


def test_stronger_acr_asks_again_and_weaker_does_not(desk: Desk, held: Held) -> None:
    desk.start(acr_values=ACR_QR)
    fetched(held, desk.wallet_link).post()
    desk.answered(desk.get(desk.wait_for("ready")["next"]))
    for wanted, error in ((ACR_QR, None), ("phr", True)):
        answered = desk.answered(desk.get(fresh(desk, acr_values=wanted, prompt="none")))
        assert ("error" in answered) is bool(error), answered
    where = desk.get(fresh(desk, acr_values="phr"))
    assert "/login/" in where


def fresh(desk: Desk, **changed: str) -> str:
    """A request of its own: a challenge that comes again is refused (A-026)."""
    return Desk(desk.provider).authorization_url(**changed)


@pytest.mark.parametrize("changed", [{"prompt": "login"}, {"max_age": "0"}])
def test_a_fresh_sign_in_when_asked(desk: Desk, held: Held, changed: dict[str, str]) -> None:
    sign_in(desk, held)
    where = desk.get(fresh(desk, **changed))
    assert "/login/" in where


def test_cancel_tells_the_relying_party(desk: Desk, demo: Provider) -> None:
    desk.start()
    answered = desk.answered(desk.post(f"{desk.login}/cancel"))
    assert answered["error"] == "access_denied"
    assert (answered["state"], answered["iss"]) == (desk.state, demo.issuer)


@pytest.mark.parametrize("opened_in", ["the same browser", "another"])
def test_who_declines_in_the_wallet_has_a_way_on(
    demo: Provider, held: Held, opened_in: str
) -> None:
    """The browser that began goes back to its sign-in; another one is told that this is all."""
    with Desk(demo) as desk, Phone(demo) as phone:
        desk.start(acr_values=ACR_RETURN_CODE)
        said = fetched(held, desk.wallet_link)
        no = json.dumps({"error": "access_denied", "state": said.state}).encode()
        back = said.post(said.build(no)).json()["redirect_uri"]
        same = opened_in == "the same browser"
        browser = desk if same else phone
        where = browser.get(back)
        if same:
            assert where.endswith(desk.login)
        else:
            assert phone.answer.status_code == 200
            assert "아무 정보도 보내지 않았습니다" in phone.page


def test_a_desk_that_cancels_is_not_called_the_phones_decision(demo: Provider, held: Held) -> None:
    with Desk(demo) as desk, Phone(demo) as phone:
        desk.start(acr_values=ACR_RETURN_CODE)
        back = fetched(held, desk.wallet_link).post().json()["redirect_uri"]
        assert phone.return_code(back)
        desk.get(desk.login)
        desk.post(f"{desk.login}/cancel")
        phone.get(back)
        assert "아무 정보도 보내지 않았습니다" not in phone.page
        assert "G-308" in phone.page


def test_consent_is_asked_once_and_can_be_refused(demo: Provider, held: Held) -> None:
    with Desk(demo) as desk:
        desk.start(prompt="consent")
        desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
        path = f"/oauth/consent/{desk.login.rpartition('/')[2]}"
        refused = desk.answered(desk.post(path, decision="deny"))
    assert (refused["error"], refused["state"]) == ("access_denied", desk.state)


def test_person_who_may_not_act_is_refused_at_issuance(demo: Provider) -> None:
    for state in ("retired", "suspended"):
        answer = demo.api(
            "POST",
            "mobile-ids",
            "gongmu:issue",
            json={"personnel_number": demo.person(state)},
        )
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == f"person_{state}"


def test_logout_by_the_relying_party(desk: Desk, held: Held, demo: Provider) -> None:
    answered = sign_in(desk, held)
    hint = desk.redeem(answered["code"]).json()["id_token"]
    end = demo.discovery()["end_session_endpoint"]
    desk.get(f"{end}?id_token_hint={hint}")
    after = desk.answered(desk.get(fresh(desk, prompt="none")))
    assert after["error"] == "login_required"
