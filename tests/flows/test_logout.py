"""However a session ends, every relying party in it hears of it, and its tokens are dead (A-127 to A-129)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy import Engine, update

from idp import conf_file
from idp.journal import Journal
from idp.keys import KeyRing
from idp.relying_parties import RelyingParties, RelyingParty
from idp.store.sql import open_engine, transaction
from idp.store.tables import sessions
from tests.attacks.forge import decode
from tests.attacks.holder import Held, fetched
from tests.desk import ACR_QR, ACR_RETURN_CODE, Desk, Phone
from tests.fakes.receiver import Call, Receiver, genuine, path_of, receiver
from tests.provider import Provider

pytestmark = pytest.mark.services
TOLD = "told"
TOLD_TOO = "told-too"
CALLBACK = "http://localhost:9999/told"


def utc_now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def database_of(provider: Provider) -> Iterator[tuple[Engine, RelyingParties]]:
    """What an insider has: its SQL, and its register of relying parties."""
    file = provider.conf_file or Path(provider.trust_anchors["issuer"]).parent / "gongmu.toml"
    settings = conf_file.load(file)
    engine = open_engine(settings.stores)
    journal = Journal(engine, utc_now)
    secret = KeyRing(engine, journal, settings, utc_now).secret("client-secrets")
    try:
        yield engine, RelyingParties(engine, journal, secret, utc_now, loopback=True)
    finally:
        engine.dispose()


@dataclass(frozen=True, slots=True)
class Listening:
    """The two relying parties that listen."""

    told: Receiver
    told_too: Receiver


@pytest.fixture(scope="module")
def demo(served: Provider) -> Provider:
    """Two workers on real stores, in place of the demo's embedded ones."""
    return served


@pytest.fixture(scope="module")
def listening(demo: Provider) -> Iterator[Listening]:
    with receiver() as told, receiver() as told_too, database_of(demo) as (_, register):
        for name, address in ((TOLD, told.url), (TOLD_TOO, told_too.url)):
            party = RelyingParty(
                client_id=name,
                name_ko=name,
                name_en=name,
                redirect_uris=(CALLBACK,),
                backchannel_logout_uri=address,
                minimum_acr=ACR_QR,
                id_token_signed_response_alg="ES256" if name == TOLD else "RS256",
            )
            demo.relying_parties[name] = {
                "client_id": name,
                "client_secret": register.add(party, "cli:tests"),
                "redirect_uris": [CALLBACK],
            }
        yield Listening(told, told_too)


@pytest.fixture
def ears(listening: Listening) -> Listening:
    """The same, with nothing heard yet."""
    for one in (listening.told, listening.told_too):
        one.calls.clear()
        one.answers.clear()
    return listening


@pytest.fixture(scope="module")
def held(demo: Provider) -> Held:
    return Held.receive(demo, demo.person(index=3))


@pytest.fixture
def desk(demo: Provider) -> Iterator[Desk]:
    with Desk(demo, party=TOLD) as browser:
        yield browser


def sign_in(desk: Desk, held: Held) -> dict[str, Any]:
    """Tokens of a session at the first of them."""
    desk.start(scope="openid offline_access")
    where = desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
    tokens: dict[str, Any] = desk.redeem(desk.answered(where)["code"]).json()
    return tokens


def join(desk: Desk) -> dict[str, Any]:
    """Tokens of the same session at the second, without a question."""
    second = Desk(desk.provider, party=TOLD_TOO)
    answered = second.answered(desk.get(second.authorization_url()))
    tokens: dict[str, Any] = second.redeem(answered["code"]).json()
    return tokens


def claims_of(tokens: dict[str, Any]) -> dict[str, Any]:
    claims: dict[str, Any] = decode(tokens["id_token"])[1]
    return claims


def heard(demo: Provider, ear: Receiver, party: str, tokens: dict[str, Any]) -> None:
    """Within ten seconds, by a token that verifies, about that session and that person there."""
    call = ear.wait_for(lambda call: is_about(call, tokens))
    assert genuine(demo, call.token, party)["sub"] == claims_of(tokens)["sub"]
    assert path_of(call) == ("POST", "/logout")
    assert "content-type: application/x-www-form-urlencoded" in call.head.lower()


def is_about(call: Call, tokens: dict[str, Any]) -> bool:
    """Other calls may be late ones of other tests."""
    return bool(decode(call.token)[1]["sid"] == claims_of(tokens)["sid"])


def silent(ear: Receiver, tokens: dict[str, Any]) -> bool:
    return not any(is_about(call, tokens) for call in ear.calls)


def log_out(desk: Desk, tokens: dict[str, Any]) -> None:
    desk.get(f"/oauth/logout?{urlencode({'id_token_hint': tokens['id_token']})}")


# --- every end is told ------------------------------------------------------------------------------


def test_logout_at_one_party_is_told_to_all(
    demo: Provider, desk: Desk, held: Held, ears: Listening
) -> None:
    mark = demo.last_event()
    first = sign_in(desk, held)
    second = join(desk)
    log_out(desk, second)
    heard(demo, ears.told, TOLD, first)
    heard(demo, ears.told_too, TOLD_TOO, second)
    story = story_of_both(demo, mark)
    told = str(story)
    for secret in (claims_of(first)["sub"], claims_of(second)["sub"], ears.told.url):
        assert secret not in told


def story_of_both(demo: Provider, mark: str) -> list[dict[str, Any]]:
    """The events of the journey at whose end both were told; others may still hear of earlier ends."""
    end = time.monotonic() + 10
    while True:
        found = demo.events_after(mark)
        told = [event for event in found if event["kind"] == "logout:delivery:done"]
        of_one, of_the_other = (
            {event["journey"] for event in told if event["relying_party"] == party} - {None}
            for party in (TOLD, TOLD_TOO)
        )
        if of_one & of_the_other:
            (journey,) = of_one & of_the_other
            return [event for event in found if event["journey"] == journey]
        assert time.monotonic() < end, [event["kind"] for event in found]
        time.sleep(0.1)


def test_a_party_without_a_grant_in_the_session_is_not_told(
    demo: Provider, desk: Desk, held: Held, ears: Listening
) -> None:
    tokens = sign_in(desk, held)
    log_out(desk, tokens)
    heard(demo, ears.told, TOLD, tokens)
    assert silent(ears.told_too, tokens)


def test_a_person_ends_another_browser_in_the_account(
    demo: Provider, desk: Desk, held: Held, ears: Listening
) -> None:
    tokens = sign_in(desk, held)
    sid = claims_of(tokens)["sid"]
    with Desk(demo, party="lab") as other:
        other.start()
        other.get(fetched(held, other.wallet_link).post().json()["redirect_uri"])
        other.get("/account")
        other.post(f"/account/sessions/{sid}/end")
    heard(demo, ears.told, TOLD, tokens)


def test_this_was_not_me(demo: Provider, desk: Desk, held: Held, ears: Listening) -> None:
    desk.start(acr_values=ACR_RETURN_CODE)
    answer = fetched(held, desk.wallet_link)
    with Phone(demo) as phone:
        code = phone.return_code(answer.post().json()["redirect_uri"])
        tokens = desk.redeem(desk.answered(desk.type_return_code(code))["code"]).json()
        phone.post(f"/vp/{answer.ask.handle}/not-me")
    heard(demo, ears.told, TOLD, tokens)


@pytest.mark.parametrize("state", ["suspend", "revoke"])
def test_a_mobile_id_is_suspended_or_revoked(
    demo: Provider, desk: Desk, ears: Listening, state: str
) -> None:
    number = demo.person(index=4)
    mine = Held.receive(demo, number)
    tokens = sign_in(desk, mine)
    listed = demo.api("GET", f"mobile-ids?personnel_number={number}", "gongmu:issue").json()
    live = next(one for one in listed["mobile_ids"] if one["state"] == "live")
    assert demo.api("POST", f"mobile-ids/{live['id']}/{state}", "gongmu:issue").is_success
    heard(demo, ears.told, TOLD, tokens)


def test_a_mobile_id_is_replaced(demo: Provider, desk: Desk, ears: Listening) -> None:
    number = demo.person(index=4)
    tokens = sign_in(desk, Held.receive(demo, number))
    Held.receive(demo, number)
    heard(demo, ears.told, TOLD, tokens)


def test_its_time_is_over(demo: Provider, desk: Desk, held: Held, ears: Listening) -> None:
    mark = demo.last_event()
    tokens = sign_in(desk, held)
    with database_of(demo) as (engine, _), transaction(engine) as connection:
        connection.execute(
            update(sessions)
            .where(sessions.c.id == claims_of(tokens)["sid"])
            .values(expires_at=utc_now() - timedelta(seconds=1))
        )
    heard(demo, ears.told, TOLD, tokens)
    ended = [event for event in demo.events_after(mark) if event["kind"] == "session:end:done"]
    assert [event["reason"] for event in ended] == ["expired"]


# --- what is told -----------------------------------------------------------------------------------


def test_an_address_that_was_taken_back_is_called_no_more(
    demo: Provider, desk: Desk, held: Held, ears: Listening
) -> None:
    tokens = sign_in(desk, held)
    second = join(desk)
    with database_of(demo) as (_, register):
        party = register.get(TOLD)
        assert party is not None
        silent_one = replace(party, backchannel_logout_uri="")
        register.update(silent_one, "cli:tests", since=party)
        try:
            log_out(desk, tokens)
            heard(demo, ears.told_too, TOLD_TOO, second)
            assert silent(ears.told, tokens)
        finally:
            register.update(party, "cli:tests", since=silent_one)


def test_a080_a_logout_token_opens_nothing_else(
    demo: Provider, desk: Desk, held: Held, ears: Listening
) -> None:
    tokens = sign_in(desk, held)
    log_out(desk, tokens)
    token = ears.told.wait_for(lambda call: is_about(call, tokens)).token
    with demo.client() as backend:
        headers = {"Authorization": f"Bearer {token}"}
        assert backend.get("/oauth/userinfo", headers=headers).status_code == 401
        hinted = backend.get("/oauth/logout", params={"id_token_hint": token})
        assert hinted.status_code == 400


# --- after it ---------------------------------------------------------------------------------------


def test_a129_refresh_userinfo_and_introspection_are_dead(
    demo: Provider, desk: Desk, held: Held, ears: Listening
) -> None:
    tokens = sign_in(desk, held)
    cookies = dict(desk.client.cookies)
    assert alive(demo, tokens) == (200, True)
    log_out(desk, tokens)
    assert alive(demo, tokens) == (401, False)
    refreshed = token_request(
        demo, grant_type="refresh_token", refresh_token=tokens["refresh_token"]
    )
    assert (refreshed.status_code, refreshed.json()["error"]) == (400, "invalid_grant")
    replayed = Desk(demo, party=TOLD)
    with demo.client(cookies=cookies) as browser:
        address = replayed.authorization_url(prompt="none")
        assert "error=login_required" in browser.get(address).headers["location"]


def alive(demo: Provider, tokens: dict[str, Any]) -> tuple[int, bool]:
    """What userinfo and introspection say of an access token."""
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    with demo.client() as backend:
        userinfo = backend.get("/oauth/userinfo", headers=headers)
    told = token_request(demo, path="/oauth/introspect", token=tokens["access_token"])
    return userinfo.status_code, told.json()["active"]


def token_request(demo: Provider, path: str = "/oauth/token", **form: str) -> httpx.Response:
    mine = demo.relying_parties[TOLD]
    credentials = {name: mine[name] for name in ("client_id", "client_secret")}
    with demo.client() as backend:
        return backend.post(path, data={**form, **credentials})


def test_a128_a_link_alone_ends_nothing_and_tells_nobody(
    demo: Provider, desk: Desk, held: Held, ears: Listening
) -> None:
    tokens = sign_in(desk, held)
    desk.get("/oauth/logout")
    assert "<form" in desk.page
    assert alive(demo, tokens) == (200, True)
    assert silent(ears.told, tokens)
    log_out(desk, tokens)
    heard(demo, ears.told, TOLD, tokens)
