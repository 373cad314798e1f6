"""High-water marks: where the logs of a folder end, in a small file, so that a cut is detected.

    events/.ends      {"log":"2026-01-05","n":12,"lost":0,"crc32":"…"}   128 bytes a log

A mark follows its log without a sync of its own, once the appended lines are durable: a crash may
leave it behind the log, until the log is written next, but never ahead. So a log that ends before
its mark was cut. A log without a mark, as older stores have, is not checked.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from storecore.errors import StorageError
from storecore.values.logger import log as _log
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import InPlaceFile
from storecore_file.fs.seal import sealed, unsealed

_LINE = 128  # bytes: never across two sectors


class Mark(Struct, frozen=True):
    """The end of a log: the number `n` of its last line, from 1 (0: it is retired).

    `lost` is the number of the first line that had been cut off when others were written (0: none).
    """

    log: str
    n: int
    lost: int = 0

    def issue(self, found: int, what: str, lacks_newline: bool = False) -> str | None:
        """Return what a log lacks that ends with number `found`, None if nothing.

        `what` is the word for one of its lines.
        """
        if self.n > found:
            return f"it ends at {what} {found} of {self.n}"
        if self.lost:
            return f"its end was cut off before {what} {self.lost} was written"
        if lacks_newline and self.n == found:
            return f"the newline of {what} {found} was cut off"
        return None


_DECODER = msgspec.json.Decoder(Mark)


class HighWaterMarks:
    """The marks of the logs of one folder.

    Callers that change them hold the lock of its writers.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self._disk = disk
        self._file = InPlaceFile(path)
        self._reset()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self) -> dict[str, Mark]:
        """Return the marks by log. Raises `StorageError`."""
        lines = _lines(self._disk.read(self.path) or b"")
        return {mark.log: mark for _, mark in lines if mark.n}

    def retired(self) -> list[str]:
        """Return the retired logs whose place no other log has taken since."""
        return [mark.log for _, mark in _lines(self._disk.read(self.path) or b"") if not mark.n]

    def known(self) -> dict[str, Mark]:
        """Return the marks by log; none if they cannot be read, which is an issue of its own."""
        try:
            return self.read()
        except StorageError:
            return {}

    def meet(self, log: str, number: int) -> None:
        """Find the mark of a log that ends with `number`, and that others may have written to."""
        self._lost.pop(log, None)
        self._file.close()  # the file may be another by now
        try:
            mark = self._line_of(log)
        except StorageError as error:
            _log.warning("where the log %s ends is not known: %s", log, error)
        else:
            self._lost[log] = mark.lost or (number + 1 if mark.n > number else 0)

    def follow(self, log: str, number: int) -> None:
        """Update the mark of a log that was met, once its lines are durable.

        A failure is logged.
        """
        lost = self._lost.get(log)
        if lost is not None:
            try:
                self._file.write(_encoded(log, number, lost), self._places[log])
            except StorageError as error:
                _log.warning("where the log %s ends is not noted: %s", log, error)

    def forget(self, *logs: str) -> None:
        """Retire, durably, the marks of logs that are about to be removed.

        Raises `StorageError`.
        """
        known = [line for line in _lines(self._disk.read(self.path) or b"") if line[1].log in logs]
        self._file.close()
        for offset, mark in known:
            self._file.write(_encoded(mark.log, 0, 0), offset)
            self._lost.pop(mark.log, None)
            self._places.pop(mark.log, None)
            self._free.add(offset)
        if known:
            self._file.sync(self._disk.durable)

    def _reset(self) -> None:
        self._lost: dict[str, int] = {}  # as in `Mark`, of the logs that were met
        self._places: dict[str, int] = {}  # offsets
        self._free: set[int] = set()  # offsets of retired logs
        self._seen = 0  # bytes

    def _line_of(self, log: str) -> Mark:
        """Return the mark of a log, which has a place in the file from now on."""
        if log in self._places:
            mark = _decoded(self._file.read(_LINE, self._places[log]))
            if mark is not None and mark.log == log:
                return mark
            self._reset()  # the file or the place is another's by now
        found, start = Mark(log, 0), self._seen
        if self._free:  # another process may have reused a retired place
            start = 0
            self._free.clear()
        for offset, mark in _lines(self._disk.read(self.path, start) or b"", start):
            if mark.log == log:
                found = mark
            self._take(offset, mark)
        if log not in self._places:
            self._take(self._free.pop() if self._free else self._seen, Mark(log, 1))
        return found

    def _take(self, offset: int, mark: Mark) -> None:
        self._seen = max(self._seen, offset + _LINE)
        if mark.n:
            self._places[mark.log] = offset
        else:
            self._free.add(offset)


def _lines(content: bytes, start: int = 0) -> list[tuple[int, Mark]]:
    """Return the whole lines and their offsets, of a file that was read from `start`."""
    marks = ((at, _decoded(content[at : at + _LINE])) for at in range(0, len(content), _LINE))
    return [(start + at, mark) for at, mark in marks if mark is not None]


def _encoded(log: str, number: int, lost: int) -> bytes:
    line = sealed(b'{"log":"%b","n":%d,"lost":%d}' % (log.encode(), number, lost))
    return line[:-1].ljust(_LINE - 1) + b"\n"


def _decoded(line: bytes) -> Mark | None:
    try:
        return _DECODER.decode(unsealed(line.rstrip() + b"\n"))
    except ValueError:
        return None
