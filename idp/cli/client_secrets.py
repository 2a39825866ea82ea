"""`gongmu rp secret`: the secrets of one relying party, of which two may live at a time."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import click

from idp.cli.say import WithId, actor, json_option, one, services, table

_COLUMNS = ("id", "created_at", "expires_at", "used_at")


@click.group("secret")
def group() -> None:
    """Client secrets: add a second one, change over, remove the first."""


@group.command()
@click.argument("client_id")
@click.option("--days", type=click.IntRange(1, 3650), help="It ends after so many days.")
@json_option
@click.pass_obj
def add(config_file: Path, client_id: str, days: int | None, *, as_json: bool) -> None:
    """One more, beside the one in use; it is shown this once."""
    life = timedelta(days=days) if days else None
    with services(config_file) as parts:
        secret_id, secret = parts.relying_parties.secrets.add(client_id, actor(), life)
    one({"client_id": client_id, "id": secret_id, "client_secret": secret}, as_json=as_json)


@group.command("list")
@click.argument("client_id")
@json_option
@click.pass_obj
def list_(config_file: Path, client_id: str, *, as_json: bool) -> None:
    """When each was made, when it ends, and when it was last used."""
    with services(config_file) as parts:
        rows = [asdict(secret) for secret in parts.relying_parties.secrets.of(client_id)]
    table(rows, _COLUMNS, as_json=as_json)


@group.command(cls=WithId)
@click.argument("client_id")
@click.argument("secret_id")
@click.pass_obj
def remove(config_file: Path, client_id: str, secret_id: str) -> None:
    """It is dead within two seconds."""
    with services(config_file) as parts:
        parts.relying_parties.secrets.remove(client_id, secret_id, actor())
    click.echo(f"removed: {secret_id}")
