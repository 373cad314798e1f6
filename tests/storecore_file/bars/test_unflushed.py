"""Rows of the journal as versions: a bar that is rewritten while it forms."""

from storecore.bars.table import instants_of
from storecore_file.bars.journal import Pending
from storecore_file.bars.journal_lines import Row
from storecore_file.bars.layout import parsed
from storecore_file.bars.partition import Metadata
from storecore_file.bars.recorded import Recorded, Run
from storecore_file.bars.unflushed import Unflushed, unflushed
from storecore_file.bars.versions import Dated, Merged

FILE = "1764104110123456-0123456789abcdef.jsonl"
JANUARY = parsed("1970-01.parquet")


def row(line, date, close, recorded, volume=7, **further):
    kinds = dict.fromkeys(further, "float64")
    values = (date, 1.0, 1.0, 1.0, close, volume)
    return Row(FILE, line, values, kinds, tuple(further.values()), recorded)


def versions(*rows, old=None, known=()):
    found = unflushed(Pending(rows, [FILE]), known, lambda _, date: old.recorded_at(date))
    merged = found.onto(Merged(old) if old else Merged(unflushed_nothing()))
    past = [
        (close, at, until)
        for each in merged.replaced
        for close, at, until in zip(
            each.old.bars["close"].to_pylist(),
            each.old.recorded.column().to_pylist(),
            each.until.column().to_pylist(),
            strict=True,
        )
    ]
    now = merged.bars.bars["close"].to_pylist(), merged.bars.recorded.column().to_pylist()
    return sorted(past), now


def unflushed_nothing():
    return Dated(
        unflushed(Pending([row(1, 0, 1.0, 1)], [FILE]), (), None).tables()[0].slice(0, 0),
        Recorded(0),
    )


def test_each_row_that_differs_from_the_one_before_is_a_version():
    rows = [row(1, 5, 1.0, 10), row(2, 5, 2.0, 20), row(3, 5, 2.0, 30), row(4, 5, 1.0, 40)]
    assert versions(*rows) == ([(1.0, 10, 20), (2.0, 20, 40)], ([1.0], [40]))


def test_rows_are_equal_bit_for_bit():
    volumes = (None, None, 7, 7.0, 2**53, 2**53 + 1, 2**53 + 1)
    rows = [row(n, 5, 1.0, 10 * n, volume) for n, volume in enumerate(volumes, 1)]
    past, now = versions(*rows)
    assert [(at, until) for _, at, until in past] == [(10, 30), (30, 50), (50, 60)]
    assert now == ([1.0], [60])
    zeros = [row(1, 5, 0.0, 10), row(2, 5, -0.0, 20)]
    assert len(versions(*zeros)[0]) == 1


def test_a_row_that_was_recorded_too_early_counts_as_recorded_after_what_it_replaces():
    known = [(JANUARY, Metadata(3, "A", "1d", [], generation=99))]
    old = (
        unflushed(Pending([row(1, 5, 3.0, 99)], [FILE]), (), None)
        .onto(Merged(unflushed_nothing()))
        .bars
    )
    found = versions(row(1, 5, 1.0, 10), row(2, 5, 2.0, 10), old=old, known=known)
    assert found == ([(1.0, 100, 101), (3.0, 99, 100)], ([2.0], [101]))


def test_a_row_stays_recorded_when_it_was_beside_a_partition_that_was_merged_since():
    known = [(JANUARY, Metadata(3, "A", "1d", [], generation=99))]
    bar = Pending([row(1, 5, 3.0, 8)], [FILE])
    old = unflushed(bar, (), None).onto(Merged(unflushed_nothing())).bars
    rows = row(1, 5, 1.0, 10), row(1, 6, 1.0, 10)
    assert versions(*rows, old=old, known=known) == ([(3.0, 8, 10)], ([1.0, 1.0], [10, 10]))


def test_versions_between_with_further_columns_are_kept_too():
    rows = [
        row(1, 5, 1.0, 10),
        row(2, 5, 2.0, 20),
        row(3, 5, 3.0, 30, vwap=None),
        row(4, 5, 4.0, 40),
    ]
    rows += [row(5, 7, 1.0, 50, vwap=1.5), row(6, 7, 2.0, 60, vwap=1.5)]
    past, now = versions(*rows)
    assert past == [(1.0, 10, 20), (1.0, 50, 60), (2.0, 20, 30), (3.0, 30, 40)]
    assert now == ([4.0, 2.0], [40, 60])


def test_a_part_has_the_rows_of_its_range():
    rows = [row(n, date, float(n), 10 * n) for n, date in enumerate((5, 7, 5, 7, 5, 7), 1)]
    found = unflushed(Pending(rows, [FILE]), (), None)
    assert found.dates() == [5, 7]
    part = found.part(7, 9)
    assert [instants_of(each).tolist() for each in part.tables()] == [[7], [7]]
    assert [each.until.runs() for each in part.middle] == [[Run(1, 60)]]


def test_rows_that_partitions_know_are_none():
    known = [(JANUARY, Metadata(3, "A", "1d", [], flushed={FILE: 1}))]
    assert unflushed(Pending([row(1, 5, 1.0, 10)], [FILE]), known, None) == Unflushed()
    assert unflushed(Pending([], [FILE]), known, None) == Unflushed()
