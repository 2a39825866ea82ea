"""Who may act now: the account gate, the register of mobile IDs, and what a cut-off closes."""

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Connection, Engine

from idp.contracts import MobileId, MobileIdState, Official, Status
from idp.journal import Journal
from idp.people import People

STATUS_LIST_SIZE = 1 << 17  # indices per list; 2 bits each: 32 KiB before compression


class Cutoff:
    """The register of mobile IDs (implements contracts.MobileIds) and the account gate."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        people: People,
        issuer: str,
        now: Callable[[], datetime],
    ) -> None:
        self._parts = (engine, journal, people, issuer, now)

    def gate(self, connection: Connection, subject: str, since: datetime) -> None:
        """AccessDenied(CUT_OFF) when a live cut-off of the subject is at or after `since`."""
        raise NotImplementedError

    def holder(self, personnel_number: str) -> Official:
        raise NotImplementedError

    def offer(self, personnel_number: str, actor: str, expires_at: datetime) -> MobileId:
        raise NotImplementedError

    def issue(self, mobile_id: str, key_thumbprint: str) -> MobileId:
        raise NotImplementedError

    def get(self, mobile_id: str) -> MobileId | None:
        raise NotImplementedError

    def all(self, personnel_number: str = "", limit: int = 100) -> list[MobileId]:
        """Newest first; of one person when given."""
        raise NotImplementedError

    def set_state(self, mobile_id: str, state: MobileIdState, actor: str) -> MobileId:
        """Suspend, reinstate, revoke.

        AccessDenied for a transition that must not be (revoked -> live). Suspending or revoking
        ends the sessions and grants that the mobile ID opened, in the same transaction.
        """
        raise NotImplementedError

    def states(self, status_list: int) -> Mapping[int, MobileIdState] | None:
        raise NotImplementedError

    def own_status(self, uri: str, index: int) -> Status | None:
        """The state behind `<issuer>/status/<n>` and index, read from SQL; None: not our list."""
        raise NotImplementedError
