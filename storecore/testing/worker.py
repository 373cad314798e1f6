"""A process beside the tests that opens the store and writes: to be killed, or to run out of space.

    python -m storecore.testing.worker < job

The job is two pickles: the parent's `sys.path`, then a `Job`. A number is printed once all that was
written for it has returned.
"""

from __future__ import annotations

import pickle
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from storecore.errors import StoreError
from storecore.models import Action, Decision, Event, PriceBar

NOON = datetime(2026, 1, 5, 12)
FULL_AT, TOO_MANY = 128 * 1024, 20_000


class Job(NamedTuple):
    """What to do: `threads` each write `rounds` numbers from `first` on, or fill up the medium."""

    reopen: Callable[[], Any]
    first: int
    threads: int
    rounds: int
    fill_up: bool = False


def start(job: Job) -> subprocess.Popen[bytes]:
    """Start a worker; its job is written to it, its acknowledgements can be read."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(pickle.dumps(sys.path) + pickle.dumps(job))
    process.stdin.flush()
    return process


def main() -> None:
    """Do the job that stands on stdin."""
    sys.path[:] = pickle.load(sys.stdin.buffer)
    job: Job = pickle.load(sys.stdin.buffer)
    with closing(job.reopen()) as store:
        if job.fill_up:
            _fill_up(store)
            return
        with ThreadPoolExecutor(job.threads) as pool:
            firsts = [job.first + thread * job.rounds for thread in range(job.threads)]
            for result in [pool.submit(_write_all, store, each, job.rounds) for each in firsts]:
                result.result()


def _write_all(store: Any, first: int, rounds: int) -> None:
    for number in range(first, first + rounds):
        at = NOON + timedelta(minutes=number)
        store.write_bars("AAPL", [PriceBar("AAPL", at, 1.0, 2.0, 0.5, 1.5, number)])
        store.write_event(Event("tick", "AAPL", at, at, "test", {"number": number}))
        store.save_strategy_state("value", {"number": number})
        store.log_decision(str(number), Decision("AAPL", Action.HOLD, 0, 0, "test"))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


def _fill_up(store: Any) -> None:
    """Write more than fits into a file of this process, and print what each write raised."""
    drawn = random.Random(0)
    bars = [
        PriceBar("AAPL", NOON + timedelta(minutes=n), 1.0, 2.0, 0.5, drawn.random(), n)
        for n in range(TOO_MANY)
    ]
    long = "".join(chr(drawn.randrange(33, 126)) for _ in range(2 * FULL_AT))
    writes: dict[str, Callable[[], None]] = {
        "bars": lambda: store.write_bars("AAPL", bars),
        "state": lambda: store.save_strategy_state("value", {"long": long}),
        "event": lambda: store.write_event(Event("x", None, NOON, NOON, "test", {"long": long})),
    }
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    for name, write in writes.items():
        resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_AT, hard))
        try:
            write()
            outcome = "written"
        except StoreError:
            outcome = "refused"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        print(name, outcome, flush=True)


if __name__ == "__main__":
    main()
