"""The same provider as a server on a port, with a real Redis and PostgreSQL: for attacks over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from werkzeug.serving import make_server

from idp.conf import Server, Stores
from idp.contracts import Official
from idp.oidc import codes
from idp.oidc.codes import TakenCode
from idp.store.short import open_short
from tests.servers import free_port
from tests.unit.oidc.scene import ACR_2, HONG, Asked, Clock, Registered, World, sent_back


class Running:
    """A provider that listens, and what an attacker, a relying party and a reviewer do with it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.issuer = world.parts.settings.issuer
        self.parties: dict[str, Registered] = {}

    def client(self) -> httpx.Client:
        """A browser or program of its own; follows nothing by itself."""
        return httpx.Client(base_url=self.issuer, timeout=20)

    def signed_in(self, official: Official = HONG, acr: str = ACR_2) -> httpx.Client:
        """A browser in which that person has signed in."""
        client = self.client()
        _, cookie = self.world.new_session(official, acr)
        client.cookies.set("gongmu-session", cookie, domain="localhost.local")
        return client

    def party(self, name: str = "mail") -> Registered:
        return self.parties[name]

    def code(self, asked: Asked, browser: httpx.Client, **changed: str | None) -> str:
        answer = browser.get("/oauth/authorize", params=asked.parameters(**changed))
        return sent_back(answer.headers["location"])["code"]

    def redeem(self, asked: Asked, code: str, **changed: str | None) -> httpx.Response:
        with self.client() as backend:
            form = asked.form(code, **changed)
            return backend.post("/oauth/token", data=form, headers=asked.registered.basic)

    def userinfo(self, token: str) -> httpx.Response:
        with self.client() as backend:
            return backend.get("/oauth/userinfo", headers={"Authorization": f"Bearer {token}"})

    def take(self, code: str) -> TakenCode | None:
        """Take a code as the token endpoint does."""
        with self.world.app.app_context():
            return codes.take(code)

    def mark(self) -> int:
        """The number of the newest event; numbers hold however a test moves the clock."""
        return max(event["seq"] for event in self.world.events())

    def events_after(self, mark: int) -> list[dict[str, Any]]:
        """What happened since, the oldest first."""
        new = [event for event in self.world.events() if event["seq"] > mark]
        return sorted(new, key=lambda event: int(event["seq"]))


@contextmanager
def running(
    folder: Path, redis_url: str, sql_url: str, settings: Server | None = None, **more: Any
) -> Iterator[Running]:
    """A provider on a free port of loopback, with a few relying parties. `more` are settings as well."""
    port = free_port()
    short = open_short(redis_url)
    stores = Stores(redis_url=redis_url, sql_url=sql_url)
    issuer = f"http://localhost:{port}"
    world = World(folder, issuer, Clock(None), short, server=settings, stores=stores, **more)
    server = make_server("127.0.0.1", port, world.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    provider = Running(world)
    provider.parties = {
        "mail": world.register("mail"),
        "other": world.register("other"),
        "query": world.register("query", response_modes=("query",)),
        "closed": world.register("closed"),
    }
    world.parts.relying_parties.set_disabled("closed", True, "test")
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        short._client.close()
        world.close()
