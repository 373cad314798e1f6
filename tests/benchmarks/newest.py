"""Measures `last=n`: `python tests/benchmarks/newest.py [--bars 10000000] [--count 200]`.

The newest bars of a long series of minutes beside those of one with 1,000, of the same store, in
turn: as it was written at once, after an append, in a process that has just opened the store, and
as a table. 1 is no growth.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial

from timing import in_turn
from universe import bar_table, minutes

from storecore.values.times import EARLIEST, LATEST, TimeRange
from storecore_file import FileDataStore

SHORT = 1_000


def main() -> None:
    """Write both series, and print a line for each way to ask."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bars", type=int, default=10_000_000)
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        store = FileDataStore(base_path=folder, durability="os")
        for symbol, rows in (("LONG", options.bars), ("SHORT", SHORT)):
            store.write_bar_table(bar_table([symbol], minutes(rows)), timeframe="1m")
        compared(store, options, "written at once")


def compared(store, options, what):
    span = TimeRange(EARLIEST, LATEST, False, options.count)
    works = [partial(store._bars.read, symbol, "1m", span) for symbol in ("SHORT", "LONG")]
    short, long = in_turn(300, *works)
    print(f"{what}: {short * 1e6:.0f} and {long * 1e6:.0f} us: {long / short:.2f}")


if __name__ == "__main__":
    main()
