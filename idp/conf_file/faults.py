"""Mistakes in the configuration, in words: where (file, key, line), what stands there, what may."""

import difflib
import re
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from idp.conf_file.lines import Lines
from idp.errors import Problem

Loc = tuple[str | int, ...]
_SECRET = frozenset({"secret", "password", "passphrase", "token", "pin", "key", "credential"})
_USERINFO = re.compile(r"://[^/@\s]*@")
_LONGEST = 60


class Report:
    """Collects the problems of one file."""

    def __init__(self, file: str, text: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._lines = Lines(text)

    def add(self, loc: Loc, found: str, allowed: str) -> None:
        """One mistake; the same place is named once."""
        key = dotted(loc)
        if all(problem.key != key for problem in self.problems):
            self.problems.append(Problem(self._file, key, self._lines.of(loc), found, allowed))

    def add_validation(
        self, error: ValidationError, model: type[BaseModel], prefix: Loc = ()
    ) -> None:
        """What pydantic found in the table at `prefix`."""
        for detail in error.errors(include_url=False):
            loc: Loc = (*prefix, *detail["loc"])
            if detail["type"] == "extra_forbidden":
                known = fields_at(model, detail["loc"][:-1])
                self.add(loc, "an unknown key", nearest(str(detail["loc"][-1]), known))
            elif detail["type"] == "missing":
                self.add(loc, "nothing", _with_meaning("a value", model, detail["loc"]))
            elif not self._says_again(detail):
                allowed = _with_meaning(_sentence(detail), model, detail["loc"])
                self.add(loc, self.shown(loc, detail["input"]), allowed)

    def _says_again(self, detail: ErrorDetails) -> bool:
        """Whether the root's validator repeats what was already reported key by key."""
        return not detail["loc"] and any(
            f"{problem.key}: " in detail["msg"] for problem in self.problems
        )

    def shown(self, loc: Loc, value: Any) -> str:
        """A value as a message may show it: short, and never a secret."""
        name = str(loc[-1]) if loc else ""
        if isinstance(value, dict | list | tuple | BaseModel):
            return "a list" if isinstance(value, list | tuple) else "a table"
        if not name.endswith(("_file", "_files")) and _SECRET & set(name.split("_")):
            return "a value that is not shown"
        if value is None:
            return "nothing"
        text = _USERINFO.sub("://...@", repr(value) if isinstance(value, str) else str(value))
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def dotted(loc: Loc) -> str:
    """`("networks", 0, "cidr")` as `networks[0].cidr`."""
    text = ""
    for step in loc:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text or "(file)"


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"one of {', '.join(names)}" if names else "nothing here"


def fields_at(model: type[BaseModel], loc: Loc) -> tuple[str, ...]:
    """The keys that the table at `loc` inside `model` may have."""
    here: type[BaseModel] | None = model
    for step in loc:
        if here is None or isinstance(step, int):
            continue
        field = here.model_fields.get(step)
        here = model_in(field.annotation) if field else None
    return tuple(here.model_fields) if here else ()


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The table type inside an annotation such as `tuple[Network, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(model_in, get_args(annotation))), None)


def _with_meaning(allowed: str, model: type[BaseModel], loc: Loc) -> str:
    here: type[BaseModel] | None = model
    description = None
    for step in loc:
        if here is None or isinstance(step, int):
            continue
        field = here.model_fields.get(step)
        description = field.description if field else None
        here = model_in(field.annotation) if field else None
    return f"{allowed} ({description})" if description else allowed


def _sentence(detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return message[:1].lower() + message[1:] if message[1:2].islower() else message
