"""Proof -> official -> subject: directories in their order, and our own random id for each person."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine

from idp.contracts import Directory, Identifier, Official


class People:
    """Directories tried in order; a person known to two sources is ambiguous and refused."""

    def __init__(
        self, directories: Sequence[Directory], engine: Engine, now: Callable[[], datetime]
    ) -> None:
        self._directories = tuple(directories)
        self._engine = engine
        self._now = now

    def find(self, personnel_number: str) -> Official:
        """Asked live. AccessDenied(PERSON_UNKNOWN, PERSON_AMBIGUOUS), OutsideError."""
        raise NotImplementedError

    def current(self, source: str, personnel_number: str, max_age_s: int) -> Official:
        """The same from one source, from a bounded cache at most `max_age_s` old."""
        raise NotImplementedError

    def subject(self, connection: Connection, identifier: Identifier) -> str:
        """Our random id for (issuer, number): made at first sight, never reassigned (R-034)."""
        raise NotImplementedError

    def search(self, text: str, limit: int) -> list[Official]:
        """Over all sources."""
        raise NotImplementedError

    def check(self) -> None:
        """OutsideError naming the source that does not answer."""
        raise NotImplementedError


def must_be_active(official: Official) -> None:
    """The first half of the account gate: AccessDenied unless State.ACTIVE; unknown means deny."""
    raise NotImplementedError
