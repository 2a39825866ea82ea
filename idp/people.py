"""Proof -> official -> subject: directories in their order, and our own random id for each person."""

import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, runtime_checkable

from sqlalchemy import Connection, Engine, bindparam, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from idp import randomness
from idp.contracts import Directory, Identifier, Official, State
from idp.errors import AccessDenied
from idp.events import Reason
from idp.store.direct import Statement, direct
from idp.store.sql import transaction
from idp.store.tables import subjects

MAX_CACHED = 8192
MAX_ISSUER = 255  # as wide as their columns
MAX_NUMBER = 64
_REASONS = {
    State.RETIRED: Reason.PERSON_RETIRED,
    State.SUSPENDED: Reason.PERSON_SUSPENDED,
    State.ON_LEAVE: Reason.PERSON_ON_LEAVE,
    State.NOT_STARTED: Reason.PERSON_NOT_STARTED,
}

_SUBJECT = Statement(
    select(subjects.c.id).where(
        subjects.c.issuer == bindparam("issuer"),
        subjects.c.personnel_number == bindparam("number"),
    )
)


@runtime_checkable
class TellsOrigins(Protocol):
    """A directory that can say which attributes of an entry it reads an official from."""

    def origins(self) -> Mapping[str, tuple[str, ...]]:
        """Field of `Official` -> attributes, the first with a value counts."""
        ...


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer of a directory, and when it was given."""

    official: Official
    at: datetime


class People:
    """Directories tried in order; a person known to two sources is ambiguous and refused."""

    def __init__(
        self, directories: Sequence[Directory], engine: Engine, now: Callable[[], datetime]
    ) -> None:
        self._directories = tuple(directories)
        self._by_name = {directory.name: directory for directory in directories}
        self._engine = engine
        self._now = now
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[str, str], Remembered] = OrderedDict()

    def find(self, personnel_number: str) -> Official:
        """Asked live. AccessDenied(PERSON_UNKNOWN, PERSON_AMBIGUOUS), OutsideError.

        Every source that may hold the number must answer: one that does not could hold a second.
        """
        _must_be_plain(personnel_number, MAX_NUMBER)
        answers = (directory.find(personnel_number) for directory in self._directories)
        found = [official for official in answers if official is not None]
        if len(found) > 1:
            sources = ", ".join(official.source for official in found)
            raise AccessDenied(f"in two sources: {sources}", reason=Reason.PERSON_AMBIGUOUS)
        if not found:
            raise AccessDenied("in no source", reason=Reason.PERSON_UNKNOWN)
        self._remember(found[0])
        return found[0]

    def current(self, source: str, personnel_number: str, max_age_s: int) -> Official:
        """The same from one source, from a bounded cache at most `max_age_s` old; without photo.

        What a directory could not answer is never answered from an older entry (A-222).
        """
        key = (source, personnel_number)
        with self._lock:
            known = self._cache.get(key)
        if known is not None:
            age_s = (self._now() - known.at).total_seconds()
            if 0 <= age_s < max_age_s:
                return known.official
        directory = self._by_name.get(source)
        if directory is None:
            raise AccessDenied(f"no source {source}", reason=Reason.PERSON_UNKNOWN)
        self._forget(key)  # whatever comes now, the older answer no longer counts
        official = directory.find(personnel_number)
        if official is None:
            raise AccessDenied("no longer there", reason=Reason.PERSON_UNKNOWN)
        return self._remember(official)

    def _remember(self, official: Official) -> Official:
        """Keep it without its photo, which would make the cache too large."""
        kept = Remembered(replace(official, photo=None), self._now())
        with self._lock:
            key = (official.source, official.personnel_number)
            self._cache[key] = kept
            self._cache.move_to_end(key)
            if len(self._cache) > MAX_CACHED:
                self._cache.popitem(last=False)
        return kept.official

    def _forget(self, key: tuple[str, str]) -> None:
        with self._lock:
            self._cache.pop(key, None)

    def subject(self, connection: Connection, identifier: Identifier) -> str:
        """Our random id for (issuer, number): made at first sight, never reassigned (R-034).

        Two that come at once get the same: the second waits for the first by the unique key.
        """
        _must_be_identifier(identifier)
        query = select(subjects.c.id).where(
            subjects.c.issuer == identifier.issuer,
            subjects.c.personnel_number == identifier.number,
        )
        known = connection.execute(query).scalar()
        if known is not None:
            return str(known)
        postgresql = connection.dialect.name == "postgresql"
        insert = postgresql_insert if postgresql else sqlite_insert
        connection.execute(
            insert(subjects)
            .values(
                id=randomness.token(16),
                issuer=identifier.issuer,
                personnel_number=identifier.number,
                created_at=self._now(),
            )
            .on_conflict_do_nothing(index_elements=["issuer", "personnel_number"])
        )
        return str(connection.execute(query).scalar_one())

    def subject_id(self, identifier: Identifier) -> str:
        """The same in one trip for who was seen before, in a transaction of its own for others."""
        _must_be_identifier(identifier)
        rows = direct(self._engine).rows(
            _SUBJECT, issuer=identifier.issuer, number=identifier.number
        )
        if rows:
            return str(rows[0][0])
        with transaction(self._engine) as connection:
            return self.subject(connection, identifier)

    def known_subjects(self, connection: Connection, personnel_number: str) -> dict[str, str]:
        """Issuer -> our id, for a number that was seen before. Makes none."""
        query = select(subjects.c.issuer, subjects.c.id).where(
            subjects.c.personnel_number == personnel_number
        )
        return {row.issuer: row.id for row in connection.execute(query)}

    def origins(self, source: str) -> Mapping[str, tuple[str, ...]]:
        """Which attributes that source reads each field from; nothing when it does not tell."""
        directory: object = self._by_name.get(source)
        return directory.origins() if isinstance(directory, TellsOrigins) else {}

    def search(self, text: str, limit: int) -> list[Official]:
        """Over all sources, in their order, at most `limit`."""
        found: list[Official] = []
        for directory in self._directories:
            if len(found) < limit:
                found += directory.search(text, limit - len(found))
        return found[: max(limit, 0)]

    def check(self) -> None:
        """OutsideError naming the source that does not answer."""
        for directory in self._directories:
            directory.check()


def _must_be_identifier(identifier: Identifier) -> None:
    _must_be_plain(identifier.issuer, MAX_ISSUER)
    _must_be_plain(identifier.number, MAX_NUMBER)


def _must_be_plain(value: str, limit: int) -> None:
    """AccessDenied(PERSON_UNKNOWN) for what can be nobody's: empty, long, or with control characters."""
    ordinary = not any(unicodedata.category(character)[0] == "C" for character in value)
    if not 0 < len(value) <= limit or not ordinary:
        raise AccessDenied("not a number or issuer of ours", reason=Reason.PERSON_UNKNOWN)


def must_be_active(official: Official) -> None:
    """The first half of the account gate: AccessDenied unless State.ACTIVE; unknown means deny."""
    if official.state is not State.ACTIVE:
        reason = _REASONS.get(official.state, Reason.PERSON_STATE_UNKNOWN)
        raise AccessDenied(official.state.value, reason=reason)
