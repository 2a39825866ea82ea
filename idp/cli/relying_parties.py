"""`gongmu rp`: relying parties. A secret is shown once, when it is made."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli import client_secrets
from idp.cli.people import say_preview
from idp.cli.say import actor, file_option, json_of, json_option, one, services, table
from idp.conf import ACR_ORDER

if TYPE_CHECKING:
    from idp.relying_parties import RelyingParty
    from idp.services import Services

_SCOPE = "openid profile email groups offline_access"
_API_SCOPE = "gongmu:people gongmu:events gongmu:issue"
_COLUMNS = ("client_id", "kind", "name_ko", "minimum_acr", "consent", "disabled")


@click.group()
def group() -> None:
    """Relying parties: add, list, show, preview."""


group.add_command(client_secrets.group)


@group.command()
@click.argument("client_id")
@click.option("--name-ko", help="What people read in Korean (default: the client id).")
@click.option("--name-en", help="The same in English.")
@click.option(
    "--kind", default="internal", show_default=True, help="mail, smart_work, internal ..."
)
@click.option("--redirect-uri", "redirect_uris", multiple=True)
@click.option("--post-logout-redirect-uri", "post_logout_redirect_uris", multiple=True)
@click.option("--backchannel-logout-uri", default="")
@click.option("--scope", help=f"Separated by blanks (default: {_SCOPE}).")
@click.option("--acr", "minimum_acr", type=click.Choice(ACR_ORDER), default=ACR_ORDER[1])
@click.option("--consent", type=click.Choice(["trusted", "once", "always"]), default="trusted")
@click.option("--sector", default="", help="Parties of one sector see the same `sub`.")
@click.option("--no-pkce", is_flag=True, help="For a product that cannot do PKCE.")
@click.option("--id-token-alg", type=click.Choice(["ES256", "RS256", "EdDSA"]), default="ES256")
@click.option("--claims-in-id-token", is_flag=True, help="For a product that never asks userinfo.")
@file_option("--claims", "A JSON file with the claims mapping (docs/relying-parties.md).")
@click.option(
    "--api", is_flag=True, help="A program that calls /api/v1 for itself; signs nobody in."
)
@json_option
@click.pass_obj
def add(config_file: Path, /, client_id: str, *, as_json: bool, **given: Any) -> None:
    """Register one; prints what its own settings need."""
    if bool(given["redirect_uris"]) == given["api"]:
        raise click.UsageError("either --redirect-uri (people sign in there) or --api (a program)")
    with services(config_file) as parts:
        issuer = parts.settings.issuer
        party = _party(client_id, given)
        if given["api"]:
            party = _for_api(party, given, f"{issuer}/api/v1")
        _check_kind(parts, party)
        secret = parts.relying_parties.add(party, actor())
    facts = {"issuer": issuer, "client_id": client_id, "client_secret": secret}
    discovery = f"{issuer}/.well-known/openid-configuration"
    one({**facts, "discovery": discovery, **_own_settings(party)}, as_json=as_json)


def _party(client_id: str, given: dict[str, Any]) -> "RelyingParty":
    from idp.relying_parties import RelyingParty

    return RelyingParty(
        client_id=client_id,
        name_ko=given["name_ko"] or client_id,
        name_en=given["name_en"] or client_id,
        kind=given["kind"],
        redirect_uris=given["redirect_uris"],
        post_logout_redirect_uris=given["post_logout_redirect_uris"],
        backchannel_logout_uri=given["backchannel_logout_uri"],
        minimum_acr=given["minimum_acr"],
        consent=given["consent"],
        sector=given["sector"],
        pkce_required=not given["no_pkce"],
        id_token_signed_response_alg=given["id_token_alg"],
        claims=json_of(given["claims"]) if given["claims"] else {},
        claims_in_id_token=given["claims_in_id_token"],
        scope=tuple((given["scope"] or _SCOPE).split()),
    )


def _for_api(party: "RelyingParty", given: dict[str, Any], audience: str) -> "RelyingParty":
    scope = tuple((given["scope"] or _API_SCOPE).split())
    return replace(party, grant_types=("client_credentials",), scope=scope, audience=audience)


def _check_kind(parts: "Services", party: "RelyingParty") -> None:
    if party.kind not in parts.adapters:
        raise click.UsageError(f"--kind is one of {', '.join(sorted(parts.adapters))}")


def _own_settings(party: "RelyingParty") -> dict[str, Any]:
    if party.audience:
        return {"grant_type": "client_credentials", "scope": " ".join(party.scope)}
    return {"redirect_uris": party.redirect_uris}


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
        raise click.ClickException(f"there is no relying party {client_id!r}; see: gongmu rp list")
    one(asdict(party), as_json=as_json)


@group.command()
@click.argument("client_id")
@click.option("--person", "personnel_number", required=True, help="Whose claims to show.")
@click.option("--scope", help="Separated by blanks (default: all that it may ask for).")
@file_option("--claims", "A JSON file: a mapping to try in place of the registered one.")
@json_option
@click.pass_obj
def preview(
    config_file: Path,
    /,
    client_id: str,
    personnel_number: str,
    scope: str | None,
    claims: Path | None,
    *,
    as_json: bool,
) -> None:
    """What it would be told of a person, and why a claim is missing. Reading is an event."""
    say_preview(config_file, personnel_number, client_id, (scope, claims), as_json=as_json)
