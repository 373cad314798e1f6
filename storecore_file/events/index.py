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
from itertools import accumulate, islice
from pathlib import Path
from zlib import crc32

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from storecore.errors import StorageError, StoreError
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


class IndexWriter:
    """Describes what is appended to the logs of a folder. Callers hold the lock of the logs.

    What was appended since the last block is remembered, so that it is not read again. If another
    process has appended in between, or this one has just begun, the lines before are read.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._log: Path | None = None
        self._start = self._end = self._first = 0  # of what is remembered
        self._lines: list[bytes] = []
        self._given: list[Appended] = []

    def follow(
        self, log: Path, end: int, lines: Sequence[bytes], given: Sequence[Appended], last: int
    ) -> None:
        """Note the last lines of a log, which ends with them, and their events.

        The index follows if the log has another block by now. A failure is logged.
        """
        start = end - (len(lines[0]) if len(lines) == 1 else sum(map(len, lines)))
        if start != self._end or (log is not self._log and log != self._log):
            self._log, self._start, self._first = log, start, last - len(given) + 1
            self._lines, self._given = [], []
        self._lines += lines
        self._given += given
        self._end = end  # last: a writer that was interrupted before is reset
        if start // BLOCK != end // BLOCK:
            with best_effort(log, "its index stays behind"):
                self._describe(log)

    def _describe(self, log: Path) -> None:
        """Add to the index of a log what it has by now."""
        path = index_path(log)
        remembered, self._log = self._remembered(), None
        with OpenFile(log) as file:
            kept, end, number = self._usable(path, file)
            new = list(islice(_read_blocks(file, end, self._start, number), _AT_ONCE))
            if (new[-1].end if new else end) == self._start:
                new += remembered
            lines = [_encoded(block, file) for block in new]
        if kept is not None:
            self._disk.drop(path)
            lines.insert(0, kept)
        self._disk.add(path, b"".join(lines))

    def _remembered(self) -> list[Block]:
        """Return the blocks of what is remembered."""
        ends = list(accumulate(map(len, self._lines), initial=0))
        found, row = list[Block](), 0
        while row < len(self._given):
            until = min(bisect_left(ends, ends[row] + BLOCK), len(self._given))
            events = [event for event, _ in self._given[row:until]]
            start, size = self._start + ends[row], ends[until] - ends[row]
            found.append(_block(start, size, self._first + row, events))
            row = until
        return found

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


def _read_blocks(log: OpenFile, start: int, end: int, number: int) -> Iterator[Block]:
    """Yield the blocks of a part of a log, up to a line that is not whole.

    `number` is that of its first line, 0 if it is not known.
    """
    for at, lines in line_blocks(log, is_sealed, start, end, BLOCK):
        try:
            heads = [decode_head(line, log.path) for line in lines]
        except StoreError:  # reported by who reads it
            return
        first = number or heads[0].n
        number = first + len(heads)
        if [head.n for head in heads] != list(range(first, number)):
            return
        yield _block(at, sum(map(len, lines)), first, heads)


def _block(start: int, size: int, first: int, events: Sequence[Event | Head]) -> Block:
    """Return a block without its probe, given its events."""
    times = [event.timestamp for event in events]
    since, until = (exact_instant(at, "timestamp") for at in (min(times), max(times)))
    types = sorted({event.type for event in events})
    symbols = sorted({event.symbol for event in events}, key=str)
    last = first + len(events) - 1
    return Block(start, start + size, first, last, since, until, types, symbols)


def _encoded(block: Block, log: OpenFile) -> bytes:
    probe = _probe(log, block.start, block.end)
    return sealed(msgspec.json.encode(replace(block, probe=probe)))
