"""What a browser is made to keep (A-120, A-121, A-129)."""

import re
from collections.abc import Iterator

import pytest

from tests.attacks.holder import Held, fetched
from tests.desk import Desk
from tests.provider import Provider

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def https_held(demo_https: Provider) -> Held:
    return Held.receive(demo_https, demo_https.person(index=9))


@pytest.fixture
def https_desk(demo_https: Provider) -> Iterator[Desk]:
    with Desk(demo_https) as browser:
        yield browser


def given(desk: Desk, address: str) -> list[str]:
    """The Set-Cookie headers of one answer."""
    return desk.client.get(address).headers.get_list("set-cookie")


def is_safe(cookie: str) -> bool:
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    named = cookie.startswith("__Host-gongmu-")
    return (
        named
        and {"secure", "httponly", "samesite=lax", "path=/"} <= parts
        and "domain" not in (cookie.lower())
    )


def sign_in(desk: Desk, held: Held, **changed: str) -> tuple[str, list[str]]:
    """The session cookie's value, and every Set-Cookie on the way."""
    desk.start(**changed)
    redirect_uri = fetched(held, desk.wallet_link).post().json()["redirect_uri"]
    answer = desk.client.get(redirect_uri)
    cookies = answer.headers.get_list("set-cookie")
    assert answer.status_code == 303
    desk.get(answer.headers["location"])
    [session] = [cookie for cookie in cookies if "-session=" in cookie]
    return re.split("[=;]", session)[1], cookies


def test_a121_cookies_over_https(https_desk: Desk, https_held: Held) -> None:
    first = given(https_desk, https_desk.authorization_url())
    assert first
    assert all(is_safe(cookie) for cookie in first), first
    with Desk(https_desk.provider) as another:
        _, cookies = sign_in(another, https_held)
    assert cookies
    assert all(is_safe(cookie) for cookie in cookies), cookies


def test_a120_a_session_is_new_at_every_sign_in(demo: Provider, held: Held) -> None:
    with Desk(demo) as desk:
        value, _ = sign_in(desk, held)
        desk.verifier = f"{desk.verifier}x"
        again, _ = sign_in(desk, held, prompt="login")
    assert value != again


def test_a120_a_session_chosen_by_an_attacker_is_not_kept(demo: Provider, held: Held) -> None:
    with Desk(demo) as desk:
        desk.client.cookies.set("gongmu-session", "x" * 43, domain="localhost.local")
        value, _ = sign_in(desk, held)
    assert value != "x" * 43


def test_a129_a_kept_cookie_is_dead_after_logout(demo: Provider, held: Held) -> None:
    with Desk(demo) as desk, Desk(demo) as later:
        desk.start()
        where = desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
        hint = desk.redeem(desk.answered(where)["code"]).json()["id_token"]
        later.client.cookies.update(desk.client.cookies)
        assert "code" in later.answered(later.get(later.authorization_url(prompt="none")))
        desk.get(f"{demo.discovery()['end_session_endpoint']}?id_token_hint={hint}")
        after = Desk(demo)
        after.client.close()
        after.client = later.client
        answered = after.answered(after.get(after.authorization_url(prompt="none")))
    assert answered["error"] == "login_required"
