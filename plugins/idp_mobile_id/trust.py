"""Whose signature counts: certificate chains from `x5c` to a root kept for exactly that issuer.

A chain is the leaf and what stands between it and the root, in order; the root itself must not be in it
and the leaf must not be self-signed (HAIP 1.0 §6.1.1). The leaf names the issuer as a URI, or its host
as a DNS name. What verified is kept by its own bytes, so the same issuer costs one look-up; times are
checked every time. Names in certificates are compared whole: no wildcards. (RFC 5280 §6.1)
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from idp.errors import ProofRejected
from idp.events import Reason
from idp_mobile_id import jose

MAX_CHAIN = 4
_KEPT = 64  # verified chains; only chains to our own roots get here
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
# A web server's certificate names the same host and may come from the same root.
_FOREIGN_USES = frozenset(
    {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ExtendedKeyUsageOID.CODE_SIGNING,
        ExtendedKeyUsageOID.TIME_STAMPING,
        ExtendedKeyUsageOID.OCSP_SIGNING,
    }
)
# What `cryptography` raises over a certificate that is not one.
_FAULTS = (
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class Signer:
    """The leaf of a verified chain."""

    key: ec.EllipticCurvePublicKey
    names: frozenset[str]  # URIs as they stand, DNS names as "dns:<name>" in lower case
    not_before: datetime  # of the whole chain
    not_after: datetime

    def speaks_for(self, uri: str) -> bool:
        """Whether the leaf names this URI, or its host."""
        return uri in self.names or f"dns:{urlsplit(uri).hostname}" in self.names


class Trust:
    """Roots by issuer. `anchors` gives the DER roots of an issuer, or None when it is not trusted."""

    def __init__(
        self,
        anchors: Callable[[str], tuple[bytes, ...] | None],
        refused: frozenset[str] = frozenset(),
    ) -> None:
        self._anchors = anchors
        self._refused = refused  # SHA-256 of certificates that no longer count, in hexadecimal
        self._verified: dict[tuple[str, ...], Signer] = {}

    def signer(self, issuer: str, x5c: Any, now: datetime) -> Signer:
        """The verified signer of something that `issuer` vouches for.

        ProofRejected: ISSUER_UNTRUSTED for an unknown issuer, ISSUER_CHAIN for everything else.
        """
        anchors = self._anchors(issuer)
        if not anchors:
            jose.reject(Reason.ISSUER_UNTRUSTED, "no root is kept for this issuer")
        ders = _read(x5c)
        known = (issuer, *(sha256(der).hexdigest() for der in (*ders, *anchors)))
        signer = self._verified.get(known)
        if signer is None:
            signer = self._verify(ders, anchors)
            if len(self._verified) >= _KEPT:
                self._verified.clear()
            self._verified[known] = signer
        if not signer.not_before <= now < signer.not_after:
            jose.reject(Reason.ISSUER_CHAIN, "a certificate is not valid now")
        return signer

    def _verify(self, ders: list[bytes], anchors: tuple[bytes, ...]) -> Signer:
        if self._refused.intersection(sha256(der).hexdigest() for der in ders):
            jose.reject(Reason.ISSUER_CHAIN, "a certificate on the list of refused ones")
        if set(ders) & set(anchors):
            jose.reject(Reason.ISSUER_CHAIN, "the root is in x5c")
        try:
            chain = [x509.load_der_x509_certificate(der) for der in ders]
            return _verify_path(chain, [certificate(anchor) for anchor in anchors])
        except _FAULTS as error:
            jose.reject(Reason.ISSUER_CHAIN, "a certificate is malformed", error)


@lru_cache(maxsize=64)
def certificate(der: bytes) -> x509.Certificate:
    """A root of our own configuration, parsed."""
    return x509.load_der_x509_certificate(der)


def key_identifier(root: x509.Certificate) -> bytes:
    """What certificates under this root name as their authority (RFC 5280 §4.2.1.2)."""
    try:
        found = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.SubjectKeyIdentifier.from_public_key(root.public_key()).digest
    return found.value.digest


def _read(x5c: Any) -> list[bytes]:
    """The certificates of a header (RFC 7515 §4.1.6)."""
    if not isinstance(x5c, list) or not 1 <= len(x5c) <= MAX_CHAIN:
        jose.reject(Reason.ISSUER_CHAIN, "no x5c of acceptable length")
    if not all(isinstance(text, str) for text in x5c):
        jose.reject(Reason.ISSUER_CHAIN, "x5c is not a list of texts")
    return [jose.decode_standard(text, Reason.ISSUER_CHAIN) for text in x5c]


def _verify_path(chain: list[x509.Certificate], anchors: list[x509.Certificate]) -> Signer:
    """RFC 5280 §6.1 for a chain that is given in order. Raises ProofRejected or one of _FAULTS."""
    leaf = chain[0]
    # 1. Each certificate is signed by the next, the last one by a root of ours.
    path = [*chain, _anchor_of(chain[-1], anchors)]
    for subject, issuer in pairwise(path):
        _check_issued_by(subject, issuer)
    # 2. What stands above the leaf may issue, and as deep as it does.
    for depth, authority in enumerate(path[1:]):
        _check_authority(authority, depth)
    # 3. Nothing in the chain asks for a rule that we do not know.
    for link in path:
        _check_extensions(link)
    # 4. The leaf signs, and signs this kind of thing.
    key = _check_leaf(leaf)
    return Signer(
        key=key,
        names=_names(leaf),
        not_before=max(link.not_valid_before_utc for link in path),
        not_after=min(link.not_valid_after_utc for link in path),
    )


def _anchor_of(last: x509.Certificate, anchors: list[x509.Certificate]) -> x509.Certificate:
    for anchor in anchors:
        if anchor.subject == last.issuer:
            try:
                last.verify_directly_issued_by(anchor)
            except InvalidSignature:
                continue  # another root of the same name (renewed key)
            return anchor
    raise ProofRejected("the chain ends at no root of this issuer", reason=Reason.ISSUER_CHAIN)


def _check_issued_by(subject: x509.Certificate, issuer: x509.Certificate) -> None:
    if subject.subject == subject.issuer:
        jose.reject(Reason.ISSUER_CHAIN, "a self-signed certificate in x5c")
    hashed = subject.signature_hash_algorithm
    if hashed is not None and not isinstance(hashed, SHA256 | SHA384 | SHA512):
        jose.reject(Reason.ISSUER_CHAIN, "a certificate signed over a weak hash")
    key = issuer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        jose.reject(Reason.ISSUER_CHAIN, "an issuer's key of an unknown kind")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        jose.reject(Reason.ISSUER_CHAIN, "an issuer's RSA key is too short")
    subject.verify_directly_issued_by(issuer)


def _check_authority(authority: x509.Certificate, below: int) -> None:
    """`below`: how many authorities stand between this one and the leaf."""
    extensions = authority.extensions
    constraints = _find(extensions, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        jose.reject(Reason.ISSUER_CHAIN, "an issuing certificate is no authority")
    if constraints.path_length is not None and below > constraints.path_length:
        jose.reject(Reason.ISSUER_CHAIN, "the chain is longer than its authority allows")
    usage = _find(extensions, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        jose.reject(Reason.ISSUER_CHAIN, "an issuing key may not sign certificates")


def _check_extensions(link: x509.Certificate) -> None:
    for extension in link.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            jose.reject(Reason.ISSUER_CHAIN, "a critical extension that is not understood")
        if extension.oid == ExtensionOID.NAME_CONSTRAINTS:
            jose.reject(Reason.ISSUER_CHAIN, "name constraints are not understood")


def _check_leaf(leaf: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        jose.reject(Reason.ISSUER_CHAIN, "the leaf's key is not on P-256")
    constraints = _find(leaf.extensions, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        jose.reject(Reason.ISSUER_CHAIN, "the leaf is an authority")
    usage = _find(leaf.extensions, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        jose.reject(Reason.ISSUER_CHAIN, "the leaf's key may not sign")
    uses = _find(leaf.extensions, x509.ExtendedKeyUsage)
    if uses is not None and not _FOREIGN_USES.isdisjoint(uses):
        jose.reject(Reason.ISSUER_CHAIN, "the leaf is for another use")
    return key


def _names(leaf: x509.Certificate) -> frozenset[str]:
    found = _find(leaf.extensions, x509.SubjectAlternativeName)
    if found is None:
        jose.reject(Reason.ISSUER_CHAIN, "the leaf has no alternative name")
    uris = found.get_values_for_type(x509.UniformResourceIdentifier)
    hosts = found.get_values_for_type(x509.DNSName)
    return frozenset({*uris, *(f"dns:{host.lower()}" for host in hosts)})


def _find(extensions: x509.Extensions, kind: type[Any]) -> Any:
    """The value of an extension, or None."""
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
