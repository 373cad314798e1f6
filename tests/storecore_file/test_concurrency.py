"""Law D4 with real processes: writers of the same files lose nothing, and a kill takes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import date, datetime, timedelta

import pyarrow as pa
import pytest

from storecore.bars.extra_values import FIELDS
from storecore_file import FileDataStore

PROCESSES, THREADS, ROUNDS = 4, 4, 5
JAN_5 = datetime(2026, 1, 5)
ALL = date.min, date.max

WRITER = """if True:
    import sys, threading
    from datetime import datetime, timedelta
    from storecore import Action, Decision, Event, PriceBar
    from storecore_file import FileDataStore

    base, process, threads, rounds = sys.argv[1], *map(int, sys.argv[2:])
    day = datetime(2026, 1, 5)

    def write(store, number):
        at = day + timedelta(minutes=number)
        bar = PriceBar("AAPL", at, 1.0, 2.0, 0.5, 1.5, number)
        store.write_bars("AAPL", [bar], timeframe="1m")
        store.write_event(Event("tick", "AAPL", at, at, "test", {"number": number}))
        store.log_decision(str(number), Decision("AAPL", Action.HOLD, 0, 0, "test"))
        sys.stdout.write(f"{number}\\n")  # in one piece: threads share it
        sys.stdout.flush()

    def work(store, thread):
        for each in range(rounds):
            write(store, (process * threads + thread) * rounds + each)

    with FileDataStore(base) as store:
        sys.stdin.readline()
        workers = [threading.Thread(target=work, args=(store, n)) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A folder into which processes of several threads have written the same files at once."""
    base = tmp_path_factory.mktemp("shared") / "data"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, *map(str, (base, number, THREADS, ROUNDS))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for process in processes:
        print(file=process.stdin, flush=True)
    acknowledged = [int(line) for process in processes for line in process.communicate()[0].split()]
    assert sorted(acknowledged) == list(range(PROCESSES * THREADS * ROUNDS))
    return base


@pytest.fixture
def written(shared):
    with FileDataStore(shared) as store:
        yield store


def test_d4_every_bar_that_was_acknowledged_is_there(written):
    read = written.read_bars("AAPL", *ALL, timeframe="1m")
    assert [bar.volume for bar in read] == list(range(PROCESSES * THREADS * ROUNDS))


def test_d4_every_event_that_was_acknowledged_is_there_once(written):
    read = written.read_events(*ALL)
    assert [event.payload["number"] for event in read] == list(range(PROCESSES * THREADS * ROUNDS))


def test_d4_every_decision_that_was_acknowledged_is_in_the_chain_once(written):
    records = written.read_decisions(*ALL)
    assert [record.seq for record in records] == [*range(1, PROCESSES * THREADS * ROUNDS + 1)]
    assert len({record.strategy for record in records}) == len(records)
    assert written.verify_audit().ok


def test_d4_writers_leave_no_file_behind(shared):
    names = Counter(path.suffix for path in shared.rglob("*") if path.is_file())
    assert not names.keys() & {".tmp", ".torn"}


def test_d1_a_writer_that_is_killed_takes_nothing_that_was_acknowledged(base, script):
    process = script(WRITER, base, 0, 2, 100_000)
    print(file=process.stdin, flush=True)
    acknowledged = {int(process.stdout.readline()) for _ in range(30)}
    os.kill(process.pid, signal.SIGKILL)
    acknowledged |= {int(line) for line in process.stdout.read().split("\n")[:-1]}
    with FileDataStore(base, lock_timeout=1) as store:
        assert acknowledged <= {
            each.volume for each in store.read_bars("AAPL", *ALL, timeframe="1m")
        }
        assert acknowledged <= {each.payload["number"] for each in store.read_events(*ALL)}
        assert acknowledged <= {int(each.strategy) for each in store.read_decisions(*ALL)}
        assert store.verify_audit().ok


def test_d4_the_folder_of_a_killed_writer_is_written_by_the_next(
    base, script, bar, event, decision, caplog
):
    process = script(WRITER, base, 0, 2, 100_000)
    print(file=process.stdin, flush=True)
    process.stdout.readline()
    process.kill()
    process.wait()
    with FileDataStore(base, lock_timeout=1) as store:
        store.write_bars("AAPL", [bar(datetime(2026, 1, 1))], timeframe="1m")
        store.write_event(event(JAN_5 - timedelta(microseconds=1), type="last"))
        store.log_decision("last", decision())
        assert store.read_bars("AAPL", *ALL, timeframe="1m")[0] == bar(datetime(2026, 1, 1))
        assert store.read_events(*ALL, ["last"])[0].type == "last"
        assert store.verify_audit().ok


def test_d4_events_are_neither_lost_nor_doubled_while_days_are_sealed(store, base, event):
    done = threading.Event()

    def seal():
        with FileDataStore(base) as other:
            while not done.is_set():
                other.compact()

    sealer = threading.Thread(target=seal)
    sealer.start()
    seen = []
    for number in range(60):
        store.write_event(event(JAN_5, payload={"number": number}))
        seen.append([each.payload["number"] for each in store.read_events(*ALL)])
    done.set()
    sealer.join()
    assert seen == [list(range(number + 1)) for number in range(60)]


def test_d4_threads_may_share_a_store_and_its_logs(store, event, decision, sent, always):
    def work(thread):
        for number in range(10):
            store.write_event(event(payload={"number": thread * 10 + number}))
            store.log_decision("value", decision())
            store.log_order("value", *sent())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = sorted(each.payload["number"] for each in store.read_events(*ALL))
    assert numbers == list(range(40))
    assert [each.seq for each in store.read_decisions(*always)] == list(range(1, 41))
    assert [each.seq for each in store.read_orders(*always)] == list(range(1, 41))


# Law B4 beside splits, merges, folds and deletes: what was there is never missed.

BUSY = """if True:
    import sys, random
    import pyarrow as pa
    from datetime import datetime, timedelta
    from storecore import PriceBar
    from storecore_file import FileDataStore
    from storecore_file.bars import collection, layout, partition

    layout.PARTITION_ROWS = 20
    layout.OPEN_ROWS, layout.PARTITION_BYTES, layout.SMALL_BYTES, layout.RATIO = 5, 6_000, 2_400, 1
    partition.GROUP_ROWS, collection.JOURNAL_BYTES = 8, 3_000
    collection.FEW_ROWS, collection.MANY_SERIES = 3, 2
    base, seed, rounds = sys.argv[1], *map(int, sys.argv[2:])
    chosen, start = random.Random(seed), datetime(2026, 1, 5)
    names = PriceBar.__struct_fields__

    def bar(symbol, day, close):
        return PriceBar(symbol, start + timedelta(day), 1.0, 2.0, 0.5, float(close), 7.0)

    def table(rows):
        return pa.table({name: [getattr(row, name) for row in rows] for name in names})

    with FileDataStore(base, durability="os") as store:
        sys.stdin.readline()
        for round in range(1, rounds):
            days = chosen.sample(range(seed % 2, 140, 2), chosen.choice([1, 2, 12]))
            close = 1_000 * round + seed
            act = chosen.random()
            if act < 0.5:
                store.write_bars("A", [bar("A", day, close) for day in days])
            else:
                rows = [bar(symbol, day, close) for symbol in "ABC" for day in days]
                store.write_bar_table(table(rows))
            print(*(f"{day}:{close}" for day in days), flush=True)
            if act < 0.1 or act > 0.95:
                store.compact()
            if 0.3 < act < 0.4:
                store.delete_bars("A", start - timedelta(900), start - timedelta(1))
                store.write_bars("A", [bar("A", -round, 1.0)])
    print("end", flush=True)
"""


def acknowledgements(process, newest):
    """Take in what a writer says it has written, until it ends."""
    for line in iter(process.stdout.readline, ""):
        if line.strip() == "end":
            return
        for pair in line.split():
            day, close = map(int, pair.split(":"))
            newest[day] = close


@pytest.mark.parametrize("rounds", [40, pytest.param(1_500, marks=pytest.mark.soak)])
def test_b4_a_reader_misses_no_bar_beside_processes_that_split_merge_flush_and_delete(
    base, script, rounds, whole_layout
):
    newest, wrong = [{}, {}], []  # each writer has days of its own
    writers = [script(BUSY, base, seed, rounds) for seed in range(2)]
    followers = [
        threading.Thread(target=acknowledgements, args=each)
        for each in zip(writers, newest, strict=True)
    ]
    for writer, follower in zip(writers, followers, strict=True):
        print(file=writer.stdin, flush=True)
        follower.start()
    with FileDataStore(base) as store:
        reads = 0
        while any(follower.is_alive() for follower in followers):
            known = {day: close for each in newest for day, close in each.copy().items()}
            bars = store.read_bars("A", JAN_5, date.max)
            found = {(bar.date - JAN_5).days: bar.close for bar in bars}
            wrong += [(day, found.get(day)) for day in known if found.get(day, 0) < known[day]]
            covered = store.bar_coverage("A").count
            wrong += [("count", covered)] * (covered < len(known))
            reads += 1
        assert reads > 3
        assert wrong == []
        for writer in writers:
            writer.communicate()
            assert writer.returncode == 0
        store.compact()
        found = {
            (bar.date - JAN_5).days: bar.close for bar in store.read_bars("A", JAN_5, date.max)
        }
    assert found == newest[0] | newest[1]
    whole_layout(base)


def test_b4_threads_of_one_store_read_and_write_tables_at_once(store, small):
    def table(day, close):
        bars = [[symbol, JAN_5 + timedelta(day), 1.0, 2.0, 0.5, close, 7.0] for symbol in "ABCD"]
        columns = dict(zip(FIELDS, zip(*bars, strict=True), strict=True))
        return pa.table(columns)

    def write(thread):
        for number in range(15):
            store.write_bar_table(table(thread * 15 + number, 1.0))
            written.append(4)

    written, wrong = [], []
    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        known = sum(written)
        found = len(store.read_bar_table(["A", "B", "C", "D"], *ALL))
        wrong += [(known, found)] * (found < known)
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(store.read_bar_table(["A", "B", "C", "D"], *ALL)) == 180
    assert store.symbols() == ["A", "B", "C", "D"]
