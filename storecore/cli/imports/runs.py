"""Checked bars until all are checked: runs of sorted rows, the first in memory, others on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from storecore.bars.groups import Grouped, grouped

ROWS = 2**19  # of a run
IN_MEMORY = 2  # runs


def have_equal_types(one: pa.Table, other: pa.Table) -> bool:
    """Return whether two tables have the same type in each column that both have."""
    shared = {*one.column_names} & {*other.column_names}
    return all(one.schema.field(name).type == other.schema.field(name).type for name in shared)


class _OnDisk(NamedTuple):
    names: list[str]
    ends: list[int]
    start: int
    size: int


class Runs:
    """Bars in the order in which they were added, in runs that are sorted and unique."""

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []
        self._rows = 0
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
        self._rows += len(table)
        self.given += len(table)
        if self._rows >= ROWS:
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

    def _end_run(self) -> None:
        table = pa.concat_tables(self._tables, promote_options="default")
        self._tables, self._rows = [], 0
        run = grouped(table["symbol"], table.drop_columns("symbol"))
        self._runs.append(run if len(self._runs) < IN_MEMORY else self._stored(run))

    def _stored(self, run: Grouped) -> _OnDisk:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        start = self._file.seek(0, 2)
        with pa.ipc.new_stream(self._file, run.table.schema) as writer:
            writer.write_table(run.table)
        return _OnDisk(run.names, run.ends, start, self._file.tell() - start)

    def _loaded(self, run: Grouped | _OnDisk) -> Grouped:
        if isinstance(run, Grouped):
            return run
        self._file.seek(run.start)
        data = pa.py_buffer(self._file.read(run.size))
        return Grouped(run.names, run.ends, pa.ipc.open_stream(data).read_all())
