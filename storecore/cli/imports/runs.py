"""Checked bars, held until all are checked: sorted runs, the first in memory, others on disk.

Runs are bounded by their bytes, so that wide rows need no more memory than narrow ones. The dates
of each symbol are read from disk one symbol after another.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.groups import Grouped, grouped

RUN = 2**24  # bytes, about a quarter of a million bars
IN_MEMORY = 2  # runs
_INSTANT = 8  # bytes


def have_equal_types(one: pa.Table, other: pa.Table) -> bool:
    """Return whether two tables have the same type in each column that both have."""
    shared = {*one.column_names} & {*other.column_names}
    return all(one.schema.field(name).type == other.schema.field(name).type for name in shared)


class _OnDisk(NamedTuple):
    """The places of a run in a file: its dates as instants, then its table."""

    names: list[str]
    ends: list[int]
    dates: int
    start: int
    size: int


class Runs:
    """Bars in the order in which they were added, in runs that are sorted and unique."""

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []
        self._bytes = 0
        self._runs: list[Grouped | _OnDisk] = []
        self._file: Any = None
        self.given = 0

    def add(self, table: pa.Table) -> None:
        """Add checked bars."""
        if not len(table):
            return
        if self._tables and not have_equal_types(self._tables[-1], table):
            self._end_run()  # nothing is converted: a whole volume that no float equals stays one
        self._tables.append(table)
        self._bytes += table.nbytes
        self.given += len(table)
        if self._bytes >= RUN:
            self._end_run()

    def finish(self) -> None:
        """End the last run."""
        if self._tables:
            self._end_run()

    def close(self) -> None:
        """Remove the runs on disk."""
        if self._file is not None:
            self._file.close()

    def __iter__(self) -> Iterator[Grouped]:
        return map(self._loaded, self._runs)

    def dates(self) -> Iterator[tuple[str, pa.Array]]:
        """Yield each symbol with its dates as instants, sorted, each once."""
        places: dict[str, list[tuple[Grouped | _OnDisk, int, int]]] = {}
        for run in self._runs:
            for name, (start, end) in zip(run.names, pairwise([0, *run.ends]), strict=True):
                places.setdefault(name, []).append((run, start, end))
        for name, parts in places.items():
            yield name, _in_order(self._gathered(parts))

    def _gathered(self, parts: list[tuple[Grouped | _OnDisk, int, int]]) -> pa.Array:
        """Return the dates of parts of runs, one after another, without another copy."""
        count = sum(end - start for _, start, end in parts)
        data, at = memoryview(bytearray(count * _INSTANT)), 0
        for run, start, end in parts:
            size = (end - start) * _INSTANT
            if isinstance(run, Grouped):
                data[at : at + size] = _instants(run.table.slice(start, end - start))
            else:
                self._file.seek(run.dates + start * _INSTANT)
                self._file.readinto(data[at : at + size])
            at += size
        return pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(data)])

    def _end_run(self) -> None:
        table = pa.concat_tables(self._tables, promote_options="default")
        self._tables, self._bytes = [], 0
        run = grouped(table["symbol"], table.drop_columns("symbol"))
        self._runs.append(run if len(self._runs) < IN_MEMORY else self._stored(run))

    def _stored(self, run: Grouped) -> _OnDisk:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        dates = self._file.seek(0, 2)
        self._file.write(_instants(run.table))
        start = self._file.tell()
        with pa.ipc.new_stream(self._file, run.table.schema) as writer:
            writer.write_table(run.table)
        return _OnDisk(run.names, run.ends, dates, start, self._file.tell() - start)

    def _loaded(self, run: Grouped | _OnDisk) -> Grouped:
        if isinstance(run, Grouped):
            return run
        self._file.seek(run.start)
        data = pa.py_buffer(self._file.read(run.size))
        return Grouped(run.names, run.ends, pa.ipc.open_stream(data).read_all())


def _instants(table: pa.Table) -> memoryview:
    """Return the bytes of the dates of a table."""
    dates = pc.cast(table["date"], pa.int64()).combine_chunks()
    start = dates.offset * _INSTANT
    return memoryview(dates.buffers()[1]).cast("B")[start : start + len(dates) * _INSTANT]


def _in_order(dates: pa.Array) -> pa.Array:
    """Return dates sorted, each once."""
    if pc.all(pc.greater(dates[1:], dates[:-1])).as_py() is not False:
        return dates
    unique = pc.unique(dates)
    return unique.take(pc.sort_indices(unique))
