"""A certificate chain in a JOSE header, checked up to roots that the wallet was given."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509 import verification as v

from idp_wallet.encoding import decode_der

MAX_CHAIN = 4
Anchors = tuple[x509.Certificate, ...]


def read_anchors(*files: Path) -> Anchors:
    """The certificates of PEM files. ValueError, OSError."""
    return tuple(
        certificate
        for file in files
        for certificate in x509.load_pem_x509_certificates(file.read_bytes())
    )


def leaf_of(header: dict[str, Any], anchors: Anchors, now: datetime) -> x509.Certificate:
    """The leaf of a header's x5c, if it leads to one of the anchors (HAIP 1.0 §5). ValueError."""
    chain = parse_chain(header)
    if not anchors:
        raise ValueError("no roots are known")
    for certificate in chain:
        # HAIP: the anchor is left out, so a chain cannot bring its own.
        if certificate in anchors or certificate.subject == certificate.issuer:
            raise ValueError("a root stands in x5c")
    verifier = (
        v.PolicyBuilder()
        .store(v.Store(list(anchors)))
        .time(now)
        .max_chain_depth(MAX_CHAIN - 1)
        .extension_policies(ca_policy=_ca_policy(), ee_policy=_leaf_policy())
        .build_client_verifier()
    )
    try:
        verifier.verify(chain[0], list(chain[1:]))
    except v.VerificationError as error:
        raise ValueError("chain") from error
    return chain[0]


def parse_chain(header: dict[str, Any]) -> Sequence[x509.Certificate]:
    """The certificates of x5c, leaf first, nothing checked yet. ValueError."""
    members = header.get("x5c")
    if not isinstance(members, list) or not 1 <= len(members) <= MAX_CHAIN:
        raise ValueError("no x5c")
    return [x509.load_der_x509_certificate(decode_der(str(member))) for member in members]


def dns_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The DNS names of a certificate."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(names.value.get_values_for_type(x509.DNSName))


def speaks_for(certificate: x509.Certificate, uri: str) -> bool:
    """Whether a leaf names this address, or its host (SD-JWT VC §3.5). ValueError for no address."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    host = urlsplit(uri).hostname or ""
    hosts = (
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    )
    return bool(host) and (
        uri in names.get_values_for_type(x509.UniformResourceIdentifier) or host in hosts
    )


def owner(certificate: x509.Certificate) -> str:
    """Whom a certificate speaks of: organisation, else common name, else its first DNS name."""
    for oid in (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME):
        found = certificate.subject.get_attributes_for_oid(oid)
        if found:
            return str(found[0].value)
    return next(iter(dns_names(certificate)), "")


def key_identifiers(chain: Sequence[x509.Certificate]) -> frozenset[bytes]:
    """The authority key identifiers of a chain (DCQL `trusted_authorities`, type aki)."""
    found = set()
    for certificate in chain:
        try:
            extension = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
        except x509.ExtensionNotFound:
            continue
        if extension.value.key_identifier:
            found.add(extension.value.key_identifier)
    return frozenset(found)


def _ca_policy() -> v.ExtensionPolicy:
    return (
        v.ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, v.Criticality.AGNOSTIC, _is_ca)
        .may_be_present(x509.KeyUsage, v.Criticality.AGNOSTIC, _signs_certificates)
    )


def _leaf_policy() -> v.ExtensionPolicy:
    return (
        v.ExtensionPolicy.permit_all()
        .may_be_present(x509.BasicConstraints, v.Criticality.AGNOSTIC, _is_no_ca)
        .may_be_present(x509.KeyUsage, v.Criticality.AGNOSTIC, _signs)
    )


def _is_ca(_policy: v.Policy, _of: x509.Certificate, value: x509.BasicConstraints) -> None:
    if not value.ca:
        raise ValueError("not a certificate authority")


def _is_no_ca(
    _policy: v.Policy, _of: x509.Certificate, value: x509.BasicConstraints | None
) -> None:
    if value is not None and value.ca:
        raise ValueError("an authority's certificate does not sign requests")


def _signs_certificates(
    _policy: v.Policy, _of: x509.Certificate, value: x509.KeyUsage | None
) -> None:
    if value is not None and not value.key_cert_sign:
        raise ValueError("may not sign certificates")


def _signs(_policy: v.Policy, _of: x509.Certificate, value: x509.KeyUsage | None) -> None:
    if value is not None and not value.digital_signature:
        raise ValueError("may not sign")
