"""What the tests of the outbox share: a database with one person, couriers, a handler that remembers."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, select

from idp.conf import Keys, Settings
from idp.errors import OutsideError
from idp.events import Event, Kind, Reason
from idp.journal import Journal
from idp.keys import KeyRing
from idp.relying_parties import RelyingParties, RelyingParty
from idp.session_ends import end_session
from idp.signals import Chore, Courier, Letter, Logout, Pace, Poster, outbox
from idp.signals.courier import Outcome
from idp.signals.outbox import LOGOUT
from idp.store.sql import transaction
from idp.store.tables import events, grants, sessions, subjects
from idp.store.tables import outbox as table

ISSUER = "http://localhost:8000"
QUICK = Pace(poll_s=0.1, lease_s=6.0, retries_s=(0.05,) * 5)


def utc_now() -> datetime:
    return datetime.now(UTC)


class World:
    """A database with one person; letters, couriers and relying parties are made as needed."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.journal = Journal(engine, utc_now)
        keys = Keys(key_encryption_key_file=folder / "kek", algorithms=("ES256",))
        settings = Settings(issuer=ISSUER, environment="demo", keys=keys)
        self.keys = KeyRing(engine, self.journal, settings, utc_now)
        self.keys.ensure()
        self.parties = RelyingParties(engine, self.journal, b"s" * 32, utc_now, loopback=True)
        with transaction(engine) as connection:
            connection.execute(
                insert(subjects).values(
                    id="s", issuer=ISSUER, personnel_number="E1", created_at=utc_now()
                )
            )

    def party(self, client_id: str, backchannel: str = "") -> None:
        party = RelyingParty(
            client_id,
            client_id,
            client_id,
            redirect_uris=("https://rp.example.go.kr/callback",),
            backchannel_logout_uri=backchannel,
        )
        self.parties.add(party, "cli:tests")

    def session(self, session_id: str, *parties: str, lasts_s: int = 3600) -> None:
        """A session with a grant of each."""
        now = utc_now()
        text = dict.fromkeys(("source", "personnel_number", "method", "acr"), "x")
        times = {"authenticated_at": now, "seen_at": now}
        end = now + timedelta(seconds=lasts_s)
        own = {"id": session_id, "cookie_hash": session_id, "subject": "s", "journey": "j"}
        with transaction(self.engine) as connection:
            connection.execute(
                insert(sessions).values(**own, **text, **times, means=[], amr=[], expires_at=end)
            )
            for number, party in enumerate(parties):
                connection.execute(
                    insert(grants).values(
                        id=f"{session_id}-{number}",
                        session=session_id,
                        subject="s",
                        client_id=party,
                        scope="openid",
                        created_at=now,
                        expires_at=end,
                    )
                )

    def end(self, session_id: str) -> bool:
        with transaction(self.engine) as connection:
            return end_session(connection, self.journal, session_id, Reason.BY_PERSON, utc_now())

    def write(self, *targets: str, kind: str = "test") -> None:
        with transaction(self.engine) as connection:
            for target in targets:
                outbox.write(connection, kind, target, {"n": 1}, utc_now())

    def claim(self, lease_s: float = 60, without: tuple[str, ...] = ()) -> Letter | None:
        return outbox.claim(self.engine, ("test", LOGOUT), utc_now(), lease_s, without)

    def letters(self) -> list[Any]:
        with transaction(self.engine) as connection:
            return list(connection.execute(select(table).order_by(table.c.target)))

    def kinds(self, prefix: str = "logout:") -> list[tuple[str, str]]:
        """(kind, relying party) of the events, oldest first."""
        with transaction(self.engine) as connection:
            found = connection.scalars(select(events.c.body).order_by(events.c.at, events.c.seq))
            told = [json.loads(body) for body in found]
        return [
            (event["kind"], event.get("relying_party", ""))
            for event in told
            if event["kind"].startswith(prefix)
        ]

    def logout(self, total_s: float = 3.0) -> Logout:
        post = Poster(loopback=True, total_s=total_s)
        return Logout(ISSUER, self.parties, self.keys, post, utc_now)

    @contextmanager
    def courier(self, handler: Any, pace: Pace = QUICK, *chores: Chore) -> Iterator[Courier]:
        """Another process's courier, as far as the database can tell."""
        journal = Journal(self.engine, utc_now)
        handlers = {"test": handler, LOGOUT: handler}
        made = Courier(self.engine, journal, handlers, utc_now, chores=chores, pace=pace)
        made.start()
        try:
            yield made
        finally:
            made.stop()


class Told:
    """A handler that remembers, and does for each target what the test says."""

    def __init__(self, **does: Callable[[Letter], None]) -> None:
        self.does = does
        self.letters: list[Letter] = []
        self.at_once: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self._lock = threading.Lock()

    def deliver(self, letter: Letter) -> None:
        target = letter.target
        with self._lock:
            self.letters.append(letter)
            self.at_once[target] = self.at_once.get(target, 0) + 1
            self.most[target] = max(self.most.get(target, 0), self.at_once[target])
        try:
            self.does.get(target, lambda _letter: None)(letter)
        finally:
            with self._lock:
                self.at_once[target] -= 1

    def event(self, letter: Letter, outcome: Outcome, cause: str) -> Event:
        kinds = (Kind.LOGOUT_DELIVERED, Kind.LOGOUT_DELAYED, Kind.LOGOUT_FAILED)
        kind = dict(zip(Outcome, kinds, strict=True))[outcome]
        return Event(kind, relying_party=letter.target, data={"cause": cause})


def until(holds: Callable[[], object], deadline_s: float = 10) -> None:
    end = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def refuse(_letter: Letter) -> None:
    raise OutsideError("relying_party", "status 500")
