"""Passkeys on two workers, while Redis forgets or SQL is away: a clean retry, and nothing half done."""

from collections.abc import Iterator

import pytest

from tests.fakes.security_key import form
from tests.outages.proxy import Fault
from tests.outages.stack import Stack
from tests.passkeys import PASSKEYS, Seat, options, passing_seat, reason_on

pytestmark = pytest.mark.services


@pytest.fixture
def seat(whole: Stack) -> Iterator[Seat]:
    """At the page that makes a passkey."""
    with passing_seat(whole.provider, whole.held) as made:
        yield made


def test_a_redis_that_forgot_in_mid_enrolment_gives_a_clean_retry(whole: Stack, seat: Seat) -> None:
    whole.redis.flushall()
    seat.enrol()
    assert (seat.answer.status_code, reason_on(seat.page)) == (400, "G-702")
    assert seat.ids() == []
    seat.get(f"{PASSKEYS}/new")
    seat.enrol()
    assert len(seat.ids()) == 1


def test_a_redis_that_forgot_in_mid_sign_in_costs_a_new_login(whole: Stack, seat: Seat) -> None:
    seat.enrol()
    with Seat(whole.provider) as desk:
        desk.key = seat.key
        desk.begin()
        whole.redis.flushall()
        desk.touch()
        assert (desk.answer.status_code, reason_on(desk.page)) == (404, "G-301")
        desk.answered(desk.begin().touch())


def test_a_sql_that_is_away_keeps_nothing_and_costs_nothing(whole: Stack, seat: Seat) -> None:
    made = form(seat.key.create(options(seat.page)))
    attempt = seat.find(r'name="attempt" value="([^"]+)"')
    sent = {"csrf": seat.csrf, "attempt": attempt, "name": "x", **made}
    with whole.broken("sql", Fault.STOPPED):
        assert seat.client.post(PASSKEYS, data=sent).status_code == 503
    whole.works_again()
    assert seat.ids() == []
    assert seat.client.post(PASSKEYS, data=sent).status_code == 303
    assert len(seat.ids()) == 1


def test_each_worker_answers_what_another_asked(whole: Stack, seat: Seat) -> None:
    """A new connection each time: two workers share them by chance."""
    seat.enrol()
    for _ in range(6):
        with Seat(whole.provider) as desk:
            desk.key = seat.key
            desk.begin()
            cookies = dict(desk.client.cookies)
            fields = {"csrf": desk.csrf, **form(desk.key.get(options(desk.page)))}
            with whole.provider.client(cookies=cookies) as other:
                assert other.post(f"{desk.login}/answer", data=fields).status_code == 303
