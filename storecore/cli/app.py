"""The command `storecore` and its subcommands."""

from __future__ import annotations

import click

from storecore import __version__
from storecore.cli.checkpoint import take
from storecore.cli.choosing import examples
from storecore.cli.copying import copy
from storecore.cli.demo import demo
from storecore.cli.failing import PlainErrors
from storecore.cli.importing import import_bars
from storecore.cli.info import info
from storecore.cli.initializing import init
from storecore.cli.listing import list_backends
from storecore.cli.maintaining import repair, verify
from storecore.cli.show import show


@click.group(
    "storecore",
    cls=PlainErrors,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "storecore demo",
        "storecore backends",
        "storecore import bars.csv --backend file --set base_path=data",
        "storecore show AAPL --last 5 --config storecore.toml",
        "storecore info",
        "storecore copy storecore.toml other.toml",
        "storecore verify",
        "storecore checkpoint -o checkpoint.json",
    ),
)
@click.version_option(__version__, prog_name="storecore")
@click.pass_context
def app(context: click.Context) -> None:
    """Bars, events, states and audit logs of a trading system, in the backend that you choose."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (demo, list_backends, init, import_bars, show, info, copy, verify, repair, take):
    app.add_command(command)
