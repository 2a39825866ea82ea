"""Style, scripts, emblem: served from a closed table, kept long, readable for weak eyes."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.conf import Agency
from idp.paths import ASSETS
from idp.web.pages import read_assets
from tests.fakes.html import show
from tests.fakes.pages import create_pages_app, settings


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_pages_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


# --- contrast of the colours (WCAG 2.2 §1.4.3, §1.4.11) ------------------------------------------

TEXT = [
    ("text", "surface"), ("text", "page"), ("text-2", "surface"), ("text-2", "surface-2"),
    ("text-3", "surface"), ("text-3", "surface-2"), ("link", "surface"), ("link", "tint"),
    ("on-primary", "primary"), ("on-primary", "primary-hover"), ("on-primary", "primary-press"),
    ("danger", "surface"), ("danger", "danger-tint"), ("good", "good-tint"), ("text", "warn-tint"),
    ("text", "tint"), ("text", "surface-2"), ("text-2", "tint"),
]  # fmt: skip
LINES = [
    ("line-strong", "surface"),
    ("focus", "surface"),
    ("focus", "page"),
    ("primary", "surface"),
]


def colours(scheme: str) -> dict[str, str]:
    css = (ASSETS / "gongmu.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    light = dict(re.findall(r"--([\w-]+): (#\w+);", blocks[0]))
    dark = dict(re.findall(r"--([\w-]+): (#\w+);", blocks[1]))
    return light if scheme == "light" else light | dark


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"), [(*pair, 4.5) for pair in TEXT] + [(*pair, 3.0) for pair in LINES]
)
def test_contrast(scheme: str, front: str, back: str, least: float) -> None:
    table = colours(scheme)
    lighter, darker = sorted((luminance(table[front]), luminance(table[back])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= least


# --- the emblem

EMBLEM = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


def with_emblem(path: Path | None) -> FlaskClient:
    agency = Agency(name_ko="가", name_en="A", emblem_file=path)
    return create_pages_app(settings(agency=agency)).test_client()


def test_the_emblem_is_shown_and_served(tmp_path: Path) -> None:
    path = tmp_path / "emblem.svg"
    path.write_bytes(EMBLEM)
    client = with_emblem(path)
    (image,) = show(client, "home").all("img")
    answer = client.get(image["src"])
    assert image["src"].startswith("/emblem?v=")
    assert answer.data == EMBLEM
    assert answer.mimetype == "image/svg+xml"
    assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("name", [None, "missing.svg", "secret.toml", "page.html"])
def test_what_is_no_emblem_is_not_served(tmp_path: Path, name: str | None) -> None:
    for file in ("secret.toml", "page.html"):
        (tmp_path / file).write_text("secret")
    client = with_emblem(tmp_path / name if name else None)
    assert client.get("/emblem").status_code == 404
    (image,) = show(client, "home").all("img")
    assert image["src"].startswith("/assets/mark.svg?v=")


# --- assets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("gongmu.css", "text/css"),
        ("login.js", "text/javascript"),
        ("mark.svg", "image/svg+xml"),
    ],
)
def test_assets_are_kept_under_their_full_address(
    app: Flask, client: FlaskClient, name: str, mime_type: str
) -> None:
    with app.test_request_context("/"):
        address = app.jinja_env.globals["asset"](name)  # type: ignore[operator]
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.data == (ASSETS / name).read_bytes()
    assert answer.mimetype == mime_type
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("query", ["", "?v=", "?v=0000000000000000"])
def test_under_another_address_they_are_asked_for_again(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/assets/gongmu.css{query}")
    assert answer.headers["Cache-Control"] == "no-cache"
    tag = answer.headers["ETag"]
    again = client.get(f"/assets/gongmu.css{query}", headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert again.data == b""


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../base.html",
        "/assets/%2e%2e/base.html",
        "/assets/..%2fbase.html",
        "/assets/..\\base.html",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/gongmu.css%00.js",
        "/assets/./gongmu.css",
        "/assets/gongmu.css/",
        "/assets/",
        "/assets/missing.css",
    ],
)
def test_nothing_but_an_asset_is_an_asset(client: FlaskClient, path: str) -> None:
    refused = 400 if "%00" in path else 404
    assert client.get(path).status_code in (refused, 308)
    assert client.get(path, follow_redirects=True).status_code == refused


def test_links_and_unknown_kinds_are_no_assets(tmp_path: Path) -> None:
    secret = tmp_path / "secret.js"
    secret.write_text("secret")
    folder = tmp_path / "assets"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.js").write_text("1")
    (folder / "note.md").write_text("2")
    (folder / "link.js").symlink_to(secret)
    assert set(read_assets(folder)) == {"sub/a.js"}


def test_a_template_that_names_no_asset_is_found_out(app: Flask) -> None:
    with app.test_request_context("/"), pytest.raises(KeyError):
        app.jinja_env.globals["asset"]("missing.js")  # type: ignore[operator]
