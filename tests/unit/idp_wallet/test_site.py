import json
import re
import time

import pytest
from flask import Flask
from PIL import Image

from idp.errors import ConfError
from idp.paths import ASSETS, TEMPLATES
from idp_wallet import WalletSettings
from idp_wallet.keys import new_key, public_jwk
from tests.unit.idp_wallet.test_picture import BLANK, png
from tests.unit.idp_wallet.test_status import claims
from tests.unit.idp_wallet.world import World, issue, make_app, make_wallet, party

NONCE = "wallet-nonce-0123456789"


@pytest.fixture
def quiet():
    return World(base="https://id.go.kr")


@pytest.fixture
def client(quiet):
    return make_wallet(quiet, make_app(quiet)).test_client()


@pytest.fixture
def ask(client, quiet):
    def ask(**changes):
        question = {
            "request_object": quiet.request_object(NONCE),
            "client_id": quiet.verifier.client_id,
            "wallet_nonce": NONCE,
        } | changes
        return client.post("/wallet/verify", json=question)

    return ask


def test_verify_tells_the_facts_of_a_genuine_request(ask, quiet):
    answer = ask()
    assert answer.status_code == 200
    facts = answer.get_json()
    assert facts["verifier"] == "Gongmu sign-in"
    assert facts["client_id"] == quiet.verifier.client_id
    assert facts["nonce"] == quiet.nonce
    assert facts["response_uri"] == "https://id.go.kr/vp/1/response"
    assert facts["dcql_query"] == quiet.request_claims(None)["dcql_query"]
    assert facts["encryption"]["enc"] == "A256GCM"
    assert "d" not in facts["encryption"]["jwk"]


def test_verify_by_get_and_unencrypted(ask, quiet):
    quiet.request = {"response_mode": "direct_post", "state": None}
    facts = ask(request_object=quiet.request_object(None), wallet_nonce="").get_json()
    assert facts["encryption"] is None
    assert facts["state"] is None


def test_verify_believes_only_the_configured_roots(ask, quiet):
    stranger = party("Stranger")
    quiet.verifier = stranger
    quiet.verifier.root = party().root
    answer = ask()
    assert (answer.status_code, answer.get_json()) == (400, {"error": "request_untrusted"})


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "x509_hash:other"},
        {"wallet_nonce": "another"},
        {"request_object": "x.y.z"},
        {"request_object": 7},
        {"client_id": None},
        {"wallet_nonce": ["x"]},
    ],
)
def test_verify_refuses_and_never_fails(ask, changes):
    answer = ask(**changes)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "request_untrusted")


@pytest.mark.parametrize("body", ["", "[]", "{", '{"a":1,"a":2}', "[" * 50_000])
def test_verify_wants_one_json_object(client, body):
    answer = client.post("/wallet/verify", data=body, content_type="application/json")
    assert answer.status_code == 400


def test_other_sites_cannot_use_the_helpers(client, ask, quiet):
    text = quiet.request_object(NONCE)
    assert client.post("/wallet/verify", data={"request_object": text}).status_code == 400
    for path, kind in (("/wallet/verify", "application/json"), ("/wallet/read-qr", "image/png")):
        answer = client.post(
            path, data=b"{}", content_type=kind, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert answer.get_json() == {"error": "request_untrusted"}


def test_too_much_is_refused_before_it_is_read(client):
    answer = client.post("/wallet/verify", data=b"x" * 100_000, content_type="application/json")
    assert answer.status_code == 413
    answer = client.post("/wallet/read-qr", data=b"x" * 5_000_000, content_type="image/png")
    assert answer.status_code == 413


def test_read_qr(client):
    answer = client.post("/wallet/read-qr", data=png("openid4vp://?x"), content_type="image/png")
    assert answer.get_json() == {"link": "openid4vp://?x"}


def test_a_picture_without_a_code_is_no_fault(client):
    answer = client.post("/wallet/read-qr", data=BLANK.getvalue(), content_type="image/png")
    assert (answer.status_code, answer.get_json()) == (200, {"link": ""})


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"x", "image/png"), (b"x", "image/svg+xml"), (png("a"), "application/octet-stream")],
)
def test_read_qr_wants_a_picture(client, body, kind):
    answer = client.post("/wallet/read-qr", data=body, content_type=kind)
    assert (answer.status_code, answer.get_json()) == (400, {"error": "link_unreadable"})


@pytest.fixture
def issuer():
    return party("Issuing body", dns="id.go.kr")


@pytest.fixture
def check_card(client, quiet, issuer):
    quiet.issuer.root = issuer.root

    def check(signer=issuer, issued_by=quiet.base, issuer=quiet.base, **more):
        credential = issue(signer, issued_by, public_jwk(new_key()), **more)
        question = {"jwt": credential.partition("~")[0], "issuer": issuer}
        return client.post("/wallet/verify-card", json=question)

    return check


def test_a_card_of_the_issuer_is_good(check_card):
    answer = check_card()
    assert (answer.status_code, answer.get_json()) == (200, {})


@pytest.mark.parametrize(
    "changes",
    [
        {"signer": party("Stranger", dns="id.go.kr")},
        {"issued_by": "https://other.go.kr"},
        {"issuer": "https://other.go.kr"},
        {"issued_by": "https://other.go.kr", "issuer": "https://other.go.kr"},
        {"issuer": "http://["},
        {"typ": "JWT"},
    ],
)
def test_a_card_that_its_issuer_did_not_sign(check_card, changes):
    answer = check_card(**changes)
    assert (answer.status_code, answer.get_json()) == (400, {"error": "card_untrusted"})


@pytest.mark.parametrize("jwt", ["", "x", "a.b.c", "é.é.é"])
def test_what_is_no_card(client, jwt):
    answer = client.post("/wallet/verify-card", json={"jwt": jwt, "issuer": "https://id.go.kr"})
    assert (answer.status_code, answer.get_json()) == (400, {"error": "card_untrusted"})


def fresh() -> dict[str, int]:
    """Times of now: the module may have been imported long ago."""
    now = int(time.time())
    return {"iat": now, "exp": now + 600}


def test_the_status_list_is_checked_with_the_issuers_root(client, quiet, issuer):
    quiet.issuer.root = issuer.root
    uri = "https://id.go.kr/status/1"
    text = issuer.sign(claims(**fresh()), typ="statuslist+jwt")
    answer = client.post("/wallet/verify-status", json={"status_list": text, "uri": uri})
    assert (answer.status_code, answer.get_json()["bits"]) == (200, 2)
    answer = client.post("/wallet/verify-status", json={"status_list": text, "uri": f"{uri}1"})
    assert (answer.status_code, answer.get_json()) == (400, {"error": "status_unknown"})


@pytest.mark.parametrize("path", ["verify-card", "verify-status"])
def test_the_other_checks_want_json_of_our_own_pages(client, path):
    address = f"/wallet/{path}"
    for options in (
        {"json": {}},
        {"json": {"jwt": 1, "issuer": 2, "status_list": 3, "uri": 4}},
        {"data": {"jwt": "a.b.c", "issuer": "x", "status_list": "x", "uri": "y"}},
        {"json": {"jwt": "a", "issuer": "b"}, "headers": {"Sec-Fetch-Site": "same-site"}},
    ):
        answer = client.post(address, **options)
        assert (answer.status_code, answer.get_json()) == (400, {"error": "request_untrusted"})


def test_the_manifest_names_an_app_of_its_own(client):
    answer = client.get("/wallet/manifest.webmanifest", headers={"Accept-Language": "en"})
    assert answer.mimetype == "application/manifest+json"
    manifest = answer.get_json()
    assert manifest["name"] == "Mobile ID wallet"
    assert (manifest["lang"], manifest["display"]) == ("en", "standalone")
    assert {manifest[name] for name in ("id", "scope", "start_url")} == {"/wallet"}
    assert {icon.get("purpose", "any") for icon in manifest["icons"]} == {"any", "maskable"}
    for icon in manifest["icons"]:
        file = ASSETS / icon["src"].removeprefix("/assets/")
        if icon["type"] == "image/png":
            with Image.open(file) as picture:
                assert f"{picture.width}x{picture.height}" == icon["sizes"]
        else:
            assert file.is_file()


def test_the_worker_may_serve_the_page_above_it_and_keeps_only_the_wallet(client):
    answer = client.get("/wallet/worker.js")
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Service-Worker-Allowed"] == "/wallet"
    assert answer.headers["Cache-Control"] == "no-cache"
    text = answer.get_data(as_text=True)
    kept = json.loads(text.partition("\n")[0].removeprefix("const KEPT = ").rstrip(";"))
    assert kept["assets"]
    for path in kept["assets"]:
        assert re.fullmatch(r"/assets/wallet/[\w.-]+", path)
        assert (ASSETS / path.removeprefix("/assets/")).is_file()
    modules = {f"/assets/wallet/{file.name}" for file in (ASSETS / "wallet").glob("*.js")}
    assert modules <= set(kept["assets"])


@pytest.mark.parametrize("path", ["/wallet", "/wallet/receive?x=<script>", "/wallet/present"])
def test_pages_work_under_the_strict_policy(client, path):
    page = client.get(path, headers={"Accept-Language": "en"}).get_data(as_text=True)
    assert '<html lang="en">' in page
    assert "<noscript>" in page
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script>|javascript:", page)
    scripts = re.findall(r'<script type="module" src="/assets/([^"]+)"', page)
    assert len(scripts) == 1
    for name in scripts + re.findall(r'(?:href|src)="/assets/([^"]+)"', page):
        assert (ASSETS / name).is_file()


def test_every_word_a_script_asks_for_is_on_the_page():
    words = (TEMPLATES / "wallet/_words.html").read_text()
    scripts = "".join(file.read_text() for file in (ASSETS / "wallet").glob("*.js"))
    asked = set(re.findall(r'Stopped\("(\w+)"\)', scripts)) | {"wallet_stopped"}
    for code in asked:
        assert f"data-{code.replace('_', '-')}=" in words, code
    for module in re.findall(r'from "\./([\w.-]+)"', scripts):
        assert (ASSETS / "wallet" / module).is_file()


def test_korean_words_are_complete():
    """Every message of the templates has a Korean translation in our fragment."""
    from babel.messages.extract import extract_from_file
    from babel.messages.pofile import read_po

    def messages():
        shell = TEMPLATES.parent / "plugins/idp_wallet/shell.py"
        pages = sorted((TEMPLATES / "wallet").glob("*.html"))
        for method, file in (("python", shell), *(("jinja2", page) for page in pages)):
            for _line, message, *_ in extract_from_file(method, str(file)):
                yield message

    fragment = TEMPLATES.parent / "plugins/idp_wallet/messages.ko.po"
    with fragment.open("rb") as stream:
        catalog = read_po(stream, locale="ko")
    wanted = set(messages())
    assert len(wanted) > 40
    assert {name for name in wanted if not (name in catalog and catalog[name].string)} == set()
    assert {m.id for m in catalog if m.id} - wanted == set()


def test_the_page_shows_nothing_of_the_address_as_code(client):
    page = client.get("/wallet/present?client_id=%3Cscript%3E").get_data(as_text=True)
    assert "script%3E" not in page
    assert "<script>" not in page


def test_settings_open_a_site(quiet):
    app = make_wallet(quiet, Flask("x"))
    rules = {rule.rule for rule in app.url_map.iter_rules() if "wallet" in rule.endpoint}
    assert {"/wallet", "/wallet/receive", "/wallet/present"} <= rules


def test_roots_from_files_are_believed_beside_our_own(tmp_path, quiet):
    other = party("Elsewhere")
    (tmp_path / "other.pem").write_bytes(other.root_pem)
    settings = WalletSettings(verifier_anchors_files=(tmp_path / "other.pem",))
    client = make_wallet(quiet, Flask("x"), settings=settings).test_client()
    for asking in (quiet.verifier, other):
        text = World(base=quiet.base, verifier=asking).request_object(NONCE)
        question = {"request_object": text, "client_id": asking.client_id, "wallet_nonce": NONCE}
        assert client.post("/wallet/verify", json=question).status_code == 200


def test_a_file_without_certificates_stops_the_start(tmp_path, quiet):
    (tmp_path / "empty.pem").write_text("nothing")
    settings = WalletSettings(verifier_anchors_files=(tmp_path / "empty.pem",))
    with pytest.raises(ConfError, match="verifier_anchors_files"):
        make_wallet(quiet, Flask("x"), settings=settings)
