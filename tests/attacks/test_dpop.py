"""Attacks on what is bound to a key, by DPoP, over HTTP (A-068 to A-072; RFC 9449)."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import redis

from tests.attacks.keyholders import Keyholders, is_refused, keyholders, refused_as
from tests.fakes.dpop import DpopKey
from tests.fakes.jws import DROP, claims_of, digest
from tests.unit.oidc.scene import Asked

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, sql_url: str) -> Iterator[Keyholders]:
    with keyholders(tmp_path_factory.mktemp("dpop"), sql_url) as found:
        yield found


@pytest.fixture
def browser(scene: Keyholders) -> Iterator[httpx.Client]:
    with scene.gongmu.signed_in() as client:
        yield client


@pytest.fixture
def key() -> DpopKey:
    return DpopKey()


def post(scene: Keyholders, proof: str | None, form: dict[str, str]) -> httpx.Response:
    headers = {} if proof is None else {"DPoP": proof}
    with scene.gongmu.client() as backend:
        return backend.post("/oauth/token", data=form, headers=headers)


def is_no_proof(scene: Keyholders, answer: httpx.Response, mark: int) -> None:
    is_refused(answer, "invalid_dpop_proof")
    assert "DPoP-Nonce" not in answer.headers
    assert refused_as(scene.gongmu, mark) == ("token:issue:refused", "dpop_proof")


SPOILT: list[tuple[str, dict[str, Any]]] = [
    ("alg none", {"header": {"alg": "none"}}),
    ("alg HS256", {"header": {"alg": "HS256"}}),
    ("typ JWT", {"header": {"typ": "JWT"}}),
    ("kid only", {"header": {"jwk": DROP, "kid": "k1"}}),
    ("another htm", {"htm": "GET"}),
    ("iat 5 minutes ago", {"iat": 1_000_000_000}),
    ("jti missing", {"jti": DROP}),
]


@pytest.mark.parametrize(("name", "changed"), SPOILT, ids=[name for name, _ in SPOILT])
def test_a068_a_spoilt_proof_uses_nothing_up(
    scene: Keyholders, browser: httpx.Client, key: DpopKey, name: str, changed: dict[str, Any]
) -> None:
    asked = Asked(scene.gongmu.party("app"))
    form = {**asked.form(scene.code(browser, asked)), "client_id": "app"}
    address, nonce = f"{scene.gongmu.issuer}/oauth/token", scene.nonce()
    mark = scene.gongmu.mark()
    is_no_proof(scene, post(scene, key.proof("POST", address, nonce, **changed), form), mark)
    assert post(scene, key.proof("POST", address, nonce), form).status_code == 200


def test_a068_wrong_addresses_a_private_key_and_two_headers(
    scene: Keyholders, key: DpopKey
) -> None:
    issuer, nonce = scene.gongmu.issuer, scene.nonce()
    form = {"grant_type": "authorization_code", "client_id": "app", "code": "x" * 43}
    address = f"{issuer}/oauth/token"
    elsewhere = (
        address.replace("localhost", "LOCALHOST"),
        address.replace("localhost", "127.0.0.1"),
        f"{address}?x=1",
        f"{address}/",
        f"{issuer}/OAUTH/token",
        f"{issuer}/oauth/par",
        "https://id.example/oauth/token",
    )
    proofs = [key.proof("POST", other, nonce) for other in elsewhere]
    private = {"jwk": {**key.jwk, "d": "AAAA"}}
    proofs.append(key.proof("POST", address, nonce, header=private))
    for proof in proofs:
        mark = scene.gongmu.mark()
        is_no_proof(scene, post(scene, proof, form), mark)
    two = [("DPoP", key.proof("POST", address, nonce)) for _ in range(2)]
    mark = scene.gongmu.mark()
    with scene.gongmu.client() as backend:
        answer = backend.post("/oauth/token", data=form, headers=two)
    is_no_proof(scene, answer, mark)


@pytest.mark.parametrize("name", ["bank", "program"])
def test_a068_no_proof_where_one_is_needed(
    scene: Keyholders, browser: httpx.Client, key: DpopKey, name: str
) -> None:
    """D-2: on every route in, also when the request was pushed."""
    asked = Asked(scene.gongmu.party(name))
    form = {"grant_type": "client_credentials"}
    if name == "bank":
        form = asked.form(scene.code(browser, asked))
    mark = scene.gongmu.mark()
    is_no_proof(scene, scene.ask(None, name, **form), mark)
    answer = scene.ask(key, name, **form)
    assert answer.json()["token_type"] == "DPoP"
    assert claims_of(answer.json()["access_token"])["cnf"] == {"jkt": key.thumbprint}
    if name == "bank":
        token = answer.json()["refresh_token"]
        is_refused(scene.refresh(token, None, "bank"), "invalid_dpop_proof")


def test_a069_a_proof_counts_once_also_after_a_flush(scene: Keyholders, key: DpopKey) -> None:
    address = f"{scene.gongmu.issuer}/oauth/token"
    proof = key.proof("POST", address, scene.nonce())
    form = {"grant_type": "client_credentials"}
    asked = Asked(scene.gongmu.party("program"))
    assert post(scene, proof, {**form, **scene.proof_of(asked)}).status_code == 200
    mark = scene.gongmu.mark()
    is_no_proof(scene, post(scene, proof, {**form, **scene.proof_of(asked)}), mark)
    redis.Redis.from_url(scene.redis_url).flushall()
    for _ in range(3):  # however many nonces were made since
        answer = post(scene, proof, {**form, **scene.proof_of(asked)})
        is_refused(answer, "use_dpop_nonce")
    assert scene.ask(key, "program", **form).status_code == 200


def test_a070_a_nonce_stale_foreign_or_none(scene: Keyholders, key: DpopKey) -> None:
    address, form = f"{scene.gongmu.issuer}/oauth/token", {"grant_type": "client_credentials"}
    stale = scene.nonce()
    redis.Redis.from_url(scene.redis_url).delete(f"dpop:{{{stale}}}")  # its time is over
    asked = Asked(scene.gongmu.party("program"))
    mark = scene.gongmu.mark()
    for nonce in (stale, secrets.token_urlsafe(16), "", "x", "é", "x" * 5000):
        proof = key.proof("POST", address, nonce)
        answer = post(scene, proof, {**form, **scene.proof_of(asked)})
        is_refused(answer, "use_dpop_nonce")
        again = key.proof("POST", address, answer.headers["DPoP-Nonce"])
        answer = post(scene, again, {**form, **scene.proof_of(asked)})
        assert answer.status_code == 200, answer.text
    kinds = {event["kind"] for event in scene.gongmu.events_after(mark)}
    assert kinds == {"token:issue:accepted"}  # asking for a nonce is no refusal to review


def test_a071_a_code_for_one_key(scene: Keyholders, browser: httpx.Client, key: DpopKey) -> None:
    for wrong in (DpopKey(), None):
        asked = Asked(scene.gongmu.party("app"))
        form = asked.form(scene.code(browser, asked, dpop_jkt=key.thumbprint))
        mark = scene.gongmu.mark()
        is_refused(scene.ask(wrong, **form), "invalid_grant")
        assert refused_as(scene.gongmu, mark) == ("token:issue:refused", "sender_key")
        is_refused(scene.ask(key, **form), "invalid_grant")  # and it is burned
    asked = Asked(scene.gongmu.party("app"))
    form = asked.form(scene.code(browser, asked, dpop_jkt=key.thumbprint))
    assert scene.ask(key, **form).json()["token_type"] == "DPoP"


def test_a072_a_bound_token_needs_its_key_at_userinfo(
    scene: Keyholders, browser: httpx.Client, key: DpopKey
) -> None:
    token = scene.tokens(browser, key)["access_token"]
    assert scene.userinfo(token, key).json()["name"]
    mark = scene.gongmu.mark()
    stripped = scene.gongmu.userinfo(token)
    other = scene.userinfo(token, DpopKey())
    with scene.gongmu.client() as backend:
        unproven = backend.get("/oauth/userinfo", headers={"Authorization": f"DPoP {token}"})
    address = f"{scene.gongmu.issuer}/oauth/userinfo"
    nonce = other.request.headers["DPoP"] and claims_of(other.request.headers["DPoP"])["nonce"]
    wrong = key.proof("GET", address, nonce, ath=digest("another"))
    with scene.gongmu.client() as backend:
        headers = {"Authorization": f"DPoP {token}", "DPoP": wrong}
        another = backend.get("/oauth/userinfo", headers=headers)
    for answer, code in (
        (stripped, "invalid_token"),
        (other, "invalid_token"),
        (unproven, "invalid_token"),
        (another, "invalid_dpop_proof"),
    ):
        is_refused(answer, code, 401)
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith("DPoP ")
        assert f'error="{code}"' in challenge
        assert 'algs="ES256 PS256 EdDSA Ed25519"' in challenge
    reasons = [event["reason"] for event in scene.gongmu.events_after(mark)]
    assert reasons == ["sender_key", "sender_key", "sender_key", "dpop_proof"]


def test_a072_a_proof_is_replayed_at_userinfo(
    scene: Keyholders, browser: httpx.Client, key: DpopKey
) -> None:
    token = scene.tokens(browser, key)["access_token"]
    seen = scene.userinfo(token, key).request.headers
    headers = {name: seen[name] for name in ("Authorization", "DPoP")}
    with scene.gongmu.client() as thief:
        is_refused(thief.get("/oauth/userinfo", headers=headers), "invalid_dpop_proof", 401)
        stale = thief.get("/oauth/userinfo", headers={**headers, "DPoP": ""})
    assert stale.status_code == 401


def test_a072_a_plain_token_is_not_dressed_up(
    scene: Keyholders, browser: httpx.Client, key: DpopKey
) -> None:
    token = scene.tokens(browser, None)["access_token"]
    assert scene.gongmu.userinfo(token).status_code == 200
    is_refused(scene.userinfo(token, key), "invalid_token", 401)


def test_a072_the_api_and_introspection_know_the_binding(scene: Keyholders, key: DpopKey) -> None:
    token = scene.ask(key, "program", grant_type="client_credentials").json()["access_token"]
    with scene.gongmu.client() as backend:
        headers = {"Authorization": f"Bearer {token}"}
        assert backend.get("/api/v1/events", headers=headers).status_code == 401
        assert DpopKey().call(backend, "GET", "/api/v1/events", token).status_code == 401
        assert key.call(backend, "GET", "/api/v1/events", token).status_code == 200
        asked = Asked(scene.gongmu.party("program"))
        form = {"token": token, **scene.proof_of(asked)}
        told = backend.post("/oauth/introspect", data=form).json()
    assert (told["token_type"], told["cnf"]) == ("DPoP", {"jkt": key.thumbprint})


def test_at_the_resource_a_nonce_is_asked_for_by_401(
    scene: Keyholders, browser: httpx.Client, key: DpopKey
) -> None:
    """RFC 9449 §9."""
    token = scene.tokens(browser, key)["access_token"]
    proof = key.proof("GET", f"{scene.gongmu.issuer}/oauth/userinfo", access_token=token)
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
    with scene.gongmu.client() as backend:
        answer = backend.get("/oauth/userinfo", headers=headers)
    is_refused(answer, "use_dpop_nonce", 401)
    assert 'error="use_dpop_nonce"' in answer.headers["WWW-Authenticate"]
    assert answer.headers["DPoP-Nonce"]


def test_a_flood_for_nonces_fills_no_store(
    scene: Keyholders, browser: httpx.Client, key: DpopKey
) -> None:
    """Anybody may ask under a public client's name: so many of one address in a minute, then 429."""
    token = scene.tokens(browser, key)["access_token"]
    world = scene.gongmu.world
    rates = world.parts.settings.rates.model_copy(update={"nonces": 0})
    few = replace(world.parts, settings=world.parts.settings.model_copy(update={"rates": rates}))
    form = {"client_id": "app", "grant_type": "authorization_code", "code": "x"}
    world.app.extensions["gongmu"] = few
    try:
        store = redis.Redis.from_url(scene.redis_url)
        before = len(store.keys("dpop:*"))
        answer = post(scene, key.proof("POST", f"{scene.gongmu.issuer}/oauth/token"), form)
        is_refused(answer, "slow_down", 429)
        proof = key.proof("GET", f"{scene.gongmu.issuer}/oauth/userinfo", access_token=token)
        with scene.gongmu.client() as backend:
            headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
            is_refused(backend.get("/oauth/userinfo", headers=headers), "slow_down", 429)
        assert len(store.keys("dpop:*")) == before
    finally:
        world.app.extensions["gongmu"] = world.parts
