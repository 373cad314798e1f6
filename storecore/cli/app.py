"""The command `storecore` and its subcommands."""

from __future__ import annotations

import click

from storecore import __version__
from storecore.cli.audit import audit
from storecore.cli.backends import list_backends
from storecore.cli.chart import chart
from storecore.cli.checkpoint import take
from storecore.cli.completion import completion
from storecore.cli.copy import copy
from storecore.cli.delete import delete
from storecore.cli.demo import demo
from storecore.cli.errors import PlainErrors
from storecore.cli.events import events
from storecore.cli.evidence import evidence
from storecore.cli.exports.command import export
from storecore.cli.fundamentals import fundamentals
from storecore.cli.history import corrections, history, known_at
from storecore.cli.imports.command import import_bars
from storecore.cli.info import info
from storecore.cli.init import init
from storecore.cli.ls import ls
from storecore.cli.maintenance import repair, verify
from storecore.cli.plugin_option import plugin_option
from storecore.cli.replay import replay, why
from storecore.cli.scaffold.command import new_backend
from storecore.cli.show import show
from storecore.cli.snapshots import prune_history, snapshot, snapshots
from storecore.cli.state import state
from storecore.cli.store_choice import examples

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
    cls=PlainErrors,
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


app.params.append(plugin_option())


_DATA = (demo, list_backends, new_backend, init, import_bars, export, delete, copy)
_LOOK = (ls, show, chart, events, fundamentals, state, info, history, corrections, known_at)
_HISTORY = (snapshot, snapshots, prune_history)
_PROOF = (audit, verify, repair, take, replay, why, evidence, completion)
for command in (*_DATA, *_LOOK, *_HISTORY, *_PROOF):
    command.params.append(plugin_option())
    app.add_command(command)
