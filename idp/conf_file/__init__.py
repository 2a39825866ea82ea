r"""Reading the configuration: one TOML file in, one checked `Settings` out, or every mistake at once.

    text --tomllib--> tables --parts.py--> each part's own settings
                         \--conf.py-----> the core's settings      \
                         \--files.py----> do the files exist?       +--> Settings or ConfError

Relative paths are relative to the file. A secret never stands in the file and never in a message.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from idp.conf import Settings, Stores, production_faults
from idp.conf_file import files, parts
from idp.conf_file.faults import Report
from idp.conf_file.text import default_text, schema
from idp.errors import ConfError, Problem


def load(path: Path) -> Settings:
    """The settings in `path`. ConfError with all mistakes, each with its key and line."""
    text = _read(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfError([_syntax_problem(path, error)]) from None
    report = Report(str(path), text)
    settings = _check(data, report, path.resolve().parent)
    if settings is None or report.problems:
        raise ConfError(sorted(report.problems, key=lambda problem: problem.line or 0))
    return files.rebased(settings, path.resolve().parent)


def _check(data: dict[str, Any], report: Report, base: Path) -> Settings | None:
    data = files.absolute(data, base)
    environment = str(data.get("environment", "production"))
    files.check(data, report, base, environment)
    opened = {table: parts.check(table, data, report) for table in parts.GROUPS}
    if environment == "production":
        _check_production(data, report)
    try:
        return Settings.model_validate({**data, **opened})
    except ValidationError as error:
        report.add_validation(error, Settings)
        return None


def _check_production(data: dict[str, Any], report: Report) -> None:
    """What only production refuses; said beside the other mistakes, not after them."""
    stores = data.get("stores")
    stores = stores if isinstance(stores, dict) else {}
    faults = production_faults(
        str(data.get("issuer", "https://")),
        str(stores.get("redis_url", Stores().redis_url)),
        str(stores.get("sql_url", Stores().sql_url)),
    )
    for key, allowed in faults.items():
        loc = tuple(key.split("."))
        value = data.get(key) if len(loc) == 1 else stores.get(loc[1], "the embedded default")
        report.add(loc, report.shown(loc, value), allowed)


def _read(path: Path) -> str:
    problem = Problem(str(path), "(file)", None, "", "a readable TOML file in UTF-8")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        found = "text that is not UTF-8"
    except OSError as error:
        found = (error.strerror or "an unreadable file").lower()
    raise ConfError([Problem(problem.file, problem.key, None, found, problem.allowed)])


def _syntax_problem(path: Path, error: tomllib.TOMLDecodeError) -> Problem:
    message = str(error)
    place = re.search(r"\(at line (\d+), column \d+\)", message)
    fault = re.sub(r"\s*\(at .*\)$", "", message)
    line = int(place.group(1)) if place else None
    return Problem(str(path), "(syntax)", line, fault[:1].lower() + fault[1:], "TOML 1.0 (toml.io)")


__all__ = ["default_text", "load", "schema"]
