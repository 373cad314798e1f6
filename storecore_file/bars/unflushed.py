"""The rows of the journal that are in no partition yet, as the versions that they make.

Usually a series has one row for a date. A bar that is rewritten while it forms has many. The first
of them is compared with the bar in the partition, the others with the row before: a row that equals
the version before it makes none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from struct import pack
from typing import Any, NamedTuple

import pyarrow as pa

from storecore.bars.table import instants_of
from storecore.values.times import EARLIEST, LATEST
from storecore_file.bars.journal import Pending
from storecore_file.bars.journal_lines import Row, table_of
from storecore_file.bars.layout import Partition
from storecore_file.bars.partition import Metadata
from storecore_file.bars.recorded import Recorded, Run
from storecore_file.bars.versions import Dated, Merged, Replaced

Known = Sequence[tuple[Partition, Metadata]]
RecordedAt = Callable[[Partition, int], int]
"""When the bar of a date in a partition was recorded, 0 if it has none."""


class Layer(NamedTuple):
    """Bars to upsert into a series, and when each has replaced an older one, if that is known."""

    bars: Dated
    until: Recorded | None = None

    def between(self, first: int, last: int) -> Layer:
        """Return the bars from instant `first` to `last`."""
        if self.until is None:
            return Layer(self.bars.between(first, last))
        return Layer(*Replaced(self.bars, self.until).between(first, last))


class Unflushed(NamedTuple):
    """The rows of a series as layers to upsert one after another.

    `middle` are versions that are neither the first nor the last row of their date.
    """

    layers: tuple[Layer, ...] = ()
    middle: tuple[Replaced, ...] = ()

    def tables(self) -> list[pa.Table]:
        """Return the rows of each layer."""
        return [layer.bars.bars for layer in self.layers]

    def dates(self) -> Sequence[int]:
        """Return the dates of all layers, in order."""
        found = [instants_of(table) for table in self.tables()]
        return found[0] if len(found) == 1 else sorted({date for each in found for date in each})

    def onto(self, merged: Merged) -> Merged:
        """Return bars after these."""
        for layer in self.layers:
            merged = merged.upserted(*layer)
        return merged._replace(replaced=(*merged.replaced, *self.middle))

    def part(self, first: int, last: int) -> Unflushed:
        """Return the rows from instant `first` to `last`."""
        layers = tuple(layer.between(first, last) for layer in self.layers)
        middle = (each.between(first, last) for each in self.middle)
        return Unflushed(layers, tuple(each for each in middle if len(each.old.bars)))


def unflushed(pending: Pending, known: Known, recorded_at: RecordedAt) -> Unflushed:
    """Return the rows of the journal that are in none of the partitions of a series.

    `recorded_at` is asked about partitions that were written after a row.
    """
    if not pending.rows:
        return Unflushed()
    by_date = sorted(_by_date(pending, known).items())
    chains = [_chain(rows, _replaced_at(rows[0], known, recorded_at)) for _, rows in by_date]
    if not chains:
        return Unflushed()
    first = Layer(_dated(chain[0] for chain in chains))
    several = [chain for chain in chains if len(chain) > 1]
    if not several:
        return Unflushed((first,))
    until = Recorded.of(Run(1, chain[1].recorded) for chain in several)
    last = Layer(_dated(chain[-1] for chain in several), until)
    return Unflushed((first, last), tuple(_middle(several)))


def _by_date(pending: Pending, known: Known) -> dict[int, list[Row]]:
    flushed = [(partition, metadata.flushed) for partition, metadata in known]
    found: dict[int, list[Row]] = {}
    for row in pending.counting(flushed, EARLIEST, LATEST):
        found.setdefault(row.values[0], []).append(row)
    return found


def _replaced_at(row: Row, known: Known, recorded_at: RecordedAt) -> int:
    """Return when the bar that a row replaces was recorded, 0 if certainly before the row."""
    date = row.values[0]
    later = [
        partition
        for partition, metadata in known
        if partition.first <= date <= partition.last and metadata.generation >= row.recorded
    ]
    return max((recorded_at(each, date) for each in later), default=0)


def _chain(rows: Sequence[Row], at: int) -> list[Row]:
    """Return the rows of a date that differ from the one before, each recorded after it.

    `at` is when what they replace was recorded.
    """
    chain: list[Row] = []
    for row in rows:
        if not chain or _comparable(chain[-1]) != _comparable(row):
            at = max(row.recorded, at + 1)
            chain.append(row._replace(recorded=at))
    return chain


def _middle(chains: Iterable[Sequence[Row]]) -> Iterable[Replaced]:
    """Yield the rows between the first and the last of their date, those of equal kinds at once."""
    groups: dict[tuple[tuple[str, str], ...], list[tuple[Row, int]]] = {}
    for row, later in (pair for chain in chains for pair in pairwise(chain[1:])):
        groups.setdefault(tuple(row.kinds.items()), []).append((row, later.recorded))
    for group in groups.values():
        until = Recorded.of(Run(1, at) for _, at in group)
        yield Replaced(_dated(row for row, _ in group), until)


def _dated(rows: Iterable[Row]) -> Dated:
    given = list(rows)
    return Dated(table_of(given), Recorded.of(Run(1, row.recorded) for row in given))


def _comparable(row: Row) -> tuple[Any, ...]:
    """Return what two rows have in common if they are equal bit for bit."""
    further = {
        name: _bits(value)
        for name, value in zip(row.kinds, row.further, strict=True)
        if value is not None
    }
    return (*map(_bits, row.values[1:]), further)


def _bits(value: Any) -> Any:
    if isinstance(value, float) or (type(value) is int and float(value) == value):
        return pack("d", value)
    return value
