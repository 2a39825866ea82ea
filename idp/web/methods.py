"""Ways to sign in: which one a page offers first, and the page that lets a person choose.

What a browser used last is kept in a cookie that says the method's name and nothing else. It, the
kind of device and the order of a page are conveniences: nothing is decided by them.
"""

import re

from flask import Response, g, request

from idp import browser
from idp.services import services

_COOKIE_MAX_AGE_S = 365 * 86400
_PHONES = re.compile(r"Android.*Mobile|iPhone|iPod|Windows Phone")


def names() -> list[str]:
    """The methods that are switched on, in the order of the configuration."""
    return list(services().methods)


def remembered() -> str:
    """The method this browser used last, when it is still there; else the only one; else ""."""
    offered = names()
    if len(offered) == 1:
        return offered[0]
    kept = request.cookies.get(browser.cookie_name(services().settings, "method"), "")
    return kept if kept in offered else ""


def remember(response: Response, method: str) -> Response:
    """Let this browser go straight to that method the next time."""
    settings = services().settings
    response.set_cookie(
        browser.cookie_name(settings, "method"),
        method,
        max_age=_COOKIE_MAX_AGE_S,
        secure=settings.issuer.startswith("https://"),
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


def on_phone() -> bool:
    """Whether the browser says it is a phone: then the wallet is most likely on this device."""
    if "on_phone" not in g:
        hint = request.headers.get("Sec-CH-UA-Mobile", "")
        agent = request.headers.get("User-Agent", "")[:400]
        g.on_phone = hint == "?1" or _PHONES.search(agent) is not None
    return bool(g.on_phone)
