"""Keeps small parts decoded: the open month of a daily series is read and appended to often."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock

import pyarrow as pa

from storecore.values.fork import begin_anew_in_children
from storecore_file.bars.partition_reader import SMALL, BarFile, Content
from storecore_file.fs.stat import OpenFile

_MOST = 1_024


class _Kept:
    """The small parts that were read or written last, decoded, by their very bytes."""

    def __init__(self) -> None:
        self.after_fork()
        begin_anew_in_children(self)

    def after_fork(self) -> None:
        """Begin anew in a child: a thread that is not there may have held the lock."""
        self._parts: OrderedDict[tuple[Path, bytes], BarFile] = OrderedDict()
        self._lock = Lock()

    def part(self, path: Path, content: bytes) -> BarFile:
        """Return the part with these bytes. Raises `CorruptData`."""
        with self._lock:
            kept = self._parts.pop((path, content), None)
        kept = kept or BarFile(Content(path, content))
        with self._lock:
            self._parts[path, content] = kept
            if len(self._parts) > _MOST:
                self._parts.popitem(last=False)
        return kept


_kept = _Kept()


def bars_in(file: OpenFile) -> BarFile:
    """Return the part that is open. What is small is kept decoded, by its very bytes.

    So a read of many series, each with a small last part, costs little more than without these.
    """
    if file.size > SMALL:
        return BarFile(file)
    content = bytearray(file.size)
    file.fill(memoryview(content), 0)
    return _kept.part(file.path, bytes(content))


def keep(path: Path, content: bytes, bars: pa.Table) -> None:
    """Keep a part that is about to be written: the next append to it, or read, has it decoded."""
    if len(content) <= SMALL:
        _kept.part(path, content).hold(bars)
