"""openid-client, plain: refreshes, logs out by the address it builds, and hears of the end by the back channel."""

from collections.abc import Iterator

import pytest

from tests.attacks.holder import Held
from tests.contract.outbox_world import until
from tests.desk import Desk
from tests.fakes.receiver import Receiver, genuine, receiver
from tests.interop.node import NodeRelyingParty
from tests.interop.parties import registered, session_is_over, signed_in_at
from tests.provider import Provider

pytestmark = [pytest.mark.interop, pytest.mark.services, pytest.mark.timeout(120)]
NAME = "by-openid-client"
CALLBACK = "http://localhost:9999/openid-client"
BYE = "http://localhost:9999/openid-client/bye"


@pytest.fixture(scope="module")
def told(demo: Provider) -> Iterator[Receiver]:
    with (
        receiver() as listening,
        registered(
            demo,
            NAME,
            redirect_uris=(CALLBACK,),
            post_logout_redirect_uris=(BYE,),
            backchannel_logout_uri=listening.url,
        ),
    ):
        yield listening


def test_refresh_and_log_out_both_ways(demo: Provider, told: Receiver) -> None:
    settings = {
        "client_id": NAME,
        "client_secret": demo.relying_parties[NAME]["client_secret"],
        "redirect_uri": CALLBACK,
        "auth": "basic",
        "logout_uri": BYE,
        "parameters": {"scope": "openid profile offline_access"},
    }
    held = Held.receive(demo, demo.person(index=7))
    with Desk(demo, party=NAME) as desk, NodeRelyingParty(demo, settings) as party:
        answer = party.called_back(signed_in_at(desk, held, party.authorization_url()))
        assert answer["refreshed"]["rotated"] is True
        assert answer["refreshed"]["userinfo"]["sub"] == answer["claims"]["sub"]
        assert desk.get(answer["end_session_url"]) == BYE
        assert session_is_over(desk)
    until(lambda: told.calls)
    [call] = told.calls
    heard = genuine(demo, call.token, NAME)
    assert (heard["sid"], heard["sub"]) == (answer["claims"]["sid"], answer["claims"]["sub"])
