"""What one worker was told holds at the other at once, also where both are in the middle of something.

Each browser and program here keeps one connection to one known worker. Where two must meet at an exact
moment, a row is held in SQL until both wait for it.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from idp import conf_file
from idp.relying_parties import RelyingParties, RelyingParty
from tests.attacks.holder import Held, fetched
from tests.desk import ACR_QR, Desk
from tests.fakes.security_key import SecurityKey
from tests.passkeys import PASSKEYS, Seat
from tests.provider import Provider
from tests.stack import services_of

pytestmark = pytest.mark.services
CALLBACK = "http://localhost:9997/callback"
ONCE = "red-three-once"
ONE_CONNECTION = httpx.Limits(max_connections=1, keepalive_expiry=60)
AT_ONCE_S = 1.0


@dataclass(frozen=True, slots=True)
class Workers:
    """The provider, and its two workers by their process ids."""

    provider: Provider
    a: int
    b: int

    def client(self, worker: int) -> httpx.Client:
        """A browser or program whose one connection is with this worker."""
        for _ in range(64):
            client = self.provider.client(limits=ONE_CONNECTION)
            if self.of(client) == worker:
                return client
            client.close()
        raise AssertionError("the kernel gives no connection to that worker")

    def move(self, desk: Desk, worker: int) -> None:
        """The same browser goes on at this worker."""
        moved = self.client(worker)
        moved.headers, moved.cookies = desk.client.headers, desk.client.cookies
        desk.client.close()
        desk.client = moved

    def of(self, client: httpx.Client) -> int:
        """Whose socket the other end of this client's connection is."""
        stream = client.get("/healthz").extensions["network_stream"]
        ours, theirs = (stream.get_extra_info(name) for name in ("client_addr", "server_addr"))
        ends = f":{theirs[1]:04X}", f":{ours[1]:04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        [inode] = [row[9] for row in rows if (row[1][-5:], row[2][-5:]) == ends and row[9] != "0"]
        return next(pid for pid in workers_of(self.provider) if inode in sockets_of(pid))


def workers_of(provider: Provider) -> list[int]:
    pid = provider.child.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if sockets_of(int(child))]


def sockets_of(pid: int) -> set[str]:
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(str(entry.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return {link[8:-1] for link in links if link.startswith("socket:[")}


@pytest.fixture(scope="module")
def workers(served: Provider) -> Workers:
    asked = Workers(served, 0, 0)
    found: set[int] = set()
    for _ in range(64):
        with served.client(limits=ONE_CONNECTION) as client:
            found.add(asked.of(client))
    a, b = sorted(found)
    return Workers(served, a, b)


@pytest.fixture(scope="module")
def once(served: Provider) -> Provider:
    """The same provider, with a party that asks for consent once and tells claims in the ID token."""
    assert served.conf_file is not None
    settings: dict[str, Any] = {
        "redirect_uris": (CALLBACK,),
        "minimum_acr": ACR_QR,
        "consent": "once",
        "claims_in_id_token": True,
    }
    with services_of(served.conf_file) as parts:
        key = parts.keys.secret("client-secrets")
        register = RelyingParties(parts.engine, parts.journal, key, parts.now, loopback=True)
        secret = register.add(RelyingParty(ONCE, ONCE, ONCE, **settings), "cli:tests")
    served.relying_parties[ONCE] = {
        "client_id": ONCE,
        "client_secret": secret,
        "redirect_uris": [CALLBACK],
    }
    return served


@pytest.fixture(scope="module")
def held(served: Provider) -> Held:
    return Held.receive(served, served.person(index=5))


@pytest.fixture
def new_seat(once: Provider) -> Iterator[Callable[[], Seat]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Seat(once, party=ONCE))


@dataclass(frozen=True, slots=True)
class Sql:
    """The database, as who may stop it for a moment."""

    address: str

    @contextmanager
    def hold(self, table: str, row: str) -> Iterator[None]:
        """Nobody else changes this row, or makes one that points to it, while inside."""
        with psycopg.connect(self.address) as connection:
            query = f"SELECT id FROM {table} WHERE id = %s FOR UPDATE"  # noqa: S608 - ours
            assert connection.execute(query, (row,)).fetchone() == (row,)
            yield

    def until_waiting(self, number: int) -> None:
        """Until so many of the provider's transactions wait for a lock."""
        query = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        with psycopg.connect(self.address, autocommit=True) as connection:
            for _ in range(200):
                if connection.execute(query).fetchone() == (number,):
                    return
                time.sleep(0.01)
        raise AssertionError(f"not {number} are waiting")

    def one(self, query: str, *values: str) -> Any:
        with psycopg.connect(self.address) as connection:
            row = connection.execute(query, values).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture(scope="module")
def sql(served: Provider) -> Sql:
    assert served.conf_file is not None
    url = conf_file.load(served.conf_file).stores.sql_url
    return Sql(url.replace("postgresql+psycopg:", "postgresql:"))


@pytest.fixture
def meanwhile() -> Iterator[Callable[..., Future[Any]]]:
    """Runs something in a thread of its own."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit


def code_of(seat: Seat, held: Held, scope: str = "openid profile offline_access") -> str:
    """A sign-in with consent, up to the code."""
    seat.start(scope=scope, prompt="consent")
    where = seat.get(fetched(held, seat.wallet_link).post().json()["redirect_uri"])
    return seat.answered(seat.agree(where))["code"]


def withdraw(seat: Seat) -> None:
    seat.get("/account")
    seat.post("/account/consents/withdraw", client_id=ONCE)
    assert seat.answer.status_code == 200


# --- what was agreed to -------------------------------------------------------------------------


def test_a057_a_code_of_a_consent_that_was_withdrawn(
    workers: Workers, new_seat: Callable[[], Seat], held: Held
) -> None:
    """It gave an ID token with the person's name, and an access token that opened nothing."""
    seat = new_seat()
    workers.move(seat, workers.a)
    code = code_of(seat, held)
    withdraw(seat)
    mark = seat.provider.last_event()
    with closing(workers.client(workers.b)) as backend:
        answer = redeemed(backend, seat, code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), answer.text
    [event] = seat.provider.events_after(mark)
    assert (event["kind"], event["reason"]) == ("token:issue:refused", "grant_ended")


def redeemed(backend: httpx.Client, seat: Seat, code: str) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": seat.verifier,
        "client_id": ONCE,
        "client_secret": seat.registered["client_secret"],
    }
    return backend.post("/oauth/token", data=form)


def test_a_consent_withdrawn_while_a_code_is_made(
    workers: Workers,
    new_seat: Callable[[], Seat],
    held: Held,
    sql: Sql,
    meanwhile: Callable[..., Future[Any]],
) -> None:
    """Its grant came after those that ended with the consent, and lived on for hours."""
    seat = new_seat()
    workers.move(seat, workers.a)
    code_of(seat, held)
    session = sql.one("SELECT id FROM sessions ORDER BY authenticated_at DESC LIMIT 1")
    again = new_seat()
    again.client.cookies = seat.client.cookies
    workers.move(again, workers.b)
    with sql.hold("sessions", session):
        asked = meanwhile(again.get, again.authorization_url(scope="openid profile"))
        sql.until_waiting(1)  # consent is there, and the grant is about to be
        withdraw(seat)
    where = asked.result()
    assert again.answered(where)["error"] == "consent_required"
    alive = "SELECT count(*) FROM grants WHERE session = %s AND ended_at IS NULL"
    assert sql.one(alive, session) == 0


# --- a phone that is lost while its passkey signs in -----------------------------------------------


def test_a_phone_is_suspended_while_its_passkey_signs_in(
    workers: Workers,
    new_seat: Callable[[], Seat],
    served: Provider,
    sql: Sql,
    meanwhile: Callable[..., Future[Any]],
) -> None:
    """Each waited for the other, until the database broke one of them off after a second: 503."""
    held = Held.receive(served, served.person(index=6))
    seat = new_seat()
    seat.key = SecurityKey(served.issuer, attachment="platform", transports=("internal",))
    seat.to_account(held)
    assert seat.enrol().endswith(PASSKEYS)
    phone = sql.one("SELECT mobile_id FROM passkeys WHERE id = %s", seat.ids()[0])
    seat.sign_out()
    workers.move(seat, workers.b)
    seat.begin()
    bearer = {"Authorization": f"Bearer {served.token('gongmu:issue')}"}
    with closing(workers.client(workers.a)) as operator:
        with sql.hold("mobile_ids", phone):
            suspend = f"/api/v1/mobile-ids/{phone}/suspend"
            suspended = meanwhile(operator.post, suspend, headers=bearer, json={})
            sql.until_waiting(1)
            touched = meanwhile(seat.touch)
            sql.until_waiting(2)
            begun = time.monotonic()
        assert suspended.result().status_code == 200, suspended.result().text
        assert time.monotonic() - begun < AT_ONCE_S / 2
    touched.result()
    assert seat.answer.status_code == 403, seat.page
    alive = "SELECT count(*) FROM sessions WHERE mobile_id = %s AND ended_at IS NULL"
    assert sql.one(alive, phone) == 0
