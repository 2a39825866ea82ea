"""`gongmu serve` with two workers, each of whose stores is reached through a proxy that can fail."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis
from sqlalchemy import Engine, create_engine

from tests.attacks.holder import Held
from tests.outages.journey import Journey
from tests.outages.proxy import Fault, Proxy, proxy
from tests.outages.record import assert_sound
from tests.provider import Provider
from tests.servers import redis_server
from tests.servers_slapd import Slapd
from tests.stack import ldap_table, ldif_table, start_stack

TIMEOUT_S = 1.0  # of the stack under test; 3 by default
BOUND_S = TIMEOUT_S + 3.5  # psycopg connects for 2 s at least; a second for a busy machine


@dataclass
class Stack:
    """The provider, its stores behind proxies, and an insider's way past them."""

    provider: Provider
    proxies: dict[str, Proxy]  # redis, sql, esaram: as /readyz names them
    redis_url: str  # the server itself
    engine: Engine  # the database itself
    held: Held = field(init=False)
    tokens: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.held = Held.receive(self.provider, "E1000001")

    @property
    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.redis_url)

    @contextmanager
    def journey(self) -> Iterator[Journey]:
        with Journey(self.provider, self.held) as journey:
            try:
                yield journey
            finally:
                self.tokens += journey.issued

    @contextmanager
    def journey_until(self, step: str, within_s: float = 5.0) -> Iterator[Journey]:
        """A sign-in just before that step; begun anew while a worker still leaves a system alone (F-01)."""
        end = time.monotonic() + within_s
        with ExitStack() as kept:
            while True:
                try:
                    journey = kept.enter_context(self.journey()).until(step)
                    break
                except AssertionError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.1)
            yield journey

    @contextmanager
    def broken(self, system: str, fault: Fault) -> Iterator[None]:
        """While inside, that system fails in that way."""
        self.proxies[system].fault = fault
        try:
            yield
        finally:
            self.proxies[system].fault = Fault.NONE

    def works_again(self, within_s: float = 5.0) -> None:
        """A whole sign-in succeeds on its own, within five seconds (F-01)."""
        end = time.monotonic() + within_s
        while True:
            try:
                with self.journey() as journey:
                    journey.all()
            except AssertionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
            else:
                return

    def is_sound(self) -> None:
        assert_sound(self.engine, self.tokens)

    def until(self, ready: Callable[[], object], within_s: float = 30.0) -> None:
        """Returns once `ready` is true."""
        end = time.monotonic() + within_s
        while not ready():
            assert time.monotonic() < end, "not in time"
            time.sleep(0.05)

    def is_clean(self, answer: httpx.Response) -> bool:
        """See below; shows the end of the log when it is not."""
        return is_clean(answer, f"\n{self.log()[-6000:]}")

    def log(self) -> str:
        return self.provider.child.tail(10_000_000)


def is_clean(answer: httpx.Response, log: str = "") -> bool:
    """A 503 as people and programs are told it: no trace, no names of ours, nothing to keep."""
    assert answer.status_code == 503, f"{answer.status_code} {answer.text}{log}"
    assert answer.headers["retry-after"]
    assert "no-store" in answer.headers["cache-control"]
    assert "gongmu-session" not in answer.headers.get("set-cookie", "")
    for word in ("Traceback", "psycopg", "sqlalchemy", "redis", "OperationalError", "127.0.0.1"):
        assert word.lower() not in answer.text.lower(), word
    kind = answer.headers["content-type"]
    if kind.startswith("application/json"):
        assert answer.json() == {"error": "temporarily_unavailable"}
    else:
        assert kind.startswith("text/html"), kind
    return True


@contextmanager
def stack(
    folder: Path, redis_url: str, sql_url: str, directory: Slapd, timeout_s: float = TIMEOUT_S
) -> Iterator[Stack]:
    """Everything on loopback, ended at the end."""
    with ExitStack() as ended:
        ways = {
            "redis": ended.enter_context(proxy(_port(redis_url))),
            "sql": ended.enter_context(proxy(_port(sql_url))),
            "esaram": ended.enter_context(proxy(directory.tls_port)),
        }
        directories = ldap_table(
            "esaram", directory, f"ldaps://localhost:{ways['esaram'].port}", timeout_s
        ) + ldif_table("insarang")
        provider = start_stack(
            folder,
            _through(redis_url, ways["redis"]),
            _through(sql_url, ways["sql"]),
            directories,
            timeout_s,
        )
        ended.callback(provider.child.stop)
        engine = create_engine(sql_url)
        ended.callback(engine.dispose)
        yield Stack(provider, ways, redis_url, engine)


def _port(url: str) -> int:
    found = re.search(r"127\.0\.0\.1:(\d+)", url)
    assert found
    return int(found.group(1))


def _through(url: str, way: Proxy) -> str:
    return re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{way.port}", url)


__all__ = ["BOUND_S", "Fault", "Stack", "is_clean", "redis_server", "stack"]
