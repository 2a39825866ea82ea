"""Distinguished names, read so that two spellings of one name compare equal (RFC 4514 §3)."""

import re
from functools import lru_cache

MAX_NAME = 2048
Dn = tuple[tuple[tuple[str, str], ...], ...]  # RDNs, each a sorted tuple of (attribute, value)

_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)*")
_HEX = re.compile(r"[0-9A-Fa-f]{2}")


class NameMalformed(ValueError):
    """Not a distinguished name that we accept: hexadecimal (#) values and NUL are refused (A-211)."""


@lru_cache(maxsize=4096)
def parse_dn(text: str) -> Dn:
    """The name as comparable parts, case folded. NameMalformed when empty or not RFC 4514."""
    if not text.strip() or len(text) > MAX_NAME or "\0" in text:
        raise NameMalformed("empty, too long or with NUL")
    rdns = [tuple(sorted(_ava(part) for part in _split(rdn, "+"))) for rdn in _split(text, ",")]
    return tuple(rdns)


def is_dn(text: str) -> bool:
    """Whether it reads as a distinguished name."""
    try:
        parse_dn(text)
    except NameMalformed:
        return False
    return True


def is_under(dn: Dn, base: Dn) -> bool:
    """Whether `dn` is `base` or lies anywhere below it."""
    return len(dn) >= len(base) and dn[len(dn) - len(base) :] == base


def is_child(dn: Dn, base: Dn) -> bool:
    """Whether `dn` lies directly below `base`."""
    return len(dn) == len(base) + 1 and is_under(dn, base)


def naming_value(text: str, attribute: str) -> str | None:
    """The value that names the entry, in its own case, if that attribute alone names it."""
    first = _split(text, ",")[0]
    kind, _, value = first.partition("=")
    if len(_split(first, "+")) != 1 or kind.strip().lower() != attribute.lower():
        return None
    return _unescape(_trim(value))


def _split(text: str, separator: str) -> list[str]:
    """Cut at separators that no backslash escapes."""
    if "\\" not in text:
        return text.split(separator)
    parts, start, position = [], 0, 0
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        if text[position] == separator:
            parts.append(text[start:position])
            start = position + 1
        position += 1
    return [*parts, text[start:]]


def _ava(text: str) -> tuple[str, str]:
    kind, equals, value = text.partition("=")
    kind = kind.strip().lower()
    value = _trim(value)
    if not equals or not _TYPE.fullmatch(kind) or not value or value.startswith("#"):
        raise NameMalformed("a part is not attribute=value")
    return kind, " ".join(_unescape(value).casefold().split())


def _trim(value: str) -> str:
    """Without the blanks around it that no backslash escapes."""
    value = value.lstrip(" ")
    bare = value.rstrip(" ")
    escaped = (len(bare) - len(bare.rstrip("\\"))) % 2 == 1
    return f"{bare} " if escaped and len(bare) < len(value) else bare


def _unescape(value: str) -> str:
    if "\\" not in value:
        return value
    out = bytearray()
    position = 0
    while position < len(value):
        if value[position] != "\\":
            out += value[position].encode()
            position += 1
        elif _HEX.fullmatch(value[position + 1 : position + 3]):
            out += bytes.fromhex(value[position + 1 : position + 3])
            position += 3
        elif position + 1 < len(value):
            out += value[position + 1].encode()
            position += 2
        else:
            raise NameMalformed("ends in a backslash")
    if 0 in out:
        raise NameMalformed("NUL")
    try:
        return out.decode()
    except UnicodeDecodeError as error:
        raise NameMalformed("not UTF-8") from error
