"""Law D6, case by case: files of another state that are copied over a store, or left out."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from storecore import PriceBar, StorageError
from storecore_file import FileDataStore
from storecore_file.fs.disk import Disk

DAY = datetime(2026, 1, 5, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SYMBOLS = [f"S{number}" for number in range(5)]


def bar(day, close=1.0, symbol="AAPL"):
    return PriceBar(symbol, DAY + timedelta(days=day), 1.0, 2.0, 0.5, close, 7)


def batch(day, close=1.0, symbols=SYMBOLS):
    bars = [bar(day, close, symbol) for symbol in symbols]
    names = PriceBar.__struct_fields__
    return pa.table({name: [getattr(each, name) for each in bars] for name in names})


def closes(base, symbol="S0"):
    return [each.close for each in FileDataStore(base).read_bars(symbol, *ALWAYS)]


def findings(base):
    return [(each.kind, each.place) for each in FileDataStore(base).verify().findings]


def notes(base):
    return {each.kind for each in FileDataStore(base).verify().notes} - {
        "open or close outside its bar",
        "gap",
    }


@pytest.fixture
def copy(tmp_path):
    return tmp_path / "copy"


@pytest.fixture
def journal(base):
    """The files of the journal that have lines."""
    folder = base / "prices" / ".journal"
    return lambda: [path for path in sorted(folder.glob("*.jsonl")) if path.stat().st_size]


def laid_over(source, target):
    shutil.copytree(source, target, dirs_exist_ok=True)


# Partitions.


def test_d6_an_older_partition_laid_beside_newer_ones_hides_none_of_their_bars(base, copy):
    with FileDataStore(base, durability="os") as store:
        store.write_bars("AAPL", [bar(day) for day in range(5_000)])
    laid_over(base, copy)
    with FileDataStore(base, durability="os") as store:
        store.write_bars("AAPL", [bar(day, 2.0) for day in range(5_000, 5_010)])
    laid_over(base, copy)
    assert len(list((copy / "prices" / "AAPL").glob("*.parquet"))) == 3
    assert closes(copy, "AAPL") == [1.0] * 5_000 + [2.0] * 10
    assert (findings(copy), notes(copy)) == ([], {"leftover"})
    with FileDataStore(copy) as store:
        store.write_bars("AAPL", [bar(5_010, 3.0)])
        assert store.bar_coverage("AAPL").count == 5_011
    assert (findings(copy), notes(copy)) == ([], set())
    assert not (copy / "aside").exists()


def test_d6_bars_of_an_older_partition_that_nothing_newer_covers_are_shown_and_kept(base, caplog):
    folder = base / "prices" / "AAPL"
    with FileDataStore(base) as store:
        store.write_bars("AAPL", [bar(day) for day in (0, 40)])
        (wide,) = folder.glob("*.parquet")
        old = wide.read_bytes()
        store.delete_bars("AAPL", *ALWAYS)
        store.write_bars("AAPL", [bar(0, 2.0)])
        wide.write_bytes(old)
    assert closes(base, "AAPL") == [2.0, 1.0]
    assert findings(base) == [("older", str(wide))]
    with FileDataStore(base) as store:
        store.write_bars("AAPL", [bar(1, 3.0)])
    assert closes(base, "AAPL") == [2.0, 3.0, 1.0]
    assert findings(base) == []
    (kept,) = (base / "aside").rglob("*.parquet")
    assert kept.read_bytes() == old
    assert f"{wide}: of another state than newer ones" in caplog.text


def test_d6_of_two_copies_that_were_written_to_apart_none_hides_the_other(base, copy):
    with FileDataStore(base) as store:
        store.write_bars("AAPL", [bar(0)])
    laid_over(base, copy)
    for folder, close in ((base, 2.0), (copy, 3.0)):
        with FileDataStore(folder) as store:
            store.write_bars("AAPL", [bar(0, close)])
    part = copy / "prices" / "AAPL" / "2026-01.parquet"
    part.rename(part.with_name("2026-01-01--2026-01-09.parquet"))  # as a split would name it
    laid_over(base, copy)
    assert closes(copy, "AAPL") == [3.0]
    assert findings(copy) == [("older", str(part))]


def test_d6_a_partition_is_newer_than_what_it_replaces_though_the_clock_was_set_back(
    base, monkeypatch, small
):
    with FileDataStore(base) as store:
        store.write_bars("AAPL", [bar(day) for day in range(0, 58, 5)])
        folder = base / "prices" / "AAPL"
        (old,) = folder.glob("*.parquet")
        content = old.read_bytes()
        monkeypatch.setattr(time, "time_ns", lambda: 10**18)
        store.write_bars("AAPL", [bar(59, 2.0)])
        assert not old.exists()
        old.write_bytes(content)
        assert closes(base, "AAPL")[-2:] == [1.0, 2.0]
        assert (findings(base), notes(base)) == ([], {"leftover"})
        store.write_bars("AAPL", [bar(0, 2.0)])
        old.write_bytes(content)
        assert closes(base, "AAPL")[0] == 2.0
        assert findings(base) == [("older", str(old))]


# The journal.


@pytest.fixture
def retired(base, journal):
    """A file of the journal whose bars were folded, corrected and deleted; it has come back."""
    with FileDataStore(base) as store:
        store.write_bar_table(batch(0))
        store.write_bar_table(batch(40))
        (path,) = journal()
        content = path.read_bytes()
        store.compact()
        store.write_bars("S0", [bar(0, 2.0, "S0")])
        store.delete_bars("S1", *ALWAYS)
        store.delete_bars("S2", DAY, DAY)
    path.write_bytes(content)
    return path


def test_d6_a_retired_journal_that_comes_back_counts_for_nothing(base, retired, journal):
    assert [closes(base, symbol) for symbol in SYMBOLS[:4]] == [[2.0, 1.0], [], [1.0], [1.0, 1.0]]
    with FileDataStore(base) as store:
        assert store.symbols() == ["S0", "S2", "S3", "S4"]
    assert (findings(base), notes(base)) == ([], {"leftover"})
    with FileDataStore(base) as store:
        store.compact()
    assert (journal(), notes(base)) == ([], set())
    assert [closes(base, symbol) for symbol in SYMBOLS[:4]] == [[2.0, 1.0], [], [1.0], [1.0, 1.0]]


def test_d6_bars_written_after_a_journal_came_back_are_not_touched_by_it(base, retired):
    with FileDataStore(base) as store:
        store.write_bars("S1", [bar(1, 5.0, "S1")])
        store.write_bar_table(batch(0, 6.0))
    assert closes(base, "S1") == [6.0, 5.0]
    assert closes(base, "S0") == [6.0, 1.0]


def test_d6_a_journal_that_comes_back_with_other_lines_is_found_and_never_removed(base, retired):
    with FileDataStore(base.parent / "other") as store:
        store.write_bar_table(batch(0, 7.0))
        (other,) = (base.parent / "other" / "prices" / ".journal").glob("*.jsonl")
        retired.write_bytes(other.read_bytes())
    assert findings(base) == [("diverged", str(retired))]
    with FileDataStore(base) as store:
        store.compact()
        assert retired.exists()
        assert store.repair().ok
    assert len(list((base / "aside").rglob("*.jsonl"))) == 1


def test_d6_partitions_copied_before_a_flush_and_the_journal_after_it_are_found_lacking(base, copy):
    with FileDataStore(base) as store:
        store.write_bars("S0", [bar(-1, 1.0, "S0")])
        store.write_bar_table(batch(0))
        laid_over(base / "prices" / "S0", copy / "prices" / "S0")
    laid_over(base / "prices" / ".journal", copy / "prices" / ".journal")
    assert findings(copy) == [("lacking", str(copy / "prices" / ".journal" / ".past"))]
    with FileDataStore(copy) as store:
        (finding,) = store.verify().findings
        assert "the partitions of S0 (1d), S1 (1d), S2 (1d), S3 (1d), S4 (1d) lack bars" in (
            finding.detail
        )
        (would,) = store.repair(dry_run=True).actions
        assert would.startswith("would give up: the partitions of S0")
        assert findings(copy)
        (done,) = store.repair().actions
        assert done.startswith("gave up: the partitions of S0")
    assert findings(copy) == []


def test_d6_rows_that_their_partitions_lack_are_read_from_a_past_journal_and_flushed_again(
    base, copy, journal
):
    with FileDataStore(base) as store:
        store.write_bars("S0", [bar(-1, 1.0, "S0")])
        store.write_bar_table(batch(0, 2.0))
        laid_over(base, copy)
    shutil.copy(base / "prices" / ".journal" / ".past", copy / "prices" / ".journal")
    assert closes(copy) == [1.0, 2.0]
    with FileDataStore(copy) as store:
        assert store.symbols() == SYMBOLS
        store.compact()
    assert closes(copy) == [1.0, 2.0]
    assert [closes(copy, symbol) for symbol in SYMBOLS[1:]] == [[2.0]] * 4
    assert (findings(copy), notes(copy)) == ([], set())


def test_d6_an_older_journal_beside_newer_partitions_is_found_by_what_they_say(base, copy):
    with FileDataStore(base) as store:
        store.write_bar_table(batch(0))
    laid_over(base, copy)
    with FileDataStore(base) as store:
        store.write_bar_table(batch(1))
    shutil.rmtree(base / "prices" / ".journal")
    laid_over(copy / "prices" / ".journal", base / "prices" / ".journal")
    assert findings(base) == [("older", str(base / "prices" / ".journal"))]
    with FileDataStore(base) as store:
        store.write_bar_table(batch(2, 3.0))
        assert closes(base) == [1.0, 1.0, 3.0]
        assert store.repair().ok
    assert findings(base) == []


def test_d6_a_row_that_a_partition_had_taken_in_is_not_taken_for_new_in_the_place_of_another(
    base, copy
):
    store = FileDataStore(base)
    laid_over(base, copy)
    store.write_bar_table(batch(0))
    store.write_bars("S0", [bar(0, 2.0, "S0")])
    with FileDataStore(copy) as other:
        other.write_bars("S0", [bar(1, 3.0, "S0")])
    laid_over(copy, base)
    (journal,) = (base / "prices" / ".journal").glob("*.jsonl")
    assert ("older", str(journal)) in findings(base)


def test_d6_journals_that_were_begun_apart_are_found(base, copy, journal):
    store = FileDataStore(base)
    laid_over(base, copy)
    store.write_bar_table(batch(0))
    other = FileDataStore(copy)
    other.write_bar_table(batch(1))
    laid_over(copy, base)
    assert {kind for kind, _ in findings(base)} == {"diverged"}
    assert len(journal()) == 2


def test_d5_a_damaged_record_of_past_journals_is_found_and_moved(base, retired):
    path = base / "prices" / ".journal" / ".past"
    path.write_bytes(path.read_bytes().replace(b'"S3"', b'"S9"'))
    assert ("damaged", str(path)) in findings(base)
    with FileDataStore(base) as store:
        store.repair()
    assert not path.exists()


def test_an_interrupted_split_is_a_note_and_is_ended_by_the_next_writer(base, small):
    folder = base / "prices" / "AAPL"
    with FileDataStore(base) as store:
        store.write_bars("AAPL", [bar(day) for day in range(0, 58, 5)])
        (old,) = folder.glob("*.parquet")
        content = old.read_bytes()
        store.write_bars("AAPL", [bar(59, 2.0)])
        closed, _ = sorted(folder.glob("*.parquet"))
    old.write_bytes(content)
    closed.unlink()  # a kill came before it was renamed
    assert closes(base, "AAPL") == [1.0] * 12 + [2.0]
    assert (findings(base), notes(base)) == ([], {"leftover"})
    with FileDataStore(base) as store:
        assert store.bar_coverage("AAPL").count == 13
        store.compact()
    assert closes(base, "AAPL") == [1.0] * 12 + [2.0]
    assert (findings(base), notes(base)) == ([], set())
    assert not (base / "aside").exists()


def test_a_mark_that_cannot_be_written_is_logged(base, caplog, monkeypatch):
    def broken(self, path, content):
        raise StorageError(f"{path}: no", path)

    with FileDataStore(base) as store:
        store.write_bar_table(batch(0))
        monkeypatch.setattr(Disk, "add", broken)
        store.write_bars("S0", [bar(0, 2.0, "S0")])
    assert "what was taken in of it is not noted" in caplog.text
    assert closes(base) == [2.0]


# A new line of the journal is beyond all that partitions know.


def an_hour_back(monkeypatch):
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() - 3_600 * 10**9)


@pytest.mark.parametrize("lost", ["*.jsonl", "*.jsonl .past", "*.jsonl .past .ends"])
def test_d6_a_batch_counts_beside_partitions_that_know_a_later_journal(
    base, retired, monkeypatch, lost
):
    for pattern in lost.split():
        for path in (base / "prices" / ".journal").glob(pattern):
            path.unlink()
    an_hour_back(monkeypatch)
    with FileDataStore(base, durability="os") as store:
        store.write_bar_table(batch(0, 9.0))
        assert closes(base) == [9.0, 1.0]
    assert closes(base) == [9.0, 1.0]


def test_d6_a_batch_counts_after_an_older_journal_was_copied_into_an_open_store(base, copy):
    store = FileDataStore(base, durability="os")
    store.write_bar_table(batch(0))
    laid_over(base / "prices" / ".journal", copy)
    for close in (2.0, 3.0):
        store.write_bar_table(batch(1, close))
    store.write_bars("S0", [bar(2, symbol="S0")])  # takes the lines in
    laid_over(copy, base / "prices" / ".journal")
    store.write_bar_table(batch(1, 9.0))
    assert closes(base) == [1.0, 9.0, 1.0]
    store.close()
    assert closes(base) == [1.0, 9.0, 1.0]


def test_a_damaged_partition_refuses_no_batch_and_the_batch_counts_beside_the_others(base, retired):
    (part,) = (base / "prices" / "S2").glob("*.parquet")
    part.write_bytes(b"damaged")
    with FileDataStore(base, durability="os") as store:
        for close in (8.0, 9.0):
            store.write_bar_table(batch(0, close))
            assert closes(base) == [close, 1.0]
