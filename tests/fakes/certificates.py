"""Authorities and leaves that a test makes as it likes, also wrongly."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.fakes import jws

EARLY = datetime(2020, 1, 1, tzinfo=UTC)
LATE = datetime(2099, 1, 1, tzinfo=UTC)
SIGNING = frozenset({"digital_signature"})
AUTHORITY = frozenset({"key_cert_sign", "crl_sign"})
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def new_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve or ec.SECP256R1())


@dataclass(frozen=True)
class Wish:
    """What a certificate is to say. The defaults make a good leaf."""

    name: str = "leaf"
    uris: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    not_before: datetime = EARLY
    not_after: datetime = LATE
    ca: bool | None = False  # None: no basicConstraints at all
    path_length: int | None = None
    usage: frozenset[str] | None = SIGNING
    extended_usage: tuple[x509.ObjectIdentifier, ...] = ()
    more: tuple[tuple[x509.ExtensionType, bool], ...] = ()  # (extension, critical)
    hashed: Any = field(default_factory=SHA256)


@dataclass(frozen=True)
class Signer:
    """A private key with its certificates, leaf first, the root left out."""

    key: Any
    chain: tuple[bytes, ...]

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.chain[0])

    @property
    def x5c(self) -> list[str]:
        return [jws.base64(der) for der in self.chain]


@dataclass(frozen=True)
class Authority:
    """A root, or an authority below one."""

    key: Any
    certificate: x509.Certificate
    above: tuple[bytes, ...] = ()  # from this one up to, and without, the root

    @classmethod
    def root(cls, name: str = "Test root", **wishes: Any) -> Self:
        key = wishes.pop("key", None) or new_key()
        wish = Wish(name=name, **{"ca": True, "usage": AUTHORITY, **wishes})
        return cls(key, _build(wish, key.public_key(), _name(name), key))

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def authority(self, name: str = "Test authority", **wishes: Any) -> "Authority":
        """An authority below this one."""
        key = wishes.pop("key", None) or new_key()
        wish = Wish(name=name, **{"ca": True, "usage": AUTHORITY, **wishes})
        made = _build(wish, key.public_key(), self.certificate.subject, self.key)
        return Authority(key, made, (made.public_bytes(Encoding.DER), *self.above))

    def leaf(self, *uris: str, **wishes: Any) -> Signer:
        """A signer below this one, by default a good one that names these URIs."""
        key = wishes.pop("key", None) or new_key()
        wish = Wish(**{"uris": uris, **wishes})
        made = _build(wish, key.public_key(), self.certificate.subject, self.key)
        return Signer(key, (made.public_bytes(Encoding.DER), *self.above))


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "KR"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _build(wish: Wish, public_key: Any, issuer: x509.Name, signing_key: Any) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(wish.name))
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(secrets.randbits(120) + 1)
        .not_valid_before(wish.not_before)
        .not_valid_after(max(wish.not_after, wish.not_before + timedelta(seconds=1)))
    )
    for extension, critical in _extensions(wish, public_key):
        builder = builder.add_extension(extension, critical)
    return builder.sign(signing_key, wish.hashed)


def _extensions(wish: Wish, public_key: Any) -> list[tuple[x509.ExtensionType, bool]]:
    names = [x509.UniformResourceIdentifier(uri) for uri in wish.uris]
    names += [x509.DNSName(host) for host in wish.hosts]
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectKeyIdentifier.from_public_key(public_key), False)
    ]
    if wish.ca is not None:
        found.append((x509.BasicConstraints(ca=wish.ca, path_length=wish.path_length), True))
    if wish.usage is not None:
        usage = {name: name in wish.usage for name in _USAGES}
        found.append((x509.KeyUsage(**usage), True))
    if wish.extended_usage:
        found.append((x509.ExtendedKeyUsage(wish.extended_usage), False))
    if names:
        found.append((x509.SubjectAlternativeName(names), False))
    return [*found, *wish.more]
