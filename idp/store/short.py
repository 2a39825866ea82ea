"""Short-lived values in Redis (or Valkey): few verbs, each one atomic trip, each with a time to live.

A Redis primary has an identity, its `run_id`. Values carry the identity they were written under
and read as absent on another primary: after a flush, restart or failover nothing that was spent
can be spent again (design section 3). Redis away means no new login: every verb raises OutsideError.
"""

import hashlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from idp.contracts import Taken
from idp.errors import OutsideError

T = TypeVar("T")
_MARK = "!"  # in front of a value that has been taken and is remembered

# KEYS[1]; ARGV: own primary, seconds to remember (0: delete). -> {value, first} or nil
_TAKE = """
local value = redis.call('GET', KEYS[1])
if not value then return nil end
local spent = string.sub(value, 1, 1) == '!'
if spent then value = string.sub(value, 2) end
if string.sub(value, 1, #ARGV[1]) ~= ARGV[1] then return nil end
if not spent then
  if tonumber(ARGV[2]) > 0 then redis.call('SET', KEYS[1], '!' .. value, 'EX', ARGV[2])
  else redis.call('DEL', KEYS[1]) end
end
return {value, spent and 0 or 1}
"""
# KEYS[1]; ARGV: old, new. Compare and set, the time to live stays. -> 1 or 0
_REPLACE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
"""
# KEYS[1]; ARGV: window. -> count
_COUNT = """
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return n
"""


class _Script:
    """A Lua script and its digest: EVALSHA first, EVAL when the server does not know it yet."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


class RedisShort:
    """`contracts.Short` on Redis. One instance per process; safe for threads."""

    def __init__(self, client: "redis.Redis", prefix: str = "") -> None:
        self._client = client
        self._prefix = prefix
        self._take, self._replace, self._count = _Script(_TAKE), _Script(_REPLACE), _Script(_COUNT)

    def namespace(self, name: str) -> "RedisShort":
        """The same store for one site: its keys are `site:{name:key}`."""
        return RedisShort(self._client, f"{name}:")

    def put(self, key: str, value: str, ttl_s: int) -> None:
        """Write, whatever stood there."""
        self._call(lambda primary: self._client.set(self._key(key), primary + value, ex=ttl_s))

    def put_new(self, key: str, value: str, ttl_s: int) -> bool:
        """Write only when absent; true for exactly one caller."""
        return bool(
            self._call(
                lambda primary: self._client.set(self._key(key), primary + value, ex=ttl_s, nx=True)
            )
        )

    def get(self, key: str) -> str | None:
        """What stands there, taken or not written under this primary: None."""

        def read(primary: str) -> str | None:
            value = cast("str | None", self._client.get(self._key(key)))
            if value is None or not value.startswith(primary):
                return None
            return value[len(primary) :]

        return self._call(read)

    def take(self, key: str, remember_s: int = 0) -> Taken | None:
        """Use once, atomically; see `contracts.Short.take`."""

        def run(primary: str) -> Taken | None:
            answer = self._eval(self._take, self._key(key), primary, remember_s)
            if answer is None:
                return None
            return Taken(value=answer[0][len(primary) :], first=bool(answer[1]))

        return self._call(run)

    def replace(self, key: str, old: str, new: str) -> bool:
        """Compare and set, keeping the time to live."""
        return bool(
            self._call(
                lambda primary: self._eval(
                    self._replace, self._key(key), primary + old, primary + new
                )
            )
        )

    def count(self, key: str, window_s: int) -> int:
        """Count this call in the window that began with the first."""
        return int(self._call(lambda _: self._eval(self._count, self._key(key), window_s)))

    def delete(self, key: str) -> None:
        """Forget."""
        self._call(lambda _: self._client.delete(self._key(key)))

    def ping(self) -> None:
        """Does nothing, or raises OutsideError."""
        self._call(lambda _: self._client.ping())

    def _key(self, key: str) -> str:
        """`kind:{rest}`: one hash tag per key, so that a Cluster may hold it."""
        if self._prefix:
            return f"site:{{{self._prefix}{key}}}"
        kind, _, rest = key.partition(":")
        return f"{kind}:{{{rest}}}"

    def _eval(self, script: _Script, key: str, *arguments: str | int) -> Any:
        try:
            return self._client.evalsha(script.digest, 1, key, *arguments)
        except redis.exceptions.NoScriptError:
            return self._client.eval(script.source, 1, key, *arguments)

    def _call(self, work: Callable[[str], T]) -> T:
        try:
            return work(self._primary())
        except redis.exceptions.RedisError as error:
            raise OutsideError("redis", type(error).__name__) from error

    def _primary(self) -> str:
        identity = cast("_Identity", self._client.connection_pool.connection_kwargs["identity"])
        if identity.run_id is None:
            self._client.ping()  # opens a connection, which learns the identity
        return f"{(identity.run_id or '')[:12]}|"


class _Identity:
    """The run_id of the primary we talk to, learnt anew on every connection."""

    def __init__(self) -> None:
        self.run_id: str | None = None
        self._lock = threading.Lock()

    def learn(self, run_id: str) -> None:
        with self._lock:
            self.run_id = run_id


def _connection_class(base: type[Any]) -> type[Any]:
    """A connection that asks the server who it is, once, when it opens."""

    class Introduced(base):  # type: ignore[misc]
        def __init__(self, *, identity: _Identity, **keywords: Any) -> None:
            super().__init__(**keywords)
            self._identity = identity

        def on_connect(self) -> None:
            super().on_connect()
            self.send_command("INFO", "server")
            text = self.read_response()
            text = text.decode() if isinstance(text, bytes) else text
            for line in text.splitlines():
                if line.startswith("run_id:"):
                    self._identity.learn(line[7:].strip())

    return Introduced


def open_short(url: str, password: str | None = None, timeout_s: float = 3.0) -> RedisShort:
    """A store at `url` (redis://, rediss://, unix://); connects lazily."""
    pool = redis.ConnectionPool.from_url(
        url,
        password=password,
        decode_responses=True,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1),
        protocol=2,
    )
    pool.connection_class = _connection_class(pool.connection_class)
    pool.connection_kwargs["identity"] = _Identity()
    return RedisShort(redis.Redis(connection_pool=pool))
