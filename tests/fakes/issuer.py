"""An issuing body with its own root: issues SD-JWT VCs and status lists, right or spoilt.

Overrides go over the good members; `jws.DROP` takes a member away, bytes replace the whole part.
"""

import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from idp.contracts import MOBILE_ID_VCT, NUMBER_CLAIM
from tests.fakes import jws
from tests.fakes.certificates import Authority, Signer

Overrides = Mapping[str, Any] | bytes | None
PERSON = {
    "name": "홍길동",
    "agency": "행정안전부",
    "department": "디지털정부국",
    "rank": "사무관",
    NUMBER_CLAIM: "20180001",
    "date_of_issuance": "2026-11-24",
    "issuing_authority": "행정안전부",
}


@dataclass(frozen=True)
class IssuedCredential:
    """What a wallet holds: the issuer's JWT and the disclosures by claim name."""

    token: str
    disclosures: Mapping[str, str]

    @property
    def text(self) -> str:
        """As it is issued: every disclosure, no key binding."""
        return "~".join([self.token, *self.disclosures.values(), ""])

    @classmethod
    def of(cls, text: str) -> "IssuedCredential":
        """A credential as an issuer's credential endpoint gave it."""
        token, *disclosures, last = text.split("~")
        assert last == ""
        named = {jws.json.loads(jws.decode(text))[1]: text for text in disclosures}
        return cls(token, named)


def disclosure(*parts: Any) -> str:
    """[salt, name, value] or [salt, value], or bytes as they are."""
    raw = len(parts) == 1 and isinstance(parts[0], bytes)
    return jws.encode(jws.dump(parts[0] if raw else list(parts)))


def salt() -> str:
    return secrets.token_urlsafe(16)


@dataclass(frozen=True)
class FakeIssuer:
    """An issuer, its root and its signer."""

    issuer: str = "https://issuer.example"
    root: Authority = field(default_factory=Authority.root)
    signer: Signer = field(default=None)  # type: ignore[assignment]
    list_uri: str = "https://issuer.example/lists/7"

    def __post_init__(self) -> None:
        if self.signer is None:
            object.__setattr__(self, "signer", self.root.leaf(self.issuer))

    def with_signer(self, signer: Signer) -> "FakeIssuer":
        return replace(self, signer=signer)

    def issue(
        self,
        holder: Any,
        now: datetime,
        person: Mapping[str, Any] = PERSON,
        *,
        header: Overrides = None,
        claims: Overrides = None,
        key: Any = ...,
    ) -> IssuedCredential:
        """A credential for the holder's key, all of `person` selectively disclosable."""
        made = {name: disclosure(salt(), name, value) for name, value in person.items()}
        good_header = {"alg": "ES256", "typ": "dc+sd-jwt", "x5c": self.signer.x5c}
        good_claims = {
            "iss": self.issuer,
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int((now + timedelta(days=365)).timestamp()),
            "vct": MOBILE_ID_VCT,
            "cnf": {"jwk": jws.public_jwk(holder)},
            "status": {"status_list": {"idx": 5, "uri": self.list_uri}},
            "_sd_alg": "sha-256",
            "_sd": sorted(jws.digest(text) for text in made.values()),
        }
        token = jws.sign(
            jws.spoil(good_header, header),
            jws.spoil(good_claims, claims),
            self.signer.key if key is ... else key,
        )
        return IssuedCredential(token, made)

    def status_list(
        self,
        now: datetime,
        values: Mapping[int, int] | None = None,
        *,
        bits: int = 2,
        length: int = 64,
        header: Overrides = None,
        claims: Overrides = None,
        key: Any = ...,
        signer: Signer | None = None,
    ) -> bytes:
        """A status list token in which every index is valid but the given ones."""
        signer = signer or self.signer
        seconds = int(now.timestamp())
        good = {
            "sub": self.list_uri,
            "iat": seconds,
            "exp": seconds + 3600,
            "ttl": 60,
            "status_list": {"bits": bits, "lst": pack(values or {}, bits, length)},
        }
        good_header = {"alg": "ES256", "typ": "statuslist+jwt", "x5c": signer.x5c}
        token = jws.sign(
            jws.spoil(good_header, header),
            jws.spoil(good, claims),
            signer.key if key is ... else key,
        )
        return token.encode()


def pack(values: Mapping[int, int], bits: int, length: int) -> str:
    """`lst`: packed from the lowest bit, deflated (Token Status List §4.1, §4.2)."""
    entries = bytearray(length * bits // 8)
    for index, value in values.items():
        entries[index * bits // 8] |= value << (index * bits % 8)
    return jws.encode(zlib.compress(bytes(entries), 9))
