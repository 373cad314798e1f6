"""Versions of bars: what a write replaces, and when each bar was recorded.

A write of a bar that equals the stored one bit for bit, further columns included, is no version of
it: the bar keeps the instant at which it was recorded first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.table import EMPTY, SERIES, instants_of, values
from storecore.values.times import EARLIEST, LATEST
from storecore_file.bars.kinds import as_text, joined, upserted
from storecore_file.bars.recorded import COLUMN, NOW, Recorded

_NUMBERS = {pa.int64(), pa.float64()}
_NOT_COMPARED = {"date", COLUMN}
_COMPARED = SERIES.names[1:]
_FEW = 64  # rows, which are compared sooner than Arrow is asked to


class Dated(NamedTuple):
    """Bars of a series, one a date and in order of time, and when they were recorded."""

    bars: pa.Table
    recorded: Recorded

    @classmethod
    def now(cls, bars: pa.Table) -> Dated:
        """Return bars that are new in the write that is being made."""
        return cls(bars, Recorded(len(bars)))

    @classmethod
    def of(cls, table: pa.Table) -> Dated:
        """Return a table whose column `COLUMN` says when its bars were recorded."""
        return cls(table.drop_columns([COLUMN]), Recorded.from_column(table[COLUMN]))

    def table(self) -> pa.Table:
        """Return the bars as a table for `of`."""
        return self.bars.append_column(COLUMN, self.recorded.column())

    def part(self, start: int, stop: int) -> Dated:
        """Return the bars from row `start` to row `stop`, without that one."""
        if start == 0 and stop >= self.recorded.rows:
            return self
        return Dated(self.bars.slice(start, stop - start), self.recorded.part(start, stop))

    def recorded_at(self, date: int) -> int:
        """Return when the bar of a date was recorded, 0 if there is none."""
        dates = instants_of(self.bars)
        row = bisect_left(dates, date)
        if row == len(dates) or dates[row] != date:
            return 0
        return self.recorded.between(row, row + 1)[0]

    def between(self, first: int, last: int) -> Dated:
        """Return the bars from instant `first` to `last`, both included."""
        dates = instants_of(self.bars)
        start, stop = bisect_left(dates, first), bisect_right(dates, last)
        return self.part(start, max(start, stop))


NOTHING = Dated(EMPTY, Recorded(0))


class Replaced(NamedTuple):
    """Bars that were replaced or deleted, and when."""

    old: Dated
    until: Recorded

    def between(self, first: int, last: int) -> Replaced:
        """Return those of the bars from instant `first` to `last`, both included."""
        dates = instants_of(self.old.bars)
        start, stop = bisect_left(dates, first), bisect_right(dates, last)
        return Replaced(self.old.part(start, stop), self.until.part(start, stop))

    def newest(self) -> int:
        """Return the last instant of all."""
        return max(self.old.recorded.newest(), self.until.newest())


NONE_REPLACED = Replaced(NOTHING, Recorded(0))


class Merged(NamedTuple):
    """The bars of a partition after a write, and the versions that it has replaced."""

    bars: Dated
    replaced: tuple[Replaced, ...] = ()
    changed: bool = False

    def upserted(self, new: Dated, until: Recorded | None = None) -> Merged:
        """Return the bars with those of `new`, which replace others of the same date.

        `until` says when each of them has replaced an older one, if not when it was recorded: then
        none equals the older one.
        """
        if not len(new.bars):
            return self
        old, dates = self.bars, instants_of(new.bars)
        if not len(old.bars) or instants_of(old.bars)[-1] < dates[0]:
            return self._replace(bars=concatenated([old, new]), changed=True)
        before = old.between(EARLIEST, dates[0] - 1)
        within = old.between(dates[0], dates[-1])
        after = old.part(before.recorded.rows + within.recorded.rows, len(old.bars))
        if not len(within.bars):
            return self._replace(bars=concatenated([before, new, after]), changed=True)
        if instants_of(within.bars) == dates:
            equal = 0 if until is not None else _equal_number(within.bars, new.bars)
            if equal == len(dates):
                return self
            if not equal:
                replaced = Replaced(within, new.recorded if until is None else until)
                bars = concatenated([before, new, after])
                return Merged(bars, (*self.replaced, replaced), True)
        change = _change(within.table(), new.table(), until)
        if not len(change.new):
            return self
        middle = Dated.of(upserted(within.table(), change.new))
        return Merged(
            concatenated([before, middle, after]), (*self.replaced, *change.replaced), True
        )

    def without(self, first: int, last: int) -> Merged:
        """Return the bars without those of a range, which are deleted."""
        kept = [self.bars.between(EARLIEST, first - 1), self.bars.between(last + 1, LATEST)]
        deleted = self.bars.between(first, last)
        if not len(deleted.bars):
            return self
        gone = Replaced(deleted, Recorded(len(deleted.bars)))
        return Merged(concatenated(kept), (*self.replaced, gone), True)

    def exactly(self, new: pa.Table) -> Merged:
        """Return just the bars of `new`: others are deleted."""
        old = self.bars.table()
        kept = _is_in(old["date"], new["date"])
        change = _change(old.filter(kept), Dated.now(new).table(), None)
        same = old.filter(_is_in(old["date"], change.same))
        place = pc.index_in(new["date"], value_set=same["date"].combine_chunks())
        instants = pc.fill_null(same[COLUMN].take(place), NOW)
        deleted = Dated.of(old.filter(pc.invert(kept)))
        gone = (Replaced(deleted, Recorded(len(deleted.bars))),) if len(deleted.bars) else ()
        bars = Dated(new, Recorded.from_column(instants))
        return Merged(bars, (*self.replaced, *change.replaced, *gone), True)


class _Change(NamedTuple):
    """What of new bars differs from old ones, as tables, and the dates of those that are equal."""

    new: pa.Table
    replaced: tuple[Replaced, ...]
    same: pa.Array


def _change(old: pa.Table, new: pa.Table, until: Recorded | None) -> _Change:
    """Compare new bars with old ones, as tables for `Dated.of`."""
    place = pc.index_in(old["date"], value_set=new["date"].combine_chunks())
    found = old.filter(pc.is_valid(place))
    if not len(found):
        return _Change(new, (), found["date"].combine_chunks())
    rows = place.drop_null()
    beside = new.take(rows)
    ends = beside[COLUMN]
    if until is None:
        differ = pc.invert(equal_rows(found, beside))
    else:
        differ, ends = pc.is_null(pa.nulls(len(found))), until.column().take(rows)
    same = found["date"].filter(pc.invert(differ)).combine_chunks()
    changed = new.filter(pc.invert(_is_in(new["date"], same))) if len(same) else new
    if len(same) == len(found):
        return _Change(changed, (), same)
    ends = Recorded.from_column(pa.chunked_array(ends.filter(differ)))
    return _Change(changed, (Replaced(Dated.of(found.filter(differ)), ends),), same)


def _equal_number(one: pa.Table, other: pa.Table) -> int:
    """Return in how many rows two tables of as many rows are equal, bit for bit."""
    if len(one) > _FEW or not (_is_plain(one) and _is_plain(other)):
        found: int = pc.sum(equal_rows(one, other)).as_py()
        return found
    columns = [[values(table[name], "q") for name in _COMPARED] for table in (one, other)]
    rows = (zip(*each, strict=True) for each in columns)
    return sum(own == given for own, given in zip(*rows, strict=True))


def _is_plain(table: pa.Table) -> bool:
    """Return whether a table has the seven columns only, and no null: then it is quick to read."""
    return table.num_columns == len(SERIES) and not table["volume"].null_count


def equal_rows(one: pa.Table, other: pa.Table) -> pa.ChunkedArray | pa.Array:
    """Return for each row whether two tables of as many rows are equal there, bit for bit."""
    equal = pc.is_null(pa.nulls(len(one)))
    for name in {*one.column_names, *other.column_names} - _NOT_COMPARED:
        equal = pc.and_(equal, _equal(_column(one, name), _column(other, name)))
    return equal


def _column(table: pa.Table, name: str) -> pa.Array | None:
    return table[name].combine_chunks() if name in table.column_names else None


def _equal(one: pa.Array | None, other: pa.Array | None) -> pa.Array:
    if one is None or other is None:
        given = other if one is None else one
        return pc.is_null(given)
    if one.type != other.type:
        if {one.type, other.type} <= _NUMBERS:
            one, other = (pc.cast(each, pa.float64(), safe=False) for each in (one, other))
        else:  # of different states of the store: they are read as text
            one, other = as_text(one), as_text(other)
    if one.type == pa.float64():
        one, other = one.view(pa.int64()), other.view(pa.int64())
    equal = pc.equal(one, other)
    if not equal.null_count:
        return equal
    both_null = pc.and_(pc.is_null(one), pc.is_null(other))
    return pc.or_(pc.fill_null(equal, False), both_null)


def concatenated(parts: Iterable[Dated]) -> Dated:
    """Return bars that follow each other in time as one table."""
    given = [each for each in parts if len(each.bars)]
    if not given:
        return NOTHING
    bars = joined(each.bars for each in given)
    if len(given) > 2:
        runs = (run for each in given for run in each.recorded.runs())
        return Dated(bars, Recorded.of(runs))
    recorded = given[0].recorded
    return Dated(bars, recorded.then(given[1].recorded) if len(given) == 2 else recorded)


def _is_in(dates: pa.ChunkedArray, of: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray:
    return pc.is_in(dates, of.combine_chunks() if isinstance(of, pa.ChunkedArray) else of)
