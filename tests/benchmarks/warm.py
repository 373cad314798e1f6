"""Measures reads of bars that are kept decoded, beside ArcticDB, DuckDB and SQLite.

    pip install -e '.[benchmarks]'
    python tests/benchmarks/warm.py [--symbols 500] [--days 5040] [--steps 40]

Each figure is the least time of a peer over that of storecore, the two in turn in this one run;
each work was done once before. More is better. A backtest steps through 2,500 days; `--steps` of
them are measured, at equal distances.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from peers import Arctic, Duck, OverFiles, Sqlite, Storecore
from timing import END, START, YEAR, quietest
from universe import bar_table, names, weekdays

DAY, MONTH = (datetime(2020, 6, 15),) * 2, (datetime(2020, 6, 1), datetime(2020, 6, 30))
BACKTEST = 2_500
_WRITER = """if True:
    import sys, time
    import numpy as np
    sys.path[:0] = sys.argv[4:]
    from universe import DAY, names, one_day
    from storecore_file import FileDataStore

    symbols, day = names(int(sys.argv[2])), np.datetime64(sys.argv[3])
    store = FileDataStore(sys.argv[1])
    while True:
        day += DAY
        store.write_bar_table(one_day(symbols, day))
        print(day, flush=True)
        time.sleep(1)
"""


class Figure(NamedTuple):
    """A work, what it is measured beside, the ratio, what is asked, and our milliseconds."""

    work: str
    beside: str
    ratio: float
    asked: float
    own: float


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--days", type=int, default=5_040)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument(
        "--turn", type=float, default=4.0, help="seconds beside the writer, and as many without it"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for each in measure(Path(folder), options):
            missed = "" if each.ratio >= each.asked else "  MISSED"
            print(
                f"{each.work:36} {each.beside:22} {each.ratio:8.2f} x (asked: {each.asked:g}) "
                f"{each.own:9.3f} ms{missed}",
                flush=True,
            )


def measure(folder: Path, options: argparse.Namespace) -> Iterator[Figure]:
    """Yield all figures; the stores are made in a folder."""
    symbols, dates = names(options.symbols), weekdays(options.days)
    table = bar_table(symbols, dates)
    ours, arctic = Storecore(folder / "ours"), Arctic(folder / "arctic")
    duck, lite = Duck(folder / "duck"), Sqlite(folder / "sqlite")
    for store in (ours, arctic, duck, lite):
        store.write(table)
    peers = {"ArcticDB": arctic.read, "DuckDB": duck.read}
    peers |= {"SQLite": lite.columns, "SQLite's rows": lite.read}
    peers["DuckDB over our files"] = OverFiles(folder / "ours").read
    time.sleep(0.1)  # until the times of the files have settled
    ours.read(symbols, START, END)
    yield from reads(ours, peers, symbols)
    yield from backtests(ours, peers, symbols, dates, options.steps)
    yield from views(ours, symbols, dates)
    yield from beside_a_writer(ours, symbols, dates, options.turn)


def reads(ours: Storecore, peers: dict, symbols: list[str]) -> Iterator[Figure]:
    """Read one symbol over years, and all symbols over a day, a month, a year and all years."""
    one = symbols[len(symbols) // 2]
    wide = {"ArcticDB": 20, "DuckDB": 1.2, "DuckDB over our files": 5}
    works = [
        ("one symbol, 20 years", one, (START, END), 40, {"ArcticDB": 15, "DuckDB": 5}),
        ("one symbol, 1 year", one, YEAR, 40, {"ArcticDB": 15, "SQLite": 5, "SQLite's rows": 5}),
        ("all symbols, 1 day", symbols, DAY, 15, wide),
        ("all symbols, 1 month", symbols, MONTH, 15, wide),
        ("all symbols, 1 year", symbols, YEAR, 15, wide),
        ("all symbols, 20 years", symbols, (START, END), 5, {"ArcticDB": 10, "DuckDB": 5}),
    ]
    for work, chosen, span, rounds, asked in works:
        for name, ratio in asked.items():
            theirs = partial(peers[name], chosen, *span)
            yield figure(work, name, ratio, rounds, theirs, partial(ours.read, chosen, *span))


def figure(
    work: str,
    beside: str,
    asked: float,
    rounds: int,
    theirs: Callable[[], object],
    own: Callable[[], object],
) -> Figure:
    """Measure a work of storecore beside that of a peer, in turn."""
    other, ours = quietest(rounds, theirs, own)
    return Figure(work, beside, other / ours, asked, ours * 1e3)


def backtests(
    ours: Storecore, peers: dict, symbols: list[str], dates: np.ndarray, steps: int
) -> Iterator[Figure]:
    """Read all symbols day by day, as a backtest does."""
    last = dates[-BACKTEST:]
    chosen = [each.item() for each in last[:: max(1, len(last) // steps)]]

    def all_days(read: Callable[[datetime], object]) -> None:
        for day in chosen:
            read(day)

    own = partial(all_days, lambda day: ours.read(symbols, day, day))
    for name, asked, rounds in (("ArcticDB", 20, 2), ("DuckDB", 1.2, 9)):
        theirs = partial(all_days, lambda day, read=peers[name]: read(symbols, day, day))
        yield figure(f"{len(chosen)} days, all symbols each", name, asked, rounds, theirs, own)
    known = partial(all_days, lambda day: seen(ours, symbols, day, day))
    yield figure("the same through store.at(day)", "without it", 0.9, 15, own, known)


def views(ours: Storecore, symbols: list[str], dates: np.ndarray) -> Iterator[Figure]:
    """Read all symbols through the view of a time, and without it."""
    all_years = dates[0].item(), dates[-1].item()
    spans = {"1 day": DAY, "1 month": MONTH, "1 year": YEAR, "20 years": all_years}
    for name, span in spans.items():
        plain, known = partial(ours.read, symbols, *span), partial(seen, ours, symbols, *span)
        rounds = 9 if span is all_years else 25
        yield figure(f"all symbols, {name}, store.at(t)", "without it", 0.9, rounds, plain, known)


def seen(ours: Storecore, symbols: list[str], start: datetime, end: datetime) -> object:
    """Read bars through the view of a time by which the last of them has ended."""
    return ours.store.at(end + timedelta(days=1)).read_bar_table(symbols, start, end)


def beside_a_writer(
    ours: Storecore, symbols: list[str], dates: np.ndarray, seconds: float
) -> Iterator[Figure]:
    """Read while another process appends one bar a second to every symbol, and without it."""
    ended = dates[-1].item()
    works = [
        ("all symbols, 1 year, beside a writer", YEAR),
        ("the last year, beside a writer", (ended - timedelta(days=365), None)),
    ]
    with writing(ours.folder, len(symbols), dates[-1]) as writer:
        for work, span in works:
            times = {signal.SIGCONT: [], signal.SIGSTOP: []}
            for turn in range(6):
                how = (signal.SIGCONT, signal.SIGSTOP)[turn % 2]
                writer.send_signal(how)
                times[how] += lasting(seconds, partial(ours.store.read_bar_table, symbols, *span))
            writer.send_signal(signal.SIGCONT)
            beside, alone = (float(np.mean(each)) for each in times.values())
            yield Figure(work, "without it", alone / beside, 0.7, beside * 1e3)


def lasting(seconds: float, work: Callable[[], object]) -> list[float]:
    """Return the seconds of each of as many repetitions as fit into a turn."""
    times, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return times


@contextmanager
def writing(folder: Path, count: int, last: np.datetime64) -> Iterator[subprocess.Popen]:
    """Run a process that appends a bar a second to each symbol."""
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", _WRITER, str(folder), str(count), str(last), here]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    try:
        writer.stdout.readline()
        yield writer
    finally:
        writer.kill()
        writer.wait()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
