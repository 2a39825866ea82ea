"""The keys' rows in SQL. One process changes them at a time; every change has its event beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, text, update

from idp.events import Event, Kind
from idp.journal import Journal
from idp.store.sql import transaction, utc
from idp.store.tables import signing_keys

_LOCK = 0x676F6E676D75  # "gongmu"; any number that no other program of the database uses


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key as it is stored."""

    kid: str
    use: str  # oidc, verifier, issuer, verifier-root, issuer-root, secret
    algorithm: str
    state: str  # next, active, retired, withdrawn
    sealed: bytes
    public_jwk: dict[str, str]
    chain: list[str]  # base64 DER, leaf first
    created_at: datetime
    active_at: datetime | None = None
    retired_at: datetime | None = None


class Register:
    """Reads and changes the rows. OutsideError when SQL is away."""

    def __init__(self, engine: Engine, journal: Journal) -> None:
        self._engine = engine
        self._journal = journal

    def rows(self) -> list[KeyRow]:
        """All of them, oldest first."""
        with transaction(self._engine) as connection:
            return read(connection)

    @contextmanager
    def change(self, actor: str = "") -> Iterator["Change"]:
        """A transaction that no other process shares, so that two starts make one set of keys."""
        with transaction(self._engine) as connection:
            if connection.dialect.name == "postgresql":  # SQLite's BEGIN IMMEDIATE does the same
                connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
            yield Change(connection, self._journal, actor)


class Change:
    """One such transaction."""

    def __init__(self, connection: Connection, journal: Journal, actor: str) -> None:
        self._connection = connection
        self._journal = journal
        self._actor = actor

    def rows(self) -> list[KeyRow]:
        """All of them as they are now."""
        return read(self._connection)

    def add(self, row: KeyRow) -> None:
        """A new key."""
        values = {field.name: getattr(row, field.name) for field in fields(KeyRow)}
        self._connection.execute(insert(signing_keys).values(**values))
        self._record(row, row.state)

    def set_state(self, row: KeyRow, state: str, now: datetime) -> None:
        """The key goes on to its next state."""
        moment = "active_at" if state == "active" else "retired_at"
        self._connection.execute(
            update(signing_keys)
            .where(signing_keys.c.kid == row.kid)
            .values({"state": state, moment: now})
        )
        self._record(row, state)

    def _record(self, row: KeyRow, state: str) -> None:
        facts = {"use": row.use, "algorithm": row.algorithm, "state": state}
        self._journal.record(
            self._connection, Event(Kind.KEY_CHANGED, actor=self._actor, key=row.kid, data=facts)
        )


def read(connection: Connection) -> list[KeyRow]:
    """The rows, oldest first."""
    query = select(signing_keys).order_by(signing_keys.c.created_at, signing_keys.c.kid)
    return [_row(row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name


def _row(cells: Any) -> KeyRow:
    values = dict(cells)
    for name in ("created_at", "active_at", "retired_at"):
        values[name] = utc(values[name])
    return KeyRow(**values)
