"""The few hottest statements, past SQLAlchemy's machinery: compiled once, one trip each.

A `Statement` is written with SQLAlchemy like any other and compiled once per dialect; running it is one
call on a connection in autocommit, so the statement is its own transaction. Everything else goes
through `sql.transaction`, and so does the opening of these connections: whether SQL is away, and how
long to wait for it, is decided there alone.
"""

import re
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Engine, Select, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

from idp.errors import OutsideError
from idp.store.sql import must_not_be_halted, transaction

IDLE_S = 1.0  # a connection unused for longer is asked whether it lives
KEPT = 16  # connections kept for each engine; more are closed after use
PATIENCE_S = 3.5  # for an answer; the server's own time-outs come first, where they are shorter
_READ_ONLY = "25006"  # a primary that became a standby while we were connected
_PLAN_IS_OLD = frozenset(
    {"0A000", "26000"}
)  # the table changed, or the server forgot the statement
_NAME = re.compile(r"(?<!:):([a-z_]+)")
_compiling = threading.Lock()


@dataclass(frozen=True, slots=True)
class Compiled:
    """Text, the order of its values, and what each value and each cell goes through."""

    text: str
    order: tuple[str, ...]
    writers: tuple[Callable[[Any], Any], ...]
    readers: tuple[Callable[[Any], Any], ...]


class Statement:
    """A query compiled once for each dialect."""

    def __init__(self, query: Select[Any]) -> None:
        self._query = query
        self._compiled: dict[str, Compiled] = {}

    def compiled(self, dialect: Dialect) -> Compiled:
        """For this dialect; compiled at first use."""
        found = self._compiled.get(dialect.name)
        if found is None:
            with _compiling:
                make = _for_postgres if dialect.name == "postgresql" else _for_driver
                found = self._compiled[dialect.name] = make(self._query, dialect)
        return found


def words(text: str, readers: Sequence[Callable[[bytes], Any]]) -> Compiled:
    """A statement in PostgreSQL's own words, with `:name` where a value stands."""
    from idp.store.libpq import written

    order = tuple(dict.fromkeys(_NAME.findall(text)))
    numbered = _NAME.sub(lambda found: f"${order.index(found.group(1)) + 1}", text)
    return Compiled(numbered, order, (written,) * len(order), tuple(readers))


def _for_postgres(query: Select[Any], _dialect: Dialect) -> Compiled:
    from idp.store.libpq import reader_of, written

    made = query.compile(dialect=postgresql.dialect(paramstyle="numeric_dollar"))  # type: ignore[no-untyped-call]
    order = tuple(made.positiontup or ())
    readers = tuple(reader_of(column.type) for column in query.selected_columns)
    return Compiled(made.string, order, (written,) * len(order), readers)


def _for_driver(query: Select[Any], dialect: Dialect) -> Compiled:
    made: Any = query.compile(dialect=dialect)
    order = tuple(made.positiontup)
    kinds = [made.binds[name].type.dialect_impl(dialect) for name in order]
    writers = tuple(kind.bind_processor(dialect) or _as_is for kind in kinds)
    columns = [column.type.dialect_impl(dialect) for column in query.selected_columns]
    readers = tuple(kind.result_processor(dialect, None) or _as_is for kind in columns)
    return Compiled(made.string, order, writers, readers)


def _as_is(value: Any) -> Any:
    return value


class _Connection(Protocol):
    def execute(self, text: str, values: Any, readers: Any) -> list[list[Any]]: ...

    def is_quiet(self) -> bool: ...

    def close(self) -> None: ...


class _OfDriver:
    """A connection of a driver that is quick by itself (SQLite)."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.close = connection.close

    def execute(self, text: str, values: Any, readers: Any) -> list[list[Any]]:
        rows = self._connection.execute(text, values).fetchall()
        return [[read(cell) for read, cell in zip(readers, row, strict=True)] for row in rows]

    def is_quiet(self) -> bool:
        return True  # no server that could go


@dataclass(frozen=True, slots=True)
class _Kept:
    connection: _Connection
    since: float


_PING = Compiled("SELECT 1", (), (), (int,))


class Direct:
    """Connections in autocommit beside the pool of an engine, one statement at a time on each."""

    def __init__(self, engine: Engine) -> None:
        self._engine = weakref.ref(engine)  # who asks holds it; we must not keep it alive
        self._dialect = engine.dialect
        self._idle: deque[_Kept] = deque()
        driver: Any = engine.dialect.loaded_dbapi
        self._absent = (driver.OperationalError, driver.InterfaceError)
        self.error: type[Exception] = driver.Error  # what a statement may raise, absence aside
        event.listen(engine, "engine_disposed", lambda _engine: self._close_idle())

    def rows(self, statement: Statement, **values: Any) -> list[list[Any]]:
        """What a query finds. OutsideError when SQL is away."""
        return self.run(statement.compiled(self._dialect), values)

    def run(self, compiled: Compiled, values: dict[str, Any]) -> list[list[Any]]:
        """The rows that a compiled statement gives. OutsideError when SQL is away."""
        given = [
            write(values[name])
            for name, write in zip(compiled.order, compiled.writers, strict=True)
        ]
        try:
            return self._run(compiled, given)
        except self.error as error:
            if getattr(error, "sqlstate", None) not in _PLAN_IS_OLD:
                raise
            self._close_idle()  # it was not executed: once more, on a connection that knows nothing
        return self._run(compiled, given)

    def _run(self, compiled: Compiled, given: list[Any]) -> list[list[Any]]:
        connection = self._borrow()
        try:
            found = connection.execute(compiled.text, given, compiled.readers)
        except self.error as error:
            self._failed(connection, error)
            raise
        except BaseException:
            connection.close()  # whatever it was doing, nobody else may read its answer
            raise
        self._give_back(connection)
        return found

    def _failed(self, connection: _Connection, error: Exception) -> None:
        """OutsideError when SQL is away; nothing when the statement was at fault."""
        state = getattr(error, "sqlstate", None)
        if state in _PLAN_IS_OLD:
            connection.close()
            return
        if state != _READ_ONLY and not isinstance(error, self._absent):
            self._give_back(connection)
            return
        connection.close()
        self._close_idle()  # they lead to the same server
        raise OutsideError("sql", type(error).__name__) from error

    def _borrow(self) -> _Connection:
        engine = self._engine()
        if engine is not None:
            must_not_be_halted(engine)
        try:
            kept = self._idle.pop()
        except IndexError:
            return self._open()
        if kept.connection.is_quiet() and (
            time.monotonic() - kept.since < IDLE_S or self._lives(kept.connection)
        ):
            return kept.connection
        kept.connection.close()  # before anything was sent on it
        self._close_idle()
        return self._open()

    def _lives(self, connection: _Connection) -> bool:
        """Whether an idle connection still leads somewhere. OutsideError when nobody says so in time."""
        begun = time.monotonic()
        try:
            connection.execute(_PING.text, [], _PING.readers)
        except self.error as error:
            connection.close()
            if time.monotonic() - begun > IDLE_S:
                raise OutsideError("sql", type(error).__name__) from error
            return False
        return True

    def _open(self) -> _Connection:
        engine = self._engine()
        if engine is None:
            raise OutsideError("sql", "closed")
        with transaction(engine):  # says in time when SQL is away, or rests
            borrowed = engine.raw_connection()
            must_not_be_halted(engine)  # it may be this one that told
            connection: Any = borrowed.driver_connection
            borrowed.detach()
        if self._dialect.name != "postgresql":
            return _OfDriver(connection)
        from idp.store.libpq import Connection

        return Connection(connection, getattr(connection, "patience_s", None) or PATIENCE_S)

    def _give_back(self, connection: _Connection) -> None:
        if len(self._idle) < KEPT:
            self._idle.append(_Kept(connection, time.monotonic()))
        else:
            connection.close()

    def _close_idle(self) -> None:
        while self._idle:
            with suppress(IndexError):
                self._idle.popleft().connection.close()


_directs: "weakref.WeakKeyDictionary[Engine, Direct]" = weakref.WeakKeyDictionary()
_opening = threading.Lock()


def direct(engine: Engine) -> Direct:
    """The connections beside this engine's pool; the same for every part of a process."""
    found = _directs.get(engine)
    if found is None:
        with _opening:
            found = _directs.setdefault(engine, Direct(engine))
    return found
