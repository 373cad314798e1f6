"""Where the logs of a folder end: a small file beside them, so that a cut tail is found.

    events/.ends      {"log":"2026-01-05","n":12,"lost":0,"crc32":"…"}   128 bytes a log

A line follows its log without a sync of its own, once what was appended is durable: a crash leaves
it behind the log, which is healed when the log is written next, but never ahead. So a log that is
shorter than its line says was cut. A log without a line, one of an older store, is not anchored.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
from msgspec import Struct

from storecore.errors import StorageError
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import Note
from storecore_file.fs.seal import sealed, unsealed

_LINE = 128  # bytes: never across two sectors
_log = logging.getLogger("storecore")


class End(Struct, frozen=True):
    """Where a log ends: with its line `n`, from 1 (0: it is retired).

    `lost` is the number of the first line that had been cut off when others were written (0: none).
    """

    log: str
    n: int
    lost: int = 0

    def trouble(self, found: int, what: str, lacks_newline: bool = False) -> str | None:
        """Return what is wrong with a log that ends with `found`, the number of one of `what`."""
        if self.n > found:
            return f"it ends at {what} {found} of {self.n}"
        if self.lost:
            return f"its end was cut off before {what} {self.lost} was written"
        if lacks_newline and self.n == found:
            return f"the newline of {what} {found} was cut off"
        return None


_DECODER = msgspec.json.Decoder(End)


class LogEnds:
    """The ends of the logs of one folder. Callers that change them hold the lock of its writers."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self._disk = disk
        self._note = Note(path)
        self._begin_anew()

    def close(self) -> None:
        """Let go of the file."""
        self._note.close()

    def read(self) -> dict[str, End]:
        """Return the ends that are known, by log. Raises `StorageError`."""
        lines = _lines(self._disk.read(self.path) or b"")
        return {end.log: end for _, end in lines if end.n}

    def retired(self) -> list[str]:
        """Return the logs that were retired and whose lines no other has taken since."""
        return [end.log for _, end in _lines(self._disk.read(self.path) or b"") if not end.n]

    def known(self) -> dict[str, End]:
        """Return what `read` does, or nothing where it cannot be read: that is told by itself."""
        try:
            return self.read()
        except StorageError:
            return {}

    def meet(self, log: str, number: int) -> None:
        """Find the line of a log that others may have written to, and that ends with `number`."""
        self._lost.pop(log, None)
        self._note.close()  # the file may be another by now
        try:
            end = self._line_of(log)
        except StorageError as error:
            _log.warning("where the log %s ends is not known: %s", log, error)
        else:
            self._lost[log] = end.lost or (number + 1 if end.n > number else 0)

    def follow(self, log: str, number: int) -> None:
        """Let the line of a log that was met follow what is durable: one left behind is healed."""
        lost = self._lost.get(log)
        if lost is not None:
            try:
                self._note.write(_encoded(log, number, lost), self._places[log])
            except StorageError as error:
                _log.warning("where the log %s ends is not noted: %s", log, error)

    def forget(self, *logs: str) -> None:
        """Take out, durably, logs that are about to be removed. Raises `StorageError`."""
        known = [line for line in _lines(self._disk.read(self.path) or b"") if line[1].log in logs]
        self._note.close()
        for offset, end in known:
            self._note.write(_encoded(end.log, 0, 0), offset)
            self._lost.pop(end.log, None)
            self._places.pop(end.log, None)
            self._free.add(offset)
        if known:
            self._note.sync(self._disk)

    def _begin_anew(self) -> None:
        self._lost: dict[str, int] = {}  # as in `End`, of the logs that were met
        self._places: dict[str, int] = {}  # where the line of a log lies
        self._free: set[int] = set()  # where lines of retired logs lie, or lay
        self._seen = 0  # bytes

    def _line_of(self, log: str) -> End:
        """Return the line of a log, for which there is a place then."""
        if log in self._places:
            end = _decoded(self._note.read(_LINE, self._places[log]))
            if end is not None and end.log == log:
                return end
            self._begin_anew()  # another file, or another's line
        found, start = End(log, 0), self._seen
        if self._free:  # another may have put the line where one was retired
            start = 0
            self._free.clear()
        for offset, end in _lines(self._disk.read(self.path, start) or b"", start):
            if end.log == log:
                found = end
            self._take(offset, end)
        if log not in self._places:
            self._take(self._free.pop() if self._free else self._seen, End(log, 1))
        return found

    def _take(self, offset: int, end: End) -> None:
        self._seen = max(self._seen, offset + _LINE)
        if end.n:
            self._places[end.log] = offset
        else:
            self._free.add(offset)


def _lines(content: bytes, start: int = 0) -> list[tuple[int, End]]:
    """Return the lines that are whole, and where they lie in a file that was read from `start`."""
    ends = ((at, _decoded(content[at : at + _LINE])) for at in range(0, len(content), _LINE))
    return [(start + at, end) for at, end in ends if end is not None]


def _encoded(log: str, number: int, lost: int) -> bytes:
    line = sealed(b'{"log":"%b","n":%d,"lost":%d}' % (log.encode(), number, lost))
    return line[:-1].ljust(_LINE - 1) + b"\n"


def _decoded(line: bytes) -> End | None:
    try:
        return _DECODER.decode(unsealed(line.rstrip() + b"\n"))
    except ValueError:
        return None
