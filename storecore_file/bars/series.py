"""One series in its folder: the parts that hold its bars, read as one.

Readers take no lock. A reader lists the parts and opens them; where one was merged or split away in
between, it lists again. Where parts overlap, it opens all of them at once and reads of each the
pieces that count (`storecore_file/overlaps.py`). Rows that lie in the journal are laid over what
the parts hold, but for those that a part has taken in already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from storecore.bars.table import SERIES, instants_of, joined, upserted
from storecore.errors import StorageError
from storecore.reports import Coverage, Footprint
from storecore.values.times import EARLIEST, LATEST, TimeRange, to_datetime
from storecore_file.bars.journal import Journal
from storecore_file.bars.journal_lines import HOUR, Folded, Pending, number_of
from storecore_file.bars.kept import bars_in
from storecore_file.bars.layout import Layout, Part, layout_of, overlapping, parsed
from storecore_file.bars.overlaps import Held, shown
from storecore_file.bars.partition import Group, Note
from storecore_file.bars.partition_reader import BarFile
from storecore_file.fs.disk import Disk
from storecore_file.fs.locks import Locked
from storecore_file.fs.quarantine import ASIDE, MOMENT
from storecore_file.fs.stat import OpenFile

_ATTEMPTS = 100
_NOTHING = Coverage(None, None, 0)
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
            first, last = max(span.first, part.first), min(span.last, part.last)
            return part, file.note, file.load(first, last, columns)

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
        if any(parsed(part.name) != part for part, _ in found) or (
            pending.rows and len(pending.table(known, EARLIEST, LATEST))
        ):
            dates = instants_of(self.read(TimeRange(EARLIEST, LATEST, True), ["date"]))
            return _coverage(dates[0], dates[-1], len(dates)) if len(dates) else _NOTHING
        notes = [note for _, note in found if note.groups]
        if not notes:
            return _NOTHING
        count = sum(note.rows for note in notes)
        return _coverage(notes[0].groups[0].first, notes[-1].groups[-1].last, count)

    def generation(self) -> int:
        """Return the highest generation of its parts.

        0 if a part has none, as a release before generations has written it, or if bars lie in the
        journal: then the last write is in no part.
        """
        pending, found = self._with_pending(lambda _, file: file.note.generation)
        return max(found, default=0) if all(found) and not pending.rows else 0

    def journaled(self) -> int:
        """Return the highest number of a file of the journal that its parts know, 0 if none."""

        def look_at_all() -> list[Folded]:
            return [
                self.open(part, lambda _, file: file.note.folded) for part in self.layout().parts
            ]

        found = _steadily(self.folder, look_at_all)
        return max((number_of(name) for folded in found for name in folded), default=0)

    def groups(self, span: TimeRange) -> list[Group]:
        """Return the row groups of a range, from the ends of the parts alone."""
        found = self.each(lambda part, file: (part, file.note), span.first, span.last)
        return [
            Group(group.rows, max(group.first, part.first), min(group.last, part.last))
            for part, note in found
            for group in note.groups
            if group.first <= min(span.last, part.last)
            and max(span.first, part.first) <= group.last
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
        """Return what `look` answers for each part that overlaps a range, in order of time.

        Where parts overlap each other it is asked about the pieces of them that count.
        """

        def look_at_all() -> list[_Answer]:
            layout = self.layout()
            parts = [part for part in layout.parts if part.first <= last and first <= part.last]
            if layout.overlap and overlapping(parts):
                with self.held(parts) as held:
                    return [look(*piece) for piece in shown(held)]
            return [self.open(part, look) for part in parts]

        return _steadily(self.folder, look_at_all)

    def open(self, part: Part, look: Callable[[Part, BarFile], _Answer]) -> _Answer:
        """Return what `look` answers for a part. Raises `CorruptData`."""
        with _opened(self.disk, self.path(part)) as file:
            return look(part, self._checked(part, file))

    @contextmanager
    def held(self, parts: Sequence[Part]) -> Iterator[list[Held]]:
        """Hold parts open together, as they are at one time. Raises `CorruptData`."""
        with ExitStack() as files:
            opened = [files.enter_context(_opened(self.disk, self.path(part))) for part in parts]
            yield [
                Held(part, self._checked(part, file))
                for part, file in zip(parts, opened, strict=True)
            ]

    def _checked(self, part: Part, file: OpenFile) -> BarFile:
        bars = bars_in(file)
        bars.check_series(self.symbol, self.timeframe)
        bars.check_range(part.first, part.last)
        return bars

    def open_at(self, path: Path, look: Callable[[BarFile], _Answer]) -> _Answer:
        """Return what `look` returns for a file of the series, whatever its name."""
        with _opened(self.disk, path) as file:
            bars = bars_in(file)
            bars.check_series(self.symbol, self.timeframe)
            return look(bars)

    def layout(self) -> Layout:
        """Return the parts that there are now."""
        return layout_of(self.disk.names(self.folder))

    def path(self, part: Part) -> Path:
        """Return the file of a part."""
        return self.folder / part.name

    def quarantine(self, part: Part) -> Path:
        """Return where to copy a part that a writer may not remove, a new place for each time."""
        room = self._journal.folder.parent
        moment = datetime.now(UTC).strftime(MOMENT)
        return room.parent / ASIDE / moment / self.path(part).relative_to(room.parent)

    def forget_journaled(self, first: int, last: int) -> None:
        """Expect no rows that were folded in a range that is in no part any more."""
        own = (self.symbol, self.timeframe)
        self._journal.forget(lambda key, hour: key == own and first <= hour * HOUR <= last)

    def note_taken(self, pending: Pending) -> None:
        """Note that the parts have taken in rows of the journal."""
        self._journal.take((self.symbol, self.timeframe), pending)

    def settle_journal(self) -> None:
        """Make durable that files of the journal were retired, whoever has done it."""
        self._journal.settle()

    def fold_lock(self, pending: Pending) -> Locked | nullcontext[None]:
        """Return the lock that prevents a fold of the journal, if some rows lie in it."""
        return self._journal.folding() if pending.rows else nullcontext()

    def has_journal(self, pending: Pending) -> bool:
        """Return whether the journal still has all of some rows."""
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
        parts = layout_of(disk.names(folder)).parts
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
