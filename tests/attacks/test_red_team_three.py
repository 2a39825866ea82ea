"""What one worker was told holds at the other at once, also where both are in the middle of something.

Each browser and program here keeps one connection to one known worker. Where two must meet at an exact
moment, a row is held in SQL until both wait for it.
"""

import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import psycopg
import pytest

from idp import conf_file
from idp.conf import Grants
from idp.registration import DEVICE_CODE
from idp.relying_parties import CACHE_S, RelyingParties, RelyingParty
from tests.attacks.holder import Held, fetched
from tests.desk import ACR_QR, ACR_RETURN_CODE, Desk, Lost, Phone
from tests.fakes.security_key import SecurityKey
from tests.passkeys import PASSKEYS, Seat
from tests.provider import Provider
from tests.servers_slapd import Slapd
from tests.stack import services_of
from tests.unit.oidc.running import running

pytestmark = pytest.mark.services
NUMBER = "A900007"
ENTRY = f"uid={NUMBER},ou=people,dc=esaram,dc=example"
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
        # A set: while the kernel writes the list, a row may come twice.
        [inode] = {row[9] for row in rows if (row[1][-5:], row[2][-5:]) == ends and row[9] != "0"}
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
    """The same provider, with a party that asks for consent once."""
    register(served, ONCE)
    return served


def register(served: Provider, name: str) -> None:
    """A party that asks for consent once and tells claims in the ID token."""
    assert served.conf_file is not None
    settings: dict[str, Any] = {
        "redirect_uris": (CALLBACK,),
        "minimum_acr": ACR_QR,
        "consent": "once",
        "claims_in_id_token": True,
    }
    with services_of(served.conf_file) as parts:
        key = parts.keys.secret("client-secrets")
        parties = RelyingParties(parts.engine, parts.journal, key, parts.now, loopback=True)
        secret = parties.add(RelyingParty(name, name, name, **settings), "cli:tests")
    served.relying_parties[name] = {
        "client_id": name,
        "client_secret": secret,
        "redirect_uris": [CALLBACK],
    }


@pytest.fixture(scope="module")
def person(personnel: Slapd) -> Iterator[str]:
    """Somebody of this module alone."""
    personnel.modify(
        f"dn: {ENTRY}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: {NUMBER}\ncn: 아무개\nsn: 아\n"
        f"employeeNumber: {NUMBER}\nemployeeType: active\no: 가상행정부\n"
    )
    yield NUMBER
    personnel.modify(f"dn: {ENTRY}\nchangetype: delete\n")


@pytest.fixture
def held(served: Provider, person: str) -> Held:
    """Their mobile ID of this moment: whoever takes the next one ends it."""
    return Held.receive(served, person)


@pytest.fixture
def new_seat(once: Provider) -> Iterator[Callable[..., Seat]]:
    with ExitStack() as stack:
        yield lambda party=ONCE: stack.enter_context(Seat(once, party=party))


@dataclass(frozen=True, slots=True)
class Sql:
    """The database, as who may stop it for a moment."""

    address: str

    @contextmanager
    def hold(self, table: str, row: str) -> Iterator[None]:
        """Nobody else changes this row, or makes one that points to it, while inside."""
        with psycopg.connect(self.address) as connection:
            query = f"SELECT id FROM {table} WHERE id = %s FOR UPDATE"  # noqa: S608 - a table that a test names
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

    def mobile_id(self, number: str) -> str:
        """The live one of that person."""
        query = "SELECT id FROM mobile_ids WHERE personnel_number = %s AND state = 'live'"
        return str(self.one(query, number))

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


def redemption(seat: Seat, code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": seat.verifier,
        "client_id": seat.party,
        "client_secret": seat.registered["client_secret"],
    }


def redeemed(backend: httpx.Client, seat: Seat, code: str) -> httpx.Response:
    return backend.post("/oauth/token", data=redemption(seat, code))


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
    held: Held,
    sql: Sql,
    meanwhile: Callable[..., Future[Any]],
) -> None:
    """Each waited for the other, until the database broke one of them off after a second: 503."""
    seat = new_seat()
    seat.key = SecurityKey(served.issuer, attachment="platform", transports=("internal",))
    seat.to_account(held)
    assert seat.enrol().endswith(PASSKEYS)
    phone = sql.one("SELECT mobile_id FROM passkeys WHERE id = %s", seat.ids()[0])
    seat.sign_out()
    workers.move(seat, workers.b)
    seat.begin()
    with sql.hold("mobile_ids", phone):
        suspended = meanwhile(suspend, workers, phone)
        sql.until_waiting(1)
        touched = meanwhile(seat.touch)
        sql.until_waiting(2)
        begun = time.monotonic()
    suspended.result()
    assert time.monotonic() - begun < AT_ONCE_S / 2
    touched.result()
    assert seat.answer.status_code == 403, seat.page
    alive = "SELECT count(*) FROM sessions WHERE mobile_id = %s AND ended_at IS NULL"
    assert sql.one(alive, phone) == 0


# --- cut off at one worker, tried at the other ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spoils:
    """All that one sign-in has opened or is about to open, in the hands of who goes on at worker b."""

    seat: Seat  # signed in
    tokens: dict[str, str]
    code: str  # not redeemed
    proved: Seat  # the phone has shown this return code for another sign-in
    return_code: str


def spoils_of(
    workers: Workers, new_seat: Callable[..., Seat], held: Held, party: str = ONCE
) -> Spoils:
    seat, proved = new_seat(party), new_seat(party)
    tokens = seat.redeem(code_of(seat, held)).json()
    code = seat.answered(seat.get(seat.authorization_url(scope="openid profile")))["code"]
    proved.start(acr_values=ACR_RETURN_CODE)
    with Phone(seat.provider) as phone:
        answer = fetched(held, proved.wallet_link).post()
        return_code = phone.return_code(answer.json()["redirect_uri"])
    for one in (seat, proved):
        workers.move(one, workers.b)
    return Spoils(seat, tokens, code, proved, return_code)


def opened(spoils: Spoils) -> set[str]:
    """What still opens something."""
    seat, tokens = spoils.seat, spoils.tokens
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    client = {"client_id": seat.party, "client_secret": seat.registered["client_secret"]}
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    silent = seat.authorization_url(**SILENTLY, code_challenge=secrets.token_urlsafe(32))
    told = seat.client.post("/oauth/introspect", data={"token": tokens["access_token"], **client})
    tries = {
        "userinfo": seat.client.get("/oauth/userinfo", headers=bearer).status_code == 200,
        "introspection": told.json().get("active", False),
        "refresh": seat.client.post("/oauth/token", data={**refresh, **client}).status_code == 200,
        "code": redeemed(seat.client, seat, spoils.code).status_code == 200,
        "session": "?code=" in seat.get(silent),
        "account": seat.client.get("/account").status_code == 200,
    }
    with suppress(Lost):  # no field to type it into
        where = spoils.proved.type_return_code(spoils.return_code)
        tries["proved"] = where.startswith(CALLBACK) or "decision" in spoils.proved.page
    return {name for name, is_open in tries.items() if is_open}


SILENTLY = {"prompt": "none", "scope": "openid profile"}
ALL = {"userinfo", "introspection", "refresh", "code", "session", "account", "proved"}


def suspend(workers: Workers, mobile_id: str) -> None:
    bearer = {"Authorization": f"Bearer {workers.provider.token('gongmu:issue')}"}
    with closing(workers.client(workers.a)) as operator:
        answer = operator.post(f"/api/v1/mobile-ids/{mobile_id}/suspend", headers=bearer, json={})
        assert answer.status_code == 200, answer.text


def test_a_phone_suspended_at_one_worker_is_nothing_at_the_other(
    workers: Workers, new_seat: Callable[[], Seat], sql: Sql, held: Held
) -> None:
    spoils = spoils_of(workers, new_seat, held)
    suspend(workers, sql.mobile_id(held.number))
    assert opened(spoils) == set()


def test_a_phone_replaced_at_one_worker_is_nothing_at_the_other(
    workers: Workers, new_seat: Callable[[], Seat], held: Held
) -> None:
    """Before that everything opens: else these tests would hold of tries that are wrong themselves."""
    assert opened(spoils_of(workers, new_seat, held)) == ALL
    spoils = spoils_of(workers, new_seat, held)
    Held.receive(held.provider, held.number)
    assert opened(spoils) == set()


def test_who_retires_is_nobody_at_either_worker(
    workers: Workers, new_seat: Callable[[], Seat], held: Held, personnel: Slapd
) -> None:
    spoils = spoils_of(workers, new_seat, held)
    change = f"dn: {ENTRY}\nchangetype: modify\nreplace: employeeType\nemployeeType: "
    personnel.modify(f"{change}retired\n")
    try:
        assert opened(spoils) == set()
    finally:
        personnel.modify(f"{change}active\n")


def test_who_ends_all_at_one_worker_is_signed_in_at_none(
    workers: Workers, new_seat: Callable[[], Seat], held: Held
) -> None:
    """Another sign-in, which the phone has already approved, is not a session yet."""
    spoils = spoils_of(workers, new_seat, held)
    here = new_seat()
    here.client.cookies = spoils.seat.client.cookies
    workers.move(here, workers.a)
    here.get("/account")
    here.post("/account/sessions/end-all")
    assert opened(spoils) == {"proved"}


def test_two_tabs_of_one_browser_finish_at_the_same_moment(
    workers: Workers,
    new_seat: Callable[[], Seat],
    held: Held,
    sql: Sql,
    meanwhile: Callable[..., Future[Any]],
) -> None:
    """Each took the same session over: the browser kept one cookie, and no sign-out ended the other."""
    seat = new_seat()
    code_of(seat, held)
    former = sql.one("SELECT id FROM sessions ORDER BY authenticated_at DESC LIMIT 1")
    finishing = []
    with sql.hold("sessions", former):
        for number, worker in enumerate((workers.a, workers.b), 1):
            tab = new_seat()
            tab.client.cookies = seat.client.cookies
            workers.move(tab, worker)
            tab.start(prompt="login", scope="openid profile")
            approved = fetched(held, tab.wallet_link).post().json()["redirect_uri"]
            finishing.append(meanwhile(tab.get, approved))
            sql.until_waiting(number)
    assert sorted(one.result().startswith(CALLBACK) for one in finishing) == [False, True]
    open_ones = "SELECT count(*) FROM sessions WHERE mobile_id = %s AND ended_at IS NULL"
    assert sql.one(f"{open_ones} AND successor = ''", sql.mobile_id(held.number)) == 1


def test_a_party_disabled_at_one_worker_is_shut_out_at_the_other_within_two_seconds(
    workers: Workers, new_seat: Callable[..., Seat], served: Provider, held: Held
) -> None:
    """The other worker has just read it, and keeps what it read that long; its own pages stay open."""
    name = "red-three-disabled"
    register(served, name)
    spoils = spoils_of(workers, new_seat, held, name)
    bearer = {"Authorization": f"Bearer {served.token('gongmu:rp')}"}
    assert spoils.seat.client.get("/oauth/authorize", params={"client_id": name}).status_code == 400
    with closing(workers.client(workers.a)) as operator:
        answer = operator.post(f"/api/v1/relying-parties/{name}/disable", headers=bearer, json={})
        assert answer.status_code == 200, answer.text
    time.sleep(CACHE_S)
    assert opened(spoils) == {"account"}


def test_who_ends_all_while_a_device_comes_for_its_session(
    tmp_path: Path, redis_url: str, postgres_database: str, meanwhile: Callable[..., Future[Any]]
) -> None:
    """What it got at that very moment was on no list yet, and stayed."""
    stopped = Sql(postgres_database.replace("postgresql+psycopg:", "postgresql:"))
    settings = {"redirect_uris": (), "grant_types": (DEVICE_CODE,)}
    with (
        running(tmp_path, redis_url, postgres_database, grants=Grants(device=True)) as gongmu,
        gongmu.signed_in() as browser,
    ):
        party = gongmu.world.register("printer", **settings)
        asked = {"data": {"scope": "openid"}, "headers": party.basic}
        with gongmu.client() as device:
            told = device.post("/oauth/device_authorization", **asked).json()
        page = filled(browser, "/device", user_code=told["user_code"]).headers["location"]
        assert filled(browser, page, decision="allow").status_code == 303
        form = {"grant_type": DEVICE_CODE, "device_code": told["device_code"]}
        with gongmu.client() as device:
            with stopped.hold("subjects", stopped.one("SELECT subject FROM sessions")):
                poll = meanwhile(device.post, "/oauth/token", data=form, headers=party.basic)
                stopped.until_waiting(1)
                ended = meanwhile(filled, browser, "/account", "/account/sessions/end-all")
                stopped.until_waiting(2)
            assert ended.result().status_code == 200
            poll.result()
        assert stopped.one("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == 0


def filled(browser: httpx.Client, page: str, action: str = "", **fields: str) -> httpx.Response:
    """The form on a page, filled in and sent."""
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get(page).text)
    assert found is not None
    return browser.post(action or page, data={"csrf": found.group(1), **fields})


# --- the server itself -----------------------------------------------------------------------------


def raw(provider: Provider, *parts: bytes, hang_up: bool = False) -> bytes:
    """What comes back for these octets; nothing where the server hangs up."""
    url = urlsplit(provider.issuer)
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        try:
            connection.sendall(b"".join(parts))
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError:  # it had read enough
            return b""


def test_a_request_that_was_cut_off_is_not_carried_out(
    new_seat: Callable[[], Seat], served: Provider, held: Held
) -> None:
    """Who can break a connection off would else choose where a form ends."""
    seat = new_seat()
    code = code_of(seat, held)
    body = urlencode(redemption(seat, code)).encode()
    head = (
        "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body) + 9}\r\n\r\n"
    )
    assert b"access_token" not in raw(served, head.encode(), body, hang_up=True)
    assert redeemed(seat.client, seat, code).status_code == 200


@pytest.mark.parametrize("name", ["Accept-Language", "Cookie", "Authorization", "X-Other"])
def test_a109_headers_are_bounded(served: Provider, name: str) -> None:
    """300 KB of languages took a third of a second of one core to weigh."""
    value = ",".join(f"x{number};q=0.1" for number in range(5000))
    answer = raw(
        served,
        f"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{name}: {value}\r\n\r\n".encode(),
    )
    assert answer[:13] in (b"", b"HTTP/1.1 431 "), answer[:100]
    with served.client() as client:
        assert client.get("/", headers={name: "k" * 16 * 1024}).status_code == 200
