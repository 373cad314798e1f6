"""One series in its folder: the partitions that hold its bars, read as one.

Readers take no lock. A reader lists the partitions and opens them; if one was merged or split away
in between, it lists again. If partitions overlap, it opens all of them at once and reads the pieces
of each that count (see `overlaps.py`). Rows of the journal are merged over those of the partitions,
except for rows that a partition has taken in already.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from storecore.bars.extra import EVERY, EXACT, extra_names, is_asked
from storecore.bars.table import instants_of
from storecore.errors import CorruptData, StorageError
from storecore.knowledge.versions import Forming
from storecore.reports import Coverage, Footprint
from storecore.values.times import EARLIEST, LATEST, TimeRange, to_datetime
from storecore_file.bars.decoded import (
    Decoded,
    DecodedPartition,
    Keeping,
    NotKeptError,
    state_to_keep,
)
from storecore_file.bars.journal import Flushed, Journal, Pending
from storecore_file.bars.journal_lines import Row, number_of
from storecore_file.bars.kinds import Kinds, joined, union, upserted, with_kinds
from storecore_file.bars.layout import Layout, Partition, layout_of, overlapping, parsed
from storecore_file.bars.overlaps import OpenPartition, shown
from storecore_file.bars.partition import Group, Metadata, PartitionFile
from storecore_file.bars.unflushed import unflushed
from storecore_file.bars.versions import Dated, Merged, concatenated
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import OpenFile
from storecore_file.fs.names import SYMBOLS
from storecore_file.fs.stat import State, known_state_at

NOTHING_KEPT = Decoded()
_ATTEMPTS = 100
_NOTHING = Coverage(None, None, 0)
_MOST_KINDS = 65_536
_kinds_kept: dict[tuple[Path, State | None], dict[str, str]] = {}
_Result = TypeVar("_Result")
_File = PartitionFile | DecodedPartition | Keeping


class _Gone(StorageError):
    """A partition that was listed has vanished."""


class _Loaded(NamedTuple):
    """A partition whose bars are read from an instant on, and the function that decodes them."""

    partition: Partition
    metadata: Metadata
    since: int
    rows: Callable[[], pa.Table]


class Series:
    """The bars of one symbol and timeframe, in a folder that may not exist yet."""

    def __init__(
        self,
        folder: Path,
        symbol: str,
        timeframe: str,
        disk: Disk,
        journal: Journal,
        decoded: Decoded = NOTHING_KEPT,
        keeps: bool = False,
    ) -> None:
        """Take a folder. `keeps`: what is read of its bars is kept in `decoded`."""
        self.folder = folder
        self.symbol = symbol
        self.timeframe = timeframe
        self.key = (symbol, timeframe)
        self.disk = disk
        self.journal = journal
        self.decoded = decoded
        self._keeps = keeps and decoded.budget > 0

    def read(self, span: TimeRange, columns: Collection[str] | None = None) -> pa.Table:
        """Return the bars of a range as a series table of some columns (None: of all)."""
        return self.load(span, columns)()

    def load(
        self, span: TimeRange, columns: Collection[str] | None = None, *, complete: bool = False
    ) -> Callable[[], pa.Table]:
        """Read and check what `read` needs.

        The function that is returned decodes it, on any thread. A further column that no partition
        of the range has is left out, unless `complete`. Whole numbers are floats if the column has
        become one of floats anywhere in the series.
        """
        loaded = self._loaded(span, columns, columns if complete else None)
        return partial(_decoded, *loaded, span, columns)

    def load_known(
        self, span: TimeRange, columns: Collection[str] | None, forming: Forming
    ) -> Callable[[], pa.Table] | None:
        """Read and check what a view shows of a range, as `load` does.

        None if the journal has rows of bars that were still forming: it may have several of one.
        """
        pending, found, kinds = self._loaded(span, columns, columns, forming)
        if any(forming.ended < row.values[0] <= span.last for row in pending.rows):
            return None
        return partial(_decoded, pending, found, kinds, span, columns)

    def completed(self, table: pa.Table, columns: Collection[str] | None) -> pa.Table:
        """Return bars of the series with the columns that `load` gives them."""
        table = table if columns is None else _some(table, columns)
        names, asked = set(table.column_names), columns or ()
        kinds = self.kinds_with_pending()
        kept = {name: kinds[name] for name in kinds if name in names or is_asked(name, asked)}
        return with_kinds(table, kept) if kept else table

    def merged(self, span: TimeRange) -> Merged:
        """Return the bars of a range with what rows of the journal have replaced."""

        def look(partition: Partition, file: PartitionFile) -> tuple[Partition, Metadata, Dated]:
            bars = Dated(file.rows(EARLIEST, LATEST), file.recorded())
            first, last = max(span.first, partition.first), min(span.last, partition.last)
            return partition, file.metadata, bars.between(first, last)

        pending, found, _ = self._with_pending(look, span.first, span.last)
        known = [(partition, metadata) for partition, metadata, _ in found]
        bars_of = {partition: bars for partition, _, bars in found}
        rows = unflushed(pending, known, lambda each, date: bars_of[each].recorded_at(date))
        rows = rows.part(span.first, span.last)
        return rows.onto(Merged(concatenated(bars for _, _, bars in found)))

    def _loaded(
        self,
        span: TimeRange,
        columns: Collection[str] | None,
        asked: Collection[str] | None,
        forming: Forming | None = None,
    ) -> tuple[Pending, list[_Loaded], dict[str, str]]:
        """Return what `_with_pending` does for the bars of a range, or for its newest bars.

        With `forming`, only those that a view shows.
        """

        def named(found: list[_Loaded], rows: Sequence[Row]) -> Collection[str]:
            if asked is not None:
                return asked
            names = _whole_numbers(found, rows)
            return [name for name in names if columns is None or is_asked(name, columns)]

        if span.newest is not None:

            def newest(layout: Layout) -> list[_Loaded]:
                if self._keeps:
                    with (
                        suppress(NotKeptError),
                        closing(self._kept_backwards(layout, span)) as coming,
                    ):
                        return self._newest(coming, span, columns, forming)
                with closing(self._backwards(layout, span)) as coming:
                    return self._newest(coming, span, columns, forming)

            return self._beside_journal(newest, named)

        def load(partition: Partition, file: _File) -> _Loaded:
            first, last = max(span.first, partition.first), min(span.last, partition.last)
            rows = _load(file, first, last, columns, forming)
            return _Loaded(partition, file.metadata, first, rows)

        open_one = self._open_kept if self._keeps else self.open

        def look(layout: Layout) -> list[_Loaded]:
            return self._each_in(layout, load, span.first, span.last, open_one)

        return self._beside_journal(look, named)

    def _newest(
        self,
        coming: Iterator[tuple[Partition, _File]],
        span: TimeRange,
        columns: Collection[str] | None,
        forming: Forming | None,
    ) -> list[_Loaded]:
        """Return the partitions that hold the newest bars of a range, in order of time.

        They come from the last one backwards, and of each only the row groups are read that
        are needed. Rows of the journal cannot make that too few: they add bars, or replace some.
        Bars that were still forming may not be shown, so they do not count.
        """
        certain = span.last if forming is None else min(span.last, forming.ended)
        found: list[_Loaded] = []
        count = span.newest or 0
        for partition, file in coming:
            first, last = max(span.first, partition.first), min(span.last, partition.last)
            first, count_in = _back_to(file.metadata.groups, first, min(last, certain), count)
            rows = _load(file, first, last, columns, forming)
            found.append(_Loaded(partition, file.metadata, first, rows))
            count -= count_in
            if count <= 0:
                break
        if count > 0:  # all were looked at
            found = [each._replace(since=span.first) for each in found]
        return found[::-1]

    def _backwards(
        self, layout: Layout, span: TimeRange
    ) -> Generator[tuple[Partition, _File], None, None]:
        """Yield the partitions of a range, opened one by one, or the pieces of them that count."""
        partitions = _within(layout, span.first, span.last)
        if layout.overlap and overlapping(partitions):
            with self.held(partitions) as held:
                yield from reversed(shown(held))
            return
        for partition in reversed(partitions):
            with _opened(self.disk, self.path(partition)) as file:
                yield partition, self._to_keep(partition, file)

    def _kept_backwards(
        self, layout: Layout, span: TimeRange
    ) -> Generator[tuple[Partition, _File], None, None]:
        """Yield the partitions of a range that are kept. Raises `NotKeptError` at another one."""
        if layout.overlap:
            raise NotKeptError
        for partition in reversed(_within(layout, span.first, span.last)):
            kept = self.decoded.partition(f"{self.folder}/{partition.name}")
            if kept is None:
                raise NotKeptError
            yield partition, kept

    def coverage(self) -> Coverage:
        """Return first and last date and the number of bars, from the metadata alone."""
        pending, found, _ = self._with_pending(lambda partition, file: (partition, file.metadata))
        known = [(partition, metadata.flushed) for partition, metadata in found]
        if any(parsed(partition.name) != partition for partition, _ in found) or (
            pending.rows and len(pending.table(known, EARLIEST, LATEST))
        ):
            dates = instants_of(self.read(TimeRange(EARLIEST, LATEST, True), ["date"]))
            return _coverage(dates[0], dates[-1], len(dates)) if len(dates) else _NOTHING
        all_metadata = [metadata for _, metadata in found if metadata.groups]
        if not all_metadata:
            return _NOTHING
        count = sum(metadata.rows for metadata in all_metadata)
        return _coverage(all_metadata[0].groups[0].first, all_metadata[-1].groups[-1].last, count)

    def kinds(self) -> dict[str, str]:
        """Return the kinds of the further columns that its partitions have."""
        return _steadily(self.folder, lambda: self._kinds_in(self.layout()))

    def kinds_with_pending(self) -> dict[str, str]:
        """Return the kinds of its further columns, in the journal too."""
        rows = self.journal.pending(self.key).rows
        return union([self.kinds(), *_row_kinds(rows)])

    def _asked_kinds(
        self, layout: Layout, rows: Sequence[Row], asked: Collection[str]
    ) -> dict[str, str]:
        """Return the kinds of the further columns that are asked for, in all partitions and rows.

        A damaged partition is passed over, unless a column that is asked for by name is in no other
        one: then it may be in that. Without a mark, it may be lost: a column that is asked for by
        name is looked for all the same.
        """
        found, damage = _row_kinds(rows), None
        looked_at = layout.marked or {*extra_names(asked)} - {EVERY}
        for partition in layout.partitions if looked_at else ():
            try:
                found.append(self.kinds_in(partition))
            except CorruptData as error:
                damage = error
        kinds = union(found)
        if damage is not None and not {*extra_names(asked)} <= {*kinds, EVERY}:
            raise damage
        return {name: kind for name, kind in kinds.items() if is_asked(name, asked)}

    def _kinds_in(self, layout: Layout) -> dict[str, str]:
        return union(map(self.kinds_in, layout.partitions))

    def kinds_in(self, partition: Partition) -> dict[str, str]:
        """Return the kinds of a partition, which are kept by the state of its file."""
        path = self.path(partition)
        key = path, known_state_at(path)
        if key not in _kinds_kept:
            if len(_kinds_kept) >= _MOST_KINDS:
                _kinds_kept.clear()
            _kinds_kept[key] = self.open(partition, lambda _, file: file.kinds)
        return _kinds_kept[key]

    def generation(self) -> int:
        """Return the highest generation of its partitions.

        0 if a partition has none, as a release before generations has written it, or if bars lie in
        the journal: then the last write is in no partition.
        """
        pending, found, _ = self._with_pending(lambda _, file: file.metadata.generation)
        return max(found, default=0) if all(found) and not pending.rows else 0

    def journaled(self) -> int:
        """Return the highest number of a journal file that its partitions know, 0 if none."""

        def look_at_all() -> list[Flushed]:
            return [
                self.open(partition, lambda _, file: file.metadata.flushed)
                for partition in self.layout().partitions
            ]

        found = _steadily(self.folder, look_at_all)
        return max((number_of(name) for flushed in found for name in flushed), default=0)

    def groups(self, span: TimeRange) -> list[Group]:
        """Return the row groups of a range, from the metadata alone."""
        found = self.each(lambda partition, file: (partition, file.metadata), span.first, span.last)
        return [
            Group(group.rows, max(group.first, partition.first), min(group.last, partition.last))
            for partition, metadata in found
            for group in metadata.groups
            if group.first <= min(span.last, partition.last)
            and max(span.first, partition.first) <= group.last
        ]

    def footprint(self) -> Footprint:
        """Return the number of partitions and their bytes."""
        sizes = [self.disk.size(self.path(partition)) for partition in self.layout().partitions]
        return Footprint(len(sizes), sum(size or 0 for size in sizes))

    def _with_pending(
        self,
        look: Callable[[Partition, PartitionFile], _Result],
        first: int = EARLIEST,
        last: int = LATEST,
        asked: Callable[[list[_Result], Sequence[Row]], Collection[str]] | None = None,
    ) -> tuple[Pending, list[_Result], dict[str, str]]:
        """Return the journal's rows, and what `look` returns for each partition of a range.

        Also return the kinds in the whole series of the further columns that `asked` returns, given
        what was found and the journal's rows.
        """
        return self._beside_journal(lambda layout: self._each_in(layout, look, first, last), asked)

    def _beside_journal(
        self,
        look: Callable[[Layout], _Result],
        asked: Callable[[_Result, Sequence[Row]], Collection[str]] | None,
    ) -> tuple[Pending, _Result, dict[str, str]]:
        """Return the journal's rows, what `look` returns, and kinds as `_with_pending` does.

        The journal is read first: its rows leave it only after the partitions have them. But if a
        file of it was retired meanwhile, the partitions may not say any more that they have its
        rows.
        """

        def look_at_both() -> tuple[Pending, _Result, dict[str, str]]:
            pending, layout = self.journal.pending(self.key), self.layout()
            found = look(layout)
            if pending.rows and not self.journal.are_there(pending):
                raise _Gone(f"{self.folder}: its journal was flushed meanwhile", self.folder)
            names = () if asked is None else asked(found, pending.rows)
            kinds = self._asked_kinds(layout, pending.rows, names) if names else {}
            return pending, found, kinds

        return _steadily(self.folder, look_at_both)

    def each(
        self,
        look: Callable[[Partition, PartitionFile], _Result],
        first: int = EARLIEST,
        last: int = LATEST,
    ) -> list[_Result]:
        """Return what `look` returns for each partition that overlaps a range, in order of time.

        If partitions overlap, `look` is called with the pieces of them that count.
        """
        return _steadily(self.folder, lambda: self._each_in(self.layout(), look, first, last))

    def _each_in(
        self,
        layout: Layout,
        look: Callable[[Partition, Any], _Result],
        first: int,
        last: int,
        open_one: Callable[[Partition, Callable[[Partition, Any], _Result]], _Result] | None = None,
    ) -> list[_Result]:
        partitions = _within(layout, first, last)
        if layout.overlap and overlapping(partitions):
            with self.held(partitions) as held:
                return [look(*piece) for piece in shown(held)]
        open_one = self.open if open_one is None else open_one
        return [open_one(partition, look) for partition in partitions]

    def _open_kept(
        self, partition: Partition, look: Callable[[Partition, Any], _Result]
    ) -> _Result:
        """Return what `look` returns for a partition that is kept decoded, or is from now on."""
        kept = self.decoded.partition(f"{self.folder}/{partition.name}")
        if kept is not None:
            with suppress(NotKeptError):
                return look(partition, kept)
        with _opened(self.disk, self.path(partition)) as file:
            return look(partition, self._to_keep(partition, file))

    def _to_keep(self, partition: Partition, file: OpenFile) -> PartitionFile | Keeping:
        """Return an open partition, of which what is decoded is kept if it can be."""
        bars = self._checked(partition, file)
        state = state_to_keep(file) if self._keeps else None
        if state is None:
            return bars
        return Keeping(self.decoded, f"{self.folder}/{partition.name}", bars, state)

    def open(
        self, partition: Partition, look: Callable[[Partition, PartitionFile], _Result]
    ) -> _Result:
        """Return what `look` returns for a partition. Raises `CorruptData`."""
        with _opened(self.disk, self.path(partition)) as file:
            return look(partition, self._checked(partition, file))

    def recorded_at(self, partition: Partition, date: int) -> int:
        """Return when the bar of a date in a partition was recorded, 0 if it has none."""

        def look(_: Partition, file: PartitionFile) -> int:
            bars = Dated(file.rows(EARLIEST, LATEST, ["date"]), file.recorded())
            return bars.recorded_at(date)

        return self.open(partition, look)

    @contextmanager
    def held(self, partitions: Sequence[Partition]) -> Iterator[list[OpenPartition]]:
        """Hold partitions open together, as they are at one moment. Raises `CorruptData`."""
        with ExitStack() as files:
            opened = [
                files.enter_context(_opened(self.disk, self.path(partition)))
                for partition in partitions
            ]
            yield [
                OpenPartition(partition, self._checked(partition, file))
                for partition, file in zip(partitions, opened, strict=True)
            ]

    def _checked(self, partition: Partition, file: OpenFile) -> PartitionFile:
        bars = self.decoded.bars_in(file)
        bars.check_series(self.symbol, self.timeframe)
        bars.check_range(partition.first, partition.last)
        return bars

    def open_at(self, path: Path, look: Callable[[PartitionFile], _Result]) -> _Result:
        """Return what `look` returns for a file of the series, whatever its name."""
        with _opened(self.disk, path) as file:
            bars = self.decoded.bars_in(file)
            bars.check_series(self.symbol, self.timeframe)
            return look(bars)

    def layout(self) -> Layout:
        """Return the partitions that exist now, but for those that a rename hides."""
        layout = layout_of(self.disk.names(self.folder))
        if layout.renaming and self.journal.renames.hides(SYMBOLS.encode(self.symbol)):
            return Layout([], False, renaming=True)
        return layout

    def path(self, partition: Partition) -> Path:
        """Return the file of a partition."""
        return self.folder / partition.name


def _load(
    file: _File,
    first: int,
    last: int,
    columns: Collection[str] | None,
    forming: Forming | None,
) -> Callable[[], pa.Table]:
    if forming is None:
        return file.load(first, last, columns)
    return file.load_known(first, last, columns, forming)


def _decoded(
    pending: Pending,
    found: Sequence[_Loaded],
    kinds: Kinds,
    span: TimeRange,
    columns: Collection[str] | None,
) -> pa.Table:
    """Return the bars of loaded partitions and of the journal."""
    tables = [each.rows() for each in found]
    table = joined(table for table in tables if len(table))
    if pending.rows:
        known = [(each.partition, each.metadata.flushed) for each in found]
        newer = pending.table(known, _since(found, span), span.last)
        table = upserted(table, newer if columns is None else _some(newer, columns))
    table = with_kinds(table, kinds) if kinds else table
    return table if span.newest is None else table.slice(max(0, len(table) - span.newest))


def any_metadata(disk: Disk, folder: Path) -> Metadata | None:
    """Return the metadata of one of the partitions in a folder, None if there are none."""

    def look_at_first() -> Metadata | None:
        partitions = layout_of(disk.names(folder)).partitions
        if not partitions:
            return None
        with _opened(disk, folder / partitions[0].name) as file:
            return PartitionFile(file).metadata

    return _steadily(folder, look_at_first)


def _steadily(folder: Path, look: Callable[[], _Result]) -> _Result:
    """Return what `look` returns, once no partition vanishes between listing and opening."""
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


def _within(layout: Layout, first: int, last: int) -> list[Partition]:
    """Return the partitions that overlap a range."""
    return [
        partition
        for partition in layout.partitions
        if partition.first <= last and first <= partition.last
    ]


def _since(found: Sequence[_Loaded], span: TimeRange) -> int:
    """Return from which instant on all partitions of a range are among those that were read."""
    return max(span.first, found[0].since) if found and span.newest is not None else span.first


def _back_to(groups: Sequence[Group], first: int, last: int, count: int) -> tuple[int, int]:
    """Return since when a range has `count` bars in these row groups, and how many it surely has.

    If they have fewer, the range begins where it did.
    """
    rows = 0
    for group in reversed(groups):
        if group.first < first:
            break
        rows += group.rows if group.last <= last else 0
        if rows >= count:
            return group.first, rows
    return first, rows


def _row_kinds(rows: Iterable[Row]) -> list[Kinds]:
    """Return the kinds of some rows of the journal, those of a line once."""
    return [*{id(row.kinds): row.kinds for row in rows if row.kinds}.values()]


def _whole_numbers(found: Iterable[_Loaded], rows: Iterable[Row]) -> set[str]:
    """Return the further columns of whole numbers, which may be floats elsewhere in the series."""
    given = [*(each.metadata.columns or {} for each in found), *_row_kinds(rows)]
    return {name for kinds in given for name, kind in kinds.items() if kind == "int64"}


def _some(table: pa.Table, columns: Collection[str]) -> pa.Table:
    """Return a series table without columns that were not asked for."""
    kept = {"date", *columns, *((EXACT,) if "volume" in columns else ())}
    kept |= set(extra_names(table.column_names)) if EVERY in columns else set()
    return table.select([name for name in table.column_names if name in kept])


def _coverage(first: int, last: int, count: int) -> Coverage:
    return Coverage(to_datetime(first, aware=True), to_datetime(last, aware=True), count)
