"""Makers of attestation statements with authorities of their own, right or spoilt (WebAuthn L3 §8).

Each maker is an `Attest` for `SecurityKey`: it gets the credential, its authenticator data and the hash of
clientDataJSON, and gives the statement's format and members. Also the FIDO Metadata Service's blob.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.fakes import jws
from tests.fakes.certificates import EARLY, LATE, Authority, Signer
from tests.fakes.security_key import ES256, Credential, sign

AAGUID_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
APPLE_NONCE = x509.ObjectIdentifier("1.2.840.113635.100.8.2")
ANDROID_KEY = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
AIK = x509.ObjectIdentifier("2.23.133.8.3")
ATTESTATION_NAME = (
    (NameOID.COUNTRY_NAME, "KR"),
    (NameOID.ORGANIZATION_NAME, "Test keys"),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "Authenticator Attestation"),
    (NameOID.COMMON_NAME, "Test key"),
)


@dataclass(frozen=True)
class Maker:
    """A maker of authenticators with a root of its own. `spoilt` goes over the statement's members."""

    root: Authority = field(default_factory=lambda: Authority.root("Maker's root"))
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    spoilt: Mapping[str, Any] = field(default_factory=dict)
    wishes: Mapping[str, Any] = field(default_factory=dict)  # of the attestation certificate

    def packed(self, credential: Credential, data: bytes, hashed: bytes) -> tuple[str, Any]:
        """§8.2."""
        aaguid = x509.UnrecognizedExtension(AAGUID_EXTENSION, b"\x04\x10" + credential.aaguid)
        x5c = self.certificate(extensions=((aaguid, False),))
        return self._made(
            "packed", {"alg": ES256, "sig": sign(self.key, ES256, data + hashed), "x5c": x5c}
        )

    def itself(self, credential: Credential, data: bytes, hashed: bytes) -> tuple[str, Any]:
        """§8.2, self attestation."""
        made = {"alg": credential.algorithm, "sig": credential.sign(data + hashed)}
        return self._made("packed", made)

    def fido_u2f(self, credential: Credential, data: bytes, hashed: bytes) -> tuple[str, Any]:
        """§8.6."""
        cose = credential.cose()
        point = b"\x04" + cose[-2] + cose[-3]
        signed = b"\x00" + data[:32] + hashed + credential.id + point
        made = {"sig": sign(self.key, ES256, signed), "x5c": self.certificate()}
        return self._made("fido-u2f", made)

    def apple(self, credential: Credential, data: bytes, hashed: bytes) -> tuple[str, Any]:
        """§8.8."""
        nonce = b"\x30\x24\xa1\x22\x04\x20" + sha256(data + hashed).digest()
        extension = (x509.UnrecognizedExtension(APPLE_NONCE, nonce), False)
        key = self.wishes.get("public_key", credential.key.public_key())
        return self._made(
            "apple", {"x5c": self.certificate(public_key=key, extensions=(extension,))}
        )

    def android_key(self, credential: Credential, data: bytes, hashed: bytes) -> tuple[str, Any]:
        """§8.4."""
        described = self.wishes.get("description") or key_description(hashed)
        extension = (x509.UnrecognizedExtension(ANDROID_KEY, described), False)
        key = self.wishes.get("public_key", credential.key.public_key())
        x5c = self.certificate(public_key=key, extensions=(extension,))
        made = {"alg": credential.algorithm, "sig": credential.sign(data + hashed), "x5c": x5c}
        return self._made("android-key", made)

    def tpm(self, credential: Credential, data: bytes, hashed: bytes) -> tuple[str, Any]:
        """§8.3, for an ES256 credential."""
        cose = credential.cose()
        area = struct.pack(">HHIH", 0x0023, 0x000B, 0x00060472, 0)
        area += struct.pack(">HHHH", 0x0010, 0x0010, 0x0003, 0x0010)
        area += b"".join(struct.pack(">H", 32) + cose[label] for label in (-2, -3))
        name = b"\x00\x0b" + sha256(area).digest()
        info = b"\xffTCG\x80\x17" + _sized(b"\x00\x0b" + bytes(32))
        info += _sized(sha256(data + hashed).digest()) + bytes(16) + b"\x01" + bytes(8)
        info += _sized(name) + _sized(name)
        made = {
            "ver": "2.0",
            "alg": ES256,
            "x5c": self._aik(),
            "sig": sign(self.key, ES256, info),
            "certInfo": info,
            "pubArea": area,
        }
        return self._made("tpm", made)

    def certificate(
        self,
        *,
        public_key: Any = None,
        extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
        name: tuple[tuple[x509.ObjectIdentifier, str], ...] = ATTESTATION_NAME,
    ) -> list[bytes]:
        """An attestation certificate below the root, as x5c."""
        name = self.wishes.get("name", name)
        ca = self.wishes.get("ca", False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(oid, text) for oid, text in name]))
            .issuer_name(self.root.certificate.subject)
            .public_key(public_key or self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.wishes.get("not_before", EARLY))
            .not_valid_after(self.wishes.get("not_after", LATE))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        for extension, critical in (*extensions, *self.wishes.get("extensions", ())):
            builder = builder.add_extension(extension, critical)
        made = builder.sign(self.root.key, SHA256())
        return [made.public_bytes(Encoding.DER), *self.root.above]

    def _aik(self) -> list[bytes]:
        tpm = x509.Name([x509.NameAttribute(x509.ObjectIdentifier("2.23.133.2.1"), "id:4E544300")])
        extensions = (
            (x509.SubjectAlternativeName([x509.DirectoryName(tpm)]), True),
            (x509.ExtendedKeyUsage([AIK]), False),
        )
        return self.certificate(extensions=extensions, name=())

    def _made(self, format_: str, good: Mapping[str, Any]) -> tuple[str, Any]:
        return format_, jws.spoil(good, self.spoilt)


def key_description(
    challenge: bytes,
    *,
    level: int = 1,
    software: bytes = b"",
    hardware: bytes = b"\xa1\x05\x31\x03\x02\x01\x02\xbf\x85\x3e\x03\x02\x01\x00",
) -> bytes:
    """Android's KeyDescription: by default a key made in hardware to sign and nothing else."""
    return tlv(
        0x30,
        b"\x02\x02\x01\x2c",
        bytes([0x0A, 1, level]),
        b"\x02\x01\x29",
        bytes([0x0A, 1, level]),
        tlv(0x04, challenge),
        b"\x04\x00",
        tlv(0x30, software),
        tlv(0x30, hardware),
    )


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    length = bytes([len(body)]) if len(body) < 128 else b"\x81" + bytes([len(body)])
    return bytes([tag]) + length + body


def _sized(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


# --- the metadata service ---------------------------------------------------------------------------

NEXT_UPDATE = datetime(2026, 12, 24, tzinfo=UTC)
SIGNER = "mds.fidoalliance.org"


def model(aaguid: str | None, *roots: Authority, **changes: Any) -> dict[str, Any]:
    """One entry of the blob; `statuses` are reports, or words for them."""
    statuses = changes.pop("statuses", ["FIDO_CERTIFIED_L1"])
    reports = [{"status": one} if isinstance(one, str) else one for one in statuses]
    statement = {
        "description": "Test key 5",
        "keyProtection": ["hardware", "secure_element"],
        "attestationRootCertificates": [jws.base64(root.der) for root in roots],
        **changes.pop("statement", {}),
    }
    entry = {"metadataStatement": statement, "statusReports": reports, **changes}
    return entry if aaguid is None else {"aaguid": aaguid, **entry}


def blob(signer: Signer, *entries: Mapping[str, Any], **changes: Any) -> bytes:
    """The signed blob; `changes` go over its payload, `header` over the header."""
    header = {"alg": "ES256", "typ": "JWT", "x5c": signer.x5c, **changes.pop("header", {})}
    payload = {"no": 7, "nextUpdate": NEXT_UPDATE.date().isoformat(), "entries": list(entries)}
    return jws.sign(header, jws.spoil({"legalHeader": "", **payload}, changes), signer.key).encode()
