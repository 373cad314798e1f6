"""Law D4 with real processes: writers of the same files lose nothing, and a kill takes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import date, datetime, timedelta

import pytest

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
        print(number, flush=True)

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
