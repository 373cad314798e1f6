"""`storecore demo`: a trader's day on the file backend, with real bars.

It is also an example to read: it uses only the public API.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import pyarrow.parquet as pq

from storecore import DataStore, load_config, open_store, write_bar_table
from storecore.cli import demo_facts
from storecore.cli.demo_chart import draw
from storecore.cli.demo_correction import Corrected, correct_a_bar
from storecore.cli.demo_report import Timing, print_report
from storecore.cli.demo_strategy import NAME, MovingAverage, Sitting
from storecore.cli.screen import console
from storecore.cli.store_choice import examples
from storecore.cli.text import counted, printable
from storecore.config.file import FILE_NAME
from storecore.errors.redaction import redacted

DAYS_A_SITTING = 60
MARK = "# The store of the demo.\n"
CONFIG = f"""\
{MARK}# `backend` chooses where everything is stored; the other keys are its options.
[store]
backend = "file"
base_path = "data"
"""


@click.command(
    short_help="Run an example of a trading day, with real bars.",
    epilog=examples("storecore demo", "storecore demo desk"),
)
@click.argument(
    "folder", metavar="[DIR]", default="storecore-demo", type=click.Path(path_type=Path)
)
def demo(folder: Path) -> None:
    """Run an example of a trading day on the file backend in DIR (default ./storecore-demo).

    It imports real daily bars of three companies, trades 2 x 60 days of them with a small strategy,
    which saves its state in between, and prints the stored data. Then it corrects a bar, and names
    the decisions that saw the old one, and draws a chart. If it is run again, it continues where it
    stopped.
    """
    say = console().print
    if redacted(str(folder)) != str(folder):
        raise click.ClickException("expected a folder, got what looks like a connection string")
    say(f"A trader's day, in {printable(str(folder))}")
    config = _config_in(folder)
    timings: list[Timing] = []
    with open_store(load_config(config)) as store:
        _fill(store, timings)
        _sit(store, "first sitting", timings)
    say("closed the store; opening it again, as tomorrow's process would")
    with open_store(load_config(config)) as store:
        if store.load_strategy_state(NAME) is None:
            raise click.ClickException(
                f"the store of {config} was empty when opened again: "
                "the demo needs a backend that keeps its data"
            )
        _sit(store, "second sitting", timings)
        print_report(store, load_config(config), timings)
        last_day = store.load_strategy_state(NAME)["last_day"]  # type: ignore[index]
        corrected = correct_a_bar(store, demo_facts.SYMBOLS[0], last_day)
        draw(store, demo_facts.SYMBOLS[0], last_day, folder)
    _say_what_next(folder, config, corrected)


def _config_in(folder: Path) -> Path:
    """Return the demo's config file in a folder; create it if the folder is new or empty.

    Any other folder is refused: an audit log would keep the demo's trades forever.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / FILE_NAME
    if config.exists() and config.read_bytes().startswith(MARK.encode()):
        console().print(f"found {config}")
    elif any(folder.iterdir()):
        raise click.ClickException(
            f"{folder} has files that are not from the demo: give a new or empty folder"
        )
    else:
        config.write_text(CONFIG, encoding="utf-8")
        console().print(f"wrote {config}")
    return config


def _fill(store: DataStore, timings: list[Timing]) -> None:
    """Write bars, filings and splits; a second run adds nothing."""
    say = console().print
    bars = pq.read_table(demo_facts.BARS)
    begun = perf_counter()
    write_bar_table(store, bars)
    timings.append(Timing("write bars", len(bars), "bar", perf_counter() - begun))
    symbols: list[str] = bars["symbol"].unique().to_pylist()
    say(f"imported {counted(len(bars), 'bar')} of {', '.join(symbols)}")
    say(f"  {demo_facts.CREDIT}")
    filings, splits = demo_facts.write_fundamentals(store), demo_facts.write_splits(store)
    say(f"wrote {counted(filings, 'filing')} and {counted(splits, 'split')} that were missing")


def _sit(store: DataStore, what: str, timings: list[Timing]) -> None:
    """Let the strategy trade its next days, and print the result."""
    strategy = MovingAverage(store, demo_facts.SYMBOLS)
    begun = perf_counter()
    sitting = strategy.trade(DAYS_A_SITTING)
    timings.append(Timing(what, len(sitting.days), "day", perf_counter() - begun))
    console().print(f"{what}: {_traded(sitting, strategy.state)}")
    console().print(f"  {_portfolio(strategy.state)}")


def _traded(sitting: Sitting, state: dict[str, Any]) -> str:
    if not sitting.days:
        return f"the bars end on {state['last_day']}: nothing is left to trade"
    span = f"{sitting.days[0]} to {sitting.days[-1]}"
    return f"{counted(len(sitting.days), 'day')}, {span}, {counted(sitting.orders, 'order')}"


def _portfolio(state: dict[str, Any]) -> str:
    held = [f"{count:,} {symbol}" for symbol, count in sorted(state["positions"].items()) if count]
    parts = [f"{state['cash']:,.2f} in cash", *held]
    return f"saved state: worth {state['worth']:,.2f}: {', '.join(parts)}"


def _say_what_next(folder: Path, config: Path, corrected: Corrected) -> None:
    place, file = shlex.quote(str(folder)), shlex.quote(str(config))
    # Without an activated environment the command has to be run by its path.
    program = "storecore" if shutil.which("storecore") else shlex.quote(sys.argv[0])
    say = console().print
    say("\nTry next:")
    say(f"  {program} info --config {file}")
    say(f"  {program} show AAPL --start 2008-01-01 --end 2008-06-30 --config {file}")
    say(f"  {program} replay --config {file}    # which decisions saw what was corrected since")
    held = f" --recorded {corrected.then:%Y-%m-%dT%H:%M:%S.%fZ}" if corrected.then else ""
    symbol, evening = demo_facts.SYMBOLS[0], f"{corrected.evening:%Y-%m-%dT%H:%M}"
    say(f"  {program} at {evening} {symbol}{held} --config {file}")
    say(f"  {program} demo {place}    # continues where this one stopped")
