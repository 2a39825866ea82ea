"""Short-lived values in Redis (or Valkey): few verbs, each one atomic trip, each with a time to live.

A value is stored as `<primary>|<mac>|<value>`. `primary` is the identity of the Redis primary it was
written on (`redis_client.py`): on another one it reads as absent, so that after a restart, a failover
that lost writes or with two primaries nothing that was spent can be spent again (design section 3).
`mac` is keyed and covers the key as well: who can write to Redis can make nothing that we would
believe, and move nothing to another place (A-271). Redis away means no new login: every verb raises
OutsideError.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from typing import Any

import redis
import structlog

from idp import randomness
from idp.contracts import Taken
from idp.store.redis_client import Ask, Client, Command, open_client

_log = structlog.get_logger("gongmu.short")
_MAC_CHARACTERS = 22  # 16 octets

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
# KEYS[1]; ARGV: how it must begin, what to write then, seconds. -> 1, or what stands there, or nil
_TURN = """
local value = redis.call('GET', KEYS[1])
if not value then return nil end
if string.sub(value, 1, #ARGV[1]) ~= ARGV[1] then return value end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""
# KEYS[1]; ARGV: window. -> count
_COUNT = """
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return n
"""

# KEYS[1] a set; ARGV: what it begins with, seconds. -> 1
_OPEN = """
redis.call('SADD', KEYS[1], ARGV[1])
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""
# KEYS[1] a set; ARGV: what it begins with, a name. -> 1 new, 0 known, nil no such set of ours
_ENTER = """
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return nil end
return redis.call('SADD', KEYS[1], ARGV[2])
"""


class _Script:
    """A Lua script and its digest: EVALSHA first, EVAL when the server does not know it yet."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


_TAKE_SCRIPT, _REPLACE_SCRIPT, _COUNT_SCRIPT = _Script(_TAKE), _Script(_REPLACE), _Script(_COUNT)
_OPEN_SCRIPT, _ENTER_SCRIPT, _TURN_SCRIPT = _Script(_OPEN), _Script(_ENTER), _Script(_TURN)


class RedisShort:
    """`contracts.Short` on Redis. One instance per process; safe for threads."""

    def __init__(self, client: Client, secret: bytes, prefix: str = "") -> None:
        self._client = client
        self._secret = secret
        self._prefix = prefix

    def namespace(self, name: str) -> "RedisShort":
        """The same store for one site: its keys are `site:{name:key}`."""
        return RedisShort(self._client, self._secret, f"{name}:")

    def put(self, key: str, value: str, ttl_s: int) -> None:
        """Write, whatever stood there."""
        self._set(key, value, ttl_s)

    def put_new(self, key: str, value: str, ttl_s: int) -> bool:
        """Write only when absent; true for exactly one caller."""
        return self._set(key, value, ttl_s, "NX") is not None

    def get(self, key: str) -> str | None:
        """What stands there; None when absent, taken, or not written by us under this primary."""
        name = self._key(key)
        primary, stored = self._client.exchange(
            lambda primary, ask: (primary, _readable(ask, name, ("GET", name)))
        )
        return self._opened(primary, name, stored)

    def take(self, key: str, remember_s: int = 0) -> Taken | None:
        """Use once, atomically; see `contracts.Short.take`."""
        name = self._key(key)

        def work(primary: str, ask: Ask) -> tuple[str, Any]:
            command = ("EVALSHA", _TAKE_SCRIPT.digest, 1, name, f"{primary}|", remember_s)
            return primary, _readable(ask, name, command, _TAKE_SCRIPT)

        primary, answer = self._client.exchange(work)
        value = None if answer is None else self._opened(primary, name, answer[0])
        return None if value is None else Taken(value=value, first=bool(answer[1]))

    def replace(self, key: str, old: str, new: str) -> bool:
        """Compare and set, keeping the time to live."""
        name = self._key(key)

        def work(primary: str, ask: Ask) -> Any:
            sealed = self._sealed(primary, name, old), self._sealed(primary, name, new)
            command = ("EVALSHA", _REPLACE_SCRIPT.digest, 1, name, *sealed)
            return _readable(ask, name, command, _REPLACE_SCRIPT)

        return bool(self._client.exchange(work))

    def lay(self, key: str, head: str, rest: str, ttl_s: int) -> None:
        """Write a value that `turn` will find by its head, whatever stood there."""
        name = self._key(key)

        def work(primary: str, ask: Ask) -> Any:
            return ask(("SET", name, self._headed(primary, name, head, rest), "EX", ttl_s))

        self._client.exchange(work)

    def turn(self, key: str, head: str, new_head: str, new_rest: str, ttl_s: int) -> Taken | None:
        """Compare by the head and set, in one trip: `first` when that was done, else the rest there."""
        name = self._key(key)

        def work(primary: str, ask: Ask) -> tuple[str, Any]:
            begins = f"{self._sealed(primary, name, head)}\n"
            new = self._headed(primary, name, new_head, new_rest)
            command = ("EVALSHA", _TURN_SCRIPT.digest, 1, name, begins, new, ttl_s)
            return primary, _readable(ask, name, command, _TURN_SCRIPT)

        primary, answer = self._client.exchange(work)
        if answer == 1:
            return Taken(value="", first=True)
        rest = None if answer is None else answer.partition(b"\n")[2]
        value = self._opened(primary, name, rest)
        return None if value is None else Taken(value=value, first=False)

    def count(self, key: str, window_s: int) -> int:
        """Count this call in the window that began with the first."""
        name = self._key(key)

        def work(_primary: str, ask: Ask) -> Any:
            return _run(ask, ("EVALSHA", _COUNT_SCRIPT.digest, 1, name, window_s), _COUNT_SCRIPT)

        return int(self._client.exchange(work))

    def open_roll(self, key: str, ttl_s: int) -> None:
        """A roll of names, still empty: what may be entered once each while the roll is there."""
        name = self._key(key)

        def work(primary: str, ask: Ask) -> Any:
            command = ("EVALSHA", _OPEN_SCRIPT.digest, 1, name, self._sealed(primary, name, ""))
            return _run(ask, (*command, ttl_s), _OPEN_SCRIPT)

        self._client.exchange(work)

    def enter(self, key: str, entry: str) -> bool | None:
        """True for exactly one caller with this entry; None when there is no such roll.

        There is none any more when its time is over, after a flush and on another primary: whoever
        made it anew would know nothing of the entries that were lost, so its name is to be random.
        """
        name = self._key(key)

        def work(primary: str, ask: Ask) -> Any:
            begun = self._sealed(primary, name, "")
            command = ("EVALSHA", _ENTER_SCRIPT.digest, 1, name, begun, entry)
            return _readable(ask, name, command, _ENTER_SCRIPT)

        answer = self._client.exchange(work)
        return None if answer is None else bool(answer)

    def delete(self, key: str) -> None:
        """Forget."""
        name = self._key(key)
        self._client.exchange(lambda _primary, ask: ask(("DEL", name)))

    def ping(self) -> None:
        """Does nothing, or raises OutsideError."""
        self._client.exchange(lambda _primary, ask: ask(("PING",)))

    def _set(self, key: str, value: str, ttl_s: int, *options: str) -> Any:
        name = self._key(key)

        def work(primary: str, ask: Ask) -> Any:
            sealed = self._sealed(primary, name, value)
            return ask(("SET", name, sealed, "EX", ttl_s, *options))

        return self._client.exchange(work)

    def _key(self, key: str) -> str:
        """`kind:{rest}`: one hash tag per key, so that a Cluster may hold it."""
        if self._prefix:
            return f"site:{{{self._prefix}{key}}}"
        kind, _, rest = key.partition(":")
        return f"{kind}:{{{rest}}}"

    def _sealed(self, primary: str, name: str, value: str) -> str:
        return f"{primary}|{self._mac(primary, name, value.encode())}|{value}"

    def _headed(self, primary: str, name: str, head: str, rest: str) -> str:
        return f"{self._sealed(primary, name, head)}\n{self._sealed(primary, name, rest)}"

    def _opened(self, primary: str, name: str, stored: Any) -> str | None:
        """The value in what was stored; None when it is absent, or not as we wrote it."""
        if stored is None or stored[:1] == b"!":
            return None
        if not isinstance(stored, bytes) or not stored.startswith(f"{primary}|".encode()):
            return None
        head = len(primary) + 1 + _MAC_CHARACTERS + 1
        mac, octets = stored[len(primary) + 1 : head - 1], stored[head:]
        if not hmac.compare_digest(mac, self._mac(primary, name, octets).encode()):
            _log.error("not_ours", kind=name.partition(":")[0])
            return None
        return octets.decode()

    def _mac(self, primary: str, name: str, octets: bytes) -> str:
        head = f"{primary}|{len(name)}|{name}|".encode()
        mac = hmac.digest(self._secret, head + octets, "sha256")[:16]
        return urlsafe_b64encode(mac).decode()[:_MAC_CHARACTERS]


def _run(ask: Ask, command: Command, script: _Script) -> Any:
    try:
        return ask(command)
    except redis.exceptions.NoScriptError:
        return ask(("EVAL", script.source, *command[2:]))


def _readable(ask: Ask, name: str, command: Command, script: _Script | None = None) -> Any:
    """The answer; None where a value of another type was laid: we only write text."""
    try:
        return ask(command) if script is None else _run(ask, command, script)
    except redis.exceptions.ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        _log.error("not_ours", kind=name.partition(":")[0])
        return None


def open_short(
    url: str, password: str | None = None, timeout_s: float = 3.0, secret: bytes | None = None
) -> RedisShort:
    """A store at `url` (redis://, rediss://, unix://, redis+sentinel://); connects lazily.

    `secret` keys the macs; workers that share it share values. Without one, nobody shares.
    """
    client = open_client(url, password, timeout_s)
    return RedisShort(client, secret or randomness.token(32).encode())
