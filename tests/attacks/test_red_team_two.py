"""Attacks across what was added late: odd names on a real PostgreSQL, sectors nobody vouched for."""

import base64
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey

from idp import client_certificates
from idp.conf import Grants, Rates
from idp.jws import NotGenuine
from idp.login import digest
from idp.registration import DEVICE_CODE
from idp.relying_parties import RelyingParty
from idp.subjects import sector_of
from tests.attacks.registrar import GOOD, Registrar
from tests.unit.oidc.scene import ACR_1, ACR_2, HONG, Asked, World, sent_back

ORIGIN = {"Origin": "https://page.example.go.kr"}
STRANGER = "https://mail.stranger.go.kr/callback"
SCHEME, LOOPBACK = "kr.go.example.program:/back", "http://127.0.0.1/back"
KEY = ECKey.generate_key("P-256", {"kid": "mine"}).as_dict(private=False)


@pytest.fixture(scope="module")
def invitation(provider: Registrar) -> str:
    """For attempts that are all refused, and so spend nothing."""
    return provider.invite()


def registering(provider: Registrar, token: str, body: str) -> httpx.Response:
    return provider.call(
        "POST", token=token, content=body, headers={"Content-Type": "application/json"}
    )


@pytest.mark.services
@pytest.mark.parametrize("name", ["\\u0000", "\\ud800"])
@pytest.mark.parametrize("place", ["key", "set", "metadata"])
def test_a041_the_name_of_a_member_is_held_to_what_a_store_takes(
    provider: Registrar, invitation: str, name: str, place: str
) -> None:
    """NUL in one party's settings made PostgreSQL refuse to read the origins of all parties."""
    key: dict[str, Any] = dict(KEY)
    jwks: dict[str, Any] = {"keys": [key]}
    body: dict[str, Any] = {**GOOD, "jwks": jwks}
    {"key": key, "set": jwks, "metadata": body}[place]["odd"] = 1
    answer = registering(provider, invitation, json.dumps(body).replace("odd", name))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
    other = provider.client.post("/oauth/token", data={"grant_type": "x"}, headers=ORIGIN)
    assert other.status_code == 401


@pytest.mark.services
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("name", ["%00", "self.%00", "%ED%A0%80", "%F0%9F%92%A9", "a" * 5000])
def test_a041_nobody_asks_sql_with_nul(provider: Registrar, method: str, name: str) -> None:
    assert provider.call(method, f"/{name}", "guess").status_code in (400, 401)
    assert provider.client.request(method, f"/{name}?{name}={name}").status_code < 500


@pytest.mark.parametrize("own", [SCHEME, LOOPBACK])
def test_a089_an_installed_program_does_not_slip_into_a_host_s_sector(own: str) -> None:
    """The codes would come to the program, with the subs that the host's own party sees."""
    stranger = RelyingParty("stranger", "", "", redirect_uris=(STRANGER,))
    program = RelyingParty("program", "", "", profile="public", redirect_uris=(STRANGER, own))
    assert sector_of(stranger) == "mail.stranger.go.kr"
    assert sector_of(program) == "client:program"


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "AAAAAAAA"),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "KR"),
        ]
    )
    made = x509.CertificateBuilder(name, name, key.public_key(), 1)
    made = made.not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    made = made.not_valid_after(datetime(2028, 1, 1, tzinfo=UTC))
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b"AAAAAAAA", b"\xff" * 8),  # no UTF-8
        (b"\x13\x02KR", b"\x01\x02KR"),  # a name of no kind of text
        (b"\x0c\x08AAAAAAAA", b"\x03\x08AAAAAAAA"),  # bits where a text belongs
    ],
)
def test_a_certificate_whose_subject_is_spoilt_is_none(good: bytes, bad: bytes) -> None:
    """Its subject is read late: a caller's own certificate brought the endpoint down for that call."""
    der = certificate()
    assert client_certificates.read(f":{base64.b64encode(der).decode()}:").subject
    spoilt = base64.b64encode(der.replace(good, bad)).decode()
    with pytest.raises(NotGenuine):
        client_certificates.read(f":{spoilt}:")


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[World]:
    """One sign-in a minute, so that the second beginning is one too many, however it is asked for."""
    made = World(tmp_path, rates=Rates(logins=1), grants=Grants(device=True))
    yield made
    made.close()


def csrf(world: World, cookie: str, purpose: str) -> str:
    key = world.parts.keys.secret("csrf")
    return hmac.digest(key, f"{digest(cookie)}:{purpose}".encode(), "sha256").hex()


@pytest.mark.parametrize("way", ["again", "anew", "account"])
def test_no_way_begins_sign_ins_without_being_counted(strict: World, way: str) -> None:
    """Each is a state in the store, each beginning an event: both are bounded for one address."""
    strict.parts.methods["mobile_id"] = object()  # type: ignore[index]  # only its name is asked for
    with strict.browser() as browser:
        query = Asked(strict.register()).parameters()
        login = browser.get("/oauth/authorize", query_string=query).headers["Location"]
        found = browser.get_cookie("gongmu-browser")
        assert found is not None
        purpose = "account" if way == "account" else login.strip("/").replace("/", ":")
        form = {"csrf": csrf(strict, found.value, purpose)}
        if way == "again":
            answer = browser.get(f"{login}/again")
        else:
            path = "/account/sign-in" if way == "account" else f"{login}/mobile_id"
            answer = browser.post(path, data=form)
        assert answer.status_code == 429, answer.text


def test_a_device_s_page_begins_no_sign_ins_without_end(strict: World) -> None:
    printer = strict.register("printer", redirect_uris=(), grant_types=(DEVICE_CODE,))
    with strict.browser() as browser:
        asked = browser.post(
            "/oauth/device_authorization", data={"scope": "openid"}, headers=printer.basic
        )
        browser.get("/device")
        found = browser.get_cookie("gongmu-browser")
        assert found is not None
        form = {
            "csrf": csrf(strict, found.value, "device"),
            "user_code": asked.get_json()["user_code"],
        }
        page = browser.post("/device", data=form).headers["Location"]
        assert browser.get(page).status_code == 429


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, grants=Grants(device=True))
    yield made
    made.close()


def raise_minimum(world: World, name: str) -> None:
    register = world.parts.relying_parties
    party = register.get(name)
    assert party is not None
    register.update(replace(party, minimum_acr=ACR_2), "test", since=party)


def test_a_minimum_raised_meanwhile_holds_for_a_device(devices: World) -> None:
    """Allowed by a sign-in that was strong enough then; the tokens are made now."""
    settings = {"redirect_uris": (), "grant_types": (DEVICE_CODE,), "minimum_acr": ACR_1}
    printer = devices.register("printer", **settings)
    with devices.browser() as browser:
        told = browser.post(
            "/oauth/device_authorization", data={"scope": "openid"}, headers=printer.basic
        ).get_json()
        browser.set_cookie("gongmu-session", devices.new_session(HONG, ACR_1)[1])
        browser.get("/device")
        found = browser.get_cookie("gongmu-browser")
        assert found is not None
        form = {"csrf": csrf(devices, found.value, "device"), "user_code": told["user_code"]}
        page = browser.post("/device", data=form).headers["Location"]
        purpose = page.strip("/").replace("/", ":")
        allowed = {"csrf": csrf(devices, found.value, purpose), "decision": "allow"}
        assert browser.post(page, data=allowed).status_code == 303
        raise_minimum(devices, "printer")
        poll = {"grant_type": DEVICE_CODE, "device_code": told["device_code"]}
        answer = browser.post("/oauth/token", data=poll, headers=printer.basic)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_grant")
        assert devices.events()[0]["reason"] == "acr_unmet"


def test_a_minimum_raised_meanwhile_holds_for_a_code(devices: World) -> None:
    asked = Asked(devices.register(minimum_acr=ACR_1))
    with devices.browser() as browser:
        browser.set_cookie("gongmu-session", devices.new_session(HONG, ACR_1)[1])
        answer = browser.get("/oauth/authorize", query_string=asked.parameters())
        code = sent_back(answer.headers["Location"])["code"]
        raise_minimum(devices, "mail")
        form, headers = asked.form(code), asked.registered.basic
        answer = browser.post("/oauth/token", data=form, headers=headers)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_grant")
