"""Officials in an LDIF file (RFC 2849): the embedded default. Answers the same searches as a server."""

import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from ldif import LDIFParser

from idp.errors import OutsideError
from idp_ldap.entry import Entry
from idp_ldap.filters import And, Equal, EqualDn, Filter, Key, Or, key, matches
from idp_ldap.names import Dn, is_child, is_under, parse_dn
from idp_ldap.searching import Answer, Scope, Server

MAX_FILE = 256 * 1024 * 1024
_OUTSIDE_VALUE = re.compile(rb"^[A-Za-z][^:\r\n]*:<", re.MULTILINE)

Indexed = Equal | EqualDn
Index = Mapping[Key, Sequence[Entry]]


class LdifMalformed(ValueError):
    """The file is not LDIF content as we accept it."""


@dataclass(frozen=True, slots=True)
class Content:
    """The file as read once. Indexes are made when first asked for."""

    stamp: tuple[int, int, int]  # inode, size, time of change: another file when one differs
    entries: Mapping[Dn, Entry]
    indexes: dict[tuple[type[Indexed], str], Index] = field(default_factory=dict)

    def candidates(self, wanted: Filter) -> Iterable[Entry]:
        """All that can match, and not much more when an attribute must equal a value."""
        for part in wanted.parts if isinstance(wanted, And) else (wanted,):
            choices = part.parts if isinstance(part, Or) else (part,)
            equal = [choice for choice in choices if isinstance(choice, Indexed)]
            if len(equal) == len(choices) and equal[0].attribute.lower() != "objectclass":
                hits = (hit for one in equal for hit in self._hits(one))
                return {hit.dn: hit for hit in hits}.values()
        return self.entries.values()

    def _hits(self, wanted: Indexed) -> Sequence[Entry]:
        place = (type(wanted), wanted.attribute.lower())
        index = self.indexes.get(place)
        if index is None:
            made: dict[Key, list[Entry]] = defaultdict(list)
            for entry in self.entries.values():
                for value in entry.raw(wanted.attribute):
                    made[key(wanted, value)].append(entry)
            index = self.indexes[place] = dict(made)
        return index.get(key(wanted, wanted.value.encode()), ())


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

    def servers(self) -> Sequence[Server]:
        """None: this is a file."""
        return ()

    def _current(self) -> Content:
        with self._lock:
            try:
                stat = self._path.stat()
                stamp = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
                if self._content is None or self._content.stamp != stamp:
                    self._content = Content(stamp, _read(self._path))
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
        for entry in self._content.candidates(wanted):
            if _lies(parse_dn(entry.dn), root, scope) and matches(wanted, entry):
                if len(found) == limit:
                    return Answer(tuple(found), complete=False)
                found.append(_only(entry, attributes))
        if not found and scope != "base" and root not in self._content.entries:
            raise OutsideError(self._name, "the base of the search is not there")
        return Answer(tuple(found))


def _lies(dn: Dn, root: Dn, scope: Scope) -> bool:
    if scope == "base":
        return dn == root
    return is_child(dn, root) if scope == "one" else is_under(dn, root)


def _only(entry: Entry, attributes: tuple[str, ...]) -> Entry:
    """The entry with the attributes that were asked for."""
    return Entry(entry.dn, {name.lower(): entry.raw(name) for name in attributes})


def _read(path: Path) -> dict[Dn, Entry]:
    """Every entry. LdifMalformed; OSError when the file cannot be read."""
    if path.stat().st_size > MAX_FILE:
        raise LdifMalformed("larger than 256 MiB")
    content = path.read_bytes()
    if _OUTSIDE_VALUE.search(content):
        raise LdifMalformed("a value by address (:<) is not read")
    found: dict[Dn, Entry] = {}
    for dn, attributes in LDIFParser(BytesIO(content), encoding=None, strict=True).parse():
        entry = _entry(dn or "", attributes)
        place = parse_dn(entry.dn)
        if place in found:
            raise LdifMalformed("an entry occurs twice")
        found[place] = entry
    return found


def _entry(dn: str, attributes: Mapping[str, list[bytes]]) -> Entry:
    values: dict[str, tuple[bytes, ...]] = {}
    for name, raw in attributes.items():
        values[name.lower()] = (*values.get(name.lower(), ()), *raw)
    if "changetype" in values:
        raise LdifMalformed("holds changes, not entries")
    return Entry(dn, values)
