"""A poll for a QR that still waits: the cheapest request there is, and by far the most frequent.

It says what `web/login_pages.py` says, octet for octet (a test compares them), from the few members of
the stored state that it needs. Whatever is not the ordinary case is left to that page: another browser,
a cookie that is missing or twice there, a login that is over, pinned or expired, a store that is away.
"""

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask

from idp import qr
from idp.browser import cookie_name
from idp.contracts import WalletMethod
from idp.errors import OutsideError
from idp.fast_path.painting import Painter
from idp.frames import frame_of
from idp.login import digest
from idp.logins import Glance
from idp.web import qr_page

if TYPE_CHECKING:
    from idp.services import Services

VIEW_KEPT_S = 2.0  # a new certificate of the verifier changes the links
_PATH = re.compile(r"/login/([A-Za-z0-9_-]{22})/status", re.ASCII)
_HANDLE, _FRAME = qr.HOLE * 22, qr.HOLE * 19
_to_json = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode  # as Flask's own


@dataclass(frozen=True, slots=True)
class _View:
    """What is the same for every login of a method, for a moment."""

    until: float
    basis: qr.QrBasis
    painter: Painter
    links: tuple[str, ...]  # with holes for handle and frame


class Polls:
    """Answers the ordinary poll. Safe for threads."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._parts: Services = app.extensions["gongmu"]
        name = cookie_name(self._parts.settings, "browser")
        self._cookie_start = f"{name}="
        self._cookie = re.compile(
            rf"(?:^|; ?){re.escape(name)}=([A-Za-z0-9_-]{{40,64}})(?:;|$)", re.ASCII
        )
        self._views: dict[str, _View] = {}

    def answer(self, path: str, cookies: str) -> bytes | None:
        """The body of the answer; None when the page itself must answer."""
        login = _PATH.fullmatch(path)
        browser = self._cookie.search(cookies)
        if login is None or browser is None or cookies.count(self._cookie_start) != 1:
            return None
        try:
            seen = self._parts.logins.glance(login.group(1), digest(browser.group(1)))
        except OutsideError:
            return None
        view = self._view(seen.method) if seen is not None else None
        if seen is None or view is None:
            return None
        return self._told(seen, view)

    def _told(self, seen: Glance, view: _View) -> bytes:
        elapsed_s = (self._parts.now() - seen.begun_at).total_seconds()
        first = max(0, int(elapsed_s))
        seconds = range(first, first + qr_page.FRAMES_PER_POLL)
        texts = [frame_of(seen.frame_secret, second) for second in seconds]
        body = {
            "step": "waiting",
            "reason": None,
            "next": None,
            "size": view.painter.size,
            "links": [
                link.replace(_HANDLE, seen.handle).replace(_FRAME, texts[0]) for link in view.links
            ],
            "elapsed_ms": int(elapsed_s * 1000),
            "frames": [
                {"second": second, "bits": view.painter.bits(seen.handle, text)}
                for second, text in zip(seconds, texts, strict=True)
            ],
        }
        return _to_json(body).encode() + b"\n"

    def _view(self, name: str) -> _View | None:
        """What the QR page would draw with. None for a method without a QR."""
        view = self._views.get(name)
        if view is not None and time.monotonic() < view.until:
            return view
        method = self._parts.methods.get(name)
        if not isinstance(method, WalletMethod):
            return None
        with self._app.app_context():
            query = method.link_query(qr_page.request_uri(_HANDLE, _FRAME))
            # The tables are large: page and polls share one copy.
            basis = qr_page._basis(qr_page.prefix() + query)  # noqa: SLF001 - the page's own
        painter = view.painter if view is not None and view.basis is basis else _painter(basis)
        links = tuple(f"{one.present_prefix}{query}" for one in self._parts.settings.wallets)
        view = self._views[name] = _View(time.monotonic() + VIEW_KEPT_S, basis, painter, links)
        return view


def _painter(basis: qr.QrBasis) -> Painter:
    return Painter(basis, len(_HANDLE), len(_FRAME))
