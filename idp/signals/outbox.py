"""The outbox in SQL: letters are written with the change they tell of, claimed on a lease, settled."""

import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from idp import randomness
from idp.store.sql import transaction, utc
from idp.store.tables import grants, outbox, relying_parties, sessions

LOGOUT = "backchannel_logout"
_bells: "WeakKeyDictionary[Engine, threading.Event]" = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Letter:
    """One thing to tell one receiver. `tries` counts this one too and says whose claim it is."""

    id: str
    kind: str
    target: str  # client_id
    body: dict[str, Any]
    tries: int
    created_at: datetime


def announce_end(connection: Connection, ended: Collection[str], now: datetime) -> None:
    """In the transaction that ends these sessions: a letter to each relying party that had a grant.

    Grants that ended earlier count too: the relying party's own session may well live on. To be
    called before the events are written, whose lock is the last that anyone takes.
    """
    if not ended:
        return
    address = relying_parties.c.settings["backchannel_logout_uri"].as_string()
    rows = connection.execute(
        select(grants.c.client_id, sessions.c.id, sessions.c.subject, sessions.c.journey)
        .distinct()
        .join(sessions, sessions.c.id == grants.c.session)
        .join(relying_parties, relying_parties.c.client_id == grants.c.client_id)
        .where(sessions.c.id.in_(ended), address != "")
    ).all()
    for row in rows:
        body = {"session": row.id, "subject": row.subject, "journey": row.journey}
        write(connection, LOGOUT, row.client_id, body, now)


def write(
    connection: Connection, kind: str, target: str, body: dict[str, Any], now: datetime
) -> None:
    """One letter, in the caller's transaction."""
    connection.execute(
        insert(outbox).values(
            id=randomness.token(16), kind=kind, target=target, body=body, created_at=now, due_at=now
        )
    )
    # Heard before the commit, for nobody tells us of that; the courier waits a moment first, and
    # what it misses it finds within the second.
    if connection.engine in _bells:
        _bells[connection.engine].set()


def bell_of(engine: Engine) -> threading.Event:
    """What rings in this process when a letter is written."""
    return _bells.setdefault(engine, threading.Event())


def claim(
    engine: Engine, kinds: Collection[str], now: datetime, lease_s: float, without: Collection[str]
) -> Letter | None:
    """The letter that is due longest, for `lease_s` ours alone; None when there is none.

    `without` names targets that have enough of our attention. Rows that another worker is just
    claiming are skipped, not waited for (SQLite has one writer at a time anyway).
    """
    due = (
        select(outbox.c.id)
        .where(
            outbox.c.done_at.is_(None),
            outbox.c.due_at <= now,
            outbox.c.kind.in_(kinds),
            outbox.c.target.not_in(without),
        )
        .order_by(outbox.c.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    with transaction(engine) as connection:
        letter_id = connection.scalar(due)
        if letter_id is None:
            return None
        row = connection.execute(
            update(outbox)
            .where(outbox.c.id == letter_id)
            .values(due_at=now + timedelta(seconds=lease_s), tries=outbox.c.tries + 1)
            .returning(outbox)
        ).one()
    created_at = utc(row.created_at) or row.created_at
    return Letter(row.id, row.kind, row.target, row.body, row.tries, created_at)


def settle(
    connection: Connection,
    letter: Letter,
    now: datetime,
    *,
    again_at: datetime | None,
    failed: bool,
) -> bool:
    """Done, failed, or due `again_at`. False when the lease was over and another worker has it."""
    values: dict[str, Any] = {"failed": failed}
    values |= {"done_at": now} if again_at is None else {"due_at": again_at}
    settled = connection.execute(
        update(outbox)
        .where(outbox.c.id == letter.id, outbox.c.tries == letter.tries, outbox.c.done_at.is_(None))
        .values(**values)
    )
    return settled.rowcount == 1


def waiting(engine: Engine) -> int:
    """How many letters are neither delivered nor given up. OutsideError when SQL is away."""
    with transaction(engine) as connection:
        query = select(func.count()).select_from(outbox).where(outbox.c.done_at.is_(None))
        return connection.scalar(query) or 0


def forget(engine: Engine, before: datetime) -> int:
    """Delete what was settled before that time: its events tell of it. Gives how many."""
    with transaction(engine) as connection:
        return connection.execute(delete(outbox).where(outbox.c.done_at < before)).rowcount
