"""`gongmu serve` and `gongmu demo`."""

from pathlib import Path

import click


@click.command()
@click.pass_obj
def serve(config_file: Path) -> None:
    """Run the provider until SIGTERM; requests in flight are finished."""
    from idp.serve import serve as run

    run(config_file)


@click.command()
@click.option("--host", default="localhost", show_default=True, help="Host name of the issuer.")
@click.option(
    "--port",
    type=click.IntRange(1, 65534),
    default=8000,
    show_default=True,
    help="Of the provider; the relying parties take the next one.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep everything in this folder (default: a temporary one).",
)
@click.option("--https", is_flag=True, help="With a local certificate authority.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON on stdout when ready.")
def demo(host: str, port: int, data: Path | None, *, https: bool, as_json: bool) -> None:
    """Everything on this machine: provider, stores, people, wallet and three relying parties."""
    from idp.demo import Options, run

    run(Options(host, port, https), data, as_json=as_json)
