"""`gongmu demo`: what it prints, three relying parties that work, and nothing left behind."""

import json
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography import x509

from idp import conf_file
from idp.demo import authority
from idp.demo.folder import Options, prepare
from idp.demo.shelf import Shelf
from idp.errors import ConfError
from tests.attacks.holder import Held, fetched
from tests.desk import Desk, Phone
from tests.provider import GONGMU, Provider, start_demo
from tests.servers import free_port

KEYS = {
    "issuer",
    "ready_ms",
    "relying_parties",
    "automation",
    "people",
    "wallet_url",
    "ca_file",
    "trust_anchors",
}


@pytest.fixture(scope="module", params=["http", "https"])
def provider(request: pytest.FixtureRequest) -> Iterator[Provider]:
    found = start_demo(*(["--https"] if request.param == "https" else []))
    yield found
    found.child.stop()


@pytest.fixture
def browser(provider: Provider) -> Iterator[httpx.Client]:
    """At the relying parties."""
    with httpx.Client(verify=provider.verify, timeout=20) as client:
        yield client


# --- what it prints -------------------------------------------------------------------------------


@pytest.mark.services
def test_one_line_with_the_promised_keys(provider: Provider) -> None:
    text = provider.child.stdout.read_text()
    assert text.count("\n") == 1
    printed = json.loads(text)
    assert set(printed) == KEYS
    assert set(printed["relying_parties"]) == {"mail", "smart-work", "intranet", "lab"}
    for party in printed["relying_parties"].values():
        assert set(party) == {"client_id", "client_secret", "redirect_uris", "url"}
    assert set(printed["automation"]) == {"client_id", "client_secret", "scope"}
    assert printed["wallet_url"] == f"{provider.issuer}/wallet"
    assert printed["relying_parties"]["lab"]["redirect_uris"] == ["http://localhost:9999/callback"]
    roles = {role for person in printed["people"] for role in person["roles"]}
    assert roles == {"admin", "auditor", "approver", "issuer_staff", "loss_desk"}
    assert {person["state"] for person in printed["people"]} >= {"active", "suspended", "retired"}
    assert len({person["agency"] for person in printed["people"]}) >= 2
    for file in printed["trust_anchors"].values():
        x509.load_pem_x509_certificate(Path(file).read_bytes())


@pytest.mark.services
def test_the_printed_secrets_work(provider: Provider) -> None:
    assert provider.token(provider.automation["scope"])
    [file] = {Path(path).parent for path in provider.trust_anchors.values()}
    for name in ("client-secrets.json", "key-encryption-key"):
        assert stat.S_IMODE((file / name).stat().st_mode) == 0o600


@pytest.mark.services
def test_its_configuration_is_an_ordinary_one(provider: Provider) -> None:
    folder = Path(provider.trust_anchors["issuer"]).parent
    settings = conf_file.load(folder / "gongmu.toml")
    assert settings.issuer == provider.issuer
    assert list(settings.directories) == ["esaram", "insarang"]
    assert [wallet.present_prefix for wallet in settings.wallets] == [
        "openid4vp://?",
        f"{provider.issuer}/wallet/present?",
    ]


# --- the relying parties --------------------------------------------------------------------------


def sign_in(provider: Provider, browser: httpx.Client, name: str, number: str) -> httpx.Response:
    """Press the button, present the mobile ID, come back; the page after that."""
    url = provider.relying_parties[name]["url"]
    assert "로그인" in browser.get(url).text
    begun = browser.get(f"{url}/login")
    held = Held.receive(provider, number)
    with Desk(provider, party=name) as desk, Phone(provider) as phone:
        desk.start(begun.headers["location"])
        back = fetched(held, desk.wallet_link).post().json()["redirect_uri"]
        if name == "intranet":  # acr 1: the phone alone is enough
            desk.wait_for("ready")
            where = desk.get(desk.login)
        else:
            where = desk.type_return_code(phone.return_code(back))
        where = desk.agree(where)
    return browser.get(where)


@pytest.mark.services
@pytest.mark.parametrize("name", ["mail", "smart-work", "intranet"])
def test_signing_in_and_out(provider: Provider, browser: httpx.Client, name: str) -> None:
    url = provider.relying_parties[name]["url"]
    number = provider.person(index=1)
    answer = sign_in(provider, browser, name, number)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == f"/{name}"
    page = browser.get(url).text
    person = next(one for one in provider.people if one["personnel_number"] == number)
    assert person["name"] in page
    out = browser.post(f"{url}/logout")
    assert out.status_code == 303
    target = urlsplit(out.headers["location"])
    assert f"{target.scheme}://{target.netloc}" == provider.issuer
    assert parse_qs(target.query)["post_logout_redirect_uri"] == [f"{url}/signed-out"]
    with provider.client() as elsewhere:
        assert elsewhere.get(out.headers["location"]).status_code in (200, 302, 303)
    assert person["name"] not in browser.get(url).text
    assert browser.get(f"{url}/signed-out").status_code == 200


@pytest.mark.services
def test_an_answer_that_nobody_asked_for_is_refused(
    provider: Provider, browser: httpx.Client
) -> None:
    url = provider.relying_parties["mail"]["url"]
    assert browser.get(f"{url}/callback?code=x&state=y").status_code == 400
    browser.get(f"{url}/login")
    assert browser.get(f"{url}/callback?code=x&state=y").status_code == 400
    begun = browser.get(f"{url}/login")
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    wrong = browser.get(f"{url}/callback", params={"code": "x", "state": state, "iss": "https://a"})
    assert (wrong.status_code, "iss" in wrong.text) == (400, True)
    again = browser.get(f"{url}/callback", params={"code": "x", "state": state})
    assert again.status_code == 400  # once


@pytest.mark.services
def test_a_refusal_is_shown_without_its_markup(provider: Provider, browser: httpx.Client) -> None:
    url = provider.relying_parties["intranet"]["url"]
    begun = browser.get(f"{url}/login")
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    answer = browser.get(
        f"{url}/callback",
        params={"error": "access_denied", "error_description": "<b>no</b>", "state": state},
    )
    assert answer.status_code == 400
    assert "access_denied" in answer.text
    assert "<b>no" not in answer.text


@pytest.mark.services
def test_parties_keep_apart(provider: Provider, browser: httpx.Client) -> None:
    for name in ("mail", "intranet"):
        browser.get(f"{provider.relying_parties[name]['url']}/login")
    names = {(cookie.name, cookie.path) for cookie in browser.cookies.jar}
    assert names == {
        ("gongmu-demo-mail-login", "/mail"),
        ("gongmu-demo-intranet-login", "/intranet"),
    }
    assert all(cookie.has_nonstandard_attr("HttpOnly") for cookie in browser.cookies.jar)


# --- starting and ending --------------------------------------------------------------------------


def _children(pid: int) -> list[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    own = [int(line) for line in found.stdout.split()]
    return own + [below for child in own for below in _children(child)]


def _gone(pids: list[int]) -> bool:
    end = time.monotonic() + 15
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.services
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_all_children_end_with_it(number: signal.Signals) -> None:
    provider = start_demo()
    folder = Path(provider.trust_anchors["issuer"]).parent
    children = _children(provider.child.process.pid)
    assert len(children) >= 4  # Valkey, the relying parties and their worker, the worker
    provider.child.process.send_signal(number)
    provider.child.process.wait(20)
    assert _gone(children)
    assert folder.exists() == (number is signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
    provider.child.stop()


@pytest.mark.services
def test_a_folder_is_kept_and_serves_again_at_another_port(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    first = start_demo("--data", str(folder))
    keys = _published(first)
    first.child.stop()
    second = start_demo("--data", str(folder))
    try:
        assert second.issuer != first.issuer
        assert second.relying_parties["lab"] == first.relying_parties["lab"]
        assert second.automation == first.automation
        assert _published(second) == keys
        assert second.token("gongmu:people")
    finally:
        second.child.stop()


def _published(provider: Provider) -> set[str]:
    with provider.client() as client:
        found = client.get(provider.discovery()["jwks_uri"]).json()["keys"]
    return {str(key["kid"]) for key in found}


def _fails(*options: str) -> str:
    done = subprocess.run(
        [GONGMU, "demo", *options], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not done.stdout
    return done.stderr


def test_a_host_of_the_network_needs_https() -> None:
    assert "--https" in _fails("--host", "192.0.2.7")


def test_a_port_that_is_taken_is_said() -> None:
    import socket

    port = free_port(following=1)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port + 1))
        other.listen()
        assert str(port + 1) in _fails("--port", str(port))


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "--data" in _fails("--data", str(tmp_path / "file" / "x"))


# --- parts of it ----------------------------------------------------------------------------------


def test_the_authority_is_kept_and_a_new_host_gets_its_certificate(tmp_path: Path) -> None:
    one = authority.ensure(tmp_path, "localhost")
    ca, leaf = one.ca_file.read_bytes(), one.certificate_file.read_bytes()
    authority.ensure(tmp_path, "localhost")
    assert one.certificate_file.read_bytes() == leaf
    authority.ensure(tmp_path, "192.168.0.7")
    assert one.ca_file.read_bytes() == ca
    assert one.certificate_file.read_bytes() != leaf
    certificate = x509.load_pem_x509_certificate(one.certificate_file.read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca))
    for name in ("ca-key.pem", "server-key.pem"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("host", "issuer", "bound"),
    [
        ("localhost", "https://localhost:8000", "127.0.0.1"),
        ("192.168.0.7", "https://192.168.0.7:8000", "192.168.0.7"),
        ("::1", "https://[::1]:8000", "::1"),
    ],
)
def test_the_issuer_is_where_it_listens(tmp_path: Path, host: str, issuer: str, bound: str) -> None:
    place = prepare(tmp_path, Options(host, 8000, https=True))
    settings = conf_file.load(place.conf_file)
    assert (settings.issuer, settings.server.host) == (issuer, bound)


def test_http_is_for_loopback_only(tmp_path: Path) -> None:
    with pytest.raises(ConfError, match="--https"):
        prepare(tmp_path, Options("id.example.go.kr", 8000, https=False))


def test_a_shelf_forgets() -> None:
    shelf = Shelf(60)
    key = shelf.put({"a": 1})
    assert shelf.get(key) == {"a": 1}
    assert shelf.take(key) == {"a": 1}
    assert shelf.take(key) is None
    assert shelf.get("nothing") is None
    assert Shelf(0).get(Shelf(0).put({})) is None
    old = shelf.put({"b": 1})
    for _ in range(1000):
        shelf.put({})
    assert shelf.get(old) is None
