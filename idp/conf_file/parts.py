"""The tables of parts: each is checked by the settings class that its entry point names.

`[methods.mobile_id]`, `[sites.issuer]`, `[relying_parties.mail]`: the key is the entry point.
`[directories.esaram]`: the key is the source's own name, `type = "ldap"` is the entry point.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import BaseModel, ValidationError

from idp.conf_file.faults import Report, nearest

GROUPS = {
    "methods": "idp.methods",
    "sites": "idp.sites",
    "directories": "idp.directories",
    "relying_parties": "idp.relying_parties",
}
TYPED = "directories"  # the table whose keys are names and whose `type` is the entry point


class PartNotUsable(Exception):
    """An entry point does not give a settings class; the text says why."""


def installed(table: str) -> dict[str, EntryPoint]:
    """Entry points of one kind by name. The first distribution that brings a name keeps it."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUPS[table]):
        found.setdefault(entry.name, entry)
    return dict(sorted(found.items()))


def settings_class(entry: EntryPoint) -> type[BaseModel]:
    """The settings class an entry point names. PartNotUsable."""
    try:
        named = entry.load()
    except (ImportError, AttributeError) as error:
        raise PartNotUsable(f"the part {entry.value} cannot be loaded: {error}") from error
    if not (isinstance(named, type) and issubclass(named, BaseModel)):
        raise PartNotUsable(f"{entry.value} is not a settings class")
    return named


def check(table: str, data: dict[str, Any], report: Report) -> dict[str, Any]:
    """The parts of one kind as settings, in the order they are written; mistakes go to `report`."""
    tables = data.get(table, {})
    if not isinstance(tables, dict):
        report.add((table,), report.shown((table,), tables), f"tables [{table}.<name>]")
        return {}
    known = installed(table)
    checked = {}
    for name, values in tables.items():
        settings = _check_one(table, name, values, known, report)
        if settings is not None:
            checked[name] = settings
    return checked


def _check_one(
    table: str, name: str, values: Any, known: dict[str, EntryPoint], report: Report
) -> BaseModel | None:
    if not isinstance(values, dict):
        report.add((table, name), report.shown((table, name), values), f"a table [{table}.{name}]")
        return None
    kind = values.get("type") if table == TYPED else name
    entry = known.get(kind) if isinstance(kind, str) else None
    if entry is None:
        loc = (table, name, "type") if table == TYPED else (table, name)
        found = report.shown(loc, kind) if table == TYPED else "no installed part of this name"
        report.add(loc, found, nearest(str(kind or ""), known))
        return None
    try:
        model = settings_class(entry)
    except PartNotUsable as error:
        report.add((table, name), str(error), "an installed part that loads")
        return None
    values = {key: value for key, value in values.items() if table != TYPED or key != "type"}
    if table == TYPED and "name" in model.model_fields:
        values = {"name": name, **values}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        report.add_validation(error, model, (table, name))
        return None
