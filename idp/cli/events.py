"""`gongmu events`: security events, newest first or as they come, and the proof that none was changed."""

import contextlib
import json
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli.say import actor, json_option, one, services, settings_of, table
from idp.events import Event, Kind

if TYPE_CHECKING:
    from idp.services import Services

_COLUMNS = ("at", "kind", "reason", "actor", "relying_party", "method", "acr", "address", "journey")
_TAIL_LOOK = 500


@click.group()
def group() -> None:
    """Security events: list, follow, verify."""


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
    """The newest first; a journey as it went. Reading them is an event too."""
    wanted: dict[str, Any] = {name: value for name, value in match.items() if value}
    with services(config_file) as parts:
        found = parts.journal.read(limit=limit, **wanted)
        facts = {"what": "events", "count": str(len(found))}
        parts.journal.record_alone(Event(Kind.API_READ, actor=actor(), data=facts))
    if match.get("journey"):
        found.reverse()
    table(found if as_json else list(map(_plain, found)), _COLUMNS, as_json=as_json)


@group.command()
@json_option
@click.pass_obj
def tail(config_file: Path, *, as_json: bool) -> None:
    """Events as they come, until Ctrl-C."""
    with services(config_file) as parts, contextlib.suppress(KeyboardInterrupt):
        parts.journal.record_alone(Event(Kind.API_READ, actor=actor(), data={"what": "tail"}))
        for event in _follow(parts):
            click.echo(_line(event, as_json=as_json))


@group.command()
@json_option
@click.pass_obj
def verify(config_file: Path, *, as_json: bool) -> None:
    """Follow every writer's chain of hashes; exit code 1 and the first bad record of each on a fault."""
    from idp.journal import verify_chains
    from idp.store import migrations
    from idp.store.sql import open_engine

    engine = open_engine(settings_of(config_file).stores)  # SQL alone, whatever else is broken
    try:
        migrations.check(engine)
        faults = _first_of_each(verify_chains(engine))
    finally:
        engine.dispose()
    if as_json:
        one({"sound": not faults, "faults": faults}, as_json=True)
    else:
        click.echo("\n".join(faults) or "every chain is whole", err=bool(faults))
    sys.exit(1 if faults else 0)


def _first_of_each(faults: Iterable[str]) -> list[str]:
    """What follows a bad record is bad for that reason alone."""
    first: dict[str, str] = {}
    for fault in faults:
        first.setdefault(fault.partition(":")[0], fault)
    return list(first.values())


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


def _plain(event: dict[str, Any]) -> dict[str, Any]:
    """For people: the time in their zone, no reason that says there is none."""
    reason = event.get("reason")
    at = datetime.fromisoformat(event["at"]).astimezone().isoformat(timespec="milliseconds")
    return {**event, "at": at, "reason": "" if reason == "none" else reason}


def _line(event: dict[str, Any], *, as_json: bool) -> str:
    if as_json:
        return json.dumps(event, ensure_ascii=True)
    shown = (str(_plain(event).get(name, "")) for name in _COLUMNS)
    return "  ".join(text for text in shown if text)
