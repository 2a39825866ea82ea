"""`gongmu doctor`: each fault on purpose, its level, and a remedy beside it; nothing is changed by looking."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from psycopg import sql
from sqlalchemy import update

from idp import conf_file, embedded
from idp.app import open_services
from idp.contracts import Use
from idp.doctor import Finding, Level, certificates, clock, disk, examine, redis_store
from idp.keys.sealing import make_key_encryption_key
from idp.store import migrations
from idp.store.sql import open_engine, transaction
from idp.store.tables import signing_keys
from tests.servers import free_port, new_database, redis_server
from tests.servers_slapd import Authority, slapd
from tests.stack import ldap_table, ldif_table
from tests.unit.idp_ldap.support import SUFFIX, suffix_entry

NOW = datetime.now(UTC)
CONFIGURATION = """issuer = "{issuer}"
environment = "demo"
[keys]
key_encryption_key_file = "kek"
algorithms = ["ES256"]
[stores]
sql_url = "{sql}"
redis_url = "{redis}"
timeout_s = 1
[server]
{server}
[methods.mobile_id]
{directories}
"""


class Patient:
    """A configuration that can be spoiled, and its examination."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "gongmu.toml"
        self.values = {
            "issuer": "http://localhost:8000",
            "sql": "sqlite:///gongmu.db",
            "redis": "embedded",
            "server": "",
            "directories": ldif_table("esaram"),
        }
        self.write()

    def write(self, **changed: str) -> None:
        self.values |= changed
        self.file.write_text(CONFIGURATION.format(**self.values), encoding="utf-8")

    def start(self) -> None:
        """As the provider's first start leaves it."""
        settings = conf_file.load(self.file)
        engine = open_engine(settings.stores)
        migrations.upgrade(engine)
        engine.dispose()
        open_services(embedded.with_url(settings)).engine.dispose()

    def examine(self, now: datetime | None = None) -> list[Finding]:
        return list(examine(self.file, now or datetime.now(UTC)))

    def of(self, what: str, now: datetime | None = None) -> list[Finding]:
        return [one for one in self.examine(now) if one.what == what]

    def worst(self, what: str, now: datetime | None = None) -> Finding:
        order = list(Level)
        return max(self.of(what, now), key=lambda one: order.index(one.level))


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path)


@pytest.fixture
def started(patient: Patient) -> Patient:
    patient.start()
    return patient


def test_a_sound_one_has_nothing_to_fix_and_stays_as_it_was(started: Patient) -> None:
    def content() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in started.folder.glob("*") if path.is_file()}

    before = content()
    levels = {one.level for one in started.examine()}
    assert not levels & {Level.FIX, Level.WARN}
    assert content() == before


def test_every_fault_has_a_remedy(started: Patient) -> None:
    started.write(directories="", redis="redis://203.0.113.7:1/0")
    found = started.examine()
    assert any(one.level is Level.WARN for one in found)
    assert all(one.remedy for one in found if one.level in {Level.FIX, Level.WARN})


# --- configuration --------------------------------------------------------------------------------


def test_mistakes_in_the_file_are_all_that_can_be_said(patient: Patient) -> None:
    patient.file.write_text("issuer = 3\nnothing = 1\n")
    found = patient.examine()
    assert {(one.what, one.level) for one in found} == {("configuration", Level.FIX)}
    assert len(found) >= 2
    assert next(iter(examine(patient.folder / "none.toml", NOW))).level is Level.FIX


def test_nobody_can_sign_in_without_directory(patient: Patient) -> None:
    patient.write(directories="")
    assert "nobody can sign in" in patient.worst("configuration").found


def test_a_proxy_that_is_not_named_hides_every_address(patient: Patient) -> None:
    patient.write(issuer="https://id.invalid")
    assert "trusted_proxies" in patient.worst("configuration").found
    patient.write(server='trusted_proxies = ["10.0.0.1/32"]')
    assert patient.worst("configuration").level is Level.NOTE


# --- certificates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [
        (40, Level.OK, "good until"),
        (29, Level.WARN, "within 30 days"),
        (13, Level.WARN, "within 14 days"),
        (6, Level.WARN, "within 7 days"),
        (0.5, Level.FIX, "within a day"),
        (-1, Level.FIX, "ended"),
    ],
)
def test_days_before_a_certificate_ends(
    tmp_path: Path, days: float, level: Level, words: str
) -> None:
    file, _ = Authority(tmp_path).leaf("localhost", days=(-400, 400))
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    now = certificate.not_valid_after_utc - timedelta(days=days)
    found = certificates.expiry("x", "this", certificate, now)
    assert (found.level, words in found.found) == (level, True), found
    early = certificate.not_valid_before_utc - timedelta(hours=1)
    assert certificates.expiry("x", "this", certificate, early).level is Level.FIX


def with_tls(patient: Patient, host: str, *, own_key: bool = True) -> None:
    authority = Authority(patient.folder)
    file, key = authority.leaf(host, days=(-1, 40))
    if not own_key:
        key = authority.leaf(host)[1]
    patient.write(
        issuer="https://id.example.go.kr:8443",
        server=f'tls_certificate_file = "{file}"\ntls_key_file = "{key}"',
    )


def test_our_own_certificate(patient: Patient) -> None:
    with_tls(patient, "id.example.go.kr")
    assert {one.level for one in patient.of("certificates")} == {Level.OK}
    assert patient.worst("certificates", NOW + timedelta(days=30)).level is Level.WARN
    with_tls(patient, "*.example.go.kr")
    assert patient.worst("certificates").level is Level.OK
    with_tls(patient, "other.example.go.kr")
    assert "not for the issuer's host" in patient.worst("certificates").found
    with_tls(patient, "id.example.go.kr", own_key=False)
    assert "cannot be used with its key" in patient.worst("certificates").found


def test_certificates_in_any_file_that_a_part_names(patient: Patient) -> None:
    authority = Authority(patient.folder)
    table = (
        f'[directories.far]\ntype = "ldap"\nurls = ["ldaps://127.0.0.1:{free_port()}"]\n'
        f'ca_file = "{authority.ca_file}"\nbind_dn = "cn=x"\nbind_password_file = "password"\n'
        'base_dn = "dc=x"\ngroups = "none"\n'
    )
    (patient.folder / "password").write_text("secret")
    patient.write(directories=table)
    assert "Throw-away authority" in patient.worst("certificates").found
    assert patient.worst("directory far").level is Level.FIX


def test_a_proxy_that_cannot_be_reached_is_only_noted(patient: Patient) -> None:
    patient.write(issuer=f"https://localhost:{free_port()}")
    assert patient.worst("certificates").level is Level.NOTE


# --- disk, clock ----------------------------------------------------------------------------------


def test_space_on_disk(started: Patient) -> None:
    assert disk.judge(started.folder, disk.FIX_FREE - 1).level is Level.FIX
    assert disk.judge(started.folder, disk.WARN_FREE - 1).level is Level.WARN
    assert disk.judge(started.folder, disk.WARN_FREE).level is Level.OK
    assert started.of("disk")


@pytest.mark.parametrize(
    ("off_s", "level"),
    [
        (0, Level.OK),
        (0.9, Level.OK),
        (-3, Level.WARN),
        (3, Level.WARN),
        (-9, Level.FIX),
        (9, Level.FIX),
    ],
)
def test_a_clock_that_is_off(off_s: float, level: Level) -> None:
    theirs = NOW + timedelta(seconds=off_s)
    assert clock.compare("x", theirs, NOW, NOW).level is level
    # The way there and back may have taken that long: then nothing can be held against it.
    long_ago, later = min(NOW, theirs), max(NOW, theirs)
    assert clock.compare("x", theirs, long_ago, later).level is Level.OK


# --- SQL and keys ---------------------------------------------------------------------------------


def test_a_database_that_is_not_there_is_not_made(patient: Patient) -> None:
    found = patient.worst("sql")
    assert (found.level, found.remedy) == (Level.FIX, "gongmu db upgrade")
    assert not (patient.folder / "gongmu.db").exists()


def test_a_database_without_our_schema(patient: Patient) -> None:
    (patient.folder / "gongmu.db").touch()
    assert "gongmu db upgrade" in patient.worst("sql").remedy


def test_a_database_that_is_away(patient: Patient) -> None:
    patient.write(sql=f"postgresql+psycopg://x@127.0.0.1:{free_port()}/x")
    assert patient.worst("sql").level is Level.FIX
    assert patient.of("directory esaram")  # the others are examined all the same


def change_keys(patient: Patient, use: str, **values: Any) -> None:
    engine = open_engine(conf_file.load(patient.file).stores)
    with transaction(engine) as connection:
        connection.execute(update(signing_keys).where(signing_keys.c.use == use).values(**values))
    engine.dispose()


def test_a_sealing_key_that_is_gone_or_another(started: Patient) -> None:
    kek = started.folder / "kek"
    kept = kek.read_text()
    kek.unlink()
    assert "put the sealing key back" in started.worst("keys").remedy
    assert not kek.exists()
    make_key_encryption_key(kek, demo=True)  # a sound one, but not theirs
    assert started.worst("keys").remedy == "the key it was sealed with"
    kek.write_text(kept)
    assert started.worst("keys").level is Level.OK


def test_an_algorithm_without_a_key(started: Patient) -> None:
    change_keys(started, "oidc", state="retired", retired_at=NOW)
    assert "no ES256 key signs" in started.worst("keys").found


def test_a_key_that_is_old_and_a_next_one_that_was_forgotten(started: Patient) -> None:
    change_keys(started, "oidc", active_at=NOW - timedelta(days=400))
    assert "gongmu keys rotate" in started.worst("keys").remedy
    with_next = conf_file.load(started.file)
    parts = open_services(embedded.with_url(with_next))
    parts.keys.rotate(Use.OIDC)
    parts.engine.dispose()
    assert "the next ES256 key waits" in started.worst("keys", NOW + timedelta(days=9)).found
    assert started.worst("keys", NOW + timedelta(days=7)).level is Level.OK


def test_the_certificate_that_wallets_see_ends(started: Patient) -> None:
    assert "verifier certificate ends" in "".join(
        one.found for one in started.of("keys", NOW + timedelta(days=710))
    )


@pytest.mark.services
def test_postgresql(patient: Patient, postgres_url: str) -> None:
    url = new_database(postgres_url, "examined")
    patient.write(sql=url)
    patient.start()
    assert {one.level for one in patient.of("clock")} == {Level.OK}
    assert any("PostgreSQL 1" in one.found for one in patient.of("sql"))
    assert any("superuser" in one.found for one in patient.of("sql"))
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        name = sql.Identifier(url.rpartition("/")[2])
        connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))
        connection.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
        connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO plain")
    assert "synchronous_commit = off" in patient.worst("sql").found
    patient.write(sql=re.sub(r"//[^@]*@", "//plain:plain@", url))
    assert not any("superuser" in one.found for one in patient.of("sql"))


# --- Redis ----------------------------------------------------------------------------------------


def test_the_embedded_store_runs_with_the_provider_only(started: Patient) -> None:
    assert started.worst("redis").level is Level.NOTE
    with embedded.running(conf_file.load(started.file)):
        assert {one.level for one in started.of("redis")} == {Level.OK}


@pytest.mark.parametrize(
    ("facts", "level", "words"),
    [
        ({}, Level.OK, "Redis 7.0.15"),
        ({"redis_version": "6.2.14"}, Level.FIX, "Redis 7"),
        ({"redis_version": ""}, Level.FIX, "Redis 7"),
        ({"valkey_version": "8.1.0", "redis_version": "7.2.4"}, Level.OK, "Valkey 8.1.0"),
        ({"maxmemory_policy": "allkeys-lru"}, Level.FIX, "noeviction"),
        ({"maxmemory_policy": ""}, Level.FIX, "noeviction"),
        ({"maxmemory": "0"}, Level.WARN, "maxmemory"),
        ({"used_memory": "900"}, Level.FIX, "maxmemory"),
    ],
)
def test_what_redis_says_of_itself(facts: dict[str, str], level: Level, words: str) -> None:
    good = {
        "redis_version": "7.0.15",
        "maxmemory_policy": "noeviction",
        "maxmemory": "1000",
        "used_memory": "10",
    }
    found = list(redis_store.judge(good | facts))
    worst = max(found, key=lambda one: list(Level).index(one.level))
    assert worst.level is level
    assert words in f"{worst.found} {worst.remedy}"


@pytest.mark.services
def test_a_redis_that_lets_anyone_in(started: Patient) -> None:
    with redis_server() as url:
        started.write(redis=url)
        found = started.of("redis")
        assert any("without a password" in one.found for one in found)
        assert {one.level for one in started.of("clock")} == {Level.OK}


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[int]:
    """A Redis with a password that also writes to disk."""
    port = free_port()
    program = shutil.which("redis-server") or pytest.skip("no redis-server")
    options = ["--port", str(port), "--requirepass", "knock", "--dir", str(tmp_path)]
    child = subprocess.Popen(
        [program, *options, "--appendonly", "yes"],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        child.terminate()
        child.wait(10)


@pytest.mark.services
def test_a_redis_with_a_password_that_writes_to_disk(started: Patient, guarded: int) -> None:
    started.write(redis=f"redis://:knock@127.0.0.1:{guarded}/0")
    for _ in range(50):
        found = started.of("redis")
        if any("Redis 7" in one.found for one in found):
            break
    assert not any("without a password" in one.found for one in found)
    assert any("to disk" in one.found for one in found)
    started.write(redis=f"redis://:wrong@127.0.0.1:{guarded}/0")
    assert started.worst("redis").level is Level.FIX


def test_redis_elsewhere_without_encryption(started: Patient) -> None:
    settings = conf_file.load(started.file)
    stores = settings.stores.model_copy(update={"redis_url": "redis://203.0.113.7:1/0"})
    far = settings.model_copy(update={"stores": stores.model_copy(update={"timeout_s": 0.2})})
    found = list(redis_store._protection(far))
    assert any("not encrypted" in one.found for one in found)


# --- directories ----------------------------------------------------------------------------------


def test_sources_that_are_asked_for_every_number(patient: Patient) -> None:
    both = ldif_table("esaram") + ldif_table("insarang")
    patient.write(directories=both)
    assert "esaram, insarang" in patient.worst("directories").found
    pattern = "personnel_number_pattern = '{}\\d{{7}}'\n"
    one, two = (ldif_table(n) + pattern.format(n[0].upper()) for n in ("esaram", "insarang"))
    patient.write(directories=one + ldif_table("insarang"))
    assert patient.worst("directories").found.startswith(
        "without personnel_number_pattern: insarang"
    )
    patient.write(directories=one + two)
    assert patient.of("directories") == []


def test_a_source_that_shows_nobody_or_is_no_longer_there(patient: Patient) -> None:
    nobody = ldif_table("esaram").replace("ou=people,", "ou=groups,", 1)
    patient.write(directories=nobody)
    assert "shows nobody" in patient.worst("directory esaram").found
    patient.write(directories=ldif_table("esaram").replace("ou=people,", "ou=gone,", 1))
    assert patient.worst("directory esaram").level is Level.FIX


@pytest.mark.services
def test_each_server_of_a_source_is_asked(patient: Patient) -> None:
    person = (
        f"\ndn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\nou: people\n"
        f"\ndn: uid=1,ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: 1\ncn: a\nsn: a\n"
        "employeeNumber: E1\nemployeeType: active\n"
    )
    groups = f"\ndn: ou=groups,{SUFFIX}\nobjectClass: organizationalUnit\nou: groups\n"
    with slapd(suffix_entry() + person + groups, SUFFIX, Authority(patient.folder)) as server:
        table = ldap_table("near", server)
        patient.write(directories=table)
        told = patient.of("directory near")
        assert [one.level for one in told] == [Level.WARN, Level.OK]  # it lives two days
        assert "within 7 days" in told[0].found
        gone = f'"ldaps://localhost:{free_port()}"]'
        patient.write(directories=table.replace('"]\n', f'", {gone}\n', 1))
        assert patient.worst("directory near").level is Level.FIX
        server.password_file.write_text("not it")
        patient.write(directories=table)
        assert "invalidCredentials" in patient.worst("directory near").found


def test_ages_that_add_up_to_more_than_a_minute(patient: Patient) -> None:
    table = ldif_table("esaram") + "nested_groups_age_s = 30\n"
    patient.write(directories=f"{table}[lifetimes]\ndirectory_state_s = 30\n")
    assert patient.worst("directory esaram").level is Level.OK
    patient.write(directories=f"{table}[lifetimes]\ndirectory_state_s = 31\n")
    assert "longer than a minute" in patient.worst("directory esaram").found
