"""Too much from one address: 429 with a time to come again, one event a minute, and nobody shut out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.conf import Rates
from tests.unit.oidc.scene import Asked, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, rates=Rates(logins=2, refusals=2, nonces=2, pictures=2))
    yield made
    made.close()


def reasons(world: World) -> list[str]:
    return [event["reason"] for event in reversed(world.parts.journal.read())]


def test_sign_ins_that_begin_are_counted_by_address(world: World, asked: Asked) -> None:
    with world.browser() as browser:
        statuses = []
        for _ in range(5):
            query = Asked(asked.registered).parameters()
            answer = browser.get("/oauth/authorize", query_string=query)
            statuses.append(answer.status_code)
        assert statuses == [303, 303, 429, 429, 429]
        assert answer.headers["Retry-After"] == "60"
        assert reasons(world).count("rate_limited") == 1
        elsewhere = browser.get(
            "/oauth/authorize",
            query_string=Asked(asked.registered).parameters(),
            environ_base={"REMOTE_ADDR": "203.0.113.9"},
        )
        assert elsewhere.status_code == 303


def test_a_flood_of_wrong_secrets_writes_one_event_and_shuts_out_nobody(
    world: World, asked: Asked
) -> None:
    mail = asked.registered
    with world.browser() as browser:
        wrong = {"grant_type": "authorization_code", "client_id": mail.client_id}
        for number in range(6):
            answer = browser.post("/oauth/token", data={**wrong, "client_secret": "x"})
            assert answer.status_code == (401 if number < 2 else 429)
        assert answer.json["error"] == "slow_down"
        assert answer.headers["Retry-After"] == "60"
        assert reasons(world)[-3:] == ["client_authentication"] * 2 + ["rate_limited"]
        right = browser.post("/oauth/token", data=asked.form("unknown"), headers=mail.basic)
        assert right.status_code == 429  # authenticated, and its code is wrong: refused like others
        for address in ("203.0.113.9", "203.0.113.10"):
            base = {"REMOTE_ADDR": address}
            browser.post("/oauth/token", data={**wrong, "client_secret": "x"}, environ_base=base)
        assert reasons(world)[-1] == "rate_limited", "a relying party's own count is one as well"


@pytest.mark.parametrize("path", ["/issuer/nonce", "/wallet/read-qr"])
def test_what_costs_and_asks_for_nothing_is_counted(world: World, path: str) -> None:
    with world.browser() as browser:
        statuses = [browser.post(path).status_code for _ in range(4)]
    assert statuses[2:] == [429, 429]
    assert 429 not in statuses[:2]
    assert reasons(world).count("rate_limited") == 1


def test_refusals_that_go_back_to_the_relying_party_count_as_well(
    world: World, asked: Asked
) -> None:
    with world.browser() as browser:
        query = asked.parameters(prompt="none")
        statuses = [
            browser.get("/oauth/authorize", query_string=query).status_code for _ in range(4)
        ]
    assert statuses == [303, 303, 429, 429]
    assert reasons(world).count("rate_limited") == 1
