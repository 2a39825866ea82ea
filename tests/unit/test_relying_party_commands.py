"""`gongmu rp`: from nothing to a party that works, what is wrong with one, and both sides' settings."""

import json
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from idp.admin import kits
from tests.unit.test_cli import CONFIGURATION, Command

URI = "https://board.example.go.kr/callback"
EC = ECKey.generate_key("P-256", {"kid": "a"}).as_dict(private=False)


@pytest.fixture
def gongmu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.setattr(sys, "argv", sys.argv)
    file = tmp_path / "gongmu.toml"
    file.write_text(CONFIGURATION)
    command = Command(file, capsys)
    assert command.run("db", "upgrade") == 0, command.err
    return command


def shown(gongmu: Command, client_id: str = "board") -> dict[str, Any]:
    found = gongmu.json("rp", "show", client_id)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("suffix", ["json", "toml"])
def test_from_a_file(gongmu: Command, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"board.{suffix}"
    text = {
        "json": json.dumps({"redirect_uris": [URI], "consent": "always", "name_ko": "게시판"}),
        "toml": f'redirect_uris = ["{URI}"]\nconsent = "always"\nname_ko = "게시판"\n',
    }
    file.write_text(text[suffix], encoding="utf-8")
    added = gongmu.json("rp", "add", "board", "--file", str(file), "--acr", "phr")
    assert isinstance(added, dict)
    assert added["client_secret"]
    found = shown(gongmu)
    assert (found["redirect_uris"], found["consent"]) == ([URI], "always")
    assert (found["minimum_acr"], found["name_ko"]) == ("phr", "게시판")
    assert added["client_secret"] not in json.dumps(found)


def test_a_file_with_faults_tells_all_of_them(gongmu: Command, tmp_path: Path) -> None:
    file = tmp_path / "board.json"
    file.write_text(json.dumps({"redirect_uri": [URI], "trusted": True}))
    assert gongmu.run("rp", "add", "board", "--file", str(file)) == 1
    assert "redirect_uri: found unknown; allowed: one of:" in gongmu.err
    assert "trusted: found unknown" in gongmu.err
    file.write_text(json.dumps({"redirect_uris": URI, "pkce_required": "perhaps"}))
    assert gongmu.run("rp", "add", "board", "--file", str(file)) == 1
    assert "redirect_uris" in gongmu.err
    assert "pkce_required" in gongmu.err
    file.write_text(json.dumps({"redirect_uris": ["http://a.example/"], "minimum_acr": "9"}))
    assert gongmu.run("rp", "add", "board", "--file", str(file)) == 1
    assert "redirect_uris: found http://a.example/; allowed: https" in gongmu.err
    assert "minimum_acr: found 9" in gongmu.err
    file.write_text(json.dumps({"redirect_uris": [URI], "kind": "nonsense"}))
    assert gongmu.run("rp", "add", "board", "--file", str(file)) == 1
    assert "kind: found nonsense; allowed: one of: internal mail smart_work" in gongmu.err
    for bad in ("{", "[]", "\xff"):
        file.write_text(bad, encoding="latin-1")
        assert gongmu.run("rp", "add", "board", "--file", str(file)) == 1
    assert gongmu.json("rp", "list") == []


def test_a_profile_brings_what_it_mandates(gongmu: Command, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [EC]}))
    arguments = ("--redirect-uri", URI, "--profile", "fapi2")
    assert gongmu.run("rp", "add", "board", *arguments) == 1
    assert "jwks" in gongmu.err
    added = gongmu.json("rp", "add", "board", *arguments, "--jwks", str(keys))
    assert isinstance(added, dict)
    assert added["client_secret"] == ""
    found = shown(gongmu)
    assert found["token_endpoint_auth_methods"] == ["private_key_jwt"]
    assert found["dpop_bound_access_tokens"] is True
    assert gongmu.run("rp", "update", "board", "--set", "dpop_bound_access_tokens=false") == 1
    assert "with profile fapi2" in gongmu.err
    app = ("rp", "add", "app", "--profile", "public", "--redirect-uri", "kr.go.example.app:/cb")
    assert gongmu.json(*app)["client_secret"] == ""  # type: ignore[index]
    assert shown(gongmu, "app")["token_endpoint_auth_methods"] == ["none"]


def test_update_changes_what_it_names_and_nothing_else(gongmu: Command) -> None:
    gongmu.json("rp", "add", "board", "--redirect-uri", URI)
    before = shown(gongmu)
    uris = [URI, "https://board.example.go.kr/second"]
    changes = ("--set", f"redirect_uris={json.dumps(uris)}", "--set", "minimum_acr=phr")
    after = gongmu.json("rp", "update", "board", *changes)
    assert after == {**before, "redirect_uris": uris, "minimum_acr": "phr"} == shown(gongmu)
    for wrong, code in (
        (("--set", "nonsense=1"), 1),
        (("--set", "disabled=false"), 1),
        (("--set", "client_id=other"), 1),
        (("--set", "consent=never"), 1),
        (("--set", "redirect_uris=[]"), 1),
        (("--set", "consent"), 2),
        ((), 2),
    ):
        assert gongmu.run("rp", "update", "board", *wrong) == code, wrong
    assert gongmu.run("rp", "update", "nobody", "--set", "consent=once") == 1
    assert shown(gongmu) == after


def test_disable_and_enable(gongmu: Command) -> None:
    gongmu.json("rp", "add", "board", "--redirect-uri", URI)
    assert gongmu.run("rp", "disable", "board") == 0
    assert shown(gongmu)["disabled"] is True
    assert gongmu.run("rp", "update", "board", "--set", "consent=once") == 0
    assert shown(gongmu)["disabled"] is True  # a change does not let it in again
    assert gongmu.run("rp", "test", "board") == 1
    assert "gongmu rp enable" in gongmu.out
    assert gongmu.run("rp", "enable", "board") == 0
    assert shown(gongmu)["disabled"] is False
    assert gongmu.run("rp", "disable", "nobody") == 1


# --- test -------------------------------------------------------------------------------------------


def findings(gongmu: Command, code: int = 0) -> dict[str, tuple[bool, str]]:
    assert gongmu.run("rp", "test", "board", "--json") == code, gongmu.err
    return {one["check"]: (one["ok"], one["detail"]) for one in json.loads(gongmu.out)}


def test_a_good_party_has_nothing_wrong(gongmu: Command, listening: int) -> None:
    back = f"http://127.0.0.1:{listening}/logout"
    gongmu.json("rp", "add", "board", "--redirect-uri", URI, "--backchannel-logout-uri", back)
    found = findings(gongmu)
    assert all(ok for ok, _ in found.values())
    assert found["backchannel_logout_uri"] == (True, "reached")
    assert found["client secret"] == (True, "1 of 1 count")


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_what_is_wrong_is_said(gongmu: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = server.getsockname()[1]
    options = ("--redirect-uri", URI, "--acr", "phrh", "--auth-method", "private_key_jwt")
    uris = (
        *("--jwks-uri", f"http://127.0.0.1:{nobody}/keys"),
        *("--backchannel-logout-uri", f"http://127.0.0.1:{nobody}/logout"),
    )
    gongmu.json("rp", "add", "board", *options, *uris)
    found = findings(gongmu, code=1)
    assert not found["jwks_uri"][0]
    assert "ConnectionRefusedError" in found["jwks_uri"][1]
    assert not found["backchannel_logout_uri"][0]
    assert "is not reached" in found["backchannel_logout_uri"][1]
    assert not found["minimum_acr"][0]
    gongmu.json("rp", "update", "board", "--set", "backchannel_logout_uri=https://169.254.169.254/")
    assert "never called" in findings(gongmu, code=1)["backchannel_logout_uri"][1]


def test_a_certificate_that_nobody_trusts_is_said(gongmu: Command, tmp_path: Path) -> None:
    from idp.demo import authority

    tls = authority.ensure(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate_file, tls.key_file)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    context.wrap_socket(connection, server_side=True)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        back = f"https://localhost:{server.getsockname()[1]}/logout"
        gongmu.json("rp", "add", "board", "--redirect-uri", URI, "--backchannel-logout-uri", back)
        told = findings(gongmu, code=1)["backchannel_logout_uri"][1]
        thread.join()
    assert "no certificate that this machine trusts" in told


def test_grants_that_are_off_and_certificates_that_never_come(gongmu: Command) -> None:
    gongmu.json("rp", "add", "board", "--redirect-uri", URI)
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    grants = json.dumps(["authorization_code", grant])
    bound = "tls_client_certificate_bound_access_tokens=true"
    gongmu.json("rp", "update", "board", "--set", f"grant_types={grants}", "--set", bound)
    found = findings(gongmu, code=1)
    assert "grants.device" in found["grant_types"][1]
    assert "server.client_certificate_header" in found["client certificates"][1]


# --- kits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("product", kits.products())
def test_a_kit_can_be_registered_and_names_nothing_unfilled(gongmu: Command, product: str) -> None:
    url = "https://it.example.go.kr"
    assert gongmu.run("rp", "kit", product, "--url", url) == 0
    assert "{{" not in gongmu.out
    assert f"gongmu rp add {product} --kit {product} --url {url}" in gongmu.out
    assert "http://localhost:8000" in gongmu.out or "localhost:8000" in gongmu.out
    assert "(printed by gongmu rp add)" in gongmu.out or "(the client secret)" in gongmu.out
    told = gongmu.json("rp", "kit", product, "--url", url)
    gongmu.json("rp", "add", product, "--kit", product, "--url", url)
    found = shown(gongmu, product)
    assert isinstance(told, dict)
    assert {name: found[name] for name in told["settings"]} == told["settings"]
    assert all(uri.startswith(url) for uri in found["redirect_uris"])


def test_the_products_that_people_ask_for() -> None:
    wanted = {"generic", "dovecot", "roundcube", "mod_auth_openidc", "keycloak", "oauth2-proxy"}
    assert wanted <= set(kits.products())


def test_misuse_of_kits(gongmu: Command) -> None:
    assert gongmu.run("rp", "kit", "../../etc/passwd") == 2
    assert gongmu.run("rp", "add", "x", "--kit", "generic") == 2
    assert gongmu.run("rp", "add", "x", "--kit", "no-such", "--url", "https://a.example") == 2
    assert gongmu.run("rp", "add", "x", "--kit", "generic", "--url", "http://a.example") == 1


# --- invitations ------------------------------------------------------------------------------------


def test_invitations(gongmu: Command) -> None:
    assert gongmu.run("rp", "invitation", "add") == 1
    assert "registration.enabled" in gongmu.err
    gongmu.file.write_text(f"{CONFIGURATION}\n[registration]\nenabled = true\n")
    made = gongmu.json("rp", "invitation", "add", "--note", "게시판", "--uses", "2")
    assert isinstance(made, dict)
    [listed] = gongmu.json("rp", "invitation", "list")  # type: ignore[misc]
    assert (listed["id"], listed["note"], listed["uses_left"]) == (made["id"], "게시판", 2)
    assert made["initial_access_token"] not in json.dumps(listed)
    assert gongmu.run("rp", "invitation", "remove", made["id"]) == 0
    assert gongmu.json("rp", "invitation", "list") == []
    assert gongmu.run("rp", "invitation", "remove", made["id"]) == 1
    for wrong in (("--uses", "0"), ("--days", "366"), ("--note", "a\nb")):
        assert gongmu.run("rp", "invitation", "add", *wrong) == 2
