"""Measures the audit log: `python tests/benchmarks/audit.py [ROUNDS] [RECORDS]`.

Printed are the rate of durable `log_decision` calls beside a bare loop of write and fdatasync of
lines as long; of 16 threads beside one thread; of batches without syncs; and the time to verify a
million records. Each pair is measured in turn on the same disk. What the disk takes for a sync
moves by half from one second to the next, and the ratio with it: so it is told by how quick both
were.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from threading import Thread

import storecore
from storecore import Action, Decision

THREADS, TIMES, BATCH = 16, 100, 1_000
DECISION = Decision("AAPL", Action.BUY, 0.5, 0.9, "cheap against its own history")


def rate(action, times: int) -> float:
    """Return how often a second an action can be done."""
    begin = time.perf_counter()
    for _ in range(times):
        action()
    return times / (time.perf_counter() - begin)


def threaded_rate(action) -> float:
    """Return how often a second an action can be done by many threads at once."""
    threads = [Thread(target=rate, args=(action, 4 * TIMES)) for _ in range(THREADS)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return THREADS * 4 * TIMES / (time.perf_counter() - begin)


def durable(folder: str, rounds: int) -> None:
    """Compare one thread with a bare loop, and many threads with one."""
    store = storecore.open_store("file", base_path=folder)
    log(store)
    (day,) = (Path(folder) / "audit" / "decisions").glob("*.jsonl")
    line = day.read_bytes()
    bare = os.open(Path(folder) / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write_bare():
        os.write(bare, line)
        os.fdatasync(bare)

    measured = [
        (rate(write_bare, TIMES), rate(lambda: log(store), TIMES)) for _ in range(10 * rounds)
    ]
    print(
        f"bare write+fdatasync, lines of {len(line)} bytes, beside durable log_decision; by speed:"
    )
    for known, single in quarters(measured):
        beside = 1e6 / single - 1e6 / known
        print(
            f"  {1e6 / known:5,.0f} us, {1e6 / single:5,.0f} us: ratio {single / known:.2f}, "
            f"{beside:4,.0f} us beside the sync"
        )
    threads = [
        (rate(lambda: log(store), 4 * TIMES), threaded_rate(lambda: log(store)))
        for _ in range(rounds)
    ]
    single, many = map(statistics.median, zip(*threads, strict=True))
    ratio = statistics.median(all_of_them / one for one, all_of_them in threads)
    print(f"from {THREADS} threads {many:9,.0f}/s, from one {single:7,.0f}/s: ratio {ratio:.2f}")


def quarters(pairs: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the medians of the quarters of some pairs, those that took least first."""
    ordered = sorted(pairs, key=lambda pair: sum(1 / each for each in pair))
    size = max(len(ordered) // 4, 1)
    parts = [ordered[at : at + size] for at in range(0, size * 4, size)]
    return [tuple(map(statistics.median, zip(*part, strict=True))) for part in parts]


def log(store) -> None:
    """Log one decision."""
    store.log_decision("value", DECISION)


def batched(folder: str, rounds: int, records: int = 1_000_000) -> None:
    """Log batches that the operating system is left to write, then verify so many records."""
    store = storecore.open_store("file", base_path=folder, durability="os")
    batch = [DECISION] * BATCH
    times = min(100, records // BATCH)
    rates = [rate(lambda: store.log_decisions("value", batch), times) for _ in range(rounds)]
    print(f'log_decisions, durability="os" {statistics.median(rates) * BATCH:,.0f} records/s')
    while store.verify_audit().checked < records:
        rate(lambda: store.log_decisions("value", batch), times)
    begin = time.perf_counter()
    report = store.verify_audit()
    print(f"verify_audit, {report.checked:,} records: {time.perf_counter() - begin:.1f} s")


def main() -> None:
    """Run all of it."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    records = [int(each) for each in sys.argv[2:3]]
    for measure in (durable, lambda folder, rounds: batched(folder, rounds, *records)):
        with tempfile.TemporaryDirectory(dir=".") as folder:
            measure(folder, rounds)


if __name__ == "__main__":
    main()
