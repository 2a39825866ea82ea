"""Search filters as values, so that no text from outside is ever parsed as a filter (A-210).

A filter is written out for a server (`text`, RFC 4515) or asked of an entry in memory (`matches`). Both
compare as the usual LDAP rule does (caseIgnoreMatch); who needs an exact answer compares again.
"""

from dataclasses import dataclass

from idp_ldap.entry import Entry, is_plain
from idp_ldap.names import Dn, NameMalformed, parse_dn

MAX_VALUE = 256
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-")


@dataclass(frozen=True, slots=True)
class Present:
    attribute: str


@dataclass(frozen=True, slots=True)
class Equal:
    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class EqualDn:
    """An attribute that holds distinguished names (distinguishedNameMatch)."""

    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class Contains:
    attribute: str
    value: str  # never ""


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Filter", ...]


Filter = Present | Equal | EqualDn | Contains | And | Or


def is_askable(value: str, limit: int = MAX_VALUE) -> bool:
    """Whether a value from outside may be looked for: short text without control characters."""
    return 0 < len(value) <= limit and is_plain(value)


def escape(value: str) -> str:
    """Every octet but plain ASCII letters, digits and `._@-` as a backslash and two digits (RFC 4515 §3)."""
    return "".join(chr(octet) if octet in _PLAIN else f"\\{octet:02x}" for octet in value.encode())


def text(wanted: Filter) -> str:
    """The filter as a server reads it."""
    match wanted:
        case Present(attribute):
            return f"({attribute}=*)"
        case Equal(attribute, value) | EqualDn(attribute, value):
            return f"({attribute}={escape(value)})"
        case Contains(attribute, value):
            return f"({attribute}=*{escape(value)}*)"
        case And(parts):
            return f"(&{''.join(text(part) for part in parts)})"
        case Or(parts):
            return f"(|{''.join(text(part) for part in parts)})"


def folded(value: str) -> str:
    """A value as caseIgnoreMatch sees it: case folded, blanks at the ends gone, inner ones as one."""
    return " ".join(value.casefold().split())


Key = str | Dn


def key(wanted: Equal | EqualDn, value: bytes) -> Key:
    """What two values have in common when that filter holds them equal."""
    text_value = value.decode(errors="replace")
    if isinstance(wanted, Equal):
        return folded(text_value)
    try:
        return parse_dn(text_value)
    except NameMalformed:
        return ()  # equal to no name: none is empty


def matches(wanted: Filter, entry: Entry) -> bool:
    """Whether the entry satisfies the filter."""
    match wanted:
        case Present(attribute):
            return bool(entry.raw(attribute))
        case Equal(attribute, value):
            return folded(value) in _folded_values(entry, attribute)
        case EqualDn(attribute, value):
            name = parse_dn(value)
            return any(key(wanted, found) == name for found in entry.raw(attribute))
        case Contains(attribute, value):
            return any(folded(value) in found for found in _folded_values(entry, attribute))
        case And(parts):
            return all(matches(part, entry) for part in parts)
        case Or(parts):
            return any(matches(part, entry) for part in parts)


def _folded_values(entry: Entry, attribute: str) -> list[str]:
    return [folded(value.decode(errors="replace")) for value in entry.raw(attribute)]
