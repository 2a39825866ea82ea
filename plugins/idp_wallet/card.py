"""One card in the wallet: a credential, the key it is bound to, and what is printed on it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from joserfc.jwk import ECKey

from idp_wallet.sd_jwt import SdJwt, digest, parse

FORMAT = "dc+sd-jwt"
# On the face of the card, in the order of the plastic card.
FACE = (
    "name",
    "agency",
    "department",
    "rank",
    "personnel_number",
    "date_of_issuance",
    "issuing_authority",
)


@dataclass(frozen=True)
class Card:
    """A credential with its key. `credential` was checked when it was received."""

    credential: str
    key: ECKey
    issuer: str
    received_at: datetime

    @cached_property
    def sd_jwt(self) -> SdJwt:
        return parse(self.credential)

    @property
    def vct(self) -> str:
        return str(self.sd_jwt.payload.get("vct", ""))

    @property
    def id(self) -> str:
        """Stable for issuer, type and number: a reissued card takes the place of the former one."""
        number = str(self.sd_jwt.claims().get("personnel_number", self.sd_jwt.jwt))
        return digest(f"{self.issuer}\n{self.vct}\n{number}".encode().hex())[:16]

    def is_expired(self, now: datetime) -> bool:
        expires = self.sd_jwt.payload.get("exp")
        return isinstance(expires, int | float) and now.timestamp() >= expires

    def face(self) -> dict[str, Any]:
        """What is printed on the card, without the portrait."""
        claims = self.sd_jwt.claims()
        return {name: claims[name] for name in FACE if name in claims}

    def summary(self) -> dict[str, Any]:
        """For `--json`: the face, and what a program may want to know of the card."""
        expires = self.sd_jwt.payload.get("exp")
        until = datetime.fromtimestamp(expires, UTC).isoformat() if expires else None
        return {
            "id": self.id,
            "issuer": self.issuer,
            "vct": self.vct,
            "received_at": self.received_at.isoformat(),
            "expires_at": until,
            "claims": self.face(),
        }
