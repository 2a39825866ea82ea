"""An authenticator, and the browser it is plugged into, in software: it really signs.

Answers are what `PublicKeyCredential.toJSON()` gives. Every step takes overrides, so that a test can spoil
one thing of a good answer; the signature is made last, over what was spoilt, unless `signature` says
otherwise. It signs directly (no CTAP), so it makes thousands of answers a second.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fido2 import cbor

from tests.fakes import jws

ES256, EDDSA, ES384, RS256, RS1 = -7, -8, -35, -257, -65535
UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
# (statement, format) for authenticator data and the hash of clientDataJSON
Attest = Callable[["Credential", bytes, bytes], tuple[str, Mapping[str, Any]]]


def no_attestation(
    _credential: "Credential", _data: bytes, _hash: bytes
) -> tuple[str, Mapping[str, Any]]:
    return "none", {}


@dataclass
class Credential:
    """A discoverable credential on the key."""

    id: bytes
    key: Any
    algorithm: int
    user_handle: bytes
    rp_id: str
    counter: int = 0
    aaguid: bytes = bytes(16)

    def cose(self) -> dict[int, Any]:
        return cose_of(self.key.public_key(), self.algorithm)

    def sign(self, data: bytes) -> bytes:
        return sign(self.key, self.algorithm, data)


@dataclass
class SecurityKey:
    """What a person touches. `counts` by how much the counter rises; 0 makes it stay 0."""

    origin: str
    flags: int = UP | UV
    counts: int = 1
    algorithms: tuple[int, ...] = (ES256,)
    attachment: str = "cross-platform"
    transports: tuple[str, ...] = ("usb",)
    aaguid: bytes = bytes(16)
    attest: Attest = no_attestation
    credentials: list[Credential] = field(default_factory=list)

    def clone(self) -> "SecurityKey":
        """A copy with the same keys and counters, as a thief would make one."""
        return replace(self, credentials=[replace(one) for one in self.credentials])

    # --- registration ---------------------------------------------------------------------------

    def create(self, options: Mapping[str, Any], **spoilt: Any) -> dict[str, Any]:
        """RegistrationResponseJSON. Spoilt: see `_client_data`, `_data`; `credential`, `members`."""
        offered = [one["alg"] for one in options["pubKeyCredParams"]]
        algorithm = next(one for one in (*self.algorithms, *offered) if one in offered)
        credential = spoilt.pop("credential", None) or self.new_credential(
            algorithm, jws.decode(options["user"]["id"]), options["rp"]["id"]
        )
        credential.counter += self.counts
        self.credentials.append(credential)
        members = spoilt.pop("members", {})
        statement = spoilt.pop("statement", {})
        attested = spoilt.pop("attested", None) or attested_data(
            credential.aaguid, credential.id, credential.cose()
        )
        client_data = _client_data("webauthn.create", options["challenge"], self.origin, spoilt)
        data = _data(credential, self.flags | AT, attested, spoilt)
        hashed = sha256(client_data).digest()
        format_, good = (spoilt.pop("attest", None) or self.attest)(credential, data, hashed)
        attestation = {
            "fmt": format_,
            "attStmt": jws.spoil(dict(good), statement),
            "authData": data,
        }
        raw = spoilt.pop("attestation_object", None)
        assert not spoilt, spoilt
        return self._answer(
            credential,
            {
                "clientDataJSON": jws.encode(client_data),
                "attestationObject": jws.encode(raw or cbor.encode(attestation)),
                "transports": list(self.transports),
            },
            members,
        )

    def new_credential(self, algorithm: int, user_handle: bytes, rp_id: str) -> Credential:
        return Credential(
            id=secrets.token_bytes(32),
            key=new_key(algorithm),
            algorithm=algorithm,
            user_handle=user_handle,
            rp_id=rp_id,
            aaguid=self.aaguid,
        )

    # --- sign-in --------------------------------------------------------------------------------

    def get(
        self, options: Mapping[str, Any], credential: Credential | None = None, **spoilt: Any
    ) -> dict[str, Any]:
        """AuthenticationResponseJSON, by the credential that was made last."""
        credential = credential or self.credentials[-1]
        credential.counter += self.counts
        members = spoilt.pop("members", {})
        response = spoilt.pop("response", {})
        signature = spoilt.pop("signature", None)
        client_data = _client_data("webauthn.get", options["challenge"], self.origin, spoilt)
        data = _data(credential, self.flags, b"", spoilt)
        assert not spoilt, spoilt
        signed = data + sha256(client_data).digest()
        good = {
            "clientDataJSON": jws.encode(client_data),
            "authenticatorData": jws.encode(data),
            "signature": jws.encode(signature or credential.sign(signed)),
            "userHandle": jws.encode(credential.user_handle),
        }
        return self._answer(credential, jws.spoil(good, response), members)

    def _answer(
        self, credential: Credential, response: Mapping[str, Any], members: Mapping[str, Any]
    ) -> dict[str, Any]:
        good = {
            "id": jws.encode(credential.id),
            "rawId": jws.encode(credential.id),
            "response": dict(response),
            "authenticatorAttachment": self.attachment,
            "clientExtensionResults": {},
            "type": "public-key",
        }
        return jws.spoil(good, members)


def form(credential: Mapping[str, Any]) -> dict[str, str]:
    """The form field that a page posts."""
    return {"credential": json.dumps(credential)}


def _client_data(type_: str, challenge: str, origin: str, spoilt: dict[str, Any]) -> bytes:
    """`client_data`: other members, or the whole as bytes."""
    override = spoilt.pop("client_data", {})
    if isinstance(override, bytes):
        return override
    good = {"type": type_, "challenge": challenge, "origin": origin, "crossOrigin": False}
    return jws.dump(jws.spoil(good, override))


def _data(credential: Credential, flags: int, attested: bytes, spoilt: dict[str, Any]) -> bytes:
    """`flags`, `counter`, `rp_id`, `extensions` (bytes), `data`: the whole."""
    flags = spoilt.pop("flags", flags)
    counter = spoilt.pop("counter", credential.counter)
    rp_id = spoilt.pop("rp_id", credential.rp_id)
    extensions = spoilt.pop("extensions", b"")
    made = sha256(rp_id.encode()).digest() + bytes([flags | (ED if extensions else 0)])
    made += counter.to_bytes(4, "big") + attested + extensions
    return bytes(spoilt.pop("data", None) or made)


def attested_data(aaguid: bytes, credential_id: bytes, cose: Mapping[int, Any] | bytes) -> bytes:
    key = cose if isinstance(cose, bytes) else cbor.encode(cose)
    return aaguid + len(credential_id).to_bytes(2, "big") + credential_id + key


def new_key(algorithm: int) -> Any:
    if algorithm == ES256:
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == ES384:
        return ec.generate_private_key(ec.SECP384R1())
    if algorithm == EDDSA:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 2048)


def cose_of(public_key: Any, algorithm: int) -> dict[int, Any]:
    """A public key as COSE_Key."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        numbers, size = public_key.public_numbers(), public_key.key_size // 8
        x, y = (number.to_bytes(size, "big") for number in (numbers.x, numbers.y))
        return {1: 2, 3: algorithm, -1: 1 if size == 32 else 2, -2: x, -3: y}
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return {
            1: 1,
            3: algorithm,
            -1: 6,
            -2: public_key.public_bytes(Encoding.Raw, PublicFormat.Raw),
        }
    n = public_key.public_numbers().n
    return {
        1: 3,
        3: algorithm,
        -1: n.to_bytes((n.bit_length() + 7) // 8, "big"),
        -2: b"\x01\x00\x01",
    }


def sign(key: Any, algorithm: int, data: bytes) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(SHA384() if algorithm == ES384 else SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    return bytes(key.sign(data, padding.PKCS1v15(), SHA256()))
