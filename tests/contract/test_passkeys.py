"""The register of passkeys, on SQLite and on PostgreSQL: whose, how many, until when."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from idp import randomness
from idp.conf import Stores
from idp.contracts import (
    Identifier,
    MobileIdState,
    NewPasskey,
    Official,
    Passkey,
    PasskeyState,
    State,
)
from idp.cutoff import Cutoff, passkey_must_be_live
from idp.errors import AccessDenied
from idp.events import Kind, Reason
from idp.journal import Journal, verify_chains
from idp.passkeys import PasskeyRegister, Seen
from idp.people import People
from idp.sessions import Session
from idp.store import migrations
from idp.store.sql import open_engine, transaction
from idp.store.tables import cut_offs, sessions

START = datetime(2027, 3, 5, 9, 0, tzinfo=UTC)
ISSUER = "https://id.example.go.kr"
LIVE, SUSPENDED, REMOVED = PasskeyState.LIVE, PasskeyState.SUSPENDED, PasskeyState.REMOVED
SEEN = Seen("192.0.2.1", "", "Chrome, Windows")
DATA = {"counter": 1, "model": "", "synced": False}


class Directory:
    """Everybody is in service."""

    name = "esaram"

    def find(self, personnel_number: str) -> Official:
        return Official("esaram", personnel_number, State.ACTIVE, "홍길동", "", "", "", "", ())

    def search(self, text: str, limit: int) -> list[Official]:
        return [self.find(text)][:limit]

    def check(self) -> None:
        pass


class World:
    """A register with its clock; `another()` is a second process on the same database."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.at = engine, START
        self.journal = Journal(engine, self.now)
        self.people = People([Directory()], engine, self.now)
        self.cutoff = Cutoff(engine, self.journal, self.people, ISSUER, self.now)
        self.register = self.another()

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at

    def another(self) -> PasskeyRegister:
        journal = Journal(self.engine, self.now)
        return PasskeyRegister(self.engine, journal, b"k" * 32, 10, self.now)

    def session(self, number: str = "E1", **columns: str) -> Session:
        with transaction(self.engine) as connection:
            subject = self.people.subject(connection, Identifier(ISSUER, number))
            row: dict[str, Any] = {
                "id": randomness.token(16),
                "subject": subject,
                "source": "esaram",
                "personnel_number": number,
                "journey": "j",
                "method": "mobile_id",
                "means": ["qr"],
                "acr": "phr",
                "amr": ["pop"],
                "mobile_id": "",
                "device": "",
                "address": "",
                "authenticated_at": self.now(),
                "seen_at": self.at,
                "expires_at": self.at + timedelta(hours=12),
                **columns,
            }
            connection.execute(insert(sessions).values(cookie_hash=randomness.token(16), **row))
        row = {name: row[name] for name in row if name not in ("passkey", "successor")}
        return Session(**{**row, "means": ("qr",), "amr": ("pop",), "cut_off": False})

    def enrol(self, session: Session, mobile_id: str = "", **changed: Any) -> Passkey:
        new = NewPasskey(randomness.token(16).encode(), DATA, on_this_device=True)
        return self.register.enrol(session, replace(new, **changed), "열쇠", mobile_id, SEEN)

    def ended(self, session: Session) -> str:
        query = select(sessions.c.end_reason).where(sessions.c.id == session.id)
        with transaction(self.engine) as connection:
            return str(connection.scalar(query))

    def phone(self, number: str = "E1") -> str:
        offer = self.cutoff.offer(number, "staff", START + timedelta(days=900))
        return self.cutoff.issue(offer.id, "thumbprint").id

    def state(self, passkey: Passkey) -> PasskeyState:
        found = self.register.get(passkey.id)
        assert found is not None
        return found.state


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = f"sqlite:///{tmp_path}/test.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_database")
    engine = open_engine(Stores(sql_url=url))
    migrations.upgrade(engine)
    yield World(engine)
    assert list(verify_chains(engine)) == []
    engine.dispose()


def refused(reason: Reason) -> Any:
    return pytest.raises(AccessDenied, check=lambda error: error.reason is reason)


def test_what_is_kept_is_found_and_told(world: World) -> None:
    mine = world.session()
    made = world.enrol(mine)
    assert world.register.find(made.credential_id) == made
    assert made.identifier == Identifier(ISSUER, "E1")
    assert made.user_handle == world.register.user_handle(mine.subject)
    assert len(made.user_handle) == 32
    [told] = world.journal.read(kind=Kind.PASSKEY_ADDED)
    assert (told["passkey"], told["session"], told["subject"]) == (made.id, mine.id, mine.subject)
    assert told["device"] == SEEN.device
    assert "열쇠" not in str(told)


def test_two_people_have_two_handles_and_one_person_one(world: World) -> None:
    mine, also_mine, other = world.session(), world.session(), world.session("E2")
    handles = [world.enrol(session).user_handle for session in (mine, also_mine, other)]
    assert handles[0] == handles[1] != handles[2]


def test_a199_a_credential_that_anyone_has_is_taken_by_nobody_else(world: World) -> None:
    made = world.enrol(world.session())
    for session in (world.session(), world.session("E2")):
        with refused(Reason.PASSKEY_TAKEN):
            world.enrol(session, credential_id=made.credential_id)
    world.register.set_state(made.id, REMOVED, "cli:root")
    with refused(Reason.PASSKEY_TAKEN):
        world.enrol(world.session("E2"), credential_id=made.credential_id)
    assert len(world.journal.read(kind=Kind.PASSKEY_ADDED)) == 1


@pytest.mark.parametrize("length", [0, 1024])
def test_a199_ids_of_no_fitting_length(world: World, length: int) -> None:
    with refused(Reason.PASSKEY_TAKEN):
        world.enrol(world.session(), credential_id=b"x" * length)
    assert len(world.enrol(world.session(), credential_id=b"x" * 1023).credential_id) == 1023


def test_a202_a_hundred_at_once_stay_within_the_limit(world: World) -> None:
    mine = world.session()
    ready = threading.Barrier(20)
    registers = [world.another() for _ in range(2)]

    def enrol(number: int) -> str:
        if number < 20:
            ready.wait()
        new = NewPasskey(f"credential {number}".encode(), DATA, on_this_device=False)
        try:
            registers[number % 2].enrol(mine, new, "열쇠", "", SEEN)
        except AccessDenied as error:
            return error.reason.value
        return "done"

    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(enrol, range(100)))
    assert (told.count("done"), told.count("passkey_limit")) == (10, 90)
    assert len(world.register.of(mine.subject)) == 10


def test_suspended_ones_count_and_removed_ones_do_not(world: World) -> None:
    mine = world.session()
    kept = [world.enrol(mine) for _ in range(10)]
    world.register.set_state(kept[0].id, SUSPENDED, "cli:root")
    with refused(Reason.PASSKEY_LIMIT):
        world.enrol(mine)
    world.register.set_state(kept[0].id, REMOVED, "cli:root")
    assert world.enrol(mine).state is LIVE


def test_r062_a_session_that_ended_adds_nothing(world: World) -> None:
    mine = world.session()
    with transaction(world.engine) as connection:
        connection.execute(update(sessions).values(ended_at=world.now()))
    with refused(Reason.SESSION_OVER):
        world.enrol(mine)


def test_who_was_cut_off_since_adds_nothing(world: World) -> None:
    mine = world.session()
    cut = {"id": "c", "subject": mine.subject, "reason": "lost", "at": world.now()}
    with transaction(world.engine) as connection:
        connection.execute(insert(cut_offs).values(cut))
    with refused(Reason.CUT_OFF):
        world.enrol(mine)


def test_advance_is_compare_and_set(world: World) -> None:
    made = world.enrol(world.session())
    assert world.register.advance(made, {**DATA, "counter": 2})
    assert not world.another().advance(made, {**DATA, "counter": 3})
    found = world.register.get(made.id)
    assert found is not None
    assert (found.data["counter"], found.version) == (2, 1)
    assert found.used_at is not None
    world.register.set_state(made.id, SUSPENDED, "cli:root")
    assert not world.register.advance(found, DATA)


@pytest.mark.parametrize("state", [SUSPENDED, REMOVED])
def test_r062_what_it_opened_ends_with_it(world: World, state: PasskeyState) -> None:
    mine = world.session()
    made, other = world.enrol(mine), world.enrol(mine)
    opened, opened_by_other = world.session(passkey=made.id), world.session(passkey=other.id)
    world.register.set_state(made.id, state, mine.subject)
    assert [world.ended(one) for one in (mine, opened, opened_by_other)] == ["", "by_person", ""]
    [ended] = world.journal.read(kind=Kind.SESSION_ENDED)
    assert (ended["session"], ended["reason"]) == (opened.id, "by_person")


def test_what_was_stepped_up_from_ends_with_the_step(world: World) -> None:
    mine = world.session()
    made = world.enrol(mine)
    stepped_up = world.session(passkey=made.id)
    before = world.session(successor=stepped_up.id)
    world.register.set_state(made.id, REMOVED, mine.subject)
    assert [world.ended(one) for one in (before, mine)] == ["by_person", ""]


def test_a_removed_one_never_comes_back(world: World) -> None:
    made = world.enrol(world.session())
    for state in (SUSPENDED, SUSPENDED, LIVE, REMOVED, REMOVED):
        assert world.register.set_state(made.id, state, "cli:root").state is state
    for state in (LIVE, SUSPENDED):
        with refused(Reason.PASSKEY_REMOVED):
            world.register.set_state(made.id, state, "cli:root")
    told = world.journal.read(kind=Kind.PASSKEY_STATE)
    assert [one["data"]["to"] for one in told] == ["removed", "live", "suspended"]
    assert {one["reason"] for one in told} == {"by_operator"}


def test_a195_a_suspicion_suspends_once_and_says_why(world: World) -> None:
    made = world.enrol(world.session())
    opened = world.session(passkey=made.id)
    world.register.suspend(made, Reason.PASSKEY_COUNTER)
    world.register.suspend(made, Reason.PASSKEY_COUNTER)
    assert (world.state(made), world.ended(opened)) == (SUSPENDED, "passkey_counter")
    [told] = world.journal.read(kind=Kind.PASSKEY_STATE)
    assert (told["reason"], told["subject"]) == ("passkey_counter", opened.subject)


def test_another_persons_is_not_renamed(world: World) -> None:
    mine, other = world.session(), world.session("E2")
    made = world.enrol(mine)
    assert not world.register.rename(other, made.id, "x", SEEN)
    assert world.register.rename(mine, made.id, "새 이름", SEEN)
    assert [one.name for one in world.register.of(mine.subject)] == ["새 이름"]


# --- the phone's mobile ID ------------------------------------------------------------------------


def test_a_key_on_a_phone_shares_its_mobile_ids_fate(world: World) -> None:
    phone = world.phone()
    mine = world.session(mobile_id=phone)
    tied, free = world.enrol(mine, phone), world.enrol(mine)
    world.cutoff.set_state(phone, MobileIdState.SUSPENDED, "desk")
    assert (world.state(tied), world.state(free)) == (SUSPENDED, LIVE)
    with refused(Reason.PHONE_CUT_OFF):
        world.register.set_state(tied.id, LIVE, "cli:root")
    world.cutoff.set_state(phone, MobileIdState.LIVE, "desk")
    assert world.state(tied) is LIVE
    world.cutoff.set_state(phone, MobileIdState.REVOKED, "desk")
    assert world.state(tied) is SUSPENDED
    [*_, first] = world.journal.read(kind=Kind.PASSKEY_STATE)
    assert (first["reason"], first["mobile_id"], first["actor"]) == ("phone_cut_off", phone, "desk")


def test_a_found_phone_revives_only_what_was_stopped_with_it(world: World) -> None:
    phone = world.phone()
    tied = world.enrol(world.session(), phone)
    world.register.suspend(tied, Reason.PASSKEY_COUNTER)
    world.cutoff.set_state(phone, MobileIdState.SUSPENDED, "desk")
    world.cutoff.set_state(phone, MobileIdState.LIVE, "desk")
    assert world.state(tied) is SUSPENDED


def test_a_new_phone_stops_the_keys_on_the_old_one(world: World) -> None:
    old = world.phone()
    tied = world.enrol(world.session(), old)
    world.phone()
    assert world.state(tied) is SUSPENDED


def test_a_stopped_phone_gets_no_key(world: World) -> None:
    phone = world.phone()
    mine = world.session()
    world.cutoff.set_state(phone, MobileIdState.SUSPENDED, "desk")
    with refused(Reason.STATUS_SUSPENDED):
        world.enrol(mine, phone)


def test_only_a_live_one_opens_a_session(world: World) -> None:
    phone = world.phone()
    made = world.enrol(world.session(), phone)
    with transaction(world.engine) as connection:
        assert passkey_must_be_live(connection, made.id) == phone
    for state, reason in ((SUSPENDED, Reason.PASSKEY_SUSPENDED), (REMOVED, Reason.PASSKEY_REMOVED)):
        world.register.set_state(made.id, state, "cli:root")
        with transaction(world.engine) as connection, refused(reason):
            passkey_must_be_live(connection, made.id)


# --- news -----------------------------------------------------------------------------------------


def test_r061_what_changed_since_the_sign_in_before(world: World) -> None:
    first = world.session()
    assert world.register.news(first.subject, first.id) == []  # nothing before it
    made = world.enrol(first)
    by_it = world.session(passkey=made.id)
    assert world.register.news(first.subject, by_it.id) == []  # who holds it knows of it
    other = world.enrol(by_it)
    later = world.session()
    assert [one.id for one in world.register.news(first.subject, later.id)] == [other.id]
    world.register.set_state(made.id, SUSPENDED, "cli:root")
    last = world.session()
    assert [one.state for one in world.register.news(first.subject, last.id)] == [SUSPENDED]
    assert world.register.news(first.subject, world.session().id) == []
