"""The fast path answers as Flask does, octet for octet, and leaves to Flask whatever is unusual."""

import re
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import insert, select
from werkzeug.test import Client, TestResponse

from idp.app import create_app
from idp.contracts import Use
from idp.login import AuthorizationRequest, Wire, begin, digest, pin
from tests.unit.oidc.scene import ACR_2, HONG, Asked, Registered, World, sent_back

if TYPE_CHECKING:
    from idp.fast_path import FastPath
    from idp.logins import Logins
from idp.oidc import gate
from idp.store.sql import transaction
from idp.store.tables import cut_offs, sessions

DOCUMENTS = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/oauth/jwks",
]
FORM = "application/x-www-form-urlencoded"


class Pair:
    """The same application with and without the fast path; `to_flask` counts what the former hands on."""

    def __init__(self, world: World) -> None:
        self.world = world
        app = create_app(world.parts.settings, world.parts)
        self.path: FastPath = app.extensions["fast_path"]
        self.plain_app = self.path._flask
        self.to_flask = 0
        self.path._flask = self.path._documents._flask = self._count
        self.quick = Client(self.path, use_cookies=False)
        self.plain = Client(self.plain_app, use_cookies=False)

    def _count(self, environ: Any, start_response: Any) -> Any:
        self.to_flask += 1
        return self.plain_app(environ, start_response)

    def both(self, method: str, path: str, **options: Any) -> TestResponse:
        """The quick answer, which must be Flask's."""
        quick = self.quick.open(path, method=method, **options)
        plain = self.plain.open(path, method=method, **options)
        assert (quick.status_code, steady(quick)) == (plain.status_code, steady(plain))
        assert headers(quick) == headers(plain)
        return quick


def steady(response: TestResponse) -> bytes:
    """The body without the signature of signed metadata, which no two answers share."""
    return re.sub(rb'("signed_metadata":"[^"]*\.)[^".]*"', rb"\1", response.data)


def headers(response: TestResponse) -> list[tuple[str, str]]:
    """In no order; the length of two answers with different random values differs by nothing."""
    return sorted((name.lower(), value) for name, value in response.headers)


class Scanned:
    """A method with a QR, as polls see it."""

    def begin(self, _attempt: Any) -> Any: ...

    def complete(self, _attempt: Any, _state: Any, _answer: Any) -> Any: ...

    def request_object(self, _attempt: Any, _state: Any, _wallet: Any) -> str:
        return ""

    def link_query(self, request_uri: str) -> str:
        return urlencode({"client_id": "x509_hash:abc", "request_uri": request_uri})


HTTPS = pytest.mark.parametrize("issuer", ["https://id.example"])


@pytest.fixture
def issuer() -> str:
    return "http://localhost"


@pytest.fixture
def world(issuer: str, tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, issuer)
    made.parts = replace(made.parts, methods={"mobile_id": Scanned()})
    yield made
    made.close()


@pytest.fixture
def pair(world: World) -> Pair:
    return Pair(world)


@pytest.fixture
def program(world: World) -> Registered:
    return world.register(
        "program",
        grant_types=("client_credentials",),
        scope=("gongmu:people",),
        audience="https://api",
        redirect_uris=(),
        post_logout_redirect_uris=(),
    )


# --- public documents ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_document_is_flask_s_own(pair: Pair, path: str) -> None:
    pair.both("GET", path)
    before = pair.to_flask
    answer = pair.both("GET", path)
    assert answer.status_code == 200
    assert pair.to_flask == before


def test_new_keys_stand_in_the_document_at_once(pair: Pair) -> None:
    known = {key["kid"] for key in pair.both("GET", "/oauth/jwks").json["keys"]}
    pair.world.parts.keys.rotate(Use.OIDC)
    now = {key["kid"] for key in pair.both("GET", "/oauth/jwks").json["keys"]}
    assert known < now


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", "/oauth/jwks"),
        ("POST", "/oauth/jwks"),
        ("OPTIONS", "/oauth/jwks"),
        ("GET", "/oauth/jwks?x=1"),
        ("GET", "/oauth/token"),
        ("GET", "/login/short/status"),
    ],
)
def test_the_unusual_goes_to_flask(pair: Pair, method: str, path: str) -> None:
    quick = pair.quick.open(path, method=method)
    assert pair.to_flask == 1
    assert quick.status_code == pair.plain.open(path, method=method).status_code


# --- tokens -------------------------------------------------------------------------------------------


def same_kind(pair: Pair, path: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """An answer whose values differ each time: status, headers and names are Flask's."""
    quick, plain = pair.quick.post(path, **options), pair.plain.post(path, **options)
    assert quick.status_code == plain.status_code
    assert headers(quick) == headers(plain)
    assert list(quick.json) == list(plain.json)
    assert quick.data.endswith(b"\n")
    return dict(quick.json)


def test_a_token_for_a_program(pair: Pair, program: Registered) -> None:
    options = {"data": {"grant_type": "client_credentials"}, "headers": program.basic}
    told = same_kind(pair, "/oauth/token", options)
    assert told["token_type"] == "Bearer"
    assert pair.to_flask == 0


@pytest.mark.parametrize(
    "form",
    [{}, {"grant_type": "password"}, {"grant_type": "client_credentials", "scope": "openid"}],
)
def test_refusals_are_flask_s_own(pair: Pair, program: Registered, form: dict[str, str]) -> None:
    answer = pair.both("POST", "/oauth/token", data=form, headers=program.basic)
    assert answer.status_code == 400


def test_a_wrong_secret_is_refused_and_recorded(pair: Pair, program: Registered) -> None:
    options = {"data": {"grant_type": "client_credentials"}}
    answer = pair.both("POST", "/oauth/token", auth=(program.client_id, "wrong"), **options)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    refusals = pair.world.events(kind="token:issue:refused")
    assert [event["reason"] for event in refusals] == ["client_authentication"] * 2


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"grant_type=client_credentials", "application/json"),
        (b"grant_type=a&grant_type=b", FORM),
        (b"grant_type=%ff", FORM),
        (b"a=" + b"x" * 65537, FORM),
        (b"a=1&" * 65, FORM),
    ],
)
def test_hostile_bodies_are_refused_alike(pair: Pair, body: bytes, kind: str) -> None:
    answer = pair.both("POST", "/oauth/token", data=body, content_type=kind)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("length", ["-1", "1e3", "", "٣"])
def test_strange_lengths_go_to_flask(pair: Pair, length: str) -> None:
    answer = pair.both(
        "POST",
        "/oauth/token",
        environ_overrides={"CONTENT_LENGTH": length, "CONTENT_TYPE": FORM},
    )
    assert 400 <= answer.status_code < 500


def tokens(world: World) -> tuple[Registered, dict[str, Any]]:
    """A person's tokens at a relying party."""
    asked = Asked(world.register())
    browser = world.browser()
    secure = world.parts.settings.issuer.startswith("https://")
    _, cookie = world.new_session(HONG, ACR_2)
    browser.set_cookie("__Host-gongmu-session" if secure else "gongmu-session", cookie)
    sent = browser.get("/oauth/authorize", query_string=asked.parameters()).headers["Location"]
    form = asked.form(sent_back(sent)["code"])
    answer = browser.post("/oauth/token", data=form, headers=asked.registered.basic)
    return asked.registered, dict(answer.json or {})


def test_userinfo_and_introspection(pair: Pair) -> None:
    party, known = tokens(pair.world)
    bearer = {"Authorization": f"Bearer {known['access_token']}"}
    assert pair.both("GET", "/oauth/userinfo", headers=bearer).json["name"] == HONG.name
    form = {"token": known["access_token"]}
    told = pair.both("POST", "/oauth/introspect", data=form, headers=party.basic)
    assert told.json["active"] is True
    assert pair.to_flask == 0
    pair.world.end_all()
    assert pair.both("GET", "/oauth/userinfo", headers=bearer).status_code == 401
    told = pair.both("POST", "/oauth/introspect", data=form, headers=party.basic)
    assert told.json == {"active": False}


def test_a_cut_off_while_the_directory_is_slow_counts(pair: Pair, world: World) -> None:
    _, known = tokens(world)
    found = world.directory.find

    def slowly(number: str) -> Any:
        with transaction(world.parts.engine) as connection:
            subject = connection.scalar(select(sessions.c.subject))
            row = {"id": "c", "subject": subject, "at": world.clock(), "reason": "loss"}
            connection.execute(insert(cut_offs).values(**row))
        time.sleep(gate.MOMENT_S * 1.5)
        return found(number)

    world.directory.find = slowly  # type: ignore[method-assign]
    bearer = {"Authorization": f"Bearer {known['access_token']}"}
    assert pair.quick.get("/oauth/userinfo", headers=bearer).status_code == 401


def test_a_fault_of_ours_is_told_as_flask_tells_it(pair: Pair, world: World) -> None:
    _, known = tokens(world)
    world.adapter.claims = lambda _official, _scope: 1 / 0  # type: ignore[method-assign]
    bearer = {"Authorization": f"Bearer {known['access_token']}"}
    assert pair.both("GET", "/oauth/userinfo", headers=bearer).status_code == 500


@HTTPS
def test_over_https_as_well(pair: Pair, world: World) -> None:
    _, known = tokens(world)
    bearer = {"Authorization": f"Bearer {known['access_token']}"}
    waiting = Waiting(world)
    for path, sent in (("/oauth/userinfo", bearer), (waiting.path, waiting.cookie)):
        answer = pair.both("GET", path, headers=sent)
        assert answer.headers["Strict-Transport-Security"]
    assert pair.to_flask == 0


# --- authorize ----------------------------------------------------------------------------------------


def test_a_redirect_has_flask_s_headers(pair: Pair, world: World) -> None:
    registered = world.register()
    _, cookie = world.new_session(HONG, ACR_2)
    sent = {"Cookie": f"gongmu-session={cookie}; gongmu-browser={secrets.token_urlsafe(32)}"}
    for changed in ({}, {"prompt": "none"}, {"max_age": "0"}, {"prompt": "none login"}):
        asked = Asked(registered)
        parameters = asked.parameters(**changed)
        quick = pair.quick.get("/oauth/authorize", query_string=parameters, headers=sent)
        plain = pair.plain.get("/oauth/authorize", query_string=parameters, headers=sent)
        assert (quick.status, quick.data) == (plain.status, plain.data) == ("303 SEE OTHER", b"")
        without = [
            [pair for pair in headers(answer) if pair[0] != "location"] for answer in (quick, plain)
        ]
        assert without[0] == without[1]
        places = [answer.headers["Location"] for answer in (quick, plain)]
        assert len({place.partition("=")[0].rpartition("/")[0] for place in places}) == 1
    assert pair.to_flask == 0


@pytest.mark.parametrize(
    "query",
    [
        "",
        "client_id=nobody",
        "client_id=mail&client_id=mail",
        "x=%ff",
        "x=%EF%BF%BD",
        "x=" + "y" * 9000,
        "&".join(f"x{number}=1" for number in range(70)),
        "login=unknown",
    ],
)
def test_pages_and_refusals_of_authorize_are_flask_s_own(pair: Pair, query: str) -> None:
    answers = [
        client.get("/oauth/authorize", query_string=query, headers={"Cookie": ""})
        for client in (pair.quick, pair.plain)
    ]
    assert answers[0].status_code == answers[1].status_code >= 400
    names = [[name for name, _ in answer.headers] for answer in answers]
    assert names[0] == names[1]


def test_a_browser_without_a_cookie_gets_one(pair: Pair, world: World) -> None:
    asked = Asked(world.register())
    answer = pair.quick.get("/oauth/authorize", query_string=asked.parameters())
    assert answer.status_code == 303
    assert answer.headers["Set-Cookie"].startswith("gongmu-browser=")


# --- polls --------------------------------------------------------------------------------------------


class Waiting:
    """A login whose QR is on a screen."""

    def __init__(self, world: World) -> None:
        self.browser = secrets.token_urlsafe(32)
        self.logins: Logins = world.parts.logins
        asked = AuthorizationRequest("mail", "https://x", "query", ("openid",), None, None, "")
        started = self.logins.start(asked, digest(self.browser), ACR_2)
        handle, secret = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
        self.state = begin(started, Wire("mobile_id", handle, "n", secret, {}, world.clock()))
        self.logins.put(self.state)
        self.path = f"/login/{started.ticket.id}/status"
        secure = world.parts.settings.issuer.startswith("https://")
        self.name = "__Host-gongmu-browser" if secure else "gongmu-browser"

    @property
    def cookie(self) -> dict[str, str]:
        return {"Cookie": f"gongmu-lang=en; {self.name}={self.browser}; other=1"}


@pytest.mark.parametrize("later_s", [0, 1, 1.4, 7.9, 119])
def test_a_poll_is_the_page_s_own(pair: Pair, world: World, later_s: float) -> None:
    waiting = Waiting(world)
    world.clock.forward(later_s)
    told = pair.both("GET", waiting.path, headers=waiting.cookie).json
    assert told["step"] == "waiting"
    assert len(told["frames"]) == 4
    assert pair.to_flask == 0


@pytest.mark.parametrize("name", ["Sec-Purpose", "Purpose"])
def test_what_a_browser_fetches_ahead_is_left_to_flask(pair: Pair, world: World, name: str) -> None:
    waiting = Waiting(world)
    pair.both("GET", waiting.path, headers={**waiting.cookie, name: "prefetch"})
    assert pair.to_flask == 1


def test_a_poll_after_the_scan_is_left_to_the_page(pair: Pair, world: World) -> None:
    waiting = Waiting(world)
    waiting.logins.put(pin(waiting.state, "000abc", "192.0.2.1"))
    assert pair.both("GET", waiting.path, headers=waiting.cookie).json["step"] == "scanned"
    assert pair.to_flask == 1


def test_an_expired_login_is_left_to_the_page(pair: Pair, world: World) -> None:
    waiting = Waiting(world)
    world.clock.forward(120)
    assert pair.both("GET", waiting.path, headers=waiting.cookie).json["step"] == "expired"
    assert pair.to_flask == 1


def test_a158_another_browser_learns_nothing(pair: Pair, world: World) -> None:
    waiting = Waiting(world)
    other = {"Cookie": f"{waiting.name}={secrets.token_urlsafe(32)}"}
    answer = pair.quick.get(waiting.path, headers=other)
    assert answer.status_code >= 400
    assert b"frames" not in answer.data
    assert pair.to_flask == 1


@pytest.mark.parametrize(
    "cookies",
    [
        "",
        "{name}=",
        "{name}=short",
        "{name}=a; {name}={value}",
        "x{name}={value}",
        "{name}={value} ",
    ],
)
def test_cookies_that_are_not_plain_are_left_to_flask(
    pair: Pair, world: World, cookies: str
) -> None:
    waiting = Waiting(world)
    sent = cookies.format(name=waiting.name, value=waiting.browser)
    pair.quick.get(waiting.path, headers={"Cookie": sent})
    assert pair.to_flask == 1


def test_an_unknown_login_is_left_to_the_page(pair: Pair, world: World) -> None:
    waiting = Waiting(world)
    unknown = f"/login/{secrets.token_urlsafe(16)}/status"
    assert pair.quick.get(unknown, headers=waiting.cookie).status_code == 404
    assert pair.to_flask == 1


# --- what Flask's hooks do ----------------------------------------------------------------------------


def test_every_hook_is_known_here(pair: Pair) -> None:
    """A hook that someone adds must be looked at, whether the fast path does the same."""
    app = pair.path._app
    before = {hook.__qualname__ for hooks in app.before_request_funcs.values() for hook in hooks}
    after = {
        hook.__qualname__
        for scope in (None, "oidc", "login")
        for hook in app.after_request_funcs.get(scope, ())
    }
    # `_only_people_act`: authorization requests run it; polls fetched ahead go to Flask;
    # `_only_when_on` is of the registration routes alone, `check_path` of two that are not here.
    assert before <= {"_start", "_limits", "_only_people_act", "_only_when_on", "check_path"}
    assert {"_start", "_limits"} <= before
    # `keep_nonce` and `allow` have to do with an answer that is not plain: Flask gives it.
    assert after == {"_measure", "_headers", "keep_cookies", "keep_nonce", "allow"}
    assert not app.teardown_request_funcs
    assert not app.url_value_preprocessors
