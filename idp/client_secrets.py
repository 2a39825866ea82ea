"""The secrets of relying parties: two live at a time, so that one can be changed without an outage.

Kept as HMAC-SHA256 under a sealed key: they are random, so there is nothing for a slow hash to slow
down. When one was last used is noted in memory and written by a chore, never while a caller waits.
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Row, delete, func, insert, or_, select, update

from idp import randomness
from idp.errors import ConfError, Problem
from idp.events import Event, Kind
from idp.journal import Journal
from idp.store.sql import transaction, utc
from idp.store.tables import client_secrets as table
from idp.store.tables import relying_parties

MOST = 2
EVERY_S = 60.0  # how often the last use of a secret is written, at most
_NONE = "-" * 64


@dataclass(frozen=True, slots=True)
class Kept:
    """What is needed to tell a right secret from a wrong one."""

    id: str
    mac: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Secret:
    """What an administrator sees of one."""

    id: str
    created_at: datetime
    expires_at: datetime | None  # None: it does not
    used_at: datetime | None  # within two minutes; None: never


class ClientSecrets:
    """Safe for threads. `changed` is called with the client whose secrets have changed."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        key: bytes,
        now: Callable[[], datetime],
        changed: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._key = key
        self._now = now
        self._changed = changed
        self._used: dict[str, datetime] = {}

    def is_right(self, client_id: str, secret: str, kept: Sequence[Kept]) -> bool:
        """Constant-time; a client without secrets costs the same as one with a wrong one (E5)."""
        made, now, right = self._mac(client_id, secret).encode(), self._now(), False
        for one in kept or (Kept("", _NONE, None),):
            same = hmac.compare_digest(made, one.mac.encode())
            if same and (one.expires_at is None or now < one.expires_at):
                self._used[one.id] = now
                right = True
        return right

    def of(self, client_id: str) -> list[Secret]:
        """Those of a client, expired ones too, the oldest first."""
        query = select(table).where(table.c.client_id == client_id).order_by(table.c.created_at)
        with transaction(self._engine) as connection:
            return [
                Secret(
                    row.id,
                    utc(row.created_at),
                    utc(row.expires_at),
                    utc(row.used_at),
                )
                for row in connection.execute(query)
            ]

    def add(self, client_id: str, actor: str, life: timedelta | None = None) -> tuple[str, str]:
        """One more, beside the one there is: its id, and the secret, shown this once.

        ConfError for an unknown client, or one that has two that count.
        """
        now = self._now()
        with transaction(self._engine) as connection:
            _lock(connection, client_id)
            counts = or_(table.c.expires_at.is_(None), table.c.expires_at > now)
            live = select(func.count()).where(table.c.client_id == client_id, counts)
            if int(connection.scalar(live) or 0) >= MOST:
                raise _fault(client_id, f"{MOST} that count", "one removed first")
            made = self.make(connection, client_id, now + life if life else None)
            self._record(connection, client_id, actor, "secret_added", made[0])
        self._changed(client_id)
        return made

    def replace(self, client_id: str, actor: str) -> str:
        """A new one in place of all there are, dead within two seconds. ConfError: unknown client."""
        with transaction(self._engine) as connection:
            _lock(connection, client_id)
            connection.execute(delete(table).where(table.c.client_id == client_id))
            secret_id, secret = self.make(connection, client_id)
            self._record(connection, client_id, actor, "secret", secret_id)
        self._changed(client_id)
        return secret

    def remove(self, client_id: str, secret_id: str, actor: str) -> None:
        """It is dead within two seconds. ConfError when the client has none with this id."""
        with transaction(self._engine) as connection:
            mine = (table.c.client_id == client_id, table.c.id == secret_id)
            if connection.execute(delete(table).where(*mine)).rowcount != 1:
                raise _fault(client_id, "no secret with that id", "one of: gongmu rp secret list")
            self._record(connection, client_id, actor, "secret_removed", secret_id)
        self._changed(client_id)

    def make(
        self, connection: Connection, client_id: str, expires_at: datetime | None = None
    ) -> tuple[str, str]:
        """In the caller's transaction: a new one, as `add` gives it."""
        secret_id, secret = randomness.token(16), randomness.token(32)
        connection.execute(
            insert(table).values(
                id=secret_id,
                client_id=client_id,
                mac=self._mac(client_id, secret),
                created_at=self._now(),
                expires_at=expires_at,
            )
        )
        return secret_id, secret

    def write_used(self) -> None:
        """A chore: when each was last used, once for however many uses. OutsideError."""
        used, self._used = self._used, {}
        if not used:
            return
        with transaction(self._engine) as connection:
            for secret_id, at in sorted(used.items()):  # in one order: workers write at once
                former = at - timedelta(seconds=EVERY_S)  # whichever worker wrote it
                older = or_(table.c.used_at.is_(None), table.c.used_at <= former)
                connection.execute(
                    update(table).where(table.c.id == secret_id, older).values(used_at=at)
                )

    def _mac(self, client_id: str, secret: str) -> str:
        return hmac.new(self._key, f"{client_id}\n{secret}".encode(), "sha256").hexdigest()

    def _record(
        self, connection: Connection, client_id: str, actor: str, change: str, secret_id: str
    ) -> None:
        data = {"change": change, "secret": secret_id}
        event = Event(Kind.RELYING_PARTY_CHANGED, actor=actor, relying_party=client_id, data=data)
        self._journal.record(connection, event)


def kept_of(rows: Sequence[Row[tuple[str | None, str, datetime | None]]]) -> tuple[Kept, ...]:
    """From rows (secret_id, mac, expires_at) of an outer join."""
    return tuple(Kept(row.secret_id, row.mac, utc(row.expires_at)) for row in rows if row.secret_id)


def _lock(connection: Connection, client_id: str) -> None:
    """Changes of one client's secrets one after the other."""
    mine = relying_parties.c.client_id == client_id
    done = connection.execute(update(relying_parties).where(mine).values(client_id=client_id))
    if done.rowcount != 1:
        raise _fault(client_id, "an unknown client", "a registered one")


def _fault(client_id: str, found: str, allowed: str) -> ConfError:
    return ConfError([Problem(f"relying party {client_id}", "secrets", None, found, allowed)])
