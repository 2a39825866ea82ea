"""Languages: which one a page speaks, and that the Korean is complete."""

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from flask import Flask

from idp.paths import TRANSLATIONS
from idp.web.locale import COOKIE, same_site_path
from tests.fakes.pages import create_pages_app, settings

ROOT = Path(__file__).resolve().parents[2]
KOREAN = TRANSLATIONS / "ko" / "LC_MESSAGES" / "messages.po"


def language_of(app: Flask, accept: str = "", cookie: str = "") -> str:
    client = app.test_client()
    if cookie:
        client.set_cookie(COOKIE, cookie)
    page = client.get("/page/home", headers={"Accept-Language": accept}).get_data(as_text=True)
    return page.split('<html lang="', 1)[1].split('"', 1)[0]


# --- choice -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "ko"),
        ("en", "en"),
        ("en-GB,en;q=0.8", "en"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("fr,de;q=0.9", "ko"),
        ("fr,en;q=0.1", "en"),
        ("*;q=0.5", "ko"),
        ("en;q=oops, \u00e9\u00e9, ;;;", "ko"),
        (",".join(f"x{number}" for number in range(2000)), "ko"),
    ],
)
def test_accept_language(accept: str, expected: str) -> None:
    assert language_of(create_pages_app(), accept) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (("en-US",), "en"),
        (("fr", "EN"), "en"),
        (("fr",), "ko"),
        (("", "-", "../../etc"), "ko"),
        (tuple(f"x{number}" for number in range(1000)), "ko"),
    ],
)
def test_ui_locales_come_before_accept_language(tags: tuple[str, ...], expected: str) -> None:
    assert language_of(create_pages_app(ui_locales=tags), "ko") == expected


def test_the_persons_own_choice_comes_first() -> None:
    app = create_pages_app(ui_locales=("ko",))
    assert language_of(app, "ko", cookie="en") == "en"


@pytest.mark.parametrize("cookie", ["fr", "EN", "../en", "x" * 3000])
def test_a_cookie_of_another_hand_is_no_choice(cookie: str) -> None:
    assert language_of(create_pages_app(), "en", cookie=cookie) == "en"


def test_only_the_languages_of_the_settings() -> None:
    english = create_pages_app(settings(languages=("en",)))
    assert language_of(english, "ko", cookie="ko") == "en"
    assert b'action="/language"' not in english.test_client().get("/page/home").data
    assert language_of(create_pages_app(settings(languages=("ko",))), "en") == "ko"


# --- the switch -------------------------------------------------------------------------------


def test_the_switch_keeps_the_choice_and_goes_back() -> None:
    client = create_pages_app().test_client()
    page = client.get("/page/home?a=1&b=%ED%95%9C").get_data(as_text=True)
    assert '<input type="hidden" name="next" value="/page/home?a=1&amp;b=%ED%95%9C">' in page
    answer = client.post("/language", data={"lang": "en", "next": "/page/home?a=1&b=%ED%95%9C"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/page/home?a=1&b=%ED%95%9C"
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("gongmu-lang=en;")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert 'lang="en"' in client.get("/page/home").get_data(as_text=True)


def test_over_https_the_cookie_is_secure() -> None:
    client = create_pages_app(settings(issuer="https://id.example.go.kr")).test_client()
    assert "Secure" in client.post("/language", data={"lang": "en"}).headers["Set-Cookie"]


@pytest.mark.parametrize("lang", ["", "fr", "en; Domain=evil", "en\r\nX: y"])
def test_an_unknown_language_sets_no_cookie(lang: str) -> None:
    answer = create_pages_app().test_client().post("/language", data={"lang": lang})
    assert answer.status_code == 303
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "hostile",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "/\x7f/evil.example",
        "javascript:alert(1)",
        "evil.example",
        "",
        "/" + "a" * 5000,
    ],
)
def test_the_switch_is_no_open_redirect(hostile: str) -> None:
    answer = create_pages_app().test_client().post("/language", data={"next": hostile})
    assert answer.headers["Location"] == "/"


def test_a_path_of_ours_stays() -> None:
    assert same_site_path("/login/abc?x=//y") == "/login/abc?x=//y"


def test_the_switch_answers_posts_only() -> None:
    assert create_pages_app().test_client().get("/language").status_code == 405


def test_a_page_that_answers_a_post_has_no_address_to_go_back_to() -> None:
    app = create_pages_app()
    app.add_url_rule(
        "/shown", view_func=app.view_functions["page"], methods=["POST"], defaults={"name": "home"}
    )
    page = app.test_client().post("/shown").get_data(as_text=True)
    assert '<input type="hidden" name="next" value="/">' in page


# --- the Korean -------------------------------------------------------------------------------


def extracted() -> set[str]:
    """Every text of the templates and the code, plural forms by their singular."""
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    texts = set()
    for _file, _line, message, _comments, _context in extract_from_dir(ROOT, methods, options):
        texts.add(message[0] if isinstance(message, tuple) else message)
    return texts


def korean() -> Catalog:
    with KOREAN.open("rb") as file:
        return read_po(file, locale="ko")


def singular(identifier: object) -> str:
    return str(identifier[0]) if isinstance(identifier, tuple | list) else str(identifier)


def test_every_text_has_its_korean() -> None:
    translated = {singular(message.id) for message in korean() if message.id and message.string}
    assert extracted() - translated == set()


def test_the_catalogue_holds_nothing_else() -> None:
    known = {singular(message.id) for message in korean() if message.id}
    assert known - extracted() == set()


def test_nothing_is_fuzzy_empty_or_broken() -> None:
    catalogue = korean()
    for message in catalogue:
        if message.id:
            assert not message.fuzzy, message.id
            strings = message.string if isinstance(message.string, tuple) else (message.string,)
            assert all(strings), message.id
            assert list(message.check(catalogue)) == [], message.id


def test_the_compiled_catalogue_is_as_new_as_its_source() -> None:
    compiled = KOREAN.with_suffix(".mo")
    assert compiled.exists(), "run tools/translations.sh"
    assert compiled.stat().st_mtime >= KOREAN.stat().st_mtime, "run tools/translations.sh"
