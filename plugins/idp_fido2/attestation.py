"""What vouches for an authenticator: attestation statements (WebAuthn L3 §6.5.4, §7.1 steps 21-24, §8).

The library verifies the statement of each format; what it leaves out is here: the algorithm, the shape, that
an "apple" certificate is of the credential's own key (§8.8), and the whole question of whom to trust.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from fido2.attestation.apple import AppleAttestation
from fido2.attestation.base import Attestation, InvalidAttestation
from fido2.attestation.packed import PackedAttestation
from fido2.attestation.tpm import TpmAttestation
from fido2.attestation.u2f import FidoU2FAttestation
from fido2.webauthn import AuthenticatorData as LibraryData

from idp.events import Reason
from idp_fido2 import authenticator_data, chain, keys, strict
from idp_fido2.android_key import AndroidKeyAttestation
from idp_fido2.authenticator_data import AttestedCredential, AuthenticatorData
from idp_fido2.metadata import Metadata, MetadataFile, Model

Demand = Literal["none", "requested", "verified"]
# Not android-safetynet: Google has switched its service off, and nothing in it was hardware's.
FORMATS: Mapping[str, Attestation] = {
    one.FORMAT: one
    for one in (
        PackedAttestation(),
        TpmAttestation(),
        AppleAttestation(),
        AndroidKeyAttestation(),
        FidoU2FAttestation(),
    )
}
_NO_ALGORITHM = 0  # "apple" and "fido-u2f" have but one
_ALGORITHMS = (_NO_ALGORITHM, *keys.ALGORITHMS.values(), -36)  # ES512 beside; never SHA-1 (-65535)
_NO_MODEL = "00000000-0000-0000-0000-000000000000"  # of FIDO U2F
# What the library and `cryptography` raise over a statement that is not one.
FAULTS = (
    InvalidAttestation,
    InvalidSignature,
    UnsupportedAlgorithm,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    struct.error,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class AttestationObject:
    """An attestation object taken apart (§6.5.4); nothing of it is verified yet."""

    format: str
    statement: dict[str, Any]
    data: AuthenticatorData
    credential: AttestedCredential


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is known of the authenticator that holds a new credential."""

    format: str  # of the statement that was verified to a root; "" when nobody vouches for it
    hardware: bool  # who vouches for it says that its keys cannot leave it
    model: str  # its name; "" when it is not known


_UNATTESTED = ""


@dataclass(frozen=True, slots=True)
class Attestations:
    """Decides about statements and models. Holds only what is the same for all registrations."""

    demand: Demand
    roots: tuple[bytes, ...]  # of our own choice, beside those of the metadata
    metadata: MetadataFile | None
    allowed: frozenset[str]  # AAGUIDs; empty: any
    refused: frozenset[str]

    def assess(
        self, found: AttestationObject, client_data_hash: bytes, now: datetime
    ) -> Assessment:
        """What to make of a registration (§7.1 steps 21-24). ProofRejected."""
        self.check_model(found.credential.aaguid, now)
        model = self._model(found.credential.aaguid, now)
        name = model.name if model is not None else ""
        # 1. Where nobody asked, nothing is believed; not all browsers take the statement out.
        if self.demand == "none":
            return Assessment(_UNATTESTED, hardware=False, model=name)
        # 2. No statement, one that is not taken, or one that the new key made itself, vouches for
        # nothing.
        path = verify_statement(found, client_data_hash)
        if not path:
            return self._unattested(f"a {found.format!a} statement that vouches for nothing", name)
        # 3. It leads to a root of this model, as of today's metadata, or to one of ours.
        try:
            return self._trust(found, path, now)
        except FAULTS as error:
            return self._unattested(f"the statement's chain: {error}", name)

    def check_model(self, aaguid: str, now: datetime) -> None:
        """Does nothing when keys of this model are taken, at registration and at each sign-in."""
        if aaguid in self.refused or (self.allowed and aaguid not in self.allowed):
            strict.reject(Reason.PASSKEY_MODEL, f"the model {aaguid} is not allowed")
        _check_status(self._model(aaguid, now), now)

    def _trust(self, found: AttestationObject, path: list[bytes], now: datetime) -> Assessment:
        """ProofRejected for a model that is refused; any of FAULTS where nobody vouches."""
        metadata = self.metadata.fresh(now) if self.metadata is not None else None
        model = _model_of(found.credential.aaguid, path, metadata)
        _check_status(model, now)
        _check_leaked(path, model)
        chain.verify(path, (*(model.roots if model is not None else ()), *self.roots), now)
        return Assessment(
            found.format,
            hardware=model.hardware if model is not None else True,
            model=model.name if model is not None else "",
        )

    def _model(self, aaguid: str, now: datetime) -> Model | None:
        return None if self.metadata is None else self.metadata.latest(now).by_aaguid.get(aaguid)

    def _unattested(self, why: str, name: str) -> Assessment:
        if self.demand == "verified":
            strict.reject(Reason.PASSKEY_ATTESTATION, why)
        return Assessment(_UNATTESTED, hardware=False, model=name)


def parse(raw: bytes) -> AttestationObject:
    """An attestation object as CBOR (§6.5.4). ProofRejected."""
    members, rest = strict.load_cbor_map(raw)
    format_, statement, data = (members.get(name) for name in ("fmt", "attStmt", "authData"))
    if rest or not isinstance(format_, str) or not isinstance(statement, dict):
        strict.malformed("not an attestation object")
    if not isinstance(data, bytes):
        strict.malformed("no authenticator data")
    parsed = authenticator_data.parse(data)
    if parsed.credential is None:
        strict.malformed("no attested credential data")
    return AttestationObject(format_, statement, parsed, parsed.credential)


def verify_statement(found: AttestationObject, client_data_hash: bytes) -> list[bytes]:
    """The certificates that a true statement brings, leaf first; none: nobody vouches (§8).

    A format or an algorithm that is not taken vouches for nothing either (many a TPM still signs over
    SHA-1). ProofRejected(PASSKEY_ATTESTATION) for a statement that is false or malformed.
    """
    if found.format == "none":
        _require(found.statement == {}, "a statement of the format none that is not empty")
        return []
    verifier = FORMATS.get(found.format)
    if verifier is None or found.statement.get("alg", _NO_ALGORITHM) not in _ALGORITHMS:
        return []
    _check_shape(found)
    try:
        data = LibraryData(found.data.raw)
        path: list[bytes] = verifier.verify(found.statement, data, client_data_hash).trust_path
        if found.format == "apple":
            _check_own_key(path[0], data)
    except FAULTS as error:
        strict.reject(Reason.PASSKEY_ATTESTATION, f"a false {found.format} statement", error)
    return path


def _check_shape(found: AttestationObject) -> None:
    """What the library takes for granted, or for good."""
    statement = found.statement
    path = statement.get("x5c", [])
    _require(isinstance(path, list) and all(isinstance(der, bytes) for der in path), "x5c")
    if found.format == "tpm":
        _require(statement.get("ver") == "2.0", "ver")
    if found.format == "fido-u2f":  # §8.6: one certificate, no model
        _require(len(path) == 1 and found.credential.aaguid == _NO_MODEL, "not of FIDO U2F")


def _require(condition: bool, what: str) -> None:  # noqa: FBT001 - a check that reads as one
    if not condition:
        strict.reject(Reason.PASSKEY_ATTESTATION, f"a statement of the wrong form: {what}")


def _check_own_key(leaf: bytes, data: LibraryData) -> None:
    """§8.8 step 5: the certificate that Apple made is for this very key. ValueError."""
    if data.credential_data is None:
        raise ValueError("no credential")
    key = data.credential_data.public_key
    if key.from_cryptography_key(x509.load_der_x509_certificate(leaf).public_key()) != key:
        raise ValueError("the certificate is of another key")


def _model_of(aaguid: str, path: list[bytes], metadata: Metadata | None) -> Model | None:
    """By its AAGUID, or by the attestation key where there is none (MDS 3.0 §3.1.1)."""
    if metadata is None:
        return None
    if aaguid != _NO_MODEL:
        return metadata.by_aaguid.get(aaguid)
    return next(filter(None, (metadata.by_key.get(_key_identifier(der)) for der in path)), None)


def _key_identifier(der: bytes) -> bytes:
    key = x509.load_der_x509_certificate(der).public_key()
    return x509.SubjectKeyIdentifier.from_public_key(key).digest


def _check_status(model: Model | None, now: datetime) -> None:
    """What the FIDO Alliance says of a model counts from the day that it names."""
    if model is not None and model.refused_from is not None and now.date() >= model.refused_from:
        strict.reject(Reason.PASSKEY_MODEL, "the model is compromised or revoked")


def _check_leaked(path: list[bytes], model: Model | None) -> None:
    """An attestation key that others know vouches for nothing (ATTESTATION_KEY_COMPROMISE)."""
    if model is not None and not model.leaked.isdisjoint(path):
        strict.reject(Reason.PASSKEY_MODEL, "attested by a key that others know")
