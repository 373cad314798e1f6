"""The same work for many things at once: answers in order, and the first error."""

from __future__ import annotations

import threading
import time

import pytest

from storecore_file.bars.parallel import in_parallel


@pytest.mark.parametrize("count", [0, 1, 3, 4, 50])
def test_answers_come_in_the_order_of_the_items(count):
    assert in_parallel(lambda number: number * 2, range(count)) == [2 * n for n in range(count)]


def test_few_items_are_done_where_they_are_asked_for():
    here = threading.get_ident()
    assert in_parallel(lambda _: threading.get_ident(), range(3)) == [here] * 3


def test_many_are_done_by_as_many_threads_as_asked_for_at_once():
    barrier = threading.Barrier(4, timeout=10)
    threads = in_parallel(lambda _: barrier.wait() and threading.get_ident(), range(8), 4)
    assert len({*threads} - {0}) <= 4


@pytest.mark.parametrize("count", [2, 20])
def test_an_error_is_raised_and_the_threads_are_gone(count):
    before = threading.active_count()

    def fail(number):
        if number == 1:
            raise LookupError(f"number {number}")
        return number

    with pytest.raises(LookupError, match="number 1"):
        in_parallel(fail, range(count), 3)
    assert threading.active_count() == before


def test_what_other_threads_do_is_done_though_one_fails():
    done = []

    def fail_first(number):
        if number == 0:
            raise LookupError
        done.append(number)

    with pytest.raises(LookupError):
        in_parallel(fail_first, range(30), 3)
    assert sorted(done) == [*range(1, 30)]


def test_what_is_left_is_not_tried_once_as_many_have_failed_as_there_are_threads():
    tried = []

    def fail(number):
        tried.append(number)
        raise LookupError(number)

    with pytest.raises(LookupError):
        in_parallel(fail, range(100), 3)
    assert 3 <= len(tried) <= 5


def test_nothing_goes_on_once_an_exception_of_a_signal_handler_leaves(interrupted_at_each_step):
    running, wrong = [], []

    def work(number):
        running.append(number)
        time.sleep(0.000_2)
        running.remove(number)

    for interrupt in interrupted_at_each_step(lambda: in_parallel(work, range(12), 3), 3):
        known = running.copy()
        running.clear()
        time.sleep(0.001)
        if running or len(known) > 1:  # one may be the work that was interrupted itself
            wrong.append((known, running.copy(), interrupt))
    assert wrong == []


ENDING = """if True:
    import atexit, sys, threading
    from datetime import datetime
    from storecore import PriceBar, write_bar_table, read_bar_table
    from storecore_file import FileDataStore
    import pyarrow as pa

    def table(rows):
        names = [f"S{number}" for number in range(6) for _ in range(rows)]
        dates = [datetime(2026, 1, 1 + row % 28, row // 28) for row in range(rows)] * 6
        ones = [1.0] * len(names)
        columns = [names, dates, ones, ones, ones, ones, ones]
        return pa.table(dict(zip(PriceBar.__struct_fields__, columns)))

    store = FileDataStore(sys.argv[1])
    main = threading.current_thread()

    def collect():
        main.join()
        store.write_bar_table(table(40))
        store.write_bar_table(table(1))
        names = [f"S{number}" for number in range(6)]
        print(len(store.read_bar_table(names, datetime.min, datetime.max)), flush=True)

    atexit.register(store.close)
    threading.Thread(target=collect).start()
"""


def test_a_thread_that_outlives_the_main_one_reads_and_writes_on(base, script):
    assert script(ENDING, base).communicate(timeout=60)[0] == "240\n"
    assert not list((base / "prices" / ".journal").glob("*-*.jsonl")) or all(
        not path.stat().st_size for path in (base / "prices" / ".journal").glob("*.jsonl")
    )
