"""The short-lived store: does it answer, does it forget, who may talk to it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from idp.conf import LOOPBACK_HOSTS, Settings
from idp.doctor import clock
from idp.doctor.finding import Finding, fix, note, ok, warn
from idp.errors import OutsideError
from idp.store.redis_client import Client, open_client

_WHAT = "redis"
OLDEST = (7, 0)
NEARLY_FULL = 0.8


def examine(settings: Settings, now: datetime) -> Iterator[Finding]:  # noqa: ARG001 - one signature for all
    """What the primary says of itself."""
    stores = settings.stores
    file = stores.redis_password_file
    password = file.read_text(encoding="utf-8").strip() if file else None
    with open_client(stores.redis_url, password, stores.timeout_s) as client:
        before = datetime.now(UTC)
        try:
            facts, time = client.exchange(lambda _, ask: (ask(("INFO",)), ask(("TIME",))))
        except OutsideError as error:
            yield _away(settings, error)
            return
        yield clock.compare("Redis", _moment(time), before, datetime.now(UTC))
        yield from judge(_facts(facts))
        yield from _persistence(client)
    yield from _protection(settings)


def _away(settings: Settings, error: OutsideError) -> Finding:
    if "valkey.sock" in settings.stores.redis_url:
        return note(_WHAT, "the embedded store does not run: it runs with the provider only")
    remedy = "see that it runs, can be reached from here and knows the password; then again"
    return fix(_WHAT, error.detail, remedy)


def _moment(answer: Any) -> datetime:
    seconds, microseconds = (int(part) for part in answer)
    return datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)


def _facts(answer: bytes) -> Mapping[str, str]:
    lines = answer.decode(errors="replace").splitlines()
    return {key: value for key, _, value in (line.partition(":") for line in lines)}


def judge(facts: Mapping[str, str]) -> Iterator[Finding]:
    """Its version, memory and eviction (INFO)."""
    name = "Valkey" if "valkey_version" in facts else "Redis"
    version = facts.get("valkey_version") or facts.get("redis_version", "")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        yield fix(_WHAT, f"{name} {version or 'unknown'}", "Redis 7 or Valkey")
    else:
        yield ok(_WHAT, f"{name} {version}")
    policy = facts.get("maxmemory_policy", "")
    if policy != "noeviction":
        found = f"maxmemory-policy is {policy or 'unknown'}: what was spent could be spent again"
        yield fix(_WHAT, found, "CONFIG SET maxmemory-policy noeviction, and in redis.conf")
    limit, used = int(facts.get("maxmemory", "0")), int(facts.get("used_memory", "0"))
    if not limit:
        yield warn(_WHAT, "no maxmemory: it may take the whole host", "set maxmemory, e.g. 1gb")
    elif used > NEARLY_FULL * limit:
        found = f"{used * 100 // limit} % of maxmemory is used: full means that nobody signs in"
        yield fix(_WHAT, found, "a larger maxmemory")


def _persistence(client: Client) -> Iterator[Finding]:
    """Nothing written survives a restart as valid, so on disk it can only be read by others."""
    try:
        save, append = client.exchange(
            lambda _, ask: (ask(("CONFIG", "GET", "save")), ask(("CONFIG", "GET", "appendonly")))
        )
    except OutsideError:
        yield note(_WHAT, "CONFIG GET is not allowed to us: persistence not examined")
        return
    written = [bytes(answer[1]).decode() for answer in (save, append) if len(answer) > 1]
    if any(value not in ("", "no") for value in written):
        found = "it writes sign-ins under way to disk; after a restart none of it counts"
        yield warn(_WHAT, found, 'save "" and appendonly no, unless others use this server')


def _protection(settings: Settings) -> Iterator[Finding]:
    """Whoever reaches it can read every sign-in under way: TLS and a password, or this host alone."""
    stores = settings.stores
    parts = urlsplit(stores.redis_url)
    if parts.scheme == "unix":
        return
    local = parts.hostname in LOOPBACK_HOSTS
    if not parts.scheme.startswith("rediss") and not local:
        yield fix(_WHAT, "the connection is not encrypted", "rediss:// and tls-port at the server")
    if _lets_anyone_in(settings):
        found = "it lets in whoever connects, without a password"
        remedy = "an ACL user or requirepass, and redis_password_file"
        yield warn(_WHAT, found, remedy) if local else fix(_WHAT, found, remedy)


def _lets_anyone_in(settings: Settings) -> bool:
    """A connection without a password is served. Sentinels are not asked."""
    parts = urlsplit(settings.stores.redis_url)
    if "+" in parts.scheme:
        return settings.stores.redis_password_file is None and parts.password is None
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    try:
        with open_client(bare, None, settings.stores.timeout_s) as client:
            client.exchange(lambda _, ask: ask(("PING",)))
    except OutsideError:
        return False
    return True
