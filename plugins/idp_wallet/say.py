"""How the command answers: plain lines for people, one JSON document for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from idp_wallet.faults import WalletStopped


def say(document: Mapping[str, Any], lines: Sequence[str], *, as_json: bool) -> None:
    """The same facts, for who reads them."""
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    for line in lines:
        click.echo(_printable(line))


def stopped(error: WalletStopped, *, as_json: bool) -> NoReturn:
    """Why it did not work, and exit code 1."""
    if as_json:
        click.echo(json.dumps({"error": error.code, "message": error.detail}, ensure_ascii=False))
    else:
        click.echo(f"Error: {_printable(error.detail)}", err=True)
    raise SystemExit(1) from error


def _printable(line: str) -> str:
    """Names come from outside: what would steer a terminal is taken out."""
    return "".join(character if character.isprintable() else "?" for character in line)
