"""Calls from browser applications of other origins: registered ones of profile `public` alone (R-011).

Only at endpoints that a script calls and that read no cookie; never where a person goes. Nothing is opened
by it that a program could not do without a browser: it lets a page of that origin read the answer. Public
documents may be read by any page anyway.
"""

from flask import Response, request

from idp.errors import OutsideError
from idp.services import services

PATHS = frozenset({"/oauth/token", "/oauth/userinfo", "/oauth/revoke", "/oauth/par"})
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP",
    "Access-Control-Max-Age": "600",
}


def allow(response: Response) -> Response:
    """An after_request hook: lets the page read this answer, when its origin is a registered one."""
    origin = request.headers.get("Origin")
    if origin is None or request.path not in PATHS:
        return response
    response.vary.add("Origin")
    if not _is_registered(origin):
        return response
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = "DPoP-Nonce, WWW-Authenticate"
    if request.method == "OPTIONS":
        response.headers.update(_PREFLIGHT)
    return response


def _is_registered(origin: str) -> bool:
    try:
        return origin in services().relying_parties.origins()
    except OutsideError:  # unknown means no; the answer itself is made already
        return False
