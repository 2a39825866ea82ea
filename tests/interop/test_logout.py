"""openid-client, plain: refreshes, logs out by the address it builds, and hears of the end by the back channel.

It listens nowhere: where it hears is a small server of the test's, in the same process, with `jose`.
"""

import httpx
import pytest

from tests.attacks.holder import Held
from tests.desk import Desk
from tests.interop.node import NodeRelyingParty
from tests.interop.parties import hint_of, registered, session_is_over, signed_in_at
from tests.provider import Provider
from tests.servers import free_port

pytestmark = [pytest.mark.interop, pytest.mark.services, pytest.mark.timeout(120)]
NAME = "by-openid-client"
CALLBACK = "http://localhost:9999/openid-client"
BYE = "http://localhost:9999/openid-client/bye"


def test_refresh_and_log_out_both_ways(demo: Provider) -> None:
    ear = f"http://127.0.0.1:{free_port()}/logout"
    with (
        registered(
            demo,
            NAME,
            redirect_uris=(CALLBACK,),
            post_logout_redirect_uris=(BYE,),
            backchannel_logout_uri=ear,
        ) as secret,
        Desk(demo, party=NAME) as desk,
        NodeRelyingParty(
            demo,
            {
                "client_id": NAME,
                "client_secret": secret,
                "redirect_uri": CALLBACK,
                "auth": "basic",
                "logout_uri": BYE,
                "ear": ear,
                "parameters": {"scope": "openid profile offline_access"},
            },
        ) as party,
    ):
        held = Held.receive(demo, demo.person(index=7))
        answer = party.called_back(signed_in_at(desk, held, party.authorization_url()))
        assert answer["refreshed"]["rotated"] is True
        assert answer["refreshed"]["userinfo"]["sub"] == answer["claims"]["sub"]
        forged = {"logout_token": hint_of(answer["end_session_url"])}
        assert httpx.post(ear, data=forged).status_code == httpx.codes.BAD_REQUEST
        assert desk.get(answer["end_session_url"]) == BYE
        assert session_is_over(desk)
        heard = party.heard()
    assert (heard["sid"], heard["sub"]) == (answer["claims"]["sid"], answer["claims"]["sub"])
