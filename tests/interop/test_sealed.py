"""A library that nobody here wrote opens every sealed answer: each algorithm with each method (jose)."""

import json
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from idp import encryption
from tests.fakes.jwe import PrivateKey, jwk_of
from tests.fakes.jws import encode
from tests.interop.node import DEADLINE_S, HERE, NODE
from tests.unit.oidc.scene import Asked, World
from tests.unit.oidc.test_authorize import code_of
from tests.unit.oidc.test_token import redeem

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]
RSA_PARTS = ("d", "p", "q", "dp", "dq", "qi")


def private_jwk(key: PrivateKey) -> dict[str, str]:
    """The whole key, as its owner keeps it."""
    public = jwk_of(key, "own", use="enc")
    numbers = key.private_numbers()
    if isinstance(numbers, ec.EllipticCurvePrivateNumbers):
        return {**public, "d": encode(numbers.private_value.to_bytes(32, "big"))}
    values = (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    octets = [value.to_bytes((value.bit_length() + 7) // 8, "big") for value in values]
    return {**public, **dict(zip(RSA_PARTS, map(encode, octets), strict=True))}


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_jose_opens_them(tmp_path: Path, kind: str) -> None:
    key: PrivateKey = (
        ec.generate_private_key(ec.SECP256R1())
        if kind == "EC"
        else rsa.generate_private_key(65537, 2048)
    )
    jwks = {"keys": [jwk_of(key, "own", use="enc")]}
    algorithms = [name for name, kty in encryption.KEY_TYPES.items() if kty == kind]
    pairs = list(product(algorithms, encryption.METHODS))
    world = World(tmp_path)
    world.clock.at = None
    browser = world.browser()
    world.sign_in(browser)
    settings: dict[str, Any] = {"claims_in_id_token": True, "jwks": jwks, "sector": "mail.example"}
    tokens = []
    for algorithm, method in pairs:
        party = world.register(
            f"p{len(tokens)}",
            id_token_encrypted_response_alg=algorithm,
            id_token_encrypted_response_enc=method,
            **settings,
        )
        asked = Asked(party)
        tokens.append(redeem(browser, asked, code_of(world, browser, asked)).json["id_token"])
    given = {
        "issuer": "http://localhost",
        "audience": [f"p{number}" for number in range(len(tokens))],
        "jwks": browser.get("/oauth/jwks").json,
        "key": private_jwk(key),
        "tokens": tokens,
    }
    done = subprocess.run(
        [NODE, str(HERE / "sealed.mjs"), json.dumps(given)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    world.close()
    assert done.returncode == 0, done.stderr
    opened = json.loads(done.stdout)
    assert [(claims["alg"], claims["enc"]) for claims in opened] == pairs
    assert {claims["name"] for claims in opened} == {"홍길동"}
