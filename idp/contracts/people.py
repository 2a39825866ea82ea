"""People as a directory knows them, and who may enter where."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from idp.contracts.values import JsonObject


class State(StrEnum):
    """Employment state as a directory source maps it. Only ACTIVE passes the account gate."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ON_LEAVE = "on_leave"
    RETIRED = "retired"
    NOT_STARTED = "not_started"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Identifier:
    """A person as a credential names one: issuer and number belong together (R-034)."""

    issuer: str  # e.g. "https://id.example.go.kr"; the credential's `iss`
    number: str  # the stable personnel number


@dataclass(frozen=True, slots=True)
class Official:
    """A person as the directory knows one, read at sign-in and never stored."""

    source: str  # name of the directory source, e.g. "esaram"
    personnel_number: str
    state: State
    name: str
    agency: str
    department: str
    rank: str
    mail: str  # "" when none
    groups: tuple[str, ...]  # plain group names, sorted
    photo: bytes | None = None  # JPEG
    attributes: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # the entry, by LDAP name


@runtime_checkable
class Directory(Protocol):
    """One directory source. Every call raises OutsideError when it cannot tell."""

    name: str

    def find(self, personnel_number: str) -> Official | None:
        """Exactly one entry or None; more than one entry raises AccessDenied(PERSON_AMBIGUOUS)."""
        ...

    def search(self, text: str, limit: int) -> list[Official]:
        """Entries whose name, number or mail contains `text` ("" means all), at most `limit`."""
        ...

    def check(self) -> None:
        """Does nothing, or raises OutsideError (for /readyz and doctor)."""
        ...


class RelyingPartyAdapter(Protocol):
    """A kind of relying party: who may enter, what it is told."""

    def admit(self, official: Official) -> None:
        """Does nothing, or raises AccessDenied."""
        ...

    def claims(self, official: Official, scope: frozenset[str]) -> JsonObject:
        """Claims beyond the core's scopes; protocol claims in it are ignored."""
        ...
