"""`gongmu keys`: the signing keys, never their private halves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from idp.cli.say import WithId, actor, json_option, one, settings_of, table
from idp.contracts import Use

if TYPE_CHECKING:
    from idp.keys import KeyRing

_COLUMNS = ("kid", "use", "algorithm", "state", "created_at", "active_at", "retired_at")


@click.group()
def group() -> None:
    """Signing keys: list, rotate, retire."""


@contextmanager
def _ring(config_file: Path) -> Iterator["KeyRing"]:
    """The keys alone: they can be rotated while the directory or Redis is away."""
    from idp.app import utc_now
    from idp.journal import Journal
    from idp.keys import KeyRing
    from idp.store import migrations
    from idp.store.sql import open_engine

    settings = settings_of(config_file)
    engine = open_engine(settings.stores)
    try:
        migrations.check(engine)
        yield KeyRing(engine, Journal(engine, utc_now), settings, utc_now)
    finally:
        engine.dispose()


@group.command("list")
@json_option
@click.pass_obj
def list_(config_file: Path, *, as_json: bool) -> None:
    """Every key with its state, oldest first."""
    with _ring(config_file) as ring:
        rows = [{name: getattr(row, name) for name in _COLUMNS} for row in ring.rows()]
    table(rows, _COLUMNS, as_json=as_json)


@group.command()
@click.option(
    "--use", type=click.Choice([use.value for use in Use]), default="oidc", show_default=True
)
@click.option(
    "--algorithm", type=click.Choice(["ES256", "RS256", "PS256", "EdDSA"]), default="ES256"
)
@click.option("--now", "at_once", is_flag=True, help="Do not wait until everybody knows it.")
@json_option
@click.pass_obj
def rotate(config_file: Path, use: str, algorithm: str, *, at_once: bool, as_json: bool) -> None:
    """One step: publish a next key, or let the published one sign."""
    if use != Use.OIDC and algorithm != "ES256":
        raise click.UsageError("verifier and issuer sign with ES256")
    with _ring(config_file) as ring:
        kid, state = ring.rotate(Use(use), algorithm, actor(), at_once=at_once)
    one({"kid": kid, "state": state}, as_json=as_json)


@group.command(cls=WithId)
@click.argument("kid")
@click.option("--compromised", is_flag=True, help="Others may know it: gone from the JWKS at once.")
@json_option
@click.pass_obj
def retire(config_file: Path, kid: str, *, compromised: bool, as_json: bool) -> None:
    """Take a key out of use."""
    with _ring(config_file) as ring:
        state = ring.retire(kid, actor(), compromised=compromised)
    one({"kid": kid, "state": state}, as_json=as_json)
