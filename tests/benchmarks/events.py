"""Measures durable events: `python tests/benchmarks/events.py [EVENTS] [OF_A_DAY]`.

The first figure is the rate of `write_event` beside a bare loop of write and fdatasync of lines as
long, in turn, on the same disk. The second is what an append to a day of a million events costs
beside an append to an empty day. Absolute times depend on the machine; the ratios are the result.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import storecore
from storecore import Event

ROUNDS = 9


def make_event(day: int) -> Event:
    """Return an event of a usual size: a line of about 200 bytes."""
    moment = datetime(2026, 1, day, 15, 30, 0, 123_456)
    return Event("trade", "AAPL", moment, moment, "feed", {"price": 101.25, "size": 100})


def seconds(action, times: int) -> float:
    """Return how long it takes to do an action so many times."""
    begin = time.perf_counter()
    for _ in range(times):
        action()
    return time.perf_counter() - begin


def compare(first, second, times: int) -> tuple[float, float, float]:
    """Return the median seconds of two actions, done in turn, and of the ratio first / second."""
    pairs = [(seconds(first, times), seconds(second, times)) for _ in range(ROUNDS)]
    ratios = [one / other for one, other in pairs]
    return (
        *(statistics.median(column) for column in zip(*pairs, strict=True)),
        statistics.median(ratios),
    )


def main() -> None:
    """Run both comparisons and print a line for each."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    lines = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    with tempfile.TemporaryDirectory(dir=".") as folder:
        store = storecore.open_store("file", base_path=folder)
        store.write_event(make_event(1))
        day = Path(folder) / "events" / "2026-01-01.jsonl"
        line = day.read_bytes()
        bare = os.open(Path(folder) / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def write_bare():
            os.write(bare, line)
            os.fdatasync(bare)

        took_bare, took_store, ratio = compare(
            write_bare, lambda: store.write_event(make_event(1)), times
        )
        print(f"bare write+fdatasync {times / took_bare:8,.0f}/s, lines of {len(line)} bytes")
        print(f"durable write_event  {times / took_store:8,.0f}/s, ratio {ratio:.2f}")

        big = Path(folder) / "events" / "2026-01-02.jsonl"
        store.write_event(make_event(2))
        grow(big, lines)
        *_, ratio = compare(
            lambda: store.write_event(make_event(2)),
            lambda: store.write_event(make_event(3)),
            times,
        )
        print(f"append to a day of {lines:,} events: {ratio:.2f} times that to a new day")


def grow(day: Path, lines: int) -> None:
    """Make a day longer by repeating its last line."""
    day.write_bytes(day.read_bytes() * lines)


if __name__ == "__main__":
    main()
