"""Every page with sample values: strict markup, the right forms, nothing inline."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.paths import ASSETS, TEMPLATES
from tests.fakes.html import Page, show
from tests.fakes.pages import SAMPLES, create_pages_app

EVERY_PAGE = sorted(SAMPLES)


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_pages_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def render(app: Flask, name: str, **changes: Any) -> Page:
    from flask import render_template

    template, values = SAMPLES[name]
    with app.test_request_context("/"):
        return Page(render_template(template, **{**values, **changes}))


# --- every page -------------------------------------------------------------------------------


def test_every_template_has_a_sample() -> None:
    partials = (
        "approved_facts",
        "asked_for",
        "base",
        "cancel",
        "help_desk",
        "methods/_digital",
        "methods/_passkey",
    )
    parts = {f"{name}.html" for name in partials}
    ours = {
        path.relative_to(TEMPLATES).as_posix()
        for path in TEMPLATES.rglob("*.html")
        if path.relative_to(TEMPLATES).parts[0] in ("methods", path.name)
    }
    assert ours - parts == {template for template, _values in SAMPLES.values()}


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize("name", EVERY_PAGE)
def test_markup_is_fit_for_everyone(client: FlaskClient, name: str, lang: str) -> None:
    page = show(client, name, lang)
    assert [html["lang"] for html in page.all("html")] == [lang]
    assert len(page.all("h1")) == 1
    assert len(page.all("main", id="main")) == 1
    assert [len(page.all(tag)) for tag in ("header", "footer")] == [1, 1]
    assert page.all("title")[0]["text"]
    ids = [attributes["id"] for _tag, attributes, _texts in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for element in [*page.all("button"), *page.all("a")]:
        assert element["text"] or element.get("aria-label")
    for field in page.all("input"):
        labelled = (
            field["type"] == "hidden"
            if "type" in field
            else page.all("label", **{"for": field["id"]})
        )
        assert labelled
    for image in page.all("img"):
        assert "alt" in image
    for _tag, attributes, _texts in page.elements:
        for reference in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(reference, ids and ids[0]) in ids


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_nothing_is_inline_or_from_outside(client: FlaskClient, name: str) -> None:
    page = show(client, name)
    assert not page.all("style")
    for tag, attributes, texts in page.elements:
        if (
            tag == "iframe"
        ):  # front-channel logout: what a relying party registered, and nothing more
            assert attributes["sandbox"] == "allow-scripts allow-same-origin"
            continue
        assert "style" not in attributes
        assert not [attribute for attribute in attributes if attribute.startswith("on")]
        if tag == "script":
            assert not texts
        for attribute in ("src", "srcset", "data"):
            value = attributes.get(attribute)
            assert value is None or re.fullmatch(r"/(assets/[\w./-]+|emblem)\?v=\w{16}", value)
        if tag == "link":
            assert attributes["href"].startswith("/assets/")


def test_one_style_sheet_of_modest_size() -> None:
    assert (ASSETS / "gongmu.css").stat().st_size < 20_000
    assert "url(" not in (ASSETS / "gongmu.css").read_text()
    assert "@import" not in (ASSETS / "gongmu.css").read_text()


# --- forms and their tokens ----------------------------------------------------------------------


def csrf_of(app: Flask, client: FlaskClient, purpose: str) -> str:
    from idp.browser import csrf_token

    cookie = client.get_cookie("gongmu-browser")
    assert cookie is not None
    headers = {"Cookie": f"gongmu-browser={cookie.value}"}
    with app.test_request_context("/", headers=headers):
        return csrf_token(purpose)


ID = "Rk9PQkFSRk9PQkFSRk9P"
FORMS = [
    ("login", f"/login/{ID}/mobile_id", f"login:{ID}"),
    ("login", f"/login/{ID}/fido2", f"login:{ID}"),
    ("login", f"/login/{ID}/cancel", f"login:{ID}"),
    ("qr", f"/login/{ID}/mobile_id", f"login:{ID}"),
    ("qr", f"/login/{ID}/cancel", f"login:{ID}"),
    ("code", f"/login/{ID}/return-code", f"login:{ID}"),
    ("code", f"/login/{ID}/cancel", f"login:{ID}"),
    ("consent", f"/oauth/consent/{ID}", f"consent:{ID}"),
    ("logout", "/oauth/logout", "logout"),
    ("account", "/account/sessions/s2/end", "account"),
    ("account", "/account/sessions/end-all", "account"),
    ("account", "/account/sessions/s2/not-me", "account"),
    ("account", "/account/consents/withdraw", "account"),
]


@pytest.mark.parametrize(("name", "action", "purpose"), FORMS)
def test_each_form_carries_its_own_token(
    app: Flask, client: FlaskClient, name: str, action: str, purpose: str
) -> None:
    form = show(client, name).forms()[action]
    assert form["csrf"] == csrf_of(app, client, purpose)


def test_consent_is_as_easy_to_refuse_as_to_give(client: FlaskClient) -> None:
    page = show(client, "consent")
    decisions = page.all("button", name="decision")
    assert sorted(button["value"] for button in decisions) == ["allow", "deny"]
    assert decisions[0].get("class") == decisions[1].get("class")


def test_consent_says_scopes_and_claims_in_words(client: FlaskClient) -> None:
    page = show(client, "consent", "en")
    items = [item["text"] for item in page.all("li")]
    assert "Your work mail address" in items
    assert "x-own" in items
    assert "Identifier for this service" in items
    assert "x_own" in items


def test_values_of_strangers_stay_text(client: FlaskClient, app: Flask) -> None:
    hostile = '"><script>alert(1)</script>'
    page = show(client, "logout")
    assert page.forms()["/oauth/logout"]["state"] == hostile
    page = show(client, "form-post")
    assert page.forms()["/posted"] == {"code": "abc", "state": '"><script>x</script>'}
    for name in ("login", "qr", "code", "consent", "return-code", "signed-out"):
        shown = render(app, name, relying_party=hostile)
        assert not [script for script in shown.all("script") if "src" not in script]
        assert hostile in "".join(
            shown.html.replace("&#34;", '"').replace("&gt;", ">").replace("&lt;", "<")
        )


def test_the_return_code_is_whole_and_readable(client: FlaskClient) -> None:
    page = show(client, "return-code")
    assert [output["text"] for output in page.all("output", id="return-code")] == ["482915"]
    assert "4 8 2 9 1 5" in page.html
    assert page.forms()["/vp/h/not-me"]["csrf"] == "c" * 64
    for fact in (
        "공직자 메일",
        "김하늘",
        "Chrome, Windows",
        "정부세종청사 3층",
        "2026년 11월 24일 18:30",
    ):
        assert fact in page.html


def test_the_field_for_the_code_says_what_it_wants(client: FlaskClient) -> None:
    (field,) = show(client, "code").all("input", id="return_code")
    assert field["name"] == "return_code"
    assert field["inputmode"] == "numeric"
    assert field["autocomplete"] == "one-time-code"
    assert field["maxlength"] == "6"
    assert "aria-invalid" not in field
    page = show(client, "code-error", "en")
    (field,) = page.all("input", id="return_code")
    assert field["aria-invalid"] == "true"
    (told,) = page.all("p", role="alert")
    assert told["text"] == "That is not the code on the phone. 1 try left."
    assert field["aria-describedby"] == told["id"]


def test_the_language_switch_leads_back_to_the_login(client: FlaskClient) -> None:
    for name in ("login", "qr", "code"):
        assert show(client, name).forms()["/language"] == {"next": f"/login/{ID}", "lang": "en"}


def test_home_names_the_wallet_only_where_there_is_one(app: Flask) -> None:
    assert render(app, "home", wallet_enabled=True).all("a", href="/wallet")
    assert not render(app, "home", wallet_enabled=False).all("a", href="/wallet")


def test_the_qr_page_without_scripts(client: FlaskClient) -> None:
    page = show(client, "qr-no-js")
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page.html
    (picture,) = page.all("div", id="qr")
    assert picture["role"] == "img"
    assert picture["aria-label"]
    assert page.all("svg", **{"class": "qr"})
    (status,) = page.all("p", id="login-status")
    assert (status["role"], status["aria-live"]) == ("status", "polite")
    assert "refresh" not in show(client, "qr").html
    expired = show(client, "qr-expired")
    assert not expired.all("svg", **{"class": "qr"})
    assert expired.all("p", id="login-status")[0]["text"].startswith("QR 코드의 유효 시간")


def test_each_wallet_is_offered_once(app: Flask) -> None:
    links = [link["href"] for link in render(app, "qr").all("a") if "data-wallet" in link]
    assert len(links) == len(set(links)) == 2
    page = render(app, "qr", wallets=[])
    assert [link for link in page.all("a") if link["href"].startswith("openid4vp://")]


def test_return_done_speaks_of_what_happened(client: FlaskClient) -> None:
    assert show(client, "return-done").forms()["/vp/h/not-me"]["csrf"] == "c"
    assert "044-205-1234" in show(client, "return-disowned").html
    assert "G-303" in show(client, "return-failed").html


def test_signed_out_leads_back_only_when_it_may(client: FlaskClient) -> None:
    assert show(client, "signed-out").all("a", href="https://mail.example.go.kr/")
    assert not [a for a in show(client, "signed-out-plain").all("a") if "://" in a["href"]]


def test_my_sign_ins_can_each_be_ended(client: FlaskClient) -> None:
    page = show(client, "account", "en")
    assert {"/account/sessions/s1/end", "/account/sessions/s2/end"} <= set(page.forms())
    assert [button["text"] for button in page.all("button") if "(" in button["text"]] == [
        "Sign out (Chrome, Windows)",
        "End it (Unknown browser)",
        "This was not me (24 Nov 2026, 18:30)",
        "Withdraw (공직자 메일)",
    ]
    assert page.forms()["/account/consents/withdraw"]["client_id"] == "mail"
    assert "/account/sessions/s2/not-me" in page.forms()
    assert "/account/sessions/s1/not-me" not in page.forms()
    assert "QR code and confirmed device" in page.html


# --- the agency ----------------------------------------------------------------------------------


def test_the_agency_is_named_in_the_language_of_the_page(client: FlaskClient) -> None:
    assert "행정안전부 로그인" in show(client, "home", "ko").html
    english = show(client, "home", "en")
    assert "MOIS sign-in" in english.html
    assert "행정안전부" not in english.html


def test_no_page_claims_to_be_official_unless_told(app: Flask) -> None:
    assert "masthead" not in render(app, "home").html
    assert "공식 전자정부 누리집" in render(app, "home", official_site=True).html
