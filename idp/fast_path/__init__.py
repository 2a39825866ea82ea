"""The hottest routes, answered before Flask's dispatch; everything else, and all that is unusual, by Flask.

The functions that decide are the same: `oidc.token.answer` and its like run within a request context of
Flask, only without its router, session and response objects. The headers are those that Flask's own
hooks put on such an answer, taken once. An error goes the whole way through Flask's error handling and
hooks. Public documents and polls need no context at all: a document is kept as Flask answered it, until
the keys change (`documents.py`); a poll for a QR that still waits is answered from the stored state
(`polls.py`).
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask, Response, g, jsonify, request
from flask.ctx import RequestContext
from flask.sessions import NullSession
from werkzeug.routing import Rule

from idp import metrics
from idp.fast_path.documents import Documents, Headers
from idp.fast_path.polls import Polls
from idp.oidc import authorize, token, token_checks, userinfo
from idp.web import guard

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from idp.services import Services

_to_json = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode  # as Flask's own
AUTHORIZE = "/oauth/authorize"
POLL = "/login/<login_id>/status"
_ANSWERS: Mapping[tuple[str, str], Callable[[], dict[str, Any] | Response]] = {
    ("POST", "/oauth/token"): token.answer,
    ("POST", "/oauth/introspect"): token_checks.answer,
    ("GET", "/oauth/userinfo"): userinfo.answer,
}
_DOCUMENTS = frozenset(
    {
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/oauth/jwks",
    }
)


def install(app: Flask) -> None:
    """Put this in front of the application's own WSGI callable."""
    path = app.extensions["fast_path"] = FastPath(app)
    app.wsgi_app = path  # type: ignore[method-assign]


class FastPath:
    """A WSGI application around Flask's."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._flask: WSGIApplication = app.wsgi_app
        self._parts: Services = app.extensions["gongmu"]
        self._rules = {rule.rule: rule for rule in app.url_map.iter_rules()}
        self._documents = Documents(self._flask, self._parts)
        self._polls = Polls(app)
        self._headers: Headers | None = None

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """One request."""
        path: str = environ.get("PATH_INFO", "")
        if path == AUTHORIZE and environ["REQUEST_METHOD"] == "GET":
            return self._authorize(environ, start_response)
        if not environ.get("QUERY_STRING"):
            if path in _DOCUMENTS and environ["REQUEST_METHOD"] == "GET":
                return self._document(path, environ, start_response)
            answer = _ANSWERS.get((environ["REQUEST_METHOD"], path))
            if answer is not None and "HTTP_ORIGIN" not in environ and _is_small(environ):
                return self._answer(answer, self._rules[path], environ, start_response)
            if path.startswith("/login/") and environ["REQUEST_METHOD"] == "GET":
                return self._poll(path, environ, start_response)
        return self._flask(environ, start_response)

    def _document(
        self, path: str, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        begun = time.perf_counter()
        served = self._documents.get(path)
        if served is None:
            return self._documents.make(path, environ, start_response)
        headers, body = served
        start_response("200 OK", [*headers])
        _measure(path, begun)
        return [body]

    def _answer(
        self,
        answer: Callable[[], dict[str, Any] | Response],
        rule: Rule,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
    ) -> Iterable[bytes]:
        begun = time.perf_counter()
        context = _Context(self._app, environ, rule)
        with context:
            g.started = begun
            structlog.contextvars.clear_contextvars()
            structlog.contextvars.bind_contextvars(route=rule.rule)
            try:
                told = answer()
            except Exception as error:  # noqa: BLE001 - handed to Flask, whose handlers know all of them
                refused = self._app.make_response(self._app.handle_user_exception(error))
                return self._app.process_response(refused)(environ, start_response)
            if isinstance(told, Response):  # a JWT, for a party that is registered for it
                return self._app.process_response(told)(environ, start_response)
            body = _to_json(told).encode() + b"\n"
            if not _is_plain():
                made = Response(body, mimetype="application/json")
                made.headers["Cache-Control"] = "no-store"
                return self._app.process_response(made)(environ, start_response)
        return self._send(body, rule.rule, begun, start_response)

    def _poll(
        self, path: str, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        begun = time.perf_counter()
        fetched_ahead = "HTTP_SEC_PURPOSE" in environ or "HTTP_PURPOSE" in environ
        body = None if fetched_ahead else self._polls.answer(path, environ.get("HTTP_COOKIE", ""))
        if body is None:
            return self._flask(environ, start_response)
        return self._send(body, POLL, begun, start_response)

    def _authorize(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """With all hooks before it; after it those of a plain redirect are known."""
        begun = time.perf_counter()
        with _Context(self._app, environ, self._rules[AUTHORIZE]):
            try:
                answer = self._app.preprocess_request() or authorize.authorize()
                response = self._app.make_response(answer)
            except Exception as error:  # noqa: BLE001 - as above
                response = self._app.make_response(self._app.handle_user_exception(error))
            if response.status_code != 303 or "form_target" in g or not _is_plain():
                return self._app.process_response(response)(environ, start_response)
        own = [*response.headers, ("Content-Length", "0")]
        given = {name for name, _ in own}
        more = self._headers or self._take_headers()
        start_response(response.status, [*own, *(pair for pair in more if pair[0] not in given)])
        metrics.REQUESTS.labels(AUTHORIZE, "303").observe(time.perf_counter() - begun)
        return [b""]

    def _send(
        self, body: bytes, route: str, begun: float, start_response: "StartResponse"
    ) -> Iterable[bytes]:
        headers = self._headers or self._take_headers()
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        _measure(route, begun)
        return [body]

    def _take_headers(self) -> Headers:
        """Those that every hook of the application gives to a JSON answer that may not be kept."""
        with self._app.test_request_context("/healthz"):
            response = jsonify({})
            response.headers["Cache-Control"] = "no-store"
            whole = self._app.process_response(response).headers
        self._headers = [(name, value) for name, value in whole if name != "Content-Length"]
        return self._headers


class _Context(RequestContext):
    """A request context that knows its route already and has no session: ours are not Flask's."""

    def __init__(self, app: Flask, environ: "WSGIEnvironment", rule: Rule) -> None:
        self.app = app
        self.request = app.request_class(environ)
        self.request.json_module = app.json
        self.request.url_rule, self.request.view_args = rule, {}
        self.url_adapter = None
        self.flashes = None
        self._session = NullSession()
        self._after_request_functions = []
        self._cv_tokens = []


def _is_small(environ: "WSGIEnvironment") -> bool:
    """Within the limits of `guard`; whatever is not goes there."""
    length = environ.get("CONTENT_LENGTH") or "0"
    return bool(length.isascii() and length.isdigit() and int(length) <= guard.MAX_FORM)


def _is_plain() -> bool:
    """Whether no hook has more to do for this answer than for all others."""
    own = "new_browser_secret" in g or "new_session_cookie" in g or "dpop_nonce" in g
    return not own and "HTTP_ORIGIN" not in request.environ


_observers: dict[str, Any] = {}


def _measure(route: str, begun: float) -> None:
    observer = _observers.get(route)
    if observer is None:
        observer = _observers[route] = metrics.REQUESTS.labels(route, "200")
    observer.observe(time.perf_counter() - begun)
