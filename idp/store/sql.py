"""The one way to SQL: an engine with time-outs, and `transaction()` that turns its absence into OutsideError."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from idp.conf import Stores
from idp.errors import OutsideError


def open_engine(stores: Stores) -> Engine:
    """An engine for `stores.sql_url`; connects lazily. Every wait is bounded by `timeout_s`."""
    url = make_url(stores.sql_url)
    if stores.sql_password_file:
        url = url.set(password=stores.sql_password_file.read_text().strip())
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, stores.timeout_s)
    milliseconds = int(stores.timeout_s * 1000)
    return create_engine(
        url,
        pool_size=8,
        max_overflow=8,
        pool_timeout=stores.timeout_s,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": max(1, int(stores.timeout_s)),
            "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
            " -c timezone=UTC",
            "tcp_user_timeout": milliseconds,
        },
    )


def _sqlite(url: Any, timeout_s: float) -> Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": timeout_s})

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


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: commits at the end, rolls back on any error. OutsideError when SQL is away."""
    try:
        with engine.begin() as connection:
            yield connection
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise OutsideError("sql", type(error).__name__) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise OutsideError("sql", type(error).__name__) from error
        raise


def utc(value: datetime | None) -> datetime | None:
    """A time as read from SQL, made aware (SQLite gives naive UTC)."""
    if value is not None and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value
