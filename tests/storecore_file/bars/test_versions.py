"""Versions of bars: what is equal, what is replaced, and when it was recorded."""

import pyarrow as pa
import pytest

from storecore.bars.rows import BarColumns
from storecore.bars.table import EMPTY, instants_of, series_table
from storecore_file.bars.recorded import NOW, Recorded, Run
from storecore_file.bars.versions import NOTHING, Dated, Merged, concatenated, equal_rows

LARGE = 2**53 + 1


def table(dates, closes=None, volumes=None, **further):
    prices = [1.0] * len(dates)
    closes = closes or prices
    found = series_table(
        BarColumns(list(dates), prices, prices, prices, closes, volumes or [7] * len(dates))
    )
    for name, column in further.items():
        found = found.append_column(name, pa.array(column))
    return found


def dated(bars, at):
    return Dated(bars, Recorded.of([Run(len(bars), at)]))


def merged(old, new):
    return Merged(dated(old, 5)).upserted(Dated.now(new))


DIFFERENT = {
    "zeros of two signs": (table([1], [0.0]), table([1], [-0.0])),
    "a volume that no float equals": (table([1], None, [LARGE]), table([1], None, [2**53])),
    "a volume that was not reported": (table([1], None, [None]), table([1])),
    "a further column": (table([1], x=[1.5]), table([1], x=[2.5])),
    "a further column that is gone": (table([1], x=[1.5]), table([1])),
    "kinds of two states": (table([1], x=["a"]), table([1], x=[2.5])),
}
EQUAL = {
    "plain bars": (table([1]), table([1])),
    "volumes that were not reported": (table([1], None, [None]), table([1], None, [None])),
    "a whole number and its float": (table([1], x=[2]), table([1], x=[2.0])),
    "a column that is null": (table([1]), table([1], x=pa.nulls(1, pa.float64()))),
    "NaN": (table([1], x=[float("nan")]), table([1], x=[float("nan")])),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_bars_that_differ_are_versions(name):
    old, new = DIFFERENT[name]
    found = merged(old, new)
    assert (found.changed, found.bars.recorded.runs()) == (True, [Run(1, NOW)])
    assert found.replaced[0].old.recorded.runs() == [Run(1, 5)]


@pytest.mark.parametrize("name", EQUAL)
def test_equal_bars_are_no_versions(name):
    old, new = EQUAL[name]
    found = merged(old, new)
    assert (found.changed, found.replaced) == (False, ())
    assert found.bars.recorded.runs() == [Run(1, 5)]


def test_equal_bars_among_others_are_no_versions():
    found = merged(table([1, 2, 3]), table([1, 3]))
    assert (found.changed, found.replaced) == (False, ())


def test_of_many_bars_each_is_compared():
    dates = range(100)
    closes = [float(date) for date in dates]
    changed = [closes[0] + 1, *closes[1:]]
    found = merged(table(dates, closes), table(dates, changed))
    assert found.bars.recorded.runs() == [Run(1, NOW), Run(99, 5)]
    assert instants_of(found.replaced[0].old.bars).tolist() == [0]
    assert not merged(table(dates, closes), table(dates, closes)).changed


def test_bars_between_others_replace_nothing():
    found = merged(table([1, 9]), table([4, 5]))
    assert instants_of(found.bars.bars).tolist() == [1, 4, 5, 9]
    assert found.bars.recorded.runs() == [Run(1, 5), Run(2, NOW), Run(1, 5)]
    among = merged(table([1, 5, 9]), table([4, 6]))
    assert (instants_of(among.bars.bars).tolist(), among.replaced) == ([1, 4, 5, 6, 9], ())


def test_some_bars_are_new_some_equal_and_some_replaced():
    found = merged(table([1, 2, 3]), table([0, 1, 3], [1.0, 1.0, 8.0]))
    assert instants_of(found.bars.bars).tolist() == [0, 1, 2, 3]
    assert found.bars.recorded.runs() == [Run(1, NOW), Run(2, 5), Run(1, NOW)]
    assert instants_of(found.replaced[0].old.bars).tolist() == [3]


def test_when_a_bar_was_replaced_may_be_given():
    found = Merged(dated(table([1, 2]), 5)).upserted(
        dated(table([0, 2]), 9), Recorded.of([Run(2, 7)])
    )
    assert found.replaced[0].until.runs() == [Run(1, 7)]
    assert found.replaced[0].newest() == 7


def test_exactly_some_bars_keep_equal_ones_and_delete_the_rest():
    found = Merged(dated(table([1, 2, 3]), 5)).exactly(table([2, 3, 4], [1.0, 8.0, 1.0]))
    assert found.bars.recorded.runs() == [Run(1, 5), Run(2, NOW)]
    gone = [instants_of(each.old.bars).tolist() for each in found.replaced]
    assert gone == [[3], [1]]


def test_bars_of_a_range_are_deleted():
    found = Merged(dated(table([1, 2, 3]), 5)).without(2, 2)
    assert instants_of(found.bars.bars).tolist() == [1, 3]
    assert not found.without(7, 9).without(1, 0).replaced[1:]


def test_no_bars_are_nothing():
    assert concatenated([Dated(EMPTY, Recorded(0))]) is NOTHING
    assert Merged(NOTHING).upserted(NOTHING) == Merged(NOTHING)
    assert equal_rows(table([1]), table([1])).to_pylist() == [True]
