"""Front-channel logout in a real browser: the frame is loaded under our policy, then the service comes back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask import Flask, request
from playwright.sync_api import Browser
from werkzeug.serving import make_server

from idp.relying_parties import RelyingParty
from tests.attacks.forge import decode
from tests.attacks.holder import Held, fetched
from tests.desk import ACR_QR, Desk
from tests.flows.test_logout import database_of
from tests.provider import Provider

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.timeout(180)]
NAME = "framed-in-a-browser"


@contextmanager
def service() -> Iterator[tuple[str, list[str]]]:
    """A relying party's own pages, and the addresses that were asked for."""
    app, asked = Flask("service"), list[str]()

    @app.get("/<path:_page>")
    def answer(_page: str) -> str:
        asked.append(request.full_path)
        return "here"

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_frame_is_loaded_and_the_person_goes_back(demo: Provider, chromium: Browser) -> None:
    with service() as (origin, seen), database_of(demo) as (_, register):
        party = RelyingParty(
            client_id=NAME,
            name_ko=NAME,
            name_en=NAME,
            redirect_uris=(f"{origin}/callback",),
            post_logout_redirect_uris=(f"{origin}/bye",),
            frontchannel_logout_uri=f"{origin}/out",
            minimum_acr=ACR_QR,
        )
        secret = register.add(party, "cli:tests")
        demo.relying_parties[NAME] = {
            "client_id": NAME,
            "client_secret": secret,
            "redirect_uris": [f"{origin}/callback"],
        }
        held = Held.receive(demo, demo.person(index=6))
        with Desk(demo, party=NAME) as desk:
            desk.start()
            where = desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
            token = desk.redeem(desk.answered(where)["code"]).json()["id_token"]
            cookies = [
                {"name": name, "value": value, "url": demo.issuer}
                for name, value in desk.client.cookies.items()
            ]
        context = chromium.new_context()
        context.add_cookies(cookies)  # type: ignore[arg-type]
        page = context.new_page()
        query = {"id_token_hint": token, "post_logout_redirect_uri": f"{origin}/bye"}
        page.goto(f"{demo.issuer}/oauth/logout?{urlencode(query)}")
        page.wait_for_url(f"{origin}/bye")
        [frame] = [address for address in seen if address.startswith("/out?")]
        assert parse_qs(urlsplit(frame).query) == {
            "iss": [demo.issuer],
            "sid": [decode(token)[1]["sid"]],
        }
        context.close()
