"""oidc-client-ts in Chromium, a `public` party of another origin: signs in, refreshes, logs out."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, Response, send_file
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from tests.attacks.holder import Held, fetched
from tests.fakes.desk import open_chromium
from tests.interop.node import HERE
from tests.interop.parties import registered
from tests.provider import Provider

pytestmark = [
    pytest.mark.interop,
    pytest.mark.browser,
    pytest.mark.services,
    pytest.mark.timeout(120),
]
NAME = "by-oidc-client-ts"
LIBRARY = HERE / "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.js"
START = "settings => { window.manager = new oidc.UserManager(settings) }"
IN_A_FRAME = """settings => new oidc.UserManager({
    ...settings,
    userStore: new oidc.WebStorageStateStore({ store: new oidc.InMemoryWebStorage() }),
    silentRequestTimeoutInSeconds: 5,
}).signinSilent().then(() => 'renewed', (error) => error.error ?? String(error))"""


@contextmanager
def static_pages() -> Iterator[str]:
    """The application's own origin."""
    app = Flask("application")

    @app.get("/oidc-client-ts.js")
    def library() -> Response:
        return send_file(LIBRARY)

    @app.get("/<path:_page>")
    def page(_page: str) -> Response:
        return send_file(HERE / "page.html")

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def settings(demo: Provider) -> Iterator[dict[str, Any]]:
    """What the library is told."""
    with (
        static_pages() as origin,
        registered(
            demo,
            NAME,
            profile="public",
            token_endpoint_auth_methods=("none",),
            redirect_uris=("http://127.0.0.1/callback",),
            post_logout_redirect_uris=("http://127.0.0.1/bye",),
            origins=(origin,),
        ),
    ):
        yield {
            "authority": demo.issuer,
            "client_id": NAME,
            "redirect_uri": f"{origin}/callback",
            "post_logout_redirect_uri": f"{origin}/bye",
            "scope": "openid profile offline_access",
            "loadUserInfo": True,
            "automaticSilentRenew": False,
        }


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def sign_in(demo: Provider, page: Page, settings: dict[str, Any]) -> dict[str, Any]:
    """The library's user."""
    page.goto(settings["redirect_uri"].replace("/callback", "/start"))
    page.evaluate(START, settings)
    page.evaluate("() => { manager.signinRedirect() }")
    link = page.locator('a[href^="openid4vp://"]').get_attribute("href")
    assert link is not None
    held = Held.receive(demo, demo.person(index=7))
    page.goto(fetched(held, link).post().json()["redirect_uri"])
    page.wait_for_url(f"{settings['redirect_uri']}?**")
    page.evaluate(START, settings)
    user: dict[str, Any] = page.evaluate("() => manager.signinCallback()")
    return user


def test_sign_in_refresh_and_log_out(demo: Provider, page: Page, settings: dict[str, Any]) -> None:
    user = sign_in(demo, page, settings)
    assert user["profile"]["aud"] == NAME
    assert user["profile"]["name"]  # from userinfo, read across origins

    renewed = page.evaluate("() => manager.signinSilent()")  # it has a refresh token: no frame
    assert renewed["refresh_token"] != user["refresh_token"]
    assert renewed["access_token"] != user["access_token"]
    assert renewed["profile"]["sub"] == user["profile"]["sub"]

    page.evaluate("() => { manager.signoutRedirect({ state: 'gone' }) }")
    page.wait_for_url(f"{settings['post_logout_redirect_uri']}?**")
    page.evaluate(START, settings)
    page.evaluate("() => manager.signoutCallback()")
    refused = page.evaluate(
        "user => manager.storeUser(new oidc.User(user)).then(() => manager.signinSilent())"
        ".then(() => 'renewed', (error) => error.error)",
        renewed,
    )
    assert refused == "invalid_grant"


def test_a_hidden_frame_learns_cleanly_that_nobody_is_signed_in_there(
    demo: Provider, page: Page, settings: dict[str, Any]
) -> None:
    """Our cookies do not reach a frame of another site: renewal is by refresh token."""
    sign_in(demo, page, settings)
    assert page.evaluate(IN_A_FRAME, settings) == "login_required"
