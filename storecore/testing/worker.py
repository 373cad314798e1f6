"""A process beside the tests that opens the store and writes: to be killed, or to run out of space.

    python -m storecore.testing.worker < job

The job is two pickles: the parent's `sys.path`, then a `Job`. A number is printed once all that was
written for it has returned.
"""

from __future__ import annotations

import os
import pickle
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple

from msgspec.structs import replace

from storecore.errors import StateConflict, StoreError, text_of
from storecore.models import (
    Action,
    Decision,
    Event,
    FundamentalData,
    Order,
    OrderResult,
    PriceBar,
)
from storecore.protocols import BarTables, Bulk, BulkAudit

NOON = datetime(2026, 1, 5, 12)
EVER = (datetime.min, datetime.max)
FULL_AT = 128 * 1024  # bytes
BATCH, BATCHES = 250, 32  # bars: more than fit, since each takes 40 bytes and more
SOME, MANY = 200, 4_000  # bars that fit, and that do not
REFUSED = "refused"
ENDED = "ended with: "  # before the error of a worker
PATIENCE = 5.0  # seconds: a store that writes slowly is not asked to fill the medium


class Job(NamedTuple):
    """What to do.

    "write": `threads` each write `rounds` numbers from `first` on; "fill": write more than fits;
    "fill batches": in the second half of each batch; "starve": read without a file descriptor to
    open; "fork": write in a child too; "every method": write by each of the `declared`
    capabilities, and be killed; "batches of facts" and
    "batches of records": write batches beside others; "count": count up a state; "correct": replace
    what others replace too, and print after each write what is held now.
    """

    reopen: Callable[[], Any]
    first: int
    threads: int
    rounds: int
    task: str = "write"
    declared: frozenset[str] = frozenset()


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
    try:
        with closing(job.reopen()) as store:
            _TASKS[job.task](store, job)
    except BaseException as error:
        print(f"{ENDED}{type(error).__name__}: {text_of(error)}", flush=True)
        raise


def split(output: bytes) -> tuple[list[str], list[str]]:
    """Return the lines that a worker printed, and the error that ended it, if one did."""
    lines = output.decode().splitlines()
    errors = [line.removeprefix(ENDED) for line in lines if line.startswith(ENDED)]
    return [line for line in lines if not line.startswith(ENDED)], errors


def _write(store: Any, job: Job) -> None:
    with ThreadPoolExecutor(job.threads) as pool:
        firsts = [job.first + thread * job.rounds for thread in range(job.threads)]
        for result in [pool.submit(_write_all, store, each, job.rounds) for each in firsts]:
            result.result()


def _starve(store: Any, job: Job) -> None:
    """Print which read, in want of a file descriptor, answers otherwise than before."""
    from storecore.testing.answers import reads

    asked = reads(job.declared)
    right = {name: read(store) for name, read in asked.items()}
    with closing(job.reopen()) as anew:  # nothing of it is open or known yet
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        free = os.dup(0)  # the lowest number that the next file would have
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        found = {name: _answer(read, anew) for name, read in asked.items()}
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wrong = [name for name, answer in found.items() if answer not in (right[name], REFUSED)]
    print(*(f"{name} gave {found[name]}" for name in wrong), "done", sep="\n", flush=True)


def _answer(read: Callable[[Any], Any], store: Any) -> Any:
    try:
        return read(store)
    except StoreError:
        return REFUSED


def _every_method(store: Any, job: Job) -> None:
    """Make each write in a process of its own, which is killed as soon as the write returns.

    They are forked from this one: a Python for each would cost more than all of them.
    """
    from storecore.testing.freshness import writes_by_every_method

    store.close()
    for write in writes_by_every_method(job.declared):
        child = get_context("fork").Process(target=_write_and_die, args=(job.reopen, write))
        child.start()
        child.join()
        print("killed" if child.exitcode == -signal.SIGKILL else "raised", flush=True)


def _write_and_die(reopen: Callable[[], Any], write: Callable[[Any], Any]) -> None:
    store = reopen()
    write(store)
    os.kill(os.getpid(), signal.SIGKILL)


def _beginning_together() -> None:
    """Say that the store is open, and wait until those of the other processes are."""
    print("open", flush=True)
    sys.stdin.buffer.readline()


def _batches_of_facts(store: Any, job: Job) -> None:
    """Write a batch of two events and one of two filings for each number."""
    _beginning_together()
    for number in range(job.first, job.first + job.rounds):
        at = moment(number)
        store.write_events([Event("tick", "AAPL", at, at, "test", {"number": number})] * 2)
        store.write_fundamentals([_filing(symbol, number) for symbol in ("AAPL", "MSFT")])


def _batches_of_records(store: Any, job: Job) -> None:
    """Log a batch of two decisions and one of two orders for each number."""
    _beginning_together()
    for name in map(str, range(job.first, job.first + job.rounds)):
        order = Order(name, "AAPL", "BUY", 1, "MARKET"), OrderResult("1", "filled")
        store.log_decisions(name, [Decision("AAPL", Action.HOLD, 0, 0, "test")] * 2)
        store.log_orders(name, [order] * 2)


def _count_up(store: Any, job: Job) -> None:
    """Add to a state as often as is asked, each time to the version that was loaded."""
    _beginning_together()
    done = 0
    while done < job.rounds:
        loaded = store.load_versioned_state("count")
        count = (loaded.state or {"count": 0})["count"]
        try:
            store.save_strategy_state("count", {"count": count + 1}, expect=loaded.version)
            done += 1
        except StateConflict:
            continue


def _correct(store: Any, job: Job) -> None:
    """Replace a bar and a filing, and print a moment of recording and what was held at it."""
    _beginning_together()
    for number in range(job.first, job.first + job.rounds):
        store.write_bars("AAPL", [PriceBar("AAPL", NOON, 1.0, 2.0, 0.5, 1.5, number)])
        store.write_fundamental("AAPL", replace(_filing("AAPL", number), timestamp=NOON))
        store.write_event(Event("tick", "AAPL", NOON, NOON, "test", {"number": number}))
        now = store.recorded_now()
        print(now.isoformat(), held_at(store, now), flush=True)


def held_at(store: Any, recorded: datetime) -> str:
    """Return what a store held of AAPL at a moment of recording, as one word."""
    volumes = [each.bar.volume for each in store.bar_versions("AAPL", recorded=recorded)]
    filings = store.fundamental_versions("AAPL", recorded=recorded)
    employees = [each.data.employees for each in filings]
    events = store.event_versions(recorded=recorded)
    numbers = [each.event.payload["number"] for each in events]
    return repr([volumes, employees, numbers]).replace(" ", "")


def _filing(symbol: str, number: int) -> FundamentalData:
    return FundamentalData(
        symbol=symbol,
        timestamp=moment(number),
        company_name=str(number),
        cik="1",
        employees=number,
        raw_xml="<x/>",
    )


def _fork(store: Any, job: Job) -> None:
    """Write a number, another in a child, and a third one, each printed once it is written."""
    _write_all(store, 0, 1)
    child = get_context("fork").Process(target=_write_all, args=(store, 1, 1))
    child.start()
    child.join()
    _write_all(store, 2, 1)


def moment(number: int) -> datetime:
    """Return when what was written for a number has happened."""
    return NOON + timedelta(minutes=number)


def write_all_kinds(store: Any, number: int) -> None:
    """Write one record of each kind that says the number."""
    at, name = moment(number), str(number)
    store.write_bars("AAPL", [PriceBar("AAPL", at, 1.0, 2.0, 0.5, 1.5, number)])
    store.write_fundamental("AAPL", _filing("AAPL", number))
    store.write_event(Event("tick", "AAPL", at, at, "test", {"number": number}))
    store.save_strategy_state(name, {"number": number})
    store.save_strategy_state("value", {"number": number})
    store.log_decision(name, Decision("AAPL", Action.HOLD, 0, 0, "test"))
    store.log_order(name, Order(name, "AAPL", "BUY", 1, "MARKET"), OrderResult("1", "filled"))


def _write_all(store: Any, first: int, rounds: int) -> None:
    for number in range(first, first + rounds):
        write_all_kinds(store, number)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


def batch(number: int) -> list[PriceBar]:
    """Return a batch of bars that no compression makes small."""
    return _incompressible("FULL", range(number * BATCH, (number + 1) * BATCH))


def _fill_up(store: Any, job: Job) -> None:
    """Write more than fits into a file of this process, and print what came of each write."""
    begin, outcome = time.monotonic(), "written"
    for number in range(BATCHES):
        if outcome == "written" and time.monotonic() - begin < PATIENCE:
            outcome = _tried(partial(store.write_bars, "FULL", batch(number)))
            print("bars", number, outcome, flush=True)
    _fill(_records(store))


def _fill_batches(store: Any, job: Job) -> None:
    """Write batches that begin with what fits, and print what came of each."""
    _fill(_batches(store))


def _records(store: Any) -> dict[str, Callable[[], None]]:
    """Return a write of each kind that is more than fits into a file of this process."""
    long = _long_text()
    filing = FundamentalData(
        symbol="AAPL", timestamp=NOON, company_name="new", cik="1", raw_xml=long
    )
    hold = Decision("AAPL", Action.HOLD, 0, 0, long)
    order = Order("value", "AAPL", "BUY", 1, "MARKET"), OrderResult("1", "filled", message=long)
    return {
        "fundamental": lambda: store.write_fundamental("AAPL", filing),
        "state": lambda: store.save_strategy_state("value", {"long": long}),
        "event": lambda: store.write_event(Event("x", None, NOON, NOON, "test", {"long": long})),
        "decision": lambda: store.log_decision("value", hold),
        "order": lambda: store.log_order("value", *order),
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
        bars = [
            *_incompressible("AAPL", range(SOME)),
            *_incompressible("MSFT", range(MANY)),
        ]
        writes["table"] = lambda: store.write_bar_table(_table(bars))
    if isinstance(store, Bulk):
        writes["events"] = lambda: store.write_events(events)
        writes["fundamentals"] = lambda: store.write_fundamentals(filings)
    if isinstance(store, BulkAudit):
        held = [Decision("AAPL", Action.HOLD, 0, 0, text) for text in ("", long)]
        order = Order("value", "AAPL", "BUY", 1, "MARKET")
        sent = [(order, OrderResult("1", "filled", message=text)) for text in ("", long)]
        writes["decisions"] = lambda: store.log_decisions("value", held)
        writes["orders"] = lambda: store.log_orders("value", sent)
    return writes


def _fill(writes: dict[str, Callable[[], None]]) -> None:
    """Do writes while no file of this process may grow beyond a size; print what came of each."""
    for name, write in writes.items():
        print(name, 0, _tried(write), flush=True)


def _tried(write: Callable[[], None]) -> str:
    """Return what came of a write while no file of this process may grow beyond `FULL_AT`."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_AT, hard))
    try:
        write()
    except StoreError:
        return REFUSED
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    return "written"


def _incompressible(symbol: str, minutes: range) -> list[PriceBar]:
    """Return a bar for each minute, whose prices and volume are 40 bytes of chance."""
    drawn = random.Random(minutes.start)
    bars = []
    for number in minutes:
        low, start, end, high = sorted(drawn.random() for _ in range(4))
        bars.append(PriceBar(symbol, moment(number), start, high, low, end, drawn.getrandbits(62)))
    return bars


def _long_text() -> str:
    drawn = random.Random(0)
    return "".join(chr(drawn.randrange(33, 126)) for _ in range(2 * FULL_AT))


def _table(bars: list[PriceBar]) -> Any:
    import pyarrow as pa

    names = PriceBar.__struct_fields__
    return pa.table({name: [getattr(bar, name) for bar in bars] for name in names})


_TASKS = {
    "write": _write,
    "fill": _fill_up,
    "fill batches": _fill_batches,
    "starve": _starve,
    "fork": _fork,
    "every method": _every_method,
    "batches of facts": _batches_of_facts,
    "batches of records": _batches_of_records,
    "count": _count_up,
    "correct": _correct,
}

if __name__ == "__main__":
    main()
