"""Measures small durable writes of bars: beside ArcticDB's update, SQLite's commit, and themselves.

    pip install -e '.[benchmarks]'
    python tests/benchmarks/appends.py [--rounds 40] [--symbols 500]

Works that are compared take turns, so that a noisy machine is so to each. Every write of storecore
and of SQLite is synced when it returns; ArcticDB syncs nothing.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
from peers import Arctic, Storecore
from universe import bar_table, names, weekdays

from storecore import PriceBar
from storecore_file import FileDataStore

ASKED = {2: 1.0, 3: 1.1, 5: 1.1, 50: 2.0}  # times as long as one row for one symbol, with 1: 1
NEXT = datetime(2026, 1, 1)


def turns(rounds: int, works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median seconds of each work; they take turns, after two rounds to warm up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds + 2):
        for name, work in works.items():
            begin = time.perf_counter()
            work()
            if turn > 1:
                times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(each) for name, each in times.items()}


def appends(folder: Path, rounds: int) -> None:
    """Append one bar to 20 years of one symbol, beside ArcticDB's update."""
    symbols, dates = names(1), weekdays(5_040)
    ours, arctic = Storecore(folder / "ours"), Arctic(folder / "arctic")
    for store in (ours, arctic):
        store.write(bar_table(symbols, dates))
    days = {store: count(1) for store in (ours, arctic)}

    def append(store) -> None:
        store.append(symbols[0], dates[-1] + np.timedelta64(next(days[store]), "D"))

    found = turns(rounds, {"ours": partial(append, ours), "arctic": partial(append, arctic)})
    print(f"append one bar: {found['ours'] * 1e3:.2f} ms; ArcticDB / ours (asked: 2):", end=" ")
    print(f"{found['arctic'] / found['ours']:.2f}")


def rows_of_many(folder: Path, rounds: int) -> None:
    """Write one row for each of some symbols in one call."""
    stores = {number: FileDataStore(base_path=folder / f"of-{number}") for number in (1, *ASKED)}
    for number, store in stores.items():
        store.write_bar_table(bar_table(names(number), weekdays(500)))
    days = {number: count() for number in stores}

    def write(number: int) -> None:
        day = np.datetime64(NEXT + timedelta(next(days[number])), "us")
        tables[number] = bar_table(names(number), np.array([day]))

    tables: dict[int, object] = {}

    def timed(number: int) -> None:
        stores[number].write_bar_table(tables[number])

    times: dict[int, list[float]] = {number: [] for number in stores}
    for turn in range(rounds + 2):
        for number in stores:
            write(number)
            begin = time.perf_counter()
            timed(number)
            if turn > 1:
                times[number].append(time.perf_counter() - begin)
    one = statistics.median(times[1])
    for number, asked in ASKED.items():
        ratio = statistics.median(times[number]) / one
        print(f"one row for each of {number} symbols / for one (asked: {asked:g}): {ratio:.2f}")


def one_by_one(folder: Path, number: int) -> None:
    """Write one bar to each of many symbols, a call each, beside SQLite with a commit each."""
    symbols = names(number)
    store = FileDataStore(base_path=folder / "single")
    store.write_bar_table(bar_table(symbols, weekdays(500)))
    files = {mode: _sqlite(folder / f"{mode}.sqlite", mode) for mode in ("delete", "wal")}
    times: dict[str, list[float]] = {name: [] for name in ("ours", *files)}
    for day in range(2):
        for symbol in symbols:
            date = NEXT + timedelta(day)
            bar = PriceBar(symbol, date, 1.0, 2.0, 0.5, 1.5, 10)
            times["ours"].append(_taken(partial(store.write_bars, symbol, [bar])))
            for mode, file in files.items():
                times[mode].append(_taken(partial(_commit, file, symbol, date)))
    ours = statistics.mean(times["ours"])
    for mode in files:
        ratio = statistics.mean(times[mode]) / ours
        print(f"one bar at a time to {number} symbols: SQLite ({mode}) / ours (asked: 1.5)", end="")
        print(f": {ratio:.2f}, ours {ours * 1e3:.2f} ms")


def _sqlite(path: Path, mode: str) -> sqlite3.Connection:
    file = sqlite3.connect(path, isolation_level=None)
    file.execute(f"PRAGMA journal_mode={mode}")
    file.execute("PRAGMA synchronous=FULL")
    key = "symbol TEXT, date INTEGER, open, high, low, close, volume, PRIMARY KEY (symbol, date)"
    file.execute(f"CREATE TABLE bars ({key}) WITHOUT ROWID")
    return file


def _commit(file: sqlite3.Connection, symbol: str, date: datetime) -> None:
    row = (symbol, int(date.timestamp()), 1.0, 2.0, 0.5, 1.5, 10)
    file.execute("INSERT OR REPLACE INTO bars VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def _taken(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--symbols", type=int, default=500)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir="."))
    try:
        appends(folder, options.rounds)
        rows_of_many(folder, options.rounds)
        one_by_one(folder, options.symbols)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
