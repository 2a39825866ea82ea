"""A client that nobody here wrote keeps to FAPI 2.0 with signed requests and answers (openid-client)."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.pushing import Keyed
from tests.fakes.jws import encode
from tests.interop.node import DEADLINE_S, HERE, NODE
from tests.unit.oidc.running import Running, running

pytestmark = [pytest.mark.interop, pytest.mark.services, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def gongmu(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, sql_url: str
) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("gongmu"), redis_url, sql_url) as provider:
        yield provider


@pytest.mark.parametrize("jarm", [False, True], ids=["plain answer", "signed answer"])
def test_signed_pushed_and_bound_to_a_key(gongmu: Running, jarm: bool) -> None:  # noqa: FBT001 - parametrized
    key, name = Keyed(), f"node-{'jarm' if jarm else 'plain'}"
    party = gongmu.world.register(
        name,
        profile="fapi2",
        token_endpoint_auth_methods=("private_key_jwt",),
        dpop_bound_access_tokens=True,
        require_signed_request_object=True,
        response_modes=("jwt",) if jarm else ("query",),
        authorization_signed_response_alg="EdDSA",
        jwks=key.jwks,
    )
    private = encode(key.key.private_numbers().private_value.to_bytes(32, "big"))
    settings: dict[str, Any] = {
        "issuer": gongmu.issuer,
        "client_id": name,
        "redirect_uri": party.redirect_uri,
        "logout_uri": party.party.post_logout_redirect_uris[0],
        "jwk": {**key.jwks["keys"][0], "d": private},
        "jarm": jarm,
        "parameters": {
            "scope": "openid offline_access",
            "claims": '{"userinfo":{"email":null}}',
        },
    }
    with (
        gongmu.signed_in() as browser,
        subprocess.Popen(
            [NODE, str(HERE / "fapi.mjs"), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as node,
    ):
        assert node.stdin
        assert node.stdout
        assert node.stderr
        line = node.stdout.readline()
        assert line, node.stderr.read()
        answer = browser.get(json.loads(line)["authorization_url"])
        assert answer.status_code == 303
        assert ("response=" in answer.headers["location"]) is jarm
        told, fault = node.communicate(f"{answer.headers['location']}\n", timeout=DEADLINE_S)
        assert told, fault
        found = json.loads(told)
        out = browser.get(found["end_session_url"])
    assert out.headers["location"] == settings["logout_uri"]
    assert "gongmu-session=;" in out.headers["set-cookie"]
    assert found["token_type"].lower() == found["refreshed"].lower() == "dpop"
    assert found["claims"]["aud"] == name
    assert found["userinfo"]["email"] == "hong@example.go.kr"
    assert "department" not in found["userinfo"]  # profile was not asked for
