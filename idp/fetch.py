"""The one guarded way to fetch from addresses that others named (A-238, A-152).

https only (http where the issuer itself is on loopback), one resolved address that must be public
(loopback allowed only for a loopback issuer), no redirects, 3 s in all, 1 MiB at most.
"""

import socket
import time
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from idp.conf import LOOPBACK_HOSTS
from idp.errors import OutsideError

TOTAL_S = 3.0
MAX_BYTES = 1 << 20


class Fetcher:
    """GETs with limits; one connection pool per process."""

    def __init__(self, issuer: str) -> None:
        self._loopback = urlsplit(issuer).hostname in LOOPBACK_HOSTS
        self._client = httpx.Client(follow_redirects=False, timeout=TOTAL_S, trust_env=False)

    def get(self, url: str, accept: str) -> bytes:
        """The body of a 200 answer. OutsideError for everything else."""
        try:
            return self._get(url, accept)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise OutsideError("fetch", type(error).__name__) from error

    def _get(self, url: str, accept: str) -> bytes:
        parts = urlsplit(url)
        host = parts.hostname or ""
        allowed = parts.scheme == "https" or (parts.scheme == "http" and self._loopback)
        if not allowed or not host or parts.username is not None:
            raise OutsideError("fetch", "address not allowed")
        pinned = httpx.URL(url).copy_with(host=self._resolve(host, parts.port or 443))
        request = self._client.build_request(
            "GET",
            pinned,
            headers={"Host": parts.netloc, "Accept": accept, "Accept-Encoding": "identity"},
            extensions={"sni_hostname": host},
        )
        deadline = time.monotonic() + TOTAL_S
        response = self._client.send(request, stream=True)
        try:
            return self._read(response, deadline)
        finally:
            response.close()

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        if response.status_code != 200:
            raise OutsideError("fetch", f"status {response.status_code}")
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > MAX_BYTES or time.monotonic() > deadline:
                raise OutsideError("fetch", "too large or too slow")
        return bytes(body)

    def _resolve(self, host: str, port: int) -> str:
        """One address, checked; connecting to it and not to the name defeats rebinding."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for *_, sockaddr in found:
            address = ip_address(str(sockaddr[0]))
            mapped = getattr(address, "ipv4_mapped", None) or address
            if mapped.is_global or (self._loopback and mapped.is_loopback):
                return str(address)
        raise OutsideError("fetch", "no allowed address")
