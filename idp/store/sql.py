"""The one way to SQL: an engine with time-outs, and `transaction()` that turns its absence into OutsideError.

There is one engine, and it leads to the primary: no security fact is read from a replica (A-272).
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, overload

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from idp.conf import Stores
from idp.errors import OutsideError
from idp.store.breaker import Breaker

_READ_ONLY = "25006"  # a primary that became a standby while we were connected
_halted: "weakref.WeakSet[Engine]" = weakref.WeakSet()
_guards: "weakref.WeakKeyDictionary[Engine, _Guard]" = weakref.WeakKeyDictionary()


class _Guard:
    """How long to look for a connection, and whether to look at all."""

    def __init__(self, timeout_s: float) -> None:
        self.breaker = Breaker("sql", timeout_s)
        self.reach_s = timeout_s / 2  # of a pooled connection, so that a new one still has time


def open_engine(stores: Stores) -> Engine:
    """An engine for `stores.sql_url`; connects lazily. Every wait is bounded by `timeout_s`."""
    url = make_url(stores.sql_url)
    if stores.sql_password_file:
        url = url.set(password=stores.sql_password_file.read_text().strip())
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, stores.timeout_s)
    from idp.store.postgres import open_postgres

    engine = open_postgres(url, stores)
    _guards[engine] = _Guard(stores.timeout_s)
    return engine


def _sqlite(url: Any, timeout_s: float) -> Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": timeout_s}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that will write must take the lock at its start, or two may deadlock.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def halt(engine: Engine) -> bool:
    """Answer nothing from this database any more (`high_water.py`); false when it was so already."""
    known = engine in _halted
    _halted.add(engine)
    return not known


def resume(engine: Engine) -> bool:
    """Answer from it again; false when nothing had stopped that."""
    known = engine in _halted
    _halted.discard(engine)
    return known


def must_not_be_halted(engine: Engine) -> None:
    """OutsideError while nothing may be answered from this database."""
    if engine in _halted:
        raise OutsideError("sql", "older than it was")


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: commits at the end, rolls back on any error. OutsideError when SQL is away."""
    must_not_be_halted(engine)
    guard = _guards.get(engine)
    if guard is not None:
        guard.breaker.enter()
    try:
        with _connected(engine, guard) as connection, connection.begin():
            must_not_be_halted(engine)  # the connection may be the one that told
            yield connection
    except (DBAPIError, PoolTimeoutError) as error:
        if not _is_absence(error):
            raise
        if guard is not None and _is_silence(error):
            guard.breaker.failed()
        raise OutsideError("sql", told(error)) from error


@contextmanager
def _connected(engine: Engine, guard: _Guard | None) -> Iterator[Connection]:
    """A connection that answered just now."""
    looking: Any = nullcontext()
    if guard is not None:
        from idp.store.postgres import reaching

        looking = reaching(guard.reach_s)
    with looking:
        connection = engine.connect()
    if guard is not None:
        guard.breaker.succeeded()
    with connection:
        yield connection


def wait_as_long_as_it_takes(connection: Connection) -> None:
    """For work that is no request: lift our own limit from this connection."""
    driver: Any = connection.connection.dbapi_connection
    driver.patience_s = None


def _is_absence(error: Exception) -> bool:
    """Whether the database is away, slow, full, locked or no primary, and not our statement wrong."""
    if isinstance(error, OperationalError | InterfaceError | PoolTimeoutError):
        return True
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    return state == _READ_ONLY or bool(getattr(error, "connection_invalidated", False))


def _is_silence(error: Exception) -> bool:
    """Whether nobody answered: a refusal has a state, and asking again is not in vain."""
    return isinstance(error, DBAPIError) and not getattr(error.orig, "sqlstate", None)


def told(error: Exception) -> str:
    """For the log: the class and the state, never the statement with its values."""
    original = getattr(error, "orig", None)
    state = getattr(original, "sqlstate", None)
    return " ".join(filter(None, (type(original or error).__name__, state)))


@overload
def utc(value: datetime) -> datetime: ...


@overload
def utc(value: None) -> None: ...


def utc(value: datetime | None) -> datetime | None:
    """A time as read from SQL, made aware (SQLite gives naive UTC)."""
    if value is not None and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value
