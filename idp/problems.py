"""Errors turned into their public form, in this one place: a page for people, JSON for programs.

A page answers browsers, `{"error", "error_description"}` the OAuth and wallet endpoints, and an RFC 9457
problem document `/api/`. Never a trace; a reference number ties the answer to the log. Each refusal
is one event, written before the answer (E4).
"""

import structlog
from flask import Flask, Response, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from idp import browser, dpop, metrics, randomness, rates
from idp.errors import GongmuError, LoginError, OutsideError, RequestError, UnauthorizedError
from idp.events import Event, Kind, Reason
from idp.services import services

_log = structlog.get_logger("gongmu.problems")
_PROGRAMS = ("/oauth/token", "/oauth/userinfo", "/oauth/introspect", "/oauth/revoke", "/vp/")
_SITE_PROGRAMS = (
    *("/oauth/par", "/oauth/device_authorization", "/oauth/register"),
    *("/issuer/", "/status/", "/.well-known/"),
)
_DESCRIBED = {"/oauth/userinfo": "", "/api/v1/": "/api/v1"}  # resources and their metadata
_KINDS = (
    ("/api/", Kind.API_REFUSED),
    ("/oauth/token", Kind.TOKEN_REFUSED),
    ("/oauth/userinfo", Kind.TOKEN_REJECTED),
    ("/oauth/introspect", Kind.TOKEN_REJECTED),
    ("/oauth/revoke", Kind.TOKEN_REJECTED),
    ("/oauth/register", Kind.REGISTRATION_REFUSED),
    ("/oauth/logout", Kind.LOGOUT_REFUSED),
    ("/issuer/", Kind.MOBILE_ID_REFUSED),
)


def register(app: Flask) -> None:
    """Let this module answer every error of the application."""
    app.register_error_handler(GongmuError, answer)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_unexpected)


def answer(error: GongmuError) -> Response:
    """The public form of one of our errors; its event is written first where one is due."""
    error = rates.of_refusal(error)
    reference = randomness.token(6)
    _log.warning(
        "refused",
        code=error.code,
        reason=error.reason.value,
        detail=error.detail,
        reference=reference,
        exc_info=error.__cause__ if error.status >= 500 else None,
    )
    _write_event(error)
    response = _form(error, reference)
    response.headers["Cache-Control"] = "no-store"
    if isinstance(error, UnauthorizedError) and error.scheme:
        response.headers["WWW-Authenticate"] = _challenge(error)
    if error.status == 429:
        response.headers["Retry-After"] = str(rates.WINDOW_S)
    if isinstance(error, OutsideError):
        metrics.OUTSIDE.labels(error.system).inc()
        response.headers["Retry-After"] = "5"
    return response


def _challenge(error: UnauthorizedError) -> str:
    if error.scheme == "Basic":
        return 'Basic realm="gongmu", charset="UTF-8"'
    said = {"realm": "gongmu", "error": error.code, **error.demands}
    if error.scheme == "DPoP":
        said["algs"] = " ".join(dpop.ALGORITHMS)  # RFC 9449 §7.1
    described = next((of for of in _DESCRIBED if request.path.startswith(of)), None)
    if described is not None:  # RFC 9728 §5.1
        document = f"/.well-known/oauth-protected-resource{_DESCRIBED[described]}"
        said["resource_metadata"] = f"{services().settings.issuer}{document}"
    return f"{error.scheme} " + ", ".join(f'{name}="{value}"' for name, value in said.items())


def _form(error: GongmuError, reference: str) -> Response:
    path = request.path
    if path.startswith("/api/"):
        return _problem_document(error, reference)
    wallet_page = path.startswith("/vp/") and path.endswith(("/return", "/not-me"))
    programs = (*_PROGRAMS, *_SITE_PROGRAMS)
    if path.startswith(programs) and not wallet_page:
        body = {"error": error.code}
        if isinstance(error, RequestError) and error.public:
            body["error_description"] = error.public
        return _with_status(jsonify(body), error.status)
    return page(error.reason, error.status, reference)


def page(reason: Reason, status: int, reference: str = "", next_url: str = "/") -> Response:
    """The error page: what was wrong, what to do, a short code for the help desk."""
    html = render_template(
        "problem.html",
        reason=reason.value,
        reference=reference or randomness.token(6),
        next_url=next_url,
        status=status,
    )
    return make_response(html, status)


def _problem_document(error: GongmuError, reference: str) -> Response:
    """RFC 9457; `code` is stable, `type` needs no page of its own."""
    body = {
        "type": "about:blank",
        "title": error.code,
        "status": error.status,
        "code": error.reason.value,
        "detail": (isinstance(error, RequestError) and error.public) or error.code,
        "instance": f"urn:gongmu:reference:{reference}",
    }
    response = _with_status(jsonify(body), error.status)
    response.mimetype = "application/problem+json"
    return response


def _with_status(response: Response, status: int) -> Response:
    response.status_code = status
    return response


def _write_event(error: GongmuError) -> None:
    """One event per refusal, unless the raiser wrote a better one (`error.recorded`)."""
    if error.recorded or isinstance(error, OutsideError):
        return
    event = Event(
        _kind(error),
        reason=error.reason,
        address=browser.address(),
        network=browser.network(),
        relying_party=error.relying_party,
        journey=error.journey,
        method=error.method,
    )
    try:
        services().journal.record_alone(event)
    except OutsideError:
        _log.exception("event_lost_with_sql")


def _kind(error: GongmuError) -> Kind:
    for prefix, kind in _KINDS:
        if request.path.startswith(prefix):
            return kind
    if error.reason is Reason.OTHER_BROWSER:
        return Kind.SESSION_SWAP
    return Kind.LOGIN_REFUSED if isinstance(error, LoginError) else Kind.AUTHORIZATION_REFUSED


def _answer_http(error: HTTPException) -> Response:
    """Werkzeug's own refusals: 404, 405, 413, 400 for bad encodings."""
    code = error.code or 500
    if code < 400:
        return make_response(error.get_response())
    wrapped = RequestError("invalid_request", detail=str(error))
    wrapped.status = code
    wrapped.reason = Reason.TOO_LARGE if code == 413 else Reason.BAD_REQUEST
    wrapped.recorded = code in (404, 405)
    response = answer(wrapped)
    if code == 405 and getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(error.valid_methods or ())  # type: ignore[attr-defined]
    return response


def _answer_unexpected(error: Exception) -> Response:
    """A fault of ours: logged whole, told as a reference only."""
    reference = randomness.token(6)
    _log.error("unexpected", reference=reference, exc_info=error)
    return _form(GongmuError("unexpected"), reference)


__all__ = ["answer", "page", "register"]
