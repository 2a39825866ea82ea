"""Requests that no honest program sends, made from a seed: every route, odd methods, fields, headers and bodies."""

import base64
import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlsplit

READ = (
    *("/", "/healthz", "/readyz", "/metrics", "/account", "/emblem", "/assets/{odd}", "/{odd}"),
    *("/login/{login}", "/login/{login}/again", "/login/{login}/status", "/login/{odd}/status"),
    *("/vp/{handle}/request", "/vp/{handle}/return", "/vp/{odd}/return", "/oauth/jwks"),
    *["/oauth/authorize"] * 6,
    *("/oauth/logout", "/oauth/logout", "/oauth/userinfo", "/oauth/userinfo", "/status/{odd}"),
    *("/.well-known/{odd}", "/.well-known/openid-configuration", "/issuer/offers/{odd}"),
    *("/wallet", "/api/v1/people", "/api/v1/events", "/api/v1/{odd}"),
)
WRITE = (
    *["/oauth/token", "/oauth/token", "/oauth/introspect", "/oauth/revoke"] * 3,
    *("/login/{login}/return-code", "/login/{login}/finish", "/login/{login}/{odd}", "/language"),
    *("/vp/{handle}/request", "/vp/{handle}/response", "/vp/{handle}/not-me", "/vp/{odd}/response"),
    *("/oauth/authorize", "/oauth/logout", "/oauth/consent/{login}", "/account/sessions/{odd}/end"),
    *("/issuer/token", "/issuer/token", "/issuer/nonce", "/wallet/read-qr"),
)
WRITE_JSON = (
    "/issuer/credential",
    "/wallet/verify",
    "/wallet/verify-card",
    "/wallet/verify-status",
    "/api/v1/mobile-ids",
)
OTHER_METHODS = ("HEAD", "OPTIONS", "PUT", "TRACE", "FOO", "GET", "POST")
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
    ("client_assertion", "client_assertion_type", "token"),
    ("client_id", "client_secret", "token"),
    ("grant_type", "code"),
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


FORM, JSON = "application/x-www-form-urlencoded", "application/json"
_MISFITS = (
    *[(JSON, one) for one in (b"", b"{", b"[" * 3000, b'{"a":' * 3000, b"\xff", b"null")],
    *[(FORM, one) for one in (b"%", b"%zz=%ff", b"&" * 500, b"a=b&" * 2000, b"a" * 70_000)],
    (f"{FORM}; charset=utf-16", b"\xff\xfe"),
    ("multipart/form-data; boundary=x", b"--x\r\n"),
    ("image/png", b"\x89PNG\r\n\x1a\n" + bytes(64)),
    ("\xff", b"a"),
)
_QUERIES = {**dict.fromkeys(OTHER_METHODS, 0.5), "GET": 0.9, "POST": 0.1}
_NOT_UTF8 = ("%FF", "%ED%A0%80", "%C0%80", "%zz")


class Fuzz:
    """Whole HTTP/1.1 requests, the same ones for the same seed."""

    def __init__(self, seed: int, host: str, scene: Scene) -> None:
        self._random = Random(seed)
        self._host = host
        self.scene = scene

    def request(self) -> bytes:
        """The next request."""
        pick, scene = self._random.choice, self.scene
        method, routes = pick(
            (("GET", READ), ("POST", WRITE), ("POST", WRITE), ("POST", WRITE_JSON))
        )
        if self._random.random() < 0.1:
            method = pick(OTHER_METHODS)
        odd = self._quoted(pick(ODD)) or "x"
        path = pick(routes).format(odd=odd, login=scene.login, handle=scene.handle)
        query = f"?{self._fields()}" if self._random.random() < _QUERIES[method] else ""
        lines = [f"{method} {path}{query} HTTP/1.1", f"Host: {self._host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self._headers()]
        kind, body = ("", b"") if method in ("GET", "HEAD") else self._body(routes is WRITE_JSON)
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"] if kind else []
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body

    def _headers(self) -> list[tuple[str, str]]:
        rare = [(n, self._random.choice(v)) for n, v in _HEADERS if self._random.random() < 0.12]
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

    def _body(self, as_json: bool) -> tuple[str, bytes]:  # noqa: FBT001 - what the route takes
        if self._random.random() < 0.1:
            return self._random.choice(_MISFITS)
        if not as_json:
            return FORM, self._fields().encode()
        names = ("personnel_number", "request_object", "client_id", "wallet_nonce", "proofs")
        odd = {name: self._random.choice((*ODD, 1, None, [], {})) for name in names}
        asked = {"request_object": self._jwt(), "client_id": "x", "wallet_nonce": ""}
        proofs = {"credential_configuration_id": "x", "proofs": {"jwt": [self._jwt()]}}
        members = self._random.choice((odd, asked, proofs))
        return JSON, json.dumps(members).encode()

    def _jwt(self) -> str:
        pick = self._random.choice
        header: dict[str, Any] = {"alg": "ES256", "typ": "JWT", "kid": "x"}
        if self._random.random() < 0.5:
            odd: tuple[Any, ...] = ([], {}, 1, "none", None, {"kty": ["EC"], "crv": "P-256"})
            header[pick(("alg", "typ", "kid", "jwk", "x5c", "crit", "epk", "enc"))] = pick(odd)
        claims: dict[str, Any] = {
            name: pick(("x", -1, 10**30, None, [], {})) for name in ("iss", "aud", "exp", "jti")
        }
        claims["sub"] = pick(("x", None, [], "\ud800", "\0", self.scene.good["client_id"]))
        junk = (b"{", b"\xff", b"[" * 5000, b'{"a":1,"a":2}', b'{"exp":' + b"9" * 5000 + b"}")
        payload = pick((*[json.dumps(claims).encode()] * 4, *junk))
        return ".".join([_b64(json.dumps(header).encode()), _b64(payload), _b64(bytes(64))])

    def _quoted(self, text: str) -> str:
        plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
        wrong = self._random.choice(_NOT_UTF8) if self._random.random() < 0.03 else ""
        return wrong + "".join(chr(one) if one in plain else f"%{one:02X}" for one in text.encode())


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
