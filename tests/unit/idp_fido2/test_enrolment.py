"""Registrations: what is asked and kept, and each check of WebAuthn L3 §7.1 by one spoilt thing."""

import secrets
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor

from idp.contracts import Owner
from idp.errors import ProofRejected
from idp.events import Reason
from tests.fakes import jws
from tests.fakes.security_key import (
    AT,
    BE,
    BS,
    EDDSA,
    ES256,
    ES384,
    RS1,
    RS256,
    UP,
    UV,
    Credential,
    SecurityKey,
    attested_data,
    cose_of,
    form,
    new_key,
)
from tests.unit.idp_fido2.scene import ORIGIN, Scene

HOST = "id.example.go.kr"
# Always the same, since the names of tests are made of it.
P256 = cose_of(ec.derive_private_key(7, ec.SECP256R1()).public_key(), ES256)
ED25519 = cose_of(new_key(EDDSA).public_key(), EDDSA)
RSA = cose_of(new_key(RS256).public_key(), RS256)


def test_what_is_asked(scene: Scene) -> None:
    attempt = scene.attempt()
    owner = Owner(b"h" * 32, "김공무", (b"one" * 8, b"two" * 8))
    step = scene.method.begin_enrolment(attempt, owner)
    assert step.page == {
        "options": {
            "rp": {"id": HOST, "name": "Gongmu"},
            "user": {"id": jws.encode(b"h" * 32), "name": "김공무", "displayName": "김공무"},
            "challenge": attempt.nonce,
            "pubKeyCredParams": [
                {"type": "public-key", "alg": alg} for alg in (ES256, EDDSA, ES384, RS256)
            ],
            "excludeCredentials": [
                {"type": "public-key", "id": jws.encode(one)} for one in owner.credential_ids
            ],
            "authenticatorSelection": {
                "residentKey": "required",
                "requireResidentKey": True,
                "userVerification": "required",
            },
            "attestation": "none",
            "timeout": 120_000,
        }
    }
    assert step.state == {}


def test_what_is_kept(scene: Scene) -> None:
    new = scene.enrol()
    [credential] = scene.key.credentials
    assert new.credential_id == credential.id
    assert new.on_this_device is False
    assert dict(new.data) == {
        "public_key": jws.encode(cbor.encode(credential.cose())),
        "counter": 1,
        "backup_eligible": False,
        "synced": False,
        "hardware_bound": False,
        "aaguid": "00000000-0000-0000-0000-000000000000",
        "model": "",
        "attestation": "",
        "transports": ["usb"],
        "last": new.data["last"],
    }


def test_transports_are_words_that_we_know(scene: Scene) -> None:
    key = SecurityKey(ORIGIN, transports=("usb", "nfc", "<script>", "usb"))
    assert scene.enrol(key).data["transports"] == ["nfc", "usb"]
    for said in ("usb", None, 5, [["usb"]], [{}]):
        attempt = scene.attempt()
        answer = scene.key.create(
            scene.method.begin_enrolment(attempt, scene.owner).page["options"]
        )
        answer["response"]["transports"] = said
        data = scene.method.complete_enrolment(attempt, {}, form(answer)).data
        assert data["transports"] == []


@pytest.mark.parametrize("attachment", ["cross-platform", "", "Platform", None, 5])
def test_only_a_platform_authenticator_is_on_this_device(scene: Scene, attachment: Any) -> None:
    assert not scene.enrol(members={"authenticatorAttachment": attachment}).on_this_device
    assert scene.enrol(members={"authenticatorAttachment": "platform"}).on_this_device


# --- what browser and authenticator say: the same checks as at a sign-in ----------------------------


def test_a190_another_origin(scene: Scene) -> None:
    for origin in (f"https://sub.{HOST}", f"https://{HOST}:8443", f"http://{HOST}", "null", None):
        assert scene.enrolment_refused(client_data={"origin": origin}) is Reason.PASSKEY_ORIGIN


def test_a191_another_ceremony_challenge_or_domain(scene: Scene) -> None:
    refused = scene.enrolment_refused(client_data={"type": "webauthn.get"})
    assert refused is Reason.PASSKEY_CHALLENGE
    refused = scene.enrolment_refused(client_data={"challenge": secrets.token_urlsafe(32)})
    assert refused is Reason.PASSKEY_CHALLENGE
    assert scene.enrolment_refused(rp_id="example.go.kr") is Reason.PASSKEY_ORIGIN


def test_a192_nobody_there_or_nobody_verified(scene: Scene) -> None:
    for flags in (AT, AT | UP, AT | UV):
        assert scene.enrolment_refused(flags=flags) is Reason.PASSKEY_UNVERIFIED


def test_a193_in_another_sites_frame(scene: Scene) -> None:
    for said in ({"crossOrigin": True}, {"topOrigin": ORIGIN}):
        assert scene.enrolment_refused(client_data=said) is Reason.PASSKEY_ORIGIN


def test_a194_backed_up_though_it_cannot_be(scene: Scene) -> None:
    assert scene.enrolment_refused(flags=AT | UP | UV | BS) is Reason.PASSKEY_BACKUP
    assert scene.enrol(flags=AT | UP | UV | BS | BE).data["synced"] is True


# --- the credential ---------------------------------------------------------------------------------


def test_the_credential_that_the_browser_names(scene: Scene) -> None:
    other = jws.encode(secrets.token_bytes(32))
    refused = scene.enrolment_refused(members={"id": other, "rawId": other})
    assert refused is Reason.PASSKEY_MALFORMED


@pytest.mark.parametrize(
    ("length", "taken"), [(15, False), (16, True), (1023, True), (1024, False)]
)
def test_a199_length_of_the_id(scene: Scene, length: int, taken: bool) -> None:  # noqa: FBT001
    credential = scene.key.new_credential(ES256, scene.owner.user_handle, HOST)
    credential.id = secrets.token_bytes(length)
    if taken:
        assert scene.enrol(credential=credential).credential_id == credential.id
    else:
        refused = scene.enrolment_refused(credential=credential)
        assert refused is Reason.PASSKEY_MALFORMED


def test_a199_an_algorithm_that_was_not_offered() -> None:
    scene = Scene(algorithms=("ES256",))
    for algorithm in (EDDSA, ES384, RS256):
        credential = scene.key.new_credential(algorithm, scene.owner.user_handle, HOST)
        refused = scene.enrolment_refused(credential=credential)
        assert refused is Reason.PASSKEY_ALGORITHM
    assert scene.enrol()


@pytest.mark.parametrize(
    "cose",
    [
        {**RSA, 3: RS1},
        {**RSA, 3: -37},
        {**RSA, -1: RSA[-1][:128]},  # 1024 bits
        {**RSA, -1: b"\x00" + RSA[-1]},
        {**RSA, -1: b""},
        {**RSA, -1: RSA[-1] * 3},
        {**RSA, -2: b"\x03"},
        {**RSA, -2: b"\x01"},
        {**RSA, 1: 2},
        {**P256, 3: -47, -1: 8},  # secp256k1
        {**P256, 3: -36, -1: 3},
        {**P256, 3: 0},
        {**P256, 3: "ES256"},
        {**P256, 3: [-7]},
        {**P256, 3: -9},
        {**P256, -1: 2},
        {**P256, -1: True},
        {**P256, 1: 3},
        {**P256, 1: 1},
        {**P256, -2: P256[-2][1:]},
        {**P256, -2: b"\x00" + P256[-2]},
        {**P256, -3: True},  # compressed
        {**P256, -3: "y" * 32},
        {**P256, -4: b"d" * 32},  # private
        {**P256, 2: b"kid"},
        {**ED25519, -1: 7},
        {**ED25519, -2: b"x" * 31},
        {**ED25519, -3: b"x" * 32},
        {3: -7},
        {},
    ],
)
def test_a199_keys_of_another_form(scene: Scene, cose: dict[int, Any]) -> None:
    credential = scene.key.new_credential(ES256, scene.owner.user_handle, HOST)
    attested = attested_data(bytes(16), credential.id, cose)
    refused = scene.enrolment_refused(credential=credential, attested=attested)
    assert refused is Reason.PASSKEY_ALGORITHM


@pytest.mark.parametrize(
    "cose",
    [
        b"",
        b"\x00",
        b"\xa5",
        cbor.encode(P256)[:-1],
        cbor.encode(P256) + b"\x00",
        b"\xa1" * 20 + b"\x01",
        b"\xa2\x01\x02\x01\x02",
        b"\xa1\x01\xc1\x00",  # a tag
        b"\xa1\x01\xf6",  # null
        b"\xa1\x40\x01",  # a key of bytes
        b"\xa1\xf5\x01",  # a key that is true
        b"\xbb" + b"\xff" * 8,  # so many members
    ],
)
def test_a106_keys_that_are_no_good_cbor(scene: Scene, cose: bytes) -> None:
    credential = scene.key.new_credential(ES256, scene.owner.user_handle, HOST)
    attested = attested_data(bytes(16), credential.id, cose)
    refused = scene.enrolment_refused(credential=credential, attested=attested)
    assert refused is Reason.PASSKEY_MALFORMED


def test_data_that_ends_early_or_late(scene: Scene) -> None:
    for data in (b"", b"x" * 36, b"x" * 37):
        refused = scene.enrolment_refused(data=data or b"\x00")
        assert refused in (Reason.PASSKEY_MALFORMED, Reason.PASSKEY_ORIGIN)
    assert scene.enrolment_refused(flags=UP | UV) is Reason.PASSKEY_MALFORMED  # no AT


@pytest.mark.parametrize(
    "raw",
    [
        b"\x80",
        cbor.encode({}),
        cbor.encode({"fmt": "none", "attStmt": {}}),
        cbor.encode({"fmt": "none", "attStmt": {}, "authData": "text"}),
        cbor.encode({"fmt": 5, "attStmt": {}, "authData": b""}),
        cbor.encode({"fmt": "none", "attStmt": [], "authData": b""}),
        cbor.encode({"fmt": "none", "attStmt": {}, "authData": b"x" * 37}),
        cbor.encode({"fmt": "none", "attStmt": {}, "authData": b""}) + b"\x00",
        b"\xa4\x63fmt\x64none\x63fmt\x64none\x67attStmt\xa0\x68authData\x40",
        b"\xa1\x63\xff\xff\xff\x00",
    ],
)
def test_attestation_objects_that_are_none(scene: Scene, raw: bytes) -> None:
    assert scene.enrolment_refused(attestation_object=raw) is Reason.PASSKEY_MALFORMED


def test_attestation_objects_that_are_nearly_one(scene: Scene) -> None:
    credential = scene.key.new_credential(ES256, scene.owner.user_handle, HOST)
    good = {"fmt": "none", "attStmt": {}, "authData": authenticator_data_of(credential)}
    without_credential = good["authData"][:32] + bytes([UP | UV]) + bytes(4)
    for raw in (
        cbor.encode(good) + b"\x00",
        cbor.encode({**good, "fmt": 5}),
        cbor.encode({**good, "attStmt": [1]}),
        cbor.encode({**good, "authData": without_credential}),
    ):
        refused = scene.enrolment_refused(credential=credential, attestation_object=raw)
        assert refused is Reason.PASSKEY_MALFORMED
    assert scene.enrol(credential=credential, attestation_object=cbor.encode(good))


def authenticator_data_of(credential: Credential) -> bytes:
    flags = bytes([UP | UV | AT])
    attested = attested_data(bytes(16), credential.id, credential.cose())
    return sha256(HOST.encode()).digest() + flags + bytes(4) + attested


def test_extensions_are_ignored(scene: Scene) -> None:
    assert scene.enrol(extensions=cbor.encode({"credProtect": 2, "junk": ["<script>"]}))


def test_a203_an_enrolment_that_is_too_late(scene: Scene) -> None:
    attempt = scene.attempt()
    answer = scene.key.create(scene.method.begin_enrolment(attempt, scene.owner).page["options"])
    scene.now = attempt.expires_at
    with pytest.raises(ProofRejected) as caught:
        scene.method.complete_enrolment(attempt, {}, form(answer))
    assert caught.value.reason is Reason.PASSKEY_CHALLENGE
