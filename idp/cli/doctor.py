"""`gongmu doctor`: what is wrong, or soon will be, and the remedy."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from idp.cli.say import json_option


@click.command()
@click.option("--all", "everything", is_flag=True, help="Say what is as it should be, too.")
@json_option
@click.pass_obj
def doctor(config_file: Path, *, everything: bool, as_json: bool) -> None:
    """Look for what is wrong, or soon will be, and say the remedy. Exit code 1 when it must be fixed."""
    from idp import logs
    from idp.app import utc_now
    from idp.doctor import Level, examine

    logs.configure("error")
    found = list(examine(config_file, utc_now()))
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=1))
    else:
        for one in found:
            if everything or one.level is not Level.OK:
                click.echo(f"{one.level.value:<5}{one.what}: {one.found}")
                if one.remedy:
                    click.echo(f"     -> {one.remedy}")
        counts = {level: sum(one.level is level for one in found) for level in Level}
        click.echo(", ".join(f"{count} {level}" for level, count in counts.items()))
    sys.exit(1 if any(one.level is Level.FIX for one in found) else 0)
