"""A-155 (v), A-135: "this was not me" stops what was started in one's name, however quick the desk is."""

import hmac
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp import randomness
from idp.app import create_app
from idp.contracts import Identifier, Proof
from idp.events import Kind
from idp.login import (
    AuthorizationRequest,
    Person,
    Proved,
    Ticket,
    Waiting,
    Wire,
    digest,
    prove,
    show_return_code,
)
from idp.logins import Logins
from idp.sessions import Sessions
from idp.store.sql import transaction
from tests.attacks.holder import Held, fetched
from tests.desk import ACR_QR, ACR_RETURN_CODE, Desk, Phone
from tests.provider import Provider
from tests.unit.oidc.scene import HONG, World


class SlowSessions(Sessions):
    """Like a busy database: the session is written when the test says."""

    def __init__(self, whole: Sessions) -> None:
        super().__init__(whole._engine, whole._journal, whole._lifetimes, whole._now)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def start(self, *arguments: Any) -> str:
        self.begun.set()
        assert self.go_on.wait(10)
        return super().start(*arguments)


class OvertakenLogins(Logins):
    """Somebody else is quicker, once, just before a login is ended."""

    before_the_end: Callable[[], object] | None = None

    def change(self, stored: Any, new: Any) -> Any:
        if self.before_the_end is not None and new.step == "failed":
            run, self.before_the_end = self.before_the_end, None
            thread = threading.Thread(target=run)
            thread.start()
            thread.join(10)
        return super().change(stored, new)


@dataclass
class Scene:
    """A login that a phone has proved and that waits for its return code."""

    world: World
    app: Flask
    state: Proved
    desk: FlaskClient
    phone: FlaskClient

    def csrf(self, secret_hash: str, purpose: str) -> str:
        key = self.world.parts.keys.secret("csrf")
        return hmac.digest(key, f"{secret_hash}:{purpose}".encode(), "sha256").hex()

    def type_the_code(self) -> TestResponse:
        login = self.state.ticket.id
        token = self.csrf(self.state.ticket.browser_hash, f"login:{login}")
        form = {"csrf": token, "return_code": self.state.return_code}
        return self.desk.post(f"/login/{login}/return-code", data=form)

    def disown(self) -> TestResponse:
        handle = self.state.wire.handle
        token = self.csrf(self.state.approver_hash, f"approve:{handle}")
        return self.phone.post(f"/vp/{handle}/not-me", data={"csrf": token})

    def nobody_is_in(self) -> None:
        assert self.world.parts.sessions.of(self.state.person.subject) == []
        kinds = [row["kind"] for row in self.world.parts.journal.read()]
        assert Kind.LOGIN_NOT_ME.value in kinds


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.register("mail", consent="trusted")
    yield world
    world.close()


def scene_of(world: World, **changed: Any) -> Scene:
    world.parts = replace(world.parts, **changed)
    desk_secret, phone_secret = randomness.token(32), randomness.token(32)
    state = _proved(world, digest(desk_secret), digest(phone_secret))
    app = create_app(world.parts.settings, world.parts)
    desk, phone = app.test_client(), app.test_client()
    desk.set_cookie("gongmu-browser", desk_secret)
    phone.set_cookie("gongmu-browser", phone_secret)
    return Scene(world, app, state, desk, phone)


def _proved(world: World, desk_hash: str, phone_hash: str) -> Proved:
    parts, now = world.parts, world.clock()
    identifier = Identifier(parts.settings.issuer, HONG.personnel_number)
    with transaction(parts.engine) as connection:
        subject = parts.people.subject(connection, identifier)
    asked = AuthorizationRequest(
        "mail", "https://mail.example/cb", "query", ("openid",), None, None, ""
    )
    ticket = Ticket(
        randomness.token(16),
        randomness.token(16),
        desk_hash,
        asked,
        "mail",
        "urn:gongmu:acr:2",
        now,
        now + timedelta(seconds=120),
    )
    wire = Wire("mobile_id", randomness.token(16), "n", "secret", {}, now)
    proof = Proof(identifier, frozenset({"pop"}), frozenset(), now)
    person = Person(subject, HONG.source, HONG.personnel_number, HONG.name)
    state = show_return_code(prove(Waiting(ticket, wire), proof, person, "d"), phone_hash)
    parts.logins.put(state)
    parts.logins.register_handle(wire.handle, ticket.id)
    return state


def test_a155_disowned_while_the_session_is_being_written(world: World) -> None:
    slow = SlowSessions(world.parts.sessions)
    scene = scene_of(world, sessions=slow)
    answers: list[TestResponse] = []
    desk = threading.Thread(target=lambda: answers.append(scene.type_the_code()))
    desk.start()
    assert slow.begun.wait(10)
    said = scene.disown()
    slow.go_on.set()
    desk.join(10)
    assert said.status_code == 200
    assert answers[0].status_code == 403
    assert "gongmu-session" not in answers[0].headers.get("Set-Cookie", "")
    scene.nobody_is_in()


def test_a155_disowned_while_the_desk_types_the_code(world: World) -> None:
    old = world.parts.logins
    logins = OvertakenLogins(old._short, old._now, old._lifetime_s)
    scene = scene_of(world, logins=logins)
    logins.before_the_end = scene.type_the_code
    assert scene.disown().status_code == 200
    scene.nobody_is_in()


def test_a155_an_alarm_needs_the_form_that_the_approver_was_shown(world: World) -> None:
    scene = scene_of(world)
    handle = scene.state.wire.handle
    own = hmac.new(b"x" * 43, f"csrf:approve:{handle}".encode(), "sha256").hexdigest()
    stranger = scene.app.test_client()
    stranger.set_cookie("gongmu-browser", "x" * 43)
    for aim in (handle, "made-up-handle"):
        answer = stranger.post(f"/vp/{aim}/not-me", data={"csrf": own})
        assert answer.status_code == 403
    kinds = [row["kind"] for row in world.parts.journal.read()]
    assert Kind.LOGIN_NOT_ME.value not in kinds
    assert scene.type_the_code().status_code == 303


@pytest.mark.services
def test_a155_the_victim_of_a_relay_can_disown_though_the_desk_was_quicker(demo: Provider) -> None:
    held = Held.receive(demo, demo.person(index=6))
    with Desk(demo) as attacker, Phone(demo) as victim:
        attacker.start(acr_values=ACR_QR)
        address = fetched(held, attacker.wallet_link).post().json()["redirect_uri"]
        attacker.answered(attacker.get(attacker.wait_for("ready")["next"]))
        victim.get(address)
        assert "/not-me" in victim.page


@pytest.mark.services
def test_a135_another_persons_sign_in_ends_the_session_this_browser_had(demo: Provider) -> None:
    one = Held.receive(demo, demo.person(index=6))
    two = Held.receive(demo, demo.person(index=7))
    with Desk(demo) as desk, Desk(demo) as again:
        desk.start()
        fetched(one, desk.wallet_link).post()
        desk.answered(desk.get(desk.wait_for("ready")["next"]))
        old = desk.client.cookies["gongmu-session"]
        again.client.close()
        again.client = desk.client
        again.start(prompt="login")
        fetched(two, again.wallet_link).post()
        again.answered(again.get(again.wait_for("ready")["next"]))
        assert desk.client.cookies["gongmu-session"] != old
        with demo.client(cookies={"gongmu-session": old}) as thief:
            assert thief.get("/account").status_code == 401


@pytest.mark.services
@pytest.mark.parametrize(
    ("method", "headers"), [("HEAD", {}), ("GET", {"Sec-Purpose": "prefetch"})]
)
def test_a159_whoever_looks_without_opening_uses_nothing_up(
    demo: Provider, method: str, headers: dict[str, str]
) -> None:
    held = Held.receive(demo, demo.person(index=2))
    with Desk(demo) as desk, Phone(demo) as phone:
        desk.start(acr_values=ACR_RETURN_CODE)
        address = fetched(held, desk.wallet_link).post().json()["redirect_uri"]
        with demo.client() as checker:
            assert checker.request(method, address, headers=headers).status_code in (405, 503)
        assert len(phone.return_code(address)) == 6
