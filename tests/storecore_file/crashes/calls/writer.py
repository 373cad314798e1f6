"""Writes to stores, each time in a process forked for it, as `conftest.py` asks on the input.

Forked, so that neither Python's start nor its imports are among the system calls of a write. A line
gives (kind, folder, whether to warm up); the process then says its id and takes ["write", number],
["read"] or ["end"]. All lines are JSON; answers are written by `writev`, which no store calls.
"""

from __future__ import annotations

import gc
import json
import os
from datetime import UTC, date, datetime, timedelta
from tempfile import TemporaryDirectory

import pyarrow as pa

from storecore import Action, Decision, Event, FundamentalData, PriceBar
from storecore_file import FileDataStore
from storecore_file.bars import collection, layout, parallel
from storecore_file.fs import disk

DAY = datetime(2026, 1, 1, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SYMBOLS = ["AAPL", "BRK/B"]
ROWS = 20  # of a part

disk._TICK = disk._SLOW_TICK = 2**62  # each folder is listed each time
collection.MANY_SERIES, collection.WRITERS, parallel._FEW = 2, 1, 100  # in one thread, in one order
layout.PARTITION_ROWS = ROWS
layout.OPEN_ROWS, layout.RATIO = 5, 1
layout.PARTITION_BYTES, layout.SMALL_BYTES = 6_000, 2_400


def bar(n, symbol="AAPL"):
    return PriceBar(symbol, DAY + timedelta(n), 1.0, 2.0, 0.5, 1.5, n)


def write_table(store, n):
    rows = [bar(n, symbol) for symbol in SYMBOLS]
    names = PriceBar.__struct_fields__
    store.write_bar_table(pa.table({name: [getattr(row, name) for row in rows] for name in names}))


def write_event(store, n):
    store.write_event(Event("tick", "AAPL", DAY, DAY, "test", {"n": n}))


def write_fundamental(store, n):
    rest = {"company_name": "x", "cik": "1", "employees": n, "raw_xml": "x" * 500}
    data = FundamentalData(symbol="AAPL", timestamp=DAY + timedelta(n), **rest)
    store.write_fundamental("AAPL", data)


def write_and_delete(store, n):
    """Write 40 bars, two of them into the journal; then delete a dozen, which lie in two parts."""
    if n == 0:
        store.write_bars("AAPL", [bar(each) for each in range(38)])
        write_table(store, 38)
        write_table(store, 39)
    else:
        store.delete_bars("AAPL", DAY + timedelta(8 * n), DAY + timedelta(8 * n + 11))


def write_and_compact(store, n):
    """Write bars, tables and events; then bring them into few files."""
    if n == 0:
        for month in range(3):
            store.write_bars("AAPL", [bar(31 * month + each) for each in range(6)])
        write_table(store, 150)
        write_event(store, 0)
    else:
        store.compact()


def read_bars(store, symbol="AAPL"):
    return [each.volume for each in store.read_bars(symbol, *ALWAYS)]


def read_tables(store):
    return sorted(n for symbol in SYMBOLS for n in read_bars(store, symbol))


def read_events(store):
    return [each.payload["n"] for each in store.read_events(*ALWAYS)]


def read_fundamentals(store):
    found = [store.read_fundamental("AAPL", DAY + timedelta(n)) for n in range(9)]
    return [each.employees for n, each in enumerate(found) if each and each.employees == n]


KINDS = {  # how the nth is written, and what is there
    "an append": (lambda store, n: store.write_bars("AAPL", [bar(n)]), read_bars),
    "an append that splits a part": (
        lambda store, n: store.write_bars("AAPL", [bar(14 * n + each) for each in range(14)]),
        read_bars,
    ),
    "a table": (write_table, read_tables),
    "an event": (write_event, read_events),
    "a decision": (
        lambda store, n: store.log_decision(str(n), Decision("AAPL", Action.HOLD, 0, 0, "test")),
        lambda store: [int(each.strategy) for each in store.read_decisions(date.min, date.max)],
    ),
    "a state": (
        lambda store, n: store.save_strategy_state("value", {"n": n}),
        lambda store: [each.state["n"] for each in store.state_history("value")],
    ),
    "a fundamental": (write_fundamental, read_fundamentals),
    "a deletion": (write_and_delete, read_bars),
    "compaction": (
        write_and_compact,
        lambda store: [*read_tables(store), "and events", *read_events(store)],
    ),
}


def serve(kind, base, warm):
    """Do what is asked of one store, in this process."""
    write, read = KINDS[kind]
    if warm:
        warm_up(write, read)
    store = FileDataStore(base, lock_timeout=5)
    say(os.getpid())
    while (asked := words())[0] != "end":
        try:
            say(write(store, int(asked[1])) if asked[0] == "write" else look(store, read))
        except OSError as error:
            kind, path = type(error).__name__, getattr(error, "path", None)
            say({"error": kind, "text": str(error), "path": path, "errno": error.errno})


def warm_up(write, read):
    """Load what is loaded when it is first used."""
    with TemporaryDirectory() as other:
        store = FileDataStore(other)
        for n in range(4):
            write(store, n)
        look(store, read)
    gc.collect()
    gc.disable()


def look(store, read):
    findings = (*store.verify().findings, *store.verify_audit().findings)
    return {"there": read(store), "findings": list(map(str, findings))}


def words():
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1) or os._exit(0)
    return json.loads(line)


def say(answer):
    os.writev(1, [json.dumps(answer).encode(), b"\n"])


def main():
    while True:
        asked = words()
        child = os.fork()
        if child == 0:
            serve(*asked)
            os._exit(0)
        say({"ended": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])})


if __name__ == "__main__":
    main()
