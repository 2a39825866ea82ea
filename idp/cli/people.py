"""`gongmu person`: what is known of a person, and what a relying party would be told."""

from pathlib import Path
from typing import Any

import click

from idp.cli.say import actor, file_option, json_of, json_option, one, services, table
from idp.events import Reason

_ENTRY = ("personnel_number", "name", "agency", "department", "rank", "mail", "state", "source")
_MOBILE_IDS = ("id", "state", "created_at", "expires_at")
_SESSIONS = ("id", "method", "acr", "device", "address", "authenticated_at", "expires_at")
_CLAIMS = ("claim", "value", "path", "missing")


@click.group()
def group() -> None:
    """A person: directory, gate, mobile IDs, sessions; what would be told of them."""


@group.command()
@click.argument("personnel_number")
@json_option
@click.pass_obj
def show(config_file: Path, personnel_number: str, *, as_json: bool) -> None:
    """The directory entry as it is read, the account gate, mobile IDs, live sessions. An event."""
    from idp.admin import people

    with services(config_file) as parts:
        record = people.record_of(parts, personnel_number)
        people.read(parts, actor(), "person", record)
    found = people.shown(record)
    if as_json:
        one(found, as_json=True)
        return
    one({name: found[name] for name in (*_ENTRY, "groups", "photo")}, as_json=False)
    _section("entry, as the source reads it")
    one(found["entry"], as_json=False)
    _section("account gate")
    one(_gate(found), as_json=False)
    for title, columns in (("mobile_ids", _MOBILE_IDS), ("sessions", _SESSIONS)):
        _section(f"{title.replace('_', ' ')}: {len(found[title]) or 'none'}")
        if found[title]:
            table(found[title], columns, as_json=False)


def _gate(found: dict[str, Any]) -> dict[str, Any]:
    verdict = "open" if found["may_act"] else f"closed: {_words(found['reason'])}"
    return {
        "verdict": verdict,
        "cut off before": found["cut_off_before"] or "never",
        "subject": [f"{subject} ({issuer})" for issuer, subject in found["subjects"].items()],
    }


def _words(reason: str) -> str:
    """As the person is told, and the word for rules and scripts."""
    from idp.web.reasons import WORDS

    return f"{WORDS[Reason(reason)].title} ({reason})"


def _section(title: str) -> None:
    click.echo(f"\n{title}")


@group.command()
@click.argument("personnel_number")
@click.option("--client", "client_id", required=True, help="The relying party.")
@click.option("--scope", help="Separated by blanks (default: all that it may ask for).")
@file_option("--claims", "A JSON file: a mapping to try in place of the registered one.")
@json_option
@click.pass_obj
def preview(
    config_file: Path,
    /,
    personnel_number: str,
    client_id: str,
    scope: str | None,
    claims: Path | None,
    *,
    as_json: bool,
) -> None:
    """Each claim's way from the raw entry to the token, and why one is missing. An event."""
    say_preview(config_file, personnel_number, client_id, (scope, claims), as_json=as_json)


def say_preview(
    config_file: Path,
    personnel_number: str,
    client_id: str,
    tried: tuple[str | None, Path | None],
    *,
    as_json: bool,
) -> None:
    """The same for `gongmu rp preview`; `tried` is a scope and a file with a mapping."""
    from idp.admin import people
    from idp.admin import preview as previewing

    scope, file = tried
    mapping = json_of(file) if file is not None else None
    with services(config_file) as parts:
        found = previewing.preview(
            parts,
            personnel_number,
            client_id,
            frozenset(scope.split()) if scope is not None else None,
            mapping,
        )
        record = people.record_of(parts, personnel_number)
        people.read(parts, actor(), "preview", record)
    shown = previewing.shown(found)
    if as_json:
        one(shown, as_json=True)
        return
    verdict = "yes" if shown["may_enter"] else f"no: {_words(shown['reason'])}"
    one({"may enter": verdict, "scope": shown["scope"]}, as_json=False)
    _section("claims")
    rows = [{**claim, "path": " > ".join(claim["path"])} for claim in shown["claims"]]
    table(rows, _CLAIMS, as_json=False)
    for claim in shown["claims"]:
        for group_name, why in claim["left_out"].items():
            click.echo(f"{claim['claim']}: {group_name} left out: {why}")
