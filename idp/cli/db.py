"""`gongmu db`: the schema of the SQL store."""

from pathlib import Path

import click

from idp.cli.say import json_option, one, settings_of


@click.group()
def group() -> None:
    """The schema of the SQL store."""


@group.command()
@json_option
@click.pass_obj
def upgrade(config_file: Path, *, as_json: bool) -> None:
    """Bring the schema up to date."""
    from idp.store import migrations
    from idp.store.sql import open_engine

    engine = open_engine(settings_of(config_file).stores)
    try:
        before, now = migrations.upgrade(engine)
    finally:
        engine.dispose()
    one({"before": before, "now": now, "changed": before != now}, as_json=as_json)
