"""When the rows of a partition were recorded: runs of rows that share an instant.

A row that was new in the write that made its partition was recorded at the partition's generation.
The others are listed in a *block* of bytes between the last column and the metadata, so a partition
without older rows has none. An entry of the block stands for a run of rows:

    number     twice the signed difference, plus 1 if a count follows
    count      how many rows; absent if it is one

The signed difference (as zigzag: 2d, or -2d - 1 if d < 0) is from the run's instant to that of the
next run, and from that of the last run to the generation. Numbers are LEB128, as in Protocol
Buffers. The rows behind the last entry were recorded at the generation. So an append keeps the
bytes of the block and adds one entry: 6 bytes for a bar that is appended alone each day.

The instant 0 stands for rows that were recorded before partitions had a generation.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.table import number_column

NOW = -1
"""The instant of the write that is being made, which is not known yet."""
COLUMN = "\x01recorded"
_RUNS = pa.run_end_encoded(pa.int32(), pa.int64())
_VARINT = re.compile(rb"[\x80-\xff]*[\x00-\x7f]")


class Run(NamedTuple):
    """Rows that follow each other and were recorded at one instant."""

    rows: int
    at: int


class _Read(NamedTuple):
    """What a partition says of its rows: their number, its block and its generation."""

    rows: int
    block: bytes
    generation: int


class Recorded:
    """When the rows of a table were recorded, in order. Immutable.

    They are kept as runs or, so that an append decodes nothing, as what a partition says of its
    rows, and a number of new rows after these.
    """

    __slots__ = ("_ends", "_in_block", "_new", "_read", "_runs", "rows")

    def __init__(self, rows: int, block: bytes = b"", generation: int = NOW) -> None:
        """Take the rows of a partition, or new ones."""
        self.rows = rows
        is_new = generation == NOW
        self._read = _Read(0 if is_new else rows, block, generation)
        self._new = rows if is_new else 0
        self._in_block: int | None = None if block else 0
        self._runs: list[Run] | None = None if block else _merged([Run(rows, generation)])
        self._ends: list[int] | None = None

    @classmethod
    def of(cls, runs: Iterable[Run]) -> Recorded:
        """Return rows with some runs."""
        made = cls(0)
        made._runs = _merged(runs)
        made.rows = made._new = sum(run.rows for run in made._runs)
        return made

    @classmethod
    def from_column(cls, column: pa.ChunkedArray) -> Recorded:
        """Return rows whose instants are the values of a column."""
        if not len(column):
            return cls(0)
        runs = pc.run_end_encode(column.combine_chunks())
        ends, instants = runs.run_ends.to_pylist(), runs.values.to_pylist()
        return cls.of(
            Run(end - start, at) for start, end, at in zip([0, *ends], ends, instants, strict=False)
        )

    def runs(self) -> Sequence[Run]:
        """Return the runs in the order of the rows; neighbours differ in their instants."""
        if self._runs is None:
            self._runs = _merged([*_decoded_before(self._read), Run(self._new, NOW)])
        return self._runs

    def between(self, start: int, stop: int) -> list[int]:
        """Return the instants of the rows from `start` to `stop`, without that one."""
        runs = self.runs()
        if self._ends is None:
            self._ends = list(accumulate(run.rows for run in runs))
        return [runs[bisect_right(self._ends, row)].at for row in range(start, stop)]

    def column(self) -> pa.Array:
        """Return the instant of each row."""
        known = self.runs()
        if not known:
            return pa.nulls(0, pa.int64())
        ends = number_column(accumulate(run.rows for run in known), pa.int32(), "i")
        instants = number_column([run.at for run in known], pa.int64(), "q")
        # `RunEndEncodedArray.from_arrays` imports pandas, as `EMPTY` says.
        runs = pa.Array.from_buffers(_RUNS, ends[-1].as_py(), [None], children=[ends, instants])
        return pc.run_end_decode(runs)

    def part(self, start: int, stop: int) -> Recorded:
        """Return the rows from `start` to `stop`, without that one."""
        if start <= 0 and stop >= self.rows:
            return self
        found, at = list[Run](), 0
        for rows, instant in self.runs():
            found.append(Run(max(0, min(at + rows, stop) - max(at, start)), instant))
            at += rows
        return Recorded.of(found)

    def then(self, other: Recorded) -> Recorded:
        """Return these rows, followed by others."""
        if not self._read.rows or other.runs() != [Run(other.rows, NOW)]:
            return Recorded.of([*self.runs(), *other.runs()])
        made = Recorded(*self._read)
        made.rows, made._in_block, made._runs = self.rows + other.rows, self._in_block, None
        made._new = self._new + other.rows
        return made

    def newest(self) -> int:
        """Return an instant that none of the rows was recorded after."""
        return (
            self._read.generation
            if self._read.rows
            else max((run.at for run in self.runs()), default=NOW)
        )

    def at(self, instant: int) -> Recorded:
        """Return the rows with an instant in the place of that of the write."""
        return Recorded.of(Run(rows, instant if at == NOW else at) for rows, at in self.runs())

    def block(self, generation: int) -> bytes:
        """Return the block of a partition of this generation, as `written` does."""
        return self.written(generation)[0]

    def written(self, generation: int) -> tuple[bytes, Recorded]:
        """Return the block of a partition of this generation, empty if it needs none.

        Also return what will be read back. The generation is above that of the partition that rows
        were read from.
        """
        known = self._read.rows
        if known:
            rest = known - self._rows_in_block()
            block = self._read.block + _entry(rest, generation - self._read.generation)
        else:
            runs = self._runs if self._runs == [Run(self.rows, NOW)] else self.at(generation).runs()
            listed = runs[:-1] if runs and runs[-1].at in (NOW, generation) else runs
            known = sum(run.rows for run in listed)
            block = _encoded(runs, listed, generation)
        made = Recorded(self.rows, block, generation)
        made._in_block = known
        return block, made

    def _rows_in_block(self) -> int:
        """Return how many rows the entries of the block stand for."""
        if self._in_block is None:
            self._in_block = sum(rows for rows, _ in _entries(self._read.block))
        return self._in_block


def _merged(runs: Iterable[Run]) -> list[Run]:
    """Return runs without empty ones, neighbours of one instant as one."""
    found: list[Run] = []
    for rows, at in runs:
        if rows and found and found[-1].at == at:
            found[-1] = Run(found[-1].rows + rows, at)
        elif rows:
            found.append(Run(rows, at))
    return found


def _encoded(runs: Sequence[Run], listed: Sequence[Run], generation: int) -> bytes:
    """Return the entries of the first of some runs."""
    nexts = [*(run.at for run in runs[1:]), generation]
    return b"".join(
        _entry(rows, next_ - at) for (rows, at), next_ in zip(listed, nexts, strict=False)
    )


def _decoded(read: _Read) -> list[Run]:
    """Return the runs of a partition. Raises `ValueError` if its block does not fit its rows."""
    runs, at = list[Run](), read.generation
    entries = list(_entries(read.block))
    rest = read.rows - sum(rows for rows, _ in entries)
    if rest < 0:
        raise ValueError("it says of more bars than it has when they were recorded")
    for rows, difference in reversed(entries):
        at -= difference
        runs.append(Run(rows, at))
    return [*reversed(runs), Run(rest, read.generation)]


_decoded_before = lru_cache(maxsize=256)(_decoded)  # views look at the same partitions


def _entry(rows: int, difference: int) -> bytes:
    signed = 2 * difference if difference >= 0 else -2 * difference - 1
    return _varint(2 * signed) if rows == 1 else _varint(2 * signed + 1) + _varint(rows)


def _entries(block: bytes) -> Iterator[tuple[int, int]]:
    """Yield rows and difference of each entry."""
    numbers = iter(_VARINT.findall(block))
    for each in numbers:
        number = _number(each)
        signed = number >> 2 if number & 2 == 0 else -(number >> 2) - 1
        yield (_number(next(numbers, b"")) if number & 1 else 1), signed


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _number(varint: bytes) -> int:
    number = 0
    for byte in reversed(varint):
        number = number << 7 | byte & 0x7F
    return number
