"""Measures cold reads of bars: the first read of a process, whose files are in the page cache.

    pip install -e '.[benchmarks]'
    python tests/benchmarks/cold.py [--symbols 300] [--days 5040] [--rounds 7] [--cpu] [--apart]

Each read is that of a new process, which has imported and opened its store before the clock starts.
The works take turns. Each figure is the least time of a peer over that of storecore, by the clock
or, with `--cpu` for a busy machine, of the processor. More is better. With `--apart` each symbol
begins five days after the one before, so that no two have the same dates. What a store asks for
when it has been read before is in `warm.py`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from peers import Arctic, Duck, OverFiles, Storecore
from timing import END, START
from universe import bar_table, names, weekdays

KINDS = {"ours": Storecore, "ArcticDB": Arctic, "DuckDB's file": Duck}
ALL_KINDS = {**KINDS, "DuckDB over our files": OverFiles}
CLOCKS: dict[str, Callable[[], float]] = {"clock": time.perf_counter, "cpu": time.process_time}


class Work(NamedTuple):
    """A range that is read, of one symbol or all, and what is asked beside each peer."""

    name: str
    is_one: bool
    start: datetime
    end: datetime
    asked: dict[str, float]


# A range of the universe may take three times as long as in DuckDB's own file, and no longer.
WORKS = [
    Work("one symbol, 20 years", True, START, END, {"ArcticDB": 1.8}),
    Work(
        "all symbols, 1 year",
        False,
        datetime(2020, 1, 1),
        datetime(2020, 12, 31),
        {"ArcticDB": 2.5, "DuckDB over our files": 1.3, "DuckDB's file": 1 / 3},
    ),
    Work(
        "all symbols, 1 day",
        False,
        datetime(2020, 6, 1),
        datetime(2020, 6, 1),
        {"ArcticDB": 1, "DuckDB over our files": 1, "DuckDB's file": 1 / 3},
    ),
]


def read_first(kind: str, folder: Path, number: int, count: int, clock: str) -> float:
    """Open a store, read, and return the seconds of the read."""
    work, store = WORKS[number], ALL_KINDS[kind](folder)
    chosen = names(count)[count // 2] if work.is_one else names(count)
    begin = CLOCKS[clock]()
    store.read(chosen, work.start, work.end)
    return CLOCKS[clock]() - begin


def in_new_processes(folder: Path, number: int, count: int, rounds: int, clock: str) -> dict:
    """Return the least seconds of each kind of store, which take turns."""
    kinds = ["ours", *WORKS[number].asked]
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            place = "ours" if kind == "DuckDB over our files" else kind.replace(" ", "-")
            given = [kind, folder / place, number, count, clock]
            command = [sys.executable, __file__, "--first", *map(str, given)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            times[kind].append(float(done.stdout))
    return {kind: min(each) for kind, each in times.items()}


def apart(table: pa.Table, count: int) -> pa.Table:
    """Return the bars of symbols, each without five more days at its beginning."""
    days = len(table) // count
    return pa.concat_tables(
        table.slice(number * days + 5 * number, days - 5 * number) for number in range(count)
    )


def main() -> None:
    """Measure everything and print it; with `--first`, read once and print the seconds."""
    if sys.argv[1:2] == ["--first"]:
        kind, folder, number, count, clock = sys.argv[2:]
        print(read_first(kind, Path(folder), int(number), int(count), clock))
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--symbols", type=int, default=300)
    parser.add_argument("--days", type=int, default=5_040)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--apart", action="store_true")
    options = parser.parse_args()
    clock = "cpu" if options.cpu else "clock"
    with tempfile.TemporaryDirectory(dir=".") as made:
        folder, table = Path(made), bar_table(names(options.symbols), weekdays(options.days))
        table = apart(table, options.symbols) if options.apart else table
        for name, kind in KINDS.items():
            kind(folder / name.replace(" ", "-")).write(table)
        for number, work in enumerate(WORKS):
            found = in_new_processes(folder, number, options.symbols, options.rounds, clock)
            for peer, asked in work.asked.items():
                beside = f"{peer}, ours {found['ours'] * 1e3:.1f} ms"
                ratio = found[peer] / found["ours"]
                print(f"{work.name:25}  {beside:45}  {ratio:6.2f} x (asked: {asked:.2g})")


if __name__ == "__main__":
    main()
