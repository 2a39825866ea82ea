"""The whole sign-in in real browsers, with every part real: slapd over TLS, Redis, PostgreSQL, two workers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from playwright.sync_api import Page
from werkzeug.serving import make_server

from idp.demo.parties import Setting, create_app
from idp.relying_parties import RelyingParties
from tests.browser.test_sign_in import (
    arrive,
    desk,  # noqa: F401 - a fixture
    phone,  # noqa: F401 - a fixture
    present,
    press_sign_in,
    receive,
    return_code,
    scan,
)
from tests.provider import Provider
from tests.servers import free_port
from tests.stack import services_of

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.timeout(180)]


@contextmanager
def mail_of(provider: Provider) -> Iterator[Provider]:
    """The demo's mail as a relying party of a provider on real stores."""
    url = f"http://localhost:{free_port()}"
    assert provider.conf_file is not None
    with services_of(provider.conf_file) as parts:
        secret_key = parts.keys.secret("client-secrets")
        register = RelyingParties(parts.engine, parts.journal, secret_key, parts.now, loopback=True)
        party = register.get("mail")
        assert party is not None
        callbacks = (*party.redirect_uris, f"{url}/mail/callback")
        kept = replace(party, kind="mail", redirect_uris=callbacks)
        register.update(
            replace(kept, post_logout_redirect_uris=(f"{url}/mail",)), "cli:tests", since=party
        )
    known = provider.relying_parties["mail"]
    setting = Setting(provider.issuer, url, None, {"mail": known["client_secret"]})
    server = make_server(
        "127.0.0.1", int(url.rsplit(":", 1)[1]), create_app(setting), threaded=True
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield replace(provider, relying_parties={"mail": {**known, "url": f"{url}/mail"}})
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.fixture(scope="module")
def mail(served: Provider) -> Iterator[Provider]:
    with mail_of(served) as provider:
        yield provider


def test_desk_and_phone_by_the_return_code(desk: Page, phone: Page, mail: Provider) -> None:  # noqa: F811
    number = mail.person(index=1)
    receive(phone, mail, number)
    desk.wait_for_timeout(2100)  # the workers look for changed relying parties every two seconds
    press_sign_in(desk, mail, "mail")
    present(phone, mail, scan(desk))
    code = return_code(phone)
    desk.locator("input[name=return_code]").fill(code)
    desk.keyboard.press("Enter")
    arrive(desk, mail, number)


def test_one_device(phone: Page, mail: Provider) -> None:  # noqa: F811
    number = mail.person(index=2)
    receive(phone, mail, number)
    phone.wait_for_timeout(2100)
    press_sign_in(phone, mail, "mail")
    link = scan(phone)
    phone.goto(f"{mail.wallet_url}/present?{link.partition('?')[2]}")
    phone.get_by_test_id("present-accept").click()
    arrive(phone, mail, number)
