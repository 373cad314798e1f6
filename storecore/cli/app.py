"""The command `storecore` and its subcommands."""

from __future__ import annotations

import click

from storecore import __version__
from storecore.cli.commands import LazyCommands
from storecore.cli.plugin_option import PLUGIN
from storecore.cli.text import examples

_FIRST_STEPS = """storecore keeps the bars, events, states and audit log of a trading system. Try:

  storecore demo                                 a trading day on real prices, in a new folder
  storecore import bars.csv --backend file --set base_path=data
                                                 bars from a vendor's file into a store
  storecore ls 'A*'                              which series a store has
  storecore show AAPL --last 5                   the last bars of one
  storecore export AAPL -o aapl.csv              take them out again

storecore --help lists all commands; each has --help."""


@click.group(
    "storecore",
    cls=LazyCommands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "storecore demo",
        "storecore import bars.csv --backend file --set base_path=data",
        "storecore ls 'A*'",
        "storecore show AAPL --last 5 --config storecore.toml",
        "storecore export AAPL -o aapl.csv",
        "storecore chart AAPL --strategy value -o aapl.html",
    ),
)
@click.version_option(__version__, prog_name="storecore")
@click.pass_context
def app(context: click.Context) -> None:
    """Bars, events, states and audit logs of a trading system, in the backend that you choose."""
    if context.invoked_subcommand is None:
        click.echo(_FIRST_STEPS)


app.params.append(PLUGIN)
