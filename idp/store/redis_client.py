"""Connections to a Redis primary that know which primary it is, and an end in time to every answer.

The identity is the primary's replication id: a new one begins with every start and every promotion,
so a primary that lost writes, or one of two that both believe to be it, never has the identity of
the former. (A `run_id` would: a server that is demoted and promoted again keeps it.) Each connection
asks when it opens and again when it has not for a while; a value is read by the identity of the very
connection it came through.
"""

import time
from collections.abc import Callable
from typing import Any, Self, TypeVar
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import SSLConnection
from redis.retry import Retry
from redis.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from idp.errors import OutsideError
from idp.store.breaker import Breaker

KNOWN_S = 5.0  # a primary that loses its role and gets it back needs longer than this
SENTINEL_S = 0.5  # for each Sentinel that is asked who the primary is
_AWAY = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)
T = TypeVar("T")
Command = tuple[str | bytes | int, ...]
Ask = Callable[[Command], Any]


class NotPrimary(redis.exceptions.ConnectionError):
    """A replica answers: what it holds may be old, and it takes no writes."""


class Wire:
    """What redis-py takes for its socket: the whole exchange has one end, however it drips."""

    def __init__(self, plain: Any, until: float) -> None:
        self._socket = plain
        self._blocking = True
        self.until = until  # on the monotonic clock

    def recv_into(self, buffer: Any, *arguments: Any) -> int:
        """Some octets, or TimeoutError."""
        self._wait()
        received: int = self._socket.recv_into(buffer, *arguments)
        return received

    def recv(self, size: int, *flags: int) -> bytes:
        """The same for a parser in Python, or a look at what is there (MSG_PEEK), which waits for nothing."""
        if not flags:
            self._wait()
        octets: bytes = self._socket.recv(size, *flags)
        return octets

    def sendall(self, octets: bytes) -> None:
        """All octets, or TimeoutError."""
        self._wait()
        self._socket.sendall(octets)

    def settimeout(self, seconds: float | None) -> None:
        """Only whether to wait at all is the caller's to say."""
        self._blocking = seconds is None or seconds > 0

    def _wait(self) -> None:
        if not self._blocking:
            self._socket.settimeout(0)
            return
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("out of time")
        self._socket.settimeout(left)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class _Introduced:
    """Mixed into a connection class of redis-py."""

    primary = ""  # "" until the server has said who it is
    asked_at = 0.0
    timeout_s = 3.0

    def _connect(self) -> Wire:
        return Wire(super()._connect(), time.monotonic() + self.timeout_s)  # type: ignore[misc]

    def disconnect(self, *arguments: Any, **keywords: Any) -> None:
        self.primary = ""
        super().disconnect(*arguments, **keywords)  # type: ignore[misc]

    def introduce(self, until: float) -> None:
        """Ask the server who it is. NotPrimary."""
        text = self.ask(("INFO", "replication"), until).decode()
        facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        if facts.get("role") != "master" or not facts.get("master_replid"):
            raise NotPrimary(facts.get("role", "no role"))
        self.primary = facts["master_replid"][:16]
        self.asked_at = time.monotonic()

    def ask(self: Any, command: Command, until: float) -> Any:
        """One command, one answer."""
        if self._sock is None:
            self.connect()
        self._sock.until = until
        self.send_command(*command, check_health=False)
        return self.read_response()


class _Tcp(_Introduced, redis.Connection):
    pass


class _Tls(_Introduced, SSLConnection):
    pass


class _Unix(_Introduced, redis.UnixDomainSocketConnection):
    pass


class _Found(_Introduced, SentinelManagedConnection):
    pass


class _FoundTls(_Introduced, SentinelManagedSSLConnection):
    pass


_CLASSES = {
    redis.Connection: _Tcp,
    SSLConnection: _Tls,
    redis.UnixDomainSocketConnection: _Unix,
}


class Client:
    """One per process; safe for threads. `ask` is one exchange with the primary."""

    def __init__(self, pool: Any, timeout_s: float) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self._breaker = Breaker("redis", timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._pool.disconnect()

    def exchange(self, work: Callable[[str, Ask], T]) -> T:
        """What `work(primary, ask)` gives. OutsideError when Redis is away, slow, full or no primary."""
        self._breaker.enter()
        try:
            answer = self._exchange(work)
        except _AWAY as error:
            self._breaker.failed()
            raise OutsideError("redis", f"{type(error).__name__}: {error}") from error
        except redis.exceptions.RedisError as error:
            self._breaker.succeeded()  # it answers, if only to refuse
            raise OutsideError("redis", f"{type(error).__name__}: {error}") from error
        self._breaker.succeeded()
        return answer

    def _exchange(self, work: Callable[[str, Ask], T]) -> T:
        until = time.monotonic() + self._timeout_s
        connection = self._pool.get_connection()
        sound = False
        try:
            self._introduce(connection, until)
            answer = work(connection.primary, lambda command: connection.ask(command, until))
            sound = True
        except redis.exceptions.ReadOnlyError as error:
            raise NotPrimary("demoted") from error
        except redis.exceptions.ResponseError:
            sound = True  # refused, but answered in full
            raise
        finally:
            if not sound:
                # However this ended: an answer may still be on its way, and the next one to use this
                # connection would take it for its own.
                connection.disconnect()
            self._pool.release(connection)
        return answer

    def _introduce(self, connection: Any, until: float) -> None:
        now = time.monotonic()
        if connection.primary and now - connection.asked_at < KNOWN_S:
            return
        if connection.primary:
            try:  # half the time: one that was cut without a word must leave time for another
                connection.introduce(now + (until - now) / 2)
            except _AWAY:
                connection.disconnect()
            else:
                return
        connection.introduce(until)


def open_client(url: str, password: str | None, timeout_s: float) -> Client:
    """A client for redis://, rediss://, unix:// or `redis+sentinel://host:port,…/service/db`."""
    common = {
        "password": password,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),  # what was sent may have been done: never twice
        "protocol": 2,
    }
    if "+sentinel://" in url:
        return Client(_sentinel_pool(url, common, timeout_s), timeout_s)
    pool = redis.ConnectionPool.from_url(url, **common)
    pool.connection_class = _timed(_CLASSES[pool.connection_class], timeout_s)
    return Client(pool, timeout_s)


def _sentinel_pool(url: str, common: dict[str, Any], timeout_s: float) -> Any:
    parts = urlsplit(url)
    userinfo, _, hosts = parts.netloc.rpartition("@")
    service, _, number = parts.path.strip("/").partition("/")
    sentinels = [
        (host.strip("[]"), int(port or 26379))
        for host, _, port in (address.rpartition(":") for address in hosts.split(","))
    ]
    quick = {"socket_timeout": SENTINEL_S, "socket_connect_timeout": SENTINEL_S}
    make: Any = Sentinel  # without types, as is its pool
    manager = make(sentinels, sentinel_kwargs={**quick, "retry": common["retry"]})
    found = _FoundTls if parts.scheme.startswith("rediss") else _Found
    pool: Any = SentinelConnectionPool
    return pool(
        service,
        manager,
        connection_class=_timed(found, timeout_s),
        username=unquote(userinfo.partition(":")[0]) or None,
        db=int(number or 0),
        **common,
    )


def _timed(base: type[Any], seconds: float) -> type[Any]:
    return type(base.__name__, (base,), {"timeout_s": seconds})
