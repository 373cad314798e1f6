"""The index of a day that is still written: what lies where in its log.

    events/.2026-01-05.index     a line for each block of some 128 KiB of the log

A line has the place of a block, the numbers of its events, their first and last timestamp, types
and symbols. A question skips the blocks that cannot answer it. What is behind the last block is
read, so an index may end anywhere: a writer adds to it without a sync, when its log has grown by a
block, and a crash or another release may leave it behind.

It may also be of another log: of one that was cut, sealed, or restored from a backup since. So each
line has the checksum of the last bytes of its block, in which are the number, the instant of
recording and the seal of its last event. A block counts only if these bytes still are where it
says, and if all blocks before it count. Logs only grow, so what lies before is what was described.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate, islice
from pathlib import Path
from zlib import crc32

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from storecore.errors import CorruptData, StorageError, StoreError
from storecore.events import EventQuery
from storecore.models import Event
from storecore.values.times import exact_instant
from storecore_file.events.days import Head, decode_head
from storecore_file.events.sealed import may_have
from storecore_file.fs.disk import Disk
from storecore_file.fs.errors import best_effort
from storecore_file.fs.handles import OpenFile
from storecore_file.fs.logs import line_blocks
from storecore_file.fs.seal import is_sealed, sealed, unsealed

BLOCK = 2**17
_AT_ONCE = 64  # blocks that one append describes, if others have left the index behind
_PROBE = 2**12
_END = 2**16
_NEVER = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)
Appended = tuple[Event, bytes]  # with its encoded form


class Block(Struct, frozen=True):
    """Some lines of a log: where they are, their numbers, and what their events have.

    `probe` is the CRC-32 of their last bytes.
    """

    start: int
    end: int
    first: int
    last: int
    since: int
    until: int
    types: list[str]
    symbols: list[str | None]
    probe: int = 0

    def may_answer(self, query: EventQuery) -> bool:
        """Return whether it may have events that a query asks for."""
        return (
            self.since <= query.span.last
            and query.span.first <= self.until
            and may_have(self.types, query.types)
            and may_have(self.symbols, query.symbols)
        )

    def is_in(self, log: OpenFile) -> bool:
        """Return whether its last bytes are in a log where it says."""
        return self.end <= log.size and self.probe == _probe(log, self.start, self.end)


_BLOCKS = msgspec.json.Decoder(Block)


def index_path(log: Path) -> Path:
    """Return the path of the index of a log."""
    return log.with_name(f".{log.stem}.index")


def known_blocks(disk: Disk, log: OpenFile) -> list[Block]:
    """Return the blocks of a log that its index describes, from the beginning of the log."""
    try:
        content = disk.read(index_path(log.path)) or b""
    except StorageError:  # the log says it all
        return []
    return [block for block, _ in _counted(content, log)]


def check_index(disk: Disk, log: OpenFile) -> None:
    """Raise `CorruptData` if the index of a log describes lines that were changed in place."""
    for block in known_blocks(disk, log):
        size = block.end - block.start
        for found in _read_blocks(log, block.start, block.end, block.first, size):
            if replace(found, probe=block.probe) != block:
                path = index_path(log.path)
                detail = f"it does not describe events {block.first} to {block.last}"
                raise CorruptData(f"{path}: {detail}", path)


def _counted(content: bytes, log: OpenFile) -> Iterator[tuple[Block, int]]:
    """Yield the blocks of an index that count, each with the end of its line."""
    end, last, length = 0, None, 0
    for line in content.splitlines(keepends=True):
        block, length = _decoded(line), length + len(line)
        if block is None or block.start != end or last not in (None, block.first - 1):
            return
        if not block.is_in(log):
            return
        yield block, length
        end, last = block.end, block.last


def _decoded(line: bytes) -> Block | None:
    try:
        return _BLOCKS.decode(unsealed(line))
    except ValueError:
        return None


def _probe(log: OpenFile, start: int, end: int) -> int:
    content = bytearray(min(_PROBE, end - start))
    log.fill(memoryview(content), end - len(content))
    return crc32(content)


class _Contents:
    """What the events of some lines of a log have, while there are more.

    The events themselves are not kept: the garbage collector would look at each of them.
    """

    __slots__ = ("count", "end", "first", "since", "start", "symbols", "types", "until")

    def __init__(self, start: int, first: int) -> None:
        self.start = self.end = start
        self.first, self.count = first, 0
        self.since, self.until = _NEVER
        self.types: set[str] = set()
        self.symbols: set[str | None] = set()

    def add(self, events: Sequence[Event] | Sequence[Head], end: int) -> None:
        """Take in the events of lines that follow, one or more, up to an offset."""
        happened = [event.timestamp for event in events]
        self.since = min(self.since, *happened)
        self.until = max(self.until, *happened)
        self.types.update([event.type for event in events])
        self.symbols.update([event.symbol for event in events])
        self.count += len(events)
        self.end = end  # last: a writer that was interrupted before is reset

    def add_one(self, event: Event, end: int) -> None:
        """Take in the event of one more line: an append of one event is quicker so."""
        happened = event.timestamp
        if happened < self.since:
            self.since = happened
        if happened > self.until:
            self.until = happened
        self.types.add(event.type)
        self.symbols.add(event.symbol)
        self.count += 1
        self.end = end

    def block(self) -> Block:
        """Return it as a block, without its probe."""
        since, until = (exact_instant(at, "timestamp") for at in (self.since, self.until))
        names = sorted(self.types), sorted(self.symbols, key=str)
        last = self.first + self.count - 1
        return Block(self.start, self.end, self.first, last, since, until, *names)


class IndexWriter:
    """Describes what is appended to the logs of a folder. Callers hold the lock of the logs.

    What was appended since the last block is remembered, so that it is not read again. If another
    process has appended in between, or this one has just begun, the lines before are read.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._log: Path | None = None
        self._open = _Contents(0, 0)

    def follow(
        self, log: Path, end: int, lines: Sequence[bytes], given: Sequence[Appended], last: int
    ) -> None:
        """Note the last lines of a log, which ends with them, and their events.

        The index follows if the log has another block by now. A failure is logged.
        """
        start = end - (len(lines[0]) if len(lines) == 1 else sum(map(len, lines)))
        if start != self._open.end or (log is not self._log and log != self._log):
            self._log, self._open = log, _Contents(start, last - len(given) + 1)
        if start // BLOCK == end // BLOCK:
            if len(given) == 1:
                self._open.add_one(given[0][0], end)
            else:
                self._open.add([event for event, _ in given], end)
            return
        with best_effort(log, "its index stays behind"):
            self._describe(log, list(self._remembered(start, lines, given)))
        self._open = _Contents(end, last + 1)

    def _remembered(
        self, start: int, lines: Sequence[bytes], given: Sequence[Appended]
    ) -> Iterator[Block]:
        """Yield the blocks of what is remembered and of lines that follow."""
        contents, row = self._open, 0
        ends = list(accumulate(map(len, lines), initial=start))
        while row < len(given):
            until = min(bisect_left(ends, contents.start + BLOCK, row + 1), len(given))
            contents.add([event for event, _ in given[row:until]], ends[until])
            yield contents.block()
            contents = _Contents(ends[until], contents.first + contents.count)
            row = until

    def _describe(self, log: Path, remembered: list[Block]) -> None:
        """Add to the index of a log what it has by now."""
        path, start = index_path(log), remembered[0].start
        with OpenFile(log) as file:
            kept, end, number = self._usable(path, file)
            new = list(islice(_read_blocks(file, end, start, number), _AT_ONCE))
            if (new[-1].end if new else end) == start:
                new += remembered
            lines = [_encoded(block, file) for block in new]
        if kept is not None:
            self._disk.drop(path)
            lines.insert(0, kept)
        self._disk.add(path, b"".join(lines))

    def _usable(self, path: Path, log: OpenFile) -> tuple[bytes | None, int, int]:
        """Return up to where an index describes a log: the offset, and the number behind it.

        Its beginning is returned too if the rest is of another log, or torn.
        """
        content = _end_of(self._disk, path)
        last = _decoded(content[content.rfind(b"\n", 0, -1) + 1 :])
        if last is not None and last.is_in(log):
            return None, last.end, last.last + 1
        content = self._disk.read(path) or b""
        counted = list(_counted(content, log))
        if not counted:
            return b"", 0, 0
        block, length = counted[-1]
        return content[:length], block.end, block.last + 1


def _end_of(disk: Disk, path: Path) -> bytes:
    found = disk.end_of(str(path), _END)
    return found.content if found else b""


def _read_blocks(
    log: OpenFile, start: int, end: int, number: int, size: int | None = None
) -> Iterator[Block]:
    """Yield the blocks of a part of a log, up to a line that is not whole.

    `number` is that of its first line, 0 if it is not known.
    """
    for at, lines in line_blocks(log, is_sealed, start, end, size or BLOCK):
        try:
            heads = [decode_head(line, log.path) for line in lines]
        except StoreError:  # reported by who reads it
            return
        first = number or heads[0].n
        number = first + len(heads)
        if [head.n for head in heads] != list(range(first, number)):
            return
        contents = _Contents(at, first)
        contents.add(heads, at + sum(map(len, lines)))
        yield contents.block()


def _encoded(block: Block, log: OpenFile) -> bytes:
    probe = _probe(log, block.start, block.end)
    return sealed(msgspec.json.encode(replace(block, probe=probe)))
