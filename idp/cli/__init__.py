"""The `gongmu` command. One module for each group of commands, imported when it is called."""

import ast
import sys
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from idp.errors import GongmuError

_COMMANDS = {  # name -> (module, attribute, one line for the help)
    "config": ("configuration", "group", "Check, explain and write the configuration."),
    "db": ("db", "group", "The schema of the SQL store."),
    "demo": ("run", "demo", "Everything on this machine, to try it out."),
    "doctor": ("doctor", "doctor", "Look for what is wrong, or soon will be, and say the remedy."),
    "events": ("events", "group", "Security events: list, follow, verify."),
    "keys": ("keys", "group", "Signing keys: list, rotate, retire."),
    "mobile-id": ("mobile_id", "group", "Mobile IDs: offer, list, suspend, reinstate, revoke."),
    "passkey": ("passkey", "group", "Passkeys: list, suspend, reinstate, remove."),
    "person": (
        "people",
        "group",
        "A person: directory, gate, mobile IDs, sessions; what would be told of them.",
    ),
    "rp": ("relying_parties", "group", "Relying parties: add, change, test, kits, previews."),
    "serve": ("run", "serve", "Run the provider."),
    "session": ("session", "group", "Where a person is signed in: list, end."),
}


def _of_parts() -> dict[str, EntryPoint]:
    """Commands that parts bring (entry point group idp.commands)."""
    return {entry.name: entry for entry in entry_points(group="idp.commands")}


def _first_line(entry: EntryPoint) -> str:
    """What the module of a part's commands says of itself; read, not imported."""
    package, _, module = entry.module.partition(".")
    found = find_spec(package)
    for folder in (found.submodule_search_locations or ()) if found else ():
        file = Path(folder, *module.split(".")).with_suffix(".py")
        if file.is_file():
            text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            return text.partition("\n")[0].rpartition("`: ")[2]
    return f"Commands of the part {entry.name!r}."


class _Lazy(click.Group):
    """Imports a command's module when it is called, so that the help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click calls it so
        return sorted({*_COMMANDS, *_of_parts()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name in _COMMANDS:
            module, attribute, _ = _COMMANDS[cmd_name]
            found: click.Command = getattr(import_module(f"idp.cli.{module}"), attribute)
            return found
        entry = _of_parts().get(cmd_name)
        if entry is None:
            return None
        loaded: click.Command = entry.load()
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        rows = [(name, _COMMANDS[name][2]) for name in _COMMANDS]
        rows += [(name, _first_line(entry)) for name, entry in _of_parts().items()]
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    envvar="GONGMU_CONFIG",
    default=Path("gongmu.toml"),
    show_default=True,
    show_envvar=True,
    help="The configuration file.",
)
@click.version_option(package_name="gongmu-idp", prog_name="gongmu")
@click.pass_context
def gongmu(ctx: click.Context, config_file: Path) -> None:
    """A federated identity provider for public officials."""
    ctx.obj = config_file


def main() -> None:
    """Run the command: exit code 2 on misuse, 1 on failure, no traceback for what can be foreseen."""
    from idp.errors import ConfError, GongmuError

    try:
        gongmu.main(prog_name="gongmu")
    except ConfError as error:
        _fail(*map(str, error.problems))
    except GongmuError as error:
        _fail(getattr(error, "public", "") or _in_words(error))


def _in_words(error: "GongmuError") -> str:
    """The reason as people know it, its word for rules and scripts, and what exactly was wrong."""
    from idp.web.reasons import WORDS

    return f"{WORDS[error.reason].title} ({error.reason.value}): {error.detail}"


def _fail(*lines: str) -> None:
    for line in lines:
        click.echo(f"gongmu: {line}", err=True)
    sys.exit(1)
