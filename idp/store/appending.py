"""Appends to one writer's chain of events; those who come at the same moment share one transaction.

`Appender.append` returns when its event is committed, never earlier: an answer that waits for its
event waits as before, but not for its own trip to the database alone. Whoever finds the door free
writes for all who stand there; the others find theirs done. So the rate of events is bound by the
database's commits times those waiting, not by its commits.

On PostgreSQL a batch is one statement: it moves the chain's end from where this process knows it to be,
by compare-and-set, and inserts only when that succeeded. Another process cannot write this chain; our
own transactions that do (`Journal.record`) make us look again. On SQLite a batch is one transaction.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, Table, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from idp.errors import OutsideError
from idp.store.direct import Compiled, direct, words
from idp.store.sql import transaction
from idp.store.tables import events, writers

GENESIS = "0" * 64
LARGEST = 64  # events in one transaction
TRIES = 8  # times that our own transactions may be quicker

Row = dict[str, Any]
Made = Callable[[int, str], Row]  # the row of an event, given its number and the hash before it


@dataclass(slots=True)
class _Entry:
    """One event that waits, and the row that is written with it."""

    made: Made
    table: Table | None
    values: Mapping[str, Any]
    row: Row = field(default_factory=dict)
    error: Exception | None = None
    done: bool = False


class Appender:
    """One chain, one process. Safe for threads."""

    def __init__(self, engine: Engine, writer_id: str) -> None:
        self._engine = engine
        self._direct = direct(engine)
        self._writer_id = writer_id
        self._waiting: deque[_Entry] = deque()
        self._writing = threading.Lock()
        self._end: tuple[int, str] | None = None  # number and hash of the last event, when known
        self._texts: dict[str, Compiled] = {}
        self._at_once = engine.dialect.name == "postgresql"

    def append(self, made: Made, table: Table | None, values: Mapping[str, Any]) -> Row:
        """The row, committed together with `values` in `table`. OutsideError: neither is there."""
        entry = _Entry(made, table, values)
        self._waiting.append(entry)
        with self._writing:
            while not entry.done:  # nobody took it along
                self._write([self._waiting.popleft() for _ in range(self._next_size())])
        if entry.error is not None:
            raise OutsideError("sql", "the event was not written") from entry.error
        return entry.row

    def forget(self) -> None:
        """The chain's end is being moved by someone else in this process."""
        self._end = None

    def _next_size(self) -> int:
        return min(len(self._waiting), LARGEST)

    # --- a batch ----------------------------------------------------------------------------------

    def _write(self, batch: list[_Entry]) -> None:
        """Commits them; each is done afterwards, with its row or with the error."""
        try:
            self._commit(batch)
        except (OutsideError, DBAPIError, self._direct.error) as error:
            self._end = None
            if len(batch) > 1 and not isinstance(error, OutsideError):
                for entry in batch:  # one of them is at fault, the others are not
                    self._write([entry])
            else:
                for entry in batch:
                    entry.error = error
        finally:
            for entry in batch:
                entry.done = True
                if not entry.row and entry.error is None:
                    entry.error = OutsideError("sql", "interrupted")

    def _commit(self, batch: list[_Entry]) -> None:
        if self._at_once:
            for _ in range(TRIES):
                if self._commit_at_once(batch):
                    return
        self._commit_in_turn(batch)

    def _commit_at_once(self, batch: list[_Entry]) -> bool:
        """One statement; false when the chain's end is not where we thought."""
        known = self._end or self._look()
        end, rows = known, []
        for entry in batch:
            row = entry.made(end[0] + 1, end[1])
            end = (row["seq"], row["hash"])
            rows.append(row)
        statement, values = self._statement(batch)
        values |= {
            "writer": self._writer_id,
            "known_seq": known[0],
            "known_head": known[1],
            "seq": end[0],
            "head": end[1],
            "events": _to_json(rows),
        }
        if not self._direct.run(statement, values):
            self._end = None
            return False
        self._end = end
        for entry, row in zip(batch, rows, strict=True):
            entry.row = row
        return True

    def _look(self) -> tuple[int, str]:
        """The chain's end in SQL; the chain begins here when there is none."""
        [(seq, head)] = self._direct.run(_LOOK, {"writer": self._writer_id, "head": GENESIS})
        return int(seq), str(head)

    def _statement(self, batch: list[_Entry]) -> tuple[Compiled, Row]:
        """The statement for the tables of a batch, and the rows for each of them."""
        tables = {entry.table.name: entry.table for entry in batch if entry.table is not None}
        key = " ".join(sorted(tables))
        if key not in self._texts:
            self._texts[key] = _text([tables[name] for name in sorted(tables)])
        rows = {
            name: _to_json([dict(entry.values) for entry in batch if entry.table is table])
            for name, table in tables.items()
        }
        return self._texts[key], rows

    def _commit_in_turn(self, batch: list[_Entry]) -> None:
        """The same in an ordinary transaction, which locks this writer's row until the commit."""
        with transaction(self._engine) as connection:
            rows = []
            for entry in batch:
                if entry.table is not None:
                    connection.execute(insert(entry.table), dict(entry.values))
                rows.append(append_in(connection, self._writer_id, entry.made))
        for entry, row in zip(batch, rows, strict=True):
            entry.row = row


# Built once: SQLAlchemy spends more on making a statement than on sending it.
_HEAD = (
    update(writers).where(writers.c.writer_id == bindparam("writer")).values(head=bindparam("h"))
)
_EVENT = insert(events)


@cache
def _next(dialect: str) -> Any:
    """Take the next number; locks this writer's row until the commit."""
    insert_into = (postgresql if dialect == "postgresql" else sqlite).insert
    return (
        insert_into(writers)
        .values(writer_id=bindparam("writer"), seq=1, head=GENESIS)
        .on_conflict_do_update(index_elements=["writer_id"], set_={"seq": writers.c.seq + 1})
        .returning(writers.c.seq, writers.c.head)
    )


def append_in(connection: Connection, writer_id: str, made: Made) -> Row:
    """Append one event in the caller's transaction; the row. Fails with the transaction."""
    end = connection.execute(_next(connection.dialect.name), {"writer": writer_id}).one()
    row = made(end.seq, end.head)
    connection.execute(_EVENT, row)
    connection.execute(_HEAD, {"writer": writer_id, "h": row["hash"]})
    return row


# --- PostgreSQL's words ---------------------------------------------------------------------------

_LOOK = words(
    """
INSERT INTO writers (writer_id, seq, head) VALUES (:writer, 0, :head)
ON CONFLICT (writer_id) DO UPDATE SET seq = writers.seq RETURNING seq, head
""",
    (int, bytes.decode),
)
_MOVED = """
moved AS (UPDATE writers SET seq = :seq, head = :head
WHERE writer_id = :writer AND seq = :known_seq AND head = :known_head RETURNING 1)
"""


def _text(tables: list[Table]) -> Compiled:
    """Move the chain's end; only then, the rows of these tables and the events."""
    parts = [_MOVED] + [f"new_{table.name} AS ({_insert(table, table.name)})" for table in tables]
    return words(f"WITH {', '.join(parts)} {_insert(events, 'events')} RETURNING 1", (int,))


def _insert(table: Table, parameter: str) -> str:
    """Rows from one JSON text; a column that is not named gets NULL, so all must be."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    shape = ", ".join(f'"{column.name}" {column.type.compile(dialect)}' for column in table.columns)
    return (  # nothing but names of our own tables and columns
        f'INSERT INTO "{table.name}" ({names}) SELECT r.* '  # noqa: S608
        f"FROM moved, json_to_recordset(:{parameter}::json) AS r({shape})"
    )


def _time(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


_to_json = json.JSONEncoder(separators=(",", ":"), default=_time).encode
