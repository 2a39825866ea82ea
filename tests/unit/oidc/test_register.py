"""Self-registration by settings: off, statements required, guesses counted."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import ValidationError
from sqlalchemy import select, update

from idp.conf import Registration
from idp.oidc.client_metadata import settings_of, shown
from idp.oidc.register import MAX_GUESSES
from idp.relying_parties import RelyingParty
from idp.store.sql import transaction
from idp.store.tables import relying_parties
from tests.unit.oidc.scene import World

SIGNER = ECKey.generate_key("P-256", {"kid": "s"})
GOOD = {"redirect_uris": ["https://board.example/cb"], "client_name": "Board"}


@pytest.fixture
def open_world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "signers.json").write_text(json.dumps({"keys": [SIGNER.as_dict(private=False)]}))
    made = World(tmp_path)
    setting(made, software_statement_jwks_file=tmp_path / "signers.json")
    yield made
    made.close()


def setting(world: World, **changes: Any) -> None:
    """The settings are frozen for all but this test."""
    table = Registration(enabled=True, **changes)
    object.__setattr__(world.parts.settings, "registration", table)


def invited(world: World) -> dict[str, str]:
    _, token = world.parts.self_registration.invite("test", 1, 1, "cli:tests")
    return {"Authorization": f"Bearer {token}"}


def register(world: World, browser: FlaskClient, **metadata: Any) -> Any:
    return browser.post("/oauth/register", json={**GOOD, **metadata}, headers=invited(world))


def test_required_statements(open_world: World, tmp_path: Path) -> None:
    browser = open_world.browser()
    file = tmp_path / "signers.json"
    setting(open_world, software_statement_jwks_file=file, software_statement_required=True)
    answer = register(open_world, browser)
    assert (answer.status_code, answer.json["error"]) == (400, "unapproved_software_statement")
    signed = jwt.encode({"alg": "ES256", "kid": "s"}, {"iss": "mois", "software_id": "x"}, SIGNER)
    answer = register(open_world, browser, software_statement=signed)
    assert (answer.status_code, answer.json["software_id"]) == (201, "x")
    setting(open_world)
    answer = register(open_world, browser, software_statement=signed)
    assert (answer.status_code, answer.json["error"]) == (400, "unapproved_software_statement")


def test_signers_that_cannot_be_read_let_nobody_in(open_world: World, tmp_path: Path) -> None:
    (tmp_path / "signers.json").unlink()
    answer = register(open_world, open_world.browser(), software_statement="x.y.z")
    assert answer.status_code == 503
    with pytest.raises(ValidationError, match="software_statement_jwks_file"):
        Registration(software_statement_required=True)


def test_guesses_are_events_until_they_are_too_many(open_world: World) -> None:
    browser = open_world.browser()
    for _ in range(MAX_GUESSES + 10):
        answer = browser.post("/oauth/register", json=GOOD, headers={"Authorization": "Bearer x"})
        assert answer.status_code == 401
    assert len(open_world.events(kind="relying_party:registration:refused")) == MAX_GUESSES


def test_what_an_administrator_gave_stays_through_a_change(open_world: World) -> None:
    browser = open_world.browser()
    told = register(open_world, browser).json
    register_ = open_world.parts.relying_parties
    party = register_.get(told["client_id"])
    assert party is not None
    assert party.consent == "once"  # nobody has vouched for it
    given = replace(party, minimum_acr="phr", consent="always", sector="board.example")
    register_.update(given, "cli:tests", since=party)
    answer = browser.put(
        f"/oauth/register/{told['client_id']}",
        json={**GOOD, "client_id": told["client_id"], "client_name": "New"},
        headers={"Authorization": f"Bearer {told['registration_access_token']}"},
    )
    assert answer.status_code == 200, answer.text
    kept = register_.get(told["client_id"])
    assert kept is not None
    assert (kept.minimum_acr, kept.consent, kept.sector) == ("phr", "always", "board.example")
    assert kept.name_en == "New"


def test_a236_a_stolen_digest_opens_no_other_record(open_world: World) -> None:
    browser = open_world.browser()
    mine, other = (register(open_world, browser).json for _ in range(2))
    table = relying_parties.c
    with transaction(open_world.parts.engine) as connection:
        query = select(table.registration_mac).where(table.client_id == mine["client_id"])
        stolen = {"registration_mac": connection.scalar(query)}
        connection.execute(
            update(relying_parties).where(table.client_id == other["client_id"]).values(stolen)
        )
    headers = {"Authorization": f"Bearer {mine['registration_access_token']}"}
    for told, status in ((mine, 200), (other, 401)):
        answer = browser.get(f"/oauth/register/{told['client_id']}", headers=headers)
        assert answer.status_code == status


def test_what_is_shown_can_be_said_again() -> None:
    party = RelyingParty("self.x", "", "")
    metadata: dict[str, Any] = {
        **GOOD,
        "client_name#ko": "게시판",
        "jwks_uri": "https://board.example/keys",
        "contacts": ["a@b.kr"],
        "default_max_age": 60,
        "scope": "openid email",
        "dpop_bound_access_tokens": True,
    }
    once = settings_of(metadata, party)
    again = settings_of(json.loads(json.dumps(shown(once))), party)
    assert again == once
