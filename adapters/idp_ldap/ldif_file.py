"""Officials in an LDIF file (RFC 2849): the embedded default. Answers the same searches as a server."""

import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from ldif import LDIFParser

from idp.errors import OutsideError
from idp_ldap.entry import Entry
from idp_ldap.filters import And, Equal, Filter, folded, matches
from idp_ldap.names import Dn, NameMalformed, is_child, is_under, parse_dn
from idp_ldap.searching import Answer, Scope

MAX_FILE = 256 * 1024 * 1024
_OUTSIDE_VALUE = re.compile(rb"^[A-Za-z][^:\r\n]*:<", re.MULTILINE)

Placed = tuple[Dn, Entry]


class LdifMalformed(ValueError):
    """The file is not LDIF content as we accept it."""


@dataclass(frozen=True, slots=True)
class Content:
    """The file as read once. Indexes are made when first asked for."""

    stamp: tuple[int, int, int]  # inode, size, time of change: another file when one differs
    entries: tuple[Placed, ...]
    indexes: dict[str, dict[str, list[Placed]]] = field(default_factory=dict)

    def candidates(self, wanted: Filter) -> tuple[Placed, ...] | list[Placed]:
        """Fewer entries to look at when an attribute must equal a value."""
        for part in wanted.parts if isinstance(wanted, And) else (wanted,):
            if isinstance(part, Equal) and part.attribute.lower() != "objectclass":
                return self._index(part.attribute.lower()).get(folded(part.value), [])
        return self.entries

    def _index(self, attribute: str) -> dict[str, list[Placed]]:
        if attribute not in self.indexes:
            index: dict[str, list[Placed]] = defaultdict(list)
            for placed in self.entries:
                for value in placed[1].raw(attribute):
                    index[folded(value.decode(errors="replace"))].append(placed)
            self.indexes[attribute] = dict(index)
        return self.indexes[attribute]


class LdifFile:
    """Fulfils `Searcher`; read again when the file changes, refused while it is malformed."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._lock = threading.Lock()
        self._content: Content | None = None

    @contextmanager
    def session(self) -> Iterator["LdifSession"]:
        """Searches on the file as it is now. OutsideError when it cannot be read."""
        yield LdifSession(self._name, self._current())

    def _current(self) -> Content:
        with self._lock:
            try:
                stat = self._path.stat()
                stamp = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
                if self._content is None or self._content.stamp != stamp:
                    self._content = None
                    self._content = Content(stamp, tuple(_read(self._path)))
            except (OSError, ValueError) as error:
                raise OutsideError(self._name, f"{self._path.name}: {error}") from error
            return self._content


class LdifSession:
    """Fulfils `Session`."""

    def __init__(self, name: str, content: Content) -> None:
        self._name = name
        self._content = content

    def search(
        self,
        base: str,
        wanted: Filter,
        attributes: tuple[str, ...],
        *,
        scope: Scope = "sub",
        limit: int,
    ) -> Answer:
        """See `Session.search`."""
        root = parse_dn(base)
        found: list[Entry] = []
        for dn, entry in self._content.candidates(wanted):
            if _lies(dn, root, scope) and matches(wanted, entry):
                if len(found) == limit:
                    return Answer(tuple(found), complete=False)
                found.append(_only(entry, attributes))
        if not found and scope != "base" and not self._has(root):
            raise OutsideError(self._name, "the base of the search is not there")
        return Answer(tuple(found))

    def _has(self, root: Dn) -> bool:
        return any(dn == root for dn, _ in self._content.entries)


def _lies(dn: Dn, root: Dn, scope: Scope) -> bool:
    if scope == "base":
        return dn == root
    return is_child(dn, root) if scope == "one" else is_under(dn, root)


def _only(entry: Entry, attributes: tuple[str, ...]) -> Entry:
    """The entry with the attributes that were asked for."""
    return Entry(entry.dn, {name.lower(): entry.raw(name) for name in attributes})


def _read(path: Path) -> list[Placed]:
    """Every entry. LdifMalformed; OSError when the file cannot be read."""
    if path.stat().st_size > MAX_FILE:
        raise LdifMalformed("larger than 256 MiB")
    content = path.read_bytes()
    if _OUTSIDE_VALUE.search(content):
        raise LdifMalformed("a value by address (:<) is not read")
    found: list[Placed] = []
    seen: set[Dn] = set()
    for dn, attributes in LDIFParser(BytesIO(content), encoding=None, strict=True).parse():
        placed = _placed(dn or "", attributes)
        if placed[0] in seen:
            raise LdifMalformed("an entry occurs twice")
        seen.add(placed[0])
        found.append(placed)
    return found


def _placed(dn: str, attributes: dict[str, list[bytes]]) -> Placed:
    values: dict[str, tuple[bytes, ...]] = {}
    for name, raw in attributes.items():
        values[name.lower()] = (*values.get(name.lower(), ()), *raw)
    if "changetype" in values:
        raise LdifMalformed("holds changes, not entries")
    try:
        return parse_dn(dn), Entry(dn, values)
    except NameMalformed as error:
        raise LdifMalformed("a dn is malformed") from error
