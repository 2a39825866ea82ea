"""What browsers are protected by: headers on everything, forms of our own alone, text that stays text.

The provider runs in this process (A-123, A-125, A-133, A-134 need no wallet); what only a whole one
has is asked of the demo.
"""

import html
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import render_template
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.browser import csrf_token
from tests.desk import Desk
from tests.fakes.html import Page
from tests.fakes.pages import SAMPLES, create_pages_app, settings
from tests.provider import Provider
from tests.unit.oidc.scene import HONG, KIM, Asked, World

EXPECTED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
POLICY = ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def browser(world: World) -> FlaskClient:
    """A browser of Hong's, signed in, whose own cookie is known."""
    made = world.browser()
    made.set_cookie("gongmu-browser", "b" * 43)
    world.sign_in(made)
    return made


def is_guarded(headers: Any, where: str) -> None:
    """A-133: every header, on every answer."""
    assert {name: headers.get(name) for name in EXPECTED} == EXPECTED, where
    policy = headers.get("Content-Security-Policy", "")
    assert all(part in policy for part in POLICY), where
    assert "unsafe" not in policy, where
    assert "camera=(self)" in headers.get("Permissions-Policy", ""), where
    assert headers.get("Cache-Control"), where
    assert "Strict-Transport-Security" not in headers or headers["Strict-Transport-Security"]


# --- headers ------------------------------------------------------------------------


def test_a133_every_route_by_every_method(world: World, browser: FlaskClient) -> None:
    """Whatever the answer is: a page, an error, a redirect, a document."""
    for rule in world.app.url_map.iter_rules():
        address = re.sub(r"<[^>]*>", "x", rule.rule)
        for method in METHODS:
            answer = browser.open(address, method=method)
            is_guarded(answer.headers, f"{method} {address} {answer.status_code}")
            assert answer.status_code != 500, f"{method} {address}"


BAD = [
    ("GET", "/nowhere", {}),
    ("GET", "/login/%ff%fe", {}),
    ("GET", "/?" + "a=1&" * 70, {}),
    ("GET", "/" + "x" * 9000, {}),
    ("POST", "/language", {"data": {"next": "x" * 70_000}}),
    ("TRACE", "/", {}),
    ("GET", "/assets/../../etc/passwd", {}),
    ("POST", "/oauth/token", {"data": b"\xff", "content_type": "application/json"}),
]


@pytest.mark.parametrize(("method", "address", "more"), BAD)
def test_a133_errors_too(
    browser: FlaskClient, method: str, address: str, more: dict[str, Any]
) -> None:
    answer = browser.open(address, method=method, **more)
    assert 400 <= answer.status_code < 500
    is_guarded(answer.headers, address)


@pytest.mark.services
def test_a125_a133_at_a_running_server(demo: Provider) -> None:
    """What the fast path, the sites and the assets answer."""
    with Desk(demo) as desk:
        desk.start()
        assets = re.findall(r'(?:href|src)="(/assets/[^"]+)"', desk.page)
        assert assets
        for address in (
            *assets,
            *("/", "/account", "/wallet", "/wallet/present", "/status/1", "/healthz", "/readyz"),
            *("/.well-known/openid-configuration", "/.well-known/openid-credential-issuer"),
            *("/oauth/jwks", "/api/v1/openapi.json", "/api/v1/people", "/metrics", "/nowhere"),
            *(desk.login, f"{desk.login}/status", f"{desk.login}/nowhere"),
            *("/login/AAAAAAAAAAAAAAAAAAAAAA/status", "/vp/AAAAAAAAAAAAAAAAAAAAAA/request"),
        ):
            answer = desk.client.get(address)
            is_guarded(answer.headers, f"{address} {answer.status_code}")


@pytest.mark.services
def test_a133_https_is_asked_for_at_every_visit(demo_https: Provider) -> None:
    with demo_https.client() as client:
        for address in ("/", "/nowhere", "/assets/gongmu.css", "/healthz"):
            assert "max-age=63072000" in client.get(address).headers["Strict-Transport-Security"]


def test_a125_no_page_may_be_framed(browser: FlaskClient) -> None:
    for address in ("/", "/account", "/oauth/logout", "/oauth/authorize", "/login/x", "/nowhere"):
        headers = browser.get(address).headers
        assert headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


# --- a fault of ours ------------------------------------------------------------------------------


def test_a_fault_of_ours_shows_a_reference_and_nothing_of_itself(world: World) -> None:
    def boom() -> str:
        raise ZeroDivisionError("the secret of the division")

    world.app.add_url_rule("/boom", view_func=boom)
    world.app.add_url_rule("/api/v1/boom", "api_boom", view_func=boom)
    answer = world.browser().get("/boom", headers={"Accept-Language": "en"})
    text = answer.get_data(as_text=True)
    assert answer.status_code == 500
    assert "G-101" in text
    assert re.search(r"<code>[\w-]{8}</code>", text)
    for word in ("Traceback", "ZeroDivisionError", "secret of the division", "test_browser"):
        assert word not in text
    is_guarded(answer.headers, "/boom")
    document = world.browser().get("/api/v1/boom")
    assert (document.status_code, document.json and document.json["code"]) == (500, "internal")
    assert "division" not in document.get_data(as_text=True)


# --- forms ---------------------------------------------------------------------------------

FORMS = [
    "/account/sessions/{session}/end",
    "/account/sessions/end-all",
    "/account/sessions/{other}/not-me",
    "/account/consents/withdraw",
    "/oauth/consent/AAAAAAAAAAAAAAAAAAAAAA",
    "/login/AAAAAAAAAAAAAAAAAAAAAA/mobile_id",
    "/login/AAAAAAAAAAAAAAAAAAAAAA/cancel",
    "/login/AAAAAAAAAAAAAAAAAAAAAA/return-code",
    "/login/AAAAAAAAAAAAAAAAAAAAAA/finish",
    "/vp/AAAAAAAAAAAAAAAAAAAAAA/not-me",
]
PURPOSES = [
    "account",
    "consent:AAAAAAAAAAAAAAAAAAAAAA",
    "login:AAAAAAAAAAAAAAAAAAAAAA",
    "approve:AAAAAAAAAAAAAAAAAAAAAA",
]


def token(world: World, address: str, secret: str = "b" * 43) -> str:
    """The right token for a form, as the browser with that cookie would get it."""
    purpose = next(one for one in PURPOSES if address.split("/")[1][:5] in _family(one))
    with world.app.test_request_context("/", headers={"Cookie": f"gongmu-browser={secret}"}):
        return csrf_token(purpose)


def _family(purpose: str) -> tuple[str, ...]:
    kind = purpose.split(":", maxsplit=1)[0]
    return {"account": ("accou",), "consent": ("oauth",), "login": ("login",)}.get(kind, ("vp",))


Forge = Callable[[World, str], dict[str, Any]]
FORGERIES: dict[str, Forge] = {
    "no token": lambda _world, _address: {},
    "an empty token": lambda _world, _address: {"data": {"csrf": ""}},
    "another browser's token": lambda world, address: {
        "data": {"csrf": token(world, address, "c" * 43)}
    },
    "another form's token": lambda world, address: {
        "data": {"csrf": token(world, "/vp/" if "/vp/" not in address else "/account")}
    },
    "from another origin": lambda world, address: {
        "data": {"csrf": token(world, address)},
        "headers": {"Origin": "https://evil.example"},
    },
    "from another site": lambda world, address: {
        "data": {"csrf": token(world, address)},
        "headers": {"Sec-Fetch-Site": "cross-site"},
    },
    "from a sibling site": lambda world, address: {
        "data": {"csrf": token(world, address)},
        "headers": {"Sec-Fetch-Site": "same-site"},
    },
}


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("address", FORMS)
def test_a123_forged_form(world: World, address: str, forgery: str) -> None:
    browser = world.browser()
    browser.set_cookie("gongmu-browser", "b" * 43)
    mine, other = world.sign_in(browser), world.new_session()[0]
    address = address.format(session=mine.id, other=other.id)
    answer = browser.post(address, **FORGERIES[forgery](world, address))
    assert answer.status_code == 403
    assert {one.id for one in world.parts.sessions.of(mine.subject)} == {mine.id, other.id}
    assert world.events()[0]["reason"] == "csrf"


@pytest.mark.parametrize("address", FORMS)
def test_a123_a_form_is_never_a_get(browser: FlaskClient, address: str) -> None:
    assert browser.get(address).status_code in (404, 405)


def test_a128_logout_by_a_picture_ends_nothing(world: World, browser: FlaskClient) -> None:
    answer = browser.get("/oauth/logout", headers={"Sec-Fetch-Dest": "image"})
    assert "logout" in answer.get_data(as_text=True)
    assert browser.get("/account").status_code == 200


# --- the account page: only one's own -------------------------------------------------------------


def post(world: World, browser: FlaskClient, address: str, **fields: str) -> TestResponse:
    return browser.post(address, data={"csrf": token(world, "/account"), **fields})


def test_another_persons_session_is_not_mine_to_end(world: World, browser: FlaskClient) -> None:
    theirs = world.new_session(KIM)[0]
    for step in ("end", "not-me"):
        answer = post(world, browser, f"/account/sessions/{theirs.id}/{step}")
        assert answer.status_code == 303
    assert [one.id for one in world.parts.sessions.of(theirs.subject)] == [theirs.id]
    assert not world.events(kind="login:person:disowned")


def test_end_all_ends_mine_and_nobody_elses(world: World, browser: FlaskClient) -> None:
    theirs = world.new_session(KIM)[0]
    mine = world.new_session(HONG)[0]
    assert post(world, browser, "/account/sessions/end-all").status_code == 200
    assert world.parts.sessions.of(mine.subject) == []
    assert len(world.parts.sessions.of(theirs.subject)) == 1
    assert browser.get("/account").status_code == 401


def test_not_me_ends_a_session_and_is_an_alarm(world: World, browser: FlaskClient) -> None:
    strange = signed_in_elsewhere(world)
    answer = post(world, browser, f"/account/sessions/{strange}/not-me")
    assert answer.status_code == 200
    assert "G-309" in answer.get_data(as_text=True)
    [alarm] = world.events(kind="login:person:disowned")
    [ended] = world.events(kind="session:end:done")
    assert (alarm["session"], ended["session"], ended["reason"]) == (strange, strange, "disowned")
    again = post(world, browser, f"/account/sessions/{strange}/not-me")
    assert again.status_code == 200  # the alarm counts also when the session is over
    assert len(world.events(kind="login:person:disowned")) == 2


def signed_in_elsewhere(world: World) -> str:
    return world.new_session()[0].id


def test_the_own_sign_in_cannot_be_disowned_from_itself(world: World) -> None:
    browser = world.browser()
    browser.set_cookie("gongmu-browser", "b" * 43)
    mine = world.sign_in(browser)
    post(world, browser, f"/account/sessions/{mine.id}/not-me")
    assert browser.get("/account").status_code == 200


def test_a_consent_is_withdrawn_with_what_it_granted(world: World) -> None:
    browser = world.browser()
    browser.set_cookie("gongmu-browser", "b" * 43)
    world.sign_in(browser)
    asked = Asked(world.register(consent="once"))
    page = browser.get("/oauth/authorize", query_string=asked.parameters())
    action = re.search(r'action="(/oauth/consent/[\w-]+)"', page.get_data(as_text=True))
    csrf = re.search(r'name="csrf" value="(\w+)"', page.get_data(as_text=True))
    assert action
    assert csrf
    browser.post(action[1], data={"csrf": csrf[1], "decision": "allow"})
    shown = browser.get("/account").get_data(as_text=True)
    assert 'value="mail"' in shown
    post(world, browser, "/account/consents/withdraw", client_id="other")
    assert not world.events(kind="consent:grant:withdrawn")
    post(world, browser, "/account/consents/withdraw", client_id="mail")
    [event] = world.events(kind="consent:grant:withdrawn")
    assert (event["relying_party"], event["data"]) == ("mail", {"scope": "openid profile"})
    assert len(world.events(kind="token:grant:ended")) == 1
    assert 'value="mail"' not in browser.get("/account").get_data(as_text=True)
    asked = Asked(asked.registered)
    again = browser.get("/oauth/authorize", query_string=asked.parameters())
    assert "/oauth/consent/" in again.get_data(as_text=True)


# --- text stays text -----------------------------------------------------------------------

PAYLOADS = [
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</title></textarea><svg onload=alert(1)>",
    "{{ 7777777 * 7 }}{% raw %}",
    "<!--<base href=//evil.example>",
]
# What decides how a page looks, and what only we make: not displayed as it is.
OURS = {"step", "state", "kind", "reason", "status", "purpose", "href", "qr_svg", "mark"}


def spoilt(value: Any, payload: str) -> Any:
    """The same values with the payload in every text that a person or a system outside gives."""
    if isinstance(value, dict):
        return {
            name: inner if name in OURS else spoilt(inner, payload) for name, inner in value.items()
        }
    if isinstance(value, list):
        return [spoilt(inner, payload) for inner in value]
    return payload if type(value) is str else value


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a134_in_every_field_of_every_page(name: str, payload: str) -> None:
    """As many elements as with a harmless text, and no attribute that runs anything."""
    app = create_pages_app()
    template, values = SAMPLES[name]
    with app.test_request_context("/"):
        harmless = Page(render_template(template, **spoilt(values, "x")))
        hostile = Page(render_template(template, **spoilt(values, payload)))
    assert [tag for tag, *_ in hostile.elements] == [tag for tag, *_ in harmless.elements]
    for _tag, attributes, _texts in hostile.elements:
        assert not [one for one in attributes if one.startswith("on")]
    assert "54444439" not in hostile.html


def test_a134_in_what_directory_register_and_browser_say(world: World) -> None:
    payload = PAYLOADS[0]
    browser = world.browser()
    browser.set_cookie("gongmu-browser", "b" * 43)
    world.directory.change(HONG.personnel_number, name=payload, department=payload)
    world.sign_in(browser)
    asked = Asked(world.register(name_ko=payload, name_en=payload, consent="always"))
    browser.get("/oauth/authorize", query_string=asked.parameters())
    for answer in (
        browser.get(
            "/oauth/authorize",
            query_string=asked.parameters(state=payload),
            headers={"User-Agent": payload},
        ),
        browser.get("/account", headers={"User-Agent": payload}),
        browser.get(f"/{payload}"),
        browser.get("/oauth/authorize", query_string={"client_id": payload}),
    ):
        assert "<script>alert" not in answer.get_data(as_text=True)


@pytest.mark.services
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a134_at_a_running_server(demo: Provider, payload: str) -> None:
    """A relying party's name, a device and a state: on the desk's page, in a refusal."""
    client_id = f"xss-{secrets.token_hex(4)}"
    settings = {"name_ko": payload, "name_en": payload, "redirect_uris": ["https://rp.example/cb"]}
    body = {"client_id": client_id, "settings": settings}
    assert demo.api("POST", "relying-parties", "gongmu:rp", json=body).status_code == 201
    asked = {
        "client_id": client_id,
        "redirect_uri": "https://rp.example/cb",
        "scope": "openid",
        "response_type": "code",
        "code_challenge": "A" * 43,
        "code_challenge_method": "S256",
        "state": payload,
        "ui_locales": payload,
    }
    with demo.client(headers={"User-Agent": payload}, follow_redirects=True) as browser:
        pages = [
            browser.get("/oauth/authorize", params=asked),
            browser.get("/oauth/authorize", params={**asked, "redirect_uri": payload}),
            browser.get("/oauth/authorize", params={"client_id": payload}),
            browser.get(f"/{payload}"),
        ]
    for page in pages:
        assert "<html" in page.text
        assert "<" not in payload or payload not in page.text
        assert "54444439" not in page.text
    assert payload in html.unescape(pages[0].text)  # the name is shown, as text


# --- cookies of convenience ----------------------------------------------------------------


def test_a121_the_language_cookie_over_https() -> None:
    client = create_pages_app(settings(issuer="https://id.example.go.kr")).test_client()
    kept = client.post("/language", data={"lang": "en"}).headers["Set-Cookie"]
    assert kept.startswith("__Host-gongmu-lang=en;")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(re.split("; ", kept))
    assert "Domain" not in kept
