"""The FIDO metadata blob: whom it comes from, until when it counts, what it says of models (A-199)."""

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import SubjectKeyIdentifier, load_der_x509_certificate

from idp.errors import ConfError, ProofRejected
from idp.events import Reason
from tests.fakes import jws
from tests.fakes.attestation import SIGNER, Maker, blob, model
from tests.fakes.certificates import Authority, new_key
from tests.fakes.security_key import Attest, SecurityKey, no_attestation
from tests.unit.idp_fido2.scene import ORIGIN, Scene

AAGUID = bytes(range(16))
MODEL = "00010203-0405-0607-0809-0a0b0c0d0e0f"
RSA_KEY = rsa.generate_private_key(65537, 2048)


class Service:
    """The metadata service, and a provider that reads its blob."""

    def __init__(self, folder: Path) -> None:
        self.root = Authority.root("Metadata root")
        self.signer = self.root.leaf(hosts=(SIGNER,))
        self.maker = Maker()
        self.file, self.root_file = folder / "blob.jwt", folder / "root.pem"
        self.root_file.write_bytes(self.root.pem)
        self.scene = Scene()
        self.time = 1_000_000_000

    def publish(self, *entries: Mapping[str, Any], **changes: Any) -> None:
        self.write(blob(self.signer, *(entries or (self.model(),)), **changes))

    def write(self, data: bytes) -> None:
        self.file.write_bytes(data)
        self.time += 1
        os.utime(self.file, (self.time, self.time))

    def model(self, **changes: Any) -> dict[str, Any]:
        return model(MODEL, self.maker.root, **changes)

    def open(self, **settings: Any) -> None:
        self.scene.settings = {
            "attestation": "verified",
            "metadata_file": self.file,
            "metadata_root_file": self.root_file,
        }
        self.scene.change(**settings)

    def enrol(self, attest: Attest | None = None, aaguid: bytes = AAGUID) -> dict[str, Any]:
        key = SecurityKey(ORIGIN, attest=attest or self.maker.packed, aaguid=aaguid)
        return dict(self.scene.enrol(key).data)

    def refused(self, attest: Attest | None = None, aaguid: bytes = AAGUID) -> Reason:
        with pytest.raises(ProofRejected) as caught:
            self.enrol(attest, aaguid)
        return caught.value.reason

    def is_refused_at_start(self) -> bool:
        try:
            self.open()
        except ConfError as error:
            [problem] = error.problems
            assert problem.key == "methods.fido2.metadata_file"
            return True
        return False


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def test_a_model_that_is_known(service: Service) -> None:
    service.publish()
    service.open()
    data = service.enrol()
    assert data["model"] == "Test key 5"
    assert data["attestation"] == "packed"
    assert data["hardware_bound"] is True


def test_names_are_shown_even_where_nobody_vouches(service: Service) -> None:
    service.publish(service.model(statement={"description": "열쇠\n<b>\u202e" + "x" * 99}))
    service.open(attestation="none")
    data = service.enrol(no_attestation)
    assert data["model"] == ("열쇠<b>" + "x" * 99)[:80]
    assert data["hardware_bound"] is False


def test_a_model_that_nobody_knows(service: Service) -> None:
    service.publish(model("ffffffff-0405-0607-0809-0a0b0c0d0e0f", service.maker.root))
    service.open()
    assert service.refused() is Reason.PASSKEY_ATTESTATION


def test_another_models_root(service: Service) -> None:
    service.publish(
        model(MODEL, Authority.root("Other")),
        model("ffffffff-0405-0607-0809-0a0b0c0d0e0f", service.maker.root),
    )
    service.open()
    assert service.refused() is Reason.PASSKEY_ATTESTATION


def test_keys_that_do_not_lie_in_hardware(service: Service) -> None:
    for protection in (["software"], ["hardware", "software"], ["tee"], []):
        service.publish(service.model(statement={"keyProtection": protection}))
        service.open()
        data = service.enrol()
        assert data["attestation"] == "packed"
        assert data["hardware_bound"] is False


@pytest.mark.parametrize(
    "status",
    [
        "REVOKED",
        "USER_VERIFICATION_BYPASS",
        "ATTESTATION_KEY_COMPROMISE",
        "USER_KEY_REMOTE_COMPROMISE",
        "USER_KEY_PHYSICAL_COMPROMISE",
    ],
)
def test_a199_a_model_that_is_revoked_or_compromised(service: Service, status: str) -> None:
    service.publish()
    service.open()
    key = SecurityKey(ORIGIN, attest=service.maker.packed, aaguid=AAGUID)
    service.scene.enrol(key)
    service.publish(service.model(statuses=["FIDO_CERTIFIED", status, "UPDATE_AVAILABLE"]))
    assert service.refused() is Reason.PASSKEY_MODEL
    # Keys of it that are registered already no longer sign in; others do.
    assert service.scene.refused(key=key) is Reason.PASSKEY_MODEL
    service.publish(no=8)
    assert service.scene.sign_in(key)


def test_statuses_have_their_day(service: Service) -> None:
    service.publish(service.model(statuses=[{"status": "REVOKED", "effectiveDate": "2026-11-25"}]))
    service.open()
    assert service.enrol()
    service.scene.now = datetime(2026, 11, 25, tzinfo=UTC)
    assert service.refused() is Reason.PASSKEY_MODEL


def test_other_statuses_are_no_reason(service: Service) -> None:
    words = ["NOT_FIDO_CERTIFIED", "UPDATE_AVAILABLE", "RETIRED", "SOMETHING_NEW"]
    service.publish(service.model(statuses=words))
    service.open()
    assert service.enrol()


def test_an_attestation_key_that_others_know(service: Service) -> None:
    x5c = service.maker.certificate()
    leak = {"status": "ATTESTATION_KEY_COMPROMISE", "certificate": jws.base64(x5c[0])}
    service.publish(service.model(statuses=[leak]))
    service.open()
    assert (
        service.refused(replace(service.maker, spoilt={"x5c": x5c}).packed) is Reason.PASSKEY_MODEL
    )
    assert service.enrol()


def test_u2f_keys_are_known_by_their_attestation_key(service: Service) -> None:
    public = load_der_x509_certificate(service.maker.certificate()[0]).public_key()
    identifier = SubjectKeyIdentifier.from_public_key(public).digest.hex()
    entry = model(None, service.maker.root, attestationCertificateKeyIdentifiers=[identifier])
    service.publish(entry)
    service.open()
    data = service.enrol(service.maker.fido_u2f, bytes(16))
    assert (data["attestation"], data["model"]) == ("fido-u2f", "Test key 5")
    revoked = model(
        None,
        service.maker.root,
        attestationCertificateKeyIdentifiers=[identifier],
        statuses=["REVOKED"],
    )
    service.publish(revoked)
    assert service.refused(service.maker.fido_u2f, bytes(16)) is Reason.PASSKEY_MODEL


# --- whom it comes from, and until when it counts ---------------------------------------------------


def test_a199_an_unsigned_or_forged_blob(service: Service) -> None:
    good = blob(service.signer, service.model())
    unsigned, _, signature = good.rpartition(b".")
    header, payload = unsigned.split(b".")
    none = jws.encode(jws.dump({"alg": "none", "x5c": service.signer.x5c})).encode()
    hs256 = jws.sign({"alg": "HS256", "x5c": service.signer.x5c}, {"no": 1}, b"secret")
    for bad in (
        unsigned + b".",
        none + b"." + payload + b".",
        header + b"." + payload[:-4] + b"." + signature,
        header + b"." + payload + b"." + signature[:-4],
        hs256.encode(),
        b"",
        b"a.b.c",
        b"\xff",
        b"[" * 100_000,
        payload,
    ):
        service.write(bad)
        assert service.is_refused_at_start()
    service.write(good)
    assert not service.is_refused_at_start()
    service.write(good + b"\n")
    assert not service.is_refused_at_start()


def test_a199_someone_else_signed_it(service: Service) -> None:
    others = Authority.root("Metadata root")
    for signer in (
        others.leaf(hosts=(SIGNER,)),
        service.root.leaf(hosts=("evil.example",)),
        service.root.leaf(),
        service.root.leaf(hosts=(SIGNER,), not_after=datetime(2026, 1, 1, tzinfo=UTC)),
        service.root.authority(ca=False).leaf(hosts=(SIGNER,)),
        replace(service.signer, key=new_key()),
    ):
        service.write(blob(signer, service.model()))
        assert service.is_refused_at_start()
    for x5c in ([], [""], "x", None, jws.DROP):
        service.write(
            blob(
                service.signer, service.model(), header={"x5c": x5c} if x5c is not jws.DROP else {}
            )
        )
        assert service.is_refused_at_start() is (x5c is not jws.DROP)
    service.write(blob(service.root.authority().leaf(hosts=(SIGNER,)), service.model()))
    assert not service.is_refused_at_start()


def test_signed_with_rsa_as_the_real_one_is(service: Service) -> None:
    signer = service.root.leaf(hosts=(SIGNER,), key=RSA_KEY)
    header = {"alg": "RS256", "typ": "JWT", "x5c": [*signer.x5c, jws.base64(service.root.der)]}
    unsigned, _, _ = blob(replace(signer, key=None), service.model(), header=header).rpartition(
        b"."
    )
    good = RSA_KEY.sign(unsigned, padding.PKCS1v15(), SHA256())
    service.write(unsigned + b"." + jws.encode(good).encode())
    assert not service.is_refused_at_start()
    service.write(unsigned + b"." + jws.encode(good[::-1]).encode())
    assert service.is_refused_at_start()


@pytest.mark.parametrize(
    "changes",
    [
        {"no": jws.DROP},
        {"no": "x"},
        {"nextUpdate": "soon"},
        {"nextUpdate": 5},
        {"entries": jws.DROP},
        {"entries": 5},
        {"entries": [5]},
        {"entries": [{}]},
        {"entries": [{"statusReports": [{}]}]},
        {"entries": [{"statusReports": [], "aaguid": "x"}]},
        {"entries": [{"statusReports": [], "metadataStatement": []}]},
    ],
)
def test_blobs_that_say_nothing_sensible(service: Service, changes: dict[str, Any]) -> None:
    service.publish(**changes)
    assert service.is_refused_at_start()


def test_a199_a_blob_whose_time_is_over(service: Service) -> None:
    service.publish(nextUpdate="2026-11-23")
    service.open()  # a restart must not wait for the FIDO Alliance
    assert service.refused() is Reason.PASSKEY_ATTESTATION
    service.publish(nextUpdate="2026-11-24")
    assert service.enrol()
    service.scene.now = datetime(2026, 11, 25, tzinfo=UTC)
    assert service.refused() is Reason.PASSKEY_ATTESTATION


def test_where_nobody_must_vouch_an_old_blob_vouches_for_nothing(service: Service) -> None:
    service.publish(nextUpdate="2026-11-23")
    service.open(attestation="requested")
    assert service.enrol()["hardware_bound"] is False
    service.publish()
    assert service.enrol()["hardware_bound"] is True


def test_what_an_old_blob_said_of_revoked_models_goes_on_counting(service: Service) -> None:
    service.publish(service.model(statuses=["REVOKED"]), nextUpdate="2026-11-23")
    service.open(attestation="none")
    assert service.refused(no_attestation) is Reason.PASSKEY_MODEL


def test_a_new_blob_is_noticed(service: Service) -> None:
    service.publish()
    service.open()
    assert service.enrol()["model"] == "Test key 5"
    service.publish(service.model(statement={"description": "Test key 6"}), no=8)
    assert service.enrol()["model"] == "Test key 6"


def test_a_bad_new_blob_enrols_nobody_and_revives_nothing(service: Service) -> None:
    other = "ffffffff-0405-0607-0809-0a0b0c0d0e0f"
    revoked = model(other, service.maker.root, statuses=["REVOKED"])
    service.publish(service.model(), revoked)
    service.open()
    key = SecurityKey(ORIGIN, attest=service.maker.packed, aaguid=AAGUID)
    service.scene.enrol(key)
    service.write(b"half a fi")
    assert service.refused() is Reason.PASSKEY_ATTESTATION
    assert service.refused(aaguid=b"\xff\xff\xff\xff" + AAGUID[4:]) is Reason.PASSKEY_MODEL
    assert service.scene.sign_in(key)
    service.file.unlink()
    assert service.refused() is Reason.PASSKEY_ATTESTATION
    service.publish()
    assert service.enrol()


def test_an_older_blob_is_not_taken_back(service: Service) -> None:  # as A-283
    service.publish(service.model(statuses=["REVOKED"]), no=9)
    service.open()
    service.publish(no=8)
    assert service.refused() is Reason.PASSKEY_MODEL
    service.publish(no=9)
    assert service.enrol()
