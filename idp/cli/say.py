"""What commands share: the services of the configuration, and data as JSON or as a plain table."""

import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from idp.conf import Settings
    from idp.services import Services

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """`--json`, for every command that prints data."""
    add = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
    return add(command)


def settings_of(config_file: Path) -> "Settings":
    """The checked configuration; the embedded store by its socket. ConfError."""
    from idp import conf_file, embedded, logs

    settings = conf_file.load(config_file)
    logs.configure("warning")  # a command says what it did by itself
    return embedded.with_url(settings)


@contextmanager
def services(config_file: Path) -> Iterator["Services"]:
    """The parts that the provider is made of; the API calls the same. ConfError, OutsideError."""
    from idp.app import open_services
    from idp.store import migrations
    from idp.store.sql import open_engine

    settings = settings_of(config_file)
    engine = open_engine(settings.stores)
    try:
        migrations.check(engine)
    finally:
        engine.dispose()
    parts = open_services(settings)
    try:
        yield parts
    finally:
        parts.engine.dispose()


def actor() -> str:
    """Who acts, as events name a person at this command: `cli:<login name>`."""
    import getpass

    try:
        return f"cli:{getpass.getuser()}"[:64]
    except (KeyError, OSError):
        import os

        return f"cli:{os.getuid()}"


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Rows as a JSON array, or in columns."""
    if as_json:
        one(list(rows), as_json=True)
        return
    cells = [columns, *([_cell(row.get(name)) for name in columns] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (
            text + " " * (width - _width(text)) for text, width in zip(line, widths, strict=True)
        )
        click.echo("  ".join(padded).rstrip())


def one(thing: Any, *, as_json: bool) -> None:
    """One thing as JSON, or as lines `name: value`."""
    if as_json:
        click.echo(json.dumps(thing, ensure_ascii=False, indent=1, default=_cell))
        return
    for name, value in thing.items():
        click.echo(f"{name}: {_cell(value)}")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, list | tuple):
        return " ".join(map(_cell, value))
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))


def _width(text: str) -> int:
    """Columns on a terminal: Korean letters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
