"""What every request and every answer passes: limits (E7) and headers (A-133)."""

from flask import Flask, Response, g, request
from werkzeug.exceptions import BadRequest, MethodNotAllowed, RequestEntityTooLarge

from idp import rates
from idp.services import services

MAX_FORM = 64 * 1024
MAX_PRESENTATION = 256 * 1024
MAX_PICTURE = 4 * 1024 * 1024
MAX_ADDRESS = 8 * 1024
MAX_PARAMETERS = 64
# Pages whose opening does something: only a person opens them, no link checker and no prefetch.
_ACTING = ("/login/", "/vp/", "/oauth/authorize", "/device/")


def init_app(app: Flask) -> None:
    """Let the guard see every request and every answer."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_FORM
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_PRESENTATION
    app.config["MAX_FORM_PARTS"] = MAX_PARAMETERS
    app.before_request(_only_people_act)
    app.before_request(_limits)
    app.before_request(rates.check_path)
    app.after_request(_headers)


def _only_people_act() -> Response | None:
    """Link checkers and prefetch do not open what acts when it is opened."""
    if not request.path.startswith(_ACTING):
        return None
    if request.method == "HEAD":
        raise MethodNotAllowed(["GET", "POST"])
    purposes = (request.headers.get("Sec-Purpose", ""), request.headers.get("Purpose", ""))
    if any("prefetch" in purpose for purpose in purposes):
        return Response(status=503, headers={"Cache-Control": "no-store"})
    return None


def _limits() -> None:
    if len(request.full_path) > MAX_ADDRESS:
        raise RequestEntityTooLarge
    if request.path.startswith("/vp/"):
        request.max_content_length = MAX_PRESENTATION
    if request.path == "/wallet/read-qr":
        request.max_content_length = MAX_PICTURE
    length = request.content_length
    if length is not None and length > (request.max_content_length or 0):
        raise RequestEntityTooLarge
    if request.query_string.count(b"&") >= MAX_PARAMETERS:
        raise BadRequest
    # Bytes that are not UTF-8 would be replaced silently, and no store takes NUL: refuse both.
    texts = (request.path, *(text for pair in request.args.items(multi=True) for text in pair))
    if any("\ufffd" in text or "\0" in text for text in texts):
        raise BadRequest


def _headers(response: Response) -> Response:
    headers = response.headers
    target = f" {g.form_target}" if "form_target" in g else ""
    frames = f"frame-src {' '.join(g.frame_origins)}; " if g.get("frame_origins") else ""
    headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; font-src 'self'; manifest-src 'self'; media-src 'self' blob:; "
        f"{frames}form-action 'self'{target}; frame-ancestors 'none'; base-uri 'none'"
    )
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = (
        "camera=(self), microphone=(), geolocation=(), publickey-credentials-get=(self)"
    )
    if services().settings.issuer.startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = "private, no-store"
    return response
