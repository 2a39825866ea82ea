"""What makes the web wallet an app: its manifest, and the worker that shows the card without a network.

The worker keeps the page `/wallet` and the wallet's own assets, nothing else: never an answer of the
issuer, of a verifier or of the sign-in. Its text carries a version made of what it keeps, so that a
phone takes a new worker exactly when something changed.
"""

import hashlib
import json
from functools import cache
from typing import Any

from flask_babel import gettext as _

from idp.paths import ASSETS

START = "/wallet"
FOLDER = ASSETS / "wallet"
_WORKER = FOLDER / "worker" / "worker.js"


def make_manifest(language: str) -> dict[str, Any]:
    """The web app manifest (W3C Web Application Manifest §1), in the page's language."""
    return {
        "id": START,
        "start_url": START,
        "scope": START,
        "name": _("Mobile ID wallet"),
        "short_name": _("Mobile ID"),
        "lang": language,
        "dir": "ltr",
        "display": "standalone",
        "background_color": "#f4f5f6",
        "theme_color": "#256ef4",
        "icons": [
            {"src": "/assets/wallet/icon.svg", "sizes": "any", "type": "image/svg+xml"},
            _icon(192, "any"),
            _icon(512, "any"),
            _icon(512, "maskable"),
        ],
    }


def _icon(size: int, purpose: str) -> dict[str, str]:
    name = "icon-maskable" if purpose == "maskable" else f"icon-{size}"
    return {
        "src": f"/assets/wallet/{name}.png",
        "sizes": f"{size}x{size}",
        "type": "image/png",
        "purpose": purpose,
    }


@cache
def worker() -> str:
    """The service worker's text: what it keeps, then what it does."""
    files = sorted(file for file in FOLDER.iterdir() if file.is_file())
    code = _WORKER.read_text()
    digest = hashlib.sha256(code.encode())
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    kept = {
        "version": digest.hexdigest()[:16],
        "assets": [f"/assets/wallet/{file.name}" for file in files],
    }
    return f"const KEPT = {json.dumps(kept)};\n{code}"
