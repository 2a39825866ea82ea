"""Attacks on refresh tokens in every profile, over HTTP (A-074, A-076, A-077)."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import redis

from idp.contracts import State
from tests.attacks.keyholders import Keyholders, is_refused, keyholders, refused_as
from tests.fakes.dpop import DpopKey
from tests.fakes.jws import claims_of
from tests.unit.oidc.scene import Asked

pytestmark = pytest.mark.services
API = "https://api.example/one"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, sql_url: str) -> Iterator[Keyholders]:
    with keyholders(tmp_path_factory.mktemp("refresh"), sql_url) as found:
        found.gongmu.parties["two"] = found.gongmu.world.register(
            "two",
            profile="public",
            token_endpoint_auth_methods=("none",),
            resources=(API, f"{API}/more"),
        )
        yield found


@pytest.fixture
def browser(scene: Keyholders) -> Iterator[httpx.Client]:
    with scene.gongmu.signed_in() as client:
        yield client


@pytest.fixture
def key() -> DpopKey:
    return DpopKey()


def works(scene: Keyholders, tokens: dict[str, Any], key: DpopKey | None) -> bool:
    token = tokens["access_token"]
    answer = scene.userinfo(token, key) if key else scene.gongmu.userinfo(token)
    return answer.status_code == 200


# --- each profile -------------------------------------------------------------------------------


def test_fapi2_the_same_token_stays_with_client_and_key(
    scene: Keyholders, browser: httpx.Client, key: DpopKey
) -> None:
    first = scene.tokens(browser, key, "bank")
    token = first["refresh_token"]
    for _ in range(3):
        answer = scene.refresh(token, key, "bank").json()
        assert answer["refresh_token"] == token
        assert answer["token_type"] == "DPoP"
        assert claims_of(answer["access_token"])["cnf"] == {"jkt": key.thumbprint}
        assert works(scene, answer, key)
    mark = scene.gongmu.mark()
    is_refused(scene.refresh(token, DpopKey(), "bank"), "invalid_grant")
    assert refused_as(scene.gongmu, mark) == ("token:refresh:reused", "sender_key")
    is_refused(
        scene.refresh(token, key, "bank"), "invalid_grant"
    )  # somebody has a copy: it is over
    assert not works(scene, answer, key)


def test_public_is_rotated_and_bound_where_a_key_is_shown(
    scene: Keyholders, browser: httpx.Client, key: DpopKey
) -> None:
    bound, plain = scene.tokens(browser, key), scene.tokens(browser, None)
    answer = scene.refresh(bound["refresh_token"], key).json()
    assert answer["refresh_token"] != bound["refresh_token"]
    assert answer["token_type"] == "DPoP"
    assert works(scene, answer, key)
    answer = scene.refresh(plain["refresh_token"], None).json()
    assert answer["token_type"] == "Bearer"
    assert works(scene, answer, None)


@pytest.mark.parametrize("wrong", [DpopKey, lambda: None], ids=["another key", "no key"])
def test_a074_a_bound_token_with_another_key(
    scene: Keyholders,
    browser: httpx.Client,
    key: DpopKey,
    wrong: Callable[[], DpopKey | None],
) -> None:
    tokens = scene.tokens(browser, key)
    mark = scene.gongmu.mark()
    is_refused(scene.refresh(tokens["refresh_token"], wrong()), "invalid_grant")
    assert refused_as(scene.gongmu, mark) == ("token:refresh:reused", "sender_key")
    is_refused(scene.refresh(tokens["refresh_token"], key), "invalid_grant")
    assert not works(scene, tokens, key)


def test_oidc_may_change_its_key(scene: Keyholders, browser: httpx.Client, key: DpopKey) -> None:
    """RFC 9449 §5: a confidential client proves itself at each refresh."""
    gongmu, other = scene.gongmu, DpopKey()
    party = gongmu.party("mail")
    asked = Asked(party)
    form = asked.form(gongmu.code(asked, browser, scope="openid profile offline_access"))
    with gongmu.client() as backend:
        first = key.call(backend, "POST", "/oauth/token", data=form, headers=party.basic).json()
        form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        again = other.call(backend, "POST", "/oauth/token", data=form, headers=party.basic).json()
    assert claims_of(first["access_token"])["cnf"] == {"jkt": key.thumbprint}
    assert claims_of(again["access_token"])["cnf"] == {"jkt": other.thumbprint}


def test_a_refresh_without_proofs_is_one_trip_to_redis(
    scene: Keyholders, browser: httpx.Client
) -> None:
    """What is not used costs nothing: one script, in which one value is read and written."""
    client = redis.Redis.from_url(scene.redis_url)
    token = scene.tokens(browser, None)["refresh_token"]
    token = scene.refresh(token, None).json()["refresh_token"]  # the script is known now
    client.config_resetstat()
    assert scene.refresh(token, None).status_code == 200
    stats = client.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): told["calls"] for name, told in stats.items()}
    own = {"info", "config|resetstat", "config|set", "client|setinfo", "select", "hello"}
    assert {name: count for name, count in calls.items() if name not in own} == {
        "evalsha": 1,
        "get": 1,
        "set": 1,
    }


# --- A-074 --------------------------------------------------------------------------------------


def test_a074_in_another_clients_hands(scene: Keyholders, browser: httpx.Client) -> None:
    tokens = scene.tokens(browser, None)
    is_refused(scene.refresh(tokens["refresh_token"], None, "two"), "invalid_grant")
    is_refused(scene.refresh(tokens["refresh_token"], None), "invalid_grant")
    assert not works(scene, tokens, None)


def test_a074_after_the_client_was_disabled(scene: Keyholders, browser: httpx.Client) -> None:
    tokens = scene.tokens(browser, None, "two")
    register = scene.gongmu.world.parts.relying_parties
    register.set_disabled("two", True, "test")
    try:
        is_refused(scene.refresh(tokens["refresh_token"], None, "two"), "invalid_client", 401)
    finally:
        register.set_disabled("two", False, "test")
    assert scene.refresh(tokens["refresh_token"], None, "two").status_code == 200


def test_a074_after_the_grant_was_revoked(scene: Keyholders, browser: httpx.Client) -> None:
    tokens = scene.tokens(browser, None)
    with scene.gongmu.client() as backend:
        form = {"client_id": "app", "token": tokens["refresh_token"]}
        assert backend.post("/oauth/revoke", data=form).status_code == 200
    mark = scene.gongmu.mark()
    is_refused(scene.refresh(tokens["refresh_token"], None), "invalid_grant")
    assert refused_as(scene.gongmu, mark) == ("token:issue:refused", "grant_ended")


@pytest.mark.parametrize("state", [State.RETIRED, State.SUSPENDED, State.UNKNOWN])
def test_a074_a_person_who_may_not_act(
    scene: Keyholders, browser: httpx.Client, state: State
) -> None:
    tokens = scene.tokens(browser, None)
    directory = scene.gongmu.world.directory
    directory.change("E100", state=state)
    try:
        is_refused(scene.refresh(tokens["refresh_token"], None), "invalid_grant")
    finally:
        directory.change("E100", state=State.ACTIVE)
    assert scene.refresh(tokens["refresh_token"], None).status_code == 200  # it was not used up


def test_a074_a_wider_scope_or_another_audience(scene: Keyholders, browser: httpx.Client) -> None:
    token = scene.tokens(browser, None)["refresh_token"]
    is_refused(scene.refresh(token, None, scope="openid groups"), "invalid_scope")
    is_refused(scene.refresh(token, None, resource=API), "invalid_target")
    assert scene.refresh(token, None).status_code == 200
    tokens = scene.tokens(browser, None, "two", resource=API)
    assert claims_of(tokens["access_token"])["aud"] == API
    token = tokens["refresh_token"]
    is_refused(scene.refresh(token, None, "two", resource=f"{API}/more"), "invalid_target")
    answer = scene.refresh(token, None, "two", resource=API).json()
    assert claims_of(answer["access_token"])["aud"] == API
    assert scene.gongmu.userinfo(answer["access_token"]).status_code == 401


# --- A-076, A-077 -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["app", "bank"])
def test_a076_at_the_end_of_its_life(
    scene: Keyholders, browser: httpx.Client, key: DpopKey, name: str
) -> None:
    token = scene.tokens(browser, key, name)["refresh_token"]
    grants = f"family:{{{token.partition('.')[0]}}}"
    client = redis.Redis.from_url(scene.redis_url)
    idle = int(client.ttl(grants))
    assert 0 < idle <= scene.gongmu.world.parts.settings.lifetimes.refresh_idle_s
    client.expire(grants, 100)
    token = scene.refresh(token, key, name).json()["refresh_token"]
    assert int(client.ttl(grants)) > 100  # used: idle time begins anew
    client.delete(grants)  # nobody used it for so long
    mark = scene.gongmu.mark()
    is_refused(scene.refresh(token, key, name), "invalid_grant")
    assert refused_as(scene.gongmu, mark) == ("token:issue:refused", "grant_expired")


def test_a077_replayed_in_the_grace_with_another_key(
    scene: Keyholders, browser: httpx.Client, key: DpopKey
) -> None:
    token = scene.tokens(browser, key)["refresh_token"]
    first = scene.refresh(token, key).json()
    assert scene.refresh(token, key).json() == first  # the answer was lost: the same again
    mark = scene.gongmu.mark()
    is_refused(scene.refresh(token, DpopKey()), "invalid_grant")
    assert refused_as(scene.gongmu, mark) == ("token:refresh:reused", "grant_replayed")
    is_refused(scene.refresh(first["refresh_token"], key), "invalid_grant")


def test_a077_out_of_order(scene: Keyholders, browser: httpx.Client) -> None:
    one = scene.tokens(browser, None)["refresh_token"]
    two = scene.refresh(one, None).json()["refresh_token"]
    three = scene.refresh(two, None).json()
    mark = scene.gongmu.mark()
    is_refused(scene.refresh(one, None), "invalid_grant")
    assert refused_as(scene.gongmu, mark) == ("token:refresh:reused", "grant_replayed")
    is_refused(scene.refresh(three["refresh_token"], None), "invalid_grant")
    assert not works(scene, three, None)


@pytest.mark.parametrize("name", ["app", "bank"])
def test_a077_after_a_flush_nothing_is_known_and_nobody_is_blamed(
    scene: Keyholders, browser: httpx.Client, key: DpopKey, name: str
) -> None:
    tokens = scene.tokens(browser, key, name)
    redis.Redis.from_url(scene.redis_url).flushall()
    mark = scene.gongmu.mark()
    is_refused(scene.refresh(tokens["refresh_token"], key, name), "invalid_grant")
    assert refused_as(scene.gongmu, mark)[0] == "token:issue:refused"
    assert works(scene, tokens, key)
