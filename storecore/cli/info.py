"""`storecore info`: the content of a store, series by series, strategy by strategy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, TypeVar

import click
from msgspec.structs import asdict
from rich.filesize import decimal

from storecore.cli.logged import Logged, logged_in
from storecore.cli.output import json_option, print_object
from storecore.cli.screen import console, date_text, table
from storecore.cli.snapshots import history_state
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.errors import StoreError
from storecore.protocols import AuditTrail, Catalog, DiskUsage, History, Transfer
from storecore.reports import Coverage, Footprint
from storecore.store.questions import has_method, inventory

UNKNOWN = "–"
_Result = TypeVar("_Result")
_SERIES = ("symbol", "timeframe", "first", "last", "bars", "files", "bytes")
_MOST = 200  # series that are printed
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
        "storecore info --config desk/storecore.toml --json",
        "storecore info --backend file --set base_path=data",
    ),
)
@click.option("--verify", is_flag=True, help="Also check the hash chains of the audit log.")
@json_option
@store_options
def info(choice: StoreChoice, verify: bool, as_json: bool) -> None:
    """Show what a store holds: bars, fundamentals, events, strategies, the audit log, its history.

    The hash chains of the audit log are checked only with --verify. If there are many series, only
    the first are shown; `storecore ls` and --json list all of them.
    """
    with choice.open_to_read() as store:
        if not isinstance(store, Catalog):
            raise click.ClickException(
                f"the {choice.named} cannot list what it holds: it lacks the capability Catalog"
            )
        read = Reading()
        found = _Found.of(store, read, verify)
    if as_json:
        print_object(found.as_json(choice.named, read.problems))
    else:
        _print(found, choice.named, read.problems)
    if read.problems:
        raise SystemExit(1)


class _Found(NamedTuple):
    """What a store holds. A count is None if it could not be read."""

    series: list[SeriesInfo]
    fundamentals: int | None
    events: int | None
    saved: list[str]
    logged: Logged | None
    chains: str | None
    history: str | None

    @classmethod
    def of(cls, store: Any, read: Reading, verify: bool) -> _Found:
        """Return what a store holds, as far as it can be read."""
        streams = isinstance(store, Transfer)
        keeps = isinstance(store, History) and has_method(store, "recording")
        return cls(
            list(series_of(store, read)),
            read(lambda: _number(store.iter_fundamentals())) if streams else None,
            read(lambda: _number(store.iter_events())) if streams else None,
            read(store.strategies) or [],
            read(partial(logged_in, store)) if isinstance(store, AuditTrail) else None,
            read(partial(chains_of, store)) if verify and isinstance(store, AuditTrail) else None,
            read(partial(history_state, store)) if keeps else None,
        )

    def as_json(self, named: str, problems: list[str]) -> dict[str, Any]:
        """Return it as one object."""
        counts = None if self.logged is None else self.logged.as_json()
        return {
            "store": named,
            "series": [
                {"symbol": each.symbol, "timeframe": each.timeframe, **asdict(each.coverage)}
                | ({} if each.footprint is None else asdict(each.footprint))
                for each in self.series
            ],
            "fundamentals": self.fundamentals,
            "events": self.events,
            "states": self.saved,
            "audit": counts,
            "chains": self.chains,
            "history": self.history,
            "problems": problems,
        }


def _number(records: Iterator[Any]) -> int:
    return sum(1 for _ in records)


def _print(found: _Found, named: str, problems: list[str]) -> None:
    screen = console()
    screen.print(named)
    print_series(found.series)
    for kind, count in (("fundamentals", found.fundamentals), ("events", found.events)):
        screen.print(f"{kind}: {'not counted' if count is None else f'{count:,}'}")
    print_strategies(found.saved, found.logged, found.chains)
    if found.history is not None:
        screen.print(f"history: {found.history}")
    for problem in problems:
        screen.print(f"could not be read: {printable(problem)}")


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
    """Print a table of the first series, and the sum of all."""
    screen = console()
    if series:
        rows = [_series_row(one) for one in series[:_MOST]]
        screen.print(table(_SERIES, rows, right=("bars", "files", "bytes")))
    if len(series) > _MOST:
        screen.print(f"and {len(series) - _MOST:,} more series: storecore ls lists them")
    screen.print(f"bars: {sum_of(series)}")


def print_strategies(saved: list[str], logged: Logged | None, chains: str | None) -> None:
    """Print a table of strategies, and the counts of the audit log."""
    screen, known = console(), logged or Logged({}, {}, Counter())
    rows = [
        (
            printable(name),
            "saved" if name in saved else UNKNOWN,
            f"{known.decisions.get(name, 0):,}",
            f"{known.orders.get(name, 0):,}",
        )
        for name in sorted({*saved, *known.decisions, *known.orders})
    ]
    if rows:
        screen.print(table(_STRATEGIES, rows, right=("decisions", "orders")))
    screen.print(f"audit log: {'not read' if logged is None else known.text()}")
    if chains is not None:
        screen.print(f"audit log: {chains}")
    if known.runs:
        screen.print(_runs(known.runs))


def _runs(runs: Counter[str]) -> str:
    shown = sorted(runs)[:_RUNS] + ["…"] * (len(runs) > _RUNS)
    records = f"{counted(runs.total(), 'record')} of {counted(len(runs), 'run')}"
    return f"apart from it: {records}: {', '.join(map(printable, shown))}"


def chains_of(store: AuditTrail) -> str:
    """Return whether the chains of an audit log are whole, or the first break of each."""
    found = store.verify_audit().findings
    breaks = [f"{each.kind} at {each.place}: {each.detail}" for each in found]
    return "; ".join(("BROKEN", *breaks)) if breaks else "its chains are whole"


def audit_state(store: AuditTrail, decisions: int, orders: int) -> str:
    """Return the counts of the audit log and the first break of each chain."""
    counts = f"{counted(decisions, 'decision')}, {counted(orders, 'order')}"
    return f"{counts}; {chains_of(store)}"


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
