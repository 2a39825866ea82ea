"""A-063: a client assertion is accepted once, on whichever node, and after whatever happens to Redis."""

import json
import secrets
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from idp.oidc.assertions import TYPE
from idp.relying_parties import RelyingParties, RelyingParty
from tests.attacks.forge import compact, es256, jwk_of
from tests.outages.proxy import Fault
from tests.outages.stack import Stack
from tests.stack import services_of

pytestmark = pytest.mark.services
CLIENT = "program-with-a-key"


@pytest.fixture(scope="module")
def key(shared: Stack) -> ec.EllipticCurvePrivateKey:
    """Of a program that is registered with it."""
    made = ec.generate_private_key(ec.SECP256R1())
    issuer = shared.provider.issuer
    party = RelyingParty(
        client_id=CLIENT,
        name_ko=CLIENT,
        name_en=CLIENT,
        grant_types=("client_credentials",),
        scope=("gongmu:events",),
        audience=f"{issuer}/api/v1",
        token_endpoint_auth_methods=("private_key_jwt",),
        jwks={"keys": [{**jwk_of(made.public_key()), "kid": "1", "alg": "ES256", "use": "sig"}]},
    )
    assert shared.provider.conf_file is not None
    with services_of(shared.provider.conf_file) as parts:
        secret_key = parts.keys.secret("client-secrets")
        register = RelyingParties(parts.engine, parts.journal, secret_key, parts.now, loopback=True)
        register.add(party, "cli:tests")
    return made


def form(running: Stack, key: ec.EllipticCurvePrivateKey, **changed: object) -> dict[str, str]:
    now = int(time.time())
    claims = {
        "iss": CLIENT,
        "sub": CLIENT,
        "aud": running.provider.issuer,
        "iat": now,
        "exp": now + 60,
        "jti": secrets.token_urlsafe(16),
        **changed,
    }
    assertion = compact(json.dumps({"alg": "ES256", "kid": "1"}), json.dumps(claims), es256(key))
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": TYPE,
        "client_assertion": assertion,
    }


def ask(running: Stack, fields: dict[str, str]) -> httpx.Response:
    with running.provider.client() as client:
        return client.post("/oauth/token", data=fields)


def is_refused(running: Stack, fields: dict[str, str]) -> None:
    for _ in range(6):  # a connection each: both workers are asked
        answer = ask(running, fields)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


# The client's clock may be ahead: its assertion looks younger than the flush.
@pytest.mark.parametrize("ahead_s", [0, 30])
def test_a_spent_one_is_refused_after_a_flush(
    whole: Stack, key: ec.EllipticCurvePrivateKey, ahead_s: int
) -> None:
    fields = form(whole, key, iat=int(time.time()) + ahead_s)
    assert ask(whole, fields).status_code == 200
    is_refused(whole, fields)
    whole.redis.flushall()
    is_refused(whole, fields)
    assert ask(whole, form(whole, key)).status_code == 200  # a new one needs no waiting


def test_a_spent_one_is_refused_without_redis(
    whole: Stack, key: ec.EllipticCurvePrivateKey
) -> None:
    fields = form(whole, key)
    assert ask(whole, fields).status_code == 200
    with whole.broken("redis", Fault.STOPPED):
        is_refused(whole, fields)


def test_without_sql_nobody_can_tell(whole: Stack, key: ec.EllipticCurvePrivateKey) -> None:
    fields = form(whole, key)
    assert ask(whole, fields).status_code == 200
    with whole.broken("sql", Fault.STOPPED):
        whole.is_clean(ask(whole, fields))


def test_of_many_at_once_one_is_accepted(whole: Stack, key: ec.EllipticCurvePrivateKey) -> None:
    fields = form(whole, key)
    with ThreadPoolExecutor(12) as crowd:
        answers = list(crowd.map(lambda _: ask(whole, fields).status_code, range(36)))
    assert Counter(answers) == {200: 1, 401: 35}
