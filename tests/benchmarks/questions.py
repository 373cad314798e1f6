"""Measures questions that loops ask: `python tests/benchmarks/questions.py [--bars 10000000]`.

`last=n` of a long series of minutes beside one with 1,000, of the same store, in turn: 1 is no
growth. The inventory of many series beside three calls for each, in processor time, in partitions
(in a process that has just opened the store, and again) and in the journal.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from timing import in_turn
from universe import bar_table, minutes, names, weekdays

from storecore_file import FileDataStore

SHORT = 1_000


def main() -> None:
    """Run all and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bars", type=int, default=10_000_000)
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        newest(Path(folder) / "minutes", options.bars, options.count)
        partitions(Path(folder) / "partitions", 500, 500)
        journal(Path(folder) / "journal", 2_000)


def newest(folder: Path, bars: int, count: int) -> None:
    """Compare `last` of a long series with that of a short one, as bars and as a table."""
    with FileDataStore(base_path=folder, durability="os") as store:
        for symbol, rows in (("LONG", bars), ("SHORT", SHORT)):
            store.write_bar_table(bar_table([symbol], minutes(rows)), timeframe="1m")
        for read in (store.read_bars, store.read_bar_table):
            works = [partial(read, each, timeframe="1m", last=count) for each in ("SHORT", "LONG")]
            short, long = in_turn(300, *works)
            print(
                f"{read.__name__}, last={count} of {SHORT:,} and of {bars:,} bars: "
                f"{short * 1e6:.0f} and {long * 1e6:.0f} us, {long / short:.2f}"
            )


def partitions(folder: Path, series: int, days: int) -> None:
    """Compare the inventory of series in partitions with three calls for each."""
    with FileDataStore(base_path=folder, durability="os") as store:
        store.write_bar_table(bar_table(names(series), weekdays(days)))
    time.sleep(0.1)  # so that what is seen of the folders can be kept
    first, again = [], []
    for ask in (three_calls, inventory):
        with FileDataStore(base_path=folder, durability="os", create=False) as store:
            first.append(processor_time(partial(ask, store)))
            again.append(min(processor_time(partial(ask, store)) for _ in range(5)))
    told("partitions, first", series, *first)
    told("partitions, again", series, *again)


def journal(folder: Path, series: int) -> None:
    """Compare the inventory of series in the journal with three calls for each."""
    with FileDataStore(base_path=folder, durability="os") as store:
        store.write_bar_table(bar_table(names(series), weekdays(2)))
        times = [processor_time(partial(ask, store)) for ask in (three_calls, inventory)]
        told("journal", series, *times)


def three_calls(store: FileDataStore) -> list[object]:
    """Return the extent of each series as it is asked for without an inventory."""
    return [
        store.bar_coverage(symbol, timeframe=timeframe)
        for symbol in store.symbols()
        for timeframe in store.timeframes(symbol)
    ]


def inventory(store: FileDataStore) -> list[object]:
    """Return the inventory."""
    return list(store.inventory())


def processor_time(work: Callable[[], object]) -> float:
    """Return the seconds of processor time of a call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def told(what: str, series: int, calls: float, at_once: float) -> None:
    """Print two times and their ratio."""
    print(
        f"{series:,} series ({what}): three calls each {calls * 1e3:.0f} ms, inventory "
        f"{at_once * 1e3:.0f} ms, {calls / at_once:.1f} times quicker"
    )


if __name__ == "__main__":
    main()
