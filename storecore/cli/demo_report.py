"""The final report of the demo: files, last bars, the tail of the audit log, counts, timings."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import NamedTuple

from rich.filesize import decimal
from rich.tree import Tree

from storecore import AuditTrail, Catalog, DataStore, StoreConfig
from storecore.cli.demo_facts import SYMBOLS
from storecore.cli.info import audit_state, series_of, sum_of
from storecore.cli.screen import console, date_text, table
from storecore.cli.show import bar_table
from storecore.cli.text import counted, printable

_LAST_BARS_FROM = date(2013, 2, 1)
_TAIL = 3
_ORDERS = ("seq", "symbol", "action", "quantity", "price", "status", "order")
_DECISIONS = ("seq", "symbol", "action", "weight", "confidence", "reasoning")


class Timing(NamedTuple):
    """The duration of a step of the demo, and the amount of work."""

    step: str
    amount: int
    noun: str
    seconds: float


def print_report(store: DataStore, config: StoreConfig, timings: list[Timing]) -> None:
    """Print the content of the store, as far as its backend can list it."""
    screen = console()
    folder = Path(config.source.parent if config.source else "", str(config.get("base_path")))
    if folder.is_dir():
        screen.print("\nThe files:")
        screen.print(file_tree(folder, folder.name))
    screen.print("\nThe last bars:")
    bars = [store.read_bars(symbol, _LAST_BARS_FROM, date.max)[-_TAIL:] for symbol in SYMBOLS]
    screen.print(bar_table([bar for some in bars for bar in some], with_symbol=True))
    if isinstance(store, AuditTrail):
        _print_audit_tail(store)
    _print_counts(store)
    _print_timings(timings)


def file_tree(folder: Path, name: str) -> Tree:
    """Return the visible files of a folder and their size; of many files the first and the last."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    files = [path for path in entries if path.is_file()]
    size = decimal(sum(path.stat().st_size for path in files))
    tree = Tree(f"{printable(name)}  {counted(len(files), 'file')}, {size}" if files else name)
    for path in entries:
        if path.is_dir():
            tree.add(file_tree(path, path.name))
    for path in files[:1] + files[-1:] if len(files) > _TAIL else files:
        tree.add(printable(path.name))
        if path == files[0] and len(files) > _TAIL:
            tree.add(f"… {len(files) - 2:,} more")
    return tree


def _print_audit_tail(store: AuditTrail) -> None:
    screen = console()
    orders = [
        (
            str(record.seq),
            record.order.symbol,
            record.order.action,
            f"{record.result.fill_quantity:,}",
            f"{record.result.fill_price:.2f}",
            record.result.status,
            str(record.result.order_id),
        )
        for record in store.read_orders(date.min, date.max)[-_TAIL:]
    ]
    decisions = [
        (
            str(record.seq),
            record.decision.symbol,
            record.decision.action.value,
            f"{record.decision.target_weight:.2f}",
            f"{record.decision.confidence:.2f}",
            record.decision.reasoning,
        )
        for record in store.read_decisions(date.min, date.max)[-_TAIL:]
    ]
    screen.print("\nThe last orders and decisions of the audit log:")
    screen.print(table(_ORDERS, orders, right=("seq", "quantity", "price")))
    screen.print(table(_DECISIONS, decisions, right=("seq", "weight", "confidence")))


def _print_counts(store: DataStore) -> None:
    screen = console()
    screen.print("\nWhat is stored:")
    if isinstance(store, Catalog):
        screen.print(f"  bars          {sum_of(list(series_of(store)))}")
    filings = [store.read_fundamental(symbol) for symbol in SYMBOLS]
    known = [f"{filing.symbol} {date_text(filing.timestamp)[:10]}" for filing in filings if filing]
    screen.print(f"  fundamentals  {', '.join(known)}")
    kinds = Counter(event.type for event in store.read_events(date.min, date.max))
    events = ", ".join(counted(kinds[kind], kind) for kind in sorted(kinds))
    screen.print(f"  events        {events}")
    if isinstance(store, AuditTrail):
        decisions = len(store.read_decisions(date.min, date.max))
        orders = len(store.read_orders(date.min, date.max))
        screen.print(f"  audit log     {audit_state(store, decisions, orders)}")


def _print_timings(timings: list[Timing]) -> None:
    rows = [
        (
            timing.step,
            counted(timing.amount, timing.noun),
            f"{timing.seconds:.2f}",
            f"{timing.amount / timing.seconds:,.0f}",
        )
        for timing in timings
    ]
    console().print("\nHow long it took:")
    console().print(table(("step", "of", "seconds", "a second"), rows, ("seconds", "a second")))
