"""`gongmu rp kit`: both sides' settings for a product, to be copied."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from idp.cli.say import json_option, one, settings_of


def _known(_context: click.Context, _option: click.Parameter, product: str) -> str:
    from idp.admin.kits import products

    if product not in products():
        raise click.BadParameter(f"one of {', '.join(products())}")
    return product


@click.command()
@click.argument("product", callback=_known)
@click.option("--client", "client_id", help="The client id (default: the product's name).")
@click.option(
    "--url", default="https://rp.example.go.kr", show_default=True, help="Where the product is."
)
@json_option
@click.pass_obj
def kit(config_file: Path, product: str, client_id: str | None, url: str, *, as_json: bool) -> None:
    """What to register here and what to set there, for one product.

    The settings alone, as `gongmu rp add --kit PRODUCT --url URL` registers them, are in --json.
    """
    from idp.admin import kits

    issuer = settings_of(config_file).issuer
    found = kits.kit(product, issuer, client_id or product, url)
    if as_json:
        one(asdict(found), as_json=True)
        return
    click.echo(f"{found.name}\n\nAt Gongmu")
    click.echo(f"  gongmu rp add {found.client_id} --kit {product} --url {url}")
    for name, value in found.settings.items():
        click.echo(f"  {name}: {_text(value)}")
    for side in found.theirs:
        click.echo(f"\nThere: {side['where']}")
        for line in side["text"].strip("\n").splitlines():
            click.echo(f"  {line}".rstrip())
    click.echo()
    for note in found.notes:
        click.echo(f"Note: {note}")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
