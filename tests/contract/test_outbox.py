"""The outbox on every SQL we speak: one claim per letter, a lease, nothing lost, nobody waits for another."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from idp.events import Reason
from idp.expiry import end_expired
from idp.session_ends import end_session
from idp.signals import outbox
from idp.store.sql import transaction
from idp.store.tables import grants, sessions
from tests.contract.outbox_world import World, utc_now

# --- letters are written with the change ------------------------------------------------------------


def test_a_letter_to_each_party_with_a_grant_and_an_address(world: World) -> None:
    for name in ("mail", "board", "other"):
        world.party(name, f"https://{name}.example.go.kr/logout")
    world.party("mute")
    world.session("one", "mail", "mail", "board", "mute", "gone")
    world.session("two", "other")
    assert world.end("one")
    assert not world.end("one")  # once
    letters = world.letters()
    assert [letter.target for letter in letters] == ["board", "mail"]
    assert letters[0].body == {"session": "one", "subject": "s", "journey": "j"}


def test_a_grant_that_ended_before_counts(world: World) -> None:
    world.party("mail", "https://mail.example.go.kr/logout")
    world.session("one", "mail")
    with transaction(world.engine) as connection:
        connection.execute(update(grants).values(ended_at=utc_now()))
    world.end("one")
    assert [letter.target for letter in world.letters()] == ["mail"]


def test_a_session_ends_with_those_that_it_took_over(world: World) -> None:
    """Each relying party hears of the session that it knows, and the grants of both are over."""
    for name in ("mail", "board"):
        world.party(name, f"https://{name}.example.go.kr/logout")
    world.session("older", "mail")
    world.session("newer", "board")
    world.session("elsewhere", "mail")
    with transaction(world.engine) as connection:
        connection.execute(
            update(sessions).where(sessions.c.id == "older").values(successor="newer")
        )
    assert world.end("newer")
    told = {letter.target: letter.body["session"] for letter in world.letters()}
    assert told == {"mail": "older", "board": "newer"}
    assert len(world.kinds("session:end:")) == 2
    with transaction(world.engine) as connection:
        alive = connection.scalars(select(grants.c.session).where(grants.c.ended_at.is_(None)))
        assert list(alive) == ["elsewhere"]
    assert not world.end("older")


def test_waiting_letters_are_counted(world: World) -> None:
    world.party("mail", "https://mail.example.go.kr/logout")
    world.session("one", "mail")
    assert outbox.waiting(world.engine) == 0
    world.end("one")
    assert outbox.waiting(world.engine) == 1
    letter = outbox.claim(world.engine, (outbox.LOGOUT,), utc_now(), 6.0, ())
    assert letter is not None
    assert outbox.waiting(world.engine) == 1  # on its way is not delivered
    with transaction(world.engine) as connection:
        outbox.settle(connection, letter, utc_now(), again_at=None, failed=False)
    assert outbox.waiting(world.engine) == 0


def test_a_change_that_fails_tells_nobody(world: World) -> None:
    world.party("mail", "https://mail.example.go.kr/logout")
    world.session("one", "mail")
    with pytest.raises(ZeroDivisionError), transaction(world.engine) as connection:
        assert 1 / (not end_session(connection, world.journal, "one", Reason.NONE, utc_now()))
    assert world.letters() == []


def test_sessions_whose_time_is_over_end_like_others(world: World) -> None:
    world.party("mail", "https://mail.example.go.kr/logout")
    world.session("over", "mail", lasts_s=-1)
    world.session("lasting", "mail")
    assert end_expired(world.engine, world.journal, utc_now) == 1
    assert end_expired(world.engine, world.journal, utc_now) == 0
    assert [letter.body["session"] for letter in world.letters()] == ["over"]
    assert len(world.kinds("session:end:")) == 1


# --- one claim per letter ---------------------------------------------------------------------------


def test_many_workers_claim_each_letter_once(world: World) -> None:
    world.write(*[f"t{number}" for number in range(40)])
    claimed: list[str] = []

    def work() -> None:
        misses = 0
        while misses < 20:  # a worker may meet only rows that others hold just now
            letter = world.claim()
            if letter is None:
                misses += 1
            else:
                claimed.append(letter.id)

    with ThreadPoolExecutor(4) as workers:
        for worker in [workers.submit(work) for _ in range(4)]:
            worker.result()
    assert len(claimed) == len(set(claimed)) == 40


def test_the_oldest_first_and_not_before_its_time_nor_to_those_shut_out(world: World) -> None:
    world.write("first")
    world.write("second")
    with transaction(world.engine) as connection:
        later = utc_now() + timedelta(minutes=1)
        outbox.write(connection, "test", "third", {}, later)
        outbox.write(connection, "unknown", "fourth", {}, utc_now())
    world.write("last")
    claimed = [world.claim(without=("first",)), world.claim(), world.claim()]
    assert [letter and letter.target for letter in claimed] == ["second", "first", "last"]
    assert world.claim() is None


def test_when_the_lease_is_over_another_takes_it_and_the_first_has_no_say(world: World) -> None:
    world.write("mail")
    first = world.claim(lease_s=0.01)
    time.sleep(0.02)
    second = world.claim()
    assert first is not None
    assert second is not None
    assert (second.id, second.tries) == (first.id, first.tries + 1)
    with transaction(world.engine) as connection:
        assert not outbox.settle(connection, first, utc_now(), again_at=None, failed=False)
    assert world.letters()[0].done_at is None
    with transaction(world.engine) as connection:
        assert outbox.settle(connection, second, utc_now(), again_at=None, failed=False)
        assert not outbox.settle(connection, second, utc_now(), again_at=None, failed=False)
    assert world.letters()[0].done_at is not None


def test_what_was_settled_is_forgotten_in_time_and_what_is_open_never(world: World) -> None:
    world.write("done", "open")
    letter = world.claim(without=("open",))
    assert letter is not None
    with transaction(world.engine) as connection:
        outbox.settle(connection, letter, utc_now(), again_at=None, failed=False)
    assert outbox.forget(world.engine, utc_now() - timedelta(days=1)) == 0
    assert outbox.forget(world.engine, utc_now() + timedelta(days=1)) == 1
    assert [row.target for row in world.letters()] == ["open"]
