"""`gongmu demo --https`: a small certificate authority of its own, for this machine's names only."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from idp.keys.certificates import host_name, leaf_builder, root_builder

_LIFETIME = timedelta(days=365)
_SKEW = timedelta(hours=1)
_RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Tls:
    """What the servers and their clients read."""

    ca_file: Path
    certificate_file: Path
    key_file: Path


def ensure(folder: Path, host: str) -> Tls:
    """The authority and a certificate for `host` in `folder`; kept while they are good.

    A person may have told a phone to trust the authority, so it is made once; its key stays in
    the folder, readable by its owner alone.
    """
    tls = Tls(folder / "ca.pem", folder / "server.pem", folder / "server-key.pem")
    ca_key_file = folder / "ca-key.pem"
    now = datetime.now(UTC)
    if not (tls.ca_file.exists() and ca_key_file.exists() and _is_good(tls.ca_file, now)):
        ca_key = ec.generate_private_key(ec.SECP256R1())
        _write(ca_key_file, _private_pem(ca_key), 0o600)
        _write(tls.ca_file, _authority(ca_key, now), 0o644)
        tls.certificate_file.unlink(missing_ok=True)
    if not (tls.certificate_file.exists() and _is_good(tls.certificate_file, now, host)):
        ca = x509.load_pem_x509_certificate(tls.ca_file.read_bytes())
        ca_key = _read_key(ca_key_file)
        key = ec.generate_private_key(ec.SECP256R1())
        _write(tls.key_file, _private_pem(key), 0o600)
        _write(tls.certificate_file, _leaf(key, host, ca, ca_key, now), 0o644)
    return tls


def _is_good(file: Path, now: datetime, host: str = "") -> bool:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    if certificate.not_valid_after_utc < now + _RENEW_BEFORE:
        return False
    if not host:
        return True
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return host_name(host) in list(names)


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> bytes:
    subject = _subject("Gongmu demo authority")
    builder = root_builder(subject, key.public_key(), now - _SKEW, now + _LIFETIME)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _leaf(
    key: ec.EllipticCurvePrivateKey,
    host: str,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> bytes:
    names = dict.fromkeys(map(host_name, (host, "localhost", "127.0.0.1", "::1")))
    certificate = (
        leaf_builder(_subject(host[:64]), key.public_key(), ca, now - _SKEW, now + _LIFETIME)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _read_key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{file} holds another kind of key")
    return key


def _write(file: Path, content: bytes, mode: int) -> None:
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
