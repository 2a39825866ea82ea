"""Signing keys: sealed, made once, rotated in two steps, and never out of the JWKS too early."""

import base64
import json
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key
from joserfc import jwk, jws
from sqlalchemy import Engine, select, text, update

from idp.conf import Keys, Settings, Stores
from idp.contracts import Use
from idp.errors import ConfError, GongmuError, OutsideError, RequestError
from idp.events import Kind
from idp.journal import Journal, verify_chains
from idp.keys import KeyRing, make_key_encryption_key
from idp.keys import certificates as certs
from idp.store import migrations
from idp.store.sql import open_engine
from idp.store.tables import signing_keys

ISSUER = "https://id.example.go.kr"
START = datetime(2027, 3, 2, 9, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **units: float) -> None:
        self.at += timedelta(**units)


class World:
    """One database, one clock, any number of processes."""

    def __init__(
        self, engine: Engine, folder: Path, algorithms: tuple[str, ...] = ("ES256", "EdDSA")
    ) -> None:
        self.engine = engine
        self.now = Clock()
        self.settings = Settings(
            issuer=ISSUER,
            environment="demo",
            keys=Keys(key_encryption_key_file=folder / "kek", algorithms=algorithms),  # type: ignore[arg-type]
        )
        self.journal = Journal(engine, self.now)

    def ring(self, **changes: object) -> KeyRing:
        settings = self.settings.model_copy(update=changes)
        ring = KeyRing(self.engine, Journal(self.engine, self.now), settings, self.now)
        ring.ensure()
        return ring


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(Stores(sql_url=f"sqlite:///{tmp_path}/gongmu.db"))
    migrations.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path)  # an RSA key takes long to make: only where it matters


@pytest.fixture
def with_rsa(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path, ("ES256", "RS256", "PS256", "EdDSA"))


def header(token: str) -> dict[str, object]:
    part = token.partition(".")[0]
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def kids(ring: KeyRing) -> list[str]:
    return [key["kid"] for key in ring.jwks()["keys"]]


def signer(ring: KeyRing, algorithm: str = "ES256") -> str:
    return str(header(ring.sign({}, "JWT", Use.OIDC, algorithm))["kid"])


# --- signing --------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # joserfc would call it Ed25519
@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "EdDSA"])
def test_signatures_verify_with_the_published_key(with_rsa: World, algorithm: str) -> None:
    ring = with_rsa.ring()
    claims = {"sub": "a", "name": "홍길동", "aud": ["x", "y"], "n": 1}
    token = ring.sign(claims, "at+jwt", Use.OIDC, algorithm)
    keys = jwk.KeySet.import_key_set(json.loads(json.dumps(ring.jwks())))
    found = jws.deserialize_compact(token, keys, algorithms=[algorithm])
    assert json.loads(found.payload) == claims
    assert header(token) == {"alg": algorithm, "typ": "at+jwt", "kid": found.headers()["kid"]}


def test_every_signature_has_its_full_length(world: World) -> None:
    """R and S are padded: one in 128 signatures has a short one (RFC 7518 §3.4)."""
    ring = world.ring()
    for number in range(400):
        token = ring.sign({"n": number}, "JWT", Use.OIDC)
        assert len(token.rsplit(".", 1)[1]) == 86


def test_the_jwks_holds_public_keys_only(with_rsa: World) -> None:
    keys = with_rsa.ring().jwks()["keys"]
    assert {key["alg"] for key in keys} == {"ES256", "RS256", "PS256", "EdDSA"}
    assert len({key["n"] for key in keys if "n" in key}) == 2  # no key serves two algorithms
    for key in keys:
        assert key["use"] == "sig"
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & key.keys()
        assert key["kid"] == jwk.import_key(key).thumbprint()


def test_es256_is_there_whatever_is_configured(engine: Engine, tmp_path: Path) -> None:
    ring = World(engine, tmp_path, ("EdDSA",)).ring()
    assert {key["alg"] for key in ring.jwks()["keys"]} == {"ES256", "EdDSA"}
    ring.sign({}, "JWT", Use.OIDC)
    with pytest.raises(GongmuError, match="RS256"):
        ring.sign({}, "JWT", Use.OIDC, "RS256")


def test_a_number_that_is_none_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="JSON"):
        world.ring().sign({"n": float("nan")}, "JWT", Use.OIDC)


# --- chains ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", [Use.VERIFIER, Use.ISSUER])
def test_the_leaf_names_the_issuer_and_chains_to_our_root(world: World, use: Use) -> None:
    ring = world.ring()
    token = ring.sign({}, "oauth-authz-req+jwt", use)
    assert "kid" not in header(token)
    [in_header] = header(token)["x5c"]  # type: ignore[misc]
    [leaf_der] = ring.certificates(use)
    assert base64.b64decode(in_header) == leaf_der
    leaf = x509.load_der_x509_certificate(leaf_der)
    [root] = map(x509.load_der_x509_certificate, ring.trust_anchors(use))
    leaf.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    assert leaf.issuer != leaf.subject
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["id.example.go.kr"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [ISSUER]
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    basic = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca) == (True, False)
    authority = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    own = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert authority.key_identifier == own.digest
    assert root.subject.rfc4514_string() == f"CN=Gongmu {use} root,C=KR"
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    public = leaf.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    jws.deserialize_compact(
        token,
        jwk.ECKey.import_key(leaf.public_key()),  # type: ignore[arg-type]
        registry=_large_headers(),
    )


def _large_headers() -> jws.JWSRegistry:
    registry = jws.JWSRegistry(algorithms=["ES256"])
    registry.max_header_length = 4096
    return registry


def test_verifier_and_issuer_have_roots_of_their_own(world: World) -> None:
    ring = world.ring()
    assert ring.trust_anchors(Use.VERIFIER) != ring.trust_anchors(Use.ISSUER)


def test_a_leaf_is_renewed_while_what_it_signed_still_counts(world: World) -> None:
    ring = world.ring()
    [leaf] = ring.certificates(Use.ISSUER)
    world.now.forward(days=360)
    assert ring.certificates(Use.ISSUER) == (leaf,)
    world.now.forward(days=10)
    [renewed] = ring.certificates(Use.ISSUER)
    assert renewed != leaf
    last_credential_ends = world.now() + timedelta(days=355)
    assert x509.load_der_x509_certificate(leaf).not_valid_after_utc > last_credential_ends
    [root] = ring.trust_anchors(Use.ISSUER)
    x509.load_der_x509_certificate(renewed).verify_directly_issued_by(
        x509.load_der_x509_certificate(root)
    )


def test_a_root_that_would_end_before_its_leaf_makes_way(world: World) -> None:
    ring = world.ring()
    [old] = ring.trust_anchors(Use.VERIFIER)
    world.now.forward(days=3652 - 700)
    [leaf] = ring.certificates(Use.VERIFIER)
    anchors = ring.trust_anchors(Use.VERIFIER)
    assert len(anchors) == 2
    assert old in anchors  # what it signed is still believed
    [new] = set(anchors) - {old}
    x509.load_der_x509_certificate(leaf).verify_directly_issued_by(
        x509.load_der_x509_certificate(new)
    )


def test_another_issuer_address_gets_a_leaf_of_its_own(world: World) -> None:
    world.ring()
    ring = world.ring(issuer="https://other.example.go.kr")
    [leaf] = map(x509.load_der_x509_certificate, ring.certificates(Use.VERIFIER))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["other.example.go.kr"]


# --- sealing --------------------------------------------------------------------------------------


def test_private_keys_are_sealed(world: World) -> None:
    world.ring()
    with world.engine.begin() as connection:
        rows = connection.execute(select(signing_keys)).all()
    assert len(rows) == 10
    for row in rows:
        with pytest.raises((ValueError, TypeError)):
            load_der_private_key(row.sealed, None)
        with pytest.raises((ValueError, TypeError)):
            load_der_private_key(row.sealed[12:], None)


def test_another_sealing_key_opens_nothing(world: World) -> None:
    world.ring()
    file = world.settings.keys.key_encryption_key_file
    file.unlink()
    make_key_encryption_key(file)
    with pytest.raises(ConfError, match="the key it was sealed with"):
        world.ring()


def test_a_sealed_key_counts_only_in_its_own_row(world: World) -> None:
    """Who can write to SQL must not turn the issuer's leaf key into its root (or one kid into another)."""
    world.ring()
    with world.engine.begin() as connection:
        rows = {row.use: row for row in connection.execute(select(signing_keys))}
        connection.execute(
            update(signing_keys)
            .where(signing_keys.c.kid == rows["issuer"].kid)
            .values(sealed=rows["verifier"].sealed)
        )
    with pytest.raises(ConfError, match="does not open"):
        world.ring()


def test_use_is_sealed_in_too(world: World) -> None:
    world.ring()
    with world.engine.begin() as connection:
        connection.execute(
            update(signing_keys).where(signing_keys.c.use == "verifier").values(use="issuer2")
        )
        connection.execute(
            update(signing_keys).where(signing_keys.c.use == "issuer").values(use="verifier")
        )
        connection.execute(
            update(signing_keys).where(signing_keys.c.use == "issuer2").values(use="issuer")
        )
    with pytest.raises(ConfError, match="does not open"):
        world.ring()


def test_the_demo_makes_its_sealing_key_for_its_owner_alone(world: World) -> None:
    file = world.settings.keys.key_encryption_key_file
    world.ring()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not list(file.parent.glob(".kek*"))


def production(world: World) -> dict[str, object]:
    return {"environment": "production"}


def test_production_makes_no_sealing_key(world: World) -> None:
    with pytest.raises(ConfError, match="umask 077"):
        world.ring(**production(world))
    assert not world.settings.keys.key_encryption_key_file.exists()


def test_production_refuses_the_demo_s_sealing_key(world: World) -> None:
    world.ring()
    with pytest.raises(ConfError, match="made by the demo"):
        world.ring(**production(world))


def test_the_advised_command_makes_a_good_key(world: World) -> None:
    file = world.settings.keys.key_encryption_key_file
    command = f"(umask 077 && head -c 32 /dev/urandom | base64 > {file})"
    subprocess.run(["sh", "-c", command], check=True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    world.ring(**production(world))


@pytest.mark.parametrize("content", ["", "short", "A" * 43, "A" * 64, "ü" * 44, "-" * 44])
def test_a_sealing_key_of_another_form_is_refused(world: World, content: str) -> None:
    world.settings.keys.key_encryption_key_file.write_text(content)
    with pytest.raises(ConfError, match="32 random bytes"):
        world.ring()


# --- secrets --------------------------------------------------------------------------------------


def test_secrets_are_stable_and_differ(world: World) -> None:
    one, other = world.ring(), world.ring()
    assert one.secret("pairwise") == other.secret("pairwise")
    assert one.secret("pairwise") != one.secret("client-secrets")
    assert len(one.secret("pairwise")) == 32
    assert one.secret("something-new") == other.secret("something-new")
    assert all(row.use != "secret" for row in one.rows())


# --- starting together ----------------------------------------------------------------------------


def test_two_threads_at_once_make_one_set(world: World) -> None:
    barrier = threading.Barrier(4)
    rings: list[KeyRing] = []

    def start() -> None:
        barrier.wait()
        rings.append(world.ring())

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rings) == 4
    assert len({tuple(kids(ring)) for ring in rings}) == 1
    assert sorted(row.use for row in rings[0].rows()) == sorted(
        ["oidc"] * 2 + ["verifier", "verifier-root", "issuer", "issuer-root"]
    )


_PROCESS = """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from idp.conf import Keys, Settings, Stores
    from idp.journal import Journal
    from idp.keys import KeyRing
    from idp.store.sql import open_engine

    url, folder = sys.argv[1:]
    now = lambda: datetime.now(UTC)
    engine = open_engine(Stores(sql_url=url))
    settings = Settings(issuer="https://id.example.go.kr", environment="demo",
                        keys=Keys(key_encryption_key_file=Path(folder) / "kek"))
    print("ready", flush=True)
    sys.stdin.readline()
    ring = KeyRing(engine, Journal(engine, now), settings, now)
    ring.ensure()
    print(sorted(key["kid"] for key in ring.jwks()["keys"]), ring.secret("pairwise").hex())
"""


def _two_processes(url: str, folder: Path) -> list[str]:
    program = textwrap.dedent(_PROCESS)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, url, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(2)
    ]
    for process in started:
        assert process.stdout is not None
        while process.stdout.readline() != "ready\n":
            assert process.poll() is None
    answers = []
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        answers.append(out.splitlines()[-1])
    return answers


def test_two_processes_at_once_make_one_set(engine: Engine, tmp_path: Path) -> None:
    one, other = _two_processes(str(engine.url), tmp_path)
    assert one == other


@pytest.mark.services
def test_two_processes_at_once_make_one_set_in_postgresql(
    postgres_database: str, tmp_path: Path
) -> None:
    engine = open_engine(Stores(sql_url=postgres_database))
    migrations.upgrade(engine)
    one, other = _two_processes(postgres_database, tmp_path)
    assert one == other
    with engine.begin() as connection:
        assert len(connection.execute(select(signing_keys)).all()) == 11
    engine.dispose()


# --- rotation -------------------------------------------------------------------------------------


def test_a_next_key_is_published_first_and_signs_a_day_later(world: World) -> None:
    ring, other = world.ring(), world.ring()
    old = signer(ring)
    kid, state = ring.rotate(Use.OIDC)
    assert state == "next"
    assert kid in kids(ring)
    assert signer(ring) == old
    with pytest.raises(RequestError, match="2027-03-03T09:00"):
        ring.rotate(Use.OIDC)
    world.now.forward(hours=23, minutes=59)
    with pytest.raises(RequestError):
        ring.rotate(Use.OIDC)
    world.now.forward(minutes=1)
    assert ring.rotate(Use.OIDC) == (kid, "active")
    assert signer(ring) == kid
    world.now.forward(seconds=5)
    assert signer(other) == kid  # the other process looked
    assert old in kids(other)


def test_another_process_learns_within_five_seconds(world: World) -> None:
    ring, other = world.ring(), world.ring()
    kid, _ = ring.rotate(Use.OIDC)
    world.now.forward(seconds=4)
    assert kid not in kids(other)
    world.now.forward(seconds=1)
    assert kid in kids(other)


def test_a_retired_key_stays_published_while_its_signatures_live(world: World) -> None:
    ring = world.ring()
    old = signer(ring)
    ring.rotate(Use.OIDC, at_once=True)
    assert signer(ring) != old
    world.now.forward(seconds=world.settings.lifetimes.session_total_s - 1)
    assert old in kids(ring)
    world.now.forward(seconds=10)
    assert old not in kids(ring)


def test_an_emergency_waits_for_nothing(world: World) -> None:
    ring = world.ring()
    old = signer(ring, "EdDSA")
    kid, state = ring.rotate(Use.OIDC, "EdDSA", at_once=True)
    assert (state, signer(ring, "EdDSA")) == ("active", kid)
    assert kid != old


def test_a_compromised_key_is_gone_at_once(world: World) -> None:
    ring = world.ring()
    old = signer(ring)
    assert ring.retire(old, compromised=True) == "withdrawn"
    assert old not in kids(ring)
    assert signer(ring) != old


def test_the_key_that_signs_cannot_just_retire(world: World) -> None:
    ring = world.ring()
    with pytest.raises(RequestError, match="rotate first"):
        ring.retire(signer(ring))


def test_a_next_key_can_be_given_up(world: World) -> None:
    ring = world.ring()
    kid, _ = ring.rotate(Use.OIDC)
    assert ring.retire(kid) == "withdrawn"
    assert kid not in kids(ring)


@pytest.mark.parametrize("kid", ["", "nope", "secret:pairwise"])
def test_what_is_no_signing_key_cannot_retire(world: World, kid: str) -> None:
    with pytest.raises(RequestError, match="no such key"):
        world.ring().retire(kid)


def test_a_root_cannot_retire_by_hand(world: World) -> None:
    ring = world.ring()
    [root] = [row.kid for row in ring.rows() if row.use == "issuer-root"]
    with pytest.raises(RequestError):
        ring.retire(root, compromised=True)


def test_a_leaf_rotates_in_one_step_since_it_brings_its_chain(world: World) -> None:
    ring = world.ring()
    [leaf] = ring.certificates(Use.VERIFIER)
    _, state = ring.rotate(Use.VERIFIER)
    assert state == "active"
    assert ring.certificates(Use.VERIFIER) != (leaf,)
    assert len(ring.trust_anchors(Use.VERIFIER)) == 1


def test_a_next_key_may_be_active_in_one_use_only(world: World) -> None:
    ring = world.ring()
    ring.rotate(Use.OIDC, at_once=True)
    ring.rotate(Use.OIDC, at_once=True)
    active = [row for row in ring.rows() if (row.use, row.state) == ("oidc", "active")]
    assert sorted(row.algorithm for row in active) == ["ES256", "EdDSA"]


# --- events, and stores that are away -------------------------------------------------------------


def test_every_change_has_its_event(world: World) -> None:
    ring = world.ring()
    made = len(world.journal.read(limit=500))
    assert made == 10 + 2  # ten keys and secrets, two leaves promoted
    kid, _ = ring.rotate(Use.OIDC, actor="cli:kim")
    [event] = world.journal.read(limit=1)
    assert (event["kind"], event["key"], event["actor"]) == (Kind.KEY_CHANGED, kid, "cli:kim")
    assert event["data"] == {"use": "oidc", "algorithm": "ES256", "state": "next"}
    assert list(verify_chains(world.engine)) == []


def test_no_change_without_its_event(world: World) -> None:
    ring = world.ring()
    before = ring.rows()
    with world.engine.begin() as connection:
        connection.execute(text("DROP TABLE events"))
    with pytest.raises(OutsideError):
        ring.rotate(Use.OIDC, at_once=True)
    assert ring.rows() == before


def test_signing_goes_on_a_minute_without_sql(world: World) -> None:
    ring = world.ring()
    with world.engine.begin() as connection:
        connection.execute(text("ALTER TABLE signing_keys RENAME TO gone"))
    world.now.forward(seconds=59)
    ring.sign({}, "JWT", Use.OIDC)
    world.now.forward(seconds=2)
    with pytest.raises(OutsideError):
        ring.sign({}, "JWT", Use.OIDC)


def test_a_good_certificate_is_not_due() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    root = certs.make_root(key, "issuer", START)
    leaf = certs.make_leaf(key.public_key(), ISSUER, root, key, START)
    assert not certs.is_due(leaf, ISSUER, START)
    assert certs.is_due(leaf, "https://id.example.go.kr:8443", START)
