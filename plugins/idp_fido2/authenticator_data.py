"""What the authenticator says: its data and flags (WebAuthn L3 §6.1, §6.5.1).

The rules about flags are the same at registration and sign-in (§7.1 steps 14-17, §7.2 steps 15-18).
Extension outputs must be well formed, for they are signed over; what they say is ignored (A-197).
"""

import hmac
from dataclasses import dataclass
from uuid import UUID

from idp.events import Reason
from idp_fido2 import strict

_UP, _UV, _BE, _BS, _AT, _ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
MIN_CREDENTIAL_ID, MAX_CREDENTIAL_ID = 16, 1023  # bytes (§4, §7.1 step 25)


@dataclass(frozen=True, slots=True)
class AttestedCredential:
    """A new credential: attested credential data."""

    aaguid: str  # the model as it claims to be, e.g. "cb69481e-8ff7-4039-93ec-0a2729a154a8"
    credential_id: bytes
    public_key: bytes  # COSE_Key as it was sent


@dataclass(frozen=True, slots=True)
class AuthenticatorData:
    """Authenticator data taken apart."""

    raw: bytes
    rp_id_hash: bytes
    flags: int
    counter: int
    credential: AttestedCredential | None

    @property
    def backup_eligible(self) -> bool:
        """Whether copies of the key may exist."""
        return bool(self.flags & _BE)

    @property
    def backed_up(self) -> bool:
        """Whether copies of the key exist."""
        return bool(self.flags & _BS)


def parse(raw: bytes) -> AuthenticatorData:
    """Authenticator data as bytes (§6.1). ProofRejected."""
    if len(raw) < 37:
        strict.malformed("authenticator data is too short")
    flags, rest = raw[32], raw[37:]
    credential = None
    if flags & _AT:
        credential, rest = _credential(rest)
    if flags & _ED:
        _, rest = strict.load_cbor_map(rest)
    if rest:
        strict.malformed("authenticator data goes on after its end")
    return AuthenticatorData(
        raw=raw,
        rp_id_hash=raw[:32],
        flags=flags,
        counter=int.from_bytes(raw[33:37], "big"),
        credential=credential,
    )


def _credential(data: bytes) -> tuple[AttestedCredential, bytes]:
    """Attested credential data and what follows it (§6.5.1)."""
    length = int.from_bytes(data[16:18], "big")
    key_at = 18 + length
    if not MIN_CREDENTIAL_ID <= length <= MAX_CREDENTIAL_ID:
        strict.malformed("a credential id of a length that is not allowed")
    _, rest = strict.load_cbor_map(data[key_at:])  # nothing is there when it was cut short before
    credential = AttestedCredential(
        aaguid=str(UUID(bytes=data[:16])),
        credential_id=data[18:key_at],
        public_key=data[key_at : len(data) - len(rest)],
    )
    return credential, rest


def check(data: AuthenticatorData, rp_id_hash: bytes) -> None:
    """Does nothing when this was made for us, by a person who was verified. ProofRejected."""
    # 1. It was made for our domain.
    if not hmac.compare_digest(data.rp_id_hash, rp_id_hash):
        strict.reject(Reason.PASSKEY_ORIGIN, "rpIdHash is of another domain")
    # 2. Someone was there, and 3. was verified by PIN or body. Always required.
    if not data.flags & _UP:
        strict.reject(Reason.PASSKEY_UNVERIFIED, "the user was not present")
    if not data.flags & _UV:
        strict.reject(Reason.PASSKEY_UNVERIFIED, "the user was not verified")
    # 4. What cannot be backed up is not backed up.
    if data.backed_up and not data.backup_eligible:
        strict.reject(Reason.PASSKEY_BACKUP, "backed up without being eligible")
