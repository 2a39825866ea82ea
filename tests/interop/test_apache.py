"""Apache's mod_auth_openidc with the kit's settings: sign-in, the end both ways, and renewal where it is set up.

Renewal needs a refresh token (`offline_access`) and somebody who wants it: the application behind Apache by
the module's own address for that, or `OIDCRefreshAccessTokenBeforeExpiry`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest

from idp.admin import kits
from tests.attacks.holder import Held
from tests.contract.outbox_world import until
from tests.desk import Desk
from tests.interop.apache import PAGE, apache, installed
from tests.interop.parties import registered, session_is_over, signed_in_at
from tests.provider import Provider
from tests.servers import free_port

pytestmark = [installed, pytest.mark.services, pytest.mark.timeout(120)]
NAME, RENEWING = "by-apache", "by-apache-renewing"
RENEWAL = """
OIDCInfoHook access_token refresh_token
<Location /fresh.html>
  OIDCRefreshAccessTokenBeforeExpiry 900 logout_on_error
</Location>
"""


@contextmanager
def served(demo: Provider, name: str, more: str = "") -> Iterator[str]:
    """The address of what Apache protects, with the kit's text and perhaps more."""
    url = f"http://127.0.0.1:{free_port()}"
    kit = kits.kit("mod_auth_openidc", demo.issuer, name, url)
    [theirs] = kit.theirs
    with registered(demo, name, **_lists_to_tuples(kit.settings)) as secret:
        host = theirs["text"].replace("(printed by gongmu rp add)", secret)
        if more:
            host = host.replace('OIDCScope "openid', 'OIDCScope "openid offline_access') + more
        with apache(url, host):
            yield url


def _lists_to_tuples(settings: dict[str, object]) -> dict[str, object]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }


@contextmanager
def signed_in(demo: Provider, name: str, site: str) -> Iterator[Desk]:
    """A browser that has signed in at the site."""
    with Desk(demo, party=name) as browser:
        held = Held.receive(demo, demo.person(index=7))
        back = signed_in_at(browser, held, f"{site}/")
        assert browser.get(back) == f"{site}/"
        browser.get(f"{site}/")
        assert browser.page == PAGE
        yield browser


@pytest.fixture(scope="module")
def site(demo: Provider) -> Iterator[str]:
    with served(demo, NAME) as url:
        yield url


@pytest.fixture
def desk(demo: Provider, site: str) -> Iterator[Desk]:
    with signed_in(demo, NAME, site) as browser:
        yield browser


def test_logging_out_there_ends_both(desk: Desk, site: str) -> None:
    there = f"{site}/oidc/callback"
    assert desk.get(f"{there}?logout={site}/") == f"{site}/"
    until(lambda: not shows(desk, site))
    assert session_is_over(desk)


def test_the_end_elsewhere_is_heard(desk: Desk, site: str) -> None:
    desk.get("/oauth/logout")
    desk.post("/oauth/logout")
    until(lambda: not shows(desk, site))


def test_it_renews_when_the_application_asks_and_by_itself(demo: Provider) -> None:
    with served(demo, RENEWING, RENEWAL) as site, signed_in(demo, RENEWING, site) as desk:
        there, mark = f"{site}/oidc/callback", demo.last_event()
        first = tokens(desk, site)
        query = {"refresh": f"{site}/", "access_token": first["access_token"]}
        assert desk.get(f"{there}?{urlencode(query)}") == f"{site}/"
        asked = tokens(desk, site)
        assert desk.get(f"{site}/fresh.html") == f"{site}/fresh.html"
        assert desk.page == PAGE
        by_itself = tokens(desk, site)
        for kind in ("access_token", "refresh_token"):
            assert len({first[kind], asked[kind], by_itself[kind]}) == 3
        assert issued(demo, mark) == 2

        desk.get("/oauth/logout")
        desk.post("/oauth/logout")
        until(lambda: not shows(desk, site))


def shows(desk: Desk, site: str) -> bool:
    """Whether the page is shown, without a new sign-in."""
    return desk.client.get(f"{site}/").text == PAGE


def tokens(desk: Desk, site: str) -> dict[str, str]:
    """What the module holds for this browser."""
    found: dict[str, str] = desk.client.get(f"{site}/oidc/callback?info=json").json()
    return found


def issued(demo: Provider, mark: str) -> int:
    """How often tokens went out to it since."""
    return sum(
        (event["kind"], event.get("relying_party")) == ("token:issue:accepted", RENEWING)
        for event in demo.events_after(mark)
    )
