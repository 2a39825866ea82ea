"""`gongmu events`: security events, newest first or as they come."""

import contextlib
import json
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli.say import actor, json_option, services, table
from idp.events import Event, Kind

if TYPE_CHECKING:
    from idp.services import Services

_COLUMNS = ("at", "kind", "reason", "relying_party", "method", "acr", "address", "journey")
_TAIL_LOOK = 500


@click.group()
def group() -> None:
    """Security events: list them, follow them."""


@group.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--kind", help="e.g. session:start:accepted")
@click.option("--journey", help="One sign-in as one story.")
@click.option("--subject", help="A person's internal id.")
@click.option("--reason", help="e.g. person_retired")
@click.option("--session", help="A session's id.")
@json_option
@click.pass_obj
def list_(config_file: Path, /, limit: int, *, as_json: bool, **match: str | None) -> None:
    """The newest first. Reading them is an event too."""
    wanted: dict[str, Any] = {name: value for name, value in match.items() if value}
    with services(config_file) as parts:
        found = parts.journal.read(limit=limit, **wanted)
        facts = {"what": "events", "count": str(len(found))}
        parts.journal.record_alone(Event(Kind.API_READ, actor=actor(), data=facts))
    table(found, _COLUMNS, as_json=as_json)


@group.command()
@json_option
@click.pass_obj
def tail(config_file: Path, *, as_json: bool) -> None:
    """Events as they come, until Ctrl-C."""
    with services(config_file) as parts, contextlib.suppress(KeyboardInterrupt):
        parts.journal.record_alone(Event(Kind.API_READ, actor=actor(), data={"what": "tail"}))
        for event in _follow(parts):
            click.echo(_line(event, as_json=as_json))


def _follow(parts: "Services") -> Iterator[dict[str, Any]]:
    """Every event that was not there when this began."""
    latest = parts.journal.read(limit=_TAIL_LOOK)
    seen = deque((event["id"] for event in latest), maxlen=4 * _TAIL_LOOK)
    while True:
        for event in reversed(parts.journal.read(limit=_TAIL_LOOK)):
            if event["id"] not in seen:
                seen.append(event["id"])
                yield event
        time.sleep(0.5)


def _line(event: dict[str, Any], *, as_json: bool) -> str:
    if as_json:
        return json.dumps(event, ensure_ascii=True)
    shown = (str(event.get(name, "")) for name in _COLUMNS)
    return "  ".join(text for text in shown if text)
