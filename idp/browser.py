"""What a browser brings: its own cookie, its session cookie, a CSRF token, its address and kind.

Cookies (design section 9): over https `__Host-`, Secure, HttpOnly, SameSite=Lax; under an http issuer
(loopback only) the same without `__Host-` and Secure. `gongmu-browser` binds logins and CSRF tokens
to a browser and means no one is signed in; `gongmu-session` is new at every authentication (A-120).
"""

import hmac
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from flask import Response, g, request

from idp import randomness
from idp.conf import Settings
from idp.errors import RequestError
from idp.events import Reason
from idp.login import digest
from idp.services import services
from idp.sessions import Session

BROWSER_MAX_AGE_S = 180 * 86400
CONVENIENCE_MAX_AGE_S = 365 * 86400


def cookie_name(settings: Settings, what: str) -> str:
    """`__Host-gongmu-<what>` over https, `gongmu-<what>` under a loopback http issuer."""
    prefix = "__Host-" if settings.issuer.startswith("https://") else ""
    return f"{prefix}gongmu-{what}"


def cookie(what: str) -> str:
    """The value that this browser sent for that cookie of ours, "" for none."""
    return request.cookies.get(cookie_name(services().settings, what), "")


def remember(response: Response, what: str, value: str) -> Response:
    """Keep a convenience of this browser for a year: nothing is decided by it, nobody found by it."""
    _set(response, services().settings, what, value, CONVENIENCE_MAX_AGE_S)
    return response


def see_other(location: str) -> Response:
    """303: the answer to a form is fetched by GET, never re-posted (R-013)."""
    response = Response(status=303)
    response.headers["Location"] = location
    response.headers["Cache-Control"] = "no-store"
    return response


def allow_form_target(address: str) -> None:
    """Let a form of this page end at a relying party's origin (CSP form-action follows redirects)."""
    parts = urlsplit(address)
    # An installed program's own scheme has no host (RFC 8252 §7.1).
    g.form_target = f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def allow_frames(addresses: Iterable[str]) -> None:
    """Let this page load these addresses in frames, and their origins alone (CSP frame-src)."""
    parts = map(urlsplit, addresses)
    g.frame_origins = sorted({f"{part.scheme}://{part.netloc}" for part in parts})


def browser_secret() -> str:
    """The secret of this browser: from its cookie, or a new one that `keep_cookies` will set."""
    if "browser_secret" not in g:
        value = cookie("browser")
        if not 40 <= len(value) <= 64:
            value = randomness.token(32)
            g.new_browser_secret = value
        g.browser_secret = value
    return str(g.browser_secret)


def browser_hash() -> str:
    """How logins remember this browser."""
    return digest(browser_secret())


def has_browser_cookie() -> bool:
    """Whether this browser already had a cookie of ours."""
    browser_secret()
    return "new_browser_secret" not in g


def current_session() -> Session | None:
    """The live session of this browser, asked once a request. OutsideError when SQL is away."""
    if "session_found" not in g:
        value = cookie("session")
        g.session_found = services().sessions.find(value) if 40 <= len(value) <= 64 else None
    found: Session | None = g.session_found
    return found


def set_session_cookie(value: str) -> None:
    """Give this browser a session cookie with the answer to this request ("" takes it away)."""
    g.new_session_cookie = value


def keep_cookies(response: Response) -> Response:
    """An after_request hook: sets what `browser_secret` and `set_session_cookie` asked for."""
    settings = services().settings
    if "new_browser_secret" in g:
        _set(response, settings, "browser", g.new_browser_secret, BROWSER_MAX_AGE_S)
    if "new_session_cookie" in g:
        value = g.new_session_cookie
        _set(response, settings, "session", value, None if value else 0)
    return response


def _set(
    response: Response, settings: Settings, what: str, value: str, max_age_s: int | None
) -> None:
    response.set_cookie(
        cookie_name(settings, what),
        value,
        max_age=max_age_s,
        secure=settings.issuer.startswith("https://"),
        httponly=True,
        samesite="Lax",
        path="/",
    )


def csrf_token(purpose: str) -> str:
    """A token for one form of one browser. Keyed by us: who has it was shown the form."""
    key = services().keys.secret("csrf")
    return hmac.digest(key, f"{browser_hash()}:{purpose}".encode(), "sha256").hex()


def check_csrf(purpose: str) -> None:
    """RequestError (403, CSRF) unless the form carries this browser's token and comes from us (A-123)."""
    sent = request.form.get("csrf", "")
    own = has_browser_cookie() and hmac.compare_digest(csrf_token(purpose).encode(), sent.encode())
    origin = request.headers.get("Origin")
    # Under `Referrer-Policy: no-referrer` a browser says "null" for our own pages' forms too.
    same = origin in (None, "null", services().settings.issuer)
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if not own or not same or site not in ("same-origin", "none"):
        error = RequestError("access_denied", "the form is not from this browser")
        error.status, error.reason = 403, Reason.CSRF
        raise error


def address() -> str:
    """The client's address; what a header says of it counts only behind a trusted proxy (A-112)."""
    if "address" not in g:
        g.address = _address()
    found: str = g.address
    return found


def _address() -> str:
    server = services().settings.server
    peer = request.remote_addr or ""
    proxies = server.trusted_proxies
    chain = [part.strip() for part in request.headers.get(server.address_header, "").split(",")]
    if not peer and server.unix_socket is not None:
        # Only the proxy of this machine reaches a Unix socket: the last address it adds is the peer.
        return _as_address(chain[-1])
    while peer and _in_any(peer, proxies) and chain and chain[-1]:
        peer = _as_address(chain.pop())
    return peer


def through_proxy() -> bool:
    """Whether a proxy of ours sent this request, whose headers say what they say."""
    server, peer = services().settings.server, request.remote_addr or ""
    if not peer:
        return server.unix_socket is not None
    return _in_any(peer, server.trusted_proxies)


def is_monitor() -> bool:
    """Whether who asks may know how we are (`server.monitoring_networks`)."""
    return _in_any(address(), services().settings.server.monitoring_networks)


def _as_address(text: str) -> str:
    """An address as a proxy wrote it; "" for what is none."""
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def _in_any(peer: str, networks: tuple[str, ...]) -> bool:
    try:
        return any(ip_address(peer) in ip_network(network) for network in networks)
    except ValueError:
        return False


def network() -> str:
    """The name of the first named network that holds the client's address, "" when none does."""
    named = services().settings.networks
    return next((one.name for one in named if _in_any(address(), (one.cidr,))), "")


def is_in_trusted(name: str) -> bool:
    """Whether the client is in the network of that name, and it stands in for a return code."""
    trusted = [one.trusted for one in services().settings.networks if one.name == name]
    return name != "" and network() == name and all(trusted)


def device() -> str:
    """A short summary of the browser, e.g. "Chrome, Windows": for people, never for decisions."""
    agent = request.headers.get("User-Agent", "")[:400]
    browser = next(
        (
            name
            for mark, name in (
                ("Edg", "Edge"),
                ("Whale", "Whale"),
                ("SamsungBrowser", "Samsung Internet"),
                ("Firefox", "Firefox"),
                ("Chrome", "Chrome"),
                ("Safari", "Safari"),
            )
            if mark in agent
        ),
        "",
    )
    system = next(
        (
            name
            for mark, name in (
                ("Android", "Android"),
                ("iPhone", "iPhone"),
                ("iPad", "iPad"),
                ("Windows", "Windows"),
                ("Mac OS", "macOS"),
                ("Linux", "Linux"),
            )
            if mark in agent
        ),
        "",
    )
    return ", ".join(part for part in (browser, system) if part)
