"""The journal and the sessions on every SQL we speak: chained, gap-free, in the transaction of the change."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text, update

from idp.conf import Lifetimes, Stores
from idp.contracts import Identifier, Proof
from idp.errors import OutsideError
from idp.events import Event, Kind, Reason
from idp.journal import Journal, verify_chains
from idp.login import Bound, Person, Started, Wire, begin, bind, prove
from idp.sessions import Sessions
from idp.store.sql import open_engine, transaction
from idp.store.tables import events, metadata, sessions, subjects
from tests.unit.test_login import NOW, started


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path}/test.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_database")
    engine = open_engine(Stores(sql_url=url))
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def utc_now() -> datetime:
    return datetime.now(UTC)


def test_events_are_numbered_and_chained(engine: Engine) -> None:
    journal = Journal(engine, utc_now)
    for _ in range(5):
        journal.record_alone(Event(Kind.LOGIN_STARTED, journey="j"))
    assert list(verify_chains(engine)) == []
    assert [row["seq"] for row in journal.read(journey="j")] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE events SET body = replace(body, 'login', 'Login') WHERE seq = 3",
        "DELETE FROM events WHERE seq = 3",
        "DELETE FROM events WHERE seq = 5",
        "UPDATE events SET seq = 99 WHERE seq = 3",
    ],
)
def test_a251_a_changed_removed_or_cut_record_is_found(engine: Engine, spoil: str) -> None:
    journal = Journal(engine, utc_now)
    for _ in range(5):
        journal.record_alone(Event(Kind.LOGIN_STARTED))
    with engine.begin() as connection:
        connection.execute(text(spoil))
    assert list(verify_chains(engine))


def test_an_event_fails_with_its_transaction(engine: Engine) -> None:
    journal = Journal(engine, utc_now)
    journal.record_alone(Event(Kind.LOGIN_STARTED))
    connection = engine.connect()
    with connection.begin() as unfinished:
        journal.record(connection, Event(Kind.LOGIN_STARTED))
        unfinished.rollback()
    connection.close()
    journal.record_alone(Event(Kind.LOGIN_STARTED))
    assert list(verify_chains(engine)) == []
    assert len(journal.read()) == 2


def test_threads_and_writers_share_the_store_without_gaps(engine: Engine) -> None:
    journals = [Journal(engine, utc_now), Journal(engine, utc_now)]

    def write(journal: Journal) -> None:
        for _ in range(10):
            journal.record_alone(Event(Kind.LOGIN_STARTED))

    threads = [threading.Thread(target=write, args=(journal,)) for journal in journals * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(verify_chains(engine)) == []
    assert len(journals[0].read(limit=200)) == 40


def test_a250_hostile_text_is_one_bounded_record(engine: Engine) -> None:
    journal = Journal(engine, utc_now)
    hostile = "a\r\nb\x1b[31m\u2028\0" + "x" * 5000
    journal.record_alone(Event(Kind.LOGIN_STARTED, device=hostile))
    with engine.connect() as connection:
        body = connection.scalar(select(events.c.body)) or ""
    assert "\n" not in body
    assert "\x1b" not in body
    assert len(body) < 1000
    assert "[cut 5" in body


def bound(subject: str) -> Bound:
    wire = Wire("mobile_id", "handle", "nonce", "secret", {}, NOW)
    first: Started = started()
    proof = Proof(Identifier("https://id", "1"), frozenset({"pop"}), frozenset(), utc_now())
    person = Person(subject, "esaram", "1", "홍길동")
    return bind(prove(begin(first, wire), proof, person, "d"), "same_device")


def with_subject(engine: Engine, subject: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            subjects.insert().values(
                id=subject, issuer="https://id", personnel_number="1", created_at=NOW
            )
        )


def test_i4_session_and_event_commit_together(engine: Engine) -> None:
    with_subject(engine, "s")
    journal = Journal(engine, utc_now)
    kept = Sessions(engine, journal, Lifetimes(), utc_now)
    cookie = kept.start(bound("s"), "sid", "phr", ("pop",))
    found = kept.find(cookie)
    assert found is not None
    assert found.means == ("same_device",)
    assert [row["kind"] for row in journal.read(session="sid")] == [Kind.SESSION_STARTED.value]


def test_d6_no_event_no_session(engine: Engine) -> None:
    with_subject(engine, "s")
    kept = Sessions(engine, Journal(engine, utc_now), Lifetimes(), utc_now)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE events"))
    with pytest.raises(Exception):  # noqa: B017  # whichever error the database has for it
        kept.start(bound("s"), "sid", "phr", ("pop",))
    with engine.connect() as connection:
        assert connection.execute(select(sessions)).all() == []


def test_a129_ending_a_session_ends_its_grants(engine: Engine) -> None:
    with_subject(engine, "s")
    kept = Sessions(engine, Journal(engine, utc_now), Lifetimes(), utc_now)
    cookie = kept.start(bound("s"), "sid", "phr", ("pop",))
    session = kept.find(cookie)
    assert session is not None
    grant = kept.add_grant(session, "mail", ("openid",))
    assert kept.live_grant(grant.id) is not None
    assert kept.end("sid", Reason.BY_PERSON)
    assert not kept.end("sid", Reason.BY_PERSON)
    assert kept.find(cookie) is None
    assert kept.live_grant(grant.id) is None


def test_a_grant_that_ended_for_whatever_reason_has_ended(engine: Engine) -> None:
    with_subject(engine, "s")
    kept = Sessions(engine, Journal(engine, utc_now), Lifetimes(), utc_now)
    session = kept.find(kept.start(bound("s"), "sid", "phr", ("pop",)))
    assert session is not None
    for reason in Reason:
        grant = kept.add_grant(session, "mail", ("openid",))
        assert kept.end_grant(grant.id, Event(Kind.GRANT_ENDED, reason=reason))
        assert kept.live_grant(grant.id) is None, reason
        overlooked = kept.live_grant(grant.id, overlooked=Reason.GRANT_REPLAYED)
        assert (overlooked is None) is (reason is not Reason.GRANT_REPLAYED)


def test_a130_idle_and_total_limits(engine: Engine) -> None:
    with_subject(engine, "s")
    clock = [utc_now()]
    kept = Sessions(engine, Journal(engine, utc_now), Lifetimes(), lambda: clock[0])
    cookie = kept.start(bound("s"), "sid", "phr", ("pop",))
    clock[0] += timedelta(minutes=59)
    kept.touch("sid")
    clock[0] += timedelta(minutes=59)
    assert kept.find(cookie) is not None
    clock[0] += timedelta(minutes=2)
    assert kept.find(cookie) is None
    with engine.begin() as connection:
        connection.execute(update(sessions).values(seen_at=clock[0] + timedelta(hours=11)))
    clock[0] += timedelta(hours=11)
    assert kept.find(cookie) is None


@pytest.mark.parametrize(("acr", "hours"), [("phr", 24), ("phrh", 12)])
def test_a130_the_highest_level_lasts_half_a_day(engine: Engine, acr: str, hours: int) -> None:
    with_subject(engine, "s")
    now = utc_now()
    longest = Lifetimes(session_total_s=24 * 3600)
    kept = Sessions(engine, Journal(engine, utc_now), longest, lambda: now)
    kept.start(bound("s"), "sid", acr, ("pop",))
    session = kept.get("sid")
    assert session is not None
    assert session.expires_at - now == timedelta(hours=hours)


def test_a_sign_in_again_in_the_same_browser_takes_the_session_over(engine: Engine) -> None:
    """The older cookies open nothing; grants live on, each in its own session, until the newest ends."""
    with_subject(engine, "s")
    kept = Sessions(engine, Journal(engine, utc_now), Lifetimes(), utc_now)
    cookies, grants = [], []
    former = None
    for number in range(3):
        cookies.append(kept.start(bound("s"), f"sid{number}", "phr", ("pop",), former))
        former = kept.find(cookies[-1])
        assert former is not None
        grants.append(kept.add_grant(former, "mail", ("openid",)).id)
    assert [kept.find(cookie) is None for cookie in cookies] == [True, True, False]
    assert [session.id for session in kept.of("s")] == ["sid2"]
    assert {kept.heir(f"sid{number}") for number in range(3)} == {"sid2"}
    alive = [kept.live_grant(grant) for grant in grants]
    assert [found and found[1].id for found in alive] == ["sid0", "sid1", "sid2"]
    assert kept.end("sid2", Reason.BY_PERSON)
    assert [kept.live_grant(grant) for grant in grants] == [None, None, None]
    assert kept.heir("sid0") == ""


def test_sql_away_is_the_named_error() -> None:
    engine = open_engine(Stores(sql_url="postgresql+psycopg://127.0.0.1:1/none", timeout_s=1))
    with pytest.raises(OutsideError), transaction(engine):
        pass
