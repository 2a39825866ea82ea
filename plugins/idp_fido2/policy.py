"""What the configuration decides about registrations and sign-ins, ready for use."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

CounterRule = Literal["suspend", "refuse"]


@dataclass(frozen=True, slots=True)
class Policy:
    """The same for all registrations and sign-ins."""

    rp_id: str
    rp_name: str
    origins: tuple[str, ...]  # exactly these
    algorithms: tuple[int, ...]  # COSE's numbers, best first
    conveyance: str  # of attestation: "none", "direct", "enterprise"
    counter: CounterRule

    @property
    def rp_id_hash(self) -> bytes:
        """What authenticators know the domain by."""
        return sha256(self.rp_id.encode()).digest()
