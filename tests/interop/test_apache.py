"""Apache's mod_auth_openidc, with the kit's settings and nothing else: sign-in, and the end both ways.

It renews tokens only for an application behind it that asks, so there is no refresh of its own to show.
"""

from collections.abc import Iterator

import pytest

from idp.admin import kits
from tests.attacks.holder import Held
from tests.contract.outbox_world import until
from tests.desk import Desk
from tests.interop.apache import PAGE, apache
from tests.interop.parties import registered, session_is_over, signed_in_at
from tests.provider import Provider
from tests.servers import free_port

pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]
NAME = "by-apache"


@pytest.fixture(scope="module")
def site(demo: Provider) -> Iterator[str]:
    """The address of what Apache protects."""
    url = f"http://127.0.0.1:{free_port()}"
    kit = kits.kit("mod_auth_openidc", demo.issuer, NAME, url)
    [theirs] = kit.theirs
    with registered(demo, NAME, **_lists_to_tuples(kit.settings)) as secret:
        host = theirs["text"].replace("(printed by gongmu rp add)", secret)
        with apache(url, host):
            yield url


def _lists_to_tuples(settings: dict[str, object]) -> dict[str, object]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }


@pytest.fixture
def desk(demo: Provider, site: str) -> Iterator[Desk]:
    """A browser that has signed in at the site."""
    with Desk(demo, party=NAME) as browser:
        held = Held.receive(demo, demo.person(index=7))
        back = signed_in_at(browser, held, f"{site}/")
        assert browser.get(back) == f"{site}/"
        browser.get(f"{site}/")
        assert browser.page == PAGE
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


def shows(desk: Desk, site: str) -> bool:
    """Whether the page is shown, without a new sign-in."""
    return desk.client.get(f"{site}/").text == PAGE
