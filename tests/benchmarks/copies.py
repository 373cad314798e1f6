"""Measures copies and checkpoints of a whole store: `python tests/benchmarks/copies.py`.

Three stores of files are filled: one symbol's minutes, events of 250 days, and records of one day
of the audit log. Each is copied into an empty store, durably, and once more, which finds all equal.
A fourth store, of daily bars, is checkpointed, verified, and verified against its checkpoint. Each
work is in a process of its own. Printed are its processor time, the time that passed, and the
memory that it took beyond that of a process with pyarrow.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from scale import forked, peak, prepare
from scale_works import event, fill_bars, fill_records
from universe import bar_table, names, weekdays

import storecore

EVENT_DAYS = 250


def main() -> None:
    """Measure all, and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bars", type=int, default=10_000_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--days", type=int, default=5_217)
    given = parser.parse_args()
    copied: tuple[tuple[str, int, Callable[[Any, int], None]], ...] = (
        ("minutes of one symbol", given.bars, fill_bars),
        (f"events of {EVENT_DAYS} days", given.events, fill_days),
        ("audit records of one day", given.records, fill_records),
    )
    with tempfile.TemporaryDirectory(dir=".") as folder:
        prepare({"backend": "file", "base_path": f"{folder}/first"})
        for what, count, fill in copied:
            print_copies(Path(folder), f"{count:,} {what}", partial(fill, count=count))
        print_checkpoints(Path(folder), given.symbols, given.days)


def print_copies(folder: Path, what: str, fill: Callable[[Any], None]) -> None:
    """Copy a store twice, into the same one."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        source, target = f"{own}/source", f"{own}/target"
        forked(partial(filled, source, fill))
        show(f"copy {what}, files to files", partial(copy, source, target))
        show(f"copy {what} again, all equal", partial(copy, source, target))


def print_checkpoints(folder: Path, count: int, days: int) -> None:
    """Take a checkpoint of daily bars, and verify with it and without."""
    path, symbols = f"{folder}/daily", names(count)
    table = partial(bar_table, symbols, weekdays(days))
    forked(partial(filled, path, lambda store: store.write_bar_table(table())))
    what = f"{count * days:,} bars of {count} symbols"

    def checkpoint(store: Any) -> Any:
        return store.checkpoint()

    show(f"checkpoint of {what}", partial(opened, path, checkpoint))
    against = forked(partial(opened, path, checkpoint))
    show(f"verify {what}", partial(opened, path, lambda store: store.verify()))
    verify = partial(opened, path, lambda store: store.verify(against=against))
    show(f"verify {what} against its checkpoint", verify)


def fill_days(store: Any, count: int) -> None:
    """Write events of many days, a day after the other."""
    each = -(-count // EVENT_DAYS)
    for first in range(0, count, each):
        earlier = timedelta(days=EVENT_DAYS - first // each)
        numbers = range(min(each, count - first))
        store.write_events([moved(event(number, each), earlier) for number in numbers])


def moved(one: storecore.Event, earlier: timedelta) -> storecore.Event:
    """Return an event of another day."""
    moment = one.timestamp - earlier
    return storecore.Event(one.type, one.symbol, moment, moment, one.source, one.payload)


def filled(path: str, fill: Callable[[Any], None]) -> None:
    """Fill a new store."""
    with storecore.open_store({"backend": "file", "base_path": path, "durability": "os"}) as store:
        fill(store)


def opened(path: str, work: Callable[[Any], Any]) -> Any:
    """Return what a work returns for a store."""
    with storecore.open_store({"backend": "file", "base_path": path}) as store:
        return work(store)


def copy(source: str, target: str) -> None:
    """Copy a store into another one, synced."""
    opened(source, lambda one: opened(target, lambda other: storecore.copy_store(one, other)))


def show(what: str, work: Callable[[], object]) -> None:
    """Do a work in a process of its own, and print what it took."""
    worked, passed, memory = forked(partial(cost, work))
    print(f"{what}  {worked:.1f} s of processor time  {passed:.1f} s  {memory:.0f} MB", flush=True)


def cost(work: Callable[[], object]) -> tuple[float, float, float]:
    """Return the processor time of a work, the time that passed, and its memory in MB."""
    before, worked, passed = peak(), time.process_time(), time.perf_counter()
    work()
    return time.process_time() - worked, time.perf_counter() - passed, peak() - before


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
