"""What is measured: each operation prepares what one connection needs, then does one thing, repeatedly."""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.bench.contenders import CALLBACK, Contender
from tests.bench.wire import Unexpected, Wire

Once = Callable[[], None]
SCOPE = "openid profile email"


@dataclass(frozen=True, slots=True)
class Operation:
    """`prepare` gives what is repeated; `requests` is how often in one round and connection."""

    name: str
    prepare: Callable[[Contender, Wire], Once]
    target: float | None = None  # at most this share of the peer's figure (design section 10)
    only_ours: bool = False


def client_credentials(server: Contender, wire: Wire) -> Once:
    form = {"grant_type": "client_credentials", "scope": server.scope}
    basic = server.basic("program")
    return lambda: void(wire.post(server.paths.token, form, Authorization=basic))


def full_code(server: Contender, wire: Wire) -> Once:
    """Ask with a session, then the code for tokens."""
    return lambda: void(tokens(server, wire, "mail"))


def refresh(server: Contender, wire: Wire) -> Once:
    """A family that is rotated at each use."""
    current = [
        tokens(server, wire, "offline", "openid profile email offline_access")["refresh_token"]
    ]
    basic = server.basic("offline")

    def once() -> None:
        form = {"grant_type": "refresh_token", "refresh_token": current[0]}
        current[0] = wire.post(server.paths.token, form, Authorization=basic).json()[
            "refresh_token"
        ]

    return once


def userinfo(server: Contender, wire: Wire) -> Once:
    bearer = f"Bearer {tokens(server, wire, 'mail')['access_token']}"
    return lambda: void(wire.get(server.paths.userinfo, Authorization=bearer))


def introspection(server: Contender, wire: Wire) -> Once:
    form = {"token": tokens(server, wire, "mail")["access_token"]}
    basic = server.basic("mail")
    if not wire.post(server.paths.introspect, form, Authorization=basic).json()["active"]:
        raise Unexpected("the token is not active")
    return lambda: void(wire.post(server.paths.introspect, form, Authorization=basic))


def discovery(_server: Contender, wire: Wire) -> Once:
    return lambda: void(wire.get("/.well-known/openid-configuration"))


def jwks(server: Contender, wire: Wire) -> Once:
    return lambda: void(wire.get(server.paths.jwks))


def poll(server: Contender, wire: Wire) -> Once:
    """A QR on the screen, asked for again and again."""
    path, cookie = waiting_login(server, wire)
    return lambda: void(wire.get(path, Cookie=cookie))


def tokens(server: Contender, wire: Wire, client_id: str, scope: str = SCOPE) -> dict[str, str]:
    """A whole code flow of a person who is signed in."""
    verifier = secrets.token_urlsafe(48)
    query = authorization_query(client_id, verifier, scope)
    answer = wire.get(f"{server.paths.authorize}?{query}", 303, Cookie=server.cookie)
    sent = parse_qs(urlsplit(answer.location).query)
    form = {
        "grant_type": "authorization_code",
        "code": sent["code"][0],
        "redirect_uri": CALLBACK.format(client_id),
        "code_verifier": verifier,
    }
    found: dict[str, str] = wire.post(
        server.paths.token, form, Authorization=server.basic(client_id)
    ).json()
    return found


def authorization_query(client_id: str, verifier: str, scope: str) -> str:
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return urlencode(
        {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": CALLBACK.format(client_id),
            "scope": scope,
            "state": secrets.token_urlsafe(16),
            "nonce": secrets.token_urlsafe(16),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
    )


def waiting_login(_server: Contender, wire: Wire) -> tuple[str, str]:
    """A new login with its QR drawn: where to poll, and the cookie to poll with."""
    query = authorization_query("mail", secrets.token_urlsafe(48), SCOPE)
    cookie = f"gongmu-browser={secrets.token_urlsafe(32)}"
    where = wire.get(f"/oauth/authorize?{query}", 303, Cookie=cookie).location
    page = wire.get(where, Cookie=cookie)
    if b"openid4vp://" not in page.body:
        raise Unexpected("no QR on the page")
    return f"{where}/status", cookie


def void(_answer: object) -> None:
    """An answer was read; nothing more is wanted of it."""


ALL = (
    Operation("client credentials", client_credentials, 0.6),
    Operation("authorize + token", full_code, 0.6),
    Operation("refresh", refresh, 0.6),
    Operation("userinfo", userinfo, 1.0),
    Operation("introspection", introspection, 1.0),
    Operation("discovery", discovery, 1.0),
    Operation("jwks", jwks, 1.0),
    Operation("poll", poll, only_ours=True),
)
