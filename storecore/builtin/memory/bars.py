"""The collection of bars of a store in memory.

It holds a `Series` for each symbol and timeframe, and replaces those of a write in one step, so a
reader needs no lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from typing import TYPE_CHECKING

from storecore.bars.rows import BarColumns
from storecore.builtin.memory.clock import MemoryClock
from storecore.builtin.memory.series import NO_BARS, Row, Series
from storecore.knowledge.versions import Unreplaced, Versions, columns_of
from storecore.reports import Coverage, SeriesCoverage
from storecore.store.collections import BarCollection
from storecore.values.times import EVER, TimeRange, to_datetime

if TYPE_CHECKING:
    import pyarrow as pa

    from storecore.bars.groups import Grouped

Key = tuple[str, str]
"""Symbol and timeframe."""


class MemoryBars(BarCollection):
    """The bars of each series, sorted when they are read.

    A write replaces the `Series`, so a reader sees all of a write or nothing.
    """

    keeps_extra = True

    def __init__(self, clock: MemoryClock) -> None:
        self._clock = clock
        self.by_series: dict[Key, Series] = {}

    def write(self, symbol: str, timeframe: str, columns: BarColumns) -> None:
        """Insert or replace bars by date."""
        self._update({(symbol, timeframe): columns} if columns.date else {})

    def write_many(self, timeframe: str, batch: Grouped) -> None:
        """Insert or replace the bars of several symbols, all of them at once."""
        self._update({(symbol, timeframe): table for symbol, table in batch.series()})

    def replace(self, timeframe: str, batch: Grouped) -> None:
        """Replace whole series, all of them at once."""
        given = {(symbol, timeframe): table for symbol, table in batch.series()}
        with self._clock.lock:
            now = self._clock.tick()
            known = {key: self.by_series.get(key, NO_BARS) for key in given}
            new = {
                key: NO_BARS.after(key[0], each, _rows(each, now)) for key, each in given.items()
            }
            self._publish({key: (known[key], new[key], known[key].rows) for key in given}, now)

    def _update(self, given: Mapping[Key, BarColumns | pa.Table]) -> None:
        with self._clock.lock:
            now = self._clock.tick()
            writes = {}
            for key, bars in given.items():
                known, rows = self.by_series.get(key, NO_BARS), _rows(bars, now)
                after = known.after(key[0], bars, rows)
                writes[key] = known, after, known.rows.keys() & rows.keys()
            self._publish(writes, now)

    def _publish(
        self, writes: Mapping[Key, tuple[Series, Series, Iterable[int]]], now: int
    ) -> None:
        """Make series visible, given the old one, the new one and what may differ in them."""
        keeps = self._clock.keeps()
        followed = {
            key: old.followed_by(new, changed, now, keeps=keeps)
            for key, (old, new, changed) in writes.items()
        }
        if not keeps and any(is_replaced for _, is_replaced in followed.values()):
            self._clock.prune_to(now)
        self.by_series.update({key: each for key, (each, _) in followed.items()})

    def read(self, symbol: str, timeframe: str, span: TimeRange) -> BarColumns:
        """Return the bars of a range, sorted by date."""
        return self.by_series.get((symbol, timeframe), NO_BARS).within(span)[0]

    def versions(self, symbol: str, timeframe: str, span: TimeRange) -> Versions:
        """Return the versions of the bars of a range."""
        return self.by_series.get((symbol, timeframe), NO_BARS).versions(span)

    def corrected(self, since: int) -> list[tuple[str, str, TimeRange]]:
        """Return each series with versions that were replaced at or after an instant."""
        return [
            (*key, EVER)
            for key, series in self._known().items()
            if any(each[-1][-1] >= since for each in series.past.values())
        ]

    def prune(self, before: int) -> int:
        """Remove the versions that were replaced at or before an instant."""
        with self._clock.lock:
            kept = {key: series.pruned(before) for key, series in self.by_series.items()}
            number = _versions(self.by_series) - _versions(kept)
            self.by_series = {key: each for key, each in kept.items() if each.rows or each.past}
            return number

    def restore(self, symbol: str, timeframe: str, versions: Versions) -> None:
        """Take in versions of another store."""
        with self._clock.lock:
            key = symbol, timeframe
            series = self.by_series.get(key, NO_BARS).restored(symbol, versions)
            self.by_series[key] = series

    def unreplaced(self, symbol: str, timeframe: str, span: TimeRange) -> Unreplaced | None:
        """Return the bars of a range, if none of them was replaced."""
        import pyarrow as pa

        from storecore.bars.table import as_table

        series = self.by_series.get((symbol, timeframe), NO_BARS)
        if any(span.first <= at <= span.last for at in series.past):
            return None
        bars, recorded = series.within(span)
        return Unreplaced(as_table(bars), pa.array(recorded, pa.int64()))

    def coverage(self, symbol: str, timeframe: str) -> Coverage:
        """Return the first and last date and the number of bars of a series."""
        rows = self.by_series.get((symbol, timeframe), NO_BARS).rows
        if not rows:
            return Coverage(None, None, 0)
        first, last = (to_datetime(at, aware=True) for at in (min(rows), max(rows)))
        return Coverage(first, last, len(rows))

    def restore_unreplaced(self, symbol: str, timeframe: str, given: Unreplaced) -> None:
        """Take in bars of another store into a range without versions."""
        columns = columns_of(given.bars)
        rows = zip(*columns, given.recorded.to_pylist(), strict=True)
        new = dict(zip(columns.date, rows, strict=True))
        key = symbol, timeframe
        with self._clock.lock:
            known = self.by_series.get(key, NO_BARS)
            if not new.keys().isdisjoint({*known.rows, *known.past}):  # another writer's
                return self.restore(symbol, timeframe, given.versions())
            after = known.after(symbol, given.bars, new)
            self.by_series[key] = after._replace(past=known.past)
        return None

    def extra_kinds(self, symbol: str, timeframe: str) -> dict[str, str]:
        """Return the further columns of a series and their types."""
        return self.by_series.get((symbol, timeframe), NO_BARS).kinds

    def delete(self, symbol: str, timeframe: str, span: TimeRange) -> int:
        """Remove the bars of a range; return their number."""
        key = symbol, timeframe
        with self._clock.lock:
            series = self.by_series.get(key, NO_BARS)
            gone = [at for at in series.rows if span.first <= at <= span.last]
            if gone:
                self._publish({key: (series, series.without(set(gone)), gone)}, self._clock.tick())
                if not any(self.by_series[key][::3]):  # neither bars nor a past
                    del self.by_series[key]
        return len(gone)

    def series(self) -> list[Key]:
        """Return symbol and timeframe of each series."""
        return [key for key, each in self._known().items() if each.rows]

    def _known(self) -> dict[Key, Series]:
        """Return the series of now: other threads may add some, and only a copy is one step."""
        return dict(self.by_series)

    def inventory(self) -> Iterator[SeriesCoverage]:
        """Yield the extent of each series."""
        for (symbol, timeframe), (rows, *_) in self._known().items():
            if rows:
                first, last = (to_datetime(at, aware=True) for at in (min(rows), max(rows)))
                yield SeriesCoverage(symbol, timeframe, first, last, len(rows))

    def renamed(self, old: str, new: str, now: int) -> dict[Key, Series]:
        """Return the series under their symbols after a renaming. Call it under the lock."""
        by_series, keeps = dict(self.by_series), self._clock.keeps()
        for key, series in self.by_series.items():
            if key[0] == old and series.rows:
                moved = new, key[1]
                by_series[key], _ = series.followed_by(NO_BARS, series.rows, now, keeps=keeps)
                rows = {at: (*row[:-1], now) for at, row in series.rows.items()}
                by_series[moved] = by_series.get(moved, NO_BARS)._replace(
                    rows=rows, extra=series.extra, kinds=series.kinds
                )
        return by_series


def _rows(bars: BarColumns | pa.Table, now: int) -> dict[int, Row]:
    """Return the numbers of bars by instant, each with the instant of recording at its end."""
    if not isinstance(bars, BarColumns):
        from storecore.bars.table import as_columns

        bars = as_columns(bars)
    rows = zip(*bars, repeat(now, len(bars.date)), strict=True)
    return dict(zip(bars.date, rows, strict=True))


def _versions(by_series: Mapping[Key, Series]) -> int:
    return sum(len(each) for series in by_series.values() for each in series.past.values())
