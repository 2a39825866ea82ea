"""`gongmu passkey`: list them, change the state of one."""

from pathlib import Path

import click

from idp.cli.say import WithId, actor, json_option, list_options, one, services, table
from idp.contracts import PasskeyState


@click.group()
def group() -> None:
    """Passkeys: list, suspend, reinstate, remove."""


@group.command("list")
@list_options(PasskeyState)
@click.pass_obj
def list_(
    config_file: Path, personnel_number: str, state: str | None, limit: int, *, as_json: bool
) -> None:
    """The newest first. Reading them is an event."""
    from idp.admin import passkeys, people

    with services(config_file) as parts:
        found = parts.passkeys.all(personnel_number, limit)
        rows = [passkeys.shown(passkey) for passkey in found if state in (None, passkey.state)]
        people.read(parts, actor(), "passkeys", rows=len(rows))
    table(rows, passkeys.COLUMNS, as_json=as_json)


def _change(name: str, state: PasskeyState, meaning: str) -> None:
    @group.command(name, help=meaning, cls=WithId)
    @click.argument("passkey_id")
    @json_option
    @click.pass_obj
    def command(config_file: Path, passkey_id: str, *, as_json: bool) -> None:
        from idp.admin import passkeys
        from idp.errors import AccessDenied
        from idp.events import Reason

        with services(config_file) as parts:
            known = parts.passkeys.get(passkey_id)
            if known is None:
                raise click.ClickException(
                    f"there is no passkey {passkey_id!r}; see: gongmu passkey list --person NUMBER"
                )
            try:
                changed = parts.passkeys.set_state(passkey_id, state, actor())
            except AccessDenied as refused:
                phone = refused.reason is Reason.PHONE_CUT_OFF
                why = (
                    f"the mobile ID of its phone is not in use: {known.mobile_id}"
                    if phone
                    else "it is removed and never comes back; its owner can add it anew"
                )
                raise click.ClickException(f"passkey {passkey_id}: {why}") from refused
        one({**passkeys.shown(changed), "changed": known.state is not state}, as_json=as_json)


_change("suspend", PasskeyState.SUSPENDED, "Stop it for now: its sessions end, it can come back.")
_change("reinstate", PasskeyState.LIVE, "A suspended one counts again.")
_change("remove", PasskeyState.REMOVED, "End it for good.")
