"""`gongmu session`: where a person is signed in; end one, or all of them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from idp.cli.say import WithId, actor, json_option, one, services, table

if TYPE_CHECKING:
    from idp.services import Services
    from idp.sessions import Session

_COLUMNS = ("id", "method", "acr", "device", "address", "authenticated_at", "seen_at", "expires_at")


@click.group()
def group() -> None:
    """Sessions: list, end."""


@group.command("list")
@click.option("--person", "personnel_number", required=True, help="The personnel number.")
@json_option
@click.pass_obj
def list_(config_file: Path, personnel_number: str, *, as_json: bool) -> None:
    """Where this person is signed in now. Looking is an event."""
    from idp.events import Event, Kind

    with services(config_file) as parts:
        found = _of(parts, personnel_number)
        for subject, sessions in found.items():
            facts = {"what": "sessions", "rows": str(len(sessions))}
            parts.journal.record_alone(
                Event(Kind.API_READ, actor=actor(), subject=subject, data=facts)
            )
    rows = [
        {name: getattr(session, name) for name in _COLUMNS}
        for sessions in found.values()
        for session in sessions
    ]
    table(rows, _COLUMNS, as_json=as_json)


@group.command(cls=WithId)
@click.argument("session_id", required=False)
@click.option("--person", "personnel_number", help="All of this personnel number.")
@json_option
@click.pass_obj
def end(
    config_file: Path, session_id: str | None, personnel_number: str | None, *, as_json: bool
) -> None:
    """End a session, or all of a person: tokens are dead at once, and relying parties are told."""
    from idp.events import Reason

    if (session_id is None) == (personnel_number is None):
        raise click.UsageError("name a session, or --person")
    with services(config_file) as parts:
        if personnel_number is not None:
            ended = [
                one
                for subject in _of(parts, personnel_number)
                for one in parts.sessions.end_all(subject, Reason.BY_OPERATOR, actor())
            ]
        else:
            wanted = str(session_id)
            ended = [wanted] if parts.sessions.end(wanted, Reason.BY_OPERATOR, actor()) else []
    if session_id is not None and not ended:
        raise click.ClickException(f"there is no session {session_id!r}, or it has ended")
    one({"ended": ended}, as_json=as_json)


def _of(parts: "Services", personnel_number: str) -> "dict[str, list[Session]]":
    """Our id -> sessions, without asking the directory: it may be away when this is needed."""
    from idp.store.sql import transaction

    with transaction(parts.engine) as connection:
        subjects = parts.people.known_subjects(connection, personnel_number)
    return {subject: parts.sessions.of(subject) for subject in subjects.values()}
