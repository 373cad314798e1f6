"""The bars of one series in memory and what was replaced of them, as one value.

It knows no clock and no lock: each write, deletion or restoration makes another `Series`, which the
collection publishes and nobody changes from then on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from storecore.bars.extra_values import Extra, as_floats
from storecore.bars.rows import BarColumns
from storecore.knowledge.versions import Versions, columns_of
from storecore.values.times import EARLIEST, TimeRange

if TYPE_CHECKING:
    import pyarrow as pa


Row = tuple[Any, ...]
"""A bar: its numbers, and the instant at which it was recorded."""

Past = tuple[Row, Extra | None, int]
"""A bar that was replaced: its row, its further columns, the instant at which it was replaced."""


class Series(NamedTuple):
    """The bars of one series: their numbers and further columns by instant.

    The last number of a row is the instant at which it was recorded. `kinds` has the type of each
    further column, also of one that is null in all bars. `past` has the replaced versions of each
    instant, the oldest first. A series without rows has only a past.
    """

    rows: dict[int, Row]
    extra: dict[int, Extra]
    kinds: dict[str, str]
    past: Mapping[int, tuple[Past, ...]] = MappingProxyType({})

    def after(self, symbol: str, bars: BarColumns | pa.Table, new: dict[int, Row]) -> Series:
        """Return the series after a write of bars, whose numbers are `new`, without its past."""
        seven = bars.extra is None if isinstance(bars, BarColumns) else bars.num_columns == 6
        if seven and not self.kinds:
            return Series(self.rows | new, self.extra, self.kinds)
        from storecore.bars.extra import agreed
        from storecore.bars.table import as_table, bar_columns_of

        kinds, table = agreed(self.kinds, as_table(bars), self._stored, symbol)
        widened = {name for name, kind in self.kinds.items() if kinds[name] != kind}
        extra = {at: as_floats(each, widened) for at, each in self.extra.items() if at not in new}
        given = bar_columns_of(table).extra or ()
        extra.update({at: each for at, each in zip(new, given, strict=False) if each})
        return Series(self.rows | new, extra, kinds)

    def followed_by(
        self, new: Series, changed: Iterable[int], now: int, *, keeps: bool
    ) -> tuple[Series, bool]:
        """Return what this series becomes with the bars of `new`, and whether one was replaced.

        `changed` are the instants of this series' bars that may differ. A bar that equals the old
        one keeps its version; the old one of any other becomes a part of the past, if that is kept.
        """
        (rows, extra, _, past), (new_rows, new_extra, *_) = self, new
        gone: dict[int, tuple[Past, ...]] = {}
        for at in changed:
            old, row = rows[at], new_rows.get(at)
            if (
                row is not None
                and old[:-1] == row[:-1]
                and _has_same_bits(old, row)
                and _is_same_extra(extra.get(at), new_extra.get(at))
            ):
                new_rows[at] = old
            else:
                gone[at] = (*past.get(at, ()), (old, extra.get(at), now))
        past = {**self.past, **gone} if gone and keeps else self.past
        return new._replace(past=past), bool(gone)

    def within(self, span: TimeRange) -> tuple[BarColumns, list[int | None]]:
        """Return the bars of a range, sorted by date, and when they were recorded."""
        kept, (first, last) = self.rows, span[:2]
        within = sorted(at for at in kept if first <= at <= last)
        rows = [kept[at] for at in (within[-span.newest :] if span.newest else within)]
        if not rows:
            return BarColumns.none(), []
        *columns, recorded = map(list, zip(*rows, strict=True))
        extra = list(map(self.extra.get, columns[0])) if self.extra else None
        return BarColumns.of(columns, extra), recorded

    def versions(self, span: TimeRange) -> Versions:
        """Return the versions of a range, by date, then by time of recording."""
        dates = sorted(at for at in {*self.rows, *self.past} if span.first <= at <= span.last)
        found = [each for at in dates for each in self._versions_at(at)]
        if not found:
            return Versions(BarColumns.none(), [], [])
        columns: list[Any] = list(map(list, zip(*(row for row, *_ in found), strict=True)))
        recorded = columns.pop()
        extra = _of_one_type([extra for _, extra, _ in found])
        replaced = [each for *_, each in found]
        return Versions(BarColumns.of(columns, extra if any(extra) else None), recorded, replaced)

    def _versions_at(self, at: int) -> list[tuple[Row, Extra | None, int | None]]:
        row = self.rows.get(at)
        now = [] if row is None else [(row, self.extra.get(at), None)]
        return [*self.past.get(at, ()), *now]

    def restored(self, symbol: str, given: Versions) -> Series:
        """Return the series with versions of another store, some of which it may have."""
        bars, recorded, replaced = columns_of(given.bars), given.recorded, given.replaced
        extra = bars.extra or [None] * len(bars.date)
        found: dict[int, dict[int | None, tuple[Row, Extra | None, int | None]]] = {}
        for *numbers, further, began, ended in zip(*bars, extra, recorded, replaced, strict=True):
            at = numbers[0]
            held = found.setdefault(at, {each[0][-1]: each for each in self._versions_at(at)})
            held[began] = (*numbers, began), further, ended
        ordered = {at: sorted(each.values(), key=_began) for at, each in found.items()}
        present = [each[-1] for at, each in sorted(ordered.items()) if each[-1][2] is None]
        past = {
            at: gone
            for at, each in ordered.items()
            if (gone := tuple((row, extra, end) for row, extra, end in each if end is not None))
        }
        return self._with_present(symbol, present, found)._replace(past={**self.past, **past})

    def _with_present(
        self, symbol: str, present: Sequence[tuple[Row, Extra | None, Any]], dates: Iterable[int]
    ) -> Series:
        """Return the series with the present bars of some dates, which have no others."""
        new = {row[0]: row for row, *_ in present}
        after = self
        if present:
            *columns, _ = map(list, zip(*new.values(), strict=True))
            extra = [each for _, each, _ in present]
            bars = BarColumns.of(columns, extra if any(extra) else None)
            after = self.after(symbol, bars, new)
        gone = {*dates} - new.keys()
        rows = {at: row for at, row in after.rows.items() if at not in gone}
        return after._replace(
            rows=rows, extra={at: e for at, e in after.extra.items() if at in rows}
        )

    def pruned(self, before: int) -> Series:
        """Return the series without the versions that were replaced at or before an instant."""
        past = {
            at: kept
            for at, each in self.past.items()
            if (kept := tuple(one for one in each if one[-1] > before))
        }
        return self._replace(past=past)

    def without(self, gone: set[int]) -> Series:
        """Return the series without the bars at some instants, without its past."""
        rows = {at: row for at, row in self.rows.items() if at not in gone}
        extra = {at: each for at, each in self.extra.items() if at in rows}
        return Series(rows, extra, self.kinds if rows else {})

    def _stored(self, column: str) -> list[pa.Array]:
        import pyarrow as pa

        values = [each[column] for each in self.extra.values() if column in each]
        return [pa.array(values, pa.int64())]


NO_BARS = Series({}, {}, {})


def _began(version: tuple[Row, Any, Any]) -> int:
    """Return when a version of a bar was recorded; before all others, if that is not known."""
    at: int | None = version[0][-1]
    return EARLIEST if at is None else at


def _has_same_bits(old: Row, new: Row) -> bool:
    """Return whether two rows with equal prices have the same bits (law B5)."""
    return 0.0 not in old or _bits(*old[1:5]) == _bits(*new[1:5])


def _is_same_extra(extra: Extra | None, other: Extra | None) -> bool:
    """Return whether the further columns of two bars are equal bit for bit (law B6)."""
    if extra is None or other is None:
        return extra is other
    return extra.keys() == other.keys() and all(
        _is_same_value(value, other[name]) for name, value in extra.items()
    )


def _is_same_value(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return _bits(one) == _bits(other)
    return bool(one == other)


def _bits(*floats: float) -> bytes:
    return struct.pack(f"{len(floats)}d", *floats)


def _of_one_type(extra: list[Extra | None]) -> list[Extra | None]:
    """Return further columns with floats in each column that has a float in any row."""
    kinds = {(name, type(value)) for each in extra if each for name, value in each.items()}
    mixed = {name for name, kind in kinds if kind is float and (name, int) in kinds}
    return [each and as_floats(each, mixed) for each in extra] if mixed else extra
