"""`gongmu doctor`: what is wrong with this installation, or soon will be, and the remedy for each.

    configuration -> certificates, disk -> sql (schema, keys) -> redis -> directories

Every examination stands alone: whatever is broken, the others are still made. Nothing is changed.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from idp import conf_file, embedded
from idp.conf import Settings
from idp.doctor import (
    certificates,
    configuration,
    directories,
    disk,
    redis_store,
    sql_store,
)
from idp.doctor.finding import Finding, Level, fix
from idp.errors import ConfError, GongmuError

__all__ = ["Finding", "Level", "examine"]

Examination = Callable[[Settings, datetime], Iterable[Finding]]
_EXAMINATIONS: tuple[tuple[str, Examination], ...] = (
    ("configuration", configuration.examine),
    ("certificates", certificates.examine),
    ("disk", disk.examine),
    ("sql", sql_store.examine),
    ("redis", redis_store.examine),
    ("directories", directories.examine),
)


def examine(file: Path, now: datetime) -> Iterator[Finding]:
    """Everything found, in order; without a configuration that can be read, its mistakes alone."""
    try:
        settings = embedded.with_url(conf_file.load(file))
    except ConfError as error:
        remedy = "correct the file; see: gongmu config default"
        if not file.exists():
            remedy = "name it: gongmu --config FILE; a new one: gongmu config default > gongmu.toml"
        for problem in error.problems:
            yield fix("configuration", str(problem), remedy)
        return
    for what, examination in _EXAMINATIONS:
        yield from _examined(what, examination, settings, now)


def _examined(
    what: str, examination: Examination, settings: Settings, now: datetime
) -> Iterator[Finding]:
    """One examination; an error that ends it is a finding too."""
    try:
        yield from examination(settings, now)
    except ConfError as error:
        for problem in error.problems:
            yield fix(what, str(problem), problem.allowed)
    except GongmuError as error:
        yield fix(what, error.detail, "see that it runs and can be reached from here")
