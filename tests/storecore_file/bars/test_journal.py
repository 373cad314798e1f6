"""The journal of bars: a batch for many symbols costs one append, and keeps the order of writes."""

from __future__ import annotations

import errno
import json
import logging
import os
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storecore import PriceBar
from storecore.bars.rows import BarColumns
from storecore.bars.table import bar_columns_of, series_table
from storecore.errors import CorruptData, LockTimeout, StorageError
from storecore.values.times import EARLIEST, LATEST, exact_instant
from storecore_file import FileDataStore
from storecore_file.bars import collection
from storecore_file.bars.journal import Journal, Pending
from storecore_file.bars.journal_integrity import JournalProof
from storecore_file.bars.journal_lines import HOUR, Row
from storecore_file.bars.layout import Partition, ceiling, partition_of
from storecore_file.bars.retired_journals import RetiredJournals
from storecore_file.fs.disk import Disk

DAY = datetime(2026, 1, 5, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SYMBOLS = [f"S{number}" for number in range(6)]


def table(close, day=0, symbols=SYMBOLS):
    """A batch of one bar a symbol."""
    rows = [PriceBar(symbol, DAY + timedelta(day), 1.0, 2.0, 0.5, close, 7.0) for symbol in symbols]
    return pa.table(
        {name: [getattr(row, name) for row in rows] for name in PriceBar.__struct_fields__}
    )


def closes(store, symbol="S0"):
    return [bar.close for bar in store.read_bars(symbol, *ALWAYS)]


@pytest.fixture
def folder(base):
    return base / "prices" / ".journal"


@pytest.fixture
def lines(folder):
    """Return the lines of the journal's files, by file."""

    def read():
        return [
            [json.loads(line) for line in path.read_text().splitlines()]
            for path in sorted(folder.glob("*.jsonl"))
        ]

    return read


@pytest.fixture
def parts(base):
    return lambda: sorted(path.name for path in (base / "prices").rglob("*.parquet"))


# What goes there.


@pytest.mark.parametrize(
    ("ask", "found"),
    [
        (lambda store: store.timeframes("S0"), ["1d"]),
        (lambda store: store.delete_bars("S0", *ALWAYS), 1),
        (lambda store: store.rename_symbol("S0", "NEW"), None),
    ],
    ids=["timeframes", "delete", "rename"],
)
def test_a_question_for_one_symbol_looks_at_no_rows_of_the_others(store, monkeypatch, ask, found):
    store.write_bar_table(table(1.0))
    looked_at, may_count = set(), Journal._may_count

    def seen(journal, key, past):
        looked_at.add(key[0])
        return may_count(journal, key, past)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_may_count", seen)
        answer = ask(store)
    assert answer == found
    assert looked_at <= {"S0", "NEW"}


def test_a_few_bars_for_many_symbols_are_one_line_and_no_partition(store, lines, parts):
    store.write_bar_table(table(1.0))
    store.write_bar_table(table(2.0, 1), timeframe="1m")
    assert [
        [(line["n"], line["timeframe"], line["symbol"]) for line in file] for file in lines()
    ] == [[(1, "1d", SYMBOLS), (2, "1m", SYMBOLS)]]
    assert parts() == []


@pytest.mark.parametrize("count", [1, collection.MANY_SERIES - 1])
def test_a_few_symbols_are_written_into_their_partitions(store, folder, parts, count):
    store.write_bar_table(table(1.0, symbols=SYMBOLS[:count]))
    assert not folder.exists()
    assert len(parts()) == count


def test_many_bars_are_written_into_partitions_beside_the_few_of_others(store, lines, parts):
    days = [table(float(day), day, ["S0"]) for day in range(collection.FEW_ROWS + 1)]
    store.write_bar_table(pa.concat_tables([table(9.0, 50), *days]))
    assert [line["symbol"] for line in lines()[0]] == [SYMBOLS[1:]]
    assert parts() == ["2026-01--2026-02.parquet"]
    assert len(closes(store)) == collection.FEW_ROWS + 2
    assert closes(store, "S1") == [9.0]


def test_d1_a_batch_is_synced_once_and_its_file_and_folder_when_it_is_new(store, syscalls):
    store.write_bar_table(table(1.0))
    first = [name for name, _ in syscalls]
    syscalls.clear()
    store.write_bar_table(table(2.0))
    assert first.count("fdatasync") == 1
    assert [name for name, _ in syscalls] == ["write", "fdatasync", "pwrite"]


def test_a_single_write_of_one_symbol_lies_in_its_partition(store, folder, parts, bar):
    store.write_bars("AAPL", [bar()])
    assert parts() == ["2026-01.parquet"]
    assert not folder.exists()


# Order beside the parts.

steps = st.lists(
    st.tuples(
        st.sampled_from(["journal", "direct", "other", "fold", "reopen", "own"]),
        st.integers(0, 2),
    ),
    max_size=14,
)


@given(steps=steps)
@settings(max_examples=40)
def test_b1_the_later_write_wins_whatever_way_it_took(steps, tmp_path_factory):
    base = tmp_path_factory.mktemp("journal")
    stores = [FileDataStore(base, durability="os") for _ in range(2)]
    expected, close = {}, 0.0
    for step, day in steps:
        close += 1.0
        row = table(close, day, ["S0"])
        if step in ("journal", "other"):
            stores[step == "other"].write_bar_table(table(close, day))
        elif step == "direct":
            stores[0].write_bar_table(row)
        elif step == "own":
            stores[1].write_bars(
                "S0", [PriceBar("S0", DAY + timedelta(day), 1.0, 2.0, 0.5, close, 7)]
            )
        elif step == "fold":
            stores[0].compact()
        else:
            stores[0].close()
            stores[0] = FileDataStore(base, durability="os")
        if step not in ("fold", "reopen"):
            expected[day] = close
        assert [closes(store) for store in stores] == [
            [expected[day] for day in sorted(expected)]
        ] * 2
    for store in stores:
        store.close()
    with FileDataStore(base) as store:
        assert closes(store) == [expected[day] for day in sorted(expected)]


def test_b1_a_direct_write_takes_in_the_journal_of_its_series_alone(store, lines, parts, bar):
    store.write_bar_table(table(1.0))
    store.write_bars("S0", [bar(DAY, 2.0, symbol="S0")])
    store.write_bar_table(table(3.0, 1))
    assert closes(store) == [2.0, 3.0]
    assert len(parts()) == 1
    assert len(lines()[0]) == 2


def test_b1_what_was_flushed_is_not_counted_again(store, bar):
    store.write_bar_table(table(1.0))
    store.write_bars("S0", [bar(DAY + timedelta(1), 2.0, symbol="S0")])
    store.write_bars("S0", [bar(DAY, 5.0, symbol="S0")])
    assert closes(store) == [5.0, 2.0]
    assert store.delete_bars("S0", DAY, DAY) == 1
    assert closes(store) == [2.0]
    store.compact()
    assert closes(store) == [2.0]
    assert store.bar_coverage("S0").count == 1


# Folding.


def test_the_journal_is_flushed_at_close(base, folder, parts):
    with FileDataStore(base) as store:
        store.write_bar_table(table(1.0))
    assert len(parts()) == len(SYMBOLS)
    (empty,) = folder.glob("*.jsonl")
    assert empty.read_bytes() == b""


def test_the_journal_is_flushed_by_compact(store, folder, parts):
    store.write_bar_table(table(1.0))
    assert store.compact().ok
    assert len(parts()) == len(SYMBOLS)
    assert [path.stat().st_size for path in folder.glob("*.jsonl")] == [0]


def test_the_journal_is_flushed_when_it_is_large(store, folder, parts, monkeypatch):
    monkeypatch.setattr(collection, "JOURNAL_BYTES", 1_000)
    for day in range(12):
        store.write_bar_table(table(float(day), day))
        sizes = [path.stat().st_size for path in folder.glob("*.jsonl")]
        assert sum(sizes) <= 1_000
    assert len(parts()) == len(SYMBOLS)
    assert closes(store) == [float(day) for day in range(12)]


def test_a_journal_that_another_filled_is_not_flushed_by_closing(store, base, parts):
    store.write_bar_table(table(1.0))
    with FileDataStore(base) as other:
        assert closes(other) == [1.0]
    assert parts() == []


def test_a_flush_that_fails_at_close_is_put_off(base, failing, monkeypatch, caplog, parts):
    store = FileDataStore(base)
    store.write_bar_table(table(1.0))
    failing("replace")
    with caplog.at_level(logging.WARNING, "storecore"):
        store.close()
    monkeypatch.undo()
    assert "the journal is flushed later" in caplog.text
    assert parts() == []
    with FileDataStore(base) as again:
        assert closes(again) == [1.0]
        again.compact()
        assert len(parts()) == len(SYMBOLS)


def test_nothing_is_flushed_where_nothing_is(store, folder):
    assert store.compact().actions == ()
    assert not folder.exists()


# Other readers and writers.


def test_another_store_sees_what_is_appended_at_once(store, base):
    with FileDataStore(base) as other:
        for day in range(4):
            store.write_bar_table(table(float(day), day))
            assert len(closes(other)) == day + 1
            other.write_bar_table(table(10.0 + day, day))
            assert closes(store)[-1] == 10.0 + day


def test_a_process_sees_what_another_appends(store, base, script):
    process = script(
        """if True:
        import sys
        import pyarrow as pa
        from datetime import datetime, timedelta
        from storecore_file import FileDataStore
        store = FileDataStore(sys.argv[1])
        for line in sys.stdin:
            day = datetime(2026, 1, 5) + timedelta(int(line))
            prices = dict.fromkeys(("open", "high", "low", "close", "volume"), [float(line)] * 6)
            symbols = [f"S{number}" for number in range(6)]
            store.write_bar_table(pa.table({"symbol": symbols, "date": [day] * 6, **prices}))
            print(len(store.read_bars("S0", datetime.min, datetime.max)), flush=True)
        """,
        base,
    )
    for day in range(0, 6, 2):
        print(day, file=process.stdin, flush=True)
        assert int(process.stdout.readline()) == day + 1
        assert closes(store)[-1] == day
        store.write_bar_table(table(day + 1.0, day + 1))
    process.communicate()
    assert process.returncode == 0
    assert closes(store) == [float(day) for day in range(6)]


def test_only_what_is_new_is_read(store, folder, monkeypatch):
    store.write_bar_table(table(1.0))
    closes(store)
    starts, read = [], Disk.read

    def watched(self, path, start=0):
        starts.extend([start] if path.suffix == ".jsonl" else [])
        return read(self, path, start)

    monkeypatch.setattr(Disk, "read", watched)
    store.write_bar_table(table(2.0))
    assert closes(store) == [2.0]
    assert all(start > 0 for start in starts)
    (path,) = folder.glob("*.jsonl")
    os.utime(path, (1_700_000_000.5, 1_700_000_000.5))  # it has not changed for long
    closes(store)
    starts.clear()
    assert closes(store) == [2.0]
    assert starts == []


# Damage.


def test_d3_a_torn_line_is_no_data_and_is_set_aside_by_the_next_append(store, base, folder, caplog):
    store.write_bar_table(table(1.0))
    (path,) = folder.glob("*.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    assert closes(store) == [1.0]
    store.write_bar_table(table(2.0))
    assert closes(store) == [2.0]
    assert "a torn line of 50 bytes was moved" in caplog.text
    assert path.with_name(f"{path.name}.torn").read_bytes() == whole[:50] + b"\n"


def test_d6_a_store_appends_to_no_file_that_was_there_before_it(store, base, folder):
    store.write_bar_table(table(1.0))
    store.write_bar_table(table(2.0, 1))
    with FileDataStore(base) as other:
        other.write_bar_table(table(3.0))
        assert len(list(folder.glob("*.jsonl"))) == 2
        store.write_bar_table(table(4.0, 1))  # the newest is the other's now
        assert [len(path.read_bytes().splitlines()) for path in sorted(folder.glob("*.jsonl"))] == [
            2,
            2,
        ]
        assert closes(other) == closes(store) == [3.0, 4.0]


def test_d3_a_torn_line_alone_is_no_data(store, folder, base):
    folder.mkdir()
    (folder / "00000001-0123456789abcdef.jsonl").write_bytes(b'{"timeframe":"1d","sym')
    assert closes(store) == []
    store.write_bar_table(table(2.0))
    assert closes(store) == [2.0]


def test_d5_no_damaged_byte_of_the_journal_changes_what_is_read(store, base, folder, flipped_bytes):
    for day in range(2):
        store.write_bar_table(table(float(day), day, SYMBOLS[:4]))
    (path,) = folder.glob("*.jsonl")
    for _ in flipped_bytes(path):
        with FileDataStore(base, durability="os") as other, pytest.raises(CorruptData) as caught:
            closes(other)
        assert caught.value.path == str(path)


def test_d5_a_line_that_was_removed_is_noticed(store, base, folder):
    for day in range(3):
        store.write_bar_table(table(float(day), day))
    (path,) = folder.glob("*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    for kept in (lines[1:], [lines[0], lines[2]], [lines[0], lines[0]], lines[::-1]):
        path.write_bytes(b"".join(kept))
        with FileDataStore(base) as other:
            with pytest.raises(CorruptData, match="found line") as caught:
                closes(other)
            assert caught.value.path == str(path)


def test_d5_a_damaged_journal_is_not_written_over(store, base, folder):
    store.write_bar_table(table(1.0))
    (path,) = folder.glob("*.jsonl")
    damaged = path.read_bytes().replace(b'"S0"', b'"X0"')
    path.write_bytes(damaged)
    with FileDataStore(base) as other:
        for call in (other.compact, lambda: closes(other), lambda: other.symbols()):
            with pytest.raises(CorruptData):
                call()
        assert path.read_bytes() == damaged


def test_a_file_that_is_not_named_like_a_journal_is_none(store, folder):
    store.write_bar_table(table(1.0))
    (path,) = folder.glob("*.jsonl")
    for name in ("note.jsonl", "1-0123456789abcdef.jsonl", f"{path.name}.bak"):
        (folder / name).write_bytes(b"not a journal")
    assert closes(store) == [1.0]


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_d2_a_batch_that_cannot_be_appended_is_not_there(store, failing, monkeypatch, call):
    store.write_bar_table(table(1.0))
    failing(call)
    with pytest.raises(StorageError):
        store.write_bar_table(table(2.0))
    monkeypatch.undo()
    assert closes(store) == [1.0]
    store.write_bar_table(table(3.0))
    assert closes(store) == [3.0]


def test_d2_a_batch_that_was_seen_and_then_failed_does_not_hide_the_next(store, base, monkeypatch):
    # Its line may be read before it is synced; when that fails it is cut off again.
    with FileDataStore(base) as other:
        store.write_bar_table(table(1.0))

        def broken(file):
            closes(other)
            raise OSError(errno.EIO, "I/O error")

        monkeypatch.setattr(os, "fdatasync", broken)
        with pytest.raises(StorageError):
            store.write_bar_table(table(2.0))
        monkeypatch.undo()
        assert [closes(each) for each in (store, other)] == [[1.0], [1.0]]
        for close in (3.0, 12.25):  # lines as long as the lost one, and longer
            store.write_bar_table(table(close))
            assert [closes(each) for each in (store, other)] == [[close], [close]]


def test_b4_a_reader_is_not_told_what_was_replaced_before_it_came(store, base, bar, monkeypatch):
    """The journal is folded and forgotten by the parts after a reader has read it."""
    store.write_bar_table(table(1.0))
    store.write_bar_table(table(1.0, 1))
    store.write_bars("S0", [bar(DAY, 2.0, symbol="S0")])
    pending = Journal.pending

    def then_folded(self, key):
        found = pending(self, key)
        monkeypatch.undo()
        with FileDataStore(base) as other:
            other.compact()
            other.write_bars("S0", [bar(DAY + timedelta(1), 1.0, symbol="S0")])
        return found

    monkeypatch.setattr(Journal, "pending", then_folded)
    assert closes(store) == [2.0, 1.0]


# The journal by itself.


def series(*closes_):
    dates = list(range(len(closes_)))
    prices = [list(closes_)] * 4
    return series_table(BarColumns(dates, *prices, [7] * len(dates)))


@pytest.fixture
def journal(tmp_path, clock):
    opened = Journal(tmp_path / ".journal", Disk("os"), 1.0, clock)
    yield opened
    opened.close()


def test_rows_come_in_the_order_of_writing(journal):
    lengths = [
        journal.append("1d", [("A", series(close)), ("B", series(9.0))]) for close in (1.0, 2.0)
    ]
    pending = journal.pending(("A", "1d"))
    assert [(row.line, row.values[4]) for row in pending.rows] == [(1, 1.0), (2, 2.0)]
    assert pending.through == {pending.journals[0]: 2}
    assert lengths[1] == 2 * lengths[0] - len(',"after":""')
    assert bar_columns_of(pending.table([], EARLIEST, LATEST)).close == [2.0]
    assert journal.series() == {("A", "1d"), ("B", "1d")}
    assert journal.pending(("A", "1m")).rows == []


def test_a_new_file_is_begun_and_the_old_ones_are_retired(journal):
    journal.append("1d", [("A", series(1.0))])
    old = journal.rotate()
    journal.append("1m", [("B", series(2.0))])
    assert journal.files()[:-1] == old
    assert journal.series(old) == {("A", "1d")}
    assert int(journal.files()[-1][:16]) > int(old[-1][:16]) > 1_700_000_000_000_000
    journal.retire(old)
    assert journal.series() == {("B", "1m")}
    journal.retire(journal.files())
    assert (journal.rotate(), journal.files()) == ([], [])


def test_rows_of_a_range_that_no_partition_has_yet():
    january = partition_of(*part_range(2026, 1))
    before, after = january.first - 1, january.first + 1
    rows = [
        Row("a", 1, (before, 1.0, 1.0, 1.0, 1.0, 1)),
        Row("a", 1, (after, 1.0, 1.0, 1.0, 2.0, 1)),
        Row("a", 2, (after, 1.0, 1.0, 1.0, 3.0, 1)),
        Row("b", 1, (after, 1.0, 1.0, 1.0, 4.0, 1)),
    ]
    pending = Pending(rows, ["a", "b"])

    def found(parts, first=EARLIEST, last=LATEST):
        return bar_columns_of(pending.table(parts, first, last)).close

    assert found([]) == [1.0, 4.0]
    assert found([(january, {"a": 2})]) == [1.0, 4.0]
    assert found([(january, {"a": 2, "b": 1})]) == [1.0]
    assert found([(january, {"b": 1})]) == [1.0, 3.0]
    assert found([], after, after) == [4.0]
    assert found([(Partition(EARLIEST, LATEST, ""), {"a": 2, "b": 1})]) == []
    assert pending.known({"a": 2, "gone": 7}) == {"a": 2}


def test_what_is_past_counts_where_a_partition_lacks_it_or_must_have_it():
    january = partition_of(*part_range(2026, 1))
    old, new = f"{1:016}-0123456789abcdef.jsonl", f"{2:016}-0123456789abcdef.jsonl"
    rows = [Row(old, 1, (january.first, 1.0, 1.0, 1.0, 1.0, 1))]
    gone = Pending(rows, [], [old])
    expected = Pending(rows, [], [old], {}, {january.first // HOUR: (1, 1)})

    def found(pending, *parts):
        return bar_columns_of(pending.table(parts, EARLIEST, LATEST)).close

    assert (found(gone), found(expected)) == ([], [1.0])
    for pending in (gone, expected):
        assert found(pending, (january, {})) == [1.0]
        assert found(pending, (january, {old: 1})) == found(pending, (january, {new: 1})) == []
    assert gone.needs({old: 1}) is False
    assert Pending(rows, [old]).needs({new: 1}) is True
    assert Pending(rows, [old], (), {new: 7}).through == {new: 7}


def part_range(year, month):
    first = exact_instant(datetime(year, month, 1), "date")
    return first, ceiling(first, "month")


def test_d2_a_line_that_is_not_synced_yet_is_taken_into_no_partition(store, base, bar, monkeypatch):
    """Were it, and its sync failed, its number would be that of another line."""
    with FileDataStore(base, lock_timeout=0.05) as other:
        store.write_bar_table(table(1.0))
        sync, direct = os.fdatasync, bar(DAY + timedelta(5), 5.0, symbol="S0")

        def broken(file):
            with pytest.raises(LockTimeout):
                other.write_bars("S0", [direct])
            raise OSError(errno.EIO, "I/O error")

        monkeypatch.setattr(os, "fdatasync", broken)
        with pytest.raises(StorageError):
            store.write_bar_table(table(2.0, 1))
        monkeypatch.setattr(os, "fdatasync", sync)
        store.write_bar_table(table(3.0, 2))
        other.write_bars("S0", [direct])
        assert closes(other) == closes(store) == [1.0, 3.0, 5.0]


def test_d2_a_batch_whose_flush_fails_is_written_and_its_writer_notified_of_nothing(
    store, base, monkeypatch, caplog
):
    store.write_bar_table(table(1.0))
    store.compact()
    next((base / "prices" / "S1").glob("*.parquet")).write_bytes(b"damaged")
    monkeypatch.setattr(collection, "JOURNAL_BYTES", 10)
    for day in (1, 2, 3):
        store.write_bar_table(table(2.0, day))
    assert closes(store) == [1.0, 2.0, 2.0, 2.0]
    assert "the journal is flushed later" in caplog.text
    with pytest.raises(CorruptData):
        store.compact()
    assert len(list((base / "prices" / ".journal").glob("*.jsonl"))) <= 4
    assert store.delete_bars("S0", *ALWAYS) == 4


def test_what_was_taken_in_of_a_file_that_is_gone_is_not_noted(tmp_path, clock):
    journal = Journal(tmp_path / ".journal", Disk("os"), 1.0, clock)
    row = Row("00000001-0123456789abcdef.jsonl", 1, (0, 1.0, 1.0, 1.0, 1.0, 1))
    journal.take(("AAPL", "1d"), Pending([row], ()))
    assert journal.taken() == {}
    assert not (tmp_path / ".journal").exists()


def test_a_record_of_past_files_that_could_not_be_read_proves_nothing(tmp_path, clock, monkeypatch):
    journal = Journal(tmp_path / ".journal", Disk("os"), 1.0, clock)

    def read(record):
        monkeypatch.undo()
        raise StorageError("no memory")

    monkeypatch.setattr(RetiredJournals, "read", read)
    assert list(JournalProof(journal).issues()) == []
