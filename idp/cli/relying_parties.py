"""`gongmu rp`: relying parties. A secret is shown once, when it is made."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli import client_secrets, invitations, relying_party_kits
from idp.cli.people import say_preview
from idp.cli.say import (
    actor,
    file_option,
    json_of,
    json_option,
    object_of,
    one,
    services,
    table,
)
from idp.conf import ACR_ORDER

if TYPE_CHECKING:
    from idp.relying_parties import RelyingParty
    from idp.services import Services

_COLUMNS = ("client_id", "kind", "name_ko", "profile", "minimum_acr", "consent", "disabled")
_FLAGS = {"no_pkce": ("pkce_required", False), "claims_in_id_token": ("claims_in_id_token", True)}


@click.group()
def group() -> None:
    """Relying parties: add, change, test, show; what they would be told; both sides' settings."""


for _command in (client_secrets.group, invitations.group, relying_party_kits.kit):
    group.add_command(_command)


@group.command()
@click.argument("client_id")
@click.option("--name-ko", help="What people read in Korean (default: the client id).")
@click.option("--name-en", help="The same in English.")
@click.option("--kind", help="mail, smart_work, internal ... (default: internal).")
@click.option("--profile", type=click.Choice(["oidc", "fapi2", "public"]))
@click.option("--redirect-uri", "redirect_uris", multiple=True)
@click.option("--post-logout-redirect-uri", "post_logout_redirect_uris", multiple=True)
@click.option("--backchannel-logout-uri")
@click.option("--auth-method", "token_endpoint_auth_methods", multiple=True)
@click.option("--jwks-uri", help="Where its public keys are.")
@file_option("--jwks", "A JSON file with its public keys.")
@click.option("--scope", help="Separated by blanks.")
@click.option("--acr", "minimum_acr", type=click.Choice(ACR_ORDER))
@click.option("--consent", type=click.Choice(["trusted", "once", "always"]))
@click.option("--sector", help="Parties of one sector see the same `sub`.")
@click.option("--no-pkce", is_flag=True, help="For a product that cannot do PKCE.")
@click.option(
    "--id-token-alg",
    "id_token_signed_response_alg",
    type=click.Choice(["ES256", "RS256", "PS256", "EdDSA"]),
)
@click.option("--claims-in-id-token", is_flag=True, help="For a product that never asks userinfo.")
@file_option("--claims", "A JSON file with the claims mapping (docs/relying-parties.md).")
@click.option(
    "--api", is_flag=True, help="A program that calls /api/v1 for itself; signs nobody in."
)
@file_option("--file", "A JSON or TOML file with any settings; options come before it.")
@click.option("--kit", "product", help="Settings for a product; see: gongmu rp kit.")
@click.option("--url", default="", help="Where that product is.")
@json_option
@click.pass_obj
def add(config_file: Path, /, client_id: str, *, as_json: bool, **given: Any) -> None:
    """Register one; prints what its own settings need."""
    from idp.admin import relying_parties

    settings = {**_preset(client_id, given), **_settings(given)}
    if bool(settings.get("redirect_uris")) == given["api"] and not given["file"]:
        raise click.UsageError("either --redirect-uri (people sign in there) or --api (a program)")
    with services(config_file) as parts:
        issuer = parts.settings.issuer
        if given["kind"] and given["kind"] not in parts.adapters:
            raise click.UsageError(f"--kind is one of {', '.join(sorted(parts.adapters))}")
        if given["api"]:
            program = {"grant_types": ("client_credentials",), "audience": f"{issuer}/api/v1"}
            settings = {"scope": relying_parties.PROGRAM_SCOPES, **settings, **program}
        party = relying_parties.new(parts, client_id, settings)
        secret = parts.relying_parties.add(party, actor())
    facts = {"issuer": issuer, "client_id": client_id, "client_secret": secret}
    discovery = f"{issuer}/.well-known/openid-configuration"
    one({**facts, "discovery": discovery, **_own_settings(party)}, as_json=as_json)


def _preset(client_id: str, given: dict[str, Any]) -> dict[str, Any]:
    """The settings of a product's kit."""
    from idp.admin import kits

    if bool(given["product"]) != bool(given["url"]):
        raise click.UsageError("--kit and --url go together")
    if not given["product"]:
        return {}
    if given["product"] not in kits.products():
        raise click.UsageError(f"--kit is one of {', '.join(kits.products())}")
    return kits.kit(given["product"], "", client_id, given["url"]).settings


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """The settings of a file, and those of the options in their place."""
    settings = object_of(given["file"]) if given["file"] else {}
    for name, (key, value) in _FLAGS.items():
        if given[name]:
            settings[key] = value
    for name in ("jwks", "claims"):
        if given[name]:
            settings[name] = json_of(given[name])
    if given["scope"]:
        settings["scope"] = tuple(given["scope"].split())
    done = {*_FLAGS, "jwks", "claims", "scope", "file", "api", "product", "url"}
    return settings | {name: value for name, value in given.items() if value and name not in done}


def _own_settings(party: "RelyingParty") -> dict[str, Any]:
    if party.audience:
        return {"grant_type": "client_credentials", "scope": " ".join(party.scope)}
    return {"redirect_uris": party.redirect_uris}


@group.command("list")
@json_option
@click.pass_obj
def list_(config_file: Path, *, as_json: bool) -> None:
    """Every one, by client id."""
    from idp.admin.relying_parties import shown

    with services(config_file) as parts:
        rows = [shown(party) for party in parts.relying_parties.all()]
    table(rows, _COLUMNS, as_json=as_json)


@group.command()
@click.argument("client_id")
@json_option
@click.pass_obj
def show(config_file: Path, client_id: str, *, as_json: bool) -> None:
    """All settings of one, its secrets left out."""
    from idp.admin.relying_parties import shown

    with services(config_file) as parts:
        party = registered(parts, client_id)
    one(shown(party), as_json=as_json)


@group.command()
@click.argument("client_id")
@click.option("--set", "pairs", multiple=True, help="SETTING=VALUE; JSON where it is no text.")
@file_option("--file", "A JSON or TOML file with the settings to change.")
@json_option
@click.pass_obj
def update(
    config_file: Path, client_id: str, pairs: tuple[str, ...], file: Path | None, *, as_json: bool
) -> None:
    """Change some settings of one; all others stay, and its secrets too."""
    from idp.admin import relying_parties

    settings = {**(object_of(file) if file else {}), **dict(map(_pair, pairs))}
    if not settings:
        raise click.UsageError("--set or --file says what to change")
    with services(config_file) as parts:
        former = registered(parts, client_id)
        party = relying_parties.changed(parts, former, settings)
        parts.relying_parties.update(party, actor(), since=former)
    one(relying_parties.shown(party), as_json=as_json)


def _pair(text: str) -> tuple[str, Any]:
    """A setting and its value: JSON where it reads as such, else the text itself."""
    import json

    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"{text!r} is not SETTING=VALUE")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


@group.command()
@click.argument("client_id")
@click.pass_obj
def disable(config_file: Path, client_id: str) -> None:
    """Shut one out: no sign-in, no token, within two seconds. Nothing is forgotten."""
    _set_disabled(config_file, client_id, disabled=True)


@group.command()
@click.argument("client_id")
@click.pass_obj
def enable(config_file: Path, client_id: str) -> None:
    """Let a disabled one in again."""
    _set_disabled(config_file, client_id, disabled=False)


def _set_disabled(config_file: Path, client_id: str, *, disabled: bool) -> None:
    with services(config_file) as parts:
        registered(parts, client_id)
        parts.relying_parties.set_disabled(client_id, disabled, actor())
    click.echo(f"{client_id} is {'disabled' if disabled else 'enabled'}")


@group.command()
@click.argument("client_id")
@json_option
@click.pass_context
def test(context: click.Context, client_id: str, *, as_json: bool) -> None:
    """Look for what is wrong with one; exit code 1 when something is."""
    from dataclasses import asdict

    from idp.admin.inspection import inspect

    with services(context.obj) as parts:
        found = inspect(parts, registered(parts, client_id))
    rows = [{**asdict(finding), "": "ok" if finding.ok else "WRONG"} for finding in found]
    if as_json:
        one([asdict(finding) for finding in found], as_json=True)
    else:
        table(rows, ("", "check", "detail"), as_json=False)
    if not all(finding.ok for finding in found):
        context.exit(1)


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


def registered(parts: "Services", client_id: str) -> "RelyingParty":
    """The one with that id. click.ClickException when there is none."""
    party = parts.relying_parties.get(client_id)
    if party is None:
        raise click.ClickException(f"there is no relying party {client_id!r}; see: gongmu rp list")
    return party
