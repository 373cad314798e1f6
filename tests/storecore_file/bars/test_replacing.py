"""A series becomes exactly a table: readers, an error and other writers find it old or new."""

from __future__ import annotations

import errno
import os
import threading
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from storecore import PriceBar
from storecore.bars.checks import checked_rows
from storecore.errors import CorruptData, StorageError
from storecore.values.times import EARLIEST, LATEST, TimeRange
from storecore_file import FileDataStore
from storecore_file.bars.batch import Upsert
from storecore_file.bars.partition import MAGIC, encode
from storecore_file.bars.writer import SeriesWriter
from storecore_file.fs.seal import footer_start

JAN_1 = datetime(2026, 1, 1, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def bars_of(symbol, days, close):
    dates = [JAN_1 + timedelta(day) for day in days]
    return [PriceBar(symbol, date, 1.0, 2.0, 0.5, close, 7) for date in dates]


def table(*series):
    rows = [bar for each in series for bar in bars_of(*each)]
    names = PriceBar.__struct_fields__[:7]
    return pa.table({name: [getattr(row, name) for row in rows] for name in names})


def replace(store, *series, timeframe="1d"):
    store._bars.replace(timeframe, checked_rows(table(*series)))


def closes(store, symbol):
    """Return what is stored of a symbol, by the number of the day."""
    return {(bar.date - JAN_1).days: bar.close for bar in store.read_bars(symbol, *ALWAYS)}


def names_of(base, symbol):
    return sorted(path.name for path in (base / "prices" / symbol).glob("*.parquet"))


OLD, NEW = dict.fromkeys(range(75), 1.0), dict.fromkeys(range(40, 50), 2.0)


@pytest.fixture
def filled(store, small):
    store.write_bar_table(table(("A", OLD, 1.0), ("B", OLD, 1.0)))
    return store


def test_a_series_becomes_exactly_the_table(filled, base, whole_layout):
    assert len(names_of(base, "A")) > 2
    replace(filled, ("A", NEW, 2.0))
    assert closes(filled, "A") == NEW
    assert closes(filled, "B") == OLD
    assert names_of(base, "A") == ["2026-01--2026-03.parquet"]
    whole_layout(base)
    assert filled.verify().ok


def test_a_series_that_is_new_is_written(store):
    replace(store, ("A", NEW, 2.0), ("B", NEW, 2.0))
    assert closes(store, "A") == closes(store, "B") == NEW


def test_only_the_timeframe_of_the_table_is_replaced(filled):
    replace(filled, ("A", NEW, 2.0), timeframe="1w")
    assert closes(filled, "A") == OLD
    assert len(filled.read_bars("A", *ALWAYS, timeframe="1w")) == len(NEW)


@pytest.mark.parametrize("day", [-400, 45, 74, 400])
def test_rows_of_the_journal_are_replaced_too(filled, base, day):
    filled.write_bar_table(table(("A", [day], 9.0), ("B", [day], 9.0)))
    replace(filled, ("A", NEW, 2.0))
    for _ in range(2):
        assert closes(filled, "A") == NEW
        assert closes(filled, "B") == {**OLD, day: 9.0}
        assert filled.verify().ok
        filled.compact()
    filled.write_bar_table(table(("A", [day], 8.0), ("B", [day], 8.0)))
    assert closes(filled, "A") == {**NEW, day: 8.0}


def test_rows_of_the_journal_alone_are_replaced(store):
    store.write_bar_table(table(("A", [0], 9.0), ("B", [0], 9.0)))
    replace(store, ("A", NEW, 2.0))
    store.compact()
    assert closes(store, "A") == NEW


def test_rows_of_the_journal_stay_replaced_when_the_partition_is_split(filled):
    filled.write_bar_table(table(("A", [200], 9.0), ("B", [200], 9.0)))
    replace(filled, ("A", range(30), 2.0))
    filled.write_bars("A", bars_of("A", range(30, 75), 2.0))
    assert closes(filled, "A") == dict.fromkeys(OLD, 2.0)
    filled.compact()
    assert closes(filled, "A") == dict.fromkeys(OLD, 2.0)


@pytest.mark.usefixtures("small")
def test_writes_after_it_go_on(filled, whole_layout, base):
    replace(filled, ("A", range(10), 2.0))
    for day in range(10, 60, 7):
        filled.write_bars("A", bars_of("A", range(day, day + 7), 3.0))
    expected = {**dict.fromkeys(range(10), 2.0), **dict.fromkeys(range(10, 66), 3.0)}
    assert closes(filled, "A") == expected
    whole_layout(base)


def test_a_partition_that_is_too_long_is_cut_into_others_than_there_were(filled, base):
    before = names_of(base, "A")
    replace(filled, ("A", OLD, 2.0))
    after = names_of(base, "A")
    assert len(after) > 2
    assert not {*before} & {*after}
    assert closes(filled, "A") == dict.fromkeys(OLD, 2.0)
    assert filled.verify().ok


class Everything:
    """Names that are all taken."""

    def __contains__(self, name):
        return True


def test_a_partition_stays_whole_where_its_partitions_would_have_names_of_old_ones(
    filled, base, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(SeriesWriter, "divide", lambda self, taken: None)
        replace(filled, ("A", OLD, 2.0))
    writer = filled._bars._writer("A", "1d")
    writer.divide(Everything())
    assert names_of(base, "A") == ["2026-01--2026-03.parquet"]
    writer.divide(())
    assert len(names_of(base, "A")) > 2
    assert closes(filled, "A") == dict.fromkeys(OLD, 2.0)


def test_of_the_partitions_of_a_series_only_the_long_ones_are_cut(filled, base, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(SeriesWriter, "divide", lambda self, taken: None)
        replace(filled, ("A", OLD, 2.0))
    filled.write_bars("A", bars_of("A", [200], 2.0))
    filled._bars._writer("A", "1d").divide(())
    names = names_of(base, "A")
    assert "2026-01--2026-03.parquet" not in names
    assert closes(filled, "A") == dict.fromkeys([*OLD, 200], 2.0)


def test_a_partition_that_cannot_be_cut_yet_is_no_error(filled, monkeypatch, caplog):
    def fail(self, taken):
        raise StorageError("no room")

    monkeypatch.setattr(SeriesWriter, "divide", fail)
    replace(filled, ("A", OLD, 2.0))
    assert closes(filled, "A") == dict.fromkeys(OLD, 2.0)
    assert "put off" in caplog.text


def test_b4_a_reader_sees_the_old_series_or_the_new_one_at_each_step(filled, base, monkeypatch):
    filled.write_bar_table(table(("A", [200], 9.0), ("B", [200], 9.0)))
    old = {**OLD, 200: 9.0}
    seen = []
    with FileDataStore(base, create=False) as reader:

        def looked(real):
            def call(*args, **kwargs):
                result = real(*args, **kwargs)
                seen.append(closes(reader, "A"))
                return result

            return call

        for name in ("replace", "unlink", "fsync", "link"):
            monkeypatch.setattr(os, name, looked(getattr(os, name)))
        replace(filled, ("A", OLD, 2.0))
        monkeypatch.undo()
    new = dict.fromkeys(OLD, 2.0)
    assert old in seen
    assert new in seen
    assert [each for each in seen if each not in (old, new)] == []


def test_d2_no_series_is_replaced_if_one_cannot_be(filled, base, monkeypatch):
    real = Upsert._put

    def put(self):
        if self._locked.folder.name == "B":
            raise StorageError("it breaks")
        return real(self)

    monkeypatch.setattr(Upsert, "_put", put)
    with pytest.raises(StorageError, match="it breaks"):
        replace(filled, ("A", NEW, 2.0), ("B", NEW, 2.0))
    assert closes(filled, "A") == closes(filled, "B") == OLD
    assert filled.verify().ok
    assert [path for path in base.rglob(".*") if path.suffix in (".tmp", ".rollback")] == []


@pytest.fixture
def fails_after(monkeypatch, filled):
    """Replace A, let others write, and then fail, so that the old series is restored."""

    def arrange(others, series=("A", NEW, 2.0)):
        real = Upsert.put

        def put(self):
            real(self)
            others()
            raise StorageError("it breaks")

        monkeypatch.setattr(Upsert, "put", put)
        with pytest.raises(StorageError, match="it breaks"):
            replace(filled, series)
        monkeypatch.setattr(Upsert, "put", real)

    return arrange


def test_d2_what_others_have_written_meanwhile_stays(filled, base, fails_after):
    with FileDataStore(base) as other:
        fails_after(lambda: other.write_bars("A", bars_of("A", [45, 90], 5.0)))
    assert closes(filled, "A") == {**OLD, 45: 5.0, 90: 5.0}
    assert filled.verify().ok


def test_d2_a_series_that_was_not_there_is_gone_again_but_for_what_others_wrote(
    filled, base, fails_after
):
    with FileDataStore(base) as other:
        fails_after(lambda: other.write_bars("C", bars_of("C", [45, 90], 5.0)), ("C", NEW, 2.0))
    assert closes(filled, "C") == {45: 5.0, 90: 5.0}


def test_a_write_that_came_between_is_replaced(filled, base, monkeypatch):
    real = Upsert.prepare

    def prepare(self):
        real(self)
        with FileDataStore(base) as other:
            other.write_bars("A", bars_of("A", [45, 90], 5.0))

    monkeypatch.setattr(Upsert, "prepare", prepare)
    replace(filled, ("A", NEW, 2.0))
    assert closes(filled, "A") == NEW


def test_d4_replacing_beside_reading_never_shows_a_part_of_both(base, small, store):
    """One thread replaces a series by tables of different lengths, another one reads it."""
    lengths = [30, 75, 10]
    replace(store, ("A", range(30), 30.0))
    wrong, done = [], threading.Event()

    def read():
        with FileDataStore(base, create=False) as reader:
            while not done.is_set():
                found = closes(reader, "A")
                if found != dict.fromkeys(range(len(found)), float(len(found))):
                    wrong.append(found)

    reading = threading.Thread(target=read)
    reading.start()
    for number in range(30):
        days = lengths[number % 3]
        replace(store, ("A", range(days), float(days)))
    done.set()
    reading.join()
    assert wrong == []


# Damage: what is damaged goes to quarantine before it is replaced (laws D2, D5).


def partitions(base, symbol="A"):
    return sorted((base / "prices" / symbol).glob("*.parquet"))


def kept(base):
    return {path.name: path.read_bytes() for path in (base / "aside").rglob("*.parquet")}


def flipped(at):
    """Return damage: one bit of a byte, counted from the beginning or from the footer (< 0)."""

    def damage(content):
        place = at(content)
        return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]

    return damage


DAMAGE = {
    "a bit of the first column, the symbol": flipped(lambda content: len(MAGIC) + 30),
    "a bit of the last column": flipped(lambda content: content.index(b'{"version"') - 9),
    "a bit of the metadata": flipped(lambda content: content.index(b'"groups"') + 14),
    "a bit of the footer": flipped(lambda content: footer_start(content) + 20),
    "a bit of the footer's length": flipped(lambda content: len(content) - 7),
    "no bytes": lambda content: b"",
    "half of the bytes": lambda content: content[: len(content) // 2],
    "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("which", [0, -1])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_d5_a_damaged_partition_is_replaced_and_kept_in_quarantine(
    filled, base, damage, which, caplog
):
    path = partitions(base)[which]
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    assert not filled.verify().ok
    replace(filled, ("A", NEW, 2.0))
    assert closes(filled, "A") == NEW
    assert closes(filled, "B") == OLD
    assert filled.verify().ok
    assert kept(base) == {path.name: damaged}
    assert f"{path}: not a whole file of bars" in caplog.text
    filled.write_bars("A", filled.read_bars("B", *ALWAYS)[:0])
    assert filled.compact().ok


def test_d5_bars_of_another_series_are_kept_in_quarantine(filled, base):
    path = partitions(base)[0]
    foreign = partitions(base, "B")[0].read_bytes()
    path.write_bytes(foreign)
    replace(filled, ("A", NEW, 2.0))
    assert closes(filled, "A") == NEW
    assert kept(base) == {path.name: foreign}


def test_whole_partitions_are_replaced_without_a_copy(filled, base):
    replace(filled, ("A", NEW, 2.0))
    assert kept(base) == {}


@pytest.mark.parametrize("beside", [True, False], ids=["beside it", "over it"])
def test_d6_a_partition_of_another_state_is_kept_in_quarantine_with_a_damaged_one(
    filled, base, beside
):
    first, *_, last = partitions(base)
    filled.write_bars("C", bars_of("C", range(-20, 3), 5.0))
    other = filled._bars.read("C", "1d", TimeRange(EARLIEST, LATEST, True))
    diverged = encode("A", "1d", other, {}, 1)
    wide = first.with_name("2025-12--2026-01.parquet")
    wide.write_bytes(diverged)
    damaged = last if beside else first.with_name("2025-12.parquet")
    damaged.write_bytes(b"")
    replace(filled, ("A", NEW, 2.0))
    assert closes(filled, "A") == NEW
    assert filled.verify().ok
    assert kept(base) == {damaged.name: b"", wide.name: diverged}


@pytest.mark.parametrize("day", [-400, 45, 400])
def test_rows_of_the_journal_are_replaced_beside_damage(filled, base, day):
    filled.write_bar_table(table(("A", [day], 9.0), ("B", [day], 9.0)))
    partitions(base)[0].write_bytes(b"")
    replace(filled, ("A", NEW, 2.0))
    for _ in range(2):
        assert closes(filled, "A") == NEW
        assert closes(filled, "B") == {**OLD, day: 9.0}
        assert filled.verify().ok
        filled.compact()


def test_d5_a_partition_that_cannot_be_read_is_an_error_and_stays(filled, base, monkeypatch):
    path, before = partitions(base)[0], {each: each.read_bytes() for each in partitions(base)}
    real = os.open

    def refused(asked, *args, **kwargs):
        if os.fspath(asked) == str(path):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(asked, *args, **kwargs)

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(StorageError, match=path.name):
        replace(filled, ("A", NEW, 2.0))
    monkeypatch.undo()
    assert {each: each.read_bytes() for each in partitions(base)} == before
    assert kept(base) == {}


def test_d5_a_partition_of_a_later_release_is_an_error_and_stays(filled, base, monkeypatch):
    before = {each: each.read_bytes() for each in partitions(base)}
    monkeypatch.setattr("storecore_file.bars.partition.VERSION", 2)
    with pytest.raises(StorageError, match="newer storecore"):
        replace(filled, ("A", NEW, 2.0))
    assert {each: each.read_bytes() for each in partitions(base)} == before


def test_an_upsert_into_a_damaged_partition_is_an_error_still(filled, base):
    path = partitions(base)[0]
    path.write_bytes(b"")
    with pytest.raises(CorruptData, match=path.name):
        filled._bars._upsert("1d", checked_rows(table(("A", range(33), 2.0))).series())
    assert kept(base) == {}


def test_d2_damage_is_as_it_was_if_the_series_cannot_be_replaced(filled, base, monkeypatch):
    partitions(base)[0].write_bytes(b"")
    before = {each: each.read_bytes() for each in partitions(base)}
    real = Upsert.put

    def put(self):
        real(self)
        raise StorageError("it breaks")

    monkeypatch.setattr(Upsert, "put", put)
    with pytest.raises(StorageError, match="it breaks"):
        replace(filled, ("A", NEW, 2.0))
    assert {each: each.read_bytes() for each in partitions(base)} == before


def test_a_replacement_that_was_killed_before_it_removed_damage_is_done_again(
    filled, base, monkeypatch
):
    path = partitions(base)[0]
    path.write_bytes(b"")
    with monkeypatch.context() as patch:
        patch.setattr(SeriesWriter, "divide", lambda self, taken: None)
        replace(filled, ("A", NEW, 2.0))
    path.write_bytes(b"")  # as if it had not been removed yet
    replace(filled, ("A", NEW, 3.0))
    assert closes(filled, "A") == dict.fromkeys(NEW, 3.0)
    assert filled.verify().ok
