"""The "android-key" attestation format, which the library has no verifier for (WebAuthn L3 §8.4).

The certificate's key is the credential's own; an extension, which only the phone's secure hardware can
have signed, says how the key was made. Read with a reader of DER that knows just what is needed.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cryptography import x509
from fido2.attestation.base import Attestation, AttestationResult, AttestationType, InvalidData
from fido2.cose import CoseKey
from fido2.webauthn import AuthenticatorData

_KEY_DESCRIPTION = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
_SEQUENCE, _INTEGER, _ENUMERATED, _OCTETS, _SET = 0x30, 0x02, 0x0A, 0x04, 0x31
_PURPOSE, _ALL_APPLICATIONS, _ORIGIN = 0xA1, 0xBF8458, 0xBF853E  # [1], [600], [702] EXPLICIT
_SOFTWARE = 0  # attestationSecurityLevel; 1 is the trusted environment, 2 StrongBox
_SIGN_ONLY = b"\x02\x01\x02"  # KM_PURPOSE_SIGN
_GENERATED = b"\x02\x01\x00"  # KM_ORIGIN_GENERATED


class AndroidKeyAttestation(Attestation):
    """Verifies the statement; the chain is verified by the caller. Any of attestation.FAULTS."""

    FORMAT = "android-key"

    def verify(
        self, statement: Mapping[str, Any], auth_data: AuthenticatorData, client_data_hash: bytes
    ) -> AttestationResult:
        """§8.4, verification procedure."""
        leaf = x509.load_der_x509_certificate(statement["x5c"][0])
        credential = auth_data.credential_data
        if credential is None:
            raise InvalidData("no credential")
        # 1. Signed by the certificate's key ...
        signer = CoseKey.for_alg(statement["alg"]).from_cryptography_key(leaf.public_key())
        signer.verify(auth_data + client_data_hash, statement["sig"])
        # 2. ... which is the credential's own.
        if credential.public_key.from_cryptography_key(leaf.public_key()) != credential.public_key:
            raise InvalidData("the certificate is of another key")
        # 3. Made for this registration, 4. within the hardware, only to sign, for one application.
        extension = leaf.extensions.get_extension_for_oid(_KEY_DESCRIPTION).value
        _check_description(extension.public_bytes(), client_data_hash)
        return AttestationResult(AttestationType.BASIC, statement["x5c"])


def _check_description(der: bytes, client_data_hash: bytes) -> None:
    [(tag, content)] = _elements(der)
    fields = list(_elements(content))
    if tag != _SEQUENCE or [kind for kind, _ in fields] != [
        _INTEGER, _ENUMERATED, _INTEGER, _ENUMERATED, _OCTETS, _OCTETS, _SEQUENCE, _SEQUENCE,
    ]:  # fmt: skip
        raise InvalidData("no KeyDescription")
    level, challenge = fields[1][1], fields[4][1]
    software, hardware = dict(_elements(fields[6][1])), dict(_elements(fields[7][1]))
    if challenge != client_data_hash:
        raise InvalidData("attested for another registration")
    if int.from_bytes(level, "big") == _SOFTWARE:
        raise InvalidData("attested by software")
    if _ALL_APPLICATIONS in software or _ALL_APPLICATIONS in hardware:
        raise InvalidData("every application may use the key")
    if hardware.get(_ORIGIN) != _GENERATED:
        raise InvalidData("the key was not made in the hardware")
    if dict(_elements(hardware.get(_PURPOSE, b""))) != {_SET: _SIGN_ONLY}:
        raise InvalidData("the key may do other things than sign")


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element; a tag is the number that its bytes make (X.690 §8.1). IndexError."""
    at = 0
    while at < len(der):
        tag, at = der[at], at + 1
        if tag & 0x1F == 0x1F:
            more = 0x80
            while more & 0x80:
                more, at = der[at], at + 1
                tag = tag << 8 | more
        length, at = der[at], at + 1
        if length > 0x80:
            size, at = length & 0x7F, at + (length & 0x7F)
            length = int.from_bytes(der[at - size : at], "big")
        if at + length > len(der):
            raise IndexError("an element is cut short")
        yield tag, der[at : at + length]
        at += length
