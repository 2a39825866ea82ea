"""The few hottest statements, past SQLAlchemy's machinery: compiled once, one trip each.

A `Statement` is written with SQLAlchemy like any other and compiled once per dialect; running it is a
call of the driver on a connection in autocommit, so the statement is its own transaction. Everything
else goes through `sql.transaction`, and so does the opening of these connections: whether SQL is away,
and how long to wait for it, is decided there alone.
"""

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Select, event
from sqlalchemy.engine import Dialect

from idp.errors import OutsideError
from idp.store.sql import transaction

IDLE_S = 1.0  # a connection unused for longer is asked whether it lives
_READ_ONLY = "25006"  # a primary that became a standby while we were connected
KEPT = 16  # connections kept for each engine; more are closed after use

Converter = Callable[[Any], Any]
_compiling = threading.Lock()


class Statement:
    """A query compiled once for each dialect."""

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def compiled(self, dialect: Dialect) -> "_Compiled":
        """For this dialect; compiled at first use."""
        found = self._compiled.get(dialect.name)
        if found is None:
            with _compiling:
                found = self._compiled[dialect.name] = _Compiled(self._statement, dialect)
        return found


class _Compiled:
    """Text, and what its values and rows must go through in this dialect."""

    def __init__(self, statement: Select[Any], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.text: str = compiled.string
        self._defaults: Mapping[str, Any] = compiled.params
        self._positions: Sequence[str] | None = compiled.positiontup
        self._binds: list[tuple[str, Converter]] = []
        for name, bind in compiled.binds.items():
            convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if convert is not None:
                self._binds.append((name, convert))
        columns = statement.selected_columns
        self._results: list[tuple[int, Converter]] = []
        for place, column in enumerate(columns):
            read = column.type.dialect_impl(dialect).result_processor(dialect, None)
            if read is not None:
                self._results.append((place, read))

    def bound(self, values: Mapping[str, Any]) -> Any:
        """The values as the driver takes them."""
        given = {**self._defaults, **values}
        for name, convert in self._binds:
            given[name] = convert(given[name])
        return given if self._positions is None else [given[name] for name in self._positions]

    def read(self, row: Any) -> Sequence[Any]:
        """A row as SQLAlchemy would give it."""
        if not self._results:
            return tuple(row)
        cells = list(row)
        for place, convert in self._results:
            cells[place] = convert(cells[place])
        return cells


class Direct:
    """Connections in autocommit beside the pool of an engine, one statement at a time on each."""

    def __init__(self, engine: Engine) -> None:
        self._engine_known = weakref.ref(engine)  # who asks holds it; we must not keep it alive
        self._dialect = engine.dialect
        self._idle: deque[_Kept] = deque()
        driver: Any = engine.dialect.loaded_dbapi
        self._absent = (driver.OperationalError, driver.InterfaceError)
        self.error: type[Exception] = driver.Error  # what a statement may raise, absence aside
        event.listen(engine, "engine_disposed", lambda _engine: self._close_idle())

    def rows(self, statement: Statement, **values: Any) -> list[Sequence[Any]]:
        """What a query finds. OutsideError when SQL is away."""
        compiled = statement.compiled(self._dialect)
        return list(map(compiled.read, self.run(compiled.text, compiled.bound(values))))

    def run(self, text: str, values: Any) -> list[Any]:
        """The rows that a statement in the driver's own words gives. OutsideError when SQL is away."""
        connection = self._borrow()
        try:
            found = connection.execute(text, values).fetchall()
        except self.error as error:
            if not self._is_absence(error):
                self._give_back(connection)
                raise
            connection.close()
            self._close_idle()  # they lead to the same server
            raise OutsideError("sql", type(error).__name__) from error
        except BaseException:
            connection.close()  # whatever it was doing, nobody else may read its answer
            raise
        self._give_back(connection)
        return list(found)

    def _is_absence(self, error: Any) -> bool:
        read_only = getattr(error, "sqlstate", None) == _READ_ONLY
        return read_only or isinstance(error, self._absent)

    def _borrow(self) -> Any:
        try:
            kept = self._idle.pop()
        except IndexError:
            return self._open()
        if time.monotonic() - kept.since < IDLE_S or self._lives(kept.connection):
            return kept.connection
        self._close_idle()
        return self._open()

    def _lives(self, connection: Any) -> bool:
        """Whether an idle connection still leads somewhere. OutsideError when nobody says so in time."""
        begun = time.monotonic()
        try:
            connection.execute("SELECT 1").fetchall()
        except self.error as error:
            connection.close()
            if time.monotonic() - begun > IDLE_S:
                raise OutsideError("sql", type(error).__name__) from error
            return False
        return True

    def _open(self) -> Any:
        engine = self._engine_known()
        if engine is None:
            raise OutsideError("sql", "closed")
        with transaction(engine):  # says in time when SQL is away, or rests
            borrowed = engine.raw_connection()
            connection: Any = borrowed.driver_connection
            borrowed.detach()
        if hasattr(connection, "autocommit"):
            connection.autocommit = True
        return connection

    def _give_back(self, connection: Any) -> None:
        if len(self._idle) < KEPT:
            self._idle.append(_Kept(connection, time.monotonic()))
        else:
            connection.close()

    def _close_idle(self) -> None:
        while self._idle:
            with suppress(IndexError):
                self._idle.popleft().connection.close()


@dataclass(frozen=True, slots=True)
class _Kept:
    connection: Any
    since: float


_directs: "weakref.WeakKeyDictionary[Engine, Direct]" = weakref.WeakKeyDictionary()
_opening = threading.Lock()


def direct(engine: Engine) -> Direct:
    """The connections beside this engine's pool; the same for every part of a process."""
    found = _directs.get(engine)
    if found is None:
        with _opening:
            found = _directs.setdefault(engine, Direct(engine))
    return found
