"""The journal: writes events into the transaction of the change, chained by hash per writer; reads them.

Each row carries `writer_id`, `seq` (gap-free per writer), the hash of the row before and its own:
hash = SHA-256(prev_hash || body), body = canonical JSON of the whole record. Rows are never changed.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from idp import randomness
from idp.events import Event
from idp.metrics import EVENTS
from idp.store.sql import transaction
from idp.store.tables import events, writers

GENESIS = "0" * 64
_LIMIT = 200  # characters of any single field: longer ones are cut and marked
_log = structlog.get_logger("gongmu.events")


class Journal:
    """One writer per process. `record` is called inside the transaction of the change it tells of."""

    def __init__(self, engine: Engine, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now
        self.writer_id = randomness.token(16)

    def record(self, connection: Connection, event: Event) -> str:
        """Append one event in the caller's transaction; gives its id. Fails with the transaction."""
        seq, prev_hash = self._next(connection)
        at = self._now()
        event_id = randomness.token(16)
        body = canonical(
            {
                "id": event_id,
                "writer_id": self.writer_id,
                "seq": seq,
                "at": at.isoformat(),
                "outcome": event.outcome,
                **_fields(event),
            }
        )
        row_hash = chain_hash(prev_hash, body)
        connection.execute(
            insert(events).values(
                writer_id=self.writer_id,
                seq=seq,
                id=event_id,
                at=at,
                kind=event.kind.value,
                outcome=event.outcome,
                reason=event.reason.value,
                journey=event.journey,
                subject=event.subject,
                session=event.session,
                body=body,
                prev_hash=prev_hash,
                hash=row_hash,
            )
        )
        connection.execute(
            update(writers).where(writers.c.writer_id == self.writer_id).values(head=row_hash)
        )
        EVENTS.labels(event.kind.value, event.reason.value).inc()
        _log.info(event.kind.value, reason=event.reason.value, journey=event.journey, id=event_id)
        return event_id

    def record_alone(self, event: Event) -> str:
        """One event in a transaction of its own (refusals, which change nothing else)."""
        with transaction(self._engine) as connection:
            return self.record(connection, event)

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

    def _next(self, connection: Connection) -> tuple[int, str]:
        """The next number and the hash before it; locks this writer's row until the commit."""
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        row = connection.execute(
            dialect.insert(writers)
            .values(writer_id=self.writer_id, seq=1, head=GENESIS)
            .on_conflict_do_update(index_elements=["writer_id"], set_={"seq": writers.c.seq + 1})
            .returning(writers.c.seq, writers.c.head)
        ).one()
        return row.seq, row.head


def chain_hash(prev_hash: str, body: str) -> str:
    """SHA-256 over the hash before and this body."""
    return hashlib.sha256(f"{prev_hash}{body}".encode()).hexdigest()


def canonical(record: dict[str, Any]) -> str:
    """One spelling per record: sorted keys, no spaces, ASCII only (control characters escaped)."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


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
    return {
        name: _cut(value)
        for name, value in asdict(event).items()
        if value not in ("", (), {}) or name == "kind"
    }


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LIMIT:
        mark = hashlib.sha256(value.encode(errors="replace")).hexdigest()[:16]
        return f"{value[:_LIMIT]}...[cut {len(value)} sha256:{mark}]"
    if isinstance(value, dict):
        return {str(name): _cut(str(item)) for name, item in value.items()}
    return value
