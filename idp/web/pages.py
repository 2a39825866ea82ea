"""What every page is made with: its words, its agency, its assets.

Templates get `agency`, `emblem`, `official_site`, `help_desk`, `lang`, `languages`, `this_page`,
`asset`, `csrf`, the texts of `words.py` by name, the codes that no reason has, and the filter
`moment`. Assets are read once, into a closed table: no path given by a stranger ever
reaches the file system.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, request
from flask_babel import format_datetime, get_locale

from idp import browser
from idp.paths import ASSETS
from idp.services import services
from idp.web import camera, locale, reasons, words

blueprint = Blueprint("pages", __name__)

MIME_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
_EMBLEM_KINDS = frozenset({".svg", ".png", ".jpg", ".jpeg", ".webp"})
_MOMENTS = {"ko": "y년 M월 d일 HH:mm", "en": "d MMM y, HH:mm"}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    body: bytes
    mime_type: str
    version: str  # of the content: a changed file has a new address


def init_app(app: Flask) -> None:
    """Let every template of the application speak, and serve what they need."""
    locale.init_app(app)
    app.extensions["gongmu-assets"] = read_assets(ASSETS)
    app.jinja_env.filters["moment"] = moment
    app.jinja_env.globals.update(
        asset=asset_url,
        csrf=browser.csrf_token,
        this_page=locale.this_page,
        reason_text=words.reason_text,
        reason_help=words.reason_help,
        reason_step=words.reason_step,
        reason_code=words.reason_code,
        may_retry=words.may_retry,
        missing_code=reasons.MISSING_CODE,
        offline_code=reasons.OFFLINE_CODE,
        camera_code=reasons.CAMERA_CODE,
        method_title=words.method_title,
        method_text=words.method_text,
        state_text=words.state_text,
        happened_text=words.happened_text,
        passkey_change_text=words.passkey_change_text,
        acr_text=words.acr_text,
        scope_text=words.scope_text,
        claim_text=words.claim_text,
    )
    app.context_processor(_of_every_page)
    app.register_blueprint(blueprint)
    with app.app_context():
        if camera.is_needed():
            app.register_blueprint(camera.blueprint)


def _of_every_page() -> dict[str, Any]:
    settings = services().settings
    lang = _language()
    return {
        "lang": lang,
        "languages": [(code, locale.NATIVE_NAMES[code]) for code in settings.languages],
        "agency": settings.agency.name_en if lang == "en" else settings.agency.name_ko,
        "emblem": emblem_url(),
        "official_site": settings.agency.official_site,
        "help_desk": settings.agency.help_desk,
    }


def _language() -> str:
    found = get_locale()
    return "en" if found is not None and found.language == "en" else "ko"


def moment(value: datetime | str) -> str:
    """A time for people, in Korean time; a text stays as it is."""
    if isinstance(value, str):
        return value
    return str(format_datetime(value, _MOMENTS[_language()]))


# --- assets ---------------------------------------------------------------------------------------


def read_assets(folder: Path) -> Mapping[str, Asset]:
    """Every servable file below a folder, by its name with forward slashes. Links are left out."""
    return {
        path.relative_to(folder).as_posix(): _read(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.suffix in MIME_TYPES
    }


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    return Asset(body, MIME_TYPES[path.suffix.lower()], hashlib.sha256(body).hexdigest()[:16])


def _assets() -> Mapping[str, Asset]:
    found: Mapping[str, Asset] = current_app.extensions["gongmu-assets"]
    return found


def asset_url(name: str) -> str:
    """The address of an asset, which changes with its content. KeyError: a template is at fault."""
    return f"/assets/{name}?v={_assets()[name].version}"


@blueprint.get("/assets/<path:name>")
def serve_asset(name: str) -> Response:
    """An asset: kept for a year under its full address, asked for again under any other."""
    found = _assets().get(name)
    if found is None:
        abort(404)
    return _answer(found)


@lru_cache(maxsize=4)
def _emblem(path: Path) -> Asset | None:
    suitable = path.suffix.lower() in _EMBLEM_KINDS and path.is_file()
    return _read(path) if suitable else None


def emblem_url() -> str | None:
    """The address of the agency's emblem, None when it has none."""
    path = services().settings.agency.emblem_file
    found = _emblem(path) if path is not None else None
    return f"/emblem?v={found.version}" if found else None


@blueprint.get("/emblem")
def serve_emblem() -> Response:
    """The agency's emblem."""
    path = services().settings.agency.emblem_file
    found = _emblem(path) if path is not None else None
    if found is None:
        abort(404)
    return _answer(found)


def _answer(found: Asset) -> Response:
    response = Response(found.body, content_type=found.mime_type)
    current = request.args.get("v") == found.version
    response.headers["Cache-Control"] = _FOR_EVER if current else "no-cache"
    response.set_etag(found.version)
    response.make_conditional(request)
    return response
