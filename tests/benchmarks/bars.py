"""Measures bars beside ArcticDB, DuckDB, SQLite, bare pyarrow and the plain month-file design.

    pip install -e '.[benchmarks]'
    python tests/benchmarks/bars.py [--symbols 500] [--days 5040] [--chart FILE.svg]

Each figure is the median time of a peer over that of storecore, measured in turn in this one run,
storecore's writes synced to the disk. More is better. Absolute times depend on the machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from chart import draw
from peers import Arctic, Bare, Duck, Months, Sqlite, Storecore
from timing import END, START, YEAR, in_turn
from universe import DAY, bar_table, names, one_day, random_columns, weekdays


class Figure(NamedTuple):
    """A work, the peer beside it, the peer's time / storecore's, and what is asked."""

    work: str
    beside: str
    ratio: float
    asked: float | None


def beside(
    name: str,
    work: str,
    rounds: int,
    asked: float | None,
    peer: Callable[[], object],
    own: Callable[[], object],
) -> Figure:
    """Measure a work of storecore beside that of one peer, the two in turn."""
    theirs, ours = in_turn(rounds, peer, own)
    return Figure(work, name, theirs / ours, asked)


def main() -> None:
    """Measure everything and print a table; draw a chart, light and dark, if one is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--days", type=int, default=5_040)
    parser.add_argument("--chart", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        figures = measure(Path(folder), options.symbols, options.days)
    for figure in figures:
        asked = "" if figure.asked is None else f"(asked: {figure.asked:g})"
        print(f"{figure.work:45} {figure.beside:22} {figure.ratio:7.2f} x {asked}")
    if options.chart:
        draw(options.chart, [figure for figure in figures if figure.asked])


def measure(folder: Path, count: int, days: int) -> list[Figure]:
    """Return all figures; the stores are made in a folder."""
    symbols, dates = names(count), weekdays(days)
    table = bar_table(symbols, dates)
    figures = bulk_writes(folder, table)
    some = min(100, count)
    ours, arctic = Storecore(folder / "ours"), Arctic(folder / "arctic")
    duck, lite = Duck(folder / "duck"), Sqlite(folder / "sqlite")
    bare, months = Bare(folder / "bare"), Months(folder / "months")
    for store in (ours, arctic, duck, lite, bare):
        store.write(table)
    months.write(table.slice(0, some * days))
    figures += sizes(folder, ours, arctic, symbols, dates)
    figures += reads(ours, {"ArcticDB": arctic, "DuckDB": duck, "SQLite": lite}, symbols)
    figures += files(ours, bare, months, symbols[:some])
    figures += objects(ours, arctic, months, symbols[7])
    figures += appends(ours, arctic, symbols, dates[-1])
    return figures


def bulk_writes(folder: Path, table) -> list[Figure]:
    """Write the universe into a new store, each time."""
    number = iter(range(1_000))

    def write(kind) -> None:
        kind(folder / f"bulk-{next(number)}").write(table)

    arctic, ours = in_turn(3, lambda: write(Arctic), lambda: write(Storecore))
    return [Figure("bulk write of the universe", "ArcticDB", arctic / ours, 1.5)]


def sizes(folder: Path, ours: Storecore, arctic: Arctic, symbols, dates) -> list[Figure]:
    """Compare the bytes on disk, of real prices and of random ones."""
    ratio = disk_usage(arctic.folder) / disk_usage(ours.folder)
    table = bar_table(symbols[:50], dates, random_columns)
    pair = [Arctic(folder / "arctic-random"), Storecore(folder / "ours-random")]
    for store in pair:
        store.write(table)
    noise = disk_usage(pair[0].folder) / disk_usage(pair[1].folder)
    print(f"storecore takes {disk_usage(ours.folder) / len(dates) / len(symbols):.1f} bytes a bar")
    return [
        Figure("bytes on disk, real prices", "ArcticDB", ratio, 3),
        Figure("bytes on disk, random prices", "ArcticDB", noise, None),
    ]


def disk_usage(folder: Path) -> int:
    """Return the bytes that a folder takes on the disk, in whole blocks."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*"))


def reads(ours: Storecore, peers: dict, symbols: list[str]) -> list[Figure]:
    """Read columns: one symbol, all, a panel."""
    some, one = symbols[:100], symbols[len(symbols) // 2]
    works = [
        ("read one symbol, 20 years, columns", 60, 2.0, one, START, END),
        ("read one symbol, 1 year of 20, columns", 60, 2.0, one, *YEAR),
        ("read all symbols, 20 years", 5, 1.5, symbols, START, END),
        ("read 100 symbols, 1 year", 15, 2.0, some, *YEAR),
    ]
    figures = []
    for work, rounds, asked, chosen, start, end in works:
        for name, peer in peers.items():
            pair = [partial(store.read, chosen, start, end) for store in (peer, ours)]
            figures.append(beside(name, work, rounds, asked if name == "ArcticDB" else None, *pair))
    return figures


def files(ours: Storecore, bare: Bare, months: Months, symbols: list[str]) -> list[Figure]:
    """Read beside bare pyarrow on one file, and beside a file a month."""
    one, panel = (symbols[3], START, END), (symbols, *YEAR)
    history, year = "read one symbol, 20 years, columns", "read 100 symbols, 1 year"
    works = [
        ("bare pyarrow, one file", history, 60, 0.6, bare, one),
        ("a file a month", history, 20, None, months, one),
        ("a file a month", year, 5, None, months, panel),
    ]
    return [
        beside(name, work, rounds, asked, partial(peer.read, *what), partial(ours.read, *what))
        for name, work, rounds, asked, peer, what in works
    ]


def objects(ours: Storecore, arctic: Arctic, months: Months, symbol: str) -> list[Figure]:
    """Read 20 years as `PriceBar`."""
    work, mine = "20 years as PriceBar objects", partial(ours.objects, symbol, START, END)
    figures = [
        beside(name, work, rounds, asked, partial(peer.objects, symbol, START, END), mine)
        for name, peer, rounds, asked in (
            ("ArcticDB", arctic, 30, 4),
            ("a file a month", months, 5, None),
        )
    ]
    (alone,) = in_turn(30, mine)
    count = len(mine())
    print(f"storecore reads {count:,} bars as objects at {alone / count * 1e6:.2f} µs a bar")
    return figures


def appends(ours: Storecore, arctic: Arctic, symbols: list[str], last: np.datetime64) -> list:
    """Append one bar, then one day for all symbols, in one call."""
    dates = {store: iter(last + DAY * np.arange(1, 200)) for store in (arctic, ours)}

    def append(store) -> None:
        store.append(symbols[0], next(dates[store]))

    one = beside(
        "ArcticDB update", "append one bar", 40, 2, *(partial(append, each) for each in dates)
    )
    tables = {
        store: iter([one_day(symbols, next(dates[store])) for _ in range(6)]) for store in dates
    }

    def day(store) -> None:
        store.day(next(tables[store]))

    work, pair = "one day for the universe, one call", [partial(day, each) for each in dates]
    whole = beside("ArcticDB update_batch", work, 5, 20, *pair)
    begin = time.perf_counter()
    ours.store.close()
    print(f"close() folds 6 days for {len(symbols)} symbols in {time.perf_counter() - begin:.2f} s")
    return [one, whole]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
