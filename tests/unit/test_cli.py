"""The `gongmu` command: quick help, exit codes, JSON, and no traceback for what can be foreseen."""

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from idp import cli, conf_file, embedded
from idp.contracts import MobileId, MobileIdState
from idp.cutoff import is_stale_offer
from idp.paths import CONF
from idp.store.migrations import HEAD
from idp.store.sql import open_engine, transaction
from tests.provider import GONGMU

CONFIGURATION = f"""
issuer = "http://localhost:8000"
environment = "demo"
[keys]
key_encryption_key_file = "kek"
algorithms = ["ES256"]
[stores]
sql_url = "sqlite:///gongmu.db"
[[wallets]]
name_ko = "웹 지갑"
name_en = "the web wallet"
present_prefix = "http://localhost:8000/wallet/present?"
receive_prefix = "http://localhost:8000/wallet/receive?"
[methods.mobile_id]
[sites.issuer]
[directories.esaram]
type = "ldif"
file = "{CONF / "demo" / "esaram.ldif"}"
base_dn = "ou=people,dc=esaram,dc=example"
groups_base_dn = "ou=groups,dc=esaram,dc=example"
"""


class Command:
    """`gongmu` in this process, as `main` runs it."""

    def __init__(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file = file
        self._capsys = capsys
        self.out = self.err = ""

    def run(self, *arguments: str) -> int:
        sys.argv = ["gongmu", "--config", str(self.file), *arguments]
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        self.out, self.err = self._capsys.readouterr()
        return code

    def json(self, *arguments: str) -> object:
        assert self.run(*arguments, "--json") == 0, self.err
        return json.loads(self.out)


@pytest.fixture
def gongmu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.setattr(sys, "argv", sys.argv)
    file = tmp_path / "gongmu.toml"
    file.write_text(CONFIGURATION)
    return Command(file, capsys)


@pytest.fixture
def ready(gongmu: Command) -> Command:
    """With its schema."""
    assert gongmu.run("db", "upgrade") == 0, gongmu.err
    return gongmu


@pytest.fixture
def with_valkey(ready: Command) -> Iterator[Command]:
    with embedded.running(conf_file.load(ready.file)):
        yield ready


# --- help and misuse ------------------------------------------------------------------------------


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from idp.cli import gongmu\n"
        "try: gongmu.main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'pydantic', 'sqlalchemy', 'flask', 'structlog', 'granian'} & sys.modules.keys()\n"
        "sys.exit(f'imports {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"on this computer" in done.stdout
    for name in (b"serve", b"demo", b"mobile-id", b"rp", b"wallet", b"keys"):
        assert name in done.stdout


def test_the_installed_command_answers() -> None:
    done = subprocess.run([GONGMU, "--version"], capture_output=True, check=True, text=True)
    assert done.stdout.startswith("gongmu, version ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such",),
        ("keys", "no-such"),
        ("keys", "retire"),
        ("keys", "rotate", "--use", "root"),
        ("mobile-id", "list", "--state", "LIVE"),
        ("person", "preview", "E1000001"),
        ("rp", "preview", "mail"),
        ("keys", "rotate", "--use", "issuer", "--algorithm", "RS256"),
        ("rp", "add", "x"),
        ("demo", "--port", "65535"),
        ("events", "list", "--limit", "0"),
    ],
)
def test_misuse_is_2(gongmu: Command, arguments: tuple[str, ...]) -> None:
    assert gongmu.run(*arguments) == 2
    assert "Error" in gongmu.err


@pytest.mark.parametrize(
    "name", ["config", "db", "events", "keys", "mobile-id", "person", "rp", "wallet"]
)
def test_every_group_explains_itself(gongmu: Command, name: str) -> None:
    assert gongmu.run(name, "--help") == 0
    assert "Commands:" in gongmu.out


def test_the_configuration_may_be_named_by_the_environment(
    gongmu: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GONGMU_CONFIG", str(gongmu.file))
    monkeypatch.setattr(sys, "argv", ["gongmu", "config", "check"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert str(gongmu.file) in capsys.readouterr().out


# --- configuration and schema ---------------------------------------------------------------------


def test_config_check(gongmu: Command) -> None:
    assert gongmu.run("config", "check") == 0
    assert gongmu.json("config", "check") == []
    gongmu.file.write_text(CONFIGURATION + "[server]\nprot = 1\nworkers = -1\n")
    assert gongmu.run("config", "check") == 1
    assert gongmu.err.count("\n") == 2
    assert "server.prot" in gongmu.err
    assert gongmu.run("config", "check", "--json") == 1
    assert {problem["key"] for problem in json.loads(gongmu.out)} == {
        "server.prot",
        "server.workers",
    }


def test_config_default_and_schema(gongmu: Command) -> None:
    assert gongmu.run("config", "default") == 0
    assert gongmu.out == conf_file.default_text()
    assert gongmu.run("config", "schema") == 0
    assert json.loads(gongmu.out)["title"] == "Gongmu"


@pytest.mark.parametrize(
    "arguments",
    [("serve",), ("keys", "list"), ("rp", "list"), ("events", "list"), ("db", "upgrade")],
)
def test_a_bad_configuration_is_1_and_says_why(gongmu: Command, arguments: tuple[str, ...]) -> None:
    gongmu.file.write_text("issuer = 3\n")
    assert gongmu.run(*arguments) == 1
    assert gongmu.err.startswith("gongmu: ")
    assert "issuer" in gongmu.err
    assert "Traceback" not in gongmu.err


@pytest.mark.parametrize("arguments", [("keys", "list"), ("rp", "list"), ("person", "show", "1")])
def test_a_database_without_schema_is_said(gongmu: Command, arguments: tuple[str, ...]) -> None:
    assert gongmu.run(*arguments) == 1
    assert "gongmu db upgrade" in gongmu.err


def test_a_database_that_is_away_is_said(gongmu: Command) -> None:
    text = CONFIGURATION.replace("sqlite:///gongmu.db", "postgresql+psycopg://x@127.0.0.1:1/x")
    gongmu.file.write_text(text)
    assert gongmu.run("db", "upgrade") == 1
    assert gongmu.err.endswith("(outside_system): sql: OperationalError\n")


def test_db_upgrade_says_what_changed(gongmu: Command) -> None:
    assert gongmu.json("db", "upgrade") == {"before": "", "now": HEAD, "changed": True}
    assert gongmu.json("db", "upgrade") == {"before": HEAD, "now": HEAD, "changed": False}


# --- data -----------------------------------------------------------------------------------------


def test_keys(ready: Command) -> None:
    ready.run("rp", "list")  # makes the keys
    rows = ready.json("keys", "list")
    assert isinstance(rows, list)
    [active] = [row["kid"] for row in rows if row["use"] == "oidc"]
    assert "sealed" not in ready.out
    made = ready.json("keys", "rotate", "--use", "oidc")
    assert isinstance(made, dict)
    assert made["state"] == "next"
    assert ready.run("keys", "rotate") == 1
    assert "published too lately" in ready.err
    assert ready.run("keys", "retire", active) == 1
    assert ready.json("keys", "rotate", "--now") == {"kid": made["kid"], "state": "active"}
    assert ready.json("keys", "retire", active, "--compromised") == {
        "kid": active,
        "state": "withdrawn",
    }
    events = ready.json("events", "list")
    assert isinstance(events, list)
    assert events[0]["actor"].startswith("cli:")


def test_relying_parties(ready: Command) -> None:
    arguments = ("--redirect-uri", "https://mail.example.go.kr/callback", "--kind", "mail")
    added = ready.json("rp", "add", "my-mail", *arguments)
    assert isinstance(added, dict)
    assert len(added["client_secret"]) >= 40
    assert added["discovery"] == "http://localhost:8000/.well-known/openid-configuration"
    shown = ready.json("rp", "show", "my-mail")
    assert isinstance(shown, dict)
    assert shown["minimum_acr"] == "urn:gongmu:acr:2"
    assert added["client_secret"] not in ready.out
    assert ready.run("rp", "list") == 0
    assert "my-mail" in ready.out
    assert ready.run("rp", "add", "my-mail", *arguments) == 1
    assert "taken" in ready.err
    assert ready.run("rp", "add", "other", "--redirect-uri", "https://a.example/#x") == 1
    assert "fragment" in ready.err
    assert ready.run("rp", "add", "x", *arguments[:2], "--kind", "nonsense") == 2
    assert "mail" in ready.err
    assert ready.run("rp", "show", "nobody") == 1


def test_a_program_of_the_api(ready: Command) -> None:
    added = ready.json("rp", "add", "robot", "--api", "--scope", "gongmu:people")
    assert isinstance(added, dict)
    assert (added["grant_type"], added["scope"]) == ("client_credentials", "gongmu:people")
    shown = ready.json("rp", "show", "robot")
    assert isinstance(shown, dict)
    assert shown["audience"] == "http://localhost:8000/api/v1"
    assert shown["redirect_uris"] == []
    assert ready.run("rp", "add", "x", "--api", "--redirect-uri", "https://a.example/cb") == 2


def test_a_relying_party_that_cannot_work_is_refused(ready: Command, tmp_path: Path) -> None:
    arguments = ("rp", "add", "board", "--redirect-uri", "https://a.example/cb")
    mapping = tmp_path / "claims.json"
    for written, said in (
        ('{"sub": {"rule": "rename", "from": "mail"}}', "not a claim of the protocol"),
        ('{"a": {"rule": "run", "from": "mail"}}', "claims.a"),
        ("[]", "holds no JSON object"),
        ("{", "is no JSON"),
        ("[" * 5000, "is no JSON"),
    ):
        mapping.write_text(written)
        assert ready.run(*arguments, "--claims", str(mapping)) == 1
        assert said in ready.err, ready.err
    assert ready.run(*arguments, "--id-token-alg", "EdDSA") == 1  # keys.algorithms has none
    assert "id_token_signed_response_alg" in ready.err
    assert ready.run(*arguments, "--claims", "no-such-file") == 2
    assert ready.json("rp", "list") == []


def test_person(ready: Command) -> None:
    found = ready.json("person", "show", "E1000001")
    assert isinstance(found, dict)
    assert (found["name"], found["state"]) == ("홍길동", "active")
    assert (found["may_act"], found["reason"]) == (True, "none")
    assert found["entry"]["mail"] == ["gildong.hong@gasang.example"]
    assert found["photo"] is True
    retired = ready.json("person", "show", "E1000004")
    assert isinstance(retired, dict)
    assert (retired["may_act"], retired["reason"]) == (False, "person_retired")
    assert ready.run("person", "show", "E1000004") == 0
    assert "closed: The directory says you have left the service (person_retired)" in ready.out
    for number in ("E9999999", "", "E1\u0007"):
        assert ready.run("person", "show", number) == 1
        assert "person_unknown" in ready.err


def test_looking_at_a_person_makes_nobody_known(ready: Command) -> None:
    found = ready.json("person", "show", "E1000001")
    again = ready.json("person", "show", "E1000001")
    assert isinstance(found, dict)
    assert found == again
    assert found["subjects"] == {}


def test_a_person_that_the_directory_lost_is_still_shown(with_valkey: Command) -> None:
    offer = with_valkey.json("mobile-id", "offer", "E1000001")
    assert isinstance(offer, dict)
    other = CONFIGURATION.replace("ou=people,dc=esaram", "ou=groups,dc=esaram", 1)
    with_valkey.file.write_text(other)
    found = with_valkey.json("person", "show", "E1000001")
    assert isinstance(found, dict)
    assert (found["state"], found["reason"]) == ("", "person_unknown")
    assert [one["id"] for one in found["mobile_ids"]] == [offer["id"]]
    [event] = with_valkey.json("events", "list", "--limit", "1")  # type: ignore[misc]
    assert event["subject"] == found["subjects"]["http://localhost:8000"]
    assert event["data"]["what"] == "person"


def test_preview(ready: Command, tmp_path: Path) -> None:
    mapping = tmp_path / "claims.json"
    rules = {
        "login": {"rule": "lower", "from": "mail"},
        "phone": {"rule": "rename", "from": "entry.telephoneNumber"},
        "groups": {"rule": "groups", "only": ["gasang-all"]},
    }
    mapping.write_text(json.dumps(rules))
    arguments = ("--redirect-uri", "https://a.example/cb", "--claims", str(mapping))
    ready.run("rp", "add", "board", *arguments)
    found = ready.json("rp", "preview", "board", "--person", "E1000001")
    assert found == ready.json("person", "preview", "E1000001", "--client", "board")
    assert isinstance(found, dict)
    told = {one["claim"]: one for one in found["claims"]}
    assert told["name"]["path"] == ["displayName=홍길동", "name", "rename", "scope profile"]
    assert told["login"]["value"] == "gildong.hong@gasang.example"
    assert told["phone"]["path"][0] == "telephoneNumber (no value)"
    assert told["phone"]["missing"] == "entry.telephoneNumber has no value in the directory"
    assert told["groups"]["left_out"] == {"gasang-informatics": "not in the filter"}
    assert ready.run("rp", "preview", "board", "--person", "E1000001", "--scope", "openid") == 0
    assert "scope profile was not granted" in ready.out
    mapping.write_text('{"name": {"rule": "omit"}}')
    tried = ready.json("rp", "preview", "board", "--person", "E1000004", "--claims", str(mapping))
    assert isinstance(tried, dict)
    assert (tried["may_enter"], tried["reason"]) == (False, "person_retired")
    assert {one["claim"] for one in tried["claims"] if one["missing"]} >= {"name"}
    assert ready.run("rp", "preview", "nobody", "--person", "E1000001") == 1
    assert "no relying party" in ready.err
    assert ready.run("rp", "preview", "board", "--person", "E9999999") == 1


def test_mobile_ids(with_valkey: Command) -> None:
    offer = with_valkey.json("mobile-id", "offer", "E1000001")
    assert isinstance(offer, dict)
    assert set(offer) == {"id", "credential_offer_uri", "tx_code", "expires_at"}
    assert with_valkey.run("mobile-id", "offer", "E1000001") == 0
    assert "http://localhost:8000/wallet/receive?credential_offer_uri=" in with_valkey.out
    rows = with_valkey.json("mobile-id", "list", "--person", "E1000001")
    assert isinstance(rows, list)
    assert {row["state"] for row in rows} >= {"offered"}
    assert with_valkey.json("mobile-id", "list", "--state", "live") == []
    assert with_valkey.run("mobile-id", "revoke", "nosuch") == 1
    assert "there is no mobile ID" in with_valkey.err
    assert with_valkey.run("mobile-id", "suspend", offer["id"]) == 1
    assert f"gongmu mobile-id revoke {offer['id']}" in with_valkey.err
    revoked = with_valkey.json("mobile-id", "revoke", offer["id"])
    assert isinstance(revoked, dict)
    assert (revoked["state"], revoked["changed"]) == ("revoked", True)
    again = with_valkey.json("mobile-id", "revoke", offer["id"])
    assert isinstance(again, dict)
    assert (again["state"], again["changed"]) == ("revoked", False)
    assert with_valkey.run("mobile-id", "reinstate", offer["id"]) == 1
    assert "never comes back" in with_valkey.err
    assert "gongmu mobile-id offer E1000001" in with_valkey.err
    assert with_valkey.run("mobile-id", "offer", "E1000004") == 1
    assert "person_retired" in with_valkey.err


def test_without_its_store_an_offer_is_refused(ready: Command) -> None:
    assert ready.run("mobile-id", "offer", "E1000001") == 1
    assert "(outside_system): redis" in ready.err


def test_reading_events_is_an_event(ready: Command) -> None:
    ready.json("events", "list", "--kind", "key:state:changed")
    [latest] = ready.json("events", "list", "--limit", "1")  # type: ignore[misc]
    assert latest["kind"] == "api:read:done"
    assert latest["data"]["what"] == "events"


def test_events_verify(ready: Command) -> None:
    ready.run("rp", "list")  # makes keys, each an event
    assert ready.json("events", "verify") == {"sound": True, "faults": []}
    assert ready.run("events", "verify") == 0
    engine = open_engine(conf_file.load(ready.file).stores)
    with transaction(engine) as connection:
        connection.execute(
            text("UPDATE events SET body = replace(body, 'active', 'retired') WHERE seq IN (2, 4)")
        )
    engine.dispose()
    assert ready.run("events", "verify") == 1
    assert ready.err.count("writer") == 1  # the first of that writer, not all that follow
    assert "record 2 does not follow record 1" in ready.err
    assert ready.run("events", "verify", "--json") == 1
    assert json.loads(ready.out)["sound"] is False


def test_an_id_may_begin_with_a_hyphen(ready: Command) -> None:
    """One in 64 of ours does."""
    for arguments in (
        ("mobile-id", "revoke", "-h1234567890abcdefghij"),
        ("mobile-id", "suspend", "--json", "-j1234567890abcdefghij"),
        ("keys", "retire", "-x123456789012345678901234567890123456789012", "--compromised"),
    ):
        assert ready.run(*arguments) == 1
        assert "there is no" in ready.err


def test_doctor(ready: Command) -> None:
    assert ready.run("doctor") == 0
    assert ready.out.splitlines()[-1].endswith(" 0 fix")
    assert "ok " not in ready.out.partition("\n")[0]
    found = ready.json("doctor")
    assert isinstance(found, list)
    assert {"configuration", "sql", "redis", "directory esaram"} <= {one["what"] for one in found}
    ready.file.write_text(CONFIGURATION.replace("ou=people,", "ou=gone,", 1))
    assert ready.run("doctor") == 1
    assert "fix  directory esaram" in ready.out
    assert "->" in ready.out


def test_events_tail_prints_what_comes(ready: Command) -> None:
    ready.run("rp", "list")
    with subprocess.Popen(
        [GONGMU, "--config", str(ready.file), "events", "tail", "--json"],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        try:
            for _ in range(60):  # until it has begun to follow
                ready.json("keys", "rotate", "--now")
                if select.select([child.stdout], [], [], 1.0)[0]:
                    break
            first = json.loads(child.stdout.readline())
            assert first["kind"] in ("key:state:changed", "api:read:done")
            assert first["actor"].startswith("cli:")
        finally:
            child.terminate()


def test_a_table_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    from idp.cli.say import table

    table([{"name": "a\x1b[2Jb\n", "n": "홍"}], ("name", "n"), as_json=False)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.count("\n") == 2


def test_two_secrets_of_a_relying_party(ready: Command) -> None:
    redirect = ("--redirect-uri", "https://board.example/cb")
    assert ready.run("rp", "add", "board", *redirect) == 0, ready.err
    added = ready.json("rp", "secret", "add", "board", "--days", "30")
    assert isinstance(added, dict)
    rows = ready.json("rp", "secret", "list", "board")
    assert isinstance(rows, list)
    assert [bool(row["expires_at"]) for row in rows] == [False, True]
    assert added["client_secret"] not in str(rows)
    assert ready.run("rp", "secret", "add", "board") == 1
    assert "allowed: one removed first" in ready.err
    assert ready.run("rp", "secret", "remove", "board", str(added["id"])) == 0, ready.err
    assert ready.run("rp", "secret", "remove", "board", str(added["id"])) == 1
    assert ready.json("rp", "secret", "list", "board") == rows[:1]


def test_a_journey_is_told_as_it_went_and_in_words(with_valkey: Command) -> None:
    made = with_valkey.json("mobile-id", "offer", "E1000003")
    assert isinstance(made, dict)
    assert made["expires_at"].endswith("+00:00")
    assert with_valkey.run("mobile-id", "revoke", made["id"]) == 0
    assert with_valkey.run("events", "list", "--journey", made["id"]) == 0
    head, *lines = with_valkey.out.splitlines()
    assert "actor" in head
    assert "mobile_id:offer:made" in lines[0]
    assert "cli:" in lines[0]
    assert " none " not in with_valkey.out


def test_an_offer_that_nobody_took_is_no_longer_listed() -> None:
    now = datetime(2027, 1, 1, 12, tzinfo=UTC)
    made = MobileId("i", "E1", "esaram", MobileIdState.OFFERED, 0, -1, "", now, now)
    assert not is_stale_offer(made, now + timedelta(minutes=59))
    assert is_stale_offer(made, now + timedelta(minutes=61))
    live = replace(made, state=MobileIdState.LIVE)
    assert not is_stale_offer(live, now + timedelta(days=9))
