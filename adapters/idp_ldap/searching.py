"""The one question that a server and a file answer alike: `search(base, filter, attributes)`."""

from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class Server:
    """One server, asked by itself."""

    address: str
    certificate: bytes | None  # DER, as it showed it; None without TLS or without answer
    fault: str  # why it cannot be used; "" when the service account was let in


class Searcher(Protocol):
    """Where officials are kept."""

    def servers(self) -> Sequence[Server]:
        """Each server that stands behind this, asked now; nothing for a file."""
        ...

    def session(self) -> AbstractContextManager[Session]:
        """Start searching."""
        ...
