"""One PostgreSQL connection at the level of libpq: prepared statements, text in, text out, bounded waits.

psycopg opens the connection and checks the server; for the few statements of `direct.py` its cursors
cost four times what the statement does. Every wait ends after `patience_s`, as in `postgres.py`.
"""

import json
import select
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg import errors
from psycopg.pq import DiagnosticField, ExecStatus
from sqlalchemy.types import JSON, Boolean, DateTime, Integer, TypeEngine

Reader = Callable[[bytes], Any]
_GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)


class Connection:
    """Owns a psycopg connection in autocommit. For one thread at a time."""

    def __init__(self, connection: "psycopg.Connection[Any]", patience_s: float) -> None:
        connection.autocommit = True
        self._connection = connection  # closes when it goes
        self._libpq = connection.pgconn
        self._patience_s = patience_s
        self._names: dict[str, bytes] = {}  # prepared here, by text
        self._poll = select.poll()
        self._poll.register(self._libpq.socket, select.POLLIN)

    def execute(
        self, text: str, values: Sequence[bytes | None], readers: Sequence[Reader]
    ) -> list[list[Any]]:
        """Rows, each cell through its reader. psycopg.Error when it fails or takes too long."""
        name = self._names.get(text)
        if name is None:
            name = f"direct_{len(self._names)}".encode()
            self._libpq.send_prepare(name, text.encode())
            self._result()
            self._names[text] = name
        self._libpq.send_query_prepared(name, values)
        result = self._result()
        rows = []
        for row in range(result.ntuples):
            cells: list[Any] = []
            for column, read in enumerate(readers):
                octets = result.get_value(row, column)
                cells.append(None if octets is None else read(octets))
            rows.append(cells)
        return rows

    def _result(self) -> Any:
        """The one result of what was sent; one end for all of it, however it drips."""
        libpq, until = self._libpq, time.monotonic() + self._patience_s
        while libpq.flush():  # more than the socket takes at once
            self._wait(select.POLLIN | select.POLLOUT, until)
            libpq.consume_input()
        result = self._next(until)
        while self._next(until) is not None:
            pass
        if result is None or result.status not in _GOOD:
            raise _error(result)
        return result

    def _next(self, until: float) -> Any:
        """A result, or None after the last; libpq itself would wait for ever."""
        while self._libpq.is_busy():
            self._wait(select.POLLIN, until)
            self._libpq.consume_input()
        return self._libpq.get_result()

    def _wait(self, events: int, until: float) -> None:
        self._poll.modify(self._libpq.socket, events)
        left_s = until - time.monotonic()
        if left_s <= 0 or not self._poll.poll(left_s * 1000):
            raise psycopg.OperationalError("no answer in time")

    def is_quiet(self) -> bool:
        """Whether the server has said nothing since: what it says unasked is mostly that it goes."""
        self._poll.modify(self._libpq.socket, select.POLLIN)
        return not self._poll.poll(0)

    def close(self) -> None:
        """End it."""
        self._connection.close()


def _error(result: Any) -> psycopg.Error:
    """The class that psycopg has for the state; without the message, which may hold values."""
    octets = result.error_field(DiagnosticField.SQLSTATE) if result is not None else None
    if octets is None:
        return psycopg.OperationalError("the server went away")
    state = octets.decode()
    try:
        return errors.lookup(state)(state)
    except KeyError:
        return psycopg.DatabaseError(state)


# --- values as text -----------------------------------------------------------------------------------


def written(value: Any) -> bytes | None:
    """A value as PostgreSQL reads it."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.isoformat().encode()
    return str(value).encode()


def reader_of(kind: TypeEngine[Any]) -> Reader:
    """How a cell of this type is read."""
    if isinstance(kind, DateTime):
        return _moment
    if isinstance(kind, JSON):
        return json.loads
    if isinstance(kind, Boolean):
        return b"t".__eq__
    return int if isinstance(kind, Integer) else bytes.decode


def _moment(octets: bytes) -> datetime:
    return datetime.fromisoformat(octets.decode())  # the session speaks ISO, and UTC
