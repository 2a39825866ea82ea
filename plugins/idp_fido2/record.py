"""What is kept of a passkey: the credential record of WebAuthn L3 §4, as the core's register holds it."""

from dataclasses import asdict, dataclass

from idp.contracts import JsonObject
from idp_fido2 import strict


@dataclass(frozen=True, slots=True)
class Record:
    """`Passkey.data`: ours, hence trusted. Pages show `model` and `synced`."""

    public_key: bytes  # COSE_Key
    counter: int
    backup_eligible: bool  # copies of the key may exist; never changes
    synced: bool  # copies exist, as of the last use
    hardware_bound: bool  # vouched for: the key cannot leave its hardware
    aaguid: str  # model, as the authenticator claims
    model: str  # its name in the metadata, "" when not known
    attestation: str  # format of the statement that was verified to a root, or ""
    transports: tuple[str, ...]
    last: str  # the challenge that it answered last

    def to_json(self) -> JsonObject:
        key, transports = strict.encode(self.public_key), list(self.transports)
        return {**asdict(self), "public_key": key, "transports": transports}

    @classmethod
    def from_json(cls, value: JsonObject) -> "Record":
        key, transports = strict.decode(value["public_key"]), tuple(value["transports"])
        return cls(**{**value, "public_key": key, "transports": transports})
