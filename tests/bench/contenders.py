"""The two servers under measurement, each with one worker, on the same Redis."""

import json
import os
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.ours import Ours, registered, start
from tests.provider import Provider
from tests.servers import Child, free_port

HERE = Path(__file__).resolve().parent
NODE = str(Path(sys.executable).with_name("node"))
SECRET = "a-secret-of-the-bench-that-is-long-enough"
CALLBACK = "https://{}.example/cb"


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a provider has what (its discovery says so too)."""

    authorize: str
    token: str
    userinfo: str
    introspect: str
    jwks: str


@dataclass(frozen=True, slots=True)
class Contender:
    """A running server, and what it knows: a program, a relying party, a person who is signed in."""

    name: str
    port: int
    pid: int
    paths: Paths
    secrets: dict[str, str]  # client_id -> secret
    cookie: str
    scope: str  # of the program

    def basic(self, client_id: str) -> str:
        """The Authorization header of a client."""
        text = f"{client_id}:{self.secrets[client_id]}"
        return f"Basic {b64encode(text.encode()).decode()}"


@contextmanager
def gongmu(redis_url: str, sql_url: str, folder: Path) -> Iterator[tuple[Contender, Provider]]:
    """Gongmu as `gongmu serve` runs it."""
    provider = start(folder, redis_url, sql_url)
    try:
        known: Ours = registered(provider)
        paths = Paths(
            "/oauth/authorize",
            "/oauth/token",
            "/oauth/userinfo",
            "/oauth/introspect",
            "/oauth/jwks",
        )
        port = int(provider.issuer.rpartition(":")[2])
        pid = provider.child.process.pid
        contender = Contender(
            "gongmu", port, pid, paths, known.secrets, known.cookie, "gongmu:people"
        )
        yield contender, provider
    finally:
        provider.child.stop()


@contextmanager
def peer(redis_url: str) -> Iterator[Contender]:
    """oidc-provider on Node with peer.mjs."""
    port = free_port()
    environment = {"PORT": str(port), "REDIS_URL": redis_url, "NODE_ENV": "production"}
    child = Child("peer", [NODE, str(HERE / "peer.mjs")], env={**os.environ, **environment})
    try:
        line = child.wait_until(lambda: _first_line(child.stdout))
        paths = Paths("/auth", "/token", "/me", "/token/introspection", "/jwks")
        secrets = dict.fromkeys(("mail", "offline", "program"), SECRET)
        cookie = str(json.loads(line)["cookie"])
        yield Contender("peer", port, child.process.pid, paths, secrets, cookie, "api")
    finally:
        child.stop()


def _first_line(path: Path) -> str | None:
    text = path.read_text()
    return text.partition("\n")[0] if "\n" in text else None
