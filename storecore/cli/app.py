"""The command `storecore` and its subcommands."""

from __future__ import annotations

import click

from storecore import __version__
from storecore.cli.backends import list_backends
from storecore.cli.bar_import import import_bars
from storecore.cli.chart import chart
from storecore.cli.checkpoint import take
from storecore.cli.copy import copy
from storecore.cli.demo import demo
from storecore.cli.errors import PlainErrors
from storecore.cli.evidence import evidence
from storecore.cli.history import corrections, history, known_at
from storecore.cli.info import info
from storecore.cli.init import init
from storecore.cli.maintenance import repair, verify
from storecore.cli.replay import replay, why
from storecore.cli.show import show
from storecore.cli.snapshots import prune_history, snapshot, snapshots
from storecore.cli.store_choice import examples


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
        "storecore chart AAPL --strategy value -o aapl.html",
        "storecore info",
        "storecore history AAPL 2026-01-05",
        "storecore copy storecore.toml other.toml",
        "storecore verify",
        "storecore checkpoint -o checkpoint.json",
        "storecore replay --since 2026-01-01",
    ),
)
@click.version_option(__version__, prog_name="storecore")
@click.pass_context
def app(context: click.Context) -> None:
    """Bars, events, states and audit logs of a trading system, in the backend that you choose."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


_DATA = (demo, list_backends, init, import_bars, show, chart, info, copy)
_KNOWN = (history, corrections, known_at)
_HISTORY = (snapshot, snapshots, prune_history)
_PROOF = (verify, repair, take, replay, why, evidence)
for command in (*_DATA, *_KNOWN, *_HISTORY, *_PROOF):
    app.add_command(command)
