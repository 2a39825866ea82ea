"""oidc-client-ts in Chromium, a `public` party of another origin: signs in, refreshes, logs out.

No page can be called from the back: it learns of an end elsewhere by the front channel where the provider is
of the same site, and everywhere when its library next renews.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, Response, send_file
from playwright.sync_api import Browser, Page
from werkzeug.serving import generate_adhoc_ssl_context, make_server

from tests.attacks.holder import Held, fetched
from tests.contract.outbox_world import until
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
NAME, SAME_SITE = "by-oidc-client-ts", "by-oidc-client-ts-of-the-same-site"
LIBRARY = HERE / "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.js"
START = """settings => {
    window.manager = new oidc.UserManager({
        ...settings,
        userStore: new oidc.WebStorageStateStore({ store: localStorage }),
    })
}"""
KEEPS_RENEWING = """() => {
    window.renewed = new Promise((told) => manager.events.addUserLoaded(() => told('renewed')))
    window.ended = new Promise((told) => manager.events.addSilentRenewError((error) => told(error.error)))
    manager.startSilentRenew()
}"""
IN_A_FRAME = """settings => new oidc.UserManager({
    ...settings,
    userStore: new oidc.WebStorageStateStore({ store: new oidc.InMemoryWebStorage() }),
    silentRequestTimeoutInSeconds: 5,
}).signinSilent().then(() => 'renewed', (error) => error.error ?? String(error))"""


@contextmanager
def static_pages(host: str = "127.0.0.1", *, https: bool = False) -> Iterator[str]:
    """The application's own origin."""
    app = Flask("application")

    @app.get("/oidc-client-ts.js")
    def library() -> Response:
        return send_file(LIBRARY)

    @app.get("/<path:_page>")
    def page(_page: str) -> Response:
        return send_file(HERE / "page.html")

    server = make_server(host, 0, app, threaded=True)
    if https:
        # the handshake is left to each connection's thread: a browser opens some and says nothing yet
        context = generate_adhoc_ssl_context()
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{'https' if https else 'http'}://{host}:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def told_to_the_library(issuer: str, client_id: str, origin: str) -> dict[str, Any]:
    """Its settings."""
    return {
        "authority": issuer,
        "client_id": client_id,
        "redirect_uri": f"{origin}/callback",
        "post_logout_redirect_uri": f"{origin}/bye",
        "scope": "openid profile offline_access",
        "loadUserInfo": True,
        "automaticSilentRenew": False,
    }


@pytest.fixture(scope="module")
def settings(demo: Provider) -> Iterator[dict[str, Any]]:
    """An application on another site than the provider."""
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
        yield told_to_the_library(demo.issuer, NAME, origin)


@pytest.fixture(scope="module")
def same_site(demo_https: Provider) -> Iterator[dict[str, Any]]:
    """One on the provider's own site, with an address for the front channel."""
    with (
        static_pages("localhost", https=True) as origin,
        registered(
            demo_https,
            SAME_SITE,
            profile="public",
            token_endpoint_auth_methods=("none",),
            redirect_uris=(f"{origin}/callback",),
            frontchannel_logout_uri=f"{origin}/out/{SAME_SITE}",
            origins=(origin,),
        ),
    ):
        yield told_to_the_library(demo_https.issuer, SAME_SITE, origin)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(ignore_https_errors=True)
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


def sign_out_in_another_tab(provider: Provider, page: Page) -> None:
    tab = page.context.new_page()
    tab.goto(f"{provider.issuer}/oauth/logout")
    tab.locator("form button.primary").click()
    tab.locator(".mark.good").wait_for()


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


def test_its_next_renewal_tells_of_the_end_elsewhere(
    demo: Provider, page: Page, settings: dict[str, Any]
) -> None:
    """With every token about to expire in its eyes, the library renews each second by itself."""
    sign_in(demo, page, {**settings, "accessTokenExpiringNotificationTimeInSeconds": 86400})
    page.evaluate(KEEPS_RENEWING)
    assert page.evaluate("() => renewed") == "renewed"
    sign_out_in_another_tab(demo, page)
    assert page.evaluate("() => ended") == "invalid_grant"


def test_the_front_channel_tells_an_application_of_the_same_site(
    demo_https: Provider, page: Page, same_site: dict[str, Any]
) -> None:
    """There the provider's cookies reach a frame, and the frame shares the application's storage."""
    sign_in(demo_https, page, same_site)
    assert page.evaluate(IN_A_FRAME, same_site) == "renewed"
    sign_out_in_another_tab(demo_https, page)
    until(lambda: page.evaluate("() => manager.getUser()") is None, 30)
    assert page.evaluate(IN_A_FRAME, same_site) == "login_required"
