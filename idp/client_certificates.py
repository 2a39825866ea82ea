"""A client's certificate as a proxy in front passes it on (RFC 8705, RFC 9440). Pure.

Two spellings: the PEM form, percent-encoded (nginx's `$ssl_client_escaped_cert`), and RFC 9440's
`:<base64 of DER>:`. Whether to believe it at all is decided by `sender.py`.
"""

import hashlib
from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from idp import jws

MAX_CHARACTERS = 16 * 1024
_PEM = b"-----BEGIN CERTIFICATE-----"
_SPOILT = (x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What we ask of a certificate."""

    der: bytes
    thumbprint: str  # SHA-256 of the DER form, base64url: `x5t#S256`
    subject: x509.Name
    dns_names: frozenset[str]  # of its subjectAltName
    begins_at: datetime
    ends_at: datetime


@lru_cache(maxsize=256)
def read(text: str) -> Certificate:
    """The one certificate in this text. NotGenuine when there is none, or more."""
    if len(text) > MAX_CHARACTERS:
        raise jws.NotGenuine("too long for a certificate")
    try:
        parsed = _parsed(text)
        names = _dns_names(parsed)
        der = parsed.public_bytes(Encoding.DER)
        subject = parsed.subject  # read when it is asked for, and only then found to be spoilt
    except (TypeError, ValueError, *_SPOILT) as error:  # TypeError: a name of another ASN.1 type
        raise jws.NotGenuine("not a certificate") from error
    return Certificate(
        der=der,
        thumbprint=jws.encode(hashlib.sha256(der).digest()),
        subject=subject,
        dns_names=names,
        begins_at=parsed.not_valid_before_utc,
        ends_at=parsed.not_valid_after_utc,
    )


def subject_of(text: str) -> x509.Name:
    """A subject as it is registered (RFC 4514). NotGenuine when it is none."""
    try:
        return x509.Name.from_rfc4514_string(text)
    except ValueError as error:
        raise jws.NotGenuine("not a distinguished name") from error


def _parsed(text: str) -> x509.Certificate:
    if len(text) > 2 and text[0] == text[-1] == ":":
        return x509.load_der_x509_certificate(b64decode(text[1:-1], validate=True))
    pem = unquote_to_bytes(text).strip()
    if not pem.startswith(_PEM) or pem.count(_PEM) != 1:
        raise ValueError("one PEM block is expected")
    return x509.load_pem_x509_certificate(pem)


def _dns_names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(names.get_values_for_type(x509.DNSName))
