"""Refresh tokens: rotation, the grace, reuse, the ends of a family."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from idp.contracts import State
from idp.events import Reason
from tests.unit.oidc.scene import Asked, Registered, World
from tests.unit.oidc.test_authorize import code_of
from tests.unit.oidc.test_token import is_refused, redeem

Refresh = Callable[..., Any]
SCOPE = "openid profile email offline_access"


@pytest.fixture
def first(world: World, browser: FlaskClient, asked: Asked) -> dict[str, Any]:
    """The answer to a code, with the first token of a family."""
    world.sign_in(browser)
    answer = redeem(browser, asked, code_of(world, browser, asked, scope=SCOPE))
    found: dict[str, Any] = answer.json
    return found


@pytest.fixture
def refresh(world: World, mail: Registered) -> Refresh:
    def send(token: str, party: Registered = mail, **form: str) -> Any:
        data = {"grant_type": "refresh_token", "refresh_token": token, **form}
        return world.browser().post("/oauth/token", data=data, headers=party.basic)

    return send


def works(world: World, access_token: str) -> bool:
    bearer = {"Authorization": f"Bearer {access_token}"}
    return bool(world.browser().get("/oauth/userinfo", headers=bearer).status_code == 200)


def test_only_with_offline_access_and_only_where_registered(
    world: World, browser: FlaskClient, mail: Registered
) -> None:
    world.sign_in(browser)
    asked = Asked(mail)
    answer = redeem(browser, asked, code_of(world, browser, asked))
    assert "refresh_token" not in answer.json
    without = Asked(world.register("without", grant_types=("authorization_code",)))
    answer = redeem(browser, without, code_of(world, browser, without, scope=SCOPE))
    assert "refresh_token" not in answer.json


def test_rotation(world: World, first: dict[str, Any], refresh: Refresh) -> None:
    answer = refresh(first["refresh_token"])
    assert answer.status_code == 200, answer.text
    assert set(answer.json) == set(first)
    assert answer.json["refresh_token"] != first["refresh_token"]
    assert answer.json["scope"] == SCOPE
    assert works(world, answer.json["access_token"])
    assert refresh(answer.json["refresh_token"]).status_code == 200
    kept = str(world.memory.dump())
    for token in (first["refresh_token"], answer.json["refresh_token"]):
        assert token not in kept  # a reader of the store holds no token
        assert answer.json["access_token"] not in kept


def test_the_same_answer_again_inside_the_grace(
    world: World, first: dict[str, Any], refresh: Refresh
) -> None:
    one = refresh(first["refresh_token"])
    world.clock.forward(9)
    assert refresh(first["refresh_token"]).json == one.json
    assert refresh(one.json["refresh_token"]).status_code == 200


def test_reuse_after_the_grace_ends_the_family(
    world: World, first: dict[str, Any], refresh: Refresh
) -> None:
    """A-077."""
    one = refresh(first["refresh_token"])
    world.clock.forward(10)
    is_refused(refresh(first["refresh_token"]), "invalid_grant")
    is_refused(refresh(one.json["refresh_token"]), "invalid_grant")
    assert not works(world, one.json["access_token"])
    [event] = world.events(kind="token:refresh:reused")
    assert event["reason"] == "grant_replayed"
    assert first["refresh_token"] not in str(event)


def test_reuse_out_of_order_ends_the_family_even_inside_the_grace(
    world: World, first: dict[str, Any], refresh: Refresh
) -> None:
    one = refresh(first["refresh_token"])
    two = refresh(one.json["refresh_token"])
    is_refused(refresh(first["refresh_token"]), "invalid_grant")
    is_refused(refresh(two.json["refresh_token"]), "invalid_grant")


def test_a_token_in_another_clients_hands_ends_the_family(
    world: World, first: dict[str, Any], refresh: Refresh
) -> None:
    """A-074, A-077."""
    other = world.register("other")
    is_refused(refresh(first["refresh_token"], other), "invalid_grant")
    is_refused(refresh(first["refresh_token"]), "invalid_grant")
    assert len(world.events(kind="token:refresh:reused")) == 1


def test_a_guess_ends_nothing(first: dict[str, Any], refresh: Refresh) -> None:
    grant, secret, mac = first["refresh_token"].split(".")
    for guess in (
        f"{grant}.{'A' * 43}.{mac}",
        f"{grant}.{secret}.{'A' * len(mac)}",
        f"{grant}.{secret}.{mac}=",
        f"{grant}.{secret}",
        f"{grant}..{mac}",
        f"{secret}.{grant}.{mac}",
        first["access_token"],
        "é.é.é",
        "x" * 5000,
    ):
        is_refused(refresh(guess), "invalid_grant")
    assert refresh(first["refresh_token"]).status_code == 200


def test_after_a_flush_it_is_unknown_and_no_reuse(
    world: World, first: dict[str, Any], refresh: Refresh
) -> None:
    world.memory._entries.clear()
    is_refused(refresh(first["refresh_token"]), "invalid_grant")
    assert world.events(kind="token:refresh:reused") == []
    assert works(world, first["access_token"])


def test_idle_and_total_life(world: World, first: dict[str, Any], refresh: Refresh) -> None:
    """A-076."""
    world.clock.forward(8 * 3600 - 1)
    one = refresh(first["refresh_token"])
    assert one.status_code == 200
    world.clock.forward(4 * 3600 + 1)
    is_refused(refresh(one.json["refresh_token"]), "invalid_grant")


def test_idle(world: World, first: dict[str, Any], refresh: Refresh) -> None:
    world.clock.forward(8 * 3600)
    is_refused(refresh(first["refresh_token"]), "invalid_grant")
    assert {event["reason"] for event in world.events(kind="token:issue:refused")} == {
        "grant_expired"
    }


def test_scope_narrows_and_never_widens(
    world: World, first: dict[str, Any], refresh: Refresh
) -> None:
    is_refused(refresh(first["refresh_token"], scope="openid groups"), "invalid_scope")
    answer = refresh(first["refresh_token"], scope="openid")
    assert answer.json["scope"] == "openid"
    bearer = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert "name" not in world.browser().get("/oauth/userinfo", headers=bearer).json
    assert refresh(answer.json["refresh_token"]).json["scope"] == SCOPE


def test_the_gate_on_every_refresh(world: World, first: dict[str, Any], refresh: Refresh) -> None:
    world.directory.away = True
    assert refresh(first["refresh_token"]).status_code == 503
    world.directory.away = False
    world.directory.change("E100", state=State.SUSPENDED)
    is_refused(refresh(first["refresh_token"]), "invalid_grant")
    world.directory.change("E100", state=State.ACTIVE)
    world.adapter.closed = True
    is_refused(refresh(first["refresh_token"]), "invalid_grant")
    world.adapter.closed = False
    one = refresh(first["refresh_token"])  # none of that burned the token
    assert one.status_code == 200
    [session] = [event["session"] for event in world.events(kind="session:start:accepted")]
    world.parts.sessions.end(session, Reason.BY_PERSON)
    is_refused(refresh(one.json["refresh_token"]), "invalid_grant")
    world.parts.relying_parties.set_disabled("mail", True, "test")
    is_refused(refresh(one.json["refresh_token"]), "invalid_client", 401)


def test_many_at_once_get_one_new_token(
    world: World, first: dict[str, Any], refresh: Refresh
) -> None:
    answers: list[Any] = []
    barrier = threading.Barrier(8)

    def run() -> None:
        barrier.wait()
        answers.append(refresh(first["refresh_token"]))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json["refresh_token"] for answer in answers}) == 1
    assert refresh(answers[0].json["refresh_token"]).status_code == 200
    assert world.events(kind="token:refresh:reused") == []
