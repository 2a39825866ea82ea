"""What is known of authenticators' models: the FIDO Metadata Service's blob, read from a file (MDS 3.0).

The blob is a JWS whose certificate chain (`x5c`) leads to a configured root, and whose signer has the
configured name. A new file is noticed without a restart. When it is bad or its time is over, nothing is
enrolled that needs it; what the last good one said of revoked models goes on counting at sign-in.
"""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from idp.errors import ProofRejected
from idp_fido2 import chain, strict

# MDS 3.0 §3.1.4: nobody who knows of these takes a key of that model.
_COMPROMISED = frozenset(
    {
        "REVOKED",
        "USER_VERIFICATION_BYPASS",
        "ATTESTATION_KEY_COMPROMISE",
        "USER_KEY_REMOTE_COMPROMISE",
        "USER_KEY_PHYSICAL_COMPROMISE",
    }
)
_FAULTS = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RecursionError,
    OSError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    ProofRejected,
)


@dataclass(frozen=True, slots=True)
class Model:
    """One model of authenticators."""

    name: str
    roots: tuple[bytes, ...]  # DER; its attestation chains lead to one of these
    hardware: bool  # keys lie in hardware, as its maker states
    refused_from: date | None  # since when no key of it is taken
    leaked: frozenset[bytes]  # attestation certificates (DER) whose keys are known to others


@dataclass(frozen=True, slots=True)
class Metadata:
    """A verified blob."""

    number: int
    next_update: date
    by_aaguid: Mapping[str, Model]
    by_key: Mapping[bytes, Model]  # SHA-1 of an attestation key, for models without an AAGUID


@dataclass(frozen=True, slots=True)
class Source:
    """Where the blob is, and who must have signed it."""

    file: Path
    roots: tuple[bytes, ...]
    signer: str  # a name in the signer's certificate


@dataclass(slots=True)
class MetadataFile:
    """The blob as it lies in the file now. One per process; threads may read it twice, never half."""

    source: Source
    _latest: Metadata
    _seen: tuple[int, int, int] = (0, 0, 0)
    _fault: str = field(default="")

    @classmethod
    def open(cls, source: Source, now: datetime) -> "MetadataFile":
        """ValueError when there is no good blob at the start; one whose time is over will do."""
        return cls(source, read(source, now), _stamp(source.file))

    def latest(self, now: datetime) -> Metadata:
        """The last good blob."""
        stamp = _stamp(self.source.file)
        if stamp != self._seen:
            self._reload(now)
            self._seen = stamp
        return self._latest

    def fresh(self, now: datetime) -> Metadata:
        """The same, when it is the newest and its time is not over. ValueError."""
        latest = self.latest(now)
        if self._fault:
            raise ValueError(f"the metadata file: {self._fault}")
        if now.date() > latest.next_update:
            raise ValueError("the metadata's time is over")
        return latest

    def _reload(self, now: datetime) -> None:
        try:
            found = read(self.source, now)
        except ValueError as error:
            self._fault = str(error)
            return
        if found.number < self._latest.number:
            self._fault = "older than the one before"
        else:
            self._latest, self._fault = found, ""


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def read(source: Source, now: datetime) -> Metadata:
    """The blob, verified (MDS 3.0 §3.2). ValueError."""
    try:
        return _parse(_open(source.file.read_bytes(), source, now))
    except _FAULTS as error:
        raise ValueError(f"no good metadata blob: {type(error).__name__}: {error}") from error


def _open(blob: bytes, source: Source, now: datetime) -> dict[str, Any]:
    """The payload of a JWS whose signer the root vouches for."""
    signed, _, signature_b64 = blob.decode("ascii").strip().rpartition(".")
    header_b64, _, payload_b64 = signed.partition(".")
    header = strict.load_object(strict.decode(header_b64))
    path = [b64decode(text, validate=True) for text in header["x5c"]]
    chain.verify(path, source.roots, now)
    leaf = x509.load_der_x509_certificate(path[0])
    if source.signer not in _names(leaf):
        raise ValueError("signed by someone else under the same root")
    _verify(header["alg"], leaf.public_key(), signed.encode(), strict.decode(signature_b64))
    return strict.load_object(strict.decode(payload_b64))


def _names(leaf: x509.Certificate) -> set[Any]:
    """Common names and DNS names."""
    names = {name.value for name in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
    for extension in leaf.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            names.update(extension.value.get_values_for_type(x509.DNSName))
    return names


def _verify(algorithm: Any, key: Any, signed: bytes, signature: bytes) -> None:
    if algorithm == "RS256" and isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, signed, padding.PKCS1v15(), SHA256())
    elif algorithm == "ES256" and isinstance(key, ec.EllipticCurvePublicKey):
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
    else:
        raise ValueError("neither RS256 nor ES256")


def _parse(payload: dict[str, Any]) -> Metadata:
    by_aaguid, by_key = {}, {}
    for entry in payload["entries"]:
        model = _model(entry)
        if "aaguid" in entry:
            by_aaguid[str(UUID(entry["aaguid"]))] = model
        for identifier in entry.get("attestationCertificateKeyIdentifiers", ()):
            by_key[bytes.fromhex(identifier)] = model
    return Metadata(
        number=int(payload["no"]),
        next_update=date.fromisoformat(payload["nextUpdate"]),
        by_aaguid=by_aaguid,
        by_key=by_key,
    )


def _model(entry: dict[str, Any]) -> Model:
    statement = entry.get("metadataStatement", {})
    protection = statement.get("keyProtection", ())
    refused, leaked = _statuses(entry["statusReports"])
    return Model(
        name=_name(statement.get("description", "")),
        roots=tuple(b64decode(text) for text in statement.get("attestationRootCertificates", ())),
        hardware="hardware" in protection and "software" not in protection,
        refused_from=min(refused, default=None),
        leaked=frozenset(leaked),
    )


def _statuses(reports: list[dict[str, Any]]) -> tuple[list[date], list[bytes]]:
    """Since when no key of the model is taken, and certificates that no longer vouch for one."""
    refused, leaked = [], []
    for report in reports:
        status = report["status"]
        if status == "ATTESTATION_KEY_COMPROMISE" and "certificate" in report:
            leaked.append(b64decode(report["certificate"]))
        elif status in _COMPROMISED:
            refused.append(date.fromisoformat(report.get("effectiveDate", "1970-01-01")))
    return refused, leaked


def _name(description: Any) -> str:
    """A text that pages may show."""
    return "".join(letter for letter in str(description) if letter.isprintable())[:80]
