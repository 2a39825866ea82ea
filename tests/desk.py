"""A browser at a desk and one on a phone, over plain HTTP: what a person does, without a screen.

Both keep cookies and follow only what stays at the provider, so a test sees each hop to a relying
party. Nothing listens at the redirect URIs: the address alone is read.
"""

import base64
import hashlib
import html
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx

from tests.provider import Provider

ACR_QR = "urn:gongmu:acr:1"
ACR_RETURN_CODE = "urn:gongmu:acr:2"
_HOPS = 8


class Lost(Exception):
    """A page was not what the journey needs; the text shows where and what it was."""


@dataclass
class Browser:
    """Cookies, and the last answer."""

    provider: Provider
    client: httpx.Client = field(init=False)
    answer: httpx.Response = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.provider.client(
            headers={"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Chrome/156.0"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.client.close()

    @property
    def page(self) -> str:
        """The text of the last answer."""
        return self.answer.text

    def get(self, address: str) -> str:
        """Open an address and follow redirects within the provider; where it ended."""
        return self._follow(self.client.get(address))

    def post(self, address: str, **fields: str) -> str:
        """Post the form of the last page (its csrf) and follow redirects within the provider."""
        return self._follow(self.client.post(address, data={"csrf": self.csrf, **fields}))

    def _follow(self, answer: httpx.Response) -> str:
        for _ in range(_HOPS):
            self.answer = answer
            if not answer.is_redirect:
                return str(answer.url)
            target = urljoin(str(answer.url), answer.headers["location"])
            if not target.startswith(f"{self.provider.issuer}/"):
                return target
            answer = self.client.get(target)
        raise Lost(f"too many redirects, last at {answer.url}")

    @property
    def csrf(self) -> str:
        """The token in the last page's form."""
        found = re.search(r'<input[^>]*name="csrf"[^>]*>', self.page)
        value = re.search(r'value="([^"]+)"', found.group()) if found else None
        if value is None:
            raise Lost(
                f"no csrf in {self.answer.status_code} {self.answer.url}\n{self.page[:3000]}"
            )
        return value.group(1)

    def find(self, pattern: str) -> str:
        """The first group of a pattern in the last page, unescaped."""
        found = re.search(pattern, self.page, re.DOTALL)
        if found is None:
            raise Lost(
                f"no {pattern} in {self.answer.status_code} {self.answer.url}\n{self.page[:3000]}"
            )
        return html.unescape(found.group(1)).strip()


@dataclass
class Phone(Browser):
    """The browser on the phone, which the wallet opens at the end."""

    def return_code(self, redirect_uri: str) -> str:
        """The code on the page that the wallet's redirect_uri shows."""
        self.get(redirect_uri)
        shown = self.find(r'<output[^>]*\bid="return-code"[^>]*>(.*?)</output>')
        return re.sub(r"<[^>]*>|\s", "", shown)


@dataclass
class Desk(Browser):
    """The browser at the desk, on behalf of one relying party."""

    party: str = "lab"
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    login: str = ""
    news: str = ""  # the page that told of changes with one's passkeys on the last way, if any

    def get(self, address: str) -> str:
        """The same, past the page that says what changed with one's passkeys."""
        return self._past_news(super().get(address))

    def post(self, address: str, **fields: str) -> str:
        """The same."""
        return self._past_news(super().post(address, **fields))

    def _past_news(self, where: str) -> str:
        self.news = self.page if urlsplit(where).path.endswith("/news") else ""
        onward = r'class="button[^"]*" href="(/oauth/authorize[^"]+)"'
        return super().get(self.find(onward)) if self.news else where

    @property
    def registered(self) -> dict[str, Any]:
        """The relying party as the demo registered it."""
        return self.provider.relying_parties[self.party]

    def authorization_url(self, **changed: str) -> str:
        """A good authorization request with some parameters changed (an empty one is left out)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        parameters = {
            "response_type": "code",
            "client_id": self.registered["client_id"],
            "redirect_uri": self.registered["redirect_uris"][0],
            "scope": "openid profile",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            **changed,
        }
        present = {name: value for name, value in parameters.items() if value}
        return f"{self.provider.issuer}/oauth/authorize?{urlencode(present)}"

    def start(self, address: str = "", **changed: str) -> Self:
        """Ask to sign in, up to the page with the QR."""
        where = self.get(address or self.authorization_url(**changed))
        found = re.fullmatch(r"/login/([\w-]+)", urlsplit(where).path)
        if found is None:
            raise Lost(f"{self.answer.status_code} {where}\n{self.page[:3000]}")
        self.login = f"/login/{found.group(1)}"
        if not self.has_qr:
            self.post(f"{self.login}/mobile_id")
        return self

    @property
    def has_qr(self) -> bool:
        """Whether the page shows a QR."""
        return "openid4vp://" in self.page

    @property
    def has_return_code_field(self) -> bool:
        """Whether the page asks for the code that the phone shows."""
        return re.search(r'<input[^>]*name="return_code"', self.page) is not None

    @property
    def wallet_link(self) -> str:
        """The link for a wallet on this device."""
        return self.find(r'href="(openid4vp://[^"]+)"')

    def reload(self) -> Self:
        """The page as the login is now: a new frame."""
        self.get(self.login)
        return self

    def status(self) -> dict[str, Any]:
        """One poll."""
        answer = self.client.get(f"{self.login}/status")
        if answer.status_code != 200:
            raise Lost(f"{answer.status_code} {answer.text}")
        found: dict[str, Any] = answer.json()
        return found

    def wait_for(self, *steps: str, deadline_s: float = 10) -> dict[str, Any]:
        """Poll until one of these steps."""
        end = time.monotonic() + deadline_s
        while True:
            status = self.status()
            if status["step"] in steps:
                return status
            if time.monotonic() > end:
                raise Lost(f"still {status['step']}, not {steps}")
            time.sleep(0.1)

    def type_return_code(self, code: str) -> str:
        """Type the phone's code; where that ends (the relying party, or a page here)."""
        self.get(self.login)
        return self.post(f"{self.login}/return-code", return_code=code)

    def agree(self, where: str) -> str:
        """Agree to what the relying party asks for, where that is asked; where it ends."""
        if 'name="decision"' not in self.page or not where.startswith(self.provider.issuer):
            return where
        return self.post(self.find(r'<form[^>]*action="([^"]*/consent/[^"]*)"'), decision="allow")

    def answered(self, where: str) -> dict[str, str]:
        """The authorization response in an address of the relying party."""
        if not where.startswith(self.registered["redirect_uris"][0]):
            raise Lost(f"not at the relying party: {where}\n{self.page[:3000]}")
        return {name: values[0] for name, values in parse_qs(urlsplit(where).query).items()}

    def redeem(self, code: str, **changed: str) -> httpx.Response:
        """The token request for a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.registered["redirect_uris"][0],
            "code_verifier": self.verifier,
            "client_id": self.registered["client_id"],
            "client_secret": self.registered["client_secret"],
            **changed,
        }
        with self.provider.client() as backend:
            return backend.post("/oauth/token", data=form)
