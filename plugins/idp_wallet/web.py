"""Calls to the other side: bounded in time and size, redirects never followed."""

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from idp_wallet.encoding import parse_object
from idp_wallet.faults import LinkUnreadable, Unreachable
from idp_wallet.links import is_safe

MAX_ANSWER = 1024 * 1024
DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; untrusted."""

    status: int
    media_type: str  # lower case, without parameters
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object, {} when it is none."""
        try:
            return parse_object(self.body)
        except ValueError:
            return {}


class Web:
    """An HTTP client for one run of the wallet. Every call raises Unreachable."""

    def __init__(self, ca_file: Path | None = None) -> None:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        # trust_env off: a proxy named in the environment must not stand between phone and demo.
        self._client = httpx.Client(
            verify=context,
            timeout=10,
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": "gongmu-wallet"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, address: str, accept: str = "application/json") -> Answer:
        return self._call("GET", address, {"Accept": accept}, b"")

    def post_form(self, address: str, form: Mapping[str, str], accept: str) -> Answer:
        body = str(httpx.QueryParams(dict(form))).encode()
        headers = {"Accept": accept, "Content-Type": "application/x-www-form-urlencoded"}
        return self._call("POST", address, headers, body)

    def post_json(self, address: str, body: Mapping[str, Any], token: str) -> Answer:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        headers["Authorization"] = f"Bearer {token}"
        return self._call("POST", address, headers, json.dumps(body).encode())

    def open_page(self, address: str) -> str:
        """A page as the phone's browser gets it: within the same site, redirects are followed."""
        for _ in range(5):
            response, raw = self._send("GET", address, {"Accept": "text/html"})
            following = response.next_request
            if following is None:
                return raw.decode("utf-8", "replace")
            if _origin(following.url) != _origin(response.url):
                raise Unreachable("The page leads away from the site that sent us there.")
            address = str(following.url)
        raise Unreachable("The page leads from address to address without end.")

    def _call(self, method: str, address: str, headers: dict[str, str], body: bytes) -> Answer:
        response, raw = self._send(method, address, headers, body)
        media_type = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
        return Answer(response.status_code, media_type, raw)

    def _send(
        self, method: str, address: str, headers: dict[str, str], body: bytes = b""
    ) -> tuple[httpx.Response, bytes]:
        request = self._request(method, address, headers, body)
        until = time.monotonic() + DEADLINE_S
        try:
            response = self._client.send(request, stream=True)
            try:
                return response, _read(response, until)
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise Unreachable(f"{request.url.host} does not answer.") from error

    def _request(
        self, method: str, address: str, headers: dict[str, str], body: bytes
    ) -> httpx.Request:
        try:
            if is_safe(address.partition("#")[0]):
                return self._client.build_request(method, address, headers=headers, content=body)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise LinkUnreadable("An address in the answer is not an address.") from error
        raise LinkUnreadable("An address in the answer is not safe (https).")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _read(response: httpx.Response, until: float) -> bytes:
    raw = bytearray()
    for chunk in response.iter_bytes():
        raw += chunk
        if len(raw) > MAX_ANSWER or time.monotonic() > until:
            raise Unreachable("The answer is too long or too slow.")
    return bytes(raw)
