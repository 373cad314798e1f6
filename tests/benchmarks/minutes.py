"""Measures an outsider's task beside ArcticDB and pandas with Parquet: minutes of one symbol.

    pip install -e '.[benchmarks]'
    python tests/benchmarks/minutes.py [--years 1 10] [--rounds 5] [--work update] [--cpu]

Insert all, select all, update 5 days of which 2 are overwritten, and select 5 days, all of them in
frames of pandas, as a published comparison of November 2023 does. storecore's writes are synced,
the others' are not. Each figure is the median time of a peer over that of storecore, measured in
turn in this one run (with `--cpu`, for a busy machine, the least processor
time, in which no sync counts). More is better.

Each update is of the next 5 days: 2 of them were written by the one before, with other prices. A
short read is repeated in its turn, or it would begin with the processor's caches full of what
another store needs.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from argparse import Namespace as Options
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import arcticdb
import numpy as np
import pandas as pd
from universe import FIELDS

import storecore
from storecore_file import FileDataStore

COLUMNS = ["date", *FIELDS]
SYMBOL = "AAPL"
SESSION = 390  # minutes of a day
YEAR = 260  # days
TURN = 0.01  # seconds
ASKED = {
    "insert": (0.5, 1),
    "select": (2, 1.5),
    "update": (0.5, 3),
    "select 5 days": (5, 10),
    "update with equal values": (0.5, 3),
}


def minutes_of(first_day: int, days: int, seed: int = 1) -> pd.DataFrame:
    """Return minutes of some trading days from a day on, prices of two decimals."""
    starts = np.busday_offset("2014-01-02", np.arange(first_day, first_day + days), roll="forward")
    dates = starts.astype("M8[m]")[:, None] + np.arange(570, 570 + SESSION).astype("m8[m]")
    random = np.random.default_rng(seed)
    rows = days * SESSION
    close = np.round(100 + random.normal(0, 0.02, rows).cumsum(), 2)
    columns = {
        "open": np.concatenate([close[:1], close[:-1]]),
        "high": np.round(close + random.uniform(0, 0.05, rows), 2),
        "low": np.round(close - random.uniform(0, 0.05, rows), 2),
        "close": close,
        "volume": random.integers(1, 50_000, rows).astype("f8"),
    }
    index = pd.DatetimeIndex(dates.ravel().astype("M8[ns]"), name="date")
    return pd.DataFrame(columns, index=index)


class Ours:
    """The file backend, durable."""

    def __init__(self, folder: Path) -> None:
        self.store = FileDataStore(base_path=folder)

    def insert(self, frame: pd.DataFrame) -> None:
        self.store.write_bar_table(frame, symbol=SYMBOL, timeframe="1m")

    update = insert

    def select(self, start=None, end=None) -> pd.DataFrame:
        table = self.store.read_bar_table(SYMBOL, start, end, timeframe="1m", columns=COLUMNS)
        return storecore.to_frame(table)

    def close(self) -> None:
        self.store.close()


class Arctic:
    """ArcticDB on LMDB."""

    def __init__(self, folder: Path) -> None:
        self.arctic = arcticdb.Arctic(f"lmdb://{folder}?map_size=2GB")
        self.kept = self.arctic.create_library("bars")

    def insert(self, frame: pd.DataFrame) -> None:
        self.kept.write(SYMBOL, frame)

    def update(self, frame: pd.DataFrame) -> None:
        self.kept.update(SYMBOL, frame, prune_previous_versions=True)

    def select(self, start=None, end=None) -> pd.DataFrame:
        span = None if start is None else (start, end)
        return self.kept.read(SYMBOL, date_range=span).data

    def close(self) -> None:
        del self.kept, self.arctic


class Parquet:
    """pandas and one Parquet file: an update reads it and writes it again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.path = folder / f"{SYMBOL}.parquet"

    def insert(self, frame: pd.DataFrame) -> None:
        frame.to_parquet(self.path)

    def update(self, frame: pd.DataFrame) -> None:
        old = pd.read_parquet(self.path)
        both = pd.concat([old[~old.index.isin(frame.index)], frame])
        both.sort_index().to_parquet(self.path)

    def select(self, start=None, end=None) -> pd.DataFrame:
        if start is None:
            return pd.read_parquet(self.path)
        return pd.read_parquet(self.path, filters=[("date", ">=", start), ("date", "<=", end)])

    def close(self) -> None:
        pass


class Figure(NamedTuple):
    """A work, the seconds of each store, our own first."""

    work: str
    times: list[float]


def taken(work: Callable[[], object], clock=[time.perf_counter]) -> float:  # noqa: B006
    """Return the seconds that a work takes, by the clock that was chosen."""
    begin = clock[0]()
    work()
    return clock[0]() - begin


def repeated(work: Callable[[], object]) -> float:
    """Return the least seconds of a work that is repeated for a turn, once at least."""
    least, until = taken(work), time.perf_counter() + TURN
    while time.perf_counter() < until:
        least = min(least, taken(work))
    return least


def in_turn(work: str, options: Options, stores: list, do: Callable) -> Figure:
    """Return the seconds of a work in each store, which take turns, after one to warm up."""
    rows = [[do(each, turn) for each in stores] for turn in range(options.rounds + 1)]
    chosen = min if options.cpu else median
    return Figure(work, [chosen(column) for column in zip(*rows[1:], strict=True)])


def measure(folder: Path, years: int, options: Options) -> list[Figure]:
    """Return the seconds of each work; stores are made in a folder."""
    days = years * YEAR
    frame = minutes_of(0, days)
    stores = [kind(folder / f"{kind.__name__}-{years}") for kind in (Ours, Arctic, Parquet)]
    for store in stores:
        store.insert(frame)
    five = frame.index[-20 * SESSION], frame.index[-15 * SESSION - 1]
    new = [minutes_of(days - 2 + 3 * turn, 5, seed=turn) for turn in range(options.rounds + 1)]
    works: dict[str, Callable] = {
        "insert": lambda store, turn: insert_anew(folder, store, frame),
        "select": lambda store, turn: repeated(store.select),
        "select 5 days": lambda store, turn: repeated(partial(store.select, *five)),
        "update": lambda store, turn: taken(partial(store.update, new[turn])),
        "update with equal values": lambda store, turn: taken(partial(store.update, new[-1])),
    }
    check_equal(stores, five, frame)
    chosen = [name for name in works if options.work in (None, name)]
    figures = [in_turn(name, options, stores, works[name]) for name in chosen]
    check_equal(stores, five, None)
    for store in stores:
        store.close()
    return figures


def insert_anew(folder: Path, store, frame: pd.DataFrame) -> float:
    """Return the seconds that it takes to insert a frame into a new store of the same kind."""
    made = Path(tempfile.mkdtemp(dir=folder))
    new = type(store)(made / "store")
    seconds = taken(partial(new.insert, frame))
    new.close()
    shutil.rmtree(made)
    return seconds


def check_equal(stores: list, five: tuple, frame: pd.DataFrame | None) -> None:
    """Raise if the stores do not hold the same bars."""
    for bounds in ((), five):
        found = [store.select(*bounds) for store in stores]
        first = found[0].set_index("date")
        first.index = first.index.tz_localize(None)
        for other in found[1:]:
            pd.testing.assert_frame_equal(first, other, check_index_type=False, check_freq=False)


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--years", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work")
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    if options.cpu:
        taken.__defaults__[0][0] = time.process_time
    for years in options.years:
        folder = Path(tempfile.mkdtemp(dir="."))
        try:
            figures = measure(folder, years, options)
        finally:
            shutil.rmtree(folder)
        for work, (ours, arctic, parquet) in figures:
            asked = "; ".join(f"{each:g}" for each in ASKED[work])
            print(
                f"{years:3} years, {work:26} {ours * 1e3:9.2f} ms   ArcticDB {arctic / ours:6.2f} x"
                f"   pandas + Parquet {parquet / ours:6.2f} x   (asked: {asked})"
            )


if __name__ == "__main__":
    main()
