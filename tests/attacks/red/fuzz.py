"""Requests that no honest program sends, made from a seed: every route, odd methods, fields, headers and bodies."""

import base64
import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlsplit

ROUTES = (
    *("/", "/healthz", "/readyz", "/metrics", "/account", "/account/sessions/{odd}/end"),
    *("/login/{login}", "/login/{login}/again", "/login/{login}/status", "/login/{login}/{odd}"),
    *("/login/{login}/return-code", "/login/{login}/finish", "/login/{odd}/status"),
    *("/vp/{handle}/request", "/vp/{handle}/response", "/vp/{handle}/return"),
    *("/vp/{handle}/not-me", "/vp/{odd}/response", "/vp/{odd}/return"),
    *("/oauth/authorize", "/oauth/token", "/oauth/userinfo", "/oauth/introspect", "/oauth/revoke"),
    *("/oauth/logout", "/oauth/jwks", "/oauth/consent/{login}", "/oauth/consent/{odd}"),
    *("/.well-known/{odd}", "/.well-known/openid-configuration", "/emblem", "/assets/{odd}"),
    *("/issuer/offers/{odd}", "/issuer/token", "/issuer/nonce", "/issuer/credential"),
    *("/status/{odd}", "/status/1", "/wallet", "/wallet/verify", "/wallet/read-qr", "/{odd}"),
    *("/api/v1/people", "/api/v1/events", "/api/v1/mobile-ids", "/api/v1/{odd}", "/language"),
)
METHODS = ("GET", "GET", "GET", "POST", "POST", "POST", "HEAD", "OPTIONS", "PUT", "TRACE", "FOO")
MARKUP = "<script>alert(1)</script>"
ODD = (
    *("", "0", "-1", "1e9", "9" * 400, "9" * 4400, "\0", "%00", "\u202e", "\uffff", "\U0001f600"),
    *("'", '"', MARKUP, "${jndi:ldap://x}", "../../etc/passwd", "a" * 3000, "[]", "{}", "NaN"),
    *("\r\nX-A: b", "*)(uid=*", "\\2a", "\ufeff", "a&b=c", "공무", "openid", "none", "S256", "²"),
    "0001-01-01T00:00:00+00:00",
)
FIELDS = (
    *("client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge"),
    *("code_challenge_method", "prompt", "max_age", "acr_values", "ui_locales", "response_mode"),
    *("id_token_hint", "request", "login", "csrf", "decision", "return_code", "next", "lang"),
    *("token", "grant_type", "code", "code_verifier", "refresh_token", "client_secret", "error"),
    *("client_assertion", "client_assertion_type", "pre-authorized_code", "tx_code", "response"),
    *("authorization_details", "vp_token", "frame", "response_code", "wallet_nonce", "limit"),
    *("before", "q", "kind", "journey", "post_logout_redirect_uri", "v"),
)
GROUPS = (
    ("client_id", "redirect_uri", "response_type", "scope", "code_challenge"),
    ("grant_type", "client_id", "client_secret", "code"),
    ("client_assertion", "client_assertion_type", "grant_type"),
    ("client_id", "client_secret", "token"),
    ("grant_type", "pre-authorized_code", "tx_code"),
    ("vp_token", "state"),
    ("csrf", "return_code"),
    (),
)
_JWTS = frozenset({"client_assertion", "id_token_hint", "token", "response", "vp_token"})
_HEADERS = (
    ("X-Forwarded-For", ("1.2.3.4", "\xff,", " ,", "x" * 500)),
    ("Origin", ("null", "https://evil.example", "\xff")),
    ("Sec-Fetch-Site", ("cross-site", "same-origin")),
    ("User-Agent", ("\xff\xfe", "a" * 2000)),
    ("Accept", ("*/*;q=a", "text/html;q=0", "\xff")),
    ("Accept-Language", ("en;q=x", "\xff", "x" * 1000)),
    ("If-None-Match", ('"\xff', "W/")),
    ("If-Modified-Since", ("Thu, 99 Jan 99999 00:00:00 GMT",)),
    ("Range", ("bytes=-99999999999999999999",)),
    ("Cookie", ("gongmu-browser=" + "\xff" * 45, "=;=;", 'gongmu-session="', ";" * 50)),
    ("Authorization", ("Basic =", "Basic \xe9", "Basic Og==", "Bearer \xff", "Bearer a b")),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Real values, so that the fuzz comes past the first check."""

    good: dict[str, str]  # by the names of fields
    login: str
    handle: str
    cookie: str
    bearer: str


class Fuzz:
    """Whole HTTP/1.1 requests, the same ones for the same seed."""

    def __init__(self, seed: int, host: str, scene: Scene) -> None:
        self._random = Random(seed)
        self._host = host
        self.scene = scene

    def request(self) -> bytes:
        """The next request."""
        pick, scene = self._random.choice, self.scene
        method, odd = pick(METHODS), self._quoted(pick(ODD)) or "x"
        path = pick(ROUTES).format(odd=odd, login=scene.login, handle=scene.handle)
        query = f"?{self._fields()}" if self._random.random() < 0.5 else ""
        lines = [f"{method} {path}{query} HTTP/1.1", f"Host: {self._host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self._headers()]
        kind, body = ("", b"") if method in ("GET", "HEAD") else self._body()
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"] if kind else []
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body

    def _headers(self) -> list[tuple[str, str]]:
        rare = [(n, self._random.choice(v)) for n, v in _HEADERS if self._random.random() < 0.07]
        if self._random.random() < 0.6:
            rare.append(("Cookie", self.scene.cookie))
        if self._random.random() < 0.2:
            rare.append(("Authorization", f"Bearer {self.scene.bearer}"))
        return rare

    def _fields(self) -> str:
        names = [
            *self._random.choice(GROUPS),
            *self._random.sample(FIELDS, self._random.randint(0, 3)),
        ]
        return "&".join(f"{name}={self._quoted(self._value(name))}" for name in names)

    def _value(self, name: str) -> str:
        if name in self.scene.good and self._random.random() < 0.7:
            return self.scene.good[name]
        if name == "vp_token":
            return json.dumps({"mobile_id": [self._jwt()]})
        return self._jwt() if name in _JWTS else self._random.choice(ODD)

    def _body(self) -> tuple[str, bytes]:
        form, as_json = "application/x-www-form-urlencoded", "application/json"
        members = {name: self._random.choice((*ODD, 1, None, [], {})) for name in FIELDS[:3]}
        asked = {"request_object": self._jwt(), "client_id": "x", "wallet_nonce": ""}
        proofs = {"credential_configuration_id": "x", "proofs": {"jwt": [self._jwt()]}}
        broken = (b"", b"{", b"[" * 3000, b'{"a":' * 3000, b"\xff", b'{"personnel_number":"*"}')
        return self._random.choice(
            (
                *[(form, self._fields().encode())] * 8,
                (form, self._random.choice((b"%", b"%zz=%ff", b"&" * 500, b"a=b&" * 2000))),
                (f"{form}; charset=utf-16", b"\xff\xfe"),
                (form, b"a" * 70_000),
                *[(as_json, json.dumps(one).encode()) for one in (members, asked, proofs)],
                (as_json, self._random.choice(broken)),
                ("multipart/form-data; boundary=x", b"--x\r\n"),
                ("image/png", b"\x89PNG\r\n\x1a\n" + bytes(64)),
                ("\xff", b"a"),
            )
        )

    def _jwt(self) -> str:
        pick = self._random.choice
        header: dict[str, Any] = {
            "alg": pick(("ES256", "none", "HS256", 1, ["ES256"])),
            "typ": pick(("JWT", "at+jwt", 1)),
        }
        for name in self._random.sample(("kid", "jwk", "x5c", "crit", "epk", "enc"), 2):
            header[name] = pick(
                ([], {}, 1, "x", None, {"kty": "EC", "crv": "P-256"}, {"kty": ["EC"]})
            )
        claims = {
            name: pick(("x", -1, 10**30, None, [], {}))
            for name in ("iss", "sub", "aud", "exp", "jti")
        }
        claims["sub"] = pick((claims["sub"], self.scene.good["client_id"]))
        payload = pick((json.dumps(claims).encode(), b"{", b"\xff", b"[" * 5000, b'{"a":1,"a":2}'))
        return ".".join([_b64(json.dumps(header).encode()), _b64(payload), _b64(bytes(64))])

    def _quoted(self, text: str) -> str:
        plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
        return "".join(chr(one) if one in plain else f"%{one:02X}" for one in text.encode())


def exchange(issuer: str, request: bytes) -> tuple[int, bytes]:
    """The status of the answer and all of it; 0 for no answer. Some are refused before they are whole."""
    parts, answer = urlsplit(issuer), b""
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        with suppress(ConnectionError):
            connection.sendall(request)
        with suppress(ConnectionError):
            while chunk := connection.recv(65536):
                answer += chunk
    return int(answer[9:12] or 0) if answer.startswith(b"HTTP/1.1 ") else 0, answer


def _b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
