"""`gongmu rp invitation`: who may register a relying party by itself (RFC 7591 §3)."""

from dataclasses import asdict
from pathlib import Path

import click

from idp.cli.say import WithId, actor, json_option, one, services, table

_COLUMNS = ("id", "note", "uses_left", "expires_at", "created_by")


@click.group("invitation")
def group() -> None:
    """Invitations to register by oneself: add, list, remove."""


@group.command()
@click.option("--note", default="", help="For whom, at most 120 characters.")
@click.option("--uses", type=click.IntRange(1, 1000), default=1, show_default=True)
@click.option("--days", type=click.IntRange(1, 365), default=7, show_default=True)
@json_option
@click.pass_obj
def add(config_file: Path, note: str, uses: int, days: int, *, as_json: bool) -> None:
    """A new one; its initial access token is shown this once."""
    if len(note) > 120 or not note.isprintable():
        raise click.UsageError("--note is one line of at most 120 characters")
    with services(config_file) as parts:
        if not parts.settings.registration.enabled:
            raise click.ClickException("registration.enabled is off in the configuration")
        made, token = parts.self_registration.invite(note, uses, days, actor())
        where = f"{parts.settings.issuer}/oauth/register"
    facts = {"registration_endpoint": where, "initial_access_token": token}
    one({**facts, **asdict(made)}, as_json=as_json)


@group.command("list")
@json_option
@click.pass_obj
def list_(config_file: Path, *, as_json: bool) -> None:
    """Those that can still be used."""
    with services(config_file) as parts:
        rows = [asdict(invitation) for invitation in parts.self_registration.all()]
    table(rows, _COLUMNS, as_json=as_json)


@group.command(cls=WithId)
@click.argument("invitation_id")
@click.pass_obj
def remove(config_file: Path, invitation_id: str) -> None:
    """Nobody can register by it any more; who did stays registered."""
    with services(config_file) as parts:
        if not parts.self_registration.withdraw(invitation_id, actor()):
            raise click.ClickException("there is no such invitation")
