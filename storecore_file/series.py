"""One series in its folder: the parts that hold its bars, read as one.

Readers take no lock. A reader lists the parts and opens them; where one was merged or split away in
between, it lists again. Rows that lie in the journal are laid over what the parts hold, but for
those that a part has taken in already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from storecore.bar_table import SERIES, joined, upserted
from storecore.errors import StorageError
from storecore.instants import EARLIEST, LATEST, TimeRange, to_datetime
from storecore.reports import Coverage, Footprint
from storecore_file.bar_file import Group, Note
from storecore_file.bar_reader import BarFile
from storecore_file.floor.disk import Disk
from storecore_file.floor.locks import Locked
from storecore_file.floor.looking import OpenFile
from storecore_file.journal import Journal
from storecore_file.journal_rows import Pending
from storecore_file.kept_parts import bars_in
from storecore_file.parts import Layout, Part, layout_of

_ATTEMPTS = 100
_Answer = TypeVar("_Answer")


class _Gone(StorageError):
    """A part that was listed is not there any more."""


class Series:
    """The bars of one symbol and timeframe, in a folder that may not exist yet."""

    def __init__(
        self, folder: Path, symbol: str, timeframe: str, disk: Disk, journal: Journal
    ) -> None:
        self.folder = folder
        self.symbol = symbol
        self.timeframe = timeframe
        self.disk = disk
        self._journal = journal

    def read(self, span: TimeRange, columns: Iterable[str] = SERIES.names) -> pa.Table:
        """Return the bars of a range as a series table of some columns."""
        return self.load(span, columns)()

    def load(
        self, span: TimeRange, columns: Iterable[str] = SERIES.names
    ) -> Callable[[], pa.Table]:
        """Read and prove what `read` needs; what is returned decodes it, on any thread."""

        def load(part: Part, file: BarFile) -> tuple[Part, Note, Callable[[], pa.Table]]:
            return part, file.note, file.load(span.first, span.last, columns)

        pending, found = self._with_pending(load, span.first, span.last)

        def decode() -> pa.Table:
            tables = [rows() for _, _, rows in found]
            table = joined(table for table in tables if len(table))
            if not pending.rows:
                return table
            known = [(part, note.folded) for part, note, _ in found]
            newer = pending.table(known, span.first, span.last)
            unwanted = set(SERIES.names) - {"date", *columns}
            return upserted(table, newer.drop_columns(unwanted & set(newer.column_names)))

        return decode

    def coverage(self) -> Coverage:
        """Return first and last date and the number of bars, from the ends of the parts alone."""
        pending, found = self._with_pending(lambda part, file: (part, file.note))
        known = [(part, note.folded) for part, note in found]
        if pending.rows and len(pending.table(known, EARLIEST, LATEST)):
            dates = self.read(TimeRange(EARLIEST, LATEST, True), ["date"])["date"]
            return _coverage(dates[0].value, dates[-1].value, len(dates))
        notes = [note for _, note in found if note.groups]
        if not notes:
            return Coverage(None, None, 0)
        count = sum(note.rows for note in notes)
        return _coverage(notes[0].groups[0].first, notes[-1].groups[-1].last, count)

    def groups(self, span: TimeRange) -> list[Group]:
        """Return the row groups of a range, from the ends of the parts alone."""
        notes = self.each(lambda _, file: file.note, span.first, span.last)
        return [
            group
            for note in notes
            for group in note.groups
            if group.first <= span.last and span.first <= group.last
        ]

    def footprint(self) -> Footprint:
        """Return the number of parts and their bytes."""
        sizes = [self.disk.size(self.path(part)) for part in self.layout().parts]
        return Footprint(len(sizes), sum(size or 0 for size in sizes))

    def _with_pending(
        self,
        look: Callable[[Part, BarFile], _Answer],
        first: int = EARLIEST,
        last: int = LATEST,
    ) -> tuple[Pending, list[_Answer]]:
        """Return the journal's rows, and what `look` answers for each part of a range.

        The journal first: its rows leave it only after they have come into the parts. But where a
        file of it was retired meanwhile, the parts may not say any more that they have its rows.
        """

        def look_at_both() -> tuple[Pending, list[_Answer]]:
            pending = self.pending()
            found = self.each(look, first, last)
            if pending.rows and not self._journal.are_there(pending):
                raise _Gone(f"{self.folder}: its journal was folded meanwhile", self.folder)
            return pending, found

        return _steadily(self.folder, look_at_both)

    def each(
        self,
        look: Callable[[Part, BarFile], _Answer],
        first: int = EARLIEST,
        last: int = LATEST,
    ) -> list[_Answer]:
        """Return what `look` answers for each part that overlaps a range, in order of time."""

        def look_at_all() -> list[_Answer]:
            parts = self.layout().parts
            return [
                self.open(part, look) for part in parts if part.first <= last and first <= part.last
            ]

        return _steadily(self.folder, look_at_all)

    def open(self, part: Part, look: Callable[[Part, BarFile], _Answer]) -> _Answer:
        """Return what `look` answers for a part. Raises `CorruptData`."""
        with _opened(self.disk, self.path(part)) as file:
            bars = bars_in(file)
            bars.check_series(self.symbol, self.timeframe)
            bars.check_range(part.first, part.last)
            return look(part, bars)

    def open_at(self, path: Path, look: Callable[[BarFile], _Answer]) -> _Answer:
        """Return what `look` answers for a file of the series, whatever its name."""
        with _opened(self.disk, path) as file:
            bars = bars_in(file)
            bars.check_series(self.symbol, self.timeframe)
            return look(bars)

    def layout(self) -> Layout:
        """Return the parts that there are now."""
        return layout_of(self.disk.names(self.folder), self.folder)

    def path(self, part: Part) -> Path:
        """Return the file of a part."""
        return self.folder / part.name

    def settle_journal(self) -> None:
        """Make durable that files of the journal were retired, whoever has done it."""
        self._journal.settle()

    def no_fold(self, pending: Pending) -> Locked | nullcontext[None]:
        """Return the lock under which the journal is not folded, if some rows lie in it."""
        return self._journal.folding() if pending.rows else nullcontext()

    def has_journal(self, pending: Pending) -> bool:
        """Tell whether the journal still has all of some rows."""
        return self._journal.are_there(pending)

    def pending(self) -> Pending:
        """Return the journal's rows of the series."""
        return self._journal.pending((self.symbol, self.timeframe))

    def settled(self) -> Pending:
        """Return those of them that last, for a writer to take in."""
        return self._journal.settled((self.symbol, self.timeframe))


def any_note(disk: Disk, folder: Path) -> Note | None:
    """Return what one of the parts in a folder says of itself, None where there are none."""

    def look_at_first() -> Note | None:
        parts = layout_of(disk.names(folder), folder).parts
        if not parts:
            return None
        with _opened(disk, folder / parts[0].name) as file:
            return BarFile(file).note

    return _steadily(folder, look_at_first)


def _steadily(folder: Path, look: Callable[[], _Answer]) -> _Answer:
    """Return what `look` answers, once no part that it has listed goes away before it is opened."""
    for _ in range(_ATTEMPTS):
        with suppress(_Gone):
            return look()
    raise StorageError(
        f"{folder}: its files vanished {_ATTEMPTS} times while they were read", folder
    )


def _opened(disk: Disk, path: Path) -> OpenFile:
    file = disk.opened(path)
    if file is None:
        raise _Gone(f"{path}: the file has vanished", path)
    return file


def _coverage(first: int, last: int, count: int) -> Coverage:
    return Coverage(to_datetime(first, aware=True), to_datetime(last, aware=True), count)
