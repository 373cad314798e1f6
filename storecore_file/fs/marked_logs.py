"""Logs of numbered lines that have a high-water mark each, so that a cut or removed one shows.

The lines of a log may go from its beginning: then the rest keeps its numbers, or the mark goes too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from storecore.errors import CorruptData
from storecore_file.fs.disk import Disk
from storecore_file.fs.high_water_marks import HighWaterMarks
from storecore_file.fs.logs import Log, lacks_newline
from storecore_file.fs.seal import is_sealed

_NAME = "lines"


class MarkedLog:
    """A log and its mark, which lies in a hidden file beside it. Callers hold the log's lock."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self.path = path
        self._disk = disk
        self._marks = HighWaterMarks(path.with_name(f".{path.stem}.ends"), disk)
        self._last = 0

    def append(
        self, number_of: Callable[[bytes], int], lines_from: Callable[[int], Sequence[bytes]]
    ) -> None:
        """Append the lines that `lines_from` returns, given the number of the first.

        `number_of` returns the number of a line.
        """

        def numbered(last: bytes | None) -> Sequence[bytes]:
            before = 0 if last is None else number_of(last)
            self._marks.meet(_NAME, before)
            lines = lines_from(before + 1)
            self._last = before + len(lines)
            return lines

        try:
            Log(self._disk, self.path, is_sealed).append(numbered)
            self._marks.follow(_NAME, self._last)
        finally:
            self._marks.close()

    def rewrite(self, lines: Sequence[bytes]) -> None:
        """Replace the log by the last of its lines; without any, remove it and its mark."""
        if lines:
            self._disk.replace(self.path, b"".join(lines))
            return
        self._marks.forget(_NAME)
        self._marks.close()
        self._disk.remove(self.path)

    def lack(self, last: int) -> str | None:
        """Return what the log lacks that ends with line `last`, None if nothing."""
        mark = self._marks.known().get(_NAME)
        return mark.issue(last, "line", lacks_newline(self.path, is_sealed)) if mark else None


def check_numbers(numbers: Sequence[int], path: Path) -> None:
    """Raise `CorruptData` unless the numbers of a log's lines follow each other."""
    if numbers and list(numbers) != list(range(numbers[0], numbers[0] + len(numbers))):
        raise CorruptData(f"{path}: lines are missing, doubled or out of order", path)


def last_of(numbers: Sequence[int]) -> int:
    """Return the number of a log's last line, 0 if there is none."""
    return numbers[-1] if numbers else 0
