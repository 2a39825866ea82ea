"""Attacks across the whole provider: guessing at once, secrets in what is kept, requests made of junk."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from tests.attacks.holder import Answer, Ask, Held, fetched
from tests.attacks.issuance import token_endpoint, token_form
from tests.attacks.red.fuzz import MARKUP, Fuzz, Scene, exchange
from tests.desk import ACR_RETURN_CODE, Desk, Phone
from tests.provider import GONGMU, Provider, is_ready, start_demo
from tests.races.burst import burst, form_post
from tests.servers import Child

pytestmark = pytest.mark.services
NewDesk = Callable[..., Desk]
GUESSES = 40
REQUESTS = 700


def cookies_of(desk: Desk) -> str:
    return "; ".join(f"{name}={value}" for name, value in desk.client.cookies.items())


def test_a155_guesses_at_the_same_instant_are_three_tries_together(
    new_desk: NewDesk, held: Held, phone: Phone
) -> None:
    desk = new_desk(acr_values=ACR_RETURN_CODE)
    right = int(phone.return_code(fetched(held, desk.wallet_link).post().json()["redirect_uri"]))
    desk.get(desk.login)
    address, csrf = f"{desk.provider.issuer}{desk.login}/return-code", desk.csrf
    mark = desk.provider.last_event()
    requests = [
        form_post(
            address,
            {"csrf": csrf, "return_code": f"{(right + 1 + step) % 1_000_000:06d}"},
            Cookie=cookies_of(desk),
        )
        for step in range(GUESSES)
    ]
    replies = burst(desk.provider.issuer, requests)
    assert all(0 < reply.status < 500 for reply in replies)
    kinds = [event["kind"] for event in desk.provider.events_after(mark)]
    assert Counter(kinds)["login:return_code:refused"] == 3
    assert desk.status()["reason"] == "return_code_tries"


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """The demo's own folder, served with all logs on."""
    folder = tmp_path_factory.mktemp("talkative")
    first = start_demo("--data", str(folder))
    first.child.stop()
    file = folder / "gongmu.toml"
    quiet = file.read_text(encoding="utf-8")
    file.write_text(quiet.replace('"warning"', '"debug"'), encoding="utf-8")
    child = Child("talkative", [GONGMU, "--config", str(file), "serve"])
    try:
        child.wait_until(lambda: is_ready(first.issuer))
        yield replace(first, child=child, tokens={})
    finally:
        child.stop()


def sign_in(provider: Provider, answer: Answer, desk: Desk, phone: Phone) -> dict[str, set[str]]:
    """A whole sign-in with mistakes on the way; every secret it used."""
    form = answer.build()
    redirect_uri = answer.post(form).json()["redirect_uri"]
    code = phone.return_code(redirect_uri)
    desk.type_return_code("000001" if code != "000001" else "000002")
    granted = desk.answered(desk.agree(desk.type_return_code(code)))["code"]
    tokens = desk.redeem(granted).json()
    party = desk.registered
    client = {name: party[name] for name in ("client_id", "client_secret")}
    with provider.client() as backend:
        refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        backend.post("/oauth/token", data={**client, **refresh})
        backend.post("/oauth/token", data={**client, **refresh, "client_secret": "a-wrong-secret"})
        backend.get("/oauth/userinfo", headers={"Authorization": f"Bearer {granted}"})
        backend.post("/oauth/introspect", data={**client, "token": tokens["access_token"]})
    desk.redeem(granted)  # a replay
    return {
        "presentation": {answer.presentation(), form["response"]},
        "response code": {redirect_uri.partition("response_code=")[2]},
        "return code": {code},
        "code": {granted},
        "tokens": {tokens[name] for name in ("access_token", "id_token", "refresh_token")},
        "client secret": {client["client_secret"], "a-wrong-secret"},
        "cookies": {*desk.client.cookies.values(), *phone.client.cookies.values()},
        "request": {desk.verifier, desk.state, desk.nonce, answer.state},
    }


def received(provider: Provider) -> dict[str, set[str]]:
    """The secrets of an offer, used with wrong digits."""
    offered = provider.offer(provider.person(index=1))
    with provider.client() as wallet:
        form = token_form(wallet, offered)
        metadata = wallet.get("/.well-known/openid-credential-issuer").json()
        wallet.post(token_endpoint(wallet, metadata), data={**form, "tx_code": "000000"})
    return {"offer": {form["pre-authorized_code"]}, "digits": {offered["tx_code"]}}


def test_a253_no_secret_in_logs_and_events(talkative: Provider) -> None:
    held = Held.receive(talkative, talkative.person())
    with Desk(talkative) as desk, Phone(talkative) as phone:
        desk.start(
            acr_values=ACR_RETURN_CODE, scope="openid profile offline_access", prompt="consent"
        )
        used = sign_in(talkative, fetched(held, desk.wallet_link), desk, phone)
    used |= received(talkative)
    used["names"] = {person["name"] for person in talkative.people}
    kept = {
        "log": talkative.child.stderr.read_text() + talkative.child.stdout.read_text(),
        "events": json.dumps(talkative.events(limit=500), ensure_ascii=False),
    }
    assert "login:proof:accepted" in kept["log"]
    assert "login:proof:accepted" in kept["events"]
    found = [
        (place, kind)
        for place, text in kept.items()
        for kind, values in used.items()
        for value in values
        if re.search(rf"(?<![\w.:-]){re.escape(value)}(?![\w-])", text)
    ]
    assert found == []
    assert "Traceback" not in kept["log"]


@pytest.fixture
def scene(demo: Provider, new_desk: NewDesk) -> Scene:
    """A waiting login that a wallet has fetched."""
    desk = new_desk()
    ask = Ask(demo, desk.wallet_link)
    assert ask.get().status_code == 200
    party = demo.relying_parties["lab"]
    good = {
        "client_id": party["client_id"],
        "client_secret": party["client_secret"],
        "redirect_uri": party["redirect_uris"][0],
        "response_type": "code",
        "scope": "openid",
        "code_challenge": "A" * 43,
        "code_challenge_method": "S256",
        "grant_type": "authorization_code",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "state": str(ask.object["state"]),
        "frame": ask.request_uri.partition("frame=")[2],
        "csrf": desk.csrf,
    }
    login, token = desk.login.rpartition("/")[2], demo.token("gongmu:people")
    return Scene(good, login, ask.handle, cookies_of(desk), token)


@pytest.mark.parametrize("seed", [1, 2])
def test_b2_junk_on_every_route_is_refused_in_good_order(
    demo: Provider, scene: Scene, seed: int
) -> None:
    fuzz = Fuzz(seed, urlsplit(demo.issuer).netloc, scene)
    statuses: Counter[int] = Counter()
    for _ in range(REQUESTS):
        request = fuzz.request()
        status, answer = exchange(demo.issuer, request)
        assert 0 < status < 500, request[:600]
        assert MARKUP.encode() not in answer, request[:600]
        statuses[status] += 1
    assert {200, 303, 400, 401, 403, 404, 405, 413} <= set(statuses), statuses
