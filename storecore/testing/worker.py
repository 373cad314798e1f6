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
from storecore.models import Action, Decision, Event, FundamentalData, PriceBar
from storecore.protocols import BarTables, Bulk

NOON = datetime(2026, 1, 5, 12)
FULL_AT, TOO_MANY, SOME = 128 * 1024, 20_000, 200


class Job(NamedTuple):
    """What to do: `threads` each write `rounds` numbers from `first` on, or fill up the medium.

    It is filled up by single records or, with `batches`, by the second half of each batch.
    """

    reopen: Callable[[], Any]
    first: int
    threads: int
    rounds: int
    fill_up: bool = False
    batches: bool = False


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
            _fill_up(_batches(store) if job.batches else _records(store))
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


def _records(store: Any) -> dict[str, Callable[[], None]]:
    """Return writes of more than fits into a file of this process."""
    bars, long = _many_bars("AAPL"), _long_text()
    return {
        "bars": lambda: store.write_bars("AAPL", bars),
        "state": lambda: store.save_strategy_state("value", {"long": long}),
        "event": lambda: store.write_event(Event("x", None, NOON, NOON, "test", {"long": long})),
    }


def _batches(store: Any) -> dict[str, Callable[[], None]]:
    """Return writes that begin with what fits, and go on with what does not."""
    later, long = NOON + timedelta(days=1), _long_text()
    events = [
        Event("x", None, at, at, "test", {"text": text}) for at, text in ((NOON, ""), (later, long))
    ]
    filings = [
        FundamentalData(symbol=name, timestamp=NOON, company_name=name, cik="1", raw_xml=text)
        for name, text in (("AAPL", ""), ("MSFT", long))
    ]
    writes: dict[str, Callable[[], None]] = {}
    if isinstance(store, BarTables):
        bars = [*_many_bars("AAPL")[:SOME], *_many_bars("MSFT")]
        writes["table"] = lambda: store.write_bar_table(_table(bars))
    if isinstance(store, Bulk):
        writes["events"] = lambda: store.write_events(events)
        writes["fundamentals"] = lambda: store.write_fundamentals(filings)
    return writes


def _fill_up(writes: dict[str, Callable[[], None]]) -> None:
    """Do writes while no file of this process may grow beyond a size; print what each raised."""
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


def _many_bars(symbol: str) -> list[PriceBar]:
    drawn = random.Random(0)
    dates = [NOON + timedelta(minutes=number) for number in range(TOO_MANY)]
    return [PriceBar(symbol, date, 1.0, 2.0, 0.5, drawn.random(), 7) for date in dates]


def _long_text() -> str:
    drawn = random.Random(0)
    return "".join(chr(drawn.randrange(33, 126)) for _ in range(2 * FULL_AT))


def _table(bars: list[PriceBar]) -> Any:
    import pyarrow as pa

    names = PriceBar.__struct_fields__
    return pa.table({name: [getattr(bar, name) for bar in bars] for name in names})


if __name__ == "__main__":
    main()
