"""Partitions that are kept decoded: what a read finds is always what the files say."""

from __future__ import annotations

import errno
import gc
import itertools
import os
import pickle
import random
import shutil
import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from storecore import PriceBar, open_store
from storecore.errors import ConfigError, CorruptData, InvalidData, StorageError
from storecore_file import FileDataStore
from storecore_file.bars import appended, pages
from storecore_file.bars.decoded import Decoded
from storecore_file.bars.journal import Journal
from storecore_file.bars.locked_series import LockedSeries
from storecore_file.bars.recorded import Recorded
from storecore_file.fs import disk, mounts
from storecore_file.fs.handles import OpenFile
from storecore_file.fs.stat import NO_FILE

DAY = datetime(2026, 1, 1, tzinfo=UTC)
SYMBOLS = ["A", "B", "C"]
TICK = 0.012


def bars(symbol, first, count, close=1.5, volume=7, **extra):
    days = [DAY + timedelta(each) for each in range(first, first + count)]
    return [
        PriceBar(symbol, day, 1.0, 2.0, 0.5, close, volume, extra=extra or None) for day in days
    ]


def table(rows):
    further = sorted({name for row in rows for name in row.extra or {}})
    columns = {name: [getattr(row, name) for row in rows] for name in ("symbol", "date", "open")}
    for name in ("high", "low", "close", "volume"):
        columns[name] = [getattr(row, name) for row in rows]
    return pa.table(
        columns | {name: [(row.extra or {}).get(name) for row in rows] for name in further}
    )


def append(store, first, count=1, close=2.0, **more):
    """Append bars of all symbols by way of the journal."""
    store.write_bar_table(
        table([bar for each in SYMBOLS for bar in bars(each, first, count, close, **more)]),
    )


def settle():
    """Wait until any later change of a file gives it other times."""
    time.sleep(TICK)


@pytest.fixture(autouse=True)
def _ticks(monkeypatch):
    monkeypatch.setattr(disk, "_TICK", 10_000_000)


@pytest.fixture
def filled(base):
    """A store of some series, whose files have settled."""
    with FileDataStore(base, durability="os") as store:
        for each in SYMBOLS:
            store.write_bars(each, bars(each, 0, 300))
            store.write_bars(each, bars(each, 400, 3))
        settle()
        yield store


@pytest.fixture
def other(base, filled):
    """Another store in the same folder, as of another process."""
    with FileDataStore(base, durability="os") as store:
        yield store


@pytest.fixture
def opened(monkeypatch):
    """The files that were opened."""
    paths, real = [], OpenFile.__init__

    def init(self, path):
        paths.append(path)
        real(self, path)

    monkeypatch.setattr(OpenFile, "__init__", init)
    return paths


QUESTIONS = [
    {},
    {"start": DAY + timedelta(10), "end": DAY + timedelta(20)},
    {"start": DAY + timedelta(250), "end": DAY + timedelta(401)},
    {"start": DAY + timedelta(299)},
    {"end": DAY - timedelta(1)},
    {"last": 2},
    {"last": 5},
    {"last": 4, "end": DAY + timedelta(290)},
]
COLUMNS = [None, ["symbol", "close"], ["volume", "date"]]


def answers(store, symbols=(*SYMBOLS, "NONE")):
    found = []
    for each in QUESTIONS:
        naive = {
            name: at.replace(tzinfo=None) if name != "last" else at for name, at in each.items()
        }
        found += [store.read_bar_table(symbols, columns=chosen, **each) for chosen in COLUMNS]
        found.append(store.read_bar_table("B", **naive))
        found.append(store.read_bars("A", **each))
    return found


def as_said(found):
    return [each if isinstance(each, list) else (each.schema, each.to_pydict()) for each in found]


def check(store, base):
    """Compare all answers, given twice, with those of a store that keeps nothing."""
    with FileDataStore(base, durability="os", cache_bytes=0, create=False) as cold:
        expected = as_said(answers(cold))
    for _ in range(2):
        assert as_said(answers(store)) == expected


def test_a_read_that_is_repeated_opens_no_file(filled, opened):
    first = answers(filled, SYMBOLS)
    opened.clear()
    assert as_said(answers(filled, SYMBOLS)) == as_said(first)
    assert opened == []


def test_without_a_budget_each_read_opens_its_files(base, filled, opened):
    with FileDataStore(base, cache_bytes=0) as store:
        for _ in range(2):
            opened.clear()
            store.read_bars("A")
            assert len(opened) == 2


def test_what_is_kept_is_what_the_files_say(filled, base):
    check(filled, base)


def test_few_columns_are_kept_and_then_the_others(filled, opened, base):
    filled.read_bar_table(SYMBOLS, columns=["symbol", "close"])
    filled.read_bar_table(SYMBOLS, columns=["volume"])
    opened.clear()
    filled.read_bar_table(SYMBOLS, columns=["symbol", "close", "volume"])
    assert opened == []
    check(filled, base)


def test_long_pieces_are_not_copied(base):
    with FileDataStore(base, durability="os") as store:
        for each in SYMBOLS:
            store.write_bars(each, bars(each, 0, 5_000))
        settle()
        check(store, base)
        found = store.read_bar_table(SYMBOLS)
        assert found["close"].num_chunks == 6  # of two row groups each


CHANGES = {
    "appended": lambda store: [store.write_bars(each, bars(each, 403, 1)) for each in SYMBOLS],
    "replaced": lambda store: store.write_bars("A", bars("A", 5, 300, 9.0)),
    "merged": lambda store: store.compact(),
    "deleted": lambda store: store.delete_bars("B", DAY + timedelta(12), DAY + timedelta(400)),
    "all deleted": lambda store: store.delete_bars("B", DAY, DAY + timedelta(999)),
    "replaced whole": lambda store: store.write_bar_table(table(bars("A", 3, 9)), replace=True),
    "renamed": lambda store: store.rename_symbol("B", "BB"),
    "wider": lambda store: store.write_bars("A", bars("A", 5, 9, vwap=1.25)),
    "without volume": lambda store: store.write_bars("A", bars("A", 5, 9, volume=None)),
    "exact": lambda store: store.write_bars("A", bars("A", 5, 9, volume=2**53 + 1)),
    "journaled": lambda store: append(store, 403),
    "journaled over others": lambda store: append(store, 402, 2),
    "journaled over a partition": lambda store: append(store, 399, 6),
    "journaled among others": lambda store: append(store, 7, 2),
    "journaled further columns": lambda store: (
        [store.write_bars(each, bars(each, 405, 1, vwap=1.0)) for each in SYMBOLS]
        and append(store, 406, vwap=2.0)
    ),
    "journaled without volume": lambda store: append(store, 403, volume=None),
    "journaled exact": lambda store: append(store, 403, volume=2**53 + 1),
    "journaled twice": lambda store: [append(store, 403, close=each) for each in (1.0, 3.0)],
    "journaled backwards": lambda store: [append(store, each) for each in (405, 403, 404)],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_by_another_process_is_seen(base, filled, other, change):
    answers(filled)
    change(other)
    check(filled, base)
    settle()
    check(filled, base)
    other.compact()
    check(filled, base)
    settle()
    check(filled, base)


def test_rows_that_were_flushed_are_not_taken_again(base, filled, other):
    answers(filled)
    append(other, 402, 2, close=4.0)
    other.write_bars("A", bars("A", 403, 1, close=5.0))  # takes in the rows of A
    check(filled, base)
    settle()
    check(filled, base)


def test_a_journal_that_is_flushed_while_it_is_read_is_read_again(base, filled, other, monkeypatch):
    answers(filled)
    append(other, 403)
    real = Decoded.pieces

    def then_flushed(self, *args):
        found = real(self, *args)
        monkeypatch.setattr(Decoded, "pieces", real)
        other.compact()
        return found

    monkeypatch.setattr(Decoded, "pieces", then_flushed)
    found = filled.read_bar_table(SYMBOLS, DAY + timedelta(403))
    assert found["close"].to_pylist() == [2.0] * 3
    check(filled, base)


@pytest.fixture
def converted(monkeypatch):
    """The numbers of rows of the journal that are converted, question by question."""
    numbers, real = [], appended._columns
    monkeypatch.setattr(
        appended, "_columns", lambda rows: [numbers.append(len(rows)), real(rows)][1]
    )
    return numbers


def test_rows_of_the_journal_are_converted_once(filled, other, converted):
    answers(filled)
    append(other, 403, 3)
    settle()
    for first in (400, 402, 404):  # whatever the range
        found = filled.read_bar_table(SYMBOLS, DAY + timedelta(first))
        assert len(found) == 3 * (406 - first)
    assert converted == [9]


def test_only_rows_that_are_new_are_converted(filled, other, converted):
    answers(filled)
    append(other, 403)
    settle()
    filled.read_bar_table(SYMBOLS, DAY)
    other.write_bar_table(table([*bars("A", 404, 1), *bars("B", 404, 1)]))
    found = filled.read_bar_table(SYMBOLS, DAY + timedelta(403))
    assert found["symbol"].to_pylist() == ["A", "A", "B", "B", "C"]
    assert converted == [3, 2]


@pytest.mark.parametrize("before", [404, 402], ids=["after the others", "over the others"])
def test_rows_that_come_one_after_another_are_seen(base, filled, other, before):
    """Those of a series are added to what was made of the rows before, or all are made anew."""
    answers(filled)
    for first, close in ((before, 4.0), (405, 5.0), (406, 6.0), (405, 7.0), (403, 8.0)):
        append(other, first, close=close)
        check(filled, base)
        settle()
        check(filled, base)
    other.write_bar_table(table([*bars("A", 410, 1), *bars("B", 411, 2)]))
    check(filled, base)
    append(other, 413, vwap=1.0)
    append(other, 414)
    check(filled, base)


def test_rows_behind_a_tail_without_rows_are_seen(base, filled, other):
    append(other, 402)
    settle()
    answers(filled)
    other.write_bars("A", bars("A", 402, 1, close=9.0))  # takes in the row of A
    settle()
    check(filled, base)
    append(other, 403)
    append(other, 404)
    check(filled, base)


def test_rows_that_a_partition_has_taken_in_are_not_added_to_it(base, filled, other, converted):
    answers(filled)
    append(other, 403)
    filled.read_bar_table(SYMBOLS, DAY)
    other.write_bars("A", bars("A", 403, 1, close=9.0))  # takes in the row of A alone
    settle()
    check(filled, base)
    check(filled, base)


def test_a_copy_of_an_older_state_with_its_old_times_is_seen(base, filled, other, tmp_path):
    folder = base / "prices" / "A"
    shutil.copytree(folder, tmp_path / "backup")
    other.write_bars("A", bars("A", 390, 20, 8.0))
    settle()
    answers(filled)
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "backup", folder)
    shutil.copystat(tmp_path / "backup", folder)
    check(filled, base)
    settle()
    check(filled, base)


def test_a_file_that_comes_back_beside_others_is_seen(base, filled, other, tmp_path):
    folder = base / "prices" / "A"
    at = folder.stat().st_mtime_ns
    answers(filled)
    other.write_bars("A", bars("A", 500, 3))
    os.utime(folder, ns=(at, at))
    check(filled, base)


FIRST, SECOND = "2026-01--2026-10.parquet", "2027-02.parquet"


def write_two_of_one_size(path, other):
    """Write bars into a file until it was as large before; return what it was, and their close."""
    by_size = {}
    for number in range(64):
        close = 3.0 + number
        other.write_bars("A", bars("A", 250, 10, close))
        size = path.stat().st_size
        if size in by_size:
            settle()
            return by_size[size]
        os.link(path, path.with_name(f".{number}"))  # its inode stays its own
        by_size[size] = path.with_name(f".{number}"), close
    raise AssertionError("each file has another size")


def test_an_older_file_written_over_a_newer_one_of_its_size_and_time_is_seen(base, filled, other):
    path = base / "prices" / "A" / FIRST
    older, close = write_two_of_one_size(path, other)
    answers(filled)
    before = path.stat()
    path.write_bytes(older.read_bytes())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    assert after.st_mtime_ns == before.st_mtime_ns
    assert filled.read_bars("A", DAY + timedelta(250))[0].close == close
    check(filled, base)


def test_an_older_file_that_is_renamed_back_is_seen(base, filled, other):
    path = base / "prices" / "A" / FIRST
    older, close = write_two_of_one_size(path, other)
    at = path.stat()
    os.utime(older, ns=(at.st_atime_ns, at.st_mtime_ns))
    answers(filled)
    older.rename(path)
    assert filled.read_bars("A", DAY + timedelta(250))[0].close == close
    check(filled, base)


def test_a_folder_of_bars_that_is_exchanged_for_another_is_seen(base, filled, other, tmp_path):
    shutil.copytree(base / "prices", tmp_path / "older")
    other.write_bars("A", bars("A", 250, 10, 4.5))
    other.delete_bars("B", DAY, DAY + timedelta(999))
    settle()
    answers(filled)
    os.rename(base / "prices", tmp_path / "newer")
    os.rename(tmp_path / "older", base / "prices")
    check(filled, base)
    settle()
    check(filled, base)
    (base / "prices" / "A").rename(tmp_path / "A")
    (base / "prices" / "A").symlink_to(tmp_path / "newer" / "A")
    assert filled.read_bars("A", DAY + timedelta(250))[0].close == 4.5
    check(filled, base)


def test_a_partition_that_someone_removes_is_gone(base, filled):
    answers(filled)
    (base / "prices" / "A" / SECOND).unlink()
    assert len(filled.read_bars("A")) == 300
    check(filled, base)
    shutil.rmtree(base / "prices" / "B")
    assert filled.read_bars("B") == []
    check(filled, base)


def test_a_partition_under_another_name_is_refused_though_it_is_kept(base, filled):
    answers(filled)
    folder = base / "prices" / "A"
    (folder / SECOND).rename(folder / "2027-03.parquet")
    with pytest.raises(CorruptData, match="2027-03"):
        filled.read_bar_table(SYMBOLS)


def test_a_partition_without_bars_is_kept_like_others(base, filled, other, monkeypatch):
    monkeypatch.setattr(LockedSeries, "remove", lambda self, partitions: None)
    monkeypatch.setattr("storecore_file.bars.journal.Pending.needs", lambda self, flushed: True)
    other.delete_bars("B", DAY, DAY + timedelta(999))
    assert [*(base / "prices" / "B").glob("*.parquet")] != []
    settle()
    check(filled, base)
    assert ("B", "1d") in filled._bars._decoded._folders
    append(other, 300, 2)
    check(filled, base)


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_damage_in_place_is_found_though_size_and_time_stay(base, filled, name):
    answers(filled)
    path = base / "prices" / "A" / name
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(CorruptData, match=name):
        filled.read_bars("A")
    with pytest.raises(CorruptData, match=name):
        filled.read_bar_table(SYMBOLS)


def test_what_has_just_changed_is_not_kept(base, monkeypatch):
    with FileDataStore(base, durability="os") as store:
        store.write_bars("A", bars("A", 0, 300))
        with monkeypatch.context() as slow:  # whatever a busy machine does between the two
            slow.setattr("storecore_file.fs.disk._TICK", 3_600_000_000_000)
            store.read_bars("A")
        kept = store._bars._decoded
        assert not kept._partitions
        assert not kept._folders
        settle()
        store.read_bars("A")
        assert kept._partitions
        assert kept._folders


def test_memory_stays_within_the_budget(base, filled):
    budget = 30_000
    before = pa.total_allocated_bytes()
    with FileDataStore(base, durability="os", cache_bytes=budget) as store:
        kept = store._bars._decoded
        for each in SYMBOLS * 2:
            store.read_bars(each)
            assert 0 < kept.bytes <= budget
            assert sum(each.bytes for each in kept._partitions.values()) <= kept.bytes
            assert pa.total_allocated_bytes() - before <= budget
        check(store, base)
        assert kept.bytes <= budget


@pytest.mark.parametrize("budget", [1, 2_000, 9_000, 2**100])
def test_answers_are_right_whatever_the_budget(base, filled, other, budget):
    with FileDataStore(base, durability="os", cache_bytes=budget) as store:
        for first in (390, 410):
            check(store, base)
            assert store._bars._decoded.bytes <= budget
            append(other, first)
            other.write_bars("C", bars("C", first, 5, 3.0))
        check(store, base)


def test_dates_that_a_partition_shares_keep_no_others_in_memory(base):
    long = [bars("LONG", 0, 40_000), bars("A", 0, 2_560)]
    before = pa.total_allocated_bytes()
    with FileDataStore(base, durability="os", cache_bytes=4_000_000) as store:
        for each in long:
            store.write_bars(each[0].symbol, each)
        settle()
        store.read_bar_table("LONG", columns=["close"])
        store.read_bar_table("A", columns=["close"])
        kept = store._bars._decoded
        pages._dates.clear()  # which are those of the process
        for path in [each for each in kept._partitions if "LONG" in each]:
            kept._keep(kept._partitions, path, kept._partitions[path]._replace(groups={}))
        gc.collect()
        assert pa.total_allocated_bytes() - before <= kept.bytes


def test_what_was_used_last_stays(base, opened):
    chosen = random.Random(3)
    with FileDataStore(base, durability="os", cache_bytes=60_000) as store:
        for each in SYMBOLS:  # some 24 kB of each
            days = [bar for day in range(400) for bar in bars(each, day, 1, chosen.random())]
            store.write_bars(each, days)
        settle()
        for each in "ABABAC":
            store.read_bars(each)
        opened.clear()
        store.read_bars("A")
        assert opened == []
        store.read_bars("B")
        assert opened != []


def test_a_partition_beyond_the_budget_is_not_kept_and_evicts_no_other(base, filled, opened):
    filled.write_bars("LONG", bars("LONG", 0, 2_000))
    settle()
    with FileDataStore(base, durability="os", cache_bytes=60_000) as store:
        store.read_bars("A")
        store.read_bars("LONG")
        assert not any("LONG" in path for path in store._bars._decoded._partitions)
        opened.clear()
        store.read_bars("A")
        assert opened == []


def test_streams_verify_and_compact_keep_nothing(base, filled):
    with FileDataStore(base, durability="os") as store:
        list(store.iter_bar_tables(SYMBOLS))
        assert store.verify().ok
        store.compact()
        assert not store._bars._decoded._partitions


def test_a_closed_store_keeps_nothing(base, filled):
    store = FileDataStore(base, durability="os")
    store.read_bars("A")
    kept = store._bars._decoded
    assert kept.bytes
    store.close()
    assert (kept.bytes, kept.budget) == (0, 0)
    assert not kept._sizes


def test_a_copy_of_a_store_keeps_for_itself(base, filled):
    answers(filled)
    with pickle.loads(pickle.dumps(filled)) as copy:
        kept = copy._bars._decoded
        assert (kept.bytes, kept.budget) == (0, filled._bars._decoded.budget)
        check(copy, base)


def test_a_forked_child_begins_with_nothing(base, filled):
    answers(filled)
    child = os.fork()
    if not child:
        kept = filled._bars._decoded
        begins = kept.bytes == 0 and not kept._partitions
        os._exit(0 if begins and len(filled.read_bars("A")) == 303 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert filled._bars._decoded.bytes


def test_a_child_forked_while_threads_read_and_evict_reads_for_itself(base, filled):
    over = threading.Event()

    def look(store):
        while not over.is_set():
            store.read_bar_table(SYMBOLS)

    with FileDataStore(base, durability="os", cache_bytes=60_000) as store:
        threads = [threading.Thread(target=look, args=[store]) for _ in range(2)]
        for each in threads:
            each.start()
        children = []
        for _ in range(5):
            child = os.fork()
            if not child:
                signal.alarm(30)  # if it waits for a lock that a thread had
                os._exit(0 if len(store.read_bar_table(SYMBOLS)) == 909 else 1)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(each, 0)[1]) for each in children]
        over.set()
        for each in threads:
            each.join()
    assert codes == [0] * 5


def test_threads_see_each_bar_old_or_new_while_others_are_kept(base, filled, other):
    over, wrong = threading.Event(), []

    def look():
        while not over.is_set():
            found = filled.read_bar_table(SYMBOLS, DAY, DAY + timedelta(299))
            closes = found["close"].to_pylist()
            pieces = [set(closes[start : start + 300]) for start in (0, 300, 600)]
            if len(closes) != 900 or any(len(each) != 1 for each in pieces):
                wrong.append(found)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for each in threads:
        each.start()
    for number in range(12):
        for symbol in SYMBOLS:
            other.write_bars(symbol, bars(symbol, 0, 300, float(number)))
        settle()
    over.set()
    for each in threads:
        each.join()
    assert wrong == []
    check(filled, base)


def test_further_columns_are_kept_too(base, opened):
    with FileDataStore(base, durability="os") as store:
        for each in SYMBOLS:
            store.write_bars(each, bars(each, 0, 300, vwap=1.5, note="x" * 30))
        settle()
        first = answers(store, SYMBOLS)
        opened.clear()
        assert as_said(answers(store, SYMBOLS)) == as_said(first)
        assert {path.suffix for path in opened} <= {".jsonl"}
        check(store, base)


@pytest.mark.parametrize("further", [{}, {"vwap": 1.5}], ids=["plain", "wide"])
def test_row_groups_are_kept_as_they_are_asked_for(base, opened, monkeypatch, further):
    monkeypatch.setattr("storecore_file.bars.partition.GROUP_ROWS", 100)
    with FileDataStore(base, durability="os") as store:
        for each in SYMBOLS:
            store.write_bars(each, bars(each, 0, 1_000, **further))
        settle()
        for first, last in ((150, 160), (140, 160), (90, 210)):
            store.read_bar_table(SYMBOLS, DAY + timedelta(first), DAY + timedelta(last))
        kept = store._bars._decoded._partitions.values()
        assert {tuple(sorted(each.groups)) for each in kept} == {(0, 1, 2)}
        assert store.read_bar_table(SYMBOLS, columns=["close"]).num_rows == 3_000
        check(store, base)


def test_of_many_choices_of_columns_few_are_kept(filled, base):
    names = ["open", "high", "low", "close", "volume"]
    for chosen in [*itertools.combinations(names, 2), *itertools.combinations(names, 3)]:
        filled.read_bar_table(SYMBOLS, columns=["date", *chosen])
    for kept in filled._bars._decoded._partitions.values():
        assert all(len(each._chosen) <= 8 for each in kept.groups.values())
    small = filled._bars._decoded._small.values()
    assert small
    assert all(len(each.file._kept) <= 2 for each in small)
    check(filled, base)


def test_a_column_that_no_series_has_is_refused_whatever_is_kept(filled):
    answers(filled)
    with pytest.raises(InvalidData, match="vwap"):
        filled.read_bar_table(SYMBOLS, columns=["vwap"])


def test_what_was_evicted_meanwhile_is_not_used(base):
    kept = Decoded(1_000)
    kept._use(["gone"])
    kept.keep_times("gone", NO_FILE, Recorded(0))
    assert kept.bytes == 0
    assert not kept._sizes


def test_exact_volumes_are_kept_too(base, opened):
    with FileDataStore(base, durability="os") as store:
        store.write_bars("A", bars("A", 0, 300, volume=2**53 + 1))
        settle()
        first = store.read_bars("A", DAY)
        store.read_bar_table("A", columns=["close"])
        opened.clear()
        assert store.read_bars("A", DAY) == first == bars("A", 0, 300, volume=2**53 + 1)
        assert opened == []


def test_volumes_that_are_null_are_read_as_null(base):
    with FileDataStore(base, durability="os") as store:
        store.write_bars("A", bars("A", 0, 200, volume=None))
        store.write_bars("B", bars("B", 0, 200))
        settle()
        for _ in range(2):
            assert store.read_bar_table(["A", "B"])["volume"].null_count == 200
        check(store, base)


@pytest.mark.parametrize("at", [10.5, 299.5, 402, 500])
def test_a_view_shows_what_one_without_a_cache_shows(base, filled, other, at):
    until = DAY + timedelta(at)
    other.write_bars("A", bars("A", 398, 5, 3.0))
    settle()
    with FileDataStore(base, durability="os", cache_bytes=0) as cold:
        expected = as_said(answers(cold.at(until)))
    for _ in range(2):
        assert as_said(answers(filled.at(until))) == expected


def test_on_a_network_nothing_is_kept(base, filled, tmp_path, monkeypatch):
    (tmp_path / "mounts").write_text(f"device {base} nfs4 rw 0 0\n")
    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "mounts")
    with FileDataStore(base) as store:
        assert store._bars._decoded.budget == 0


def test_prices_that_lie_on_a_network_are_not_kept(base, filled, tmp_path, monkeypatch):
    shutil.move(base / "prices", tmp_path / "elsewhere")
    (base / "prices").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "mounts").write_text(f"d / ext4 rw 0 0\nd {tmp_path / 'elsewhere'} nfs rw 0 0\n")
    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "mounts")
    with FileDataStore(base) as store:
        assert store._bars._decoded.budget == 0
        assert len(store.read_bars("A")) == 303


@pytest.mark.parametrize("given", ["-1", "1.5", "true", '"256 MiB"', '"1"', "[1]"])
def test_a_configured_budget_that_is_no_number_of_bytes_is_refused(
    base, tmp_path, monkeypatch, given
):
    config = tmp_path / "storecore.toml"
    config.write_text(f'[store]\nbackend = "file"\nbase_path = "{base}"\ncache_bytes = {given}\n')
    monkeypatch.setenv("STORECORE_CONFIG", str(config))
    with pytest.raises(ConfigError, match="cache_bytes"):
        open_store()


@pytest.mark.parametrize("given", [-1, 1.5, True, "1"])
def test_a_budget_that_is_no_number_of_bytes_is_refused(base, given):
    with pytest.raises(ConfigError, match="cache_bytes"):
        FileDataStore(base, cache_bytes=given)


def write_something(store, chosen):
    first, count = chosen.randrange(60), chosen.randrange(1, 9)
    close, until = float(chosen.randrange(9)), DAY + timedelta(first + 3)
    works = [
        lambda: append(store, first, min(count, 3), close),
        lambda: append(store, 60 + first, 1, close),
        lambda: store.write_bars("A", bars("A", first, count, close)),
        lambda: store.delete_bars("B", DAY + timedelta(first), until),
        store.compact,
    ]
    chosen.choice(works)()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_any_writes_in_any_order_are_seen(base, seed):
    chosen = random.Random(seed)
    with FileDataStore(base, durability="os") as store, FileDataStore(base) as writer:
        for _ in range(12 if seed == 1 else 200):
            write_something(writer, chosen)
            if chosen.random() < 0.5:
                settle()
            check(store, base)


def test_a_system_call_that_fails_never_gives_another_answer(filled, seeded):
    question = {"start": DAY + timedelta(290)}
    expected = [filled.read_bar_table(SYMBOLS, **question) for _ in range(2)][-1]

    def read(at):
        try:
            return filled.read_bar_table(SYMBOLS, **question)
        except StorageError:
            return None

    found = [result for _, _, result in seeded.each([errno.EIO, errno.EMFILE, MemoryError], read)]
    assert len(found) > 6
    assert all(each is None or each.equals(expected) for each in found)


def last_closes(store):
    found = store.read_bar_table(SYMBOLS, DAY + timedelta(500))
    return found["close"].to_pylist()


def test_an_empty_file_that_a_flush_left_is_looked_at_but_not_read(filled, base, monkeypatch):
    append(filled, 500)
    filled.compact()
    for _ in range(3):
        settle()
        assert last_closes(filled) == [2.0] * len(SYMBOLS)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_refresh", None)
        assert last_closes(filled) == [2.0] * len(SYMBOLS)
    with FileDataStore(base, durability="os") as other:
        append(other, 500, close=3.0)
        assert last_closes(filled) == [3.0] * len(SYMBOLS)
        other.compact()  # the next batch goes to another file
        settle()
        assert last_closes(filled) == [3.0] * len(SYMBOLS)
        append(other, 500, close=4.0)
        assert last_closes(filled) == [4.0] * len(SYMBOLS)


def test_a_signal_handler_may_read_while_what_is_kept_is_locked(filled):
    answers(filled)
    found = []

    def handle(*_):
        found.append(len(filled.read_bars("A")))

    def interrupted():
        with filled._bars._decoded._lock:
            handle()  # on this thread, as Python calls a handler

    thread = threading.Thread(target=interrupted, daemon=True)
    thread.start()
    thread.join(10)
    assert found == [303]


def test_a_write_that_was_interrupted_leaves_no_bytes_that_count_forever(base, filled):
    with FileDataStore(base, durability="os", cache_bytes=60_000) as store:
        kept = store._bars._decoded
        kept.bytes += 10**6  # as if an exception came before the size of an entry was noted
        check(store, base)
        check(store, base)
        assert kept.bytes == sum(kept._sizes.values()) <= kept.budget
        assert kept._sizes
