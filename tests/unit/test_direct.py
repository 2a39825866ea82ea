"""The hottest statements: the same rows as SQLAlchemy gives, and the same named error when SQL is away."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, bindparam, insert, select, text

from idp.conf import Stores
from idp.errors import OutsideError
from idp.events import Event, Kind
from idp.journal import Journal, verify_chains
from idp.store.direct import Direct, Statement, direct, words
from idp.store.libpq import Connection
from idp.store.sql import open_engine, transaction
from idp.store.tables import events, grants, metadata, sessions, subjects, writers

NOW = datetime(2027, 3, 5, 9, 41, 23, 120_000, tzinfo=UTC)
BY_ID = Statement(select(sessions).where(sessions.c.id == bindparam("key")))
SESSION = {
    "id": "s",
    "cookie_hash": "h",
    "subject": "p",
    "source": "esaram",
    "personnel_number": "E1",
    "journey": "j",
    "method": "mobile_id",
    "means": ["qr", "return_code"],
    "acr": "a",
    "amr": [],
    "device": "홍 %s :key $1",
    "authenticated_at": NOW,
    "seen_at": NOW.replace(microsecond=0),
    "expires_at": NOW + timedelta(hours=1),
}
GRANT = {
    "id": "g",
    "session": "s",
    "subject": "p",
    "client_id": "mail",
    "scope": "openid",
    "created_at": NOW,
    "expires_at": NOW,
    "ended_at": None,
    "end_reason": "",
    "claims": "",
    "resource": "",
    "binding": "",
}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path}/test.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_database")
    made = open_engine(Stores(sql_url=url, timeout_s=2))
    metadata.create_all(made)
    with made.begin() as connection:
        person = {"id": "p", "issuer": "i", "personnel_number": "E1", "created_at": NOW}
        connection.execute(insert(subjects).values(**person))
        connection.execute(insert(sessions).values(**SESSION))
    yield made
    made.dispose()


@pytest.fixture
def postgres(postgres_database: str) -> Iterator[Engine]:
    made = open_engine(Stores(sql_url=postgres_database, timeout_s=2))
    metadata.create_all(made)
    yield made
    made.dispose()


def now() -> datetime:
    return datetime.now(UTC)


def test_rows_are_those_of_sqlalchemy(engine: Engine) -> None:
    [row] = direct(engine).rows(BY_ID, key="s")
    with transaction(engine) as connection:
        known = connection.execute(select(sessions)).one()
    assert row == list(known)
    assert direct(engine).rows(BY_ID, key="S") == []


@pytest.mark.parametrize("hostile", ["'; DROP TABLE sessions; --", "%(x)s", "$1", ":key", "홍\n"])
def test_values_are_never_words(engine: Engine, hostile: str) -> None:
    assert direct(engine).rows(BY_ID, key=hostile) == []
    assert direct(engine).rows(BY_ID, key="s")


def test_threads_have_connections_of_their_own(engine: Engine) -> None:
    found: list[int] = []

    def ask() -> None:
        found.extend(len(direct(engine).rows(BY_ID, key="s")) for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 120


def test_a_table_that_changed_is_read_anew(engine: Engine) -> None:
    every = Statement(select(writers))
    assert direct(engine).rows(every) == []
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE writers ADD COLUMN more INTEGER"))
    assert direct(engine).rows(every) == []


@pytest.mark.services
def test_a_plan_that_the_server_gave_up_is_made_anew(postgres: Engine) -> None:
    every = words("SELECT * FROM writers", (bytes.decode, int, bytes.decode))
    assert direct(postgres).run(every, {}) == []
    with postgres.begin() as connection:
        connection.execute(text("ALTER TABLE writers ADD COLUMN more INTEGER"))
    assert direct(postgres).run(every, {}) == []


@pytest.mark.services
def test_connections_that_the_server_closed_cost_nobody_an_answer(postgres: Engine) -> None:
    journal = Journal(postgres, now)
    journal.record_alone(Event(Kind.LOGIN_STARTED))
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    with postgres.connect() as connection:
        connection.execute(text(f"{end} AND datname = current_database()"))
    time.sleep(0.05)  # less than what has a connection asked whether it lives
    journal.record_alone(Event(Kind.LOGIN_STARTED))
    assert len(journal.read()) == 2
    assert list(verify_chains(postgres)) == []


@pytest.mark.services
def test_an_answer_that_does_not_come_in_time_ends_the_connection(postgres: Engine) -> None:
    raw = psycopg.connect(postgres.url.render_as_string().replace("+psycopg", ""))
    connection = Connection(raw, 0.2)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT pg_sleep(2)", [], [bytes.decode])
    connection.close()


@pytest.mark.services
def test_sql_that_is_away_is_the_named_error() -> None:
    engine = open_engine(Stores(sql_url="postgresql+psycopg://127.0.0.1:1/none", timeout_s=1))
    with pytest.raises(OutsideError):
        Direct(engine).rows(BY_ID, key="s")


# --- a row and its event ------------------------------------------------------------------------------


def test_a_row_and_its_event_are_both_there(engine: Engine) -> None:
    journal = Journal(engine, now)
    journal.record_with(Event(Kind.AUTHORIZATION_ISSUED, session="s"), grants, GRANT)
    with transaction(engine) as connection:
        assert connection.execute(select(grants)).one().scope == "openid"
    assert [event["session"] for event in journal.read()] == ["s"]


def test_d6_without_its_event_there_is_no_row(engine: Engine) -> None:
    journal = Journal(engine, now)
    journal.record_alone(Event(Kind.LOGIN_STARTED))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE events"))
    with pytest.raises(OutsideError):
        journal.record_with(Event(Kind.AUTHORIZATION_ISSUED), grants, GRANT)
    with transaction(engine) as connection:
        assert connection.execute(select(grants)).all() == []


def test_without_its_row_there_is_no_event(engine: Engine) -> None:
    journal = Journal(engine, now)
    journal.record_with(Event(Kind.AUTHORIZATION_ISSUED), grants, GRANT)
    with pytest.raises(OutsideError):
        journal.record_with(Event(Kind.AUTHORIZATION_ISSUED), grants, GRANT)  # the same id
    assert len(journal.read()) == 1
    assert list(verify_chains(engine)) == []


def test_one_bad_row_takes_nobody_else_along(engine: Engine) -> None:
    journal = Journal(engine, now)
    outcomes: list[str] = []
    journal.record_with(Event(Kind.AUTHORIZATION_ISSUED), grants, GRANT)

    def write(number: int) -> None:
        try:
            if number % 4:
                journal.record_alone(Event(Kind.LOGIN_STARTED))
            else:
                journal.record_with(Event(Kind.AUTHORIZATION_ISSUED), grants, GRANT)
            outcomes.append("written")
        except OutsideError:
            outcomes.append("refused")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    with journal._appender._writing:  # all of them wait, and become one batch
        for thread in threads:
            thread.start()
        while len(journal._appender._waiting) < 12:
            time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 3 + ["written"] * 9
    assert len(journal.read()) == 10
    assert list(verify_chains(engine)) == []


def test_the_chain_goes_on_beside_events_in_other_transactions(engine: Engine) -> None:
    journal = Journal(engine, now)
    for _ in range(5):
        journal.record_alone(Event(Kind.LOGIN_STARTED))
        with transaction(engine) as connection:
            journal.record(connection, Event(Kind.LOGIN_STARTED))
    assert list(verify_chains(engine)) == []
    with transaction(engine) as connection:
        assert len(connection.execute(select(events.c.seq)).all()) == 10
