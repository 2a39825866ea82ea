"""The register of relying parties: what may be registered, what it remembers, what it tells."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from sqlalchemy import Engine, select

from idp.addresses import address_fault
from idp.conf import Stores
from idp.errors import ConfError
from idp.journal import Journal
from idp.relying_parties import CACHE_ROWS, MEANWHILE, RelyingParties, RelyingParty
from idp.store.sql import open_engine, transaction
from idp.store.tables import client_secrets, metadata
from tests.fakes.jws import encode

GOOD = RelyingParty(
    "mail",
    "메일",
    "Mail",
    redirect_uris=("https://mail.example/cb",),
    claims={"room": {"rule": "constant", "value": "301"}},
)
EC = ECKey.generate_key("P-256", {"kid": "a"}).as_dict(private=False)


def now() -> datetime:
    return datetime(2027, 3, 5, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_engine(Stores(sql_url=f"sqlite:///{tmp_path}/gongmu.db"))
    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def journal(engine: Engine) -> Journal:
    return Journal(engine, now)


@pytest.fixture
def register(engine: Engine, journal: Journal) -> RelyingParties:
    return RelyingParties(engine, journal, b"k" * 32, now)


def faults(register: RelyingParties, **changed: Any) -> set[str]:
    """The settings that stand against a registration."""
    with pytest.raises(ConfError) as caught:
        register.add(replace(GOOD, **changed), "cli:root")
    return {problem.key for problem in caught.value.problems}


def test_added_and_found_again(register: RelyingParties, engine: Engine, journal: Journal) -> None:
    assert register.get("mail") is None
    secret = register.add(GOOD, "cli:root")
    assert register.get("mail") == GOOD  # what was remembered as unknown is forgotten
    assert register.all() == [GOOD]
    assert register.secret_is_right("mail", secret)
    assert not register.secret_is_right("mail", f"{secret}x")
    assert not register.secret_is_right("mail", "")
    assert not register.secret_is_right("nobody", secret)
    with transaction(engine) as connection:
        row = connection.execute(select(client_secrets)).one()
    assert secret not in str(row)
    [event] = journal.read()
    assert (event["kind"], event["actor"]) == ("relying_party:settings:changed", "cli:root")
    assert secret not in str(event)


def test_a_stolen_digest_fits_no_other_client(register: RelyingParties, engine: Engine) -> None:
    secret = register.add(GOOD, "t")
    register.add(replace(GOOD, client_id="other"), "t")
    with transaction(engine) as connection:
        first = connection.scalar(
            select(client_secrets.c.mac).where(client_secrets.c.client_id == "mail")
        )
        connection.execute(
            client_secrets.update().where(client_secrets.c.client_id == "other").values(mac=first)
        )
    assert not register.secret_is_right("other", secret)


def test_an_id_is_taken_once(register: RelyingParties, journal: Journal) -> None:
    register.add(GOOD, "t")
    assert faults(register) == {"client_id"}
    assert len(journal.read()) == 1


def test_disable_and_enable(register: RelyingParties, journal: Journal) -> None:
    secret = register.add(GOOD, "t")
    register.set_disabled("mail", True, "t")
    found = register.get("mail")
    assert found is not None
    assert found.disabled
    assert not register.secret_is_right("mail", secret)
    register.set_disabled("mail", False, "t")
    assert register.secret_is_right("mail", secret)
    assert [event["data"]["change"] for event in journal.read()] == ["enabled", "disabled", "added"]
    with pytest.raises(ConfError):
        register.set_disabled("nobody", True, "t")


def test_change_and_new_secret(register: RelyingParties) -> None:
    secret = register.add(GOOD, "t")
    register.set_disabled("mail", True, "t")
    register.update(replace(GOOD, name_en="Post"), "t", since=GOOD)
    found = register.get("mail")
    assert found is not None
    assert (found.name_en, found.disabled) == ("Post", True)  # a change does not let it in again
    register.set_disabled("mail", False, "t")
    fresh = register.new_secret("mail", "t")
    assert register.secret_is_right("mail", fresh)
    assert not register.secret_is_right("mail", secret)
    with pytest.raises(ConfError):
        register.update(replace(GOOD, redirect_uris=("http://evil.example/cb",)), "t", since=found)


def test_no_secret_where_none_is_used(register: RelyingParties) -> None:
    keyed = replace(GOOD, token_endpoint_auth_methods=("private_key_jwt",), jwks={"keys": [EC]})
    assert register.add(keyed, "t") == ""
    assert not register.secret_is_right("mail", "")


def test_another_process_knows_within_two_seconds(
    register: RelyingParties, engine: Engine, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = RelyingParties(engine, journal, b"k" * 32, now)
    register.add(GOOD, "t")
    found = register.get("mail")
    assert found is not None
    other.set_disabled("mail", True, "t")
    clock = [0.0]
    monkeypatch.setattr("idp.relying_parties.time.monotonic", lambda: clock[0])
    register._forget("mail")
    other.set_disabled("mail", False, "t")
    register.get("mail")
    other.set_disabled("mail", True, "t")
    clock[0] = 1.9
    found = register.get("mail")
    assert found is not None
    assert not found.disabled
    clock[0] = 2.0
    found = register.get("mail")
    assert found is not None
    assert found.disabled


def test_what_another_process_forbade_is_not_allowed_again(
    register: RelyingParties, engine: Engine, journal: Journal
) -> None:
    """A change is made from what was read, and that may be two seconds old."""
    other = RelyingParties(engine, journal, b"k" * 32, now)
    register.add(GOOD, "t")
    stale = register.get("mail")
    assert stale is not None
    stricter = replace(stale, minimum_acr="phr")
    other.update(stricter, "t", since=stale)
    assert register.get("mail") == stale  # from the cache
    with pytest.raises(ConfError) as caught:
        register.update(replace(stale, name_en="Post"), "t", since=stale)
    assert [(one.key, one.found) for one in caught.value.problems] == [("settings", MEANWHILE)]
    assert register.fresh("mail") == stricter
    register.update(replace(stricter, name_en="Post"), "t", since=stricter)
    assert other.fresh("mail") == replace(stricter, name_en="Post")


def test_what_is_remembered_is_bounded(register: RelyingParties) -> None:
    for number in range(CACHE_ROWS):
        register._cache[f"filler{number}"] = (0.0, None)
    for number in range(60):
        register.get(f"unknown{number}")
    assert len(register._cache) == CACHE_ROWS
    assert register.get("x" * 65) is None
    assert "x" * 65 not in register._cache


@pytest.mark.parametrize(
    "address",
    [
        "http://mail.example/cb",
        "http://localhost/cb",
        "http://127.0.0.1:9/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "kr.go.mail:/cb",
        "https:///cb",
        "//mail.example/cb",
        "mail.example/cb",
        "/cb",
        "https://rp@mail.example/cb",
        "https://rp:443@mail.example/cb",
        "https://a@b@mail.example/cb",
        "https://mail.example\\@evil.example/cb",
        "https://*.mail.example/cb",
        "https://mail.example/*",
        "https://mail.example/cb#f",
        "https://mail.example/cb#",
        "https://mail.example/cb?code=1",
        "https://mail.example/cb?x=1&state=2",
        "https://mail.example/cb?iss",
        "https://mail.example/cb?%63ode=1",
        "https://mail.example/a/../cb",
        "https://mail.example/a/%2e%2E/cb",
        "https://mail.example/a%2f..%2fcb",
        "https://mail.example/..;/cb",
        "https://mail.example/./cb",
        "https://mail.example:0/cb",
        "https://mail.example:/cb",
        "https://mail.example:99999/cb",
        "https://mail.example:x/cb",
        "https://MAIL.example/cb",
        "https://메일.example/cb",
        "https://mail.example./cb",
        "https://[::1/cb",
        "https://mail.example/c b",
        "https://mail.example/cb\n",
        "https://mail.example/<script>",
        "https://mail.example/" + "x" * 512,
        "",
    ],
)
def test_addresses_refused(address: str) -> None:
    assert address_fault(address, loopback=False)


@pytest.mark.parametrize(
    "address",
    [
        "https://mail.example/cb",
        "https://mail.example",
        "https://mail.example:8443/a/b.c/cb?x=1&y=%2F",
        "https://localhost:9/cb",
        "https://192.0.2.1/cb",
        "https://mail.example/?openidconnectcallback=1",
        "https://mail.example/index.php/login/oauth",
    ],
)
def test_addresses_allowed(address: str) -> None:
    assert address_fault(address, loopback=False) == ""


def test_loopback_in_a_demo() -> None:
    for address in ("http://localhost:9999/callback", "http://127.0.0.1/cb", "http://[::1]:9/cb"):
        assert address_fault(address, loopback=True) == ""
    for address in ("http://mail.example/cb", "http://localhost.evil.example/", "ftp://localhost/"):
        assert address_fault(address, loopback=True)


def test_addresses_of_all_three_kinds_are_checked(register: RelyingParties) -> None:
    bad = "http://evil.example/"
    assert faults(register, redirect_uris=(bad,)) == {"redirect_uris"}
    assert faults(register, post_logout_redirect_uris=(bad,)) == {"post_logout_redirect_uris"}
    assert faults(register, backchannel_logout_uri=bad) == {"backchannel_logout_uri"}
    many = tuple(f"https://mail.example/{number}" for number in range(51))
    assert faults(register, redirect_uris=many) == {"redirect_uris"}
    assert faults(register, redirect_uris=("https://a.example/",) * 2) == {"redirect_uris"}


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"client_id": ""}, "client_id"),
        ({"client_id": "a b"}, "client_id"),
        ({"client_id": "x" * 41}, "client_id"),  # a `sub` has 43 characters (RFC 9700 §4.15)
        ({"client_id": "메일"}, "client_id"),
        ({"name_ko": " "}, "name_ko"),
        ({"name_en": "a\nb"}, "name_en"),
        ({"response_modes": ()}, "response_modes"),
        ({"response_modes": ("web_message",)}, "response_modes"),
        ({"grant_types": ("password",)}, "grant_types"),
        ({"grant_types": ("implicit", "authorization_code")}, "grant_types"),
        ({"grant_types": ("refresh_token",)}, "grant_types"),
        ({"grant_types": ("client_credentials",)}, "audience"),
        ({"token_endpoint_auth_methods": ("none",)}, "token_endpoint_auth_methods"),
        ({"token_endpoint_auth_methods": ()}, "token_endpoint_auth_methods"),
        ({"id_token_signed_response_alg": "none"}, "id_token_signed_response_alg"),
        ({"id_token_signed_response_alg": "HS256"}, "id_token_signed_response_alg"),
        ({"minimum_acr": "0"}, "minimum_acr"),
        ({"scope": ("profile",)}, "scope"),
        ({"scope": ("openid", "a b")}, "scope"),
        ({"redirect_uris": ()}, "redirect_uris"),
        ({"redirect_uris": ("https://a.example/", "https://b.example/")}, "sector"),
        ({"sector": "A.example"}, "sector"),
    ],
)
def test_settings_refused(register: RelyingParties, changed: dict[str, Any], key: str) -> None:
    assert faults(register, **changed) == {key}


def test_two_hosts_with_a_sector(register: RelyingParties) -> None:
    hosts = ("https://a.example/", "https://b.example/")
    register.add(replace(GOOD, redirect_uris=hosts, sector="a.example"), "t")


@pytest.mark.parametrize(
    "keys",
    [
        [],
        "x",
        [{**EC, "kid": None}],
        [{name: value for name, value in EC.items() if name != "kid"}],
        [EC, EC],
        ["x"],
        [ECKey.generate_key("P-256", {"kid": "a"}).as_dict(private=True)],
        [ECKey.generate_key("P-384", {"kid": "a"}).as_dict(private=False)],
        [{"kty": "RSA", "kid": "a", "n": encode(b"\xff" * 128), "e": "AQAB"}],
        [{"kty": "RSA", "kid": "a", "n": encode(b"\xff" * 2048), "e": "AQAB"}],
        [{"kty": "RSA", "kid": "a", "n": encode(b"\0" * 256 + b"\xff" * 128), "e": "AQAB"}],
        [OctKey.generate_key(256, {"kid": "a"}).as_dict()],
        [{**EC, "x": "AAAA"}],
        [{"kty": "EC", "kid": "a"}],
        [{"kty": "OKP", "crv": "X25519", "kid": "a", "x": "A" * 43}],
        [{"kty": ["EC"], "kid": "a"}],
    ],
)
def test_keys_refused(register: RelyingParties, keys: Any) -> None:
    methods = ("private_key_jwt",)
    assert faults(register, token_endpoint_auth_methods=methods, jwks={"keys": keys}) == {"jwks"}


def test_keys_allowed(register: RelyingParties) -> None:
    keys = [
        EC,
        RSAKey.generate_key(2048, {"kid": "b"}).as_dict(private=False),
        OKPKey.generate_key("Ed25519", {"kid": "c"}).as_dict(private=False),
    ]
    register.add(
        replace(GOOD, token_endpoint_auth_methods=("private_key_jwt",), jwks={"keys": keys}), "t"
    )
    methods = ("private_key_jwt",)
    assert faults(register, client_id="x", token_endpoint_auth_methods=methods) == {"jwks"}


def test_every_fault_at_once(register: RelyingParties) -> None:
    assert faults(register, client_id="", sector="_", scope=(), minimum_acr="9") == {
        "client_id",
        "sector",
        "scope",
        "minimum_acr",
    }


def test_a_claims_mapping_that_would_fail_later_is_refused_at_once(
    register: RelyingParties,
) -> None:
    party = replace(GOOD, claims={"sub": {"rule": "constant", "value": "x"}})
    with pytest.raises(ConfError):
        register.add(party, "test")


def test_an_algorithm_without_a_key_is_refused(register: RelyingParties) -> None:
    strict = RelyingParties(
        register._engine, register._journal, b"k" * 32, register._now, algorithms=("ES256",)
    )
    with pytest.raises(ConfError):
        strict.add(replace(GOOD, id_token_signed_response_alg="RS256"), "test")
