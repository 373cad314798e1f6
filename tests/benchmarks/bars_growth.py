"""Measures how the cost of bars grows: `python tests/benchmarks/bars_growth.py [--bars 10000000]`.

Each figure is storecore beside itself, on the same disk, in turn, durably: a long series beside a
short one, a store grown a day at a time beside one written at once, 20,000 symbols beside 200; and
the peak memory of a bulk write and of a streamed read. Less is better; 1 is no growth.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from timing import END, START, YEAR, in_turn
from universe import DAY, bar_table, minutes, names, one_day, weekdays

from storecore import PriceBar
from storecore_file import FileDataStore

MINUTE = np.timedelta64(1, "m")


def main() -> None:
    """Run all and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bars", type=int, default=10_000_000)
    parser.add_argument("--symbols", type=int, default=20_000)
    parser.add_argument("--step", choices=["write", "stream"], help="what a child does")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.step:
        child(options.step, options.folder, options.bars)
        return
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for step in ("write", "stream"):
            command = [sys.executable, __file__, "--step", step, "--folder", f"{folder}/long"]
            subprocess.run([*command, "--bars", str(options.bars)], check=True)
        long_series(Path(folder), options.bars)
        grown(Path(folder))
        many_symbols(Path(folder), options.symbols)


def child(step: str, folder: Path, bars: int) -> None:
    """Write or stream the long series in a process of its own, and print its peak memory."""
    store = FileDataStore(base_path=folder)
    before = peak()
    if step == "write":
        table = bar_table(["LONG"], minutes(bars))
        before = peak()
        store.write_bar_table(table, timeframe="1m")
        print(
            f"bulk write of {bars:,} bars, a table of {table.nbytes / 1e6:.0f} MB: "
            f"{peak():.0f} MB at most, {before:.0f} MB of it before the write"
        )
    else:
        count = sum(map(len, store.iter_bar_tables("LONG", START, END, timeframe="1m")))
        print(f"stream of {count:,} bars: {peak():.0f} MB at most, {before:.0f} MB of it before")
    store.close()


def peak() -> float:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000


def long_series(folder: Path, bars: int) -> None:
    """Append to a series of many bars and to one of a thousand."""
    store = FileDataStore(base_path=folder / "long")
    store.write_bar_table(bar_table(["SHORT"], minutes(1_000)), timeframe="1m")
    last = minutes(1)[0]
    dates = {symbol: iter(last + MINUTE * np.arange(1, 200)) for symbol in ("LONG", "SHORT")}

    def append(symbol: str) -> None:
        date = next(dates[symbol]).item()
        store.write_bars(symbol, [PriceBar(symbol, date, 1.0, 1.0, 1.0, 1.0, 5)], timeframe="1m")

    long, short = in_turn(150, partial(append, "LONG"), partial(append, "SHORT"))
    print(f"append to {bars:,} bars / to 1,000: {long / short:.2f} (asked: at most 1.3)")


def grown(folder: Path) -> None:
    """Read a series after 2,500 appends of a day, and one that was written at once."""
    slow = FileDataStore(base_path=folder / "grown", durability="os")
    fast = FileDataStore(base_path=folder / "bulk", durability="os")
    dates = weekdays(2_500)
    table = bar_table(["A"], dates)
    for row in range(len(dates)):
        slow.write_bar_table(table.slice(row, 1))
    fast.write_bar_table(table)
    files = slow.bar_footprint("A").files
    one, other = in_turn(
        100, *(partial(each.read_bar_table, "A", START, END) for each in (slow, fast))
    )
    print(f"read after 2,500 appends ({files} files) / after a bulk write: {one / other:.2f} (1.5)")


def many_symbols(folder: Path, count: int) -> None:
    """Read a year, list, and cover all of a store of many symbols, and of one of 200."""
    stores = {}
    for size in (count, 200):
        stores[size] = FileDataStore(base_path=folder / f"symbols-{size}", durability="os")
        for start in range(0, size, 1_000):
            some = names(size)[start : start + 1_000]
            stores[size].write_bar_table(bar_table(some, weekdays(504)))
    works = {
        "read 1 year of all": lambda store, size: store.read_bar_table(names(size), *YEAR),
        "symbols()": lambda store, size: store.symbols(),
        "bar_coverage of all": lambda store, size: [store.bar_coverage(s) for s in names(size)],
    }
    for title, work in works.items():
        many, few = in_turn(3, *(partial(work, store, size) for size, store in stores.items()))
        print(f"{title}, a symbol of {count:,} / of 200: {many / count / (few / 200):.2f} (1.3)")
    table = one_day(names(count), weekdays(1)[0] + DAY)
    (once,) = in_turn(1, lambda: stores[count].write_bar_table(table))
    print(f"one day for {count:,} symbols in one call: {once:.2f} s")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
