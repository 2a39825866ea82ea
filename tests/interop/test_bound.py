"""openid-client with private_key_jwt, pushed requests and DPoP, unmodified, as a client of profile `fapi2`."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.attacks.keyholders import keyholders
from tests.fakes.jws import encode
from tests.interop.node import HERE, NODE

pytestmark = [pytest.mark.interop, pytest.mark.services, pytest.mark.timeout(120)]


def test_fapi2_by_openid_client(tmp_path: Path, postgres_database: str) -> None:
    with keyholders(tmp_path, postgres_database) as scene, scene.gongmu.signed_in() as browser:
        [public] = scene.keyed.jwks["keys"]
        secret = scene.keyed.key.private_numbers().private_value.to_bytes(32, "big")
        settings = {
            "issuer": scene.gongmu.issuer,
            "redirect_uri": scene.gongmu.party("bank").redirect_uri,
            "jwk": {**public, "d": encode(secret)},
            "cookie": "; ".join(f"{one.name}={one.value}" for one in browser.cookies.jar),
        }
        done = subprocess.run(
            [NODE, str(HERE / "bound.mjs"), json.dumps(settings)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["program"] == {"type": "dpop", "status": 200}
    bank = told["bank"]
    assert (bank["type"], bank["userinfo"]["name"]) == ("dpop", "홍길동")
    assert bank["same"] is True  # FAPI 2.0: refresh tokens are bound, not rotated
    assert bank["introspected"]["token_type"] == "DPoP"
    assert bank["introspected"]["cnf"]["jkt"]
    assert bank["after"] == "invalid_grant"
