"""The chains that verifier and issuer sign with: our own root, and a leaf that names the issuer.

A wallet checks that the leaf names whom it talks to, by DNS name or by URI (VP §5.9.3, SD-JWT VC
§3.5). HAIP §5: the leaf is not self-signed and the root stays out of `x5c`. Pure but for the serial.
"""

from datetime import datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

ROOT_LIFETIME = timedelta(days=3652)
# A leaf signs for half its life; the other half is for what it has signed (a mobile ID lives a year).
LEAF_LIFETIME = timedelta(days=731)
RENEW_BEFORE = timedelta(days=366)
_SKEW = timedelta(minutes=5)  # the clock of a phone may be behind ours


def make_root(key: ec.EllipticCurvePrivateKey, name: str, now: datetime) -> bytes:
    """A self-signed root (DER) for `name`, e.g. "issuer"; it may sign leaves only."""
    builder = root_builder(
        _name(f"Gongmu {name} root"), key.public_key(), now - _SKEW, now + ROOT_LIFETIME
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def make_leaf(
    public_key: ec.EllipticCurvePublicKey,
    issuer_url: str,
    root: bytes,
    root_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    organization: str = "",
) -> bytes:
    """A leaf (DER) under the root, for the host and the URI of `issuer_url`; wallets show the organization."""
    authority = x509.load_der_x509_certificate(root)
    host = urlsplit(issuer_url).hostname or ""
    subject = _name(host[:64], organization[:64])
    names = [host_name(host), x509.UniformResourceIdentifier(issuer_url)]
    certificate = (
        leaf_builder(subject, public_key, authority, now - _SKEW, now + LEAF_LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.DER)


def is_due(leaf: bytes, issuer_url: str, now: datetime) -> bool:
    """Whether this leaf is to be replaced: nearly over, or for another issuer address."""
    certificate = x509.load_der_x509_certificate(leaf)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    ends = certificate.not_valid_after_utc
    return now >= ends - RENEW_BEFORE or issuer_url not in names.get_values_for_type(
        x509.UniformResourceIdentifier
    )


def outlived_by_leaf(root: bytes, now: datetime) -> bool:
    """Whether a leaf made now would outlive this root."""
    return x509.load_der_x509_certificate(root).not_valid_after_utc < now + LEAF_LIFETIME


def to_pem(der: bytes) -> str:
    """The same certificate as PEM text."""
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


def root_builder(
    subject: x509.Name, public_key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    """A root, to be signed by its own key; it may sign leaves only."""
    return (
        _builder(subject, subject, public_key, start, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )


def leaf_builder(
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    root: x509.Certificate,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    """A leaf under that root, still without the names it is for."""
    key_id = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)
    return (
        _builder(subject, root.subject, public_key, start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(authority, critical=False)
    )


def host_name(host: str) -> x509.GeneralName:
    """A host as a certificate names it; an IPv6 address with or without its brackets."""
    try:
        return x509.IPAddress(ip_address(host.strip("[]")))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _name(common_name: str, organization: str = "") -> x509.Name:
    parts = {
        NameOID.COUNTRY_NAME: "KR",
        NameOID.ORGANIZATION_NAME: organization,
        NameOID.COMMON_NAME: common_name,
    }
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts.items() if text])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
