"""Public documents, kept as Flask answered them."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from idp.services import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Headers = list[tuple[str, str]]
Served = tuple[Headers, bytes]
KEPT_S = 60.0  # a document is made anew after that, whatever happens


class Documents:
    """Public documents as Flask answered them; new ones when the keys change."""

    def __init__(self, flask: "WSGIApplication", parts: Services) -> None:
        self._flask = flask
        self._parts = parts
        self._kept: dict[str, tuple[object, float, Served]] = {}

    def get(self, path: str) -> Served | None:
        """The document, when it is still what Flask would answer."""
        keys, until, served = self._kept.get(path, (None, 0.0, None))
        if keys is not self._parts.keys.jwks() or time.monotonic() >= until:
            return None
        return served

    def make(
        self, path: str, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Flask's answer, kept when it is a good one and for everyone."""
        keys = self._parts.keys.jwks()
        told: list[tuple[str, Headers]] = []

        def note(status: str, headers: Headers, *more: Any) -> Any:
            told.append((status, headers))
            return start_response(status, headers, *more)

        body = b"".join(self._flask(environ, note))
        status, headers = told[-1]
        if status == "200 OK" and "Set-Cookie" not in dict(headers):
            self._kept[path] = (keys, time.monotonic() + KEPT_S, (headers, body))
        return [body]
