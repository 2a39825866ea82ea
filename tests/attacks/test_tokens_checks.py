"""Attacks on introspection, revocation and userinfo, over HTTP (A-078 to A-087)."""

import secrets
import statistics
import time
from typing import Any

import httpx
import pytest

from idp.contracts import State
from idp.errors import OutsideError
from idp.events import Event
from idp.oidc import token_checks
from tests.fakes.jws import claims_of, header_of, sign
from tests.unit.oidc.running import Running
from tests.unit.oidc.scene import Asked, Registered

pytestmark = pytest.mark.services
INACTIVE = {"active": False}
PAIRS = 100
URN = "urn:ietf:params:oauth:grant-type:"


@pytest.fixture
def tokens(gongmu: Running) -> dict[str, Any]:
    asked = Asked(gongmu.party())
    with gongmu.signed_in() as browser:
        code = gongmu.code(asked, browser, scope="openid profile email offline_access")
    found: dict[str, Any] = gongmu.redeem(asked, code).json()
    return found


def post(gongmu: Running, path: str, party: Registered, **form: str) -> httpx.Response:
    with gongmu.client() as backend:
        return backend.post(path, data=form, headers=party.basic)


def introspect(gongmu: Running, party: Registered, token: str) -> Any:
    answer = post(gongmu, "/oauth/introspect", party, token=token)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    "grant_type",
    [
        "password",
        "implicit",
        f"{URN}device_code",
        f"{URN}jwt-bearer",
        f"{URN}saml2-bearer",
        f"{URN}token-exchange",
        "authorization_code ",
        " authorization_code",
        "AUTHORIZATION_CODE",
        '["authorization_code"]',
        "code",
    ],
)
def test_a078_grants_that_there_are_not(gongmu: Running, grant_type: str) -> None:
    mark = gongmu.mark()
    form = {"code": "x", "username": "hong", "password": "x", "assertion": "x"}
    answer = post(gongmu, "/oauth/token", gongmu.party(), grant_type=grant_type, **form)
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")
    [event] = gongmu.events_after(mark)
    assert (event["kind"], event["reason"]) == ("token:issue:refused", "grant_type")
    with gongmu.client() as anyone:
        supported = anyone.get("/.well-known/openid-configuration").json()["grant_types_supported"]
    assert grant_type not in supported
    assert not any(URN in name for name in supported)


def test_a078_what_is_off_has_no_address(gongmu: Running) -> None:
    with gongmu.client() as anyone:
        for answer in (
            anyone.post("/oauth/device_authorization", data={"scope": "openid"}),
            anyone.get("/device"),
            anyone.post("/device", data={"user_code": "x"}),
            anyone.get(f"/device/{'0' * 64}"),
            anyone.post(f"/device/{'0' * 64}", data={"decision": "allow"}),
        ):
            assert answer.status_code == 404
        document = anyone.get("/.well-known/openid-configuration").json()
    assert "device_authorization_endpoint" not in document


def test_a079_a_token_in_the_query_or_the_form(gongmu: Running, tokens: dict[str, Any]) -> None:
    form = {"access_token": tokens["access_token"]}
    with gongmu.client() as client:
        assert client.get("/oauth/userinfo", params=form).status_code == 401
        assert client.post("/oauth/userinfo", data=form).status_code == 401


def test_a080_tokens_of_another_kind(gongmu: Running, tokens: dict[str, Any]) -> None:
    for kind in ("id_token", "refresh_token"):
        mark = gongmu.mark()
        answer = gongmu.userinfo(tokens[kind])
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
        [event] = gongmu.events_after(mark)
        assert event["kind"] == "token:use:refused"
        assert tokens[kind] not in str(event)
    asked = Asked(gongmu.party())
    with gongmu.signed_in() as browser:
        parameters = asked.parameters(id_token_hint=tokens["access_token"], prompt="none")
        location = browser.get("/oauth/authorize", params=parameters).headers["location"]
    assert "error=login_required" in location


def test_a081_without_openid_and_after_retirement(gongmu: Running, tokens: dict[str, Any]) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    narrow = post(gongmu, "/oauth/token", gongmu.party(), **form, scope="profile").json()
    answer = gongmu.userinfo(narrow["access_token"])
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    directory = gongmu.world.directory
    directory.change("E100", state=State.RETIRED)
    try:
        assert gongmu.userinfo(tokens["access_token"]).status_code == 401
        assert introspect(gongmu, gongmu.party(), tokens["access_token"]) == INACTIVE
    finally:
        directory.change("E100", state=State.ACTIVE)


def test_a083_who_guesses_is_stopped_and_nobody_else(
    gongmu: Running, tokens: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_checks, "GUESSES_PER_MINUTE", 5)
    guesser = gongmu.world.register(f"guesser-{secrets.token_hex(4)}")
    guesses = (lambda: secrets.token_urlsafe(32), lambda: sign({"alg": "ES256"}, {}, b"k"))
    for turn in range(5):
        assert introspect(gongmu, guesser, guesses[turn % 2]()) == INACTIVE
    mark = gongmu.mark()
    for _ in range(4):
        answer = post(gongmu, "/oauth/introspect", guesser, token=secrets.token_urlsafe(32))
        assert (answer.status_code, answer.json()["error"]) == (429, "invalid_request")
    [event] = gongmu.events_after(mark)
    assert (event["reason"], event["relying_party"]) == ("rate_limited", guesser.client_id)
    assert introspect(gongmu, guesser, tokens["access_token"]) == INACTIVE  # genuine, not a guess
    neighbour = gongmu.world.register(f"neighbour-{secrets.token_hex(4)}")
    assert introspect(gongmu, neighbour, secrets.token_urlsafe(32)) == INACTIVE
    assert introspect(gongmu, gongmu.party(), tokens["access_token"])["active"]


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a084_another_clients_token(gongmu: Running, tokens: dict[str, Any], kind: str) -> None:
    other = gongmu.party("other")
    mark = gongmu.mark()
    assert post(gongmu, "/oauth/revoke", other, token=tokens[kind]).status_code == 200
    [event] = gongmu.events_after(mark)
    assert event["kind"] == "token:use:refused"
    assert (event["reason"], event["relying_party"]) == ("grant_of_other_client", "other")
    assert introspect(gongmu, gongmu.party(), tokens["access_token"])["active"]


def test_a085_never_200_for_what_was_not_written(
    gongmu: Running, tokens: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_sessions: object, _grant: str, _event: Event) -> bool:
        raise OutsideError("sql", "away")

    with monkeypatch.context() as patch:
        patch.setattr(type(gongmu.world.parts.sessions), "end_grant", away)
        answer = post(gongmu, "/oauth/revoke", gongmu.party(), token=tokens["access_token"])
    assert answer.status_code == 503
    assert introspect(gongmu, gongmu.party(), tokens["access_token"])["active"]


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a086_with_one_token_all_are_dead(
    gongmu: Running, tokens: dict[str, Any], kind: str
) -> None:
    mail = gongmu.party()
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    later = post(gongmu, "/oauth/token", mail, **form).json()
    assert post(gongmu, "/oauth/revoke", mail, token=later[kind]).status_code == 200
    for token in (tokens["access_token"], later["access_token"]):
        assert introspect(gongmu, mail, token) == INACTIVE
        assert gongmu.userinfo(token).status_code == 401
    form["refresh_token"] = later["refresh_token"]
    assert post(gongmu, "/oauth/token", mail, **form).json()["error"] == "invalid_grant"


def test_a087_introspection_takes_as_long_for_whatever_is_inactive(
    gongmu: Running, tokens: dict[str, Any]
) -> None:
    """E5: medians of interleaved tries within 5 ms."""
    other, genuine = gongmu.party("other"), tokens["access_token"]
    head, body, _ = genuine.split(".")
    kinds = {
        "another client's": lambda: genuine,
        "unknown": lambda: secrets.token_urlsafe(32),
        "forged": lambda: f"{head}.{body}.{secrets.token_urlsafe(64)}",
    }
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    with gongmu.client() as backend:
        for _ in range(PAIRS):
            for name, make in kinds.items():
                form = {"token": make()}
                begun = time.perf_counter()
                answer = backend.post("/oauth/introspect", data=form, headers=other.basic)
                taken[name].append(time.perf_counter() - begun)
                assert answer.json() == INACTIVE
    medians = [statistics.median(times) for times in taken.values()]
    assert max(medians) - min(medians) < 0.005, dict(zip(taken, medians, strict=True))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
        {"Forwarded": "host=evil.example;proto=https"},
    ],
)
def test_a088_public_documents(gongmu: Running, headers: dict[str, str]) -> None:
    """Nothing private, no id twice, and an issuer that is spelled one way whatever the request says."""
    with gongmu.client() as anyone:
        document = anyone.get("/.well-known/openid-configuration", headers=headers)
        keys = anyone.get("/oauth/jwks", headers=headers).json()["keys"]
    assert document.json()["issuer"] == gongmu.issuer
    assert "evil" not in document.text
    assert gongmu.issuer == gongmu.issuer.lower().rstrip("/")
    addresses = [value for name, value in document.json().items() if name.endswith("_endpoint")]
    assert all(value.startswith(f"{gongmu.issuer}/") for value in addresses)
    kids = [key["kid"] for key in keys]
    assert len(set(kids)) == len(kids) >= 2
    private = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
    assert all(private.isdisjoint(key) and key["use"] == "sig" for key in keys)


def test_a_withdrawn_key_takes_its_tokens_along(gongmu: Running, tokens: dict[str, Any]) -> None:
    """Also those that were verified before: a verified signature is remembered, its key asked for."""
    token, keys = tokens["access_token"], gongmu.world.parts.keys
    assert gongmu.userinfo(token).status_code == 200
    keys.retire(header_of(token)["kid"], compromised=True)
    assert gongmu.userinfo(token).status_code == 401
    assert introspect(gongmu, gongmu.party(), token) == INACTIVE


def test_what_an_access_token_says(gongmu: Running, tokens: dict[str, Any]) -> None:
    """RFC 9068 §2.2: every claim that it asks for, and the same in introspection."""
    claims = claims_of(tokens["access_token"])
    required = {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}
    assert required | {"auth_time", "acr", "amr", "scope", "sid"} <= set(claims)
    told = introspect(gongmu, gongmu.party(), tokens["access_token"])
    for name in (*required, "auth_time", "acr", "amr", "sid"):
        assert told[name] == claims[name], name
    assert set(told["scope"].split()) == set(claims["scope"].split())
