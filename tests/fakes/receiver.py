"""A relying party's back-channel logout address: a real server that does what the test says, in turn."""

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.fakes.listening import listening
from tests.provider import Provider

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
SILENCE = b""
EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as it came."""

    at: float
    head: str
    body: str

    @property
    def token(self) -> str:
        """The logout token in the form."""
        form = parse_qs(self.body, strict_parsing=True)
        assert list(form) == ["logout_token"]
        [token] = form["logout_token"]
        return token


@dataclass
class Receiver:
    """`answers` are given in turn and then OK; one that is SILENCE keeps the caller waiting."""

    url: str
    answers: list[bytes] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    sent: int = 0  # bytes of answers that the other side took
    over: threading.Event = field(default_factory=threading.Event)

    def wait(self, count: int, deadline_s: float = 10) -> list[Call]:
        """The first `count` calls, within the bound that relying parties are promised."""
        end = time.monotonic() + deadline_s
        while len(self.calls) < count and time.monotonic() < end:
            time.sleep(0.01)
        assert len(self.calls) >= count, f"{len(self.calls)} of {count} calls at {self.url}"
        return self.calls[:count]

    def wait_for(self, wanted: Callable[[Call], bool], deadline_s: float = 10) -> Call:
        """The first call like that, within the same bound."""
        end = time.monotonic() + deadline_s
        while True:
            found = next((call for call in list(self.calls) if wanted(call)), None)
            if found is not None:
                return found
            assert time.monotonic() < end, f"none of {len(self.calls)} calls at {self.url}"
            time.sleep(0.01)

    def take(self, connection: socket.socket) -> None:
        """One connection, in a thread of its own."""
        with connection:
            connection.settimeout(20)
            request = connection.makefile("rb")
            lines = list(iter(request.readline, b"\r\n"))
            head = b"".join(lines).decode()
            length = head.lower().partition("content-length: ")[2].split()[:1]
            body = request.read(int(length[0])).decode() if length else ""
            self.calls.append(Call(time.monotonic(), head, body))
            answer = self.answers.pop(0) if self.answers else OK
            if answer == SILENCE:
                self.over.wait(20)
                return
            try:
                for start in range(0, len(answer), 4096):
                    self.sent += connection.send(answer[start : start + 4096])
            except OSError:
                pass  # the other side has heard enough


def receiver(*answers: bytes) -> AbstractContextManager[Receiver]:
    """Listening at `url`, on loopback."""
    return listening(lambda address: Receiver(f"{address}/logout", list(answers)))


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    """An HTTP answer."""
    head = "\r\n".join((f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""))
    return head.encode() + body


def genuine(provider: Provider, token: str, client_id: str) -> dict[str, Any]:
    """What a relying party does with a logout token (Back-Channel Logout 1.0 §2.6), by joserfc."""
    metadata = provider.discovery()
    assert metadata["backchannel_logout_supported"] is True
    assert metadata["backchannel_logout_session_supported"] is True
    keys = httpx.get(metadata["jwks_uri"], verify=provider.verify).json()
    return check(token, keys, provider.issuer, client_id)


def check(token: str, keys: dict[str, Any], issuer: str, client_id: str) -> dict[str, Any]:
    """The claims, every one of them checked."""
    read = jwt.decode(
        token, KeySet.import_key_set(json.loads(json.dumps(keys))), ["ES256", "RS256"]
    )
    claims = dict(read.claims)
    now = time.time()
    assert read.header["typ"] == "logout+jwt"
    assert set(claims) == {"iss", "sub", "aud", "iat", "exp", "jti", "events", "sid"}  # no nonce
    assert (claims["iss"], claims["aud"]) == (issuer, client_id)
    assert claims["iat"] <= now + 1 < claims["exp"]
    assert claims["exp"] - claims["iat"] <= 120
    assert claims["events"] == {EVENT: {}}
    assert len(claims["jti"]) >= 20
    return claims


def path_of(call: Call) -> tuple[str, str]:
    """Method and path of a request."""
    method, target, _ = call.head.partition("\r\n")[0].split(" ")
    return method, urlsplit(target).path
