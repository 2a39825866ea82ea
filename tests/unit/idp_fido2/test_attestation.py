"""Who vouches for an authenticator: recorded statements, made ones, and each of them spoilt (A-199)."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from idp.contracts import Attempt, NewPasskey
from idp.errors import ProofRejected
from idp.events import Reason
from idp_fido2 import attestation, strict
from tests.fakes import jws
from tests.fakes.attestation import Maker, key_description, tlv
from tests.fakes.certificates import Authority, new_key
from tests.fakes.security_key import (
    BE,
    EDDSA,
    ES256,
    RS1,
    RS256,
    UP,
    UV,
    Attest,
    SecurityKey,
    form,
    no_attestation,
)
from tests.unit.idp_fido2.scene import ORIGIN, Scene

AAGUID = bytes(range(16))
PIXELS = ("Pixel 8a, 2025", "Pixel, 2026, the newer root")
RECORDED = {
    (one["format"], one["name"]): one
    for one in json.loads((Path(__file__).parent / "recorded.json").read_text())["registrations"]
}
MAKERS = {
    "packed": Maker.packed,
    "tpm": Maker.tpm,
    "apple": Maker.apple,
    "android-key": Maker.android_key,
    "fido-u2f": Maker.fido_u2f,
}


@cache
def maker() -> Maker:
    return Maker()


def world(tmp_path: Path, *roots: bytes, **settings: Any) -> Scene:
    """A provider that keeps these roots (PEM)."""
    for number, pem in enumerate(roots):
        (tmp_path / f"{number}.pem").write_bytes(pem)
    given = {"attestation": "verified", "attestation_roots_folder": tmp_path, **settings}
    return Scene(**given)


@pytest.fixture
def verified(tmp_path: Path) -> Scene:
    return world(tmp_path, maker().root.pem)


def enrol(scene: Scene, attest: Attest, **more: Any) -> NewPasskey:
    aaguid = more.pop("aaguid", AAGUID)
    return scene.enrol(SecurityKey(ORIGIN, attest=attest, aaguid=aaguid, **more))


def refused(scene: Scene, attest: Attest, **more: Any) -> Reason:
    with pytest.raises(ProofRejected) as caught:
        enrol(scene, attest, **more)
    return caught.value.reason


def spoilt(format_: str, **members: Any) -> Attest:
    """A statement with other members."""
    return MAKERS[format_].__get__(replace(maker(), spoilt=members))


def wished(format_: str, **wishes: Any) -> Attest:
    """A statement with another certificate."""
    return MAKERS[format_].__get__(replace(maker(), wishes=wishes))


# --- recorded from real authenticators --------------------------------------------------------------


def recorded(tmp_path: Path, one: dict[str, Any], demand: str = "verified") -> NewPasskey:
    """What the method says to a recorded registration, on its own day, when its root is kept."""
    statement = attestation.parse(strict.decode(one["attestationObject"])).statement
    last = x509.load_der_x509_certificate(statement["x5c"][-1])
    root = one["root"].encode() or last.public_bytes(Encoding.PEM)
    scene = Scene()
    scene.now = datetime.fromisoformat(one["at"]).replace(tzinfo=UTC)
    scene.kit = replace(scene.kit, base_url=one["origin"])
    (tmp_path / "root.pem").write_bytes(root)
    method = scene.open(rp_id=one["rp_id"], attestation=demand, attestation_roots_folder=tmp_path)
    attempt = Attempt("id", one["challenge"], scene.now.replace(hour=1))
    response = {name: one[name] for name in ("clientDataJSON", "attestationObject")}
    credential = {"id": one["id"], "rawId": one["id"], "type": "public-key", "response": response}
    return method.complete_enrolment(attempt, {}, form(credential))


@pytest.mark.parametrize(
    ("format_", "name"),
    [
        ("packed", "YubiKey, Firefox"),
        ("apple", "Apple, 2021"),
        *(("android-key", p) for p in PIXELS),
    ],
)
def test_recorded_statements(tmp_path: Path, format_: str, name: str) -> None:
    new = recorded(tmp_path, RECORDED[format_, name])
    assert new.data["attestation"] == format_
    assert new.data["hardware_bound"] is True


@pytest.mark.parametrize(
    ("format_", "name"),
    [("packed", "YubiKey with an Ed25519 credential"), ("fido-u2f", "YubiKey, Firefox")],
)
def test_recorded_statements_without_verification_of_the_person(
    tmp_path: Path, format_: str, name: str
) -> None:
    one = RECORDED[format_, name]
    with pytest.raises(ProofRejected) as caught:
        recorded(tmp_path, one)
    assert caught.value.reason is Reason.PASSKEY_UNVERIFIED
    # The statement itself is true.
    found = attestation.parse(strict.decode(one["attestationObject"]))
    hashed = attestation_hash(one)
    assert attestation.verify_statement(found, hashed) == found.statement["x5c"]
    with pytest.raises(ProofRejected) as caught:
        attestation.verify_statement(found, hashed[::-1])
    assert caught.value.reason is Reason.PASSKEY_ATTESTATION


def attestation_hash(one: dict[str, Any]) -> bytes:
    return sha256(strict.decode(one["clientDataJSON"])).digest()


@pytest.mark.parametrize("name", [name for format_, name in RECORDED if format_ == "tpm"])
def test_a199_recorded_statements_over_sha_1_vouch_for_nothing(tmp_path: Path, name: str) -> None:
    one = RECORDED["tpm", name]
    with pytest.raises(ProofRejected) as caught:
        recorded(tmp_path, one)
    assert caught.value.reason is Reason.PASSKEY_ATTESTATION
    new = recorded(tmp_path, one, "requested")
    assert new.data["attestation"] == ""
    assert new.data["hardware_bound"] is False


# --- made here --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", MAKERS)
def test_every_format(verified: Scene, format_: str) -> None:
    aaguid = bytes(16) if format_ == "fido-u2f" else AAGUID
    new = enrol(verified, MAKERS[format_].__get__(maker()), aaguid=aaguid)
    assert new.data["attestation"] == format_
    assert new.data["hardware_bound"] is True
    assert new.data["aaguid"].replace("-", "") == aaguid.hex()


@pytest.mark.parametrize("format_", ["packed", "android-key", "apple"])
@pytest.mark.parametrize("algorithm", [EDDSA, RS256])
def test_every_key(verified: Scene, format_: str, algorithm: int) -> None:
    new = enrol(verified, MAKERS[format_].__get__(maker()), algorithms=(algorithm,))
    assert new.data["attestation"] == format_


def test_what_is_asked_by_demand(tmp_path: Path) -> None:
    asked = {"none": "none", "requested": "direct", "verified": "direct"}
    for demand, conveyance in asked.items():
        scene = world(tmp_path, maker().root.pem, attestation=demand)
        step = scene.method.begin_enrolment(scene.attempt(), scene.owner)
        assert step.page["options"]["attestation"] == conveyance
    scene = world(tmp_path, maker().root.pem, enterprise_attestation=True)
    step = scene.method.begin_enrolment(scene.attempt(), scene.owner)
    assert step.page["options"]["attestation"] == "enterprise"


def test_signed_in_with_hardware(verified: Scene) -> None:
    key = SecurityKey(ORIGIN, attest=maker().packed, aaguid=AAGUID)
    verified.enrol(key)
    proof = verified.sign_in(key)
    assert proof.means == {"user_verified", "hardware_bound"}
    assert proof.amr == {"pop", "user", "mfa", "hwk"}


def test_a194_what_may_be_synced_is_never_bound_to_hardware(verified: Scene) -> None:
    phone = SecurityKey(ORIGIN, flags=UP | UV | BE, attest=maker().packed, aaguid=AAGUID)
    new = verified.enrol(phone)
    assert new.data["attestation"] == "packed"
    assert new.data["hardware_bound"] is False
    assert verified.sign_in(phone).means == {"user_verified"}


def test_nothing_is_believed_that_nobody_asked_for(scene: Scene) -> None:
    new = enrol(scene, maker().packed)
    assert new.data["attestation"] == ""
    assert new.data["hardware_bound"] is False
    assert enrol(scene, lambda *_: ("unheard-of", {"junk": [1]}))  # not looked at


def test_a199_none_or_itself_where_someone_must_vouch(verified: Scene, tmp_path: Path) -> None:
    for attest in (no_attestation, maker().itself):
        assert refused(verified, attest) is Reason.PASSKEY_ATTESTATION
    requested = world(tmp_path, attestation="requested")
    for attest in (no_attestation, maker().itself):
        assert enrol(requested, attest).data["hardware_bound"] is False
    assert enrol(requested, maker().packed).data["hardware_bound"] is True
    stranger = Maker()
    assert enrol(requested, stranger.packed).data["attestation"] == ""


@pytest.mark.parametrize("demand", ["requested", "verified"])
def test_a199_false_statements(tmp_path: Path, demand: str) -> None:
    scene = world(tmp_path, maker().root.pem, attestation=demand)
    for attest in (
        lambda *_: ("none", {"not": "empty"}),
        spoilt("packed", sig=b"x" * 70),
        replace(maker(), spoilt={"sig": b"x" * 70}).itself,
        replace(maker(), spoilt={"alg": EDDSA}).itself,
    ):
        assert refused(scene, attest) is Reason.PASSKEY_ATTESTATION


def test_a199_another_registrations_statement(verified: Scene) -> None:
    for format_, make in MAKERS.items():
        attest = make.__get__(maker())

        def other(credential: Any, data: bytes, hashed: bytes, attest: Attest = attest) -> Any:
            return attest(credential, data, bytes(reversed(hashed)))

        aaguid = bytes(16) if format_ == "fido-u2f" else AAGUID
        assert refused(verified, other, aaguid=aaguid) is Reason.PASSKEY_ATTESTATION


def test_a199_another_credentials_statement(verified: Scene) -> None:
    for format_, make in MAKERS.items():
        attest = make.__get__(maker())
        aaguid = bytes(16) if format_ == "fido-u2f" else AAGUID
        twin = verified.key.new_credential(ES256, b"", "id.example.go.kr")

        def other(
            credential: Any, data: bytes, hashed: bytes, attest: Attest = attest, twin: Any = twin
        ) -> Any:
            return attest(replace(twin, aaguid=credential.aaguid), data, hashed)

        if format_ != "packed":  # there the key's maker signs over all of it
            assert refused(verified, other, aaguid=aaguid) is Reason.PASSKEY_ATTESTATION


def test_a199_safetynet_and_what_nobody_knows(verified: Scene) -> None:
    for format_ in ("android-safetynet", "compound", "", "PACKED", "packed "):
        attest = lambda *_, format_=format_: (format_, {"ver": "1", "response": b"a.b.c"})  # noqa: E731
        assert refused(verified, attest) is Reason.PASSKEY_ATTESTATION


@pytest.mark.parametrize("format_", ["packed", "tpm", "android-key"])
def test_a199_statements_over_sha_1(verified: Scene, format_: str) -> None:
    for algorithm in (RS1, -47, 0, "ES256", [ES256], True):
        attest = spoilt(format_, alg=algorithm)
        assert refused(verified, attest) is Reason.PASSKEY_ATTESTATION


@pytest.mark.parametrize("format_", MAKERS)
@pytest.mark.parametrize("value", [jws.DROP, b"", "x", 5, [], [b""], [b"x"], {}, [5], True])
def test_members_of_the_wrong_kind(verified: Scene, format_: str, value: Any) -> None:
    aaguid = bytes(16) if format_ == "fido-u2f" else AAGUID
    _, good = MAKERS[format_](
        maker(), verified.key.new_credential(ES256, b"", "x"), bytes(100), bytes(32)
    )
    for name in good:
        attest = spoilt(format_, **{name: value})
        assert refused(verified, attest, aaguid=aaguid) is Reason.PASSKEY_ATTESTATION


def test_ecdaa(verified: Scene) -> None:
    attest = spoilt("packed", ecdaaKeyId=b"x")
    assert refused(verified, attest) is Reason.PASSKEY_ATTESTATION


# --- each format's own rules ------------------------------------------------------------------------


def test_apple_certifies_this_very_key(verified: Scene) -> None:
    attest = wished("apple", public_key=new_key().public_key())
    assert refused(verified, attest) is Reason.PASSKEY_ATTESTATION


def test_tpm_is_of_version_2(verified: Scene) -> None:
    assert refused(verified, spoilt("tpm", ver="1.2")) is Reason.PASSKEY_ATTESTATION


def test_u2f_has_one_certificate_and_no_model(verified: Scene) -> None:
    assert refused(verified, maker().fido_u2f) is Reason.PASSKEY_ATTESTATION
    twice = spoilt("fido-u2f", x5c=maker().certificate() + maker().certificate())
    assert refused(verified, twice, aaguid=bytes(16)) is Reason.PASSKEY_ATTESTATION


def test_packed_certificates_say_what_they_are(verified: Scene) -> None:
    nameless = ((NameOID.COMMON_NAME, "leaf"),)
    for wishes in ({"name": nameless}, {"ca": True}):
        assert refused(verified, wished("packed", **wishes)) is Reason.PASSKEY_ATTESTATION


PURPOSE = b"\xa1\x05\x31\x03\x02\x01\x02"
ORIGIN_ = b"\xbf\x85\x3e\x03\x02\x01\x00"


@pytest.mark.parametrize(
    "changes",
    [
        {"challenge": bytes(32)},
        {"level": 0},  # as the vector of L3 §16.14 says it: a key in software
        {"software": b"\xbf\x84\x58\x02\x05\x00"},  # every application
        {"hardware": PURPOSE + b"\xbf\x84\x58\x02\x05\x00" + ORIGIN_},
        {"hardware": b""},
        {"hardware": PURPOSE},
        {"hardware": ORIGIN_},
        {"hardware": b"", "software": PURPOSE + ORIGIN_},
        {"hardware": PURPOSE + b"\xbf\x85\x3e\x03\x02\x01\x02"},  # imported
        {"hardware": b"\xa1\x05\x31\x03\x02\x01\x03" + ORIGIN_},  # verify
        {"hardware": b"\xa1\x08\x31\x06\x02\x01\x02\x02\x01\x03" + ORIGIN_},  # sign, and more
    ],
)
def test_android_keys_are_made_in_hardware_to_sign(
    verified: Scene, changes: dict[str, Any]
) -> None:
    def attest(credential: Any, data: bytes, hashed: bytes) -> Any:
        described = key_description(**{"challenge": hashed, **changes})
        return wished("android-key", description=described)(credential, data, hashed)

    assert refused(verified, attest) is Reason.PASSKEY_ATTESTATION


def test_android_descriptions_that_are_nearly_one(verified: Scene) -> None:
    def attest_with(old: bytes, new: bytes) -> Attest:
        def attest(credential: Any, data: bytes, hashed: bytes) -> Any:
            described = key_description(hashed)
            assert described.count(old) == 1
            changed = described.replace(old, new)
            return wished("android-key", description=changed)(credential, data, hashed)

        return attest

    hardware = PURPOSE + ORIGIN_
    assert enrol(verified, attest_with(hardware, hardware)).data["attestation"] == "android-key"
    for old, new in (
        (b"\x30\x0e" + hardware, b"\x30\x1d" + hardware),  # announces more than there is
        (b"\x02\x02\x01\x2c\x0a\x01\x01", b"\x02\x02\x01\x2c\x02\x01\x01"),  # another kind
        (b"\x30\x00\x30\x0e", b"\x31\x00\x30\x0e"),
    ):
        assert refused(verified, attest_with(old, new)) is Reason.PASSKEY_ATTESTATION


@pytest.mark.parametrize(
    "described",
    [b"x", b"\x30", b"\x30\x05", b"\x30\x80", b"\x30\x00", b"\x1f" * 9, tlv(0x30, b"\x02\x01\x00")],
)
def test_android_descriptions_that_are_none(verified: Scene, described: bytes) -> None:
    attest = wished("android-key", description=described)
    assert refused(verified, attest) is Reason.PASSKEY_ATTESTATION
    whole = key_description(bytes(32))
    for end in range(0, len(whole), 7):
        attest = wished("android-key", description=whole[:end] or b"\x05\x00")
        assert refused(verified, attest) is Reason.PASSKEY_ATTESTATION


# --- the way to a root ------------------------------------------------------------------------------


def test_a199_a_chain_to_an_unknown_root(verified: Scene) -> None:
    stranger = Maker()
    for make in (stranger.packed, stranger.tpm, stranger.apple, stranger.android_key):
        assert refused(verified, make) is Reason.PASSKEY_ATTESTATION
    assert refused(verified, stranger.fido_u2f, aaguid=bytes(16)) is Reason.PASSKEY_ATTESTATION


def test_a199_a_root_that_only_has_the_name(verified: Scene) -> None:
    forger = Maker(root=Authority.root("Maker's root"))
    assert refused(verified, forger.packed) is Reason.PASSKEY_ATTESTATION


def test_chains_of_several(verified: Scene) -> None:
    middle = maker().root.authority("Maker's line")
    assert enrol(verified, Maker(root=middle).packed).data["attestation"] == "packed"
    with_root = replace(middle, above=(*middle.above, maker().root.der))
    assert enrol(verified, Maker(root=with_root).packed).data["attestation"] == "packed"
    for wish in (
        {"ca": False},
        {"usage": frozenset({"digital_signature"})},
        {"not_after": datetime(2025, 1, 1, tzinfo=UTC)},
    ):
        middle = maker().root.authority("Maker's line", **wish)
        assert refused(verified, Maker(root=middle).packed) is Reason.PASSKEY_ATTESTATION


def test_a_chain_that_is_too_long(verified: Scene) -> None:
    authority = maker().root
    for _ in range(6):
        authority = authority.authority()
    assert refused(verified, Maker(root=authority).packed) is Reason.PASSKEY_ATTESTATION


def test_certificates_have_their_time(verified: Scene) -> None:
    for wishes in (
        {"not_after": datetime(2026, 11, 1, tzinfo=UTC)},
        {"not_before": datetime(2026, 12, 1, tzinfo=UTC)},
    ):
        assert refused(verified, wished("packed", **wishes)) is Reason.PASSKEY_ATTESTATION


def test_critical_extensions_that_nobody_understands(verified: Scene) -> None:
    odd = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)
    attest = wished("packed", extensions=(odd,))
    assert refused(verified, attest) is Reason.PASSKEY_ATTESTATION


def test_an_attestation_certificate_that_is_kept_itself(tmp_path: Path) -> None:
    x5c = maker().certificate()
    pem = x509.load_der_x509_certificate(x5c[0]).public_bytes(Encoding.PEM)
    scene = world(tmp_path, pem)
    attest = spoilt("packed", x5c=x5c)
    assert enrol(scene, attest).data["attestation"] == "packed"
    assert refused(scene, maker().packed) is Reason.PASSKEY_ATTESTATION


# --- models -----------------------------------------------------------------------------------------

MODEL = "00010203-0405-0607-0809-0a0b0c0d0e0f"
OTHER = "ffffffff-0405-0607-0809-0a0b0c0d0e0f"


def test_models_that_are_not_taken(tmp_path: Path) -> None:
    scene = world(tmp_path, maker().root.pem, refused_models=(MODEL,))
    assert refused(scene, maker().packed) is Reason.PASSKEY_MODEL
    assert enrol(scene, maker().packed, aaguid=b"\xff" * 16)
    scene = world(tmp_path, allowed_models=(OTHER,))
    assert refused(scene, maker().packed) is Reason.PASSKEY_MODEL
    scene = world(tmp_path, allowed_models=(OTHER, MODEL))
    assert enrol(scene, maker().packed)


def test_models_that_are_no_longer_taken(verified: Scene) -> None:
    key = SecurityKey(ORIGIN, attest=maker().packed, aaguid=AAGUID)
    verified.enrol(key)
    assert verified.sign_in(key)
    verified.change(refused_models=(MODEL,))
    assert verified.refused(key=key) is Reason.PASSKEY_MODEL
    assert verified.refused(key=key, signature=b"x") is Reason.PASSKEY_SIGNATURE
