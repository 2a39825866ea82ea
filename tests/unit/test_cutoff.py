"""The register of mobile IDs and the account gate, on SQLite and on PostgreSQL."""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from idp import cutoff as cutoff_package
from idp import randomness
from idp.conf import Stores
from idp.contracts import Identifier, MobileId, MobileIdState, Official, State, Status
from idp.cutoff import Cutoff, register, rows
from idp.errors import AccessDenied, OutsideError
from idp.events import Reason
from idp.journal import Journal, verify_chains
from idp.people import People
from idp.store.sql import open_engine, transaction
from idp.store.tables import cut_offs, grants, metadata, mobile_ids, sessions, subjects

ISSUER = "https://id.example.go.kr"
START = datetime(2027, 3, 5, 9, 0, tzinfo=UTC)
END = datetime(2028, 3, 4, tzinfo=UTC)
LIVE, SUSPENDED, REVOKED = MobileIdState.LIVE, MobileIdState.SUSPENDED, MobileIdState.REVOKED


class FakeDirectory:
    """contracts.Directory over a dictionary of number -> (source, state)."""

    def __init__(self) -> None:
        self.name = "esaram"
        self.people = {f"E{number}": ("esaram", State.ACTIVE) for number in range(100, 120)}

    def find(self, personnel_number: str) -> Official | None:
        if personnel_number not in self.people:
            return None
        source, state = self.people[personnel_number]
        return Official(source, personnel_number, state, "홍길동", "", "", "", "", ())

    def search(self, text: str, limit: int) -> list[Official]:
        return [found for number in self.people if text in number and (found := self.find(number))][
            :limit
        ]

    def check(self) -> None:
        pass


class World:
    """A register with its clock and people; `another()` is a second process on the same database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.at = START
        self.directory = FakeDirectory()
        self.journal = Journal(engine, self.now)
        self.people = People([self.directory], engine, self.now)
        self.register = Cutoff(engine, self.journal, self.people, ISSUER, self.now)

    def now(self) -> datetime:
        return self.at

    def another(self) -> Cutoff:
        return Cutoff(self.engine, Journal(self.engine, self.now), self.people, ISSUER, self.now)

    def offer(self, number: str = "E100") -> str:
        return self.register.offer(number, "staff-1", END).id

    def issue(self, number: str = "E100", thumbprint: str = "tp") -> MobileId:
        return self.register.issue(self.offer(number), thumbprint)

    def subject(self, number: str = "E100") -> str:
        with transaction(self.engine) as connection:
            return self.people.subject(connection, Identifier(ISSUER, number))

    def session(self, mobile_id: str, number: str = "E100") -> tuple[str, str]:
        """A session that this mobile ID opened, with one grant."""
        session, grant, subject = randomness.token(16), randomness.token(16), self.subject(number)
        times = {"authenticated_at": self.at, "seen_at": self.at, "expires_at": END}
        with transaction(self.engine) as connection:
            connection.execute(
                insert(sessions).values(
                    id=session,
                    cookie_hash=randomness.token(16),
                    subject=subject,
                    source="esaram",
                    personnel_number=number,
                    journey="j-1",
                    method="mobile_id",
                    means=["qr"],
                    acr="phr",
                    amr=["pop"],
                    mobile_id=mobile_id,
                    **times,
                )
            )
            connection.execute(
                insert(grants).values(
                    id=grant,
                    session=session,
                    subject=subject,
                    client_id="mail",
                    scope="openid",
                    created_at=self.at,
                    expires_at=END,
                )
            )
        return session, grant

    def ended(self, session: str, grant: str) -> tuple[bool, bool]:
        with transaction(self.engine) as connection:
            return (
                connection.scalar(select(sessions.c.ended_at).where(sessions.c.id == session))
                is not None,
                connection.scalar(select(grants.c.ended_at).where(grants.c.id == grant))
                is not None,
            )

    def kinds(self, **match: str) -> list[tuple[str, str]]:
        """(kind, reason) of the events, oldest first."""
        found = reversed(self.journal.read(**match))
        return [(event["kind"], event.get("reason", "none")) for event in found]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/gongmu.db"
    else:
        url = request.getfixturevalue("postgres_database")
    engine = open_engine(Stores(sql_url=url, timeout_s=20))
    metadata.create_all(engine)
    made = World(engine)
    yield made
    assert list(verify_chains(engine)) == []
    engine.dispose()


def denied(reason: Reason, work: Callable[..., Any], *arguments: Any) -> None:
    with pytest.raises(AccessDenied) as caught:
        work(*arguments)
    assert caught.value.reason is reason


def together(*works: Callable[[], Any]) -> list[Any]:
    """Results or refusals of works that start together."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return work()
        except AccessDenied as error:
            return error.reason

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


# --- offers and issuance ------------------------------------------------------------------------


def test_offer(world: World) -> None:
    made = world.register.offer("E100", "staff-1", END)
    assert made == MobileId(made.id, "E100", "esaram", MobileIdState.OFFERED, 0, -1, "", START, END)
    assert world.register.get(made.id) == made
    (event,) = world.journal.read()
    assert event["kind"] == "mobile_id:offer:made"
    assert (event["actor"], event["mobile_id"]) == ("staff-1", made.id)
    assert event["subject"] == world.subject()
    assert world.register.states(1) == {}


@pytest.mark.parametrize("number", ["", "nobody", "E1" * 40, "E100\x00", "E100\n"])
def test_offer_to_nobody(world: World, number: str) -> None:
    denied(Reason.PERSON_UNKNOWN, world.register.offer, number, "staff-1", END)
    assert world.register.all() == []
    assert world.journal.read() == []


@pytest.mark.parametrize("state", [state for state in State if state is not State.ACTIVE])
def test_only_an_active_official_is_offered_or_issued_one(world: World, state: State) -> None:
    offered = world.offer()
    world.directory.people["E100"] = ("esaram", state)
    with pytest.raises(AccessDenied):
        world.register.offer("E100", "staff-1", END)
    with pytest.raises(AccessDenied):
        world.register.issue(offered, "tp")
    assert world.register.get(offered).state is MobileIdState.OFFERED


def test_issue(world: World) -> None:
    offered = world.offer()
    world.at += timedelta(seconds=9)
    issued = world.register.issue(offered, "thumb")
    assert (issued.id, issued.state, issued.key_thumbprint) == (offered, LIVE, "thumb")
    assert issued.status_list == 1
    assert 0 <= issued.status_index < cutoff_package.STATUS_LIST_SIZE
    assert (issued.created_at, issued.expires_at) == (START, END)
    assert world.register.states(1) == {issued.status_index: LIVE}
    assert world.kinds(journey=offered) == [
        ("mobile_id:offer:made", "none"),
        ("mobile_id:issue:done", "none"),
    ]


def test_an_offer_is_issued_once(world: World) -> None:
    offered = world.offer()
    issued = world.register.issue(offered, "first")
    denied(Reason.OFFER_REPLAYED, world.register.issue, offered, "second")
    assert world.register.get(offered) == issued


def test_an_offer_is_issued_once_however_many_try_at_once(world: World) -> None:
    offered = world.offer()
    others = [world.another() for _ in range(4)]
    results = together(*[lambda one=one: one.issue(offered, "tp") for one in others])
    assert sum(isinstance(result, MobileId) for result in results) == 1
    assert results.count(Reason.OFFER_REPLAYED) == 3


@pytest.mark.parametrize("mobile_id", ["", "nobody", "x" * 33, "a\x00b", "a b", "가"])
def test_issue_what_was_never_offered(world: World, mobile_id: str) -> None:
    denied(Reason.OFFER_UNKNOWN, world.register.issue, mobile_id, "tp")
    assert world.register.get(mobile_id) is None


def test_moved_to_another_source_since_the_offer(world: World) -> None:
    offered = world.offer()
    world.directory.people["E100"] = ("insarang", State.ACTIVE)
    denied(Reason.NOT_ADMITTED, world.register.issue, offered, "tp")


def test_cut_off_since_the_offer(world: World) -> None:
    offered = world.offer()
    cut_off(world, START)
    denied(Reason.CUT_OFF, world.register.issue, offered, "tp")
    world.at += timedelta(seconds=1)
    assert world.register.issue(world.offer(), "tp").state is LIVE


def test_an_issuance_waits_for_a_loss_report_that_is_being_written(world: World) -> None:
    """The report locks the person's row first; what it writes is seen, whatever the isolation."""
    offered, subject, another = world.offer(), world.subject(), world.another()
    with ThreadPoolExecutor(1) as pool:
        with transaction(world.engine) as connection:
            lock = select(subjects.c.id).where(subjects.c.id == subject)
            connection.execute(lock.with_for_update(key_share=True)).all()
            result = pool.submit(another.issue, offered, "tp")
            with pytest.raises(TimeoutError):
                result.result(timeout=0.3)
            connection.execute(
                insert(cut_offs).values(id="c", subject=subject, at=world.at, reason="lost")
            )
        denied(Reason.CUT_OFF, result.result)


# --- one person, one live mobile ID -------------------------------------------------------------


@pytest.mark.parametrize("state", [LIVE, SUSPENDED])
def test_a_new_one_ends_the_former(world: World, state: MobileIdState) -> None:
    former = world.issue()
    open_before = world.session(former.id)
    if state is SUSPENDED:
        world.register.set_state(former.id, SUSPENDED, "staff-1")
    new = world.issue()
    assert world.register.get(former.id).state is REVOKED
    assert world.register.states(1) == {former.status_index: REVOKED, new.status_index: LIVE}
    assert world.ended(*open_before) == (True, True)
    assert ("mobile_id:state:changed", "replaced") in world.kinds()


def test_a_new_one_leaves_other_people_alone(world: World) -> None:
    other = world.issue("E101")
    their_session = world.session(other.id, "E101")
    world.issue("E100")
    world.issue("E100")
    assert world.register.get(other.id).state is LIVE
    assert world.ended(*their_session) == (False, False)


def test_a_person_who_changed_sources_still_has_one(world: World) -> None:
    former = world.issue()
    world.directory.people["E100"] = ("insarang", State.ACTIVE)
    world.issue()
    assert world.register.get(former.id).state is REVOKED


def test_two_issuances_at_once_leave_one_live(world: World) -> None:
    for _ in range(5):
        offers = [world.offer() for _ in range(4)]
        others = [world.another() for _ in offers]
        results = together(
            *[
                lambda one=one, offer=offer: one.issue(offer, "tp")
                for one, offer in zip(others, offers, strict=True)
            ]
        )
        assert all(isinstance(result, MobileId) for result in results)
        assert [one.state for one in world.register.all()].count(LIVE) == 1


def test_a_refused_issuance_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    former = world.issue()
    open_before = world.session(former.id)
    offered = world.offer()
    events = len(world.journal.read())

    def away(_connection: Any) -> Any:
        raise OutsideError("sql", "away")

    monkeypatch.setattr(register, "free_place", away)
    with pytest.raises(OutsideError):
        world.register.issue(offered, "tp")
    assert world.register.get(former.id).state is LIVE
    assert world.ended(*open_before) == (False, False)
    assert len(world.journal.read()) == events


def test_without_its_event_nothing_is_issued(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    offered = world.offer()

    def broken(*_arguments: Any) -> str:
        raise OutsideError("sql", "disk full")

    monkeypatch.setattr(world.journal, "record", broken)
    with pytest.raises(OutsideError):
        world.register.issue(offered, "tp")
    with pytest.raises(OutsideError):
        world.register.offer("E101", "staff-1", END)
    assert [one.state for one in world.register.all()] == [MobileIdState.OFFERED]


# --- places in the status list ------------------------------------------------------------------


def test_a178_places_are_neither_shared_nor_in_order(world: World) -> None:
    places = [world.issue(f"E{100 + number % 20}").status_index for number in range(24)]
    assert len(set(places)) == len(places)
    steps = [after - before for before, after in itertools.pairwise(places)]
    assert any(step > 0 for step in steps)
    assert any(step < 0 for step in steps)
    assert len({abs(step) for step in steps}) > 12


def test_a_list_that_is_full_is_left_for_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "STATUS_LIST_SIZE", 3)
    lists = [world.issue(f"E{number}").status_list for number in range(100, 109)]
    assert lists == sorted(lists)
    assert lists[-1] >= 3
    assert max(lists.count(number) for number in set(lists)) <= 3
    assert world.register.states(1).keys() <= {0, 1, 2}


def test_two_people_who_draw_the_same_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = world.issue("E100")
    draw = rows.free_place
    drawn = [(taken.status_list, taken.status_index)]
    monkeypatch.setattr(
        register, "free_place", lambda connection: drawn.pop() if drawn else draw(connection)
    )
    other = world.issue("E101")
    assert drawn == []
    assert other.status_index != taken.status_index
    monkeypatch.setattr(
        register, "free_place", lambda _connection: (taken.status_list, taken.status_index)
    )
    with pytest.raises(OutsideError):
        world.issue("E102")


@pytest.mark.parametrize("number", [2, 0, -1, 10**6, 10**12])
def test_there_is_no_such_list(world: World, number: int) -> None:
    world.offer()
    assert world.register.states(number) is None


# --- states -------------------------------------------------------------------------------------


def test_suspend_reinstate_revoke(world: World) -> None:
    issued = world.issue()
    for state in (SUSPENDED, LIVE, SUSPENDED, REVOKED):
        assert world.register.set_state(issued.id, state, "staff-1").state is state
        assert world.register.states(1) == {issued.status_index: state}
    assert (
        world.kinds(kind="mobile_id:state:changed")
        == [("mobile_id:state:changed", "by_operator")] * 4
    )
    event = world.journal.read(kind="mobile_id:state:changed")[0]
    assert (event["data"], event["actor"]) == ({"to": "revoked"}, "staff-1")


@pytest.mark.parametrize("state", [LIVE, SUSPENDED, MobileIdState.OFFERED])
def test_revoked_never_revives(world: World, state: MobileIdState) -> None:
    issued = world.issue()
    world.register.set_state(issued.id, REVOKED, "staff-1")
    denied(Reason.STATUS_REVOKED, world.register.set_state, issued.id, state, "staff-1")
    assert world.register.get(issued.id).state is REVOKED


@pytest.mark.parametrize("state", [LIVE, SUSPENDED])
def test_an_offer_becomes_live_by_issuance_alone(world: World, state: MobileIdState) -> None:
    offered = world.offer()
    denied(Reason.STATUS_MISSING, world.register.set_state, offered, state, "staff-1")


def test_live_and_suspended_do_not_become_offers(world: World) -> None:
    issued = world.issue()
    with pytest.raises(AccessDenied):
        world.register.set_state(issued.id, MobileIdState.OFFERED, "staff-1")


def test_a_withdrawn_offer_is_not_issued(world: World) -> None:
    offered = world.offer()
    world.register.set_state(offered, REVOKED, "staff-1")
    denied(Reason.OFFER_REPLAYED, world.register.issue, offered, "tp")


def test_the_same_state_again_is_no_event(world: World) -> None:
    issued = world.issue()
    events = len(world.journal.read())
    assert world.register.set_state(issued.id, LIVE, "staff-1") == issued
    assert len(world.journal.read()) == events


def test_set_state_of_nothing(world: World) -> None:
    denied(Reason.OFFER_UNKNOWN, world.register.set_state, "nobody", REVOKED, "staff-1")


@pytest.mark.parametrize("state", [SUSPENDED, REVOKED])
def test_suspending_ends_the_sessions_it_opened_and_no_others(
    world: World, state: MobileIdState
) -> None:
    issued = world.issue()
    opened, also, elsewhere = world.session(issued.id), world.session(issued.id), world.session("")
    world.register.set_state(issued.id, state, "staff-1")
    assert world.ended(*opened) == (True, True)
    assert world.ended(*also) == (True, True)
    assert world.ended(*elsewhere) == (False, False)
    ended = world.journal.read(kind="session:end:done")
    assert {event["session"] for event in ended} == {opened[0], also[0]}
    assert {(event["subject"], event["journey"]) for event in ended} == {(world.subject(), "j-1")}


def test_a_session_that_ended_before_keeps_its_end(world: World) -> None:
    issued = world.issue()
    session, _ = world.session(issued.id)
    with transaction(world.engine) as connection:
        connection.execute(
            update(sessions)
            .where(sessions.c.id == session)
            .values(ended_at=START, end_reason="by_person")
        )
    world.register.set_state(issued.id, REVOKED, "staff-1")
    with transaction(world.engine) as connection:
        assert connection.scalar(select(sessions.c.end_reason)) == "by_person"
    assert world.journal.read(kind="session:end:done") == []


def test_a_person_who_does_it_is_named_as_such(world: World) -> None:
    issued = world.issue()
    world.register.set_state(issued.id, SUSPENDED, world.subject())
    assert world.kinds(kind="mobile_id:state:changed") == [("mobile_id:state:changed", "by_person")]


def test_reinstating_does_not_revive_sessions(world: World) -> None:
    issued = world.issue()
    opened = world.session(issued.id)
    world.register.set_state(issued.id, SUSPENDED, "staff-1")
    world.register.set_state(issued.id, LIVE, "staff-1")
    assert world.ended(*opened) == (True, True)


def test_all(world: World) -> None:
    first = world.issue("E100")
    world.at += timedelta(seconds=1)
    second = world.issue("E101")
    assert [one.id for one in world.register.all()] == [second.id, first.id]
    assert [one.id for one in world.register.all(limit=1)] == [second.id]
    assert [one.id for one in world.register.all("E100")] == [first.id]


# --- the state behind a credential --------------------------------------------------------------


def test_own_status(world: World) -> None:
    issued = world.issue()
    ask = world.register.own_status
    assert ask(f"{ISSUER}/status/1", issued.status_index) == Status(LIVE, issued.id)
    world.register.set_state(issued.id, SUSPENDED, "staff-1")
    assert ask(f"{ISSUER}/status/1", issued.status_index) == Status(SUSPENDED, issued.id)


@pytest.mark.parametrize(
    "uri",
    [
        "https://other.example/status/1",
        "",
        f"{ISSUER}.evil.example/status/1",
        ISSUER,
        f"{ISSUER}/st",
    ],
)
def test_status_lists_of_others(world: World, uri: str) -> None:
    assert world.register.own_status(uri, 1) is None


@pytest.mark.parametrize(
    ("number", "index"),
    [
        ("1", 7),
        ("2", 7),
        ("0", 7),
        ("01", 7),
        ("", 7),
        ("१", 7),
        ("1/x", 7),
        ("1", -1),
        ("1", 1 << 17),
        ("1", 10**30),
        ("9" * 5000, 7),
        ("1\x00", 7),
    ],
)
def test_a_place_that_was_never_given_out_counts_as_revoked(
    world: World, number: str, index: int
) -> None:
    world.offer()
    found = world.register.own_status(f"{ISSUER}/status/{number}", index)
    assert found == Status(REVOKED, "")


# --- the gate -----------------------------------------------------------------------------------


def cut_off(world: World, at: datetime, lifted_at: datetime | None = None) -> None:
    with transaction(world.engine) as connection:
        subject = world.people.subject(connection, Identifier(ISSUER, "E100"))
        connection.execute(
            insert(cut_offs).values(
                id=randomness.token(16), subject=subject, at=at, reason="lost", lifted_at=lifted_at
            )
        )


def gate(world: World, since: datetime, number: str = "E100") -> None:
    subject = world.subject(number)
    with transaction(world.engine) as connection:
        cutoff_package.gate(connection, subject, since)


def test_gate(world: World) -> None:
    gate(world, START)
    cut_off(world, START)
    denied(Reason.CUT_OFF, gate, world, START)
    denied(Reason.CUT_OFF, gate, world, START - timedelta(microseconds=1))
    gate(world, START + timedelta(microseconds=1))
    gate(world, START, "E101")


def test_gate_reads_times_of_any_zone(world: World) -> None:
    cut_off(world, START)
    from zoneinfo import ZoneInfo

    seoul = START.astimezone(ZoneInfo("Asia/Seoul"))
    denied(Reason.CUT_OFF, gate, world, seoul)
    gate(world, seoul + timedelta(seconds=1))


def test_a_lifted_cut_off_stops_nobody(world: World) -> None:
    cut_off(world, START, lifted_at=START)
    gate(world, START)


def test_must_be_live(world: World) -> None:
    def check(mobile_id: str) -> None:
        with transaction(world.engine) as connection:
            cutoff_package.must_be_live(connection, mobile_id)

    offered = world.offer()
    denied(Reason.STATUS_MISSING, check, offered)
    world.register.issue(offered, "tp")
    check(offered)
    world.register.set_state(offered, SUSPENDED, "staff-1")
    denied(Reason.STATUS_SUSPENDED, check, offered)
    world.register.set_state(offered, REVOKED, "staff-1")
    denied(Reason.STATUS_REVOKED, check, offered)
    denied(Reason.STATUS_REVOKED, check, "nobody")


def test_no_session_slips_past_a_suspension(world: World) -> None:
    """However the two interleave, a session that was let in is ended by the suspension."""
    for number in range(100, 108):
        issued = world.issue(f"E{number}")
        subject = world.subject(f"E{number}")
        other = world.another()

        def sign_in(issued: MobileId = issued, subject: str = subject) -> str:
            session = randomness.token(16)
            with transaction(world.engine) as connection:
                cutoff_package.must_be_live(connection, issued.id)
                connection.execute(
                    insert(sessions).values(
                        id=session,
                        cookie_hash=session,
                        subject=subject,
                        source="esaram",
                        personnel_number=issued.personnel_number,
                        journey="j",
                        method="mobile_id",
                        means=[],
                        acr="",
                        amr=[],
                        mobile_id=issued.id,
                        authenticated_at=START,
                        seen_at=START,
                        expires_at=END,
                    )
                )
            return session

        together(sign_in, lambda one=other, i=issued: one.set_state(i.id, SUSPENDED, "staff-1"))
    with transaction(world.engine) as connection:
        open_ones = select(sessions.c.id).where(sessions.c.ended_at.is_(None))
        assert connection.scalars(open_ones).all() == []


def test_the_database_itself_keeps_two_from_being_live(world: World) -> None:
    from sqlalchemy.exc import IntegrityError

    issued = world.issue()
    with pytest.raises(IntegrityError), transaction(world.engine) as connection:
        connection.execute(
            insert(mobile_ids).values(
                id="second",
                personnel_number="E100",
                source=issued.source,
                state="suspended",
                status_list=1,
                status_index=(issued.status_index + 1) % 1000,
                created_at=START,
                expires_at=END,
                changed_at=START,
            )
        )
