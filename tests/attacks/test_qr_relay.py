"""Relayed QRs, stolen browsers, forged forms (A-122, A-123, A-155, A-158 to A-160): the desk's side."""

import secrets
import time
from collections.abc import Callable

import httpx
import pytest

from tests.attacks.expect import one_event
from tests.attacks.forge import decode
from tests.attacks.holder import Answer, Ask, Held, fetched
from tests.desk import ACR_QR, ACR_RETURN_CODE, Desk, Lost, Phone
from tests.provider import Provider

pytestmark = pytest.mark.services
NewDesk = Callable[..., Desk]


def test_a155_attacker_without_the_return_code_gets_no_code(
    new_desk: NewDesk, held: Held, phone: Phone
) -> None:
    attacker = new_desk(acr_values=ACR_RETURN_CODE)
    victim = fetched(held, attacker.wallet_link)
    code = phone.return_code(victim.post().json()["redirect_uri"])
    wrong = [f"{(int(code) + step) % 1_000_000:06d}" for step in (1, 2, 3)]
    for typed in wrong:
        assert attacker.type_return_code(typed).startswith(attacker.provider.issuer)
    assert attacker.status()["reason"] == "return_code_tries"
    attacker.get(attacker.login)
    assert "return_code" not in attacker.page
    with attacker.provider.client() as direct:
        direct.cookies.update(attacker.client.cookies)
        again = direct.get(f"/oauth/authorize?login={attacker.login.rpartition('/')[2]}")
    assert "code=" not in again.headers.get("location", "")


def test_a155_finish_cannot_be_forced(new_desk: NewDesk, held: Held) -> None:
    attacker = new_desk(acr_values=ACR_RETURN_CODE)
    fetched(held, attacker.wallet_link).post()
    attacker.get(attacker.login)
    where = attacker.post(f"{attacker.login}/finish")
    assert where.startswith(attacker.provider.issuer)
    assert attacker.answer.status_code in {400, 403, 409}
    assert attacker.status()["step"] == "proved"


def test_a155_phone_is_told_what_it_approves(new_desk: NewDesk, held: Held, phone: Phone) -> None:
    desk = new_desk(acr_values=ACR_RETURN_CODE)
    phone.return_code(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
    name = next(p["name"] for p in held.provider.people if p["personnel_number"] == held.number)
    assert name in phone.page
    assert "Windows" in phone.page  # the desk's browser
    assert "127.0.0.1" in phone.page or "::1" in phone.page  # its place, where it has no name


def test_a155_qr_alone_says_so_in_the_token(new_desk: NewDesk, held: Held) -> None:
    desk = new_desk(acr_values=ACR_QR)
    assert fetched(held, desk.wallet_link).post().status_code == 200
    answered = desk.answered(desk.get(desk.wait_for("ready")["next"]))
    tokens = desk.redeem(answered["code"])
    assert tokens.status_code == 200, tokens.text
    assert decode(tokens.json()["id_token"])[1]["acr"] == ACR_QR


def test_a155_request_fetched_again_from_another_address_is_an_event(
    desk: Desk, demo: Provider
) -> None:
    ask = Ask(demo, desk.wallet_link)
    assert ask.get().status_code == 200
    mark = demo.last_event()
    elsewhere = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(transport=elsewhere) as other:
        assert other.post(ask.request_uri).status_code == 200
    event = one_event(desk, mark)
    assert (event["kind"], event["address"]) == ("login:request:address_changed", "127.0.0.2")


def test_a155_not_me_kills_the_login_and_is_an_alarm(
    new_desk: NewDesk, held: Held, phone: Phone
) -> None:
    attacker = new_desk(acr_values=ACR_RETURN_CODE)
    answer = fetched(held, attacker.wallet_link)
    code = phone.return_code(answer.post().json()["redirect_uri"])
    mark = attacker.provider.last_event()
    phone.post(f"/vp/{answer.ask.handle}/not-me")
    assert phone.answer.status_code == 200
    assert one_event(attacker, mark)["kind"] == "login:person:disowned"
    assert attacker.status()["reason"] == "disowned"
    attacker.get(attacker.login)
    assert "return_code" not in attacker.page
    with pytest.raises(Lost, match="csrf"):
        attacker.type_return_code(code)


def test_a155_not_me_after_the_sign_in_ends_the_session_within_a_second(
    new_desk: NewDesk, held: Held, phone: Phone
) -> None:
    desk = new_desk(acr_values=ACR_RETURN_CODE)
    answer = fetched(held, desk.wallet_link)
    redirect_uri = answer.post().json()["redirect_uri"]
    answered = desk.answered(desk.type_return_code(phone.return_code(redirect_uri)))
    token = desk.redeem(answered["code"]).json()["access_token"]
    phone.get(redirect_uri)
    phone.post(f"/vp/{answer.ask.handle}/not-me")
    since = time.monotonic()
    with desk.provider.client() as client:
        userinfo = client.get("/oauth/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert userinfo.status_code == 401
    after = desk.answered(desk.get(desk.authorization_url(prompt="none")))
    assert after["error"] == "login_required"
    assert time.monotonic() - since < 1


def test_a155_only_the_approver_may_disown(
    new_desk: NewDesk, held: Held, phone: Phone, demo: Provider
) -> None:
    desk = new_desk(acr_values=ACR_RETURN_CODE)
    answer = fetched(held, desk.wallet_link)
    phone.return_code(answer.post().json()["redirect_uri"])
    path = f"/vp/{answer.ask.handle}/not-me"
    with demo.client() as stranger:
        assert stranger.post(path).status_code == 403
        assert stranger.post(path, data={"csrf": phone.csrf}).status_code == 403
    assert desk.status()["step"] == "proved"


def test_a158_polls_of_another_browser(desk: Desk, demo: Provider) -> None:
    with demo.client() as stranger:
        stranger.get(f"{desk.login}/status")  # has a cookie of its own from here on
        other = stranger.get(f"{desk.login}/status")
        unknown = stranger.get(f"/login/{secrets.token_urlsafe(16)}/status")
    assert other.status_code == unknown.status_code == 404
    assert len(other.content) == len(unknown.content)
    assert set(other.headers) == set(unknown.headers)


def test_a122_login_of_another_browser(
    desk: Desk, answer: Answer, new_desk: NewDesk, demo: Provider
) -> None:
    answer.post()
    thief = new_desk()
    own = thief.csrf
    mark = demo.last_event()
    assert thief.client.get(desk.login).status_code == 404
    assert one_event(desk, mark)["kind"] == "login:browser:refused"
    for step in ("mobile_id", "return-code", "finish", "cancel"):
        assert thief.client.post(f"{desk.login}/{step}", data={"csrf": own}).status_code in {
            403,
            404,
        }
    assert desk.status()["step"] in {"proved", "ready"}


def test_a159_response_code_guessed_or_missing(new_desk: NewDesk, held: Held) -> None:
    for query in ("", "?response_code=", f"?response_code={secrets.token_urlsafe(24)}"):
        desk = new_desk(acr_values=ACR_RETURN_CODE)
        answer = fetched(held, desk.wallet_link)
        good = answer.post().json()["redirect_uri"]
        mark = desk.provider.last_event()
        where = desk.get(good.partition("?")[0] + query)
        assert where.startswith(desk.provider.issuer)
        assert desk.answer.status_code == 400
        assert one_event(desk, mark)["reason"] == "response_code"
        assert desk.status()["reason"] == "response_code"  # burned
        assert desk.get(good).startswith(desk.provider.issuer)
        assert desk.status()["step"] == "failed"


def test_a159_return_address_belongs_to_the_first_other_browser(
    new_desk: NewDesk, held: Held, phone: Phone, demo: Provider
) -> None:
    desk = new_desk(acr_values=ACR_RETURN_CODE)
    redirect_uri = fetched(held, desk.wallet_link).post().json()["redirect_uri"]
    code = phone.return_code(redirect_uri)
    with Phone(demo) as thief:
        thief.get(redirect_uri)
        assert thief.answer.status_code == 400
        assert code not in thief.page
    assert phone.return_code(redirect_uri) == code
    assert "code" in desk.answered(desk.type_return_code(code))


def test_a160_wallet_that_does_not_return_signs_nobody_in(desk: Desk, held: Held) -> None:
    strong = Desk(desk.provider)
    try:
        strong.start(acr_values="phr")
        fetched(held, strong.wallet_link).post()
        strong.get(strong.login)
        assert strong.status()["step"] != "ready"
        assert "code=" not in str(strong.answer.url)
    finally:
        strong.client.close()


def test_a123_forms_without_the_token(desk: Desk, answer: Answer) -> None:
    answer.post()
    for step in ("mobile_id", "return-code", "finish", "cancel"):
        for form in ({}, {"csrf": ""}, {"csrf": "0" * 64}):
            refused = desk.client.post(f"{desk.login}/{step}", data=form)
            assert refused.status_code == 403, step
    desk.get(desk.login)


def test_a123_forms_from_elsewhere(new_desk: NewDesk) -> None:
    desk = new_desk()
    for header in (
        {"Origin": "https://evil.test"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        form = {"csrf": desk.csrf}
        refused = desk.client.post(f"{desk.login}/cancel", data=form, headers=header)
        assert refused.status_code == 403, header
    assert desk.status()["step"] == "waiting"
