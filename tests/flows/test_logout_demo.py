"""The demo's three relying parties drop a session when the provider says so, over http and https."""

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.attacks.forge import decode
from tests.attacks.holder import Held, fetched
from tests.desk import Desk
from tests.provider import Provider
from tests.unit.test_demo import sign_in

pytestmark = pytest.mark.services


@pytest.fixture(params=["demo", "demo_https"])
def provider(request: pytest.FixtureRequest) -> Provider:
    found: Provider = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def browser(provider: Provider) -> Iterator[httpx.Client]:
    with httpx.Client(verify=provider.verify, timeout=20) as client:
        yield client


def name_of(provider: Provider, number: str) -> str:
    return next(one["name"] for one in provider.people if one["personnel_number"] == number)


def test_a_revoked_mobile_id_signs_out_at_the_mailbox(
    provider: Provider, browser: httpx.Client
) -> None:
    number = provider.person(index=5)
    url = provider.relying_parties["mail"]["url"]
    mark = provider.last_event()
    sign_in(provider, browser, "mail", number)
    assert name_of(provider, number) in browser.get(url).text
    listed = provider.api("GET", f"mobile-ids?personnel_number={number}", "gongmu:issue").json()
    live = next(one for one in listed["mobile_ids"] if one["state"] == "live")
    assert provider.api("POST", f"mobile-ids/{live['id']}/revoke", "gongmu:issue").is_success
    end = time.monotonic() + 10
    while name_of(provider, number) in browser.get(url).text:
        assert time.monotonic() < end
        time.sleep(0.05)
    until_told(provider, mark)


def until_told(provider: Provider, mark: str) -> None:
    end = time.monotonic() + 10
    while True:
        kinds = [event["kind"] for event in provider.events_after(mark)]
        if "logout:delivery:done" in kinds:
            return
        assert time.monotonic() < end, kinds
        time.sleep(0.1)


def test_only_a_logout_token_of_the_provider_for_that_party_counts(
    provider: Provider, browser: httpx.Client
) -> None:
    """What a stranger may post ends nobody's session (§2.6)."""
    number = provider.person(index=5)
    url = provider.relying_parties["intranet"]["url"]
    sign_in(provider, browser, "intranet", number)
    page = browser.get(url).text
    id_token = own_id_token(provider)
    for token in ("", "a.b.c", id_token, f"{id_token.rsplit('.', 1)[0]}.AAAA"):
        answer = browser.post(f"{url}/backchannel-logout", data={"logout_token": token})
        assert answer.status_code == 400
    assert browser.get(f"{url}/backchannel-logout").status_code == 405
    assert browser.get(url).text == page
    assert name_of(provider, number) in page


def own_id_token(provider: Provider) -> str:
    """A genuine token of this provider, of another type and for another party."""
    with Desk(provider) as desk:
        desk.start()
        held = Held.receive(provider, provider.person(index=6))
        where = desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
        token = str(desk.redeem(desk.answered(where)["code"]).json()["id_token"])
    assert decode(token)[1]["aud"] == "lab"
    return token
