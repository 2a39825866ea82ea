"""Client secrets: two at a time, with an end, and with the time of their last use."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from idp.conf import Stores
from idp.errors import ConfError
from idp.journal import Journal
from idp.relying_parties import RelyingParties, RelyingParty
from idp.store import migrations
from idp.store.sql import open_engine
from idp.store.tables import metadata

MAIL = RelyingParty("mail", "메일", "Mail", redirect_uris=("https://mail.example/cb",))


class Clock:
    at = datetime(2027, 3, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_engine(Stores(sql_url=f"sqlite:///{tmp_path}/gongmu.db"))
    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def register(engine: Engine, clock: Clock) -> RelyingParties:
    return RelyingParties(engine, Journal(engine, clock), b"k" * 32, clock)


def works(register: RelyingParties, *secrets: str) -> list[bool]:
    return [register.secret_is_right("mail", secret) for secret in secrets]


def test_two_live_and_a_third_waits(register: RelyingParties) -> None:
    first = register.add(MAIL, "t")
    second_id, second = register.secrets.add("mail", "t")
    assert works(register, first, second, "x") == [True, True, False]
    with pytest.raises(ConfError, match="removed first"):
        register.secrets.add("mail", "t")
    [first_id] = {one.id for one in register.secrets.of("mail")} - {second_id}
    register.secrets.remove("mail", first_id, "t")
    assert works(register, first, second) == [False, True]
    _, third = register.secrets.add("mail", "t")
    assert works(register, second, third) == [True, True]


def test_each_change_is_an_event_without_the_secret(
    register: RelyingParties, engine: Engine, clock: Clock
) -> None:
    register.add(MAIL, "t")
    secret_id, secret = register.secrets.add("mail", "cli:root")
    register.secrets.remove("mail", secret_id, "cli:root")
    removed, added, _ = Journal(engine, clock).read()
    assert added["data"] == {"change": "secret_added", "secret": secret_id}
    assert removed["data"] == {"change": "secret_removed", "secret": secret_id}
    assert (added["actor"], removed["relying_party"]) == ("cli:root", "mail")
    assert secret not in str((added, removed))


def test_an_end_in_time(register: RelyingParties, clock: Clock) -> None:
    first = register.add(MAIL, "t")
    _, second = register.secrets.add("mail", "t", timedelta(days=1))
    clock.at += timedelta(days=1) - timedelta(seconds=1)
    assert works(register, first, second) == [True, True]
    clock.at += timedelta(seconds=1)
    assert works(register, first, second) == [True, False]
    register.secrets.add("mail", "t")  # what is over does not count


def test_the_last_use_is_written_by_a_chore(register: RelyingParties, clock: Clock) -> None:
    secret = register.add(MAIL, "t")
    register.secrets.write_used()
    assert register.secrets.of("mail")[0].used_at is None
    works(register, "wrong")
    register.secrets.write_used()
    assert register.secrets.of("mail")[0].used_at is None
    used_at = clock.at
    works(register, secret)
    assert register.secrets.of("mail")[0].used_at is None  # nobody waits for it
    clock.at += timedelta(hours=1)
    register.secrets.write_used()
    assert register.secrets.of("mail")[0].used_at == used_at
    for later in (-3600, 0, 59):  # another worker's news are older, or hardly newer
        clock.at = used_at + timedelta(seconds=later)
        works(register, secret)
        register.secrets.write_used()
        assert register.secrets.of("mail")[0].used_at == used_at
    clock.at = used_at + timedelta(seconds=60)
    works(register, secret)
    register.secrets.write_used()
    assert register.secrets.of("mail")[0].used_at == clock.at


def test_of_another_client_or_unknown(register: RelyingParties) -> None:
    register.add(MAIL, "t")
    register.add(replace(MAIL, client_id="other"), "t")
    [mine] = register.secrets.of("mail")
    for call in (
        lambda: register.secrets.remove("other", mine.id, "t"),
        lambda: register.secrets.remove("mail", "x", "t"),
        lambda: register.secrets.add("nobody", "t"),
        lambda: register.secrets.replace("nobody", "t"),
    ):
        with pytest.raises(ConfError):
            call()
    assert [one.id for one in register.secrets.of("mail")] == [mine.id]
    assert register.secrets.of("nobody") == []


def test_many_at_once_make_two(register: RelyingParties) -> None:
    register.add(MAIL, "t")
    made: list[Any] = []

    def run() -> None:
        try:
            made.append(register.secrets.add("mail", "t"))
        except ConfError:
            made.append(None)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([one for one in made if one]) == 1
    assert len(register.secrets.of("mail")) == 2


def test_a_secret_of_before_goes_on(tmp_path: Path, clock: Clock) -> None:
    """Migration 0006 moves what stood in the party's own row."""
    engine = open_engine(Stores(sql_url=f"sqlite:///{tmp_path}/old.db"))
    with engine.begin() as connection:
        migrations.migrate(connection, "0005")
    other = RelyingParties(engine, Journal(engine, clock), b"k" * 32, clock)
    mac = other.secrets._mac("mail", "of before")
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO relying_parties (client_id, settings, secret_mac, created_at) "
                'VALUES (\'mail\', \'{"name_ko": "x", "name_en": "x"}\', :mac, \'2027-01-01\')'
            ),
            {"mac": mac},
        )
        migrations.migrate(connection)
    assert other.secret_is_right("mail", "of before")
    assert not other.secret_is_right("mail", "another")
    engine.dispose()
