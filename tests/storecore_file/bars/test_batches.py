"""Law D2 for tables: the bars of all symbols are written, or of none, whoever else writes."""

from __future__ import annotations

import errno
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from storecore import PriceBar
from storecore.errors import CorruptData, StorageError
from storecore_file import FileDataStore
from storecore_file.bars import compaction
from storecore_file.bars.batch import Upsert
from storecore_file.bars.collection import FEW_ROWS
from storecore_file.bars.journal import Journal

JAN_1 = datetime(2026, 1, 1, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
MANY = FEW_ROWS + 8
SEEDS = range(1, 20)


def bars_of(symbol, days, close, volume=7):
    dates = [JAN_1 + timedelta(day) for day in days]
    return [PriceBar(symbol, date, 1.0, 2.0, 0.5, close, volume) for date in dates]


def table(*series):
    rows = [bar for each in series for bar in bars_of(*each)]
    return pa.table(
        {name: [getattr(row, name) for row in rows] for name in PriceBar.__struct_fields__}
    )


def closes(store, symbol):
    """Return what is stored of a symbol, by the number of the day."""
    return {(bar.date - JAN_1).days: bar.close for bar in store.read_bars(symbol, *ALWAYS)}


def hidden(base):
    return [path.name for path in base.rglob(".*") if path.suffix in (".tmp", ".rollback")]


def test_a_batch_of_bars_that_are_there_already_writes_nothing_and_is_durable(store, syscalls):
    batch = table(("AAPL", range(MANY), 1.0), ("MSFT", range(MANY), 1.0))
    store.write_bar_table(batch)
    before = store.bar_versions("AAPL")
    syscalls.clear()
    store.write_bar_table(batch)
    assert sorted(syscalls) == [("fsync", "AAPL"), ("fsync", "MSFT")]
    assert store.bar_versions("AAPL") == before


@pytest.fixture
def other(base, store):
    """Another store of the same folder, as another process has it."""
    with FileDataStore(base) as opened:
        yield opened


@pytest.fixture
def meanwhile(monkeypatch):
    """Do something once, right before or after a step of a batch."""

    def arrange(cls, name, act, after=False):
        real, todo = getattr(cls, name), [act]

        def step(*args, **kwargs):
            if todo and not after:
                todo.pop()()
            result = real(*args, **kwargs)
            if todo:
                todo.pop()()
            return result

        monkeypatch.setattr(cls, name, step)

    return arrange


@pytest.fixture
def no_journal(monkeypatch):
    """Let the last step of a batch fail: the append to the journal; `first` is done before."""

    def arrange(first=lambda: None):
        def append(self, timeframe, series, reached):
            monkeypatch.undo()
            first()
            raise StorageError("the journal cannot be written")

        monkeypatch.setattr(Journal, "append", append)

    return arrange


FEW = [("F", [0], 9.0), ("G", [0], 9.0)]  # the bars of a batch that go into the journal


def test_d2_a_damaged_part_of_the_second_symbol_leaves_the_first_as_it_was(store, base):
    days = range(MANY)
    store.write_bar_table(table(("A", days, 1.0), ("B", days, 1.0)))
    (part,) = (base / "prices" / "B").glob("*.parquet")
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    with pytest.raises(CorruptData) as caught:
        store.write_bar_table(table(("A", range(1, MANY + 1), 2.0), ("B", range(MANY), 2.0)))
    assert caught.value.path == str(part)
    assert closes(store, "A") == dict.fromkeys(days, 1.0)
    assert not hidden(base)


def test_d2_a_batch_for_the_journal_is_taken_whole_whatever_is_wrong_with_a_partition(store, base):
    store.write_bars("B", bars_of("B", range(3), 1.0))
    (part,) = (base / "prices" / "B").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-1])
    store.write_bar_table(table(("A", [3], 2.0), ("B", [3], 2.0)))
    assert closes(store, "A") == {3: 2.0}
    with pytest.raises(CorruptData):
        closes(store, "B")
    store.repair()
    assert closes(store, "B") == {3: 2.0}


def test_a_batch_of_two_symbols_is_one_append(store, syscalls):
    store.write_bar_table(table(("A", [0], 1.0), ("B", [0], 1.0)))
    syscalls.clear()
    store.write_bar_table(table(("A", [1], 1.0), ("B", [1], 1.0)))
    assert [name for name, _ in syscalls] == ["write", "fdatasync", "pwrite"]


def test_no_partition_is_put_before_all_are_staged(store, syscalls):
    store.write_bar_table(table(*((symbol, range(MANY), 1.0) for symbol in "ABC")))
    names = [name for name, _ in syscalls if name in ("write", "replace")]
    assert names == ["write"] * 3 + ["replace"] * 3


def test_no_symbol_is_prepared_any_more_once_one_has_failed(store, base, monkeypatch):
    prepared = []

    def prepare(self):
        prepared.append(self)
        raise MemoryError

    monkeypatch.setattr(Upsert, "prepare", prepare)
    with pytest.raises(MemoryError):
        store.write_bar_table(table(*((f"S{n}", range(MANY), 1.0) for n in range(40))))
    assert len(prepared) <= 4
    assert store.symbols() == []


@pytest.mark.parametrize("count", [1, 6])
def test_d2_what_was_put_is_taken_back_if_the_last_step_fails(store, base, no_journal, count):
    symbols = [f"S{number}" for number in range(count)]
    for symbol in symbols:
        store.write_bars(symbol, bars_of(symbol, range(0, 90, 3), 1.0))
    no_journal()
    with pytest.raises(StorageError, match="journal"):
        store.write_bar_table(table(*((each, range(MANY), 2.0) for each in symbols), *FEW))
    assert [closes(store, each) for each in symbols] == [
        dict.fromkeys(range(0, 90, 3), 1.0)
    ] * count
    assert store.symbols() == symbols
    assert not hidden(base)
    assert store.verify().ok


def test_d2_an_interrupt_takes_back_what_was_put(store, base, meanwhile):
    def interrupted():
        raise KeyboardInterrupt

    meanwhile(Upsert, "_put", interrupted, after=True)
    with pytest.raises(KeyboardInterrupt):
        store.write_bar_table(table(("A", range(MANY), 1.0), ("B", range(MANY), 1.0)))
    assert store.symbols() == []
    assert not hidden(base)


# Another writer between the steps: in the part, beside it, over the same bars.

OTHERS = {
    "the same part": [("write", [5, 50], 5.0)],
    "another month": [("write", [200], 5.0)],
    "the same bar": [("write", [3], 5.0)],
    "all is deleted": [("delete", range(400), None)],
    "some is deleted": [("delete", range(2, 10), None)],
    "nobody": [],
}


def done(store, expected, steps):
    """Do another writer's steps, to a model too."""
    for what, days, close in steps:
        if what == "write":
            store.write_bars("A", bars_of("A", days, close))
            expected |= dict.fromkeys(days, close)
        else:
            store.delete_bars("A", JAN_1 + timedelta(days[0]), JAN_1 + timedelta(days[-1]))
            for day in days:
                expected.pop(day, None)


@pytest.mark.parametrize("name", OTHERS)
def test_d4_what_another_writes_between_the_steps_is_not_lost(store, other, meanwhile, base, name):
    expected = dict.fromkeys(range(0, 90, 3), 1.0)
    store.write_bars("A", bars_of("A", expected, 1.0))
    meanwhile(Upsert, "put", lambda: done(other, expected, OTHERS[name]))
    store.write_bar_table(table(("A", range(MANY), 2.0), ("B", range(MANY), 2.0)))
    assert closes(store, "A") == expected | dict.fromkeys(range(MANY), 2.0)
    assert not hidden(base)


@pytest.mark.parametrize("small_parts", [False, True])
@pytest.mark.parametrize("journaled", [False, True])
@pytest.mark.parametrize("name", OTHERS)
def test_d2_a_batch_is_taken_back_from_under_what_another_has_written(
    store, other, no_journal, base, request, name, journaled, small_parts
):
    if small_parts:
        request.getfixturevalue("small")
    expected = dict.fromkeys(range(0, 90, 3), 1.0)
    store.write_bars("A", bars_of("A", expected, 1.0, 2**60 + 1))
    if journaled:
        store.write_bar_table(table(("A", [3, 4], 3.0), ("B", [3], 3.0)))
        expected |= {3: 3.0, 4: 3.0}
    no_journal(lambda: done(other, expected, OTHERS[name]))
    with pytest.raises(StorageError, match="journal"):
        store.write_bar_table(table(("A", range(MANY), 2.0), *FEW))
    assert closes(store, "A") == expected
    assert "F" not in store.symbols()
    volumes = {bar.volume for bar in store.read_bars("A", *ALWAYS) if bar.close == 1.0}
    assert volumes <= {2**60 + 1}
    store.compact()
    assert closes(store, "A") == expected
    assert not hidden(base)


def test_d2_bars_of_a_journal_that_was_flushed_meanwhile_are_not_taken_back(
    store, other, no_journal, base
):
    store.write_bar_table(table(("A", [3, 400], 3.0), ("B", [3], 3.0)))
    no_journal(other.compact)
    with pytest.raises(StorageError, match="journal"):
        store.write_bar_table(table(("A", range(MANY), 2.0), *FEW))
    assert closes(store, "A") == {3: 3.0, 400: 3.0}
    assert not list((base / "prices" / ".journal").glob("00000001*"))


def test_d2_bars_of_a_journal_that_is_just_being_flushed_are_not_taken_back(
    store, other, no_journal, monkeypatch
):
    store.write_bar_table(table(("A", [3, 400], 3.0), ("B", [3], 3.0)))
    folded, release, retire = threading.Event(), threading.Event(), Journal.retire

    def held_up(self, names):
        folded.set()
        release.wait(10)
        retire(self, names)

    def fold_up_to_the_end():
        monkeypatch.setattr(Journal, "retire", held_up)
        folding.start()
        folded.wait(10)
        threading.Timer(0.1, release.set).start()

    folding = threading.Thread(target=other.compact)
    no_journal(fold_up_to_the_end)
    with pytest.raises(StorageError, match="journal"):
        store.write_bar_table(table(("A", range(MANY), 2.0), *FEW))
    folding.join()
    assert closes(store, "A") == {3: 3.0, 400: 3.0}


def test_what_cannot_be_taken_back_is_logged_and_the_first_error_raised(
    store, no_journal, failing, caplog
):
    store.write_bars("A", bars_of("A", range(3), 1.0))
    no_journal(lambda: failing("replace"))
    with pytest.raises(StorageError, match="journal"):
        store.write_bar_table(table(("A", range(MANY), 2.0), *FEW))
    assert "bars of a failed write cannot be taken back" in caplog.text


def test_partitions_are_merged_once_all_bars_are_put(store, base, small):
    for month in range(4):
        store.write_bar_table(
            table(*((symbol, range(31 * month, 31 * month + 8), 1.0) for symbol in "AB"))
        )
    for symbol in "AB":
        assert len(list((base / "prices" / symbol).glob("*.parquet"))) < 4
        assert len(closes(store, symbol)) == 32


def test_a_merge_that_fails_after_a_batch_is_put_off(store, small, monkeypatch, caplog):
    def merge(locked, patient):
        raise MemoryError("no memory")

    monkeypatch.setattr(compaction, "merge", merge)
    for month in range(4):
        days = range(31 * month, 31 * month + 8)
        store.write_bar_table(table(("A", days, 1.0), ("B", days, 1.0)))
        store.write_bars("C", bars_of("C", days, 1.0))
    assert "merging its partitions is put off: no memory" in caplog.text
    assert len(closes(store, "A")) == len(closes(store, "C")) == 32


DESCRIPTORS = """if True:
    import resource, sys
    from datetime import datetime, timedelta
    import pyarrow as pa
    from storecore.errors import StorageError
    from storecore_file import FileDataStore
    from storecore_file.bars.journal import Journal

    def table(close):
        days = [datetime(2026, 1, 1) + timedelta(n) for n in range(33)]
        names = [f"S{n}" for n in range(150) for _ in days] + ["F", "G"]
        prices = dict.fromkeys(("open", "high", "low", "close", "volume"), [close] * len(names))
        return pa.table({"symbol": names, "date": days * 150 + days[:2], **prices})

    def failing(self, timeframe, series, reached):
        raise StorageError("no journal")

    store = FileDataStore(sys.argv[1], durability="os")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (48, hard))
    store.write_bar_table(table(1.0))
    Journal.append = failing
    try:
        store.write_bar_table(table(2.0))
    except StorageError as error:
        print(error)
    found = store.read_bar_table(store.symbols(), datetime.min, datetime.max)
    print(len(found), set(found["close"].to_pylist()))
"""


def test_a_batch_of_many_symbols_needs_few_descriptors(base, script):
    output, _ = script(DESCRIPTORS, base).communicate(timeout=60)
    assert output.splitlines() == ["no journal", f"{150 * 33 + 2} {{1.0}}"]


def test_d2_a_disk_without_hard_links_keeps_copies_of_what_was_there(
    store, base, no_journal, monkeypatch
):
    store.write_bars("A", bars_of("A", range(3), 1.0))

    def link(*_, **__):
        raise OSError(errno.EPERM, "no hard links")

    no_journal()
    monkeypatch.setattr(os, "link", link)
    with pytest.raises(StorageError, match="journal"):
        store.write_bar_table(table(("A", range(MANY), 2.0), *FEW))
    assert closes(store, "A") == dict.fromkeys(range(3), 1.0)
    assert not hidden(base)


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_d2_a_partition_that_cannot_be_put_takes_back_those_before_it(
    store, base, monkeypatch, failing, call
):
    monkeypatch.setattr("storecore_file.bars.parallel._FEW", 100)  # in this thread, in one order
    symbols = "ABCD"
    for symbol in symbols:
        store.write_bars(symbol, bars_of(symbol, range(3), 1.0))
    failing(call, only=2)
    with pytest.raises(StorageError, match="Input/output error"):
        store.write_bar_table(table(*((symbol, range(MANY), 2.0) for symbol in symbols)))
    assert [closes(store, symbol) for symbol in symbols] == [dict.fromkeys(range(3), 1.0)] * 4
    assert not hidden(base)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(each, marks=pytest.mark.soak) for each in SEEDS)]
)
def test_d2_d4_batches_that_fail_beside_others_leave_what_was_acknowledged(
    base, small, monkeypatch, seed
):
    """Threads write days of their own into the same parts, and every third batch fails."""
    failing, real = threading.local(), Journal.append

    def append(self, timeframe, few, reached):
        if failing.now:
            raise StorageError("the journal cannot be written")
        return real(self, timeframe, few, reached)

    monkeypatch.setattr(Journal, "append", append)

    def writes(thread):
        drawn, kept = random.Random(f"{seed} {thread}"), {}
        with FileDataStore(base, durability="os") as store:
            for close in range(1, 13 if seed else 6):
                symbols = drawn.sample("ABCDE", 4)
                days = [range(thread, 200, 4 * drawn.choice([1, 9])) for _ in symbols[:2]]
                days += [[thread + 4 * drawn.randrange(50)] for _ in symbols[2:]]
                batch = list(zip(symbols, days, [float(close)] * 4, strict=True))
                failing.now = close % 3 == 0
                if close % 5 == 0:
                    store.compact()
                with suppress(StorageError):
                    store.write_bar_table(table(*batch))
                    kept |= {(name, day): close for name, some, _ in batch for day in some}
        return kept

    with ThreadPoolExecutor(4) as pool:
        kept = [pool.submit(writes, thread) for thread in range(4)]
    expected = {key: close for each in kept for key, close in each.result().items()}
    with FileDataStore(base) as store:
        found = {
            (name, day): close for name in "ABCDE" for day, close in closes(store, name).items()
        }
        assert found == expected
        assert store.verify().ok
    assert not hidden(base)
