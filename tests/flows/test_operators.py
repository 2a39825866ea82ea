"""What operators type, against `gongmu serve` on real stores, while people are signed in."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.holder import Held, fetched
from tests.desk import Desk
from tests.passkeys import Seat
from tests.provider import GONGMU, Provider
from tests.servers_slapd import Slapd

pytestmark = pytest.mark.services
NUMBER = "A900003"
PEOPLE = "ou=people,dc=esaram,dc=example"


@pytest.fixture(scope="module")
def held(served: Provider, personnel: Slapd) -> Iterator[Held]:
    """Somebody of this module alone, in two groups of which one is nested."""
    dn = f"uid={NUMBER},{PEOPLE}"
    groups = PEOPLE.replace("people", "groups")
    personnel.modify(
        f"dn: {dn}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: {NUMBER}\ncn: 아무개\nsn: 아\n"
        f"employeeNumber: {NUMBER}\nemployeeType: active\no: 가상행정부\nmail: Anyone@Gasang.example\n\n"
        f"dn: cn=inner,{groups}\nchangetype: add\nobjectClass: groupOfNames\ncn: inner\nmember: {dn}\n\n"
        f"dn: cn=outer,{groups}\nchangetype: add\nobjectClass: groupOfNames\ncn: outer\n"
        f"member: cn=inner,{groups}\n"
    )
    yield Held.receive(served, NUMBER)
    for one in (dn, f"cn=outer,{groups}", f"cn=inner,{groups}"):
        personnel.modify(f"dn: {one}\nchangetype: delete\n")


@pytest.fixture
def desk(served: Provider) -> Iterator[Desk]:
    with Desk(served) as browser:
        yield browser


def command(served: Provider, *words: str, code: int = 0) -> Any:
    done = subprocess.run(
        [GONGMU, "--config", str(served.conf_file), *words, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout else done.stderr


def sign_in(desk: Desk, held: Held, **changed: str) -> dict[str, Any]:
    desk.start(**changed)
    where = desk.get(fetched(held, desk.wallet_link).post().json()["redirect_uri"])
    found: dict[str, Any] = desk.redeem(desk.answered(desk.agree(where))["code"]).json()
    return found


def test_a_person_from_the_entry_to_the_session(served: Provider, desk: Desk, held: Held) -> None:
    sign_in(desk, held)
    shown = command(served, "person", "show", NUMBER)
    assert (shown["may_act"], shown["groups"]) == (True, ["inner", "outer"])
    assert shown["entry"]["mail"] == ["Anyone@Gasang.example"]
    session = max(shown["sessions"], key=lambda one: str(one["authenticated_at"]))
    [mobile_id] = [one for one in shown["mobile_ids"] if one["state"] == "live"]
    assert session["mobile_id"] == mobile_id["id"]
    assert list(shown["subjects"]) == [served.issuer]
    assert shown == served.api("GET", f"people/{NUMBER}", "gongmu:people").json()


def test_the_preview_is_what_userinfo_tells(served: Provider, desk: Desk, held: Held) -> None:
    tokens = sign_in(desk, held, scope="openid profile email groups")
    with served.client() as client:
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        told = client.get("/oauth/userinfo", headers=bearer).json()
    found = command(
        served, "rp", "preview", "lab", "--person", NUMBER, "--scope", "openid profile email groups"
    )
    promised = {one["claim"]: one["value"] for one in found["claims"] if not one["missing"]}
    assert {name: told[name] for name in set(told) - {"sub"}} == promised
    why = {one["claim"]: one["missing"] for one in found["claims"] if one["missing"]}
    assert why["rank"] == "rank has no value in the directory"


def test_suspending_ends_the_session_at_once_and_a_found_phone_comes_back(
    served: Provider, desk: Desk, held: Held
) -> None:
    tokens = sign_in(desk, held)
    listed = command(served, "mobile-id", "list", "--person", NUMBER, "--state", "live")
    [mobile_id] = [one["id"] for one in listed]
    changed = command(served, "mobile-id", "suspend", mobile_id)
    assert (changed["state"], changed["changed"]) == ("suspended", True)
    with served.client() as client:
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert client.get("/oauth/userinfo", headers=bearer).status_code == 401
    desk.start()
    assert fetched(held, desk.wallet_link).post().status_code == 400
    assert command(served, "person", "show", NUMBER)["sessions"] == []
    assert command(served, "mobile-id", "reinstate", mobile_id)["state"] == "live"
    with Desk(served) as again:
        assert "access_token" in sign_in(again, held)


def test_the_chains_of_running_workers_are_whole(served: Provider, desk: Desk, held: Held) -> None:
    sign_in(desk, held)
    assert command(served, "events", "verify") == {"sound": True, "faults": []}


def test_the_doctor_sees_every_system(served: Provider, personnel: Slapd) -> None:
    found = command(served, "doctor", code=1)
    wrong = [one["found"] for one in found if one["level"] == "fix"]
    assert len(wrong) == 1
    assert wrong[0].startswith("fsync = off")  # true: a throw-away server
    told = " ".join(one["found"] for one in found)
    for words in ("PostgreSQL 1", "Redis 7", f"localhost:{personnel.tls_port}", "apart from"):
        assert words in told
    assert "without personnel_number_pattern: esaram, insarang" in told
    assert "the verifier certificate" in told


def test_passkeys_are_listed_suspended_reinstated_and_removed(served: Provider, held: Held) -> None:
    with Seat(served) as seat:
        seat.to_account(held)
        seat.enrol("서랍 속 열쇠")
        [shown] = command(served, "passkey", "list", "--person", NUMBER)
        assert (shown["name"], shown["state"], shown["synced"]) == ("서랍 속 열쇠", "live", False)
        assert "credential" not in str(shown)
        seat.answered(seat.begin(prompt="login").touch())
        for change, state, changed in (
            ("suspend", "suspended", True),
            ("suspend", "suspended", False),
            ("reinstate", "live", True),
            ("remove", "removed", True),
        ):
            told = command(served, "passkey", change, shown["id"])
            assert (told["state"], told["changed"]) == (state, changed)
            assert seat.client.get("/account").status_code == 401
    assert "never comes back" in command(served, "passkey", "reinstate", shown["id"], code=1)
    assert "no passkey 'nosuch'" in command(served, "passkey", "remove", "nosuch", code=1)
    suspended = command(served, "passkey", "list", "--state", "suspended")
    assert shown["id"] not in {one["id"] for one in suspended}
    answer = served.api("GET", "passkeys", "gongmu:people", params={"personnel_number": NUMBER})
    assert answer.json()["passkeys"] == command(served, "passkey", "list", "--person", NUMBER)
