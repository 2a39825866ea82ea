"""A directory entry as it came: raw values, and the strict ways to read them."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

MAX_TEXT = 4096  # octets of one value
MAX_PHOTO = 200 * 1024
MAX_VALUES = 1000
_JPEG = b"\xff\xd8\xff"


class EntryFault(Exception):
    """The entry cannot be read as an official: not text, too long, too many values."""


class SeveralValues(EntryFault):
    """Several values where one is expected (A-224): which one is meant cannot be told."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. Names of attributes are in lower case; values are untrusted octets."""

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]]

    def raw(self, name: str) -> tuple[bytes, ...]:
        """The values as octets; () when there are none."""
        return self.attributes.get(name.lower(), ())

    def texts(self, name: str) -> tuple[str, ...]:
        """The values as printable text. EntryFault when one is not, or is too long (A-223)."""
        values = self.raw(name)
        if len(values) > MAX_VALUES:
            raise EntryFault(f"{name}: {len(values)} values")
        return tuple(_text(name, value) for value in values)

    def text(self, name: str) -> str:
        """The only value, or "" when there is none. SeveralValues, EntryFault."""
        values = self.texts(name)
        if len(values) > 1:
            raise SeveralValues(name)
        return values[0] if values else ""

    def photo(self, name: str) -> bytes | None:
        """The first JPEG of bearable size; anything else is as good as none."""
        for value in self.raw(name):
            if value.startswith(_JPEG) and len(value) <= MAX_PHOTO:
                return value
        return None


def _text(name: str, value: bytes) -> str:
    if len(value) > MAX_TEXT:
        raise EntryFault(f"{name}: {len(value)} octets")
    try:
        found = value.decode()
    except UnicodeDecodeError as error:
        raise EntryFault(f"{name}: not UTF-8") from error
    if not is_plain(found):
        raise EntryFault(f"{name}: characters that do not print")
    return found


def is_plain(text: str) -> bool:
    """No control, format or surrogate character, no line or paragraph separator.

    Bidirectional overrides and line ends could rewrite how a page or a log reads.
    """
    return text.isprintable() or not any(
        unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in text
    )
