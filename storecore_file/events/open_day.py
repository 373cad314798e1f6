"""The log of a day that is still written: its events, selected by its index.

What an index describes is read only if it may answer. What is read is proven line by line, and its
numbers must follow each other.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import accumulate, islice
from typing import NamedTuple

from storecore.errors import CorruptData
from storecore.events import EventQuery, encode_event, event_filter
from storecore.models import Event
from storecore.values.times import EARLIEST, EVER, LATEST, exact_instant, to_datetime
from storecore_file.events.days import Head, Line, decode_head, decode_line, decode_lines, number_of
from storecore_file.events.history import Held
from storecore_file.events.index import BLOCK, Block, known_blocks
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import OpenFile
from storecore_file.fs.logs import last_line_in, line_blocks
from storecore_file.fs.seal import is_sealed

_ALL = EventQuery(EVER)
_GAP = 2**12  # bytes between two lines that are read all the same
_HELD = 2**22  # bytes: the events of a log that is not longer are sorted as they are
_AT_ONCE = 256  # lines that are decoded together
_END = sys.maxsize, datetime.max.replace(tzinfo=UTC)  # behind all steps


class Found(NamedTuple):
    """A line that answers a question: its place in the log, and its head decoded."""

    at: int
    line: bytes
    head: Head


class OpenDay:
    """A log as it was when it was opened; what others append since does not count."""

    def __init__(self, disk: Disk, file: OpenFile) -> None:
        self.path = file.path
        self._file = file
        self._blocks = known_blocks(disk, file) if file.size >= BLOCK else []

    @property
    def first(self) -> int:
        """The number of its first event, 0 if it has none."""
        if self._blocks:
            return self._blocks[0].first
        parts = line_blocks(self._file, is_sealed, 0, self._file.size, _GAP)
        return next((number_of(lines[0], self.path) for _, lines in parts), 0)

    @property
    def last(self) -> int:
        """The number of its last event, 0 if it has none."""
        line = last_line_in(self._file, is_sealed)
        return 0 if line is None else number_of(line, self.path)

    def found(self, query: EventQuery = _ALL, after: int = 0) -> Iterator[Found]:
        """Yield the lines with numbers above `after` whose events a query asks for.

        They are in the order of writing. Raises `CorruptData`.
        """
        is_asked_for = event_filter(query)
        for at, lines, number in self._parts(query, after):
            for line in lines:
                head = decode_head(line, self.path)
                if head.n != number:
                    self._refuse_numbers()
                if number > after and is_asked_for(head):
                    yield Found(at, line, head)
                at, number = at + len(line), number + 1

    def _parts(self, query: EventQuery, after: int) -> Iterator[tuple[int, list[bytes], int]]:
        """Yield the parts of the log that may answer: their offsets, lines and first numbers."""
        end, number = 0, 0
        for block in self._blocks:
            end, number = block.end, block.last + 1
            if block.last > after and block.may_answer(query):
                lines = [
                    line
                    for _, some in line_blocks(self._file, is_sealed, block.start, end)
                    for line in some
                ]
                if len(lines) != number - block.first:
                    self._refuse_numbers()
                yield block.start, lines, block.first
        for at, lines in line_blocks(self._file, is_sealed, end, self._file.size, BLOCK):
            number = number or decode_head(lines[0], self.path).n
            yield at, lines, number
            number += len(lines)

    def _refuse_numbers(self) -> None:
        raise CorruptData(f"{self.path}: lines are missing, doubled or out of order", self.path)

    def rows(self, query: EventQuery = _ALL, after: int = 0) -> Iterator[Held]:
        """Yield the events that a query asks for, in the order of writing."""
        if query[1:] == _ALL[1:] and query.span[:2] == EVER[:2]:
            yield from self._all_rows(after)
            return
        for each in self.found(query, after):
            yield _held(decode_line(each.line, self.path))

    def _all_rows(self, after: int) -> Iterator[Held]:
        for _, lines, number in self._parts(_ALL, after):
            found = decode_lines(lines, self.path)
            if [each.n for each in found] != list(range(number, number + len(found))):
                self._refuse_numbers()
            yield from [_held(each) for each in found if each.n > after]

    def sorted_rows(self, query: EventQuery = _ALL, after: int = 0) -> Iterator[Held]:
        """Yield them by timestamp, then in the order of writing.

        Of a long log a few events are held: those that may come after later lines. If these would
        be many, or it has no index, only the timestamps and places of all are held.
        """
        if self._file.size <= _HELD:
            yield from sorted(self.rows(query, after), key=_time)
        elif not (steps := self._steps()):
            yield from self._rows_by_place(query, after)
        else:
            yield from _in_order(self.rows(query, after), steps)

    def _steps(self) -> list[tuple[int, datetime]]:
        """Return the last number of each block, and the time of the first event behind it.

        `[]` if the events of too many blocks may be later than that.
        """
        earliest = self._earliest_behind()
        behind = list(
            accumulate((each.since for each in self._blocks[:0:-1]), min, initial=earliest)
        )
        late = list[Block]()
        for block, bound in zip(self._blocks, reversed(behind), strict=False):
            late = [each for each in (*late, block) if each.until > bound]
            if sum(each.end - each.start for each in late) > _HELD:
                return []
        numbers = (each.last for each in self._blocks)
        return [
            (number, to_datetime(bound, aware=True))
            for number, bound in zip(numbers, reversed(behind), strict=False)
        ]

    def _earliest_behind(self) -> int:
        """Return the time of the first event behind the blocks, the earliest if they are many."""
        start = self._blocks[-1].end if self._blocks else 0
        if self._file.size - start > _HELD:
            return EARLIEST
        parts = line_blocks(self._file, is_sealed, start, self._file.size)
        heads = (decode_head(line, self.path) for _, lines in parts for line in lines)
        return min((exact_instant(each.timestamp, "timestamp") for each in heads), default=LATEST)

    def _rows_by_place(self, query: EventQuery, after: int) -> Iterator[Held]:
        times, places, sizes = array("q"), array("q"), array("q")
        for at, line, head in self.found(query, after):
            times.append(exact_instant(head.timestamp, "timestamp"))
            places.append(at)
            sizes.append(len(line))
        order = iter(_sorted(times))
        while some := list(islice(order, _AT_ONCE)):
            lines = self._lines([(places[row], sizes[row]) for row in some])
            for row in some:
                yield _held(decode_line(lines[places[row]], self.path))

    def _lines(self, wanted: list[tuple[int, int]]) -> dict[int, bytes]:
        """Return lines by their offsets, given with their sizes; near ones are read together."""
        found: dict[int, bytes] = {}
        run: list[tuple[int, int]] = []
        for at, size in sorted(wanted):
            if run and at > run[-1][0] + run[-1][1] + _GAP:
                found |= self._run(run)
                run = []
            run.append((at, size))
        return found | self._run(run)

    def _run(self, run: Sequence[tuple[int, int]]) -> dict[int, bytes]:
        """Return lines that lie near each other; the last one may lack its newline."""
        start, end = run[0][0], min(run[-1][0] + run[-1][1], self._file.size)
        content = bytearray(end - start)
        self._file.fill(memoryview(content), start)
        return {at: bytes(content[at - start : at - start + size - 1]) + b"\n" for at, size in run}

    def check(self) -> None:
        """Read and decode all of it, without its index. Raises `CorruptData`."""
        self._blocks = []
        for _ in self.rows():
            pass

    def symbols(self, after: int) -> set[str | None]:
        """Return the symbols of the events with numbers above `after`."""
        found = set[str | None]()
        if self._blocks and self._blocks[0].first > after:
            found.update(symbol for block in self._blocks for symbol in block.symbols)
            after = self._blocks[-1].last
        return found | {each.head.symbol for each in self.found(after=after)}

    def digests(self, after: int, through: int) -> tuple[int, array[int]]:
        """Return digests of the events with numbers from `after` + 1 to `through`.

        They come with the number of the first one.
        """
        found, first = array("Q"), 0
        for each in self.rows(after=after):
            if each.place > through:
                break
            first = first or each.place
            found.append(digest_of(each.event))
        return first, found


def _held(line: Line) -> Held:
    return Held(line.event(), line.recorded, None, line.n)


def _time(held: Held) -> datetime:
    return held.event.timestamp


def _in_order(rows: Iterator[Held], steps: list[tuple[int, datetime]]) -> Iterator[Held]:
    """Yield rows by timestamp: at each step those that no row behind it comes before."""
    held, following = list[Held](), iter(steps)
    last, bound = next(following)
    for row in rows:
        if row.place > last:
            held.sort(key=_time)
            done = bisect_right(held, bound, key=_time)
            yield from held[:done]
            del held[:done]
            last, bound = next(following, _END)
        held.append(row)
    held.sort(key=_time)
    yield from held


def digest_of(event: Event) -> int:
    """Return a number that differs for another event."""
    return int.from_bytes(blake2b(encode_event(event), digest_size=8).digest(), "little")


def _sorted(times: array[int]) -> Sequence[int]:
    """Return the rows by their times, those of one time as they are."""
    rows = range(len(times))
    if all(map(int.__le__, times, islice(times, 1, None))):
        return rows
    return sorted(rows, key=times.__getitem__)
