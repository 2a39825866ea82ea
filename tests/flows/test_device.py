"""The device grant over HTTP: a device shows a code, a person types it in a browser (RFC 8628; A-078)."""

import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from idp.conf import Grants
from idp.contracts import State
from idp.events import Reason
from idp.oidc import device_pages
from idp.registration import DEVICE_CODE
from idp.relying_parties import RelyingParty
from tests.attacks.holder import Held, fetched
from tests.desk import ACR_RETURN_CODE, Desk, Phone
from tests.fakes.jws import claims_of
from tests.stack import ldif_table, services_of, start_stack
from tests.unit.oidc.running import Running, running
from tests.unit.oidc.scene import ACR_1, HONG, KIM, Registered

pytestmark = pytest.mark.services
GRANTS = (DEVICE_CODE, "refresh_token")
THREADS = 8
SCOPE = "openid profile offline_access"


@pytest.fixture(scope="module")
def gongmu(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, sql_url: str
) -> Iterator[Running]:
    grants = Grants(device=True)
    with running(tmp_path_factory.mktemp("device"), redis_url, sql_url, grants=grants) as provider:
        for name in ("printer", "scanner"):
            provider.parties[name] = provider.world.register(
                name, redirect_uris=(), post_logout_redirect_uris=(), grant_types=GRANTS
            )
        provider.parties["fresh"] = provider.world.register(
            "fresh", redirect_uris=(), grant_types=GRANTS, default_max_age=60
        )
        yield provider


@dataclass
class Device:
    """A device that has asked, as far as it knows."""

    gongmu: Running
    party: Registered
    told: dict[str, Any]

    def poll(self, party: Registered | None = None, **changed: str) -> httpx.Response:
        form = {"grant_type": DEVICE_CODE, "device_code": self.told["device_code"], **changed}
        with self.gongmu.client() as client:
            return client.post("/oauth/token", data=form, headers=(party or self.party).basic)

    def is_told(self, code: str, party: Registered | None = None) -> None:
        answer = self.poll(party)
        assert (answer.status_code, answer.json()["error"]) == (400, code), answer.text
        assert "no-store" in answer.headers["cache-control"]

    def tokens(self) -> dict[str, Any]:
        answer = self.poll()
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def asks(gongmu: Running, name: str = "printer", scope: str = SCOPE) -> Device:
    party = gongmu.party(name)
    headers = {**party.basic, "User-Agent": "Mozilla/5.0 (Linux; Android 14) Firefox/1.0"}
    with gongmu.client() as client:
        answer = client.post("/oauth/device_authorization", data={"scope": scope}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert "no-store" in answer.headers["cache-control"]
    return Device(gongmu, party, answer.json())


def post(browser: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """The form on a page, filled in and sent."""
    page = browser.get(path)
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return browser.post(path, data={"csrf": found.group(1), **fields})


def typed(browser: httpx.Client, device: Device) -> str:
    """The page that the device's code leads to."""
    answer = post(browser, "/device", user_code=device.told["user_code"])
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def decided(browser: httpx.Client, device: Device, decision: str = "allow") -> str:
    """What the page says at the end."""
    path = typed(browser, device)
    assert post(browser, path, decision=decision).headers["location"] == path
    return browser.get(path).text


def test_a_device_signs_in(gongmu: Running) -> None:
    device = asks(gongmu)
    assert set(device.told) == {
        *("device_code", "user_code", "verification_uri", "expires_in", "interval")
    }  # no verification_uri_complete: a link that somebody sent must open nothing
    assert re.fullmatch(r"[B-Z]{4}-[B-Z]{4}", device.told["user_code"])
    assert device.told["verification_uri"] == f"{gongmu.issuer}/device"
    device.is_told("authorization_pending")
    with gongmu.signed_in() as browser:
        path = typed(browser, device)
        page = browser.get(path).text
        for shown in ("메일", "홍길동", "Firefox, Android", device.told["user_code"], "127.0.0.1"):
            assert shown in page
        before = browser.get("/account").text.count("Firefox, Android")
        assert post(browser, path, decision="allow").status_code == 303
        assert "기기에서 계속하세요" in browser.get(path).text
        mark = gongmu.mark()
        tokens = device.tokens()
        after = browser.get("/account").text.count("Firefox, Android")
        assert after > before  # where it can be ended
    kinds = [event["kind"] for event in gongmu.events_after(mark)]
    assert kinds == [
        "session:start:accepted",
        "authorization:code:issued",
        "token:issue:accepted",
    ]
    assert tokens["token_type"] == "Bearer"
    claims = claims_of(tokens["id_token"])
    assert (claims["aud"], claims["acr"]) == ("printer", "urn:gongmu:acr:2")
    assert gongmu.userinfo(tokens["access_token"]).json()["name"] == "홍길동"
    with gongmu.client() as backend:
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        assert backend.post("/oauth/token", data=form, headers=device.party.basic).is_success
    device.is_told("invalid_grant")  # once


def test_only_with_a_person_who_is_signed_in(gongmu: Running) -> None:
    device = asks(gongmu)
    with gongmu.client() as browser:
        path = typed(browser, device)
        answer = browser.get(path)
        assert answer.status_code == 303
        assert urlsplit(answer.headers["location"]).path.startswith("/login/")
    weak = asks(gongmu)
    with gongmu.signed_in(HONG, ACR_1) as browser:  # the party wants more
        path = typed(browser, weak)
        assert browser.get(path).headers["location"].startswith("/login/")
        token = secrets.token_hex()
        assert browser.post(path, data={"csrf": token, "decision": "allow"}).status_code == 403
    weak.is_told("authorization_pending")


def test_a_person_who_may_not_act_sees_nothing(gongmu: Running) -> None:
    device, directory = asks(gongmu), gongmu.world.directory
    with gongmu.signed_in() as browser:
        path = typed(browser, device)
        directory.change("E100", state=State.SUSPENDED)
        try:
            answer = browser.get(path)
        finally:
            directory.change("E100", state=State.ACTIVE)
    assert answer.status_code == 403
    assert device.told["user_code"] not in answer.text


def test_a_sign_in_as_recent_as_the_party_wants(gongmu: Running) -> None:
    clock, before = gongmu.world.clock, asks(gongmu, "fresh")
    with gongmu.signed_in() as browser:
        try:
            clock.forward(61)
            after = asks(gongmu, "fresh")
            assert browser.get(typed(browser, after)).status_code == 303
            # Signed in since the device asked: for this very purpose, however long it took.
            assert browser.get(typed(browser, before)).status_code == 200
        finally:
            clock.at = None


def test_a_form_of_another_site_types_no_code(gongmu: Running) -> None:
    """A-123."""
    device = asks(gongmu)
    form = {"user_code": device.told["user_code"]}
    with gongmu.signed_in() as browser:
        browser.get("/device")
        for csrf in ({}, {"csrf": "x"}):
            assert browser.post("/device", data={**form, **csrf}).status_code == 403
        assert typed(browser, device)  # the code is not used up


def test_never_worth_more_than_a_return_code(gongmu: Running) -> None:
    """D-1: a strong sign-in does not make a device strong whose code was read aloud."""
    device = asks(gongmu)
    with gongmu.signed_in(HONG, "phr") as browser:
        decided(browser, device)
        tokens = device.tokens()
    assert claims_of(tokens["id_token"])["acr"] == "urn:gongmu:acr:2"
    assert claims_of(tokens["access_token"])["acr"] == "urn:gongmu:acr:2"
    [event] = gongmu.world.events(kind="session:start:accepted")[:1]
    assert (event["acr"], event["method"]) == ("urn:gongmu:acr:2", "device")


@pytest.mark.parametrize(
    ("decision", "kind"),
    [("deny", "consent:grant:refused"), ("not-me", "login:person:disowned")],
)
def test_a_person_who_says_no(gongmu: Running, decision: str, kind: str) -> None:
    device = asks(gongmu)
    with gongmu.signed_in() as browser:
        mark = gongmu.mark()
        assert "기기가 로그인되지 않았습니다" in decided(browser, device, decision)
    [event] = gongmu.events_after(mark)
    assert event["kind"] == kind
    device.is_told("access_denied")
    device.is_told("invalid_grant")


def test_polls_have_a_pace_and_leave_no_events(gongmu: Running) -> None:
    device = asks(gongmu)
    mark = gongmu.mark()
    device.is_told("authorization_pending")
    device.is_told("slow_down")
    device.is_told("slow_down")
    assert gongmu.events_after(mark) == []


def test_a_code_is_typed_once_by_one_browser(gongmu: Running) -> None:
    device = asks(gongmu)
    with gongmu.signed_in() as first, gongmu.signed_in() as second:
        path = typed(first, device)
        answer = post(second, "/device", user_code=device.told["user_code"])
        assert answer.status_code == 400
        assert second.get(path).status_code == 404
        csrf = re.search(r'name="csrf" value="([^"]+)"', first.get(path).text)
        assert csrf is not None
        form = {"csrf": csrf.group(1), "decision": "allow"}
        assert second.post(path, data=form).status_code == 403
        device.is_told("authorization_pending")
        assert first.post(path, data=form).status_code == 303
        # A second decision changes nothing.
        assert first.post(path, data={**form, "decision": "deny"}).status_code == 303
    assert device.tokens()


def test_of_many_at_once_one_types_and_one_is_given_tokens(gongmu: Running) -> None:
    """I-2."""
    device = asks(gongmu)
    with ThreadPoolExecutor(THREADS) as pool, ExitStack() as stack:
        browsers = [stack.enter_context(gongmu.signed_in()) for _ in range(THREADS)]
        code = device.told["user_code"]
        answers = list(pool.map(lambda one: post(one, "/device", user_code=code), browsers))
        assert sorted(answer.status_code for answer in answers) == [303] + [400] * (THREADS - 1)
        [number] = [place for place, answer in enumerate(answers) if answer.status_code == 303]
        path = answers[number].headers["location"]
        assert post(browsers[number], path, decision="allow").status_code == 303
        polls = list(pool.map(lambda _: device.poll(), range(THREADS)))
    assert sorted(poll.status_code for poll in polls) == [200] + [400] * (THREADS - 1)
    assert {poll.json().get("error") for poll in polls} == {None, "invalid_grant"}


def test_codes_are_read_kindly_and_guesses_are_events(gongmu: Running) -> None:
    device = asks(gongmu)
    shown = device.told["user_code"]
    with gongmu.signed_in() as browser:
        mark = gongmu.mark()
        for wrong in ("BBBB-BBBB", shown[:-1], f"{shown}B", "", "<script>", "가나다라마바사아"):
            answer = post(browser, "/device", user_code=wrong)
            assert answer.status_code == 400
            assert 'aria-invalid="true"' in answer.text
            assert "<script>" not in answer.text
        events = gongmu.events_after(mark)
        assert [event["kind"] for event in events] == ["device:code:refused"] * 6
        assert shown not in str(events)
        kindly = f" {shown.lower().replace('-', ' ')} "
        assert post(browser, "/device", user_code=kindly).status_code == 303


def test_tries_are_bounded(gongmu: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a person, and of an address for whoever is not signed in; one does not shut out the other."""
    monkeypatch.setattr(device_pages, "TRIES", 3)
    device = asks(gongmu)
    with gongmu.signed_in(KIM) as kim, gongmu.client() as anyone:
        codes = ("BBBB-BBBB",) * 3
        assert [post(kim, "/device", user_code=code).status_code for code in codes] == [400] * 3
        mark = gongmu.mark()
        assert post(kim, "/device", user_code=device.told["user_code"]).status_code == 429
        [event] = gongmu.events_after(mark)
        assert event["reason"] == "rate_limited"
        gongmu.world.parts.short.delete("rate:usercode:127.0.0.1")  # of other tests
        assert [post(anyone, "/device", user_code=code).status_code for code in codes] == [400] * 3
        assert post(anyone, "/device", user_code=device.told["user_code"]).status_code == 429
    with gongmu.signed_in() as browser:
        monkeypatch.setattr(device_pages, "TRIES", 1000)
        assert typed(browser, device)


def test_a_device_code_is_its_clients_own(gongmu: Running) -> None:
    device = asks(gongmu)
    with gongmu.signed_in() as browser:
        decided(browser, device)
        device.is_told("invalid_grant", gongmu.party("scanner"))
        assert device.tokens()  # and not used up by that
    for code in ("x", secrets.token_urlsafe(32), device.told["user_code"]):
        assert device.poll(device_code=code).json()["error"] == "invalid_grant"


def test_codes_expire(gongmu: Running) -> None:
    clock = gongmu.world.clock
    asked, allowed = asks(gongmu), asks(gongmu)
    with gongmu.signed_in() as browser:
        path = typed(browser, asked)
        decided(browser, allowed)
        try:
            clock.forward(600)
            asked.is_told("expired_token")
            allowed.is_told("expired_token")
            assert browser.get(path).status_code == 400
        finally:
            clock.at = None


def test_a057_who_allowed_it_must_still_be_there(gongmu: Running) -> None:
    device, retired = asks(gongmu), asks(gongmu)
    sessions, directory = gongmu.world.parts.sessions, gongmu.world.directory
    with gongmu.signed_in() as browser:
        decided(browser, device)
        decided(browser, retired)
        directory.change("E100", state=State.RETIRED)
        try:
            retired.is_told("invalid_grant")
        finally:
            directory.change("E100", state=State.ACTIVE)
        found = sessions.find(browser.cookies["gongmu-session"])
        assert found is not None
        sessions.end(found.id, Reason.BY_PERSON)
        device.is_told("invalid_grant")
        device.is_told("invalid_grant")


def test_the_device_is_signed_out_by_itself(gongmu: Running) -> None:
    device = asks(gongmu)
    sessions = gongmu.world.parts.sessions
    with gongmu.signed_in() as browser:
        decided(browser, device)
        tokens = device.tokens()
        own = sessions.find(browser.cookies["gongmu-session"])
    sid = claims_of(tokens["id_token"])["sid"]
    assert own is not None
    assert sid != own.id
    sessions.end(own.id, Reason.BY_PERSON)  # signing out at the desk leaves the device
    assert gongmu.userinfo(tokens["access_token"]).status_code == 200
    sessions.end(sid, Reason.BY_PERSON)
    assert gongmu.userinfo(tokens["access_token"]).status_code == 401


@pytest.mark.parametrize("scope", ["", "profile", "openid gongmu:people", "openid nothing"])
def test_scopes(gongmu: Running, scope: str) -> None:
    headers = gongmu.party("printer").basic
    with gongmu.client() as client:
        answer = client.post("/oauth/device_authorization", data={"scope": scope}, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_who_may_ask(gongmu: Running) -> None:
    with gongmu.client() as client:
        form = {"scope": "openid"}
        answer = client.post("/oauth/device_authorization", data=form)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        headers = gongmu.party("mail").basic
        answer = client.post("/oauth/device_authorization", data=form, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
        document = client.get("/.well-known/openid-configuration").json()
    where = f"{gongmu.issuer}/oauth/device_authorization"
    assert document["device_authorization_endpoint"] == where
    assert DEVICE_CODE in document["grant_types_supported"]


def test_the_whole_way_by_the_mobile_id(tmp_path: Path, redis_url: str) -> None:
    """A served provider: the code, a sign-in by QR in between, and the device is in."""
    directories = "".join(map(ldif_table, ("esaram", "insarang")))
    with ExitStack() as stack:
        provider = start_stack(
            tmp_path,
            redis_url,
            f"sqlite:///{tmp_path}/g.db",
            f"{directories}[grants]\ndevice = true\n",
        )
        stack.callback(provider.child.stop)
        with services_of(tmp_path / "gongmu.toml") as parts:
            party = RelyingParty("tool", "명령줄 도구", "Tool", grant_types=(DEVICE_CODE,))
            basic = ("tool", parts.relying_parties.add(party, "cli:tests"))
        device = stack.enter_context(provider.client(auth=basic))
        told = device.post("/oauth/device_authorization", data={"scope": "openid profile"}).json()
        held = Held.receive(provider, provider.person(index=0))
        desk, phone = stack.enter_context(Desk(provider)), stack.enter_context(Phone(provider))
        desk.get("/device")
        desk.login = urlsplit(desk.post("/device", user_code=told["user_code"])).path
        if not desk.has_qr:
            desk.post(f"{desk.login}/mobile_id")
        code = phone.return_code(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
        assert "명령줄 도구" in phone.page  # the phone says what for, too
        path = urlsplit(desk.type_return_code(code)).path
        assert path.startswith("/device/")
        desk.post(path, decision="allow")
        form = {"grant_type": DEVICE_CODE, "device_code": told["device_code"]}
        tokens = device.post("/oauth/token", data=form).json()
        assert claims_of(tokens["id_token"])["acr"] == ACR_RETURN_CODE
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        with provider.client(headers=headers) as client:
            assert client.get("/oauth/userinfo").json()["name"]
