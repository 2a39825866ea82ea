"""A stronger or a fresh sign-in is one that happened (A-029 to A-033, A-120, A-126, RFC 9470)."""

import time
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.attacks.forge import decode
from tests.attacks.holder import Held, fetched
from tests.desk import ACR_QR, ACR_RETURN_CODE, Desk, Phone
from tests.provider import Provider

pytestmark = [pytest.mark.services, pytest.mark.timeout(240)]
OFFLINE = "openid profile offline_access"


@pytest.fixture
def desk(demo: Provider) -> Any:
    with Desk(demo) as browser:
        yield browser


def tab(desk: Desk) -> Desk:
    """Another request of the same browser."""
    other = Desk(desk.provider)
    other.client.close()
    other.client = desk.client
    return other


def weak(desk: Desk, held: Held, **changed: str) -> dict[str, Any]:
    """Tokens of a sign-in by QR alone."""
    desk.start(**{"acr_values": ACR_QR, **changed})
    assert fetched(held, desk.wallet_link).post().status_code == 200
    return redeemed(desk, desk.get(desk.wait_for("ready")["next"]))


def strong(desk: Desk, held: Held, **changed: str) -> dict[str, Any]:
    """Tokens of a sign-in whose wallet opened its address in this very browser."""
    desk.start(**changed)
    return redeemed(desk, desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"]))


def redeemed(desk: Desk, where: str) -> dict[str, Any]:
    answer = desk.redeem(desk.answered(desk.agree(where))["code"])
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


def said(tokens: dict[str, Any], name: str = "acr") -> Any:
    return decode(tokens["id_token"])[1][name]


def silently(desk: Desk, **changed: str) -> dict[str, str]:
    request = tab(desk)
    return request.answered(desk.get(request.authorization_url(prompt="none", **changed)))


def refreshed(desk: Desk, tokens: dict[str, Any]) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    return backend(desk, "/oauth/token", form)


def backend(desk: Desk, path: str, form: dict[str, str]) -> httpx.Response:
    credentials = {name: desk.registered[name] for name in ("client_id", "client_secret")}
    with desk.provider.client() as client:
        return client.post(path, data={**form, **credentials})


def test_a029_prompt_login_is_a_new_sign_in_or_no_code(desk: Desk, held: Held) -> None:
    first = weak(desk, held)
    spent = f"{desk.provider.issuer}/oauth/authorize?login={desk.login.removeprefix('/login/')}"
    assert desk.client.get(spent).status_code == 403  # Back button: its code was given
    again = tab(desk).start(prompt="login", acr_values=ACR_QR)
    resume = f"/oauth/authorize?login={again.login.removeprefix('/login/')}"
    assert desk.client.get(resume).headers["location"] == again.login  # the link: still to do
    assert desk.client.post(f"{again.login}/finish").status_code in (400, 403)
    third = tab(desk).start(prompt="login", acr_values=ACR_QR)  # a parallel tab signs in
    time.sleep(1)  # auth_time counts seconds
    assert fetched(held, third.wallet_link).post().status_code == 200
    elsewhere = redeemed(third, third.get(third.wait_for("ready")["next"]))
    assert said(elsewhere, "auth_time") > said(first, "auth_time")
    assert desk.client.get(resume).headers["location"] == again.login
    assert fetched(held, again.wallet_link).post().status_code == 200
    fresh = redeemed(again, again.get(again.wait_for("ready")["next"]))
    assert said(fresh, "auth_time") >= said(elsewhere, "auth_time")


def test_a030_max_age_zero_is_a_new_sign_in(desk: Desk, held: Held) -> None:
    first = weak(desk, held)
    assert silently(desk, max_age="0")["error"] == "login_required"
    time.sleep(1)
    again = tab(desk)
    second = weak(again, held, max_age="0")
    assert said(second, "auth_time") > said(first, "auth_time")
    for value in ("-1", "1e99", "1;2", "1.5", "\u0661", "0x10", "9" * 12):
        assert silently(desk, max_age=value)["error"] == "invalid_request", value


def test_a032_what_was_done_is_what_is_said(desk: Desk, held: Held, demo: Provider) -> None:
    """Asked for more, the person must do more; by the QR nobody gets there."""
    assert said(weak(desk, held)) == ACR_QR
    for wanted in (ACR_RETURN_CODE, "phr", "phr phrh"):
        assert silently(desk, acr_values=wanted)["error"] == "interaction_required"
    asked = tab(desk).start(acr_values="phr")
    mark = demo.last_event()
    with Phone(demo) as phone:
        code = phone.return_code(fetched(held, asked.wallet_link).post().json()["redirect_uri"])
        where = asked.type_return_code(code)
    assert where.startswith(demo.issuer)  # a page: nothing is given to the relying party
    assert asked.answer.status_code == 403
    seen = [(event["kind"], event["reason"]) for event in demo.events_after(mark)]
    assert ("login:finish:refused", "acr_unmet") in seen
    assert ("session:start:accepted", "none") not in seen
    assert said(strong(tab(desk), held, acr_values="phr")) == "phr"
    once_more = tab(desk)
    assert said(redeemed(once_more, once_more.get(once_more.authorization_url()))) == "phr"


def test_a033_a_weaker_sign_in_is_no_step_up(desk: Desk, held: Held) -> None:
    """The last sign-in counts; the cookie of a stronger one before it opens nothing any more."""
    assert said(strong(desk, held, acr_values="phr")) == "phr"
    cookies = dict(desk.client.cookies)
    assert said(weak(tab(desk), held, prompt="login")) == ACR_QR
    assert silently(desk, acr_values="phr")["error"] == "interaction_required"
    with desk.provider.client(cookies=cookies) as kept:
        address = tab(desk).authorization_url(prompt="none")
        assert "error=login_required" in kept.get(address).headers["location"]
        assert kept.get("/account").status_code == 401


def test_a120_a_step_up_takes_the_session_over(desk: Desk, held: Held) -> None:
    """Same browser, same person: one session afterwards; what relied on the older one goes on as it was."""
    older = weak(desk, held, scope=OFFLINE)
    cookie = dict(desk.client.cookies)
    newer = strong(tab(desk), held, scope=OFFLINE, acr_values="phr")
    assert dict(desk.client.cookies) != cookie
    assert said(older, "sid") != said(newer, "sid")
    answer = refreshed(desk, older).json()
    assert (said(answer), said(answer, "sid")) == (ACR_QR, said(older, "sid"))
    assert said(answer, "auth_time") == said(older, "auth_time")
    told = backend(desk, "/oauth/introspect", {"token": answer["access_token"]}).json()
    assert (told["active"], told["acr"]) == (True, ACR_QR)
    desk.get("/account")
    assert f"/account/sessions/{said(newer, 'sid')}/end" in desk.page
    assert f"/account/sessions/{said(older, 'sid')}/end" not in desk.page
    # The older ID token still names the session of this browser: no question, and all of it ends.
    desk.get(f"/oauth/logout?{urlencode({'id_token_hint': older['id_token']})}")
    assert "<form" not in desk.page.partition("<main")[2]
    for tokens in (answer, newer):
        assert refreshed(desk, tokens).json()["error"] == "invalid_grant"


def test_a126_two_tabs_each_get_their_own_code(desk: Desk, held: Held) -> None:
    """Both sign in before either asks for its code: each code is its own party's, with its own nonce."""
    tabs = [tab(desk).start(acr_values=ACR_QR) for _ in range(2)]
    nexts = []
    for one in tabs:
        assert fetched(held, one.wallet_link).post().status_code == 200
        nexts.append(desk.client.get(one.wait_for("ready")["next"]).headers["location"])
    for one, where in zip(tabs, nexts, strict=True):
        answered = one.answered(one.get(where))
        assert answered["state"] == one.state
        assert said(one.redeem(answered["code"]).json(), "nonce") == one.nonce
    one, other = tab(desk), tab(desk)
    code = one.answered(one.get(one.authorization_url()))["code"]
    assert other.redeem(code).json()["error"] == "invalid_grant"  # the other tab's verifier
