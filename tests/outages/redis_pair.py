"""A primary and a replica of our own, and a Sentinel that watches them."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis

from tests.outages.proxy import Proxy, proxy
from tests.servers import Child, free_port, redis_server

SECRET = b"a secret that several workers share"
SERVICE = "gongmu"


@dataclass
class Pair:
    """Two servers; the first is primary when a test begins."""

    first: int
    second: int

    @property
    def primary(self) -> redis.Redis:
        return client(self.first)

    @property
    def replica(self) -> redis.Redis:
        return client(self.second)

    def reunite(self) -> None:
        """The first is primary and empty, the second its replica."""
        self.primary.replicaof("NO", "ONE")
        self.primary.flushall()
        self.follow(self.replica, self.first)

    def follow(self, follower: redis.Redis, port: int) -> None:
        follower.replicaof("127.0.0.1", str(port))
        until(lambda: follower.info("replication").get("master_link_status") == "up")

    def wait_for_replica(self) -> None:
        """What was written so far is on both."""
        assert self.primary.execute_command("WAIT", 1, 2000) == 1

    def detach(self) -> None:
        """The replica goes on as it is and hears nothing more."""
        self.replica.replicaof("127.0.0.1", "1")

    def promote(self) -> None:
        self.replica.replicaof("NO", "ONE")

    def promote_first(self) -> None:
        self.primary.replicaof("NO", "ONE")

    @contextmanager
    def way(self) -> Iterator[Proxy]:
        """An address that leads to the first until it is told to lead elsewhere."""
        with proxy(self.first) as made:
            yield made


@dataclass
class Sentinels:
    """One Sentinel is enough to see how we follow; how many agree is Redis's own affair."""

    url: str
    port: int

    def fail_over(self) -> None:
        with client(self.port) as sentinel:
            before = sentinel.sentinel_get_master_addr_by_name(SERVICE)
            sentinel.execute_command("SENTINEL", "FAILOVER", SERVICE)
            until(lambda: sentinel.sentinel_get_master_addr_by_name(SERVICE) != before, 15)


@contextmanager
def pair() -> Iterator[Pair]:
    with ExitStack() as running:
        first, second = (running.enter_context(redis_server()) for _ in range(2))
        made = Pair(*(int(url.rpartition(":")[2].partition("/")[0]) for url in (first, second)))
        for port in (made.first, made.second):
            client(port).config_set("repl-diskless-sync-delay", 0)
        yield made


@contextmanager
def sentinels(two: Pair) -> Iterator[Sentinels]:
    """Skips, and says so, where redis-sentinel is not installed."""
    program = shutil.which("redis-sentinel")
    if program is None:
        pytest.skip("redis-sentinel is not installed (Debian package redis-sentinel)")
    port = free_port()
    with TemporaryDirectory(prefix="gongmu-sentinel-") as folder:
        file = Path(folder) / "sentinel.conf"
        file.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {two.first} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 1000\n"
            f"sentinel failover-timeout {SERVICE} 3000\n"
        )
        child = Child("sentinel", [program, str(file)])
        try:
            with client(port) as sentinel:
                child.wait_until(lambda: _knows_replica(sentinel))
            yield Sentinels(f"redis+sentinel://127.0.0.1:1,127.0.0.1:{port}/{SERVICE}/0", port)
        finally:
            child.stop()


def _knows_replica(sentinel: redis.Redis) -> bool | None:
    try:
        replicas = sentinel.sentinel_slaves(SERVICE)
    except redis.exceptions.RedisError:
        return None
    good = [one for one in replicas if one["master-link-status"] == "ok"]
    return True if good else None


def client(port: int) -> redis.Redis:
    return redis.Redis(port=port, decode_responses=True)


def until(ready: Callable[[], object], within_s: float = 10) -> None:
    end = time.monotonic() + within_s
    while not ready():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)
