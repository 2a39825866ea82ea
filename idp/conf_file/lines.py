"""Which line of a TOML text a key stands on: tomllib does not say, so the text is scanned once."""

import re

_PART = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"^\s*({_DOTTED})\s*=")
_TRIPLE = re.compile(r'"""|\'\'\'')

Loc = tuple[str | int, ...]


class Lines:
    """The lines of one text, by location. Serves messages only: what it cannot tell is None."""

    def __init__(self, text: str) -> None:
        self._known: dict[Loc, int] = {}
        self._arrays: dict[Loc, int] = {}  # array of tables -> index of its last table
        table: Loc = ()
        inside_string = False
        for number, line in enumerate(text.splitlines(), 1):
            if not inside_string:
                table = self._read(line, number, table)
            if len(_TRIPLE.findall(line)) % 2:
                inside_string = not inside_string

    def of(self, loc: Loc) -> int | None:
        """The line of this key, else of the nearest table around it."""
        for length in range(len(loc), 0, -1):
            if loc[:length] in self._known:
                return self._known[loc[:length]]
        return None

    def _read(self, line: str, number: int, table: Loc) -> Loc:
        if header := _HEADER.match(line):
            table = self._table(_split(header.group(2)), array=header.group(1) == "[[")
            self._note(table, number)
        elif key := _KEY.match(line):
            self._note((*table, *_split(key.group(1))), number)
        return table

    def _table(self, names: Loc, *, array: bool) -> Loc:
        loc: Loc = ()
        for position, name in enumerate(names):
            loc = (*loc, name)
            if array and position == len(names) - 1:
                self._arrays[loc] = self._arrays.get(loc, -1) + 1
            if loc in self._arrays:
                loc = (*loc, self._arrays[loc])
        return loc

    def _note(self, loc: Loc, number: int) -> None:
        for length in range(1, len(loc) + 1):
            self._known.setdefault(loc[:length], number)


def _split(dotted: str) -> Loc:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))
