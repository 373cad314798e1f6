"""`storecore info`: the content of a store, series by series, strategy by strategy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from typing import Any, NamedTuple, TypeVar

import click
from rich.filesize import decimal

from storecore.cli.screen import console, date_text, table
from storecore.cli.snapshots import history_state
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.errors import StoreError
from storecore.protocols import AuditTrail, Catalog, DataStore, DiskUsage, History
from storecore.reports import Coverage, Footprint
from storecore.store.questions import has_method, inventory, read_decisions, read_orders

UNKNOWN = "–"
_Result = TypeVar("_Result")
_SERIES = ("symbol", "timeframe", "first", "last", "bars", "files", "bytes")
_RUNS = 5  # the number of runs that are named
_STRATEGIES = ("strategy", "state", "decisions", "orders")


class SeriesInfo(NamedTuple):
    """One series and its size; `footprint` is None if the backend cannot report it."""

    symbol: str
    timeframe: str
    coverage: Coverage
    footprint: Footprint | None


@click.command(
    short_help="Show what a store holds.",
    epilog=examples(
        "storecore info",
        "storecore info --config desk/storecore.toml",
        "storecore info --backend file --set base_path=data",
    ),
)
@store_options
def info(choice: StoreChoice) -> None:
    """Show what a store holds: series of bars, strategies, the audit log, its history."""
    with choice.open_to_read() as store:
        if not isinstance(store, Catalog):
            raise click.ClickException(
                f"the {choice.named} cannot list what it holds: it lacks the capability Catalog"
            )
        console().print(choice.named)
        read = Reading()
        print_series(list(series_of(store, read)))
        print_strategies(store, read(store.strategies) or [], read)
        if isinstance(store, History) and has_method(store, "recording"):
            state = read(partial(history_state, store))
            console().print(f"history: {state or 'not known'}")
        for problem in read.problems:
            console().print(f"could not be read: {printable(problem)}")
        if read.problems:
            raise SystemExit(1)


class Reading:
    """Reads a store; if `patient`, it collects errors and goes on instead of raising them."""

    def __init__(self, patient: bool = True) -> None:
        self.problems: list[str] = []
        self._patient = patient

    def __call__(self, read: Callable[[], _Result]) -> _Result | None:
        """Return what `read` returns, None if it fails."""
        try:
            return read()
        except StoreError as error:
            if not self._patient:
                raise
            self.problems.append(str(error))
            return None


def series_of(store: Catalog, reading: Reading | None = None) -> Iterator[SeriesInfo]:
    """Yield every series of a store by symbol and timeframe; with `reading`, the readable ones."""
    read = reading or Reading(patient=False)
    try:
        listed = inventory(store)
    except StoreError:  # one of them is damaged
        yield from _series_one_by_one(store, read)
        return
    for each in listed:
        coverage = Coverage(each.first, each.last, each.count)
        found = read(partial(_series, store, each.symbol, each.timeframe, coverage))
        if found is not None:
            yield found


def _series_one_by_one(store: Catalog, read: Reading) -> Iterator[SeriesInfo]:
    for symbol in read(store.symbols) or []:
        for timeframe in read(partial(store.timeframes, symbol)) or []:
            found = read(partial(_series, store, symbol, timeframe))
            if found is not None:
                yield found


def _series(
    store: Catalog, symbol: str, timeframe: str, known: Coverage | None = None
) -> SeriesInfo:
    coverage = known or store.bar_coverage(symbol, timeframe=timeframe)
    footprint = None
    if isinstance(store, DiskUsage):
        footprint = store.bar_footprint(symbol, timeframe=timeframe)
    return SeriesInfo(symbol, timeframe, coverage, footprint)


def print_series(series: list[SeriesInfo]) -> None:
    """Print a table of series and their sum."""
    screen = console()
    if series:
        rows = [_series_row(one) for one in series]
        screen.print(table(_SERIES, rows, right=("bars", "files", "bytes")))
    screen.print(f"bars: {sum_of(series)}")


def print_strategies(store: DataStore, saved: list[str], read: Reading) -> None:
    """Print a table of strategies, and the counts and state of the audit log."""
    screen = console()
    logged, sent = (_records(store, ask, read) for ask in (read_decisions, read_orders))
    decisions, orders = _live(logged), _live(sent)
    names = sorted({*saved, *decisions, *orders})
    rows = [
        (printable(name), "saved" if name in saved else UNKNOWN, *_counts(name, decisions, orders))
        for name in names
    ]
    if rows:
        screen.print(table(_STRATEGIES, rows, right=("decisions", "orders")))
    state = read(partial(audit_state, store, decisions.total(), orders.total()))
    screen.print(f"audit log: {state or 'not checked'}")
    _print_runs(Counter(each.run for each in (*logged, *sent) if each.run is not None))


def _records(store: DataStore, ask: Callable[..., list[Any]], read: Reading) -> list[Any]:
    """Return the records of the live log and of all runs."""
    if not isinstance(store, AuditTrail):
        return []
    return read(partial(ask, store, date.min, date.max, run="*")) or []


def _live(records: list[Any]) -> Counter[str]:
    """Return the number of records of the live log, by strategy."""
    return Counter(each.strategy for each in records if each.run is None)


def _print_runs(runs: Counter[str]) -> None:
    if runs:
        shown = sorted(runs)[:_RUNS] + ["…"] * (len(runs) > _RUNS)
        records = f"{counted(runs.total(), 'record')} of {counted(len(runs), 'run')}"
        console().print(f"apart from it: {records}: {', '.join(map(printable, shown))}")


def _counts(name: str, decisions: Counter[str], orders: Counter[str]) -> tuple[str, str]:
    return f"{decisions[name]:,}", f"{orders[name]:,}"


def audit_state(store: DataStore, decisions: int, orders: int) -> str:
    """Return the counts of the audit log and the first break of each chain."""
    if not isinstance(store, AuditTrail):
        return "this backend cannot read it back"
    report = store.verify_audit()
    breaks = [f"{found.kind} at {found.place}: {found.detail}" for found in report.findings]
    state = "; ".join(("BROKEN", *breaks)) if breaks else "its chains are whole"
    return f"{counted(decisions, 'decision')}, {counted(orders, 'order')}; {state}"


def _series_row(one: SeriesInfo) -> tuple[str, ...]:
    first, last = (
        date_text(at) if at else UNKNOWN for at in (one.coverage.first, one.coverage.last)
    )
    files, size = UNKNOWN, UNKNOWN
    if one.footprint is not None:
        files, size = f"{one.footprint.files:,}", decimal(one.footprint.bytes)
    name, count = printable(one.symbol), f"{one.coverage.count:,}"
    return name, printable(one.timeframe), first, last, count, files, size


def sum_of(series: list[SeriesInfo]) -> str:
    """Return the number of bars in some series, and their size."""
    text = f"{sum(one.coverage.count for one in series):,} in {counted(len(series), 'series')}"
    prints = [one.footprint for one in series if one.footprint is not None]
    if not prints:
        return text
    size = decimal(sum(footprint.bytes for footprint in prints))
    return f"{text}, {counted(sum(footprint.files for footprint in prints), 'file')}, {size}"
