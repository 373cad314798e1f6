"""Measures this storecore beside another release: `python tests/benchmarks/releases.py OTHER`.

OTHER is a folder in which the other release lies unpacked (`git worktree add OTHER v0.1.0`). Each
release runs in a process of its own, on a store of its own; they do the same work in turn, so that
a machine that slows down slows both. Printed is, for each work, the median over all pairs of the
processor time of this release over the other, with the quartiles, and the median of the time
that passed: below 1 this one is quicker. `--durability os` leaves out the syncs.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

SYMBOLS = [f"SYM{number}" for number in range(100)]
START = datetime(2006, 1, 2)
DAYS = [START + timedelta(days=day) for day in range(20 * 365)]
EVER = (datetime(1990, 1, 1), datetime(2040, 1, 1))
YEAR = (datetime(2015, 1, 1), datetime(2015, 12, 31))
Work = Callable[[int], object]


def works(folder: str, durability: str) -> dict[str, tuple[int, Work]]:
    """Return what is measured: how often in one go, and what is done then, by name."""
    import pyarrow as pa

    from storecore import Action, Decision, Event, FundamentalData, Order, OrderResult, PriceBar
    from storecore_file import FileDataStore

    def table(symbols: list[str], days: list[datetime]) -> pa.Table:
        count = len(symbols) * len(days)
        prices = [round(random.uniform(10, 500), 2) for _ in range(count)]
        return pa.table(
            {
                "symbol": [symbol for symbol in symbols for _ in days],
                "date": days * len(symbols),
                **dict.fromkeys(("open", "high", "low", "close"), prices),
                "volume": [float(number) for number in range(count)],
            }
        )

    store = FileDataStore(base_path=folder, durability=durability)
    history = table(SYMBOLS, DAYS)
    store.write_bar_table(history)
    bars = {day: [PriceBar("SYM0", day, 1.5, 2.5, 1.0, 2.0, 1_000)] for day in DAYS[-300:]}
    filing = FundamentalData(
        symbol="SYM0",
        timestamp=START,
        company_name="A company",
        cik="0000320193",
        raw_xml="<f/>" * 50,
    )
    event = Event("news", "SYM0", START, START, "feed", {"headline": "x" * 100})
    decision = Decision("SYM0", Action.BUY, 0.5, 0.9, "cheap against its own history")
    order = Order("value", "SYM0", "BUY", 10, "LIMIT", 99.5)
    result = OrderResult("7", "filled", 99.5, 10)
    state = {"cash": 1.0, "positions": dict.fromkeys(SYMBOLS, 10)}
    store.write_fundamental("SYM0", filing)
    universe = [table(SYMBOLS, [DAYS[-1] + timedelta(days=day)]) for day in range(400)]
    later = iter(range(10**9))
    return {
        "read_bars, one symbol, 20 years": (3, lambda _: store.read_bars("SYM0", *EVER)),
        "read_bars, one symbol, 1 year": (30, lambda _: store.read_bars("SYM0", *YEAR)),
        "read_bar_table, 100 symbols, 1 year": (
            2,
            lambda _: store.read_bar_table(SYMBOLS, *YEAR),
        ),
        "read_bar_table, 100 symbols, 20 years": (
            1,
            lambda _: store.read_bar_table(SYMBOLS, *EVER),
        ),
        "bar_coverage": (50, lambda _: store.bar_coverage("SYM1")),
        "symbols": (10, lambda _: store.symbols()),
        "write_bars, one bar": (20, lambda n: store.write_bars("SYM0", bars[DAYS[-300 + n]])),
        "write_bar_table, 100 symbols, one day": (
            3,
            lambda _: store.write_bar_table(universe[next(later) % len(universe)]),
        ),
        "write_bar_table, 100 symbols, 20 years": (1, lambda _: store.write_bar_table(history)),
        "write_fundamental": (20, lambda _: store.write_fundamental("SYM0", filing)),
        "read_fundamental": (50, lambda _: store.read_fundamental("SYM0")),
        "write_event": (50, lambda _: store.write_event(event)),
        "save_strategy_state": (20, lambda _: store.save_strategy_state("value", state)),
        "load_strategy_state": (50, lambda _: store.load_strategy_state("value")),
        "log_decision": (100, lambda _: store.log_decision("value", decision)),
        "log_order": (100, lambda _: store.log_order("value", order, result)),
    }


def serve(durability: str) -> None:
    """Do the work whose name is read, and answer with the seconds that passed and were worked."""
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        known = works(folder, durability)
        print("\n".join(known), end="\n\n", flush=True)
        for name in sys.stdin:
            times, work = known[name.rstrip("\n")]
            begin = time.perf_counter(), time.process_time()
            for number in range(times):
                work(number)
            print(time.perf_counter() - begin[0], time.process_time() - begin[1], flush=True)


class Release:
    """A release that works in a process of its own."""

    def __init__(self, folder: Path, durability: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", "--durability", durability],
            env=os.environ | {"PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.works = list(iter(self._answer, ""))

    def seconds(self, work: str) -> tuple[float, float]:
        """Return how long a work has taken, and how much of it the processor worked."""
        print(work, file=self._process.stdin, flush=True)
        passed, worked = map(float, self._answer().split())
        return passed, worked

    def close(self) -> None:
        """Let the process end."""
        self._process.communicate()

    def _answer(self) -> str:
        return self._process.stdout.readline().rstrip("\n")


def compare(here: Release, other: Release, pairs: int) -> None:
    """Print the ratio of each work, this release over the other."""
    for work in here.works:
        passed, worked = [], []
        for number in range(pairs + 1):
            both = [here, other] if number % 2 else [other, here]
            seconds = {release: release.seconds(work) for release in both}
            passed.append(seconds[here][0] / seconds[other][0])
            worked.append(seconds[here][1] / seconds[other][1])
        low, middle, high = statistics.quantiles(worked[1:], n=4)  # the first one warms up
        in_all = statistics.median(passed[1:])
        print(f"{work:40} {middle:5.2f} ({low:.2f} to {high:.2f})   {in_all:5.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("other", nargs="?", type=Path)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--durability", choices=("full", "os"), default="full")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        return serve(given.durability)
    if given.pairs < 2:
        parser.error("--pairs: quartiles need 2 at least")
    if given.other is None or not (given.other / "storecore").is_dir():
        parser.error("give the folder in which the other release lies unpacked")
    here, other = (
        Release(folder.absolute(), given.durability)
        for folder in (Path(__file__).parents[2], given.other)
    )
    try:
        return compare(here, other, given.pairs)
    finally:
        here.close()
        other.close()


if __name__ == "__main__":
    main()
