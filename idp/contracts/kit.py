"""What the core gives to whatever it opens, and what it gets back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar, runtime_checkable

from idp.contracts.mobile_ids import MobileIds, Status
from idp.contracts.passkeys import Passkeys
from idp.contracts.values import JsonObject
from idp.events import Event

T_co = TypeVar("T_co", covariant=True)


class Use(StrEnum):
    """What a signing key is for."""

    OIDC = "oidc"
    VERIFIER = "verifier"
    ISSUER = "issuer"


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer of Short.take: `first` is true for exactly one caller."""

    value: str
    first: bool


class Short(Protocol):
    """Short-lived values (Redis), always with a time to live. OutsideError when it is away.

    Keys given by a site are namespaced by the core. Values are text (JSON by habit). What was
    written on another Redis primary reads as absent (design section 3).
    """

    def put(self, key: str, value: str, ttl_s: int) -> None: ...

    def put_new(self, key: str, value: str, ttl_s: int) -> bool:
        """Writes only when absent; true for exactly one caller (replay stores)."""
        ...

    def get(self, key: str) -> str | None: ...

    def take(self, key: str, remember_s: int = 0) -> Taken | None:
        """Atomically use once. With `remember_s`, later callers get the value with first=False."""
        ...

    def replace(self, key: str, old: str, new: str) -> bool:
        """Compare and set, keeping the time to live; false when `old` is not what stands there."""
        ...

    def count(self, key: str, window_s: int) -> int:
        """Counts this call; the number of calls in the window that began with the first."""
        ...


@dataclass(frozen=True, slots=True)
class Kit:
    """What the core gives to whatever it opens."""

    base_url: str  # the issuer, no trailing slash
    now: Callable[[], datetime]
    token: Callable[[int], str]  # n random bytes, base64url without padding
    sign: Callable[[JsonObject, str, Use], str]  # (claims, typ, use) -> compact JWS with kid or x5c
    certificates: Callable[[Use], tuple[bytes, ...]]  # DER, leaf first, root left out
    trust_anchors: Callable[[Use], tuple[bytes, ...]]  # DER of our own root for that use
    fetch: Callable[[str, str], bytes]  # guarded GET (url, accept): 3 s, 1 MiB, no redirects
    own_status: Callable[[str, int], Status | None]  # (status list uri, index); None: not ours


@dataclass(frozen=True, slots=True)
class MethodKit(Kit):
    """What a method gets beside: the passkeys that people registered."""

    passkeys: Passkeys = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class SiteKit(Kit):
    """What a site gets beside: its short-lived store, the register of mobile IDs, the journal."""

    short: Short = field(kw_only=True)
    mobile_ids: MobileIds = field(kw_only=True)
    record: Callable[[Event], str] = field(kw_only=True)  # gives the event's id


@dataclass(frozen=True, slots=True)
class Site:
    """A service of its own. `blueprint` is a flask.Blueprint whose rules are whole paths."""

    blueprint: Any
    prefixes: tuple[str, ...]  # what its rules begin with: ("/issuer", "/status")
    well_known: Mapping[str, Callable[[], JsonObject]]  # "openid-credential-issuer" -> document
    service: object = None  # an extra ability (CredentialOffers), asked for with isinstance


@dataclass(frozen=True, slots=True)
class Offer:
    """An offered mobile ID, as the API answers it."""

    id: str
    credential_offer_uri: str  # "openid-credential-offer://?credential_offer_uri=..."
    tx_code: str
    expires_at: datetime


@runtime_checkable
class CredentialOffers(Protocol):
    """The ability to offer a mobile ID to a person (the issuer site's service)."""

    def make_offer(self, personnel_number: str, actor: str) -> Offer:
        """AccessDenied when the person is unknown or not active."""
        ...


class Openable(Protocol[T_co]):
    """An entry point: frozen pydantic settings that can build the part."""

    def open(self, kit: Any) -> T_co: ...
