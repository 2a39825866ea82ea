"""`gongmu rp`: relying parties. A secret is shown once, when it is made."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from idp.cli.say import actor, json_option, one, services, table
from idp.conf import ACR_ORDER

_SCOPE = "openid profile email groups offline_access"
_COLUMNS = ("client_id", "kind", "name_ko", "minimum_acr", "consent", "disabled")


@click.group()
def group() -> None:
    """Relying parties: add, list, show."""


@group.command()
@click.argument("client_id")
@click.option("--name-ko", help="What people read in Korean (default: the client id).")
@click.option("--name-en", help="The same in English.")
@click.option(
    "--kind", default="internal", show_default=True, help="mail, smart_work, internal ..."
)
@click.option("--redirect-uri", "redirect_uris", multiple=True, required=True)
@click.option("--post-logout-redirect-uri", "post_logout_redirect_uris", multiple=True)
@click.option("--backchannel-logout-uri", default="")
@click.option("--scope", default=_SCOPE, show_default=True, help="Separated by blanks.")
@click.option("--acr", "minimum_acr", type=click.Choice(ACR_ORDER), default=ACR_ORDER[1])
@click.option("--consent", type=click.Choice(["trusted", "once", "always"]), default="trusted")
@click.option("--no-pkce", is_flag=True, help="For a product that cannot do PKCE.")
@click.option("--id-token-alg", type=click.Choice(["ES256", "RS256", "EdDSA"]), default="ES256")
@json_option
@click.pass_obj
def add(config_file: Path, /, client_id: str, *, as_json: bool, **given: Any) -> None:
    """Register one; prints what its own settings need."""
    with services(config_file) as parts:
        from idp.relying_parties import RelyingParty

        party = RelyingParty(
            client_id=client_id,
            name_ko=given["name_ko"] or client_id,
            name_en=given["name_en"] or client_id,
            kind=given["kind"],
            redirect_uris=given["redirect_uris"],
            post_logout_redirect_uris=given["post_logout_redirect_uris"],
            backchannel_logout_uri=given["backchannel_logout_uri"],
            minimum_acr=given["minimum_acr"],
            consent=given["consent"],
            pkce_required=not given["no_pkce"],
            id_token_signed_response_alg=given["id_token_alg"],
            scope=tuple(given["scope"].split()),
        )
        if party.kind not in parts.adapters:
            raise click.UsageError(f"--kind is one of {', '.join(sorted(parts.adapters))}")
        secret = parts.relying_parties.add(party, actor())
        issuer = parts.settings.issuer
    facts = {"issuer": issuer, "client_id": client_id, "client_secret": secret}
    discovery = f"{issuer}/.well-known/openid-configuration"
    one({**facts, "discovery": discovery, "redirect_uris": party.redirect_uris}, as_json=as_json)


@group.command("list")
@json_option
@click.pass_obj
def list_(config_file: Path, *, as_json: bool) -> None:
    """Every one, by client id."""
    with services(config_file) as parts:
        rows = [asdict(party) for party in parts.relying_parties.all()]
    table(rows, _COLUMNS, as_json=as_json)


@group.command()
@click.argument("client_id")
@json_option
@click.pass_obj
def show(config_file: Path, client_id: str, *, as_json: bool) -> None:
    """All settings of one, its secret left out."""
    with services(config_file) as parts:
        party = parts.relying_parties.get(client_id)
    if party is None:
        raise click.ClickException(f"there is no relying party {client_id!r}")
    one(asdict(party), as_json=as_json)
