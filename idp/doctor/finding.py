"""One finding of an examination."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is. Only FIX makes `gongmu doctor` end with 1."""

    OK = "ok"
    NOTE = "note"  # so it is; nothing to do
    WARN = "warn"  # works now, will hurt
    FIX = "fix"  # wrong now


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found where, and what to do about it."""

    level: Level
    what: str  # "redis", "certificates" ...
    found: str
    remedy: str = ""


def ok(what: str, found: str) -> Finding:
    """As it should be."""
    return Finding(Level.OK, what, found)


def note(what: str, found: str) -> Finding:
    """Worth knowing."""
    return Finding(Level.NOTE, what, found)


def warn(what: str, found: str, remedy: str) -> Finding:
    """Works, but should not stay so."""
    return Finding(Level.WARN, what, found, remedy)


def fix(what: str, found: str, remedy: str) -> Finding:
    """Must be put right."""
    return Finding(Level.FIX, what, found, remedy)
