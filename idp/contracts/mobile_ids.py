"""Mobile IDs as the register holds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from idp.contracts.people import Official


class MobileIdState(StrEnum):
    """The life of a mobile ID. OFFERED -> LIVE <-> SUSPENDED -> REVOKED; REVOKED never revives."""

    OFFERED = "offered"
    LIVE = "live"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class MobileId:
    """A mobile ID as the register holds it."""

    id: str
    personnel_number: str
    source: str  # directory source of the holder
    state: MobileIdState
    status_list: int  # number n of /status/<n>
    status_index: int  # random, unique in its list; -1 while only offered
    key_thumbprint: str  # RFC 7638 of the holder's key; "" while only offered
    created_at: datetime
    expires_at: datetime


class MobileIds(Protocol):
    """The register of mobile IDs (SQL). Every change writes its event in the same transaction."""

    def holder(self, personnel_number: str) -> Official:
        """The active official with that number. AccessDenied with the reason otherwise."""
        ...

    def offer(self, personnel_number: str, actor: str, expires_at: datetime) -> MobileId:
        """A new OFFERED row for an active official. AccessDenied."""
        ...

    def issue(self, mobile_id: str, key_thumbprint: str) -> MobileId:
        """OFFERED -> LIVE with a fresh random status index.

        The person's former live one is revoked (reason replaced) in the same transaction.
        AccessDenied when it is no longer OFFERED or the person is not active.
        """
        ...

    def get(self, mobile_id: str) -> MobileId | None: ...

    def states(self, status_list: int) -> Mapping[int, MobileIdState] | None:
        """Index -> state of every index given out in that list; None when there is no such list."""
        ...


@dataclass(frozen=True, slots=True)
class Status:
    """A status read from our own register."""

    state: MobileIdState
    mobile_id: str
