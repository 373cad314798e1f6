"""Law D4 with real processes: what one replaces, deletes or renames, others write and read."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from storecore_file import FileDataStore

JAN_5 = datetime(2026, 1, 5, tzinfo=UTC)
ROUNDS = 12

WORKER = """if True:
    import sys
    from datetime import UTC, datetime, timedelta
    import pyarrow as pa
    from storecore import Event, FundamentalData, PriceBar
    from storecore_file import FileDataStore

    base, job, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    start = datetime(2026, 1, 5, tzinfo=UTC)
    days = [start + timedelta(day) for day in range(40)]
    names = PriceBar.__struct_fields__[:7]

    def event(kind, n):
        at = start + timedelta(n % 3, minutes=n)
        return Event(kind, "AAPL", at, at, "test", {"n": n})

    def replace(store, n):
        length = 5 + 7 * (n % 4)
        bars = [PriceBar("AAPL", day, 1.0, 2.0, 0.5, float(n), n) for day in days[:length]]
        table = pa.table({name: [getattr(bar, name) for bar in bars] for name in names})
        store.write_bar_table(table, replace=True)

    def read(store, n):
        closes = {bar.close for bar in store.read_bars("AAPL", end=days[-1])}
        assert len(closes) <= 1, closes

    def append(store, n):
        store.write_bars("AAPL", [PriceBar("AAPL", days[-1] + timedelta(1 + n), 1, 2, 1, 1.5, n)])

    def write(store, n):
        store.write_events([event("kept", n), event("gone", n)])

    def delete(store, n):
        store.delete_events(start, start + timedelta(9), types=["gone"])

    def save(store, n):
        store.save_strategy_state("value", {"n": n})

    def forget(store, n):
        store.delete_strategy_state("value")

    def rename(store, n):
        old, new = ("FB", "META") if n % 2 == 0 else ("META", "FB")
        store.rename_symbol(old, new)

    def file(store, n):
        for symbol in ("FB", "GOOG"):
            at = start + timedelta(100 + n)
            data = {"timestamp": at, "company_name": "x", "cik": "1", "raw_xml": ""}
            store.write_fundamental(symbol, FundamentalData(symbol=symbol, **data))

    with FileDataStore(base) as store:
        sys.stdin.readline()
        for number in range(rounds):
            globals()[job](store, number)
"""


@pytest.fixture
def together(base):
    """Let a process do each of some jobs, all at once; each must succeed."""

    def run(*jobs, rounds=ROUNDS):
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, str(base), job, str(rounds)],
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for job in jobs
        ]
        for process in processes:
            print(file=process.stdin, flush=True)
        errors = [process.communicate()[1] for process in processes]
        assert [process.returncode for process in processes] == [0] * len(jobs), errors

    return run


def test_d4_a_series_is_replaced_beside_readers(together, base):
    together("replace", "read")
    with FileDataStore(base) as store:
        assert {bar.volume for bar in store.read_bars("AAPL")} == {ROUNDS - 1}
        assert store.verify().ok


def test_d4_events_that_are_not_asked_for_outlive_a_deletion(together, base):
    together("write", "delete")
    with FileDataStore(base) as store:
        kept = store.read_events(types=["kept"])
        assert sorted(each.payload["n"] for each in kept) == [*range(ROUNDS)]
        store.delete_events(JAN_5, JAN_5 + timedelta(9), types=["gone"])
        assert len(store.read_events()) == ROUNDS
        assert store.verify().ok


@pytest.mark.soak
def test_d4_a_state_is_whole_whoever_saves_and_deletes_it(together, base):
    together("save", "forget")
    with FileDataStore(base) as store:
        newest = store.load_versioned_state("value")
        assert (newest.state is None) == (newest.version == 0)
        assert store.verify().ok


@pytest.mark.soak
def test_d4_renames_beside_writers_lose_no_document(together, base, fundamental):
    with FileDataStore(base) as store:
        store.write_fundamental("FB", fundamental(JAN_5, symbol="FB"))
    together("file", rounds=1)
    together("rename", "append", rounds=2)
    with FileDataStore(base) as store:
        assert len(store.fundamentals("FB")) == 2
        assert store.fundamentals("META") == []
        assert len(store.read_bars("AAPL")) == 2
        store.rename_symbol("FB", "META")
        assert len(store.fundamentals("META")) == 2
        assert store.verify().ok
