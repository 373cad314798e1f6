"""Measures questions for events: `python tests/benchmarks/event_questions.py [OTHER]`.

A day has many events of 20 symbols. Printed is what one minute of one symbol takes, while the day
is written and once it is sealed, what a batch takes, and the peak memory of going through the day,
of sealing, verifying and copying it. OTHER is a folder in which another release lies unpacked:
then each work is done by both, in turn, each in a process of its own, and the ratio is printed,
this release over the other. Less is better.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

DAY = datetime(2026, 1, 5)
MINUTE = DAY + timedelta(hours=10), DAY + timedelta(hours=10, seconds=59)
FIRST, LATER = "written", "sealed"


def make_events(first: int, count: int, in_all: int) -> list:
    """Return some events of a day that has `in_all`, of 20 symbols."""
    from storecore import Event

    step = timedelta(days=1) / in_all
    return [
        Event(
            "trade" if number % 3 else "quote",
            f"SYM{number % 20:02}",
            DAY + number * step,
            DAY + number * step,
            "feed",
            {"price": 100 + number % 977 / 7, "size": number % 100, "venue": "XNAS"},
        )
        for number in range(first, first + count)
    ]


def peak() -> float:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000


def fill(folder: str, count: int) -> None:
    """Write a day in batches."""
    from storecore_file import FileDataStore

    with FileDataStore(folder, durability="os") as store:
        for first in range(0, count, 10_000):
            store.write_events(make_events(first, min(10_000, count - first), count))


def work(name: str, folder: str) -> tuple[float, float]:
    """Do a work once; return the milliseconds, or microseconds an event, and the memory it took."""
    from storecore_file import FileDataStore

    store = FileDataStore(folder, durability="os")
    events = make_events(0, 10_000, 200_000) if name == "batch" else []
    works: dict[str, Callable[[], object]] = {
        "minute": lambda: store.read_events(*MINUTE, symbols=["SYM03"]),
        "symbol": lambda: store.read_events(DAY, DAY + timedelta(days=1), symbols=["SYM03"]),
        "batch": lambda: store.write_events(events),
        "iterate": lambda: sum(1 for _ in store.iter_events()),
        "seal": store.compact,
        "verify": store.verify,
        "copy": lambda: copied(store, f"{folder}-copy"),
    }
    before = peak()
    begin = time.process_time()
    works[name]()
    took = time.process_time() - begin
    store.close()
    return took * 1_000, peak() - before


def copied(store: object, target: str) -> None:
    """Copy a store into a new one."""
    import storecore

    shutil.rmtree(target, ignore_errors=True)
    storecore.copy_store(store, storecore.open_store("file", base_path=target, durability="os"))


class Release:
    """A release that does each work in a process of its own, on a store of its own."""

    def __init__(self, code: Path, folder: str, count: int) -> None:
        self._code = code
        self._folder = folder
        self._run("fill", str(count))

    def done(self, name: str) -> tuple[float, float]:
        """Return what a work took: milliseconds of processor time, and MB."""
        took, memory = self._run("work", name).split()
        return float(took), float(memory)

    def _run(self, step: str, what: str) -> str:
        return subprocess.run(
            [sys.executable, __file__, "--step", step, "--what", what, "--folder", self._folder],
            env=os.environ | {"PYTHONPATH": str(self._code)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout


def report(releases: list[Release], name: str, state: str, rounds: int) -> None:
    """Print what a work takes, beside the other release if there is one."""
    found = [[release.done(name) for release in releases] for _ in range(rounds)]
    took = [statistics.median(each[at][0] for each in found) for at in range(len(releases))]
    memory = [max(each[at][1] for each in found) for at in range(len(releases))]
    figures = f"{took[0]:10,.1f} ms {memory[0]:8,.0f} MB"
    if len(releases) > 1:
        figures += f"   other {took[1]:10,.1f} ms {memory[1]:8,.0f} MB"
        figures += f"   ratio {took[0] / took[1]:.3f}, {memory[0] / max(memory[1], 1):.3f}"
    print(f"{name:8} {state:8} {figures}", flush=True)


def main() -> None:
    """Run all and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("other", nargs="?", type=Path)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--step", choices=["fill", "work"], help=argparse.SUPPRESS)
    parser.add_argument("--what", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step == "fill":
        return fill(options.folder, int(options.what))
    if options.step == "work":
        return print(*work(options.what, options.folder))
    codes = [Path(__file__).parents[2], *([options.other.absolute()] if options.other else [])]
    with tempfile.TemporaryDirectory(dir=".") as folder:
        releases = [
            Release(code, f"{folder}/{number}", options.events) for number, code in enumerate(codes)
        ]
        for state in (FIRST, LATER):
            for name in ("minute", "symbol"):
                report(releases, name, state, options.rounds)
            for name in ("iterate", "verify"):
                report(releases, name, state, 1)
            report(releases, "seal" if state == FIRST else "copy", state, 1)
        report(releases, "batch", LATER, options.rounds)
    return None


if __name__ == "__main__":
    main()
