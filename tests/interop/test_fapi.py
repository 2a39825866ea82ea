"""openid-client as a client of profile `fapi2`: everything signed, pushed and bound to keys, to the end.

It signs its requests (JAR), pushes them (PAR), proves itself by private_key_jwt and its tokens by DPoP. It
listens nowhere: where it hears of the end is a small server of the test's, in the same process, with `jose`.
"""

from typing import Any

import httpx
import pytest

from tests.attacks.holder import Held
from tests.attacks.pushing import Keyed
from tests.desk import Desk
from tests.fakes.jws import encode
from tests.interop.node import NodeRelyingParty
from tests.interop.parties import hint_of, registered, session_is_over, signed_in_at
from tests.provider import Provider
from tests.servers import free_port

pytestmark = [pytest.mark.interop, pytest.mark.services, pytest.mark.timeout(120)]
CALLBACK = "http://localhost:9999/fapi"
BYE = "http://localhost:9999/fapi/bye"


@pytest.mark.parametrize("jarm", [False, True], ids=["plain answer", "signed answer"])
def test_signed_pushed_and_bound_to_a_key(demo: Provider, jarm: bool) -> None:  # noqa: FBT001 - pytest gives it by name
    key, name = Keyed(), f"fapi-{'jarm' if jarm else 'plain'}"
    ear = f"http://127.0.0.1:{free_port()}/logout"
    private = encode(key.key.private_numbers().private_value.to_bytes(32, "big"))
    settings: dict[str, Any] = {
        "client_id": name,
        "redirect_uri": CALLBACK,
        "logout_uri": BYE,
        "ear": ear,
        "jwk": {**key.jwks["keys"][0], "d": private},
        "jarm": jarm,
        "parameters": {
            "scope": "openid offline_access",
            "claims": '{"userinfo":{"email":null}}',
        },
    }
    with (
        registered(
            demo,
            name,
            profile="fapi2",
            redirect_uris=(CALLBACK,),
            post_logout_redirect_uris=(BYE,),
            backchannel_logout_uri=ear,
            token_endpoint_auth_methods=("private_key_jwt",),
            dpop_bound_access_tokens=True,
            require_signed_request_object=True,
            response_modes=("jwt",) if jarm else ("query",),
            authorization_signed_response_alg="EdDSA",
            jwks=key.jwks,
        ),
        Desk(demo) as desk,
        NodeRelyingParty(demo, settings, "fapi.mjs") as party,
    ):
        held = Held.receive(demo, demo.person(index=7))
        back = signed_in_at(desk, held, party.authorization_url())
        assert ("response=" in back) is jarm
        told = party.called_back(back)
        assert told["token_type"].lower() == told["refreshed"].lower() == "dpop"
        assert told["claims"]["aud"] == name
        assert told["userinfo"]["email"]
        assert "department" not in told["userinfo"]  # profile was not asked for

        forged = {"logout_token": hint_of(told["end_session_url"])}
        assert httpx.post(ear, data=forged).status_code == httpx.codes.BAD_REQUEST
        assert desk.get(told["end_session_url"]) == BYE
        assert session_is_over(desk)
        ended = party.heard()
    assert ended["heard"]["sid"] == told["claims"]["sid"]
    assert ended["heard"]["sub"] == told["claims"]["sub"]
    assert ended["after"] == "invalid_grant"
