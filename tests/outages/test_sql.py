"""PostgreSQL restarts, becomes a standby, or holds a lock too long: refused in time, back by itself (F-06)."""

import time

import pytest
from sqlalchemy import text

from tests.outages.journey import CODE, FINISH, RESPONSE, TOKEN
from tests.outages.stack import BOUND_S, TIMEOUT_S, Stack

pytestmark = pytest.mark.services
OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"


def end_connections(running: Stack) -> None:
    with running.engine.begin() as connection:
        connection.execute(text(f"{OTHERS} AND pid <> pg_backend_pid()"))


@pytest.mark.parametrize("step", [RESPONSE, FINISH, CODE, TOKEN])
def test_connections_ended_by_the_server_are_replaced(whole: Stack, step: str) -> None:
    """As a restart or a failover does: at worst this one step is refused, and the next sign-in is not."""
    with whole.journey() as journey:
        journey.until(step)
        end_connections(whole)
        answer = journey.step(step)
        if answer.status_code not in (200, 303):
            whole.is_clean(answer)


def test_a_standby_is_no_database_to_sign_in_by(whole: Stack) -> None:
    """A-272: neither for those connected before it became one, nor for new connections."""
    with whole.journey() as journey:
        journey.until(FINISH)
        read_only(whole, "on")
        try:
            whole.is_clean(journey.step(FINISH))
            end_connections(whole)
            with whole.provider.client() as probe:
                whole.until(lambda: probe.get("/readyz").json()["stores"]["sql"] != "ok")
        finally:
            read_only(whole, "off")


def read_only(running: Stack, state: str) -> None:
    name = running.engine.url.database
    with running.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text(f"ALTER SYSTEM SET default_transaction_read_only = {state}"))
        connection.execute(text("SELECT pg_reload_conf()"))
        assert name
    running.engine.dispose()
    time.sleep(0.2)


def test_a_lock_held_too_long_is_a_clean_refusal(whole: Stack) -> None:
    """F-07: a maintenance job sits on the sessions; whoever needs them is told to come back."""
    with whole.journey() as journey:
        journey.until(FINISH)
        with whole.engine.connect() as holder, holder.begin():
            holder.execute(text("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE"))
            began = time.monotonic()
            whole.is_clean(journey.step(FINISH))
            assert TIMEOUT_S * 0.9 < time.monotonic() - began < BOUND_S
            with whole.provider.client() as probe:
                assert probe.get("/readyz").status_code == 200
