"""Who a proof stands for: one source, one person, one subject, and never an old answer."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from idp import people as people_module
from idp.conf import Stores
from idp.contracts import Identifier, Official, State
from idp.errors import AccessDenied, OutsideError
from idp.events import Reason
from idp.people import People, must_be_active
from idp.store.sql import open_engine, transaction
from idp.store.tables import metadata, subjects

ISSUER = "https://id.example.go.kr"


def official(source: str = "esaram", number: str = "E1", state: State = State.ACTIVE) -> Official:
    return Official(
        source,
        number,
        state,
        "홍길동",
        "가상행정부",
        "인사과",
        "사무관",
        "a@gasang.example",
        (),
        b"\xff\xd8\xff",
    )


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Source:
    """A directory in memory that can be away; counts how often it was asked."""

    def __init__(self, name: str, *found: Official) -> None:
        self.name = name
        self.found = {one.personnel_number: one for one in found}
        self.away = False
        self.asked = 0

    def find(self, personnel_number: str) -> Official | None:
        self.check()
        self.asked += 1
        return self.found.get(personnel_number)

    def search(self, text: str, limit: int) -> list[Official]:
        self.check()
        return [one for one in self.found.values() if text in one.name][:limit]

    def check(self) -> None:
        if self.away:
            raise OutsideError(self.name, "away")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = (
        f"sqlite:///{tmp_path}/gongmu.db"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_database")
    )
    made = open_engine(Stores(sql_url=url))
    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def nowhere(tmp_path: Path) -> Engine:
    """An engine that no test of the directories alone connects."""
    return open_engine(Stores(sql_url=f"sqlite:///{tmp_path}/unused.db"))


def reason_of(refused: pytest.ExceptionInfo[AccessDenied]) -> Reason:
    return refused.value.reason


# --- find -------------------------------------------------------------------------------------------


def test_finds_in_any_source(nowhere: Engine, clock: Clock) -> None:
    one, two = Source("esaram", official()), Source("insarang", official("insarang", "I1"))
    people = People([one, two], nowhere, clock)
    assert people.find("E1").source == "esaram"
    assert people.find("I1").source == "insarang"
    assert people.find("E1").photo is not None


def test_in_two_sources_is_ambiguous(nowhere: Engine, clock: Clock) -> None:
    people = People([Source("a", official("a")), Source("b", official("b"))], nowhere, clock)
    with pytest.raises(AccessDenied) as refused:
        people.find("E1")
    assert reason_of(refused) is Reason.PERSON_AMBIGUOUS


def test_in_no_source_is_unknown(nowhere: Engine, clock: Clock) -> None:
    with pytest.raises(AccessDenied) as refused:
        People([Source("a")], nowhere, clock).find("E1")
    assert reason_of(refused) is Reason.PERSON_UNKNOWN


def test_a_source_that_is_away_could_hold_a_second(nowhere: Engine, clock: Clock) -> None:
    away = Source("b")
    away.away = True
    with pytest.raises(OutsideError, match="b: away"):
        People([Source("a", official("a")), away], nowhere, clock).find("E1")


@pytest.mark.parametrize("number", ["", "E" * 65, "E1\0", "E1\n", "E1\u202e", "\udcff"])
def test_a_number_that_can_be_nobodys_is_not_asked_for(
    nowhere: Engine, clock: Clock, number: str
) -> None:
    """A-161."""
    source = Source("a")
    with pytest.raises(AccessDenied) as refused:
        People([source], nowhere, clock).find(number)
    assert reason_of(refused) is Reason.PERSON_UNKNOWN
    assert source.asked == 0


# --- current ------------------------------------------------------------------------------------------


def test_current_is_remembered_for_its_age_only(nowhere: Engine, clock: Clock) -> None:
    source = Source("esaram", official())
    people = People([source], nowhere, clock)
    assert people.current("esaram", "E1", 30).state is State.ACTIVE
    source.found["E1"] = official(state=State.RETIRED)
    clock.advance(29.9)
    assert people.current("esaram", "E1", 30).state is State.ACTIVE
    assert people.current("esaram", "E1", 29).state is State.RETIRED
    assert source.asked == 2


def test_current_at_age_zero_is_always_live(nowhere: Engine, clock: Clock) -> None:
    source = Source("esaram", official())
    people = People([source], nowhere, clock)
    for _ in range(3):
        people.current("esaram", "E1", 0)
    assert source.asked == 3


def test_a_sign_in_refreshes_what_is_remembered(nowhere: Engine, clock: Clock) -> None:
    source = Source("esaram", official())
    people = People([source], nowhere, clock)
    people.current("esaram", "E1", 30)
    source.found["E1"] = official(state=State.SUSPENDED)
    assert people.find("E1").state is State.SUSPENDED
    assert people.current("esaram", "E1", 30).state is State.SUSPENDED


def test_a_clock_that_went_back_makes_no_answer_younger(nowhere: Engine, clock: Clock) -> None:
    source = Source("esaram", official())
    people = People([source], nowhere, clock)
    people.current("esaram", "E1", 30)
    clock.advance(-3600)
    people.current("esaram", "E1", 30)
    assert source.asked == 2


def test_an_old_answer_is_never_given_while_the_source_is_away(
    nowhere: Engine, clock: Clock
) -> None:
    """A-222."""
    source = Source("esaram", official())
    people = People([source], nowhere, clock)
    people.current("esaram", "E1", 30)
    clock.advance(31)
    source.away = True
    for age in (30, 3600):
        with pytest.raises(OutsideError):
            people.current("esaram", "E1", age)


def test_who_left_is_unknown_at_once(nowhere: Engine, clock: Clock) -> None:
    source = Source("esaram", official())
    people = People([source], nowhere, clock)
    people.current("esaram", "E1", 30)
    source.found.clear()
    for age in (0, 30):
        with pytest.raises(AccessDenied) as refused:
            people.current("esaram", "E1", age)
        assert reason_of(refused) is Reason.PERSON_UNKNOWN


def test_a_source_that_is_no_longer_trusted_knows_nobody(nowhere: Engine, clock: Clock) -> None:
    with pytest.raises(AccessDenied) as refused:
        People([Source("b", official("b"))], nowhere, clock).current("a", "E1", 30)
    assert reason_of(refused) is Reason.PERSON_UNKNOWN


def test_the_same_number_in_two_sources_is_remembered_apart(nowhere: Engine, clock: Clock) -> None:
    one, two = Source("a", official("a")), Source("b", official("b", state=State.RETIRED))
    people = People([one, two], nowhere, clock)
    assert people.current("a", "E1", 30).state is State.ACTIVE
    assert people.current("b", "E1", 30).state is State.RETIRED
    assert people.current("a", "E1", 30).source == "a"


def test_memory_is_bounded_and_holds_no_photos(
    nowhere: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_module, "MAX_CACHED", 3)
    source = Source("esaram", *(official(number=f"E{number}") for number in range(5)))
    people = People([source], nowhere, clock)
    for number in range(5):
        people.find(f"E{number}")
    assert [key[1] for key in people._cache] == ["E2", "E3", "E4"]
    assert people.current("esaram", "E4", 30).photo is None
    assert all(known.official.photo is None for known in people._cache.values())


# --- search, check ---------------------------------------------------------------------------------------


def test_search_is_over_all_sources_within_the_limit(nowhere: Engine, clock: Clock) -> None:
    one = Source("a", official("a", "E1"), official("a", "E2"))
    people = People([one, Source("b", official("b", "I1"))], nowhere, clock)
    assert [found.personnel_number for found in people.search("홍", 10)] == ["E1", "E2", "I1"]
    assert len(people.search("홍", 2)) == 2
    assert people.search("홍", 0) == []
    assert people.search("심청", 10) == []


def test_check_names_who_is_away(nowhere: Engine, clock: Clock) -> None:
    one, two = Source("a"), Source("b")
    people = People([one, two], nowhere, clock)
    people.check()
    two.away = True
    with pytest.raises(OutsideError) as refused:
        people.check()
    assert refused.value.system == "b"


# --- subjects ----------------------------------------------------------------------------------------------


def test_one_person_has_one_subject_for_ever(engine: Engine, clock: Clock) -> None:
    people = People([], engine, clock)
    asked = [Identifier(ISSUER, "E1"), Identifier(ISSUER, "E2"), Identifier(f"{ISSUER}:8", "E1")]
    found = []
    for _ in range(2):
        with transaction(engine) as connection:
            found.append([people.subject(connection, identifier) for identifier in asked])
        clock.advance(86400)
    assert found[0] == found[1]
    assert len(set(found[0])) == 3
    assert all(16 <= len(subject) <= 32 and "E1" not in subject for subject in found[0])


def test_variants_of_a_number_are_other_subjects(engine: Engine, clock: Clock) -> None:
    """A-219, A-220: nobody inherits a predecessor's subject."""
    people = People([], engine, clock)
    numbers = ["E1", "e1", "E1 ", "\uff251", "\xe9", "e\u0301"]
    with transaction(engine) as connection:
        found = {people.subject(connection, Identifier(ISSUER, number)) for number in numbers}
    assert len(found) == len(numbers)


def test_a_race_for_a_subject_has_one_outcome(engine: Engine, clock: Clock) -> None:
    people = People([], engine, clock)

    def ask(number: int) -> str:
        with transaction(engine) as connection:
            return people.subject(connection, Identifier(ISSUER, f"E{number % 3}"))

    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(ask, range(48)))
    with transaction(engine) as connection:
        assert connection.execute(select(func.count()).select_from(subjects)).scalar() == 3
    assert len(found) == 3


def test_a_subject_goes_with_its_transaction(engine: Engine, clock: Clock) -> None:
    people = People([], engine, clock)

    def begin_and_fail() -> None:
        with transaction(engine) as connection:
            people.subject(connection, Identifier(ISSUER, "E1"))
            raise AccessDenied

    with pytest.raises(AccessDenied):
        begin_and_fail()
    with transaction(engine) as connection:
        assert connection.execute(select(func.count()).select_from(subjects)).scalar() == 0


@pytest.mark.parametrize(
    ("issuer", "number"),
    [
        ("", "E1"),
        (ISSUER, ""),
        ("i" * 256, "E1"),
        (ISSUER, "E" * 65),
        (ISSUER, "E\0"),
        ("\0", "E1"),
    ],
)
def test_what_no_column_can_hold_is_refused(
    engine: Engine, clock: Clock, issuer: str, number: str
) -> None:
    with transaction(engine) as connection, pytest.raises(AccessDenied) as refused:
        People([], engine, clock).subject(connection, Identifier(issuer, number))
    assert reason_of(refused) is Reason.PERSON_UNKNOWN


# --- the gate ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.SUSPENDED, Reason.PERSON_SUSPENDED),
        (State.ON_LEAVE, Reason.PERSON_ON_LEAVE),
        (State.RETIRED, Reason.PERSON_RETIRED),
        (State.NOT_STARTED, Reason.PERSON_NOT_STARTED),
        (State.UNKNOWN, Reason.PERSON_STATE_UNKNOWN),
    ],
)
def test_only_active_passes(state: State, reason: Reason) -> None:
    """A-217."""
    with pytest.raises(AccessDenied) as refused:
        must_be_active(official(state=state))
    assert reason_of(refused) is reason


def test_active_passes_and_every_state_is_decided() -> None:
    must_be_active(official())
    refused = 0
    for state in State:
        try:
            must_be_active(replace(official(), state=state))
        except AccessDenied:
            refused += 1
    assert refused == len(State) - 1


def test_known_subjects_are_only_read(engine: Engine) -> None:
    people = People([], engine, Clock())
    with transaction(engine) as connection:
        assert people.known_subjects(connection, "E1") == {}
        made = people.subject(connection, Identifier(ISSUER, "E1"))
        other = people.subject(connection, Identifier(f"{ISSUER}.other", "E1"))
        people.subject(connection, Identifier(ISSUER, "E2"))
        assert people.known_subjects(connection, "E1") == {ISSUER: made, f"{ISSUER}.other": other}


def test_origins_are_those_of_the_source_or_none(engine: Engine) -> None:
    class Telling(Source):
        def origins(self) -> dict[str, tuple[str, ...]]:
            return {"mail": ("mail",)}

    people = People([Source("a"), Telling("b")], engine, Clock())
    assert people.origins("b") == {"mail": ("mail",)}
    assert people.origins("a") == {}
    assert people.origins("nowhere") == {}
