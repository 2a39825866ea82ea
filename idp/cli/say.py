"""What commands share: the services of the configuration, and data as JSON or as a plain table."""

import json
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from idp.conf import Settings
    from idp.services import Services

F = TypeVar("F", bound=Callable[..., Any])


_ID = re.compile(r"-[A-Za-z0-9_-]{20,}")


class WithId(click.Command):
    """A command with an id as its argument. One in 64 of our ids begins with a hyphen."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ids = [one for one in args if _ID.fullmatch(one) and not one.startswith("--")]
        rest = [one for one in args if one not in ids]
        return super().parse_args(ctx, [*rest, "--", *ids] if ids else args)


def json_option(command: F) -> F:
    """`--json`, for every command that prints data."""
    add = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
    return add(command)


def list_options(states: type[StrEnum]) -> Callable[[F], F]:
    """`--person`, `--state`, `--limit`, `--json`, for a list of what people hold."""
    whose = "Of this personnel number only."
    choice = click.Choice([state.value for state in states])
    person = click.option("--person", "personnel_number", default="", help=whose)
    state = click.option("--state", type=choice, help="In this state only.")
    limit = click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
    return lambda command: person(state(limit(json_option(command))))


def settings_of(config_file: Path) -> "Settings":
    """The checked configuration; the embedded store by its socket. ConfError."""
    from idp import conf_file, embedded, logs

    settings = conf_file.load(config_file)
    logs.configure("warning")  # a command says what it did by itself
    return embedded.with_url(settings)


def file_option(name: str, meaning: str) -> Callable[[F], F]:
    """An option that names a file to read."""
    kind = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.option(name, type=kind, help=meaning)


def json_of(file: Path) -> dict[str, Any]:
    """The JSON object in a file. click.ClickException."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise click.ClickException(f"{file} is no JSON in UTF-8: {error}") from error
    if not isinstance(found, dict):
        raise click.ClickException(f"{file} holds no JSON object")
    return found


def object_of(file: Path) -> dict[str, Any]:
    """The settings in a JSON or TOML file, as its name says. click.ClickException."""
    if file.suffix.lower() != ".toml":
        return json_of(file)
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise click.ClickException(f"{file} is no TOML in UTF-8: {error}") from error


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
        click.echo(json.dumps(thing, ensure_ascii=False, indent=1, default=_in_json))
        return
    for name, value in thing.items():
        click.echo(f"{name}: {_cell(value)}")


def _in_json(value: Any) -> str:
    """For programs: UTC."""
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else _cell(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):  # in the zone of who reads it, which is said
        return value.astimezone().isoformat(timespec="seconds")
    if isinstance(value, list | tuple):
        return " ".join(map(_cell, value))
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))


def _width(text: str) -> int:
    """Columns on a terminal: Korean letters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
