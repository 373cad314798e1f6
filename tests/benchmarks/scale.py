"""Measures how each operation grows with the store: `python tests/benchmarks/scale.py`.

    python tests/benchmarks/scale.py --of symbols bars events sealed records strategies
    python tests/benchmarks/scale.py --backend postgres --of bars events records strategies

A store is filled to each size; then each operation runs in a process of its own (a fork, which
opens the store). Printed are its least processor time and the memory that it took beyond that of
the open store, by size, and the exponent of the growth between the last two sizes. A short time
has a fixed part, which hides growth. `!` marks what grows more than it should: an operation on one
thing (should be 0) by more than 0.3, one on the whole store (should be 1) by more than 1.2. For
`postgres` the time of the server is added (`server_clock.py`); the memory is that of the client.

`--larger` adds the largest sizes (10^8 bars take some 2 GB). `--at-most N` leaves out sizes beyond
N. `~` marks figures of the largest size that are no measurement, but extrapolated from the two
sizes before: those of an answer that would not fit into memory and, with `--sample N`, of all
operations on the whole of a store larger than N.
"""

from __future__ import annotations

import argparse
import os
import pickle
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from math import inf, log
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scale_works import ALL, POSTGRES, SCALES, Scale, Work
from server_clock import clock_of

import storecore
from storecore import PriceBar

# Seconds, or times, after which the least time is taken. The first time in a process fills caches,
# so a work that takes less than `LONG` is done again.
ENOUGH, TURNS, LONG = 0.05, 5, 0.5
TOO_FAST = {0.0: 0.3, 1.0: 1.2}  # exponents from which an operation is marked


class Cost(NamedTuple):
    """Seconds and MB of an operation; `guessed` if they are extrapolated."""

    seconds: float
    memory: float
    guessed: bool = False


def peak() -> float:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000


def forked(do: Callable[[], Any]) -> Any:
    """Return what a function returns in a child of this process."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            with open(writer, "wb") as pipe:
                pickle.dump(do(), pipe)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit("an operation failed: see above")
    return pickle.loads(content)


def cost(work: Work, size: int, clock: Callable[[], float], opened: Callable[[], Any]) -> Cost:
    """Do a work in a store that is opened here, until it has taken enough time."""
    turns = 1 if work.once else TURNS
    with opened() as store:
        before, times = peak(), []
        while not times or (len(times) < turns and is_short(times)):
            begin = clock()
            work.do(store, size, len(times))
            times.append(clock() - begin)
            if len(times) == 1:
                memory = peak() - before
    return Cost(min(times), memory)


def is_short(times: list[float]) -> bool:
    """Return whether a work is to be done again."""
    return sum(times) < (LONG if len(times) == 1 else ENOUGH)


def prepare(options: dict[str, Any]) -> None:
    """Import and compute once what every first use would, so that it is not measured."""
    days = [PriceBar("A", datetime(2026, 1, day), 1.0, 1.0, 1.0, 1.0, 1) for day in (1, 2)]
    pc.sum(pa.array([1]))
    pq.write_table(pa.table({"a": [1]}), BytesIO())
    with storecore.open_store(options) as store:
        store.write_bars("A", days)
        store.save_strategy_state("a", {})


def measure(
    scale: Scale, sizes: list[int], sample: float, clock: Callable[[], float], place: Any
) -> dict[Work, list[Cost]]:
    """Return the costs of each work by size.

    `place` gives the options of a store for each size.
    """
    found: dict[Work, list[Cost]] = {work: [] for work in scale.works}
    for size in sizes:
        begin = time.perf_counter()
        with place() as options:

            def opened(options: dict[str, Any] = options) -> Any:
                return storecore.open_store(options)

            def fill(size: int = size, opened: Callable[[], Any] = opened) -> None:
                with opened() as store:
                    scale.fill(store, size)

            forked(fill)
            for work in scale.works:
                if size > min(work.most, sample if work.growth == ALL else inf):
                    found[work].append(extrapolated(found[work], sizes, size))
                else:
                    found[work].append(forked(lambda w=work, s=size: cost(w, s, clock, opened)))
                seconds, memory, _ = found[work][-1]
                shown = f"    {work.name}: {seconds * 1e3:,.2f} ms, {memory:,.0f} MB"
                print(shown, file=sys.stderr, flush=True)
        took = time.perf_counter() - begin
        print(f"  {size:,} {scale.what}: {took:.0f} s", file=sys.stderr, flush=True)
    return found


def extrapolated(known: list[Cost], sizes: list[int], size: int) -> Cost:
    """Return what an operation would take if it went on growing as between the two sizes before."""
    before, last = known[-2:]
    ratio = size / sizes[len(known) - 1]
    times = last.seconds * ratio ** exponent([before.seconds, last.seconds], sizes[: len(known)])
    return Cost(times, last.memory * ratio, guessed=True)


def exponent(values: list[float], sizes: list[int]) -> float:
    """Return the exponent of the growth between the last two sizes."""
    first, last = (max(each, 1e-9) for each in values[-2:])
    return log(last / first) / log(sizes[-1] / sizes[-2])


def is_marked(work: Work, found: float) -> bool:
    """Return whether an operation grows more than it should."""
    return found > TOO_FAST[work.growth]


def report(name: str, scale: Scale, sizes: list[int], costs: dict[Work, list[Cost]]) -> None:
    """Print a line for each work."""
    head = "; ".join(f"{size:,}" for size in sizes)
    print(f"\n{name}: {scale.what} ({head})  ms of time  MB of memory  exponent (should be)")
    for work, found in costs.items():
        times = "; ".join(
            f"{'~' * each.guessed}{each.seconds * 1e3:,.{_digits(each.seconds)}f}" for each in found
        )
        memory = "; ".join(f"{'~' * each.guessed}{each.memory:,.0f}" for each in found)
        grown = exponent([each.seconds for each in found], sizes)
        mark = " !" if is_marked(work, grown) else ""
        print(f"{work.name}  {times}  {memory}  {grown:.2f} ({work.growth:g}){mark}", flush=True)


def _digits(seconds: float) -> int:
    return 0 if seconds >= 0.1 else 1 if seconds >= 0.01 else 2


@contextmanager
def folders() -> Any:
    """Return the options of a new store of files in the working folder."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        yield {"backend": "file", "base_path": f"{folder}/store", "durability": "os"}


@contextmanager
def server() -> Any:
    """Return what gives the options of a new schema on a server of one's own, and a clock."""
    sys.path.append(str(Path(__file__).parents[1]))
    from postgres_server import Server

    running, numbers = Server(fsync="off", shared_buffers="256MB", max_wal_size="4GB"), [0]

    @contextmanager
    def schemas() -> Any:
        numbers[0] += 1
        yield {"backend": "postgres", "dsn": running.dsn, "schema": f"size{numbers[0]}"}

    try:
        number = (running.data / "postmaster.pid").read_text().split()[0]
        yield schemas, clock_of(int(number))
    finally:
        running.stop()


@contextmanager
def disk() -> Any:
    """Return `folders`, and the clock of this process."""
    yield folders, time.process_time


def main() -> None:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend", choices=("file", "postgres"), default="file")
    parser.add_argument("--of", nargs="+", choices=list(SCALES), help="what grows (all)")
    parser.add_argument("--larger", action="store_true")
    parser.add_argument("--at-most", type=int)
    parser.add_argument("--sample", type=int, default=inf)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    scales = {"file": SCALES, "postgres": POSTGRES}[options.backend]
    chosen = [name for name in options.of or scales if name in scales]
    with {"file": disk, "postgres": server}[options.backend]() as (place, clock):
        with place() as first:
            prepare(first)
        for name in chosen:
            scale = scales[name]
            sizes = [*scale.sizes, *(scale.larger if options.larger else ())]
            sizes = [size for size in sizes if size <= (options.at_most or size)]
            sizes = list(scale.quick) if options.quick else sizes
            report(name, scale, sizes, measure(scale, sizes, options.sample, clock, place))


if __name__ == "__main__":
    main()
