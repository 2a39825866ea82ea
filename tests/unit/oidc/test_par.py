"""Pushed requests in time: what a `request_uri` opens, for how long, and how often it gives a code."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.conf import Rates
from idp.login import Finished, Started
from idp.oidc import par
from tests.unit.oidc.scene import Asked, World, sent_back


def pushed(world: World, asked: Asked, **changed: str | None) -> str:
    answer = world.browser().post(
        "/oauth/par", data=asked.parameters(**changed), headers=asked.registered.basic
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json["request_uri"])


def opened(browser: FlaskClient, uri: str) -> TestResponse:
    query = {"client_id": "mail", "request_uri": uri}
    return browser.get("/oauth/authorize", query_string=query)


def login_of(answer: TestResponse) -> str:
    path = urlsplit(answer.headers["Location"]).path
    assert path.startswith("/login/")
    return path.removeprefix("/login/")


def finish(world: World, browser: FlaskClient, login_id: str) -> TestResponse:
    """Sign in for this login, as the login pages do, and come back from them."""
    session = world.sign_in(browser)
    text = world.parts.short.get(f"login:{login_id}")
    assert text is not None
    ticket = json.loads(text)["ticket"]
    stored = world.parts.logins.peek_for(login_id, ticket["browser_hash"])
    assert isinstance(stored.state, Started)
    world.parts.logins.change(stored, Finished(stored.state.ticket, None, session.id))
    return browser.get(f"/oauth/authorize?login={login_id}")


def test_a_login_that_began_in_time_may_end_later(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    uri = pushed(world, asked)
    world.clock.forward(par.LIFE_S - 1)
    login_id = login_of(opened(browser, uri))
    world.clock.forward(world.parts.settings.lifetimes.login_s - 1)
    assert opened(browser, uri).status_code == 400
    answer = finish(world, browser, login_id)
    assert sent_back(answer.headers["Location"])["code"]


def test_of_two_logins_of_one_push_one_gets_a_code(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    """A-014 where the page was opened twice: the second tab ends on a page of ours."""
    uri, other = pushed(world, asked), world.browser()
    first, second = login_of(opened(browser, uri)), login_of(opened(other, uri))
    assert sent_back(finish(world, browser, first).headers["Location"])["code"]
    late = finish(world, other, second)
    assert late.status_code == 400
    assert "Location" not in late.headers


def test_an_error_does_not_use_it_up(world: World, browser: FlaskClient, asked: Asked) -> None:
    uri = pushed(world, asked, prompt="none")
    told = sent_back(opened(browser, uri).headers["Location"])
    assert told["error"] == "login_required"
    world.sign_in(browser)
    assert sent_back(opened(browser, uri).headers["Location"])["code"]


def test_what_the_store_has_lost_gives_no_code(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    """After a flush nothing can be told from what was used: absence refuses."""
    uri = pushed(world, asked)
    login_id = login_of(opened(browser, uri))
    for key in [key for key in world.memory._entries if key.startswith("par:")]:
        world.memory.delete(key)
    assert finish(world, browser, login_id).status_code == 400


def test_what_another_version_wrote_is_unknown(
    world: World, browser: FlaskClient, asked: Asked
) -> None:
    uri = pushed(world, asked)
    [key] = [key for key in world.memory._entries if key.startswith("par:")]
    world.parts.short.put(key, '{"request": {}}', 60)
    assert opened(browser, uri).status_code == 400


def test_the_uri_itself_is_kept_nowhere(world: World, asked: Asked) -> None:
    uri = pushed(world, asked)
    secret = uri.removeprefix(par.PREFIX)
    assert secret not in str(world.memory._entries)
    assert secret not in str(world.events())


@pytest.mark.parametrize("method", ["get", "put"])
def test_only_post(browser: FlaskClient, method: str) -> None:
    answer = getattr(browser, method)("/oauth/par")
    assert answer.status_code == 405
    assert answer.json["error"] == "invalid_request"


def test_who_proves_nothing_may_push_so_often_only(tmp_path: Path) -> None:
    """A push is kept for minutes: a flood of them from one address ends as one of sign-ins does."""
    world = World(tmp_path, rates=Rates(logins=2))
    native = world.register("native", profile="public", token_endpoint_auth_methods=("none",))
    mail = world.register("mail")
    statuses = [
        world.browser().post("/oauth/par", data=Asked(native).parameters()).status_code
        for _ in range(4)
    ]
    assert statuses == [201, 201, 429, 429]
    for _ in range(3):  # the one address of a service stands for all its people
        pushed(world, Asked(mail))
    world.close()
