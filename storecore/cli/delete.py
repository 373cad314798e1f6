"""`storecore delete`: removes bars of a series."""

from __future__ import annotations

from datetime import date, datetime

import click

from storecore.cli.interrupts import reporting
from storecore.cli.ranges import aware_bounds, range_options
from storecore.cli.screen import date_text
from storecore.cli.show import why_none
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.protocols import Bulk, DataStore, History
from storecore.store.questions import has_method
from storecore.store.tables import iter_bar_tables
from storecore.values.times import to_datetime

Bounds = tuple[datetime, datetime]


@click.command(
    short_help="Remove bars of a series.",
    epilog=examples(
        "storecore delete AAPL --start 2026-01-05 --end 2026-01-09",
        "storecore delete AAPL --timeframe 1m --dry-run",
    ),
)
@click.argument("symbol")
@range_options
@click.option("--timeframe", default="1d", show_default=True, help="The timeframe of the bars.")
@click.option("--dry-run", is_flag=True, help="Remove nothing; show what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@store_options
def delete(
    choice: StoreChoice,
    symbol: str,
    start: date | None,
    end: date | None,
    timeframe: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Remove the bars of SYMBOL from --start to --end, after confirmation; without both, all bars.

    A store with a history keeps them: `storecore history` and `storecore at` still show them.
    """
    bounds = aware_bounds(start, end)
    with choice.open_to_read() as store:
        if not isinstance(store, Bulk):
            raise click.ClickException(
                f"the {choice.named} cannot delete: it lacks the capability Bulk"
            )
        what = _what(store, symbol, timeframe, bounds)
        fate = _fate(store)
        if dry_run:
            click.echo(f"{what} would be removed; {fate} (--dry-run)")
            return
        if not (yes or click.confirm(f"Remove {what} from the {choice.named}? {fate}", err=True)):
            raise click.ClickException("nothing was removed")
        with reporting(lambda: "the bars may be removed"):
            removed = store.delete_bars(symbol, *bounds, timeframe=timeframe)
    click.echo(f"{counted(removed, 'bar')} removed; {fate}")


def _what(store: DataStore, symbol: str, timeframe: str, bounds: Bounds) -> str:
    """Return the number and the range of the bars. Raises `click.ClickException` for none."""
    count, first, last = 0, None, None
    for dates in iter_bar_tables(store, symbol, *bounds, timeframe=timeframe, columns=["date"]):
        first = first or dates["date"][0]
        last = dates["date"][-1]
        count += len(dates)
    if first is None or last is None:
        raise click.ClickException(f"{why_none(store, symbol, timeframe)}: nothing was removed")
    span = " to ".join(date_text(to_datetime(each.value, aware=False)) for each in (first, last))
    return f"{counted(count, f'{timeframe} bar')} of {printable(symbol)}, {span}"


def _fate(store: DataStore) -> str:
    """Return what becomes of removed bars: whether the history keeps them."""
    if isinstance(store, History) and has_method(store, "recording") and store.recording().is_kept:
        return "the history keeps them: storecore history shows them"
    return "there is no history: they cannot be recovered"
