"""`gongmu db`: the schema of the SQL store."""

from pathlib import Path

import click

from idp.cli.say import actor, file_option, json_option, one, services, settings_of


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


@group.command()
@file_option("--journal", "Events kept elsewhere, as JSON lines: what was revoked is so again.")
@click.option(
    "--without-journal", is_flag=True, help="What was revoked since the backup lives again."
)
@json_option
@click.pass_obj
def restored(
    config_file: Path, /, journal: Path | None, *, without_journal: bool, as_json: bool
) -> None:
    """After a backup was put back: revoke again what was, end all sessions, go on from here.

    Until then a provider that notices answers nothing from this database.
    """
    from idp.cli import restored as work

    if (journal is None) is not without_journal:
        raise click.UsageError("either --journal FILE or --without-journal")
    with services(config_file) as parts:
        found = work.lost(parts, work.read(journal) if journal else ())
        revoked = work.revoke_again(parts, found, actor())
        ended = work.end_all_sessions(parts, actor())
        facts = {"journal": "no" if journal is None else "yes", "revoked": str(revoked)}
        work.allow(parts, actor(), {**facts, "sessions": str(ended)})
    by_hand = [f"{one['kind']} {one.get('at', '')} {one['id']}" for one in found.by_hand]
    told = {"revoked": revoked, "sessions_ended": ended, "look_at": by_hand}
    one(told, as_json=as_json)
