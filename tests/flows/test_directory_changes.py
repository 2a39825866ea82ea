"""A change in the personnel directory reaches every door (A-162, A-217, A-218): a real slapd decides."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.attacks.holder import Held, fetched
from tests.desk import Desk
from tests.provider import Provider
from tests.servers_slapd import Slapd

pytestmark = pytest.mark.services
SUFFIX = "ou=people,dc=esaram,dc=example"


@pytest.fixture(scope="module")
def held(served: Provider) -> Held:
    return Held.receive(served, "E1000001")


@pytest.fixture
def desk(served: Provider) -> Iterator[Desk]:
    with Desk(served) as browser:
        yield browser


@contextmanager
def state(server: Slapd, number: str, value: str) -> Iterator[None]:
    """While inside, the directory says so."""
    change = (
        "dn: employeeNumber={},{}\nchangetype: modify\nreplace: employeeType\nemployeeType: {}\n"
    )
    server.modify(change.format(number, SUFFIX, value))
    try:
        yield
    finally:
        server.modify(change.format(number, SUFFIX, "active"))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("retired", "person_retired"),
        ("suspended", "person_suspended"),
        ("on_leave", "person_on_leave"),
        ("not_started", "person_not_started"),
        ("something new", "person_state_unknown"),
    ],
)
def test_a162_valid_credential_of_a_person_who_may_not_act(
    served: Provider, personnel: Slapd, desk: Desk, held: Held, value: str, reason: str
) -> None:
    desk.start()
    answer = fetched(held, desk.wallet_link)
    with state(personnel, held.number, value):
        mark = served.last_event()
        told = answer.post()
        assert told.status_code == 200  # the wallet learns nothing of the directory
        assert desk.status()["reason"] == reason
        [event] = served.events_after(mark)
    assert (event["kind"], event["reason"]) == ("login:finish:refused", reason)
    assert desk.get(told.json()["redirect_uri"]).startswith(served.issuer)
    assert desk.status()["step"] == "failed"


def test_a217_entry_deleted_between_proof_and_finish(
    personnel: Slapd, desk: Desk, held: Held
) -> None:
    desk.start()
    redirect_uri = fetched(held, desk.wallet_link).post().json()["redirect_uri"]
    with state(personnel, held.number, "retired"):
        where = desk.get(redirect_uri)
        assert where.startswith(desk.provider.issuer)
        assert desk.answer.status_code == 403
    assert desk.status()["reason"] == "person_retired"


def test_a218_retired_person_is_out_everywhere_at_once(
    served: Provider, personnel: Slapd, desk: Desk, held: Held
) -> None:
    desk.start(scope="openid profile offline_access", prompt="consent")
    where = desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
    tokens = desk.redeem(desk.answered(desk.agree(where))["code"]).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    refresh = {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
        "client_id": desk.registered["client_id"],
        "client_secret": desk.registered["client_secret"],
    }
    with served.client() as client, state(personnel, held.number, "retired"):
        assert client.get("/oauth/userinfo", headers=bearer).status_code == 401
        refused = client.post("/oauth/token", data=refresh)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        silent = desk.answered(desk.get(Desk(served).authorization_url(prompt="none")))
        assert silent["error"] in {"login_required", "access_denied"}
        offered = served.api(
            "POST", "mobile-ids", "gongmu:issue", json={"personnel_number": held.number}
        )
        assert offered.status_code == 403


def test_i7_directory_away_refuses_and_comes_back(personnel: Slapd, desk: Desk, held: Held) -> None:
    """Stopped, not killed: the connection hangs, which is the worse case (F-05)."""
    desk.start()
    answer = fetched(held, desk.wallet_link)
    form = answer.build()
    os.kill(personnel.child.process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        away = answer.post(form)
        assert away.status_code == 503
        assert time.monotonic() - begun < 8
        assert desk.status()["step"] == "scanned"
    finally:
        os.kill(personnel.child.process.pid, signal.SIGCONT)
    again = answer.post(form)
    assert again.status_code == 200, again.text
    assert "code" in desk.answered(desk.get(again.json()["redirect_uri"]))
