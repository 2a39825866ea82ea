"""`gongmu config`: check it, its schema, its default text."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from idp import conf_file
from idp.cli.say import json_option
from idp.errors import ConfError


@click.group()
def group() -> None:
    """Check, explain and write the configuration."""


@group.command()
@json_option
@click.pass_obj
def check(config_file: Path, *, as_json: bool) -> None:
    """Say every mistake in the file at once; exit code 1 when there is one."""
    problems = []
    try:
        conf_file.load(config_file)
    except ConfError as error:
        problems = error.problems
    if as_json:
        click.echo(json.dumps([asdict(problem) for problem in problems], ensure_ascii=False))
    else:
        for problem in problems:
            click.echo(str(problem), err=True)
        if not problems:
            click.echo(f"{config_file}: no mistakes")
    sys.exit(1 if problems else 0)


@group.command()
def schema() -> None:
    """The JSON Schema of the file, for editors."""
    click.echo(json.dumps(conf_file.schema(), ensure_ascii=False, indent=1))


@group.command()
def default() -> None:
    """A file with every key, its default and its meaning."""
    click.echo(conf_file.default_text(), nl=False)
