"""`gongmu person`: what the directory says, as the provider reads it."""

from pathlib import Path

import click

from idp.cli.say import actor, json_option, one, services
from idp.events import Event, Kind


@click.group()
def group() -> None:
    """What the directory says of a person."""


@group.command()
@click.argument("personnel_number")
@json_option
@click.pass_obj
def show(config_file: Path, personnel_number: str, *, as_json: bool) -> None:
    """State, agency, groups and mobile IDs of a person. Reading is an event."""
    with services(config_file) as parts:
        official = parts.people.find(personnel_number)
        mobile_ids = parts.cutoff.all(personnel_number)
        facts = {"what": "person"}
        parts.journal.record_alone(Event(Kind.API_READ, actor=actor(), data=facts))
    one(
        {
            "personnel_number": official.personnel_number,
            "name": official.name,
            "agency": official.agency,
            "department": official.department,
            "rank": official.rank,
            "mail": official.mail,
            "state": official.state.value,
            "source": official.source,
            "groups": list(official.groups),
            "photo": official.photo is not None,
            "mobile_ids": [f"{mobile_id.id} {mobile_id.state}" for mobile_id in mobile_ids],
        },
        as_json=as_json,
    )
