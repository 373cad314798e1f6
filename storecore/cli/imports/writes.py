"""Writing of checked bars, batch by batch; what is added, replaced and unchanged is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.groups import Grouped
from storecore.cli.imports.further import Further
from storecore.protocols import DataStore
from storecore.store.frames.silence import silenced
from storecore.store.tables import iter_bar_tables, write_bar_table

BATCH = 2**17  # rows
_KEYS = ["symbol", "date"]


class Counts(NamedTuple):
    """Numbers of bars by what a write did to the store."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0


def total(counts: Iterable[Counts]) -> Counts:
    """Return the sums of what several writes did."""
    return Counts(*map(sum, zip(Counts(), *counts, strict=True)))


def write_runs(
    store: DataStore,
    runs: Iterable[Grouped],
    timeframe: str,
    further: Further,
    advance: Callable[[int], None],
) -> Iterator[Counts]:
    """Write runs batch by batch, and yield the counts of each batch once it is written."""
    for run in runs:
        for table in batches(run):
            table = further.in_types(table)
            counts = _counts(store, table, timeframe)
            if counts.added or counts.replaced:
                with silenced():  # the dates were checked, of all files together
                    write_bar_table(store, table, timeframe=timeframe)
            advance(len(table))
            yield counts


def batches(run: Grouped) -> Iterator[pa.Table]:
    """Yield the rows of a run as tables of some rows, with their symbols."""
    symbols = pa.chunked_array(
        [
            pa.repeat(pa.scalar(name, pa.string()), end - start)
            for name, (start, end) in zip(run.names, pairwise([0, *run.ends]), strict=True)
        ],
        pa.string(),
    )
    table = run.table.add_column(0, "symbol", symbols)
    for start in range(0, len(table), BATCH):
        yield table.slice(start, BATCH)


def _counts(store: DataStore, table: pa.Table, timeframe: str) -> Counts:
    """Return what a table will do to a store."""
    symbols = pc.unique(table["symbol"]).to_pylist()
    bounds = pc.min_max(pc.cast(table["date"], pa.timestamp("us", "UTC"))).as_py()
    replaced = unchanged = 0
    stored = iter_bar_tables(store, symbols, bounds["min"], bounds["max"], timeframe=timeframe)
    for each in stored:
        same, both = _equal_rows(table, each)
        unchanged += same
        replaced += both - same
    return Counts(len(table) - replaced - unchanged, replaced, unchanged)


def _equal_rows(table: pa.Table, stored: pa.Table) -> tuple[int, int]:
    """Return how many rows of a table are stored with equal values, and with any."""
    stored = stored.set_column(
        1, "date", pc.cast(pc.cast(stored["date"], pa.int64()), table["date"].type)
    )
    names = {*table.column_names, *stored.column_names} - {*_KEYS}
    both = table.join(stored, _KEYS, join_type="inner", right_suffix=" stored", use_threads=False)
    same = pa.repeat(True, len(both))
    for name in names:
        one = both[name] if name in table.column_names else None
        kept = f"{name} stored" if one is not None else name
        other = both[kept] if name in stored.column_names else None
        same = pc.and_(same, _are_equal(one, other))
    return pc.sum(same).as_py() or 0, len(both)


def _are_equal(one: pa.ChunkedArray | None, other: pa.ChunkedArray | None) -> pa.ChunkedArray:
    """Return whether values are equal, or both null, or both not a number."""
    if one is None or other is None:
        return pc.is_null(one if other is None else other)
    if one.type != other.type:
        return _are_equal_numbers(one, other)
    both_null = pc.and_(pc.is_null(one, nan_is_null=True), pc.is_null(other, nan_is_null=True))
    return pc.or_(pc.fill_null(pc.equal(one, other), False), both_null)


def _are_equal_numbers(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return whether whole numbers and floats, or what else differs in type, are equal."""
    kinds = (one.type, other.type)
    if {*kinds} != {pa.int64(), pa.float64()}:
        return pc.and_(pc.is_null(one), pc.is_null(other))
    floats, whole = (one, other) if one.type == pa.float64() else (other, one)
    same = _are_equal(floats, pc.cast(whole, pa.float64(), safe=False))
    exact = pc.equal(pc.cast(floats, pa.int64(), safe=False), whole)
    return pc.and_(same, pc.fill_null(exact, True))
