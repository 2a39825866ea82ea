"""Relying parties that register themselves: who was invited, and who may change what it registered.

An invitation is an initial access token (RFC 7591 §3), made by an administrator, good for few uses and
days. Who registers gets a registration access token (RFC 7592), another one with each change. Both are
kept as HMAC-SHA256 under a sealed key and spent in the transaction of what they allow, so that two who
hold the same one at the same moment cannot both use it. A disabled party has no token that counts (A-236).
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from idp import randomness
from idp.errors import UnauthorizedError
from idp.events import Event, Kind, Reason
from idp.journal import Journal
from idp.relying_parties import RelyingParties, RelyingParty
from idp.store.sql import transaction, utc
from idp.store.tables import initial_access_tokens as invitations
from idp.store.tables import relying_parties

_MAX_TOKEN = 128


@dataclass(frozen=True, slots=True)
class Invitation:
    """Who may register by itself; the token is shown when it is made and never again."""

    id: str
    note: str
    uses_left: int
    expires_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Registered:
    """What the party must keep: shown this once."""

    client_secret: str  # "" when it uses none, or has it already
    registration_token: str


class SelfRegistration:
    """Invitations and registration access tokens. Every method raises OutsideError when SQL is away."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        parties: RelyingParties,
        key: bytes,
        now: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._parties = parties
        self._key = key
        self._now = now

    def invite(self, note: str, uses: int, days: int, actor: str) -> tuple[Invitation, str]:
        """A new invitation, and its initial access token."""
        token = randomness.token(32)
        found = Invitation(
            randomness.token(16), note, uses, self._now() + timedelta(days=days), actor
        )
        with transaction(self._engine) as connection:
            connection.execute(
                insert(invitations).values(
                    id=found.id,
                    mac=self._mac("invitation", token),
                    note=note,
                    uses_left=uses,
                    created_at=self._now(),
                    expires_at=found.expires_at,
                    created_by=actor,
                )
            )
            self._record(connection, actor, "invited", found.id)
        return found, token

    def all(self) -> list[Invitation]:
        """Those that can still be used, the newest first."""
        query = (
            select(invitations)
            .where(invitations.c.uses_left > 0, invitations.c.expires_at > self._now())
            .order_by(invitations.c.created_at.desc())
        )
        with transaction(self._engine) as connection:
            return [
                Invitation(
                    row.id,
                    row.note,
                    row.uses_left,
                    utc(row.expires_at) or self._now(),
                    row.created_by,
                )
                for row in connection.execute(query)
            ]

    def withdraw(self, invitation_id: str, actor: str) -> bool:
        """Nobody can register by this one any more; False when there is none."""
        with transaction(self._engine) as connection:
            done = connection.execute(
                delete(invitations).where(invitations.c.id == invitation_id)
            ).rowcount
            if done:
                self._record(connection, actor, "uninvited", invitation_id)
        return bool(done)

    def check(self, token: str) -> None:
        """Before anything is done for the caller. UnauthorizedError unless it was invited."""
        with transaction(self._engine) as connection:
            query = select(invitations.c.id).where(*self._open(token))
            if connection.scalar(query) is None:
                raise refused()

    def register(self, token: str, party: RelyingParty) -> Registered:
        """Register a party by an invitation, which is spent. UnauthorizedError, ConfError."""
        registration_token = randomness.token(32)

        def also(connection: Connection) -> None:
            spent = connection.execute(
                update(invitations)
                .where(*self._open(token))
                .values(uses_left=invitations.c.uses_left - 1)
            )
            if spent.rowcount != 1:
                raise refused()
            self._keep(connection, party.client_id, registration_token)

        secret = self._parties.add(party, _actor(party.client_id), also)
        return Registered(secret, registration_token)

    def party_of(self, client_id: str, token: str) -> RelyingParty:
        """The party whose registration access token this is. UnauthorizedError (A-236)."""
        query = select(relying_parties.c.registration_mac).where(
            relying_parties.c.client_id == client_id, relying_parties.c.disabled_at.is_(None)
        )
        with transaction(self._engine) as connection:
            expected = connection.scalar(query) or "-" * 64
        same = hmac.compare_digest(self._token_mac(client_id, token).encode(), expected.encode())
        party = self._parties.fresh(client_id) if same else None
        if party is None:
            raise refused()
        return party

    def change(self, token: str, party: RelyingParty, *, since: RelyingParty) -> str:
        """Change a party; its next registration access token. UnauthorizedError, ConfError."""
        following = randomness.token(32)

        def also(connection: Connection) -> None:
            self._spend(connection, party.client_id, token)
            self._keep(connection, party.client_id, following)

        self._parties.update(party, _actor(party.client_id), also, since=since)
        return following

    def remove(self, client_id: str, token: str) -> None:
        """End a party by its own wish; the row stays, for its id and its subs are nobody else's."""

        def also(connection: Connection) -> None:
            self._spend(connection, client_id, token)

        self._parties.set_disabled(client_id, True, _actor(client_id), also)

    def _open(self, token: str) -> tuple[Any, ...]:
        """The invitation of this token, while it can be used."""
        return (
            invitations.c.mac == self._mac("invitation", token),
            invitations.c.uses_left > 0,
            invitations.c.expires_at > self._now(),
        )

    def _spend(self, connection: Connection, client_id: str, token: str) -> None:
        """Of two changes with one token, one is refused."""
        done = connection.execute(
            update(relying_parties)
            .where(
                relying_parties.c.client_id == client_id,
                relying_parties.c.registration_mac == self._token_mac(client_id, token),
                relying_parties.c.disabled_at.is_(None),
            )
            .values(registration_mac="")
        )
        if done.rowcount != 1:
            raise refused()

    def _keep(self, connection: Connection, client_id: str, token: str) -> None:
        connection.execute(
            update(relying_parties)
            .where(relying_parties.c.client_id == client_id)
            .values(registration_mac=self._token_mac(client_id, token))
        )

    def _token_mac(self, client_id: str, token: str) -> str:
        return self._mac(f"registration\n{client_id}", token)

    def _mac(self, what: str, token: str) -> str:
        """Of a token that is presented, in whatever length: what is too long is no token."""
        octets = f"{what}\n{token[: _MAX_TOKEN + 1]}".encode(errors="replace")
        return hmac.new(self._key, octets, "sha256").hexdigest()

    def _record(self, connection: Connection, actor: str, change: str, invitation: str) -> None:
        facts = {"change": change, "invitation": invitation}
        event = Event(Kind.RELYING_PARTY_CHANGED, actor=actor, data=facts)
        self._journal.record(connection, event)


def refused() -> UnauthorizedError:
    """One answer for every token that does not count."""
    public = "the token does not count"
    return UnauthorizedError(
        "invalid_token", public, scheme="Bearer", reason=Reason.CLIENT_AUTHENTICATION
    )


def _actor(client_id: str) -> str:
    return f"self:{client_id}"
