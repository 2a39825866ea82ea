"""The journal: writes events into the transaction of the change, chained by hash per writer; reads them.

Each row carries `writer_id`, `seq` (gap-free per writer), the hash of the row before and its own:
hash = SHA-256(prev_hash || body), body = canonical JSON of the whole record. Rows are never changed.

`record` writes within the caller's transaction. `record_alone` and `record_with` wait until their event
is committed, and share one transaction with whoever waits at the same moment (`appending.py`).
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache, partial
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Table, select

from idp import randomness
from idp.events import Event
from idp.metrics import EVENTS
from idp.store.appending import GENESIS, Appender, append_in
from idp.store.sql import transaction
from idp.store.tables import events, writers

_LIMIT = 200  # characters of any single field: longer ones are cut and marked
_log = structlog.get_logger("gongmu.events")
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode
_counter = cache(EVENTS.labels)


class Journal:
    """One writer per process. `record` is called inside the transaction of the change it tells of."""

    def __init__(self, engine: Engine, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now
        self.writer_id = randomness.token(16)
        self._appender = Appender(engine, self.writer_id)

    def record(self, connection: Connection, event: Event) -> str:
        """Append one event in the caller's transaction; gives its id. Fails with the transaction."""
        self._appender.forget()  # what it knows of the chain's end is about to be old
        row = append_in(connection, self.writer_id, partial(self._row, event))
        self._told(event, row)
        return str(row["id"])

    def record_alone(self, event: Event) -> str:
        """One event that is written when this returns (refusals, which change nothing else)."""
        return self._append(event, None, {})

    def record_with(self, event: Event, table: Table, values: Mapping[str, Any]) -> str:
        """A new row of a table and its event, in one transaction. OutsideError: neither is there."""
        return self._append(event, table, values)

    def _append(self, event: Event, table: Table | None, values: Mapping[str, Any]) -> str:
        row = self._appender.append(partial(self._row, event), table, values)
        self._told(event, row)
        return str(row["id"])

    def _row(self, event: Event, seq: int, prev_hash: str) -> dict[str, Any]:
        """The row of an event at this place in the chain."""
        at, event_id = self._now(), randomness.token(16)
        body = canonical(
            {
                **_fields(event),
                "id": event_id,
                "writer_id": self.writer_id,
                "seq": seq,
                "at": at.isoformat(),
            }
        )
        return {
            "writer_id": self.writer_id,
            "seq": seq,
            "id": event_id,
            "at": at,
            "kind": event.kind.value,
            "outcome": event.outcome,
            "reason": event.reason.value,
            "journey": event.journey,
            "subject": event.subject,
            "session": event.session,
            "body": body,
            "prev_hash": prev_hash,
            "hash": chain_hash(prev_hash, body),
        }

    def _told(self, event: Event, row: Mapping[str, Any]) -> None:
        _counter(event.kind.value, event.reason.value).inc()
        _log.info(event.kind.value, reason=event.reason.value, journey=event.journey, id=row["id"])

    def read(
        self, *, limit: int = 100, before: datetime | None = None, **match: str
    ) -> list[dict[str, Any]]:
        """The newest events first. `match`: kind, journey, subject, reason, session."""
        query = select(events.c.body).order_by(events.c.at.desc(), events.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(events.c.at < before)
        for name, value in match.items():
            query = query.where(events.c[name] == value)
        with transaction(self._engine) as connection:
            return [json.loads(body) for body in connection.scalars(query)]


def chain_hash(prev_hash: str, body: str) -> str:
    """SHA-256 over the hash before and this body."""
    return hashlib.sha256(f"{prev_hash}{body}".encode()).hexdigest()


def canonical(record: dict[str, Any]) -> str:
    """One spelling per record: sorted keys, no spaces, ASCII only (control characters escaped)."""
    return _canonical(record)


def verify_chains(engine: Engine) -> Iterator[str]:
    """The faults of every chain, as sentences naming the first bad record; nothing when all is well."""
    with transaction(engine) as connection:
        heads = {row.writer_id: (row.seq, row.head) for row in connection.execute(select(writers))}
        reached = dict.fromkeys(heads, (0, GENESIS))
        for row in connection.execute(select(events).order_by(events.c.writer_id, events.c.seq)):
            seq, head = reached.get(row.writer_id, (0, GENESIS))
            hash_now = chain_hash(head, row.body)
            if (row.seq, row.prev_hash, row.hash) != (seq + 1, head, hash_now):
                yield f"writer {row.writer_id}: record {row.seq} does not follow record {seq}"
            reached[row.writer_id] = (row.seq, row.hash)
    for writer_id, end in reached.items():
        if end != heads.get(writer_id):
            yield f"writer {writer_id}: the chain ends at record {end[0]}, not at its head"


def _fields(event: Event) -> dict[str, Any]:
    """What an event says; empty fields are left out."""
    return {
        name: _cut(value)
        for name in Event.__slots__
        if (value := getattr(event, name)) or name == "kind"
    }


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LIMIT:
        mark = hashlib.sha256(value.encode(errors="replace")).hexdigest()[:16]
        return f"{value[:_LIMIT]}...[cut {len(value)} sha256:{mark}]"
    if isinstance(value, Mapping):
        return {str(name): _cut(str(item)) for name, item in value.items()}
    return value
