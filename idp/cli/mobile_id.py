"""`gongmu mobile-id`: offer one, list them, change the state of one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli.say import WithId, actor, json_option, list_options, one, services, table
from idp.contracts import CredentialOffers, MobileId, MobileIdState
from idp.cutoff import is_stale_offer
from idp.errors import AccessDenied

if TYPE_CHECKING:
    from idp.services import Services

_COLUMNS = ("id", "personnel_number", "source", "state", "created_at", "expires_at")
_WHY_NOT = {
    MobileIdState.REVOKED: "is revoked and never comes back; offer a new one: "
    "gongmu mobile-id offer {number}",
    MobileIdState.OFFERED: "is only offered so far, nobody holds it; to end the offer: "
    "gongmu mobile-id revoke {id}",
}


@click.group()
def group() -> None:
    """Mobile IDs: offer, list, suspend, reinstate, revoke."""


@group.command()
@click.argument("personnel_number")
@json_option
@click.pass_obj
def offer(config_file: Path, personnel_number: str, *, as_json: bool) -> None:
    """Offer a mobile ID; link and digits are shown this once, for two different ways to the person."""
    with services(config_file) as parts:
        made = _offers(parts).make_offer(personnel_number, actor())
        query = made.credential_offer_uri.partition("?")[2]
        links = [
            f"{wallet.receive_prefix}{query}"
            for wallet in parts.settings.wallets
            if wallet.receive_prefix.startswith("http")
        ]
    facts: dict[str, Any] = {
        "id": made.id,
        "credential_offer_uri": made.credential_offer_uri,
        "tx_code": made.tx_code,
        "expires_at": made.expires_at,
    }
    if links and not as_json:
        facts["in_a_browser"] = links
    one(facts, as_json=as_json)


def _offers(parts: "Services") -> CredentialOffers:
    for site in parts.sites.values():
        if isinstance(site.service, CredentialOffers):
            return site.service
    raise click.ClickException("no issuer is switched on: [sites.issuer]")


@group.command("list")
@list_options(MobileIdState)
@click.pass_obj
def list_(
    config_file: Path, personnel_number: str, state: str | None, limit: int, *, as_json: bool
) -> None:
    """The newest first, without offers that nobody took in time. Reading them is an event."""
    from idp.admin import people

    with services(config_file) as parts:
        found = parts.cutoff.all(personnel_number, limit)
        now = parts.now()
        rows = [
            _row(one)
            for one in found
            if (state == one.state if state else not is_stale_offer(one, now))
        ]
        people.read(parts, actor(), "mobile_ids", rows=len(rows))
    table(rows, _COLUMNS, as_json=as_json)


def _row(mobile_id: MobileId) -> dict[str, Any]:
    return {name: getattr(mobile_id, name) for name in _COLUMNS}


def _change(name: str, state: MobileIdState, meaning: str) -> None:
    @group.command(name, help=meaning, cls=WithId)
    @click.argument("mobile_id")
    @json_option
    @click.pass_obj
    def command(config_file: Path, mobile_id: str, *, as_json: bool) -> None:
        with services(config_file) as parts:
            known = parts.cutoff.get(mobile_id)
            if known is None:
                raise click.ClickException(
                    f"there is no mobile ID {mobile_id!r}; see: gongmu mobile-id list --person NUMBER"
                )
            try:
                changed = parts.cutoff.set_state(mobile_id, state, actor())
            except AccessDenied as refused:
                raise _refusal(known, refused) from refused
        one({**_row(changed), "changed": known.state is not state}, as_json=as_json)


def _refusal(known: MobileId, refused: AccessDenied) -> click.ClickException:
    """Why this change may not be, and what to do instead."""
    why = _WHY_NOT.get(known.state, refused.detail)
    words = why.format(number=known.personnel_number, id=known.id)
    return click.ClickException(f"mobile ID {known.id} {words}")


_change("suspend", MobileIdState.SUSPENDED, "Stop it for now: its sessions end, it can come back.")
_change("reinstate", MobileIdState.LIVE, "A suspended one counts again.")
_change("revoke", MobileIdState.REVOKED, "End it for good.")
