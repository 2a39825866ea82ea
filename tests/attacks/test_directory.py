"""The directory's hard cases at every door, over HTTP: a real slapd, two sources, two workers."""

import os
import re
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import stack
from tests.attacks.forge import decode
from tests.attacks.holder import Held, fetched
from tests.desk import Desk
from tests.provider import Provider
from tests.servers import new_database, redis_server
from tests.servers_slapd import READER_PASSWORD, Authority, Slapd, slapd

pytestmark = pytest.mark.services
BASE = "dc=esaram,dc=example"
PEOPLE, GROUPS = f"ou=people,{BASE}", f"ou=groups,{BASE}"
AGE_S = 2  # directory_state_s of this provider
WITH_DATES = """timeout_s = 1.5
nested_groups_age_s = 1
locked_attribute = "pager"
starts_attribute = "carLicense"
ends_attribute = "roomNumber"
"""


@dataclass(frozen=True, slots=True)
class Town:
    """A provider, the slapd behind its first source and the file behind its second."""

    provider: Provider
    server: Slapd
    file: Path

    def add(self, number: str, uid: str, *lines: str) -> None:
        """An active official named by a uid."""
        self.server.modify(
            f"dn: uid={uid},{PEOPLE}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: {uid}\n"
            f"employeeNumber: {number}\nemployeeType: active\ncn: 아무개\nsn: 아\no: 가상행정부\n"
            f"mail: {uid}@gasang.example\n" + "\n".join(lines)
        )

    def delete(self, dn: str) -> None:
        self.server.modify(f"dn: {dn}\nchangetype: delete\n")

    @contextmanager
    def person(self, number: str, uid: str, *lines: str) -> Iterator[Held]:
        """Somebody with a mobile ID, gone afterwards."""
        self.add(number, uid, *lines)
        try:
            yield Held.receive(self.provider, number)
        finally:
            with suppress(subprocess.CalledProcessError):
                self.delete(f"uid={uid},{PEOPLE}")


@pytest.fixture(scope="module")
def town(postgres_url: str, tmp_path_factory: Any) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    file = folder / "insarang.ldif"
    file.write_text(stack.demo_entries("insarang"), encoding="utf-8")
    local = stack.ldif_table("insarang").replace(f"{stack.ROOT}/conf/demo/insarang.ldif", str(file))
    database = new_database(postgres_url, "town")
    with (
        slapd(stack.demo_entries("esaram"), BASE, Authority(folder)) as server,
        redis_server() as redis,
        pytest.MonkeyPatch.context() as patch,
    ):
        aged = f"directory_state_s = {AGE_S}"
        patch.setattr(
            stack, "CONFIGURATION", stack.CONFIGURATION.replace("directory_state_s = 0", aged)
        )
        central = re.sub(r"timeout_s = .*\n", "", stack.ldap_table("esaram", server))
        directories = central + WITH_DATES + local
        provider = stack.start_stack(folder, redis, database, directories)
        try:
            yield Town(provider, server, file)
        finally:
            provider.child.stop()


@pytest.fixture
def desk(town: Town) -> Iterator[Desk]:
    with Desk(town.provider) as browser:
        yield browser


def sign_in(desk: Desk, held: Held, **changed: str) -> dict[str, Any]:
    """Same device, up to the tokens."""
    desk.start(**changed)
    where = desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
    answer = desk.redeem(desk.answered(desk.agree(where))["code"])
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


def sub_of(tokens: dict[str, Any]) -> str:
    return str(decode(tokens["id_token"])[1]["sub"])


def userinfo(town: Town, tokens: dict[str, Any]) -> Any:
    with town.provider.client() as client:
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        return client.get("/oauth/userinfo", headers=bearer)


def refusal(desk: Desk, held: Held) -> str:
    """What the desk is told after a good presentation that must not sign in."""
    desk.start()
    told = fetched(held, desk.wallet_link).post()
    assert told.status_code == 200  # the wallet learns nothing of the directory
    assert desk.get(told.json()["redirect_uri"]).startswith(desk.provider.issuer)
    status = desk.status()
    assert status["step"] == "failed"
    return str(status["reason"])


# --- who may act ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("replace: employeeType\nemployeeType: suspended", "person_suspended"),
        ("replace: employeeType\nemployeeType: retired", "person_retired"),
        ("replace: employeeType\nemployeeType: on_leave", "person_on_leave"),
        ("replace: employeeType\nemployeeType: not_started", "person_not_started"),
        ("replace: employeeType\nemployeeType: moved to another ministry", "person_state_unknown"),
        ("replace: employeeType\nemployeeType: ACTIVE", "person_state_unknown"),
        ("delete: employeeType", "person_state_unknown"),
        ("add: employeeType\nemployeeType: retired", "person_state_unknown"),
        ("add: pager\npager: 20260101000000Z", "person_suspended"),
        ("add: carLicense\ncarLicense: 29990101", "person_not_started"),
        ("add: roomNumber\nroomNumber: 20200101", "person_retired"),
        ("add: roomNumber\nroomNumber: one day", "person_state_unknown"),
        ("replace: employeeNumber\nemployeeNumber: S217 ", "person_unknown"),
    ],
)
def test_a217_only_active_passes(town: Town, desk: Desk, change: str, reason: str) -> None:
    with town.person("S217", "matrix") as held:
        town.server.modify(f"dn: uid=matrix,{PEOPLE}\nchangetype: modify\n{change}\n")
        if change.endswith(" "):  # a blank at the end is another number, whatever the server thinks
            number = "employeeNumber:: UzIxNyA="
            town.server.modify(
                f"dn: uid=matrix,{PEOPLE}\nchangetype: modify\nreplace: employeeNumber\n{number}\n"
            )
        assert refusal(desk, held) == reason


def test_a217_two_entries_of_one_number(town: Town, desk: Desk) -> None:
    with town.person("T217", "first") as held, suppress_gone(town, "second"):
        town.add("T217", "second")
        assert refusal(desk, held) == "person_ambiguous"


def test_a217_entry_deleted_between_scan_and_answer(town: Town, desk: Desk) -> None:
    with town.person("D217", "leaving") as held:
        desk.start()
        answer = fetched(held, desk.wallet_link)
        town.delete(f"uid=leaving,{PEOPLE}")
        assert answer.post().status_code == 200
        assert desk.status()["reason"] == "person_unknown"


@contextmanager
def suppress_gone(town: Town, uid: str) -> Iterator[None]:
    try:
        yield
    finally:
        town.delete(f"uid={uid},{PEOPLE}")


def test_two_sources_that_both_know_a_person_refuse_them(town: Town, desk: Desk) -> None:
    """Which of them is meant cannot be told; a session of before ends with its age."""
    before = town.file.read_text(encoding="utf-8")
    base = "ou=people,dc=insarang,dc=example"
    twin = f"\ndn: uid=twin,{base}\nobjectClass: inetOrgPerson\nuid: twin\ncn: 다른이\nsn: 다\n"
    with town.person("B100", "both") as held:
        try:
            town.file.write_text(f"{before}{twin}employeeNumber: B100\nemployeeType: active\n")
            assert refusal(desk, held) == "person_ambiguous"
            offered = town.provider.api(
                "POST", "mobile-ids", "gongmu:issue", json={"personnel_number": "B100"}
            )
            assert (offered.status_code, offered.json()["code"]) == (403, "person_ambiguous")
        finally:
            town.file.write_text(before)
        assert sub_of(sign_in(desk, held))


# --- how old an answer may be --------------------------------------------------------


def test_a218_a_change_reaches_sessions_within_its_age(town: Town, desk: Desk) -> None:
    with town.person("C218", "changing") as held:
        tokens = sign_in(desk, held, scope="openid profile offline_access", prompt="consent")
        assert userinfo(town, tokens).status_code == 200
        town.server.modify(
            f"dn: uid=changing,{PEOPLE}\nchangetype: modify\nreplace: employeeType\n"
            "employeeType: retired\n"
        )
        changed = time.monotonic()
        while userinfo(town, tokens).status_code == 200:
            assert time.monotonic() - changed < AGE_S + 1
            time.sleep(0.1)
        time.sleep(max(0.0, changed + AGE_S - time.monotonic()))
        # Both workers, each with a memory of its own, have forgotten by now.
        assert {userinfo(town, tokens).status_code for _ in range(12)} == {401}
        refused = refresh(town, desk, tokens)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        where = desk.get(Desk(town.provider).authorization_url(prompt="none"))
        assert desk.answered(where)["error"] in {"login_required", "access_denied"}


def refresh(town: Town, desk: Desk, tokens: dict[str, Any]) -> Any:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
        "client_id": desk.registered["client_id"],
        "client_secret": desk.registered["client_secret"],
    }
    with town.provider.client() as client:
        return client.post("/oauth/token", data=form)


def test_a222_in_an_outage_an_answer_counts_within_its_age_and_never_to_sign_in(
    town: Town, desk: Desk
) -> None:
    with town.person("O222", "outage") as held, Desk(town.provider) as other:
        tokens = sign_in(desk, held)
        other.start()
        waiting = fetched(held, other.wallet_link)
        form = waiting.build()
        remembered_by_both(town, tokens)
        began = time.monotonic()
        with stopped(town.server):
            # Some worker remembers it still: that alone may answer, and only until the age is over.
            assert userinfo(town, tokens).status_code == 200
            assert waiting.post(form).status_code == 503
            time.sleep(max(0.0, began + AGE_S + 0.1 - time.monotonic()))
            assert {userinfo(town, tokens).status_code for _ in range(2)} == {503}
        assert userinfo(town, tokens).status_code == 200
        assert waiting.post(form).status_code == 200


def remembered_by_both(town: Town, tokens: dict[str, Any]) -> None:
    """Each connection may meet another worker: ask until both have asked the directory just now."""
    time.sleep(AGE_S)
    for _ in range(16):
        assert userinfo(town, tokens).status_code == 200


@contextmanager
def stopped(server: Slapd) -> Iterator[None]:
    """The server hangs, which is worse than being gone (F-05)."""
    os.kill(server.child.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.child.process.pid, signal.SIGCONT)


# --- the number is the person ---------------------------------------------------------------


def test_a219_a_renamed_uid_is_the_same_person_and_a_reused_one_is_not(
    town: Town, desk: Desk
) -> None:
    with town.person("R219", "gildong") as held:
        tokens = sign_in(desk, held, scope="openid offline_access", prompt="consent")
        town.server.modify(
            f"dn: uid=gildong,{PEOPLE}\nchangetype: modrdn\nnewrdn: uid=gildong2\ndeleteoldrdn: 1\n"
        )
        with suppress_gone(town, "gildong2"), Desk(town.provider) as renamed:
            assert sub_of(sign_in(renamed, held)) == sub_of(tokens)
        # A new person gets the uid and the address of the one who left.
        with town.person("N219", "gildong") as successor, Desk(town.provider) as third:
            theirs = sign_in(third, successor, scope="openid email")
            assert sub_of(theirs) != sub_of(tokens)
            assert userinfo(town, theirs).json()["email"] == "gildong@gasang.example"
            time.sleep(AGE_S)
            assert refresh(town, desk, tokens).status_code == 400
            with Desk(town.provider) as fourth:
                assert refusal(fourth, held) == "person_unknown"


def test_a220_another_spelling_of_a_number_is_nobody(town: Town) -> None:
    with town.person("Case220", "case"):
        for number in ("case220", "CASE220", "Case220 ", "Ｃase220", "Case220\u200b"):
            offered = town.provider.api(
                "POST", "mobile-ids", "gongmu:issue", json={"personnel_number": number}
            )
            assert offered.status_code in {400, 403}, number


# --- groups, all of them or none ------------------------------------------------------------


def group(name: str, *members: str, base: str = GROUPS) -> str:
    held = "".join(f"member: {member}\n" for member in members)
    return f"dn: cn={name},{base}\nchangetype: add\nobjectClass: groupOfNames\ncn: {name}\n{held}\n"


def test_a221_nested_groups_are_told_whole_and_a_foreign_one_is_not(town: Town, desk: Desk) -> None:
    person = f"uid=nested,{PEOPLE}"
    chain = [group("n0", person), *(group(f"n{i}", f"cn=n{i - 1},{GROUPS}") for i in range(1, 9))]
    ring = [group("ring-a", person, f"cn=ring-b,{GROUPS}"), group("ring-b", f"cn=ring-a,{GROUPS}")]
    foreign = group("gongmu-admins", person, base=PEOPLE)
    with town.person("G221", "nested") as held:
        for one in (*chain, *ring, foreign):
            town.server.modify(one)
        time.sleep(AGE_S)  # a worker remembers the person without groups, from the issuance
        tokens = sign_in(desk, held, scope="openid groups")
        expected = sorted([*(f"n{i}" for i in range(9)), "ring-a", "ring-b"])
        assert userinfo(town, tokens).json()["groups"] == expected
        town.server.modify(
            f"dn: cn=n8,{GROUPS}\nchangetype: modrdn\nnewrdn: cn=renamed\ndeleteoldrdn: 1\n"
        )
        time.sleep(AGE_S + 1)  # the nesting's own second counts on top
        told = {tuple(userinfo(town, tokens).json()["groups"]) for _ in range(6)}
        assert told == {tuple(sorted({*expected, "renamed"} - {"n8"}))}


def test_a221_more_groups_than_the_server_gives_is_no_answer(town: Town, desk: Desk) -> None:
    """A slapd gives 500 entries and no more: a part of them must not pass for all."""
    person = f"uid=crowded,{PEOPLE}"
    with town.person("P221", "crowded") as held:
        town.server.modify("\n".join(group(f"crowd-{i:03}", person) for i in range(510)))
        desk.start()
        answer = fetched(held, desk.wallet_link)
        form = answer.build()
        assert answer.post(form).status_code == 503
        town.server.modify(
            "\n".join(f"dn: cn=crowd-{i:03},{GROUPS}\nchangetype: delete\n" for i in range(400))
        )
        assert answer.post(form).status_code == 200  # 110, in two pages


# --- what the directory must not tell, and must not take -----------------------------


def test_a225_a_stranger_never_makes_the_directory_be_asked(town: Town) -> None:
    """Nothing that could be timed: only a verified credential leads to a search."""
    before = town.server.log().count(" SRCH ")
    for number in ("E1000001", "E9999999"):
        with Desk(town.provider) as desk:
            desk.start(login_hint=number)
            desk.status()
            with town.provider.client() as client:
                client.get(f"/api/v1/people/{number}")
                client.post("/oauth/token", data={"username": number, "grant_type": "password"})
                client.get(f"/.well-known/webfinger?resource=acct:{number}@localhost")
    assert town.server.log().count(" SRCH ") == before


def test_a225_a_person_and_nobody_take_about_as_long(town: Town) -> None:
    """The wallet's wait with a credential of a person who is there, and of one who is gone."""
    with town.person("H225", "here") as hit, town.person("M225", "missing") as miss:
        town.delete(f"uid=missing,{PEOPLE}")
        times: dict[str, list[float]] = {}
        for turn in range(24):
            for held in (hit, miss) if turn % 2 else (miss, hit):
                times.setdefault(held.number, []).append(answering_s(town, held))
    here, gone = (statistics.quantiles(times[held.number])[0] for held in (hit, miss))
    assert abs(here - gone) < max(0.005, here / 2)  # a busy machine stretches both


def answering_s(town: Town, held: Held) -> float:
    with Desk(town.provider) as desk:
        desk.start()
        answer = fetched(held, desk.wallet_link)
        form = answer.build()
        begun = time.perf_counter()
        answered = answer.post(form)
        took = time.perf_counter() - begun
    assert answered.status_code == 200
    return took


def test_a226_the_service_account_cannot_write(town: Town) -> None:
    change = (
        f"dn: employeeNumber=E1000001,{PEOPLE}\nchangetype: modify\nreplace: employeeType\n"
        "employeeType: retired\n"
    )
    address = ["ldapmodify", "-x", "-H", f"ldap://127.0.0.1:{town.server.port}"]
    account = ["-D", town.server.reader_dn, "-w", READER_PASSWORD]
    done = subprocess.run(
        [*address, *account], input=change.encode(), capture_output=True, timeout=20, check=False
    )
    assert done.returncode == 50, done.stderr  # insufficientAccessRights


def test_a226_the_provider_only_binds_and_searches(town: Town, desk: Desk) -> None:
    with town.person("W226", "watched") as held:
        sign_in(desk, held)
    lines = [line for line in town.server.log().splitlines() if "conn=" in line]
    of = {line: line.partition("conn=")[2].partition(" ")[0] for line in lines}
    ours = {of[line] for line in lines if "TLS established" in line}  # only the provider speaks it
    asked = {
        found.group(1)
        for line in lines
        if of[line] in ours and (found := re.search(r" op=\d+ ([A-Z]+)\b", line))
    }
    assert {"BIND", "SRCH"} <= asked
    assert asked <= {"BIND", "SRCH", "SEARCH", "RESULT", "UNBIND"}, asked
