"""The one question that a server and a file answer alike: `search(base, filter, attributes)`."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from idp_ldap.entry import Entry
from idp_ldap.filters import Filter

Scope = Literal["base", "one", "sub"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found. `complete` is false when there was more than the limit."""

    entries: tuple[Entry, ...]
    complete: bool = True


class Session(Protocol):
    """Searches that belong together: one connection, one deadline for all of them."""

    def search(
        self,
        base: str,
        wanted: Filter,
        attributes: tuple[str, ...],
        *,
        scope: Scope = "sub",
        limit: int,
    ) -> Answer:
        """Entries in that scope, at most `limit`. OutsideError when it cannot tell.

        A missing base raises OutsideError too, except in scope "base", where nothing is found.
        """
        ...


class Searcher(Protocol):
    """Where officials are kept."""

    def session(self) -> AbstractContextManager[Session]:
        """Start searching."""
        ...
