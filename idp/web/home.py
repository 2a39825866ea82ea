"""The front page, what operators ask (`/healthz`, `/readyz`, `/metrics`), and the sites' documents."""

import math
import time

import structlog
from flask import Blueprint, Flask, Response, g, jsonify, make_response, render_template, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from werkzeug.exceptions import NotFound

from idp import browser, metrics
from idp.contracts import RelatedOrigins
from idp.errors import LoginNotFound, OutsideError
from idp.services import services
from idp.signals import outbox
from idp.web import readiness

blueprint = Blueprint("home", __name__)


def init_app(app: Flask) -> None:
    """Time every request, and give each log line of it the same id."""
    app.before_request(_start)
    app.after_request(_measure)


def _start() -> None:
    g.started = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(route=str(request.url_rule or ""))


def _measure(response: Response) -> Response:
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    route = str(request.url_rule or "none")
    metrics.REQUESTS.labels(route, str(response.status_code)).observe(seconds)
    return response


@blueprint.get("/")
def home() -> Response:
    """What this is."""
    return make_response(render_template("home.html", wallet_enabled="wallet" in services().sites))


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Whether each store and the directory answer; 503 when not, and to monitoring networks which one."""
    told = readiness.states(services())
    ready = all(state == "ok" for state in told.values())
    response = jsonify({"ready": ready, **({"stores": told} if browser.is_monitor() else {})})
    response.status_code = 200 if ready else 503
    return response


@blueprint.get("/metrics")
def prometheus() -> Response:
    """Counters of this worker and how many letters wait, for monitoring networks; others find nothing."""
    if not browser.is_monitor():
        raise NotFound
    try:
        metrics.LETTERS.set(outbox.waiting(services().engine))
    except OutsideError:
        metrics.LETTERS.set(math.nan)
    response = make_response(generate_latest(metrics.registry))
    response.headers["Content-Type"] = CONTENT_TYPE_LATEST
    return response


@blueprint.get("/.well-known/<path:name>")
def well_known(name: str) -> Response:
    """Documents of the parts that are switched on (OpenID4VCI metadata, related origins)."""
    for site in services().sites.values():
        if name in site.well_known:
            response = jsonify(site.well_known[name]())
            response.headers["Cache-Control"] = "public, max-age=300"
            response.headers["Access-Control-Allow-Origin"] = "*"
            return response
    origins = _related_origins() if name == "webauthn" else []
    if origins:
        return jsonify({"origins": origins})
    raise LoginNotFound("no document")


def _related_origins() -> list[str]:
    """Pages of other hosts that may use our passkeys (WebAuthn L3 §5.11)."""
    methods = services().methods.values()
    return [
        origin
        for method in methods
        if isinstance(method, RelatedOrigins)
        for origin in method.related_origins()
    ]
