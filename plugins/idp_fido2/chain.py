"""Certificate chains: from what came along to a root that we keep (RFC 5280 §6.1).

`cryptography` verifies the path: signatures of today's algorithms, times, issuing rights, depth, critical
extensions. Attestation certificates are none of a web server's, so names and uses are not asked for here.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

_MAX_DEPTH = 5  # authorities between leaf and root


def _may_sign(_policy: Policy, _issuer: x509.Certificate, found: x509.KeyUsage | None) -> None:
    if found is not None and not found.key_cert_sign:
        raise ValueError("an issuing key may not sign certificates")


# Roots of authenticators' makers are older than the rules of the web: few of their extensions are required.
_AUTHORITY = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign)
)


def verify(path: Sequence[bytes], roots: Sequence[bytes], now: datetime) -> None:
    """Does nothing when `path` (DER, leaf first) leads to one of `roots`. ValueError, LookupError."""
    chain = [x509.load_der_x509_certificate(der) for der in path]
    verifier = (
        PolicyBuilder()
        .store(Store([x509.load_der_x509_certificate(der) for der in roots]))
        .time(now.replace(tzinfo=None))
        .max_chain_depth(_MAX_DEPTH)
        .extension_policies(ca_policy=_AUTHORITY, ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )
    try:
        verifier.verify(chain[0], chain[1:])
    except VerificationError as error:
        raise ValueError(f"no path to a root: {error}") from error


def read_pem(path: Path) -> tuple[bytes, ...]:
    """The certificates of a PEM file as DER. ValueError."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ValueError("holds no certificates in PEM") from error
    return tuple(one.public_bytes(Encoding.DER) for one in found)


def read_folder(folder: Path) -> tuple[bytes, ...]:
    """The certificates of every *.pem file of a folder. ValueError."""
    files = sorted(folder.glob("*.pem"))
    if not files:
        raise ValueError("holds no *.pem files")
    return tuple(der for file in files for der in read_pem(file))
