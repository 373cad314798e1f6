"""Writes series: upserts bars into partitions, splits and merges these, and deletes bars.

A writer holds the lock of its series. A reader, or a crash at any moment, finds every bar: new
partitions are put before those that they replace are removed, and count before these, since their
generation is higher. Partitions that overlap already, after a crash or a copy of another state, are
brought together first.

An upsert of several series is atomic: on an error none of them has changed (law D2). The partitions
of all series are staged before the first is put in place, so a failure in staging (a damaged
partition, a full disk, no memory) needs no rollback. A failure while partitions are put in place
rolls back those before it. No lock is held between the steps, however many series there are: each
step checks again whether another writer came between. A kill, or a power loss, between two series
leaves each of them complete: some new, the others old.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.extra import agreed, kinds_of
from storecore.bars.table import EMPTY, SERIES, instants_of
from storecore.errors import CorruptData, StorageError
from storecore.values.logger import log as _log
from storecore.values.times import EARLIEST, EVER, LATEST
from storecore_file.bars.history import NO_PAST, BarHistory, Past
from storecore_file.bars.journal import Flushed, KindsChangedError, Pending, furthest
from storecore_file.bars.journal_lines import HOUR, Key
from storecore_file.bars.kinds import Kinds, joined, rows_of, union, upserted, with_kinds
from storecore_file.bars.layout import (
    BAR_BYTES,
    MARK,
    PARTITION_ROWS,
    SMALL_BYTES,
    Layout,
    NewPartition,
    Partition,
    ceiling,
    covering,
    floor,
    may_merge,
    mergeable,
    new_partitions,
    parsed,
    partition_of,
    split_last,
    with_open_end,
)
from storecore_file.bars.overlaps import OpenPartition, clusters, gaps, older, shown
from storecore_file.bars.parallel import in_parallel
from storecore_file.bars.partition import (
    SEVEN_COLUMNS,
    Metadata,
    PartitionFile,
    encode,
)
from storecore_file.bars.recorded import Recorded
from storecore_file.bars.series import Series
from storecore_file.bars.unflushed import Known, Layer, Unflushed, unflushed
from storecore_file.bars.versions import NOTHING, Dated, Merged, Replaced, concatenated
from storecore_file.fs.disk import Staged
from storecore_file.fs.errors import best_effort
from storecore_file.fs.locks import Locked
from storecore_file.fs.quarantine import copy_to_quarantine, quarantine_path
from storecore_file.fs.rollback import Rollback
from storecore_file.fs.stat import Fingerprint, fingerprint
from storecore_file.history import ClockMovedError
from storecore_file.rename_intent import RenamingError

_Result = TypeVar("_Result")
_WRITERS = 4  # of the partitions of one series: one waits for the disk while another is encoded
_SHARES = (100, 85, 70, 55, 120, 140)  # of PARTITION_ROWS, until all names are new
Seen = tuple[list[str], list[Fingerprint | None]]
Doubtful = Mapping[Partition, str]  # partitions that go to quarantine, and why
_NONE: Doubtful = MappingProxyType({})


class _Origin(NamedTuple):
    """A partition that another is made from."""

    name: str
    generation: int
    identity: int


class _Filled(NamedTuple):
    """A partition with its bars, how far it has taken in the journal, and its origins.

    `recorded` says when the bars were recorded, `replaced` which versions the write has replaced.
    """

    partition: Partition
    bars: pa.Table
    flushed: Flushed
    origins: tuple[_Origin, ...] = ()
    recorded: Recorded = NOTHING.recorded
    replaced: tuple[Replaced, ...] = ()

    @property
    def merged(self) -> Merged:
        """Its bars, to be changed."""
        return Merged(Dated(self.bars, self.recorded), self.replaced)

    def instants(self) -> Iterator[int]:
        """Yield what a generation of it has to be above."""
        yield from (origin.generation for origin in self.origins)
        yield self.recorded.newest()
        yield from (each.newest() for each in self.replaced)

    def with_bars(self, merged: Merged) -> _Filled:
        """Return the partition with changed bars."""
        (bars, recorded), replaced, _ = merged
        return self._replace(bars=bars, recorded=recorded, replaced=replaced)

    def part(self, partition: Partition, start: int, stop: int) -> _Filled:
        """Return a partition of some of its rows."""
        bars, recorded = self.merged.bars.part(start, stop)
        return self._replace(partition=partition, bars=bars, recorded=recorded)


class _Change(NamedTuple):
    """The kinds of further columns that a write changes, and the rows of the journal until then."""

    kinds: Kinds
    pending: Pending


class _Upserted(NamedTuple):
    """Partitions to write: with rows of the journal that were in none yet, with other kinds."""

    put: list[_Filled]
    took: bool
    change: _Change | None
    doubtful: Doubtful = _NONE


class _Group(NamedTuple):
    """The dates of a batch, from first to last, in one partition or between two (None)."""

    partition: Partition | None
    low: int
    high: int
    first: int
    last: int

    def has_all(self, dates: Sequence[int]) -> bool:
        """Return whether all of a batch's dates are in it."""
        return dates[0] == self.first and dates[-1] == self.last


class Prepared(NamedTuple):
    """A staged upsert: its files, and the state of the series that they were made from."""

    staged: list[Staged]
    gone: list[Path]
    partitions: list[Partition]
    pending: Pending
    made: int  # how many of its partitions are new
    seen: Seen = ([], [])
    took: bool = False  # rows of the journal that were in no partition
    change: _Change | None = None
    whole: bool = False  # the series becomes exactly the new bars
    doubtful: Doubtful = _NONE
    past: Past = NO_PAST

    @classmethod
    def nothing(cls) -> Prepared:
        """Return an upsert of nothing."""
        return cls([], [], [], Pending((), ()), 0)

    def names(self) -> set[str]:
        """Return the names of the partitions before and after."""
        return {partition.name for partition in self.partitions} | {
            each.path.name for each in self.staged
        }

    def is_to_be_merged(self) -> bool:
        """Return whether there may be two closed partitions to merge, beside the open one."""
        return self.made > 0 and len(self.names()) - len(self.gone) > 2


class SeriesWriter:
    """Writes one series, whose folder exists."""

    def __init__(self, series: Series, lock_timeout: float, history: BarHistory) -> None:
        self._series = series
        self._history = history
        self.folder = series.folder
        self.disk = self._disk = series.disk
        self._journal = series.journal
        self._found = Layout([], overlap=False)  # as `_layout` has seen it last, under the lock
        self._locked = partial(Locked, series.folder / ".lock", lock_timeout)
        self._since = 0  # no later than the look at the journal

    def write(self, new: pa.Table) -> None:
        """Upsert a series table, together with what the journal has of the series."""
        with self._locked():
            self._upsert(new)

    def delete(self, first: int, last: int) -> int:
        """Remove the bars from instant `first` to `last`; return how many there were.

        A partition that has taken in rows of the journal stays when it is empty: else the journal's
        would count again. `drop_empty` removes it once they are gone from there.
        """
        with self._locked():
            return _unless_asked(partial(self._delete, first, last))

    def _delete(self, first: int, last: int) -> int:
        self._upsert(EMPTY)
        partitions, pending = self._partitions(), self._pending()
        touched = [
            self._filled(partition, pending)
            for partition in partitions
            if _overlap(partition, first, last)
        ]
        kept = [each.with_bars(each.merged.without(first, last)) for each in touched]
        self._shrink(touched, kept, partitions, pending)
        return sum(len(filled.bars) for filled in touched) - sum(
            len(filled.bars) for filled in kept
        )

    def _shrink(
        self,
        touched: list[_Filled],
        kept: list[_Filled],
        partitions: list[Partition],
        pending: Pending,
    ) -> None:
        """Put partitions in place that have lost bars."""
        written = self._with_kinds_of(touched, kept, partitions, pending)
        has_left = any(len(each.bars) for each in written)
        lost = {} if has_left else union(kinds_of(each.bars) for each in touched)
        change = _Change({}, pending) if lost else None
        self._replace_or_remove(written, partitions, pending, change)

    def restore(self, past: Replaced, present: Dated) -> None:
        """Take in versions of another store: what was replaced, and what is held.

        A bar that takes the place of one that ends replaces it with one rename, so that no reader
        misses the date (law B4). Only then are those removed that end without another one.
        """
        ended = {
            *zip(instants_of(past.old.bars), past.old.recorded.column().to_pylist(), strict=True)
        }
        with self._locked():
            self._history.restore(self._series.key, past)
            _unless_asked(partial(self._put_in, present))
            if ended:
                _unless_asked(partial(self._take_out, ended))

    def _take_out(self, ended: Collection[tuple[int, int]]) -> None:
        """Remove bars that are versions in the log by now, given by date and `recorded`."""
        self._upsert(EMPTY)
        partitions, pending = self._partitions(), self._pending()
        touched, kept = list[_Filled](), list[_Filled]()
        for partition in partitions:
            if any(partition.first <= date <= partition.last for date, _ in ended):
                filled = self._filled(partition, pending)
                left = _without(filled.merged.bars, ended)
                if len(left.bars) < len(filled.bars):
                    touched.append(filled)
                    kept.append(filled.with_bars(Merged(left)))
        if touched:
            self._shrink(touched, kept, partitions, pending)

    def _put_in(self, present: Dated) -> None:
        """Upsert bars with their instants. What they replace is in the log already."""
        if not len(present.bars):
            return
        self._upsert(EMPTY)
        partitions, pending = self._partitions(), self._pending()
        put, _, change, _ = self._upsert_of(present.bars, partitions, pending, present.recorded)
        self._replace([each._replace(replaced=()) for each in put], partitions, change=change)
        self._tidy()

    def merge(self, patient: bool) -> int:
        """Merge small closed partitions into their neighbours.

        Return how many partitions went away.
        """
        with self._locked():
            self._upsert(
                EMPTY
            )  # partitions with different states of the journal must not be merged
            merged = self._merge(patient)
            self._mark(bool(self._series.kinds()))
            return merged

    def _mark(self, has_columns: bool) -> None:
        """Mark the series if it has further columns: the mark is lost if files are copied alone."""
        if has_columns and not self._found.marked:
            self._disk.add(self.folder / MARK, b"")

    def drop_empty(self) -> None:
        """Remove partitions without bars that the journal does not need any more.

        Large files are not opened: they have bars.
        """
        with self._locked():
            pending = self._pending()
            take = partial(self._taken, pending=pending)
            empty = [
                self._series.open(partition, take)
                for partition in self._partitions()
                if self._is_small(partition) and not self._has_bars(partition)
            ]
            gone = [each.partition for each in empty if not pending.needs(each.flushed)]
            self._remove(gone)

    def prepare(self, new: pa.Table, staged: list[Staged], whole: bool = False) -> Prepared:
        """Stage the partitions of an upsert for `put`; other writers may come between.

        `whole` says that the series becomes exactly the new bars. `staged` gets the files, also if
        this is interrupted.
        """
        with self._locked():
            return self._prepared(new, staged, whole)

    def put(self, new: pa.Table, prepared: Prepared, rollback: Rollback) -> Prepared:
        """Put a prepared upsert in place, prepared again if another writer came between.

        Returns what was put. `rollback` backs up what was there before.
        """
        with self._locked():
            if self._seen(prepared) != prepared.seen:
                prepared = self._prepared_again(new, prepared)
            while not self._is_put(prepared, rollback):
                rollback.discard()
                prepared = self._prepared_again(new, prepared)
            if prepared.took:
                self._journal.take(self._series.key, prepared.pending)
            return prepared

    def _is_put(self, prepared: Prepared, rollback: Rollback) -> bool:
        """Put a prepared upsert in place; return False if its kinds of columns are outdated."""
        self._quarantine_all(prepared.doubtful)
        for path, temporary in prepared.staged:
            rollback.keep(path, temporary)
        for path in prepared.gone:
            rollback.keep(path, None)
        if not prepared.staged:  # who wrote the bars may have been killed before a sync
            self._disk.sync_folder(self.folder)
        try:
            self._exchange(prepared.staged, prepared.gone, prepared.change, prepared.past)
        except (KindsChangedError, ClockMovedError):
            return False
        except BaseException:
            with suppress(StorageError):  # the error that matters is on its way
                rollback.roll_back()
            raise
        return True

    def _prepared_again(self, new: pa.Table, prepared: Prepared) -> Prepared:
        self._disk.discard(prepared.staged)
        prepared.staged.clear()
        return self._prepared(new, prepared.staged, prepared.whole)

    def roll_back(self, new: pa.Table, prepared: Prepared, rollback: Rollback) -> None:
        """Roll back what was put: the partitions or, if others wrote meanwhile, the bars of `new`.

        The bars of `new` also if somebody has asked since what the store held: the answer may have
        shown them, so they stay in the history.
        The journal is not flushed meanwhile. A flush that has skipped the series, since the new
        partitions have its rows, would remove these rows with the journal.
        """
        with self._flush_lock(prepared.pending), self._locked():
            alone = {
                partition.name for partition in self._series.layout().partitions
            } <= prepared.names()
            journal_is_there = self._journal.are_there(prepared.pending)
            if alone and journal_is_there and rollback.is_undisturbed():
                change = prepared.change and prepared.change._replace(kinds={})
                with suppress(ClockMovedError):
                    work = partial(self._roll_back_unseen, prepared.past, rollback)
                    return self._change_kinds(work, change)
            before = self._before(prepared, rollback)
            return _unless_asked(lambda: self._give_back(new, before, prepared.whole))

    def _roll_back_unseen(self, past: Past, rollback: Rollback) -> None:
        """Roll a write back, unless somebody has asked what the store held since (law K3).

        Then this raises `ClockMovedError`: its bars have become versions that were replaced.
        """
        with self._history.clock.publishing(past.instant):
            rollback.roll_back()

    def _flush_lock(self, pending: Pending) -> Locked | nullcontext[None]:
        """Return the lock that prevents a flush of the journal, if some rows lie in it."""
        return self._journal.flush_lock() if pending.rows else nullcontext()

    def tidy(self) -> None:
        """Merge closed partitions."""
        with self._locked():
            self._tidy()

    def _prepared(self, new: pa.Table, staged: list[Staged], whole: bool) -> Prepared:
        partitions = self._undamaged_or_all() if whole else self._partitions()
        pending = self._pending()
        upserted_by = self._replacement_of if whole else self._upsert_of
        put, took, change, doubtful = upserted_by(new, partitions, pending)
        gone, past = self._stage(put, partitions, staged)
        made = sum(filled.partition not in partitions for filled in put)
        prepared = Prepared(
            staged,
            gone,
            partitions,
            pending,
            made,
            took=took,
            change=change,
            whole=whole,
            doubtful=doubtful,
        )._replace(past=past)
        return prepared._replace(seen=self._seen(prepared))

    def _undamaged_or_all(self) -> list[Partition]:
        """Return the partitions, brought together if none that overlap is damaged."""
        try:
            return self._partitions()
        except CorruptData:
            return self._layout().partitions

    def _seen(self, prepared: Prepared) -> Seen:
        """Return the existing partitions, and the identities of those that will be replaced."""
        replaced = (*(each.path for each in prepared.staged), *prepared.gone)
        names = [partition.name for partition in self._series.layout().partitions]
        return names, [fingerprint(path) for path in replaced]

    def _before(self, prepared: Prepared, rollback: Rollback) -> pa.Table:
        """Return the bars of the replaced partitions, as they were read before."""
        backups = {path.name: backup for path, backup in rollback.backups()}
        replaced = [partition for partition in prepared.partitions if partition.name in backups]
        found = [self._series.open_at(backups[partition.name], _all_of) for partition in replaced]
        known = [
            (partition, metadata.flushed)
            for partition, (metadata, _) in zip(replaced, found, strict=True)
        ]
        bars = joined(rows for _, rows in found)
        return upserted(bars, prepared.pending.table(known, EARLIEST, LATEST))

    def _give_back(self, ours: pa.Table, before: pa.Table, whole: bool) -> None:
        """Restore bars that are unchanged since they were written; bars of other writers stay."""
        self._upsert(EMPTY)
        partitions, pending = self._partitions(), self._pending()
        if whole and len(before):
            old = _before_with(self._series.read(EVER), ours, before)
            put, _, change, _ = self._replacement_of(old, partitions, pending)
            return self._replace(put, partitions, change=change)
        dates = instants_of(ours)
        touched = [
            partition for partition in partitions if _overlap(partition, dates[0], dates[-1])
        ]
        filled = [self._filled(partition, pending) for partition in touched]
        kept = [
            each.with_bars(each.merged.exactly(_as_before(each.bars, ours, before)))
            for each in filled
        ]
        return self._replace_or_remove(kept, partitions, pending)

    def _upsert(self, new: pa.Table) -> None:
        while True:
            with suppress(KindsChangedError, ClockMovedError):
                return self._try_to_upsert(new)

    def _pending(self) -> Pending:
        """Return the rows of the journal, for a write that is made again if others may show."""
        self._since = self._history.clock.take(0)
        return self._journal.settled(self._series.key)

    def _try_to_upsert(self, new: pa.Table) -> None:
        partitions, pending = self._partitions(), self._pending()
        put, took, change, _ = self._upsert_of(new, partitions, pending)
        if not put:
            if pending.rows or len(new):  # who wrote them may have been killed before a sync
                self._disk.sync_folder(self._series.folder)
            return
        self._replace(put, partitions, change=change)
        if took:
            self._journal.take(self._series.key, pending)
        if any(filled.partition not in partitions for filled in put):
            self._tidy()

    def _upsert_of(
        self,
        new: pa.Table,
        partitions: list[Partition],
        pending: Pending,
        recorded: Recorded | None = None,
    ) -> _Upserted:
        """Return the partitions to write for new bars and for the journal's rows of the series.

        A partition in which no bar would change, and that knows the journal's rows, is left out.
        With `recorded`, the bars replace equal ones too.
        """
        waiting = self._unflushed(pending)
        new, change = self._agreed(new, waiting, pending)
        layer = Layer(Dated.now(new)) if recorded is None else Layer(Dated(new, recorded), recorded)
        layers = (*waiting.layers, layer)
        batch = waiting._replace(layers=layers) if len(new) else waiting
        put: list[_Filled] = []
        dates = batch.dates()
        for group in _groups(dates, partitions):
            rows = batch if group.has_all(dates) else batch.part(group.first, group.last)
            last = group.partition in partitions[-1:]
            put += self._grown(group, rows, pending, last, change)
        return _Upserted(put, bool(waiting.layers) and len(new) > 0, change)

    def _agreed(
        self, new: pa.Table, waiting: Unflushed, pending: Pending
    ) -> tuple[pa.Table, _Change | None]:
        """Return new bars with the columns of the series, and what they change of their kinds.

        Raises `InvalidData` for a column of another kind (law B6).
        """
        if new.num_columns == len(SERIES):
            return new, None
        rows = waiting.tables()
        stored_kinds = map(self._series.kinds_in, self._found.partitions)
        known = union([*stored_kinds, *map(kinds_of, rows)])
        stored = partial(self._stored, rows)
        kinds, bars = agreed(known, new, stored, self._series.symbol)
        if self._found.marked:
            kinds = {name: kind for name, kind in kinds.items() if known.get(name) != kind}
        return bars, _Change(kinds, pending) if kinds else None

    def _stored(self, rows: Sequence[pa.Table], name: str) -> Iterator[pa.ChunkedArray]:
        """Yield all stored values of a further column."""
        tables = (
            self._series.open(partition, lambda _, file: file.rows(EARLIEST, LATEST, [name]))
            for partition in self._series.layout().partitions
        )
        for table in (*rows, *tables):
            if name in table.column_names:
                yield table[name]

    def _replacement_of(
        self, new: pa.Table, partitions: list[Partition], pending: Pending
    ) -> _Upserted:
        """Return one partition that covers all the series had, and holds exactly the new bars.

        So the series changes with one rename. It takes in the journal's rows, and drops them. What
        it had is not needed: a damaged partition, or one of another state of the store, is replaced
        once a copy of it is in quarantine (laws D5, D6). One that cannot be read is an error.
        """
        known, old, damaged = self._proven(partitions, pending)
        waiting = unflushed(pending, known, self._series.recorded_at)
        dates = instants_of(new)
        ends = [dates[0], dates[-1], *(row.values[0] for row in pending.rows)]
        ends += [end for each in partitions for end in (each.first, each.last)]
        whole = partition_of(floor(min(ends), "month"), ceiling(max(ends), "month"))
        flushed = furthest([pending.through, *(each.flushed for each in old)])
        origins = tuple(origin for each in old for origin in each.origins)
        kinds = kinds_of(new)
        change = _Change(kinds, pending) if kinds or self._found.marked else None
        doubtful = damaged | self._diverged([each.partition for each in old])
        filled = _Filled(whole, new, flushed, origins)
        put = filled.with_bars(waiting.onto(_apart(old)).exactly(new))
        return _Upserted([put], bool(waiting.layers), change, doubtful)

    def _proven(
        self, partitions: list[Partition], pending: Pending
    ) -> tuple[Known, list[_Filled], dict[Partition, str]]:
        """Return the partitions that are whole, with their metadata, and which are damaged."""
        known, old = list[tuple[Partition, Metadata]](), list[_Filled]()
        damaged = dict[Partition, str]()
        for partition in partitions:
            try:
                metadata, filled = self._series.open(partition, partial(self._proof, pending))
            except CorruptData as error:
                damaged[partition] = str(error).removeprefix(f"{self._series.path(partition)}: ")
            else:
                known.append((partition, metadata))
                old.append(filled)
        return known, old, damaged

    def _proof(
        self, pending: Pending, partition: Partition, file: PartitionFile
    ) -> tuple[Metadata, _Filled]:
        file.prove()
        return file.metadata, self._loaded(pending, partition, file)

    def _diverged(self, partitions: Sequence[Partition]) -> dict[Partition, str]:
        """Return the partitions that newer ones overlap and that have bars which these lack."""
        found = dict[Partition, str]()
        for cluster in clusters(partitions):
            if len(cluster) > 1:
                with self._series.held(cluster) as held:
                    found |= _diverged(held)
        return found

    def copy_to(self, other: Series, generation: int) -> None:
        """Write all bars into the folder of another series. The caller holds the locks of both."""
        flushed = self._journal.pending(other.key).through

        def copy(piece: Partition, file: PartitionFile) -> None:
            bars = file.rows(piece.first, piece.last)
            path = other.path(partition_of(piece.first, piece.last))
            self._disk.replace(path, encode(*other.key, bars, flushed, generation))
            held = Dated(file.rows(EARLIEST, LATEST), file.recorded())
            moved.append(held.between(piece.first, piece.last))

        if self._series.layout().marked:
            self._disk.add(other.folder / MARK, b"")
        moved: list[Dated] = []
        self._series.each(copy)
        gone = tuple(Replaced(each, Recorded(len(each.bars))) for each in moved)
        self._history.keep(self._series.key, Past(generation, gone))

    def divide(self, taken: Collection[str]) -> None:
        """Cut partitions that are too long, into others than those with some names.

        A reader that is between two partitions would else find the name of an older one there.
        """
        with self._locked():
            _unless_asked(partial(self._divide_all, taken))

    def _divide_all(self, taken: Collection[str]) -> None:
        partitions, pending = self._partitions(), self._pending()
        for partition in partitions:
            if self._rows(partition) > 2 * PARTITION_ROWS:
                self._divide(self._filled(partition, pending), taken)

    def _divide(self, filled: _Filled, taken: Collection[str]) -> None:
        dates, partition = instants_of(filled.bars), filled.partition
        for percent in _SHARES:
            rows = PARTITION_ROWS * percent // 100
            cut = new_partitions(dates, partition.first, partition.last, rows)
            cut = covering(cut, partition)  # rows of the journal that were dropped stay so
            if len(cut) > 1 and not any(each.partition.name in taken for each in cut):
                put = [filled.part(*each) for each in cut]
                return self._replace(put, [partition])
        return None  # the next write to it does so

    def _partitions(self) -> list[Partition]:
        """Return the partitions, after any that overlap are brought together.

        Raises `RenamingError` if a rename of the symbol has to be settled before.
        """
        layout = self._layout()
        while layout.overlap:
            pending = self._pending()
            for cluster in clusters(layout.partitions):
                if len(cluster) > 1:
                    with suppress(ClockMovedError):
                        self._bring_together(cluster, pending)
            layout = self._layout()
        return layout.partitions

    def _layout(self) -> Layout:
        """Return the partitions. Raises `RenamingError` as `_partitions` does."""
        layout = self._found = self._series.layout()
        if layout.renaming and self._journal.renames.concerns(self._series.symbol):
            raise RenamingError
        return layout

    def _bring_together(self, cluster: list[Partition], pending: Pending) -> None:
        """Replace partitions that overlap by the newest, or by one with all bars that count.

        Those that are not proven to be superseded are copied to quarantine before.
        """
        with self._series.held(cluster) as held:
            old = older(held)
            doubtful = _diverged(held)
            flushed = {each.partition: each.file.metadata.flushed for each in held}
            needed = [one for one in old if one.shown or pending.needs(flushed[one.partition])]
            whole = self._union(held, pending) if needed else None
            kinds = union(each.file.kinds for each in held)
        self._quarantine_all(doubtful)
        change = _Change({}, pending) if kinds else None
        if whole is not None:
            self._replace([whole], cluster, change=change)
        else:
            gone = [one.partition for one in old]
            left = [partition for partition in cluster if partition not in gone]
            self._remove(gone, left, change)

    def _union(self, held: Sequence[OpenPartition], pending: Pending) -> _Filled:
        """Return one partition in place of several, with the journal's rows of its range."""
        partition = partition_of(held[0].partition.first, max(each.partition.last for each in held))
        pieces = shown(held)
        bars = concatenated(
            Dated(file.rows(EARLIEST, LATEST), file.recorded()).between(piece.first, piece.last)
            for piece, file in pieces
        )
        known = [(piece, file.metadata) for piece, file in pieces]
        waiting = unflushed(pending, known, self._series.recorded_at)
        gaps = waiting.part(partition.first, partition.last)
        filled = [self._taken(*each, pending) for each in held]
        flushed = furthest([pending.through, *(each.flushed for each in filled)])
        origins = tuple(origin for each in filled for origin in each.origins)
        return _Filled(partition, EMPTY, flushed, origins).with_bars(gaps.onto(Merged(bars)))

    def _quarantine_all(self, doubtful: Doubtful) -> None:
        """Copy partitions to quarantine, before they are replaced or removed."""
        base_path = self._journal.folder.parent.parent
        for partition, problem in doubtful.items():
            path = self._series.path(partition)
            into = quarantine_path(base_path, path, datetime.now(UTC))
            copy_to_quarantine(self._disk, path, into)
            _log.warning("%s: %s; kept as %s", path, problem, into)

    def _unflushed(self, pending: Pending) -> Unflushed:
        """Return the journal's rows that are in no partition yet."""
        if not pending.rows:
            return Unflushed()
        known = self._series.each(lambda partition, file: (partition, file.metadata))
        return unflushed(pending, known, self._series.recorded_at)

    def _grown(
        self,
        group: _Group,
        rows: Unflushed,
        pending: Pending,
        last: bool,
        change: _Change | None,
    ) -> Iterator[_Filled]:
        """Yield the partitions to write for the rows of one group."""
        if group.partition is None:
            filled = _Filled(Partition(group.low, group.high, ""), EMPTY, pending.through)
        else:
            filled = self._filled(group.partition, pending)
        grown = rows.onto(filled.merged)
        if change is not None and change.kinds:
            bars, recorded = grown.bars
            bars = with_kinds(bars, change.kinds)
            grown = grown._replace(bars=Dated(bars, recorded), changed=True)
        if not grown.changed and not pending.rows:
            return
        filled = filled.with_bars(grown)
        filled = filled._replace(flushed=furthest([filled.flushed, pending.through]))
        yield from self._divided(filled, group, pending, last)

    def _divided(
        self, filled: _Filled, group: _Group, pending: Pending, last: bool
    ) -> Iterator[_Filled]:
        """Yield a partition that has grown, or what it is cut into."""
        dates = instants_of(filled.bars)
        if group.partition is None:
            cut = new_partitions(dates, group.low, group.high)
            cut = with_open_end(cut, dates) if group.high == LATEST else cut
        else:
            cut = _cut(dates, group.partition, group.first, last)
            if not cut:
                yield filled
            elif pending.rows:  # those that were taken in and deleted must not count again
                cut = covering(cut, group.partition)
        for number, each in enumerate(cut):
            part = filled.part(*each)
            yield part if number == 0 else part._replace(replaced=())

    def _filled(self, partition: Partition, pending: Pending) -> _Filled:
        return self._series.open(partition, partial(self._loaded, pending))

    def _loaded(self, pending: Pending, partition: Partition, file: PartitionFile) -> _Filled:
        bars, recorded = file.rows(EARLIEST, LATEST), file.recorded()
        return self._taken(partition, file, pending)._replace(bars=bars, recorded=recorded)

    def _taken(self, partition: Partition, file: PartitionFile, pending: Pending) -> _Filled:
        """Return what a partition says of itself, without its bars."""
        flushed = file.metadata.flushed
        if file.metadata.version < SEVEN_COLUMNS and flushed != (flushed := pending.known(flushed)):
            self._disk.sync_folder(self._journal.folder)  # or retired files may come back
        origin = _Origin(partition.name, file.metadata.generation, file.identity)
        return _Filled(partition, EMPTY, flushed, (origin,))

    def _with_kinds_of(
        self,
        before: list[_Filled],
        kept: list[_Filled],
        partitions: list[Partition],
        pending: Pending,
    ) -> list[_Filled]:
        """Return partitions after a deletion, and one more if it has to keep kinds of the series.

        A column keeps its kind until the series is deleted whole; an empty partition has none.
        """
        kinds = union(kinds_of(each.bars) for each in before)
        if not kinds:
            return kept
        left = [each for each in kept if len(each.bars)]
        emptied = [each._replace(bars=EMPTY) for each in kept if not len(each.bars)]
        done = {each.partition for each in before}
        others = [each for each in partitions if each not in done and self._has_bars(each)]
        known = union(
            [*(kinds_of(each.bars) for each in left), *map(self._series.kinds_in, others)]
        )
        lost = {name: kind for name, kind in kinds.items() if known.get(name) != kind}
        if lost and (left or others):
            holder = left.pop() if left else self._filled(others[-1], pending)
            left.append(holder._replace(bars=with_kinds(holder.bars, lost)))
        return [*left, *emptied]

    def _is_small(self, partition: Partition) -> bool:
        return (self._disk.size(self._series.path(partition)) or 0) <= SMALL_BYTES

    def _has_bars(self, partition: Partition) -> bool:
        return self._rows(partition) > 0

    def _replace_or_remove(
        self,
        kept: list[_Filled],
        partitions: list[Partition],
        pending: Pending,
        change: _Change | None = None,
    ) -> None:
        """Replace partitions that lost bars, and remove empty ones that are not needed."""
        put = [each for each in kept if len(each.bars) or pending.needs(each.flushed)]
        names = {filled.partition for filled in put}
        emptied = [filled for filled in kept if filled.partition not in names]
        self._replace(put, partitions, emptied, change)

    def _replace(
        self,
        put: list[_Filled],
        partitions: list[Partition],
        emptied: Sequence[_Filled] = (),
        change: _Change | None = None,
    ) -> None:
        """Replace partitions by those that overlap them: all or, on an error, none.

        Raises as `_exchange` does.
        """
        staged: list[Staged] = []
        try:
            gone, past = self._stage(put, partitions, staged, emptied)
            gone += [self._series.path(each.partition) for each in emptied]
            self._exchange(staged, gone, change, past)
        except BaseException:
            self._disk.discard(staged)
            raise

    def _exchange(
        self,
        staged: list[Staged],
        gone: list[Path],
        change: _Change | None = None,
        past: Past = NO_PAST,
    ) -> None:
        """Put staged partitions in place and remove others, with their rows of the journal.

        Raises `KindsChangedError` if the journal has got rows that contradict the change of kinds,
        `ClockMovedError` if somebody has asked what the store held since the journal was looked at.
        """
        if gone:
            new = [
                partition for partition in (parsed(each.path.name) for each in staged) if partition
            ]
            self._forget(
                [partition for partition in (parsed(path.name) for path in gone) if partition], new
            )
        self._change_kinds(partial(self._publish, staged, gone, past), change)

    def _publish(self, staged: list[Staged], gone: list[Path], past: Past) -> None:
        """Put staged partitions in place and remove others, once what they replace is kept.

        A batch that was appended to the journal since that was looked at is in no partition and
        counts above them. If a question came after it, the answer stays only if the write takes it
        in, so the write begins anew.
        """
        if not (past.replaced or self._history.clock.is_asked()):
            self._disk.exchange(staged, gone)
            return
        with self._history.clock.publishing(self._since):
            self._history.keep(self._series.key, past)
            self._disk.exchange(staged, gone)

    def _change_kinds(self, work: Callable[[], None], change: _Change | None) -> None:
        """Do some work while no row is appended to the journal, if it changes kinds of columns."""
        if change is None:
            return work()
        with self._journal.kinds_lock() as lock:
            self._journal.expect_kinds(self._series.key, change.pending, change.kinds)
            lock.count_up()
            if change.kinds:
                self._disk.add(self.folder / MARK, b"")
            return work()

    def _stage(
        self,
        put: list[_Filled],
        partitions: list[Partition],
        into: list[Staged],
        emptied: Sequence[_Filled] = (),
    ) -> tuple[list[Path], Past]:
        """Stage filled partitions; return the other files that they replace, and what of these."""
        self._mark(bool(partitions) and any(kinds_of(filled.bars) for filled in put))
        changed = [*put, *emptied]
        seen = max((at for filled in changed for at in filled.instants()), default=0)
        replaced_bars = tuple(each for filled in changed for each in filled.replaced)
        past = Past(self._history.clock.take(seen), replaced_bars)
        in_parallel(partial(self._stage_one, past.instant, into), put, _WRITERS, few=2)
        into.sort()  # by time, whichever thread was first
        kept = {filled.partition for filled in put}
        replaced = [
            partition
            for partition in partitions
            if partition not in kept
            and any(_overlap(partition, new.first, new.last) for new in kept)
        ]
        return list(map(self._series.path, replaced)), past

    def _stage_one(self, instant: int, into: list[Staged], filled: _Filled) -> None:
        path = self._series.path(filled.partition)
        block, recorded = filled.recorded.written(instant)
        content = self._encoded(filled, instant, block)
        self._disk.stage(path, content, into)
        self._series.decoded.hold(path, content, filled.bars, recorded)

    def _encoded(self, filled: _Filled, generation: int, block: bytes) -> bytes:
        others = [each.identity for each in filled.origins if each.name != filled.partition.name]
        symbol, timeframe = self._series.symbol, self._series.timeframe
        return encode(symbol, timeframe, filled.bars, filled.flushed, generation, others, block)

    def _remove(
        self,
        partitions: Sequence[Partition],
        left: Sequence[Partition] = (),
        change: _Change | None = None,
    ) -> None:
        self._forget(partitions, left)
        paths = map(self._series.path, partitions)
        self._change_kinds(lambda: self._disk.remove(*paths), change)

    def _forget(self, gone: Sequence[Partition], left: Sequence[Partition]) -> None:
        """Expect no journal rows in ranges that no partition covers any more: they are deleted."""
        covered = [(partition.first, partition.last) for partition in left]
        for partition in gone:
            for first, last in gaps(partition, covered):
                self._journal.forget(partial(self._is_within, first, last))

    def _is_within(self, first: int, last: int, key: Key, hour: int) -> bool:
        return key == self._series.key and first <= hour * HOUR <= last

    def _tidy(self) -> None:
        """Merge closed partitions. The bars are safe already: a failure is logged."""
        with best_effort(self._series.folder, "merging its partitions is put off"):
            self._merge(patient=True)

    def _weights(self, partitions: Sequence[Partition]) -> list[int]:
        """Return the bytes of partitions, or of as many usual bars if their own are very small.

        One that is too large to be merged is not opened: it has the bytes of its file.
        """
        sizes = [self._disk.size(self._series.path(each)) or 0 for each in partitions]
        return [
            max(size, self._rows(partition) * BAR_BYTES) if asked else size
            for partition, size, asked in zip(partitions, sizes, may_merge(sizes), strict=True)
        ]

    def _rows(self, partition: Partition) -> int:
        return self._series.open(partition, lambda _, file: file.metadata.rows)

    def _merge(self, patient: bool) -> int:
        merged = 0
        while True:
            closed, pending = self._partitions()[:-1], self._pending()
            run = mergeable(self._weights(closed), patient)
            if run is None:
                return merged
            filled = [self._filled(partition, pending) for partition in closed[run]]
            with suppress(ClockMovedError):
                self._replace([_joined(filled, pending.flushed)], closed[run])
                merged += len(filled) - 1


def _unless_asked(work: Callable[[], _Result]) -> _Result:
    """Return what some work returns, done again if a question came between its look and its end."""
    while True:
        with suppress(ClockMovedError):
            return work()


def _without(bars: Dated, ended: Collection[tuple[int, int]]) -> Dated:
    """Return bars without some, given by date and `recorded`."""
    keys = zip(instants_of(bars.bars), bars.recorded.column().to_pylist(), strict=True)
    return Dated.of(bars.table().filter(pa.array([key not in ended for key in keys], pa.bool_())))


def _apart(old: Sequence[_Filled]) -> Merged:
    """Return the bars of the partitions that no other overlaps.

    Of those that overlap after a crash or a restore, nothing becomes history: quarantine has what
    may be missed.
    """
    alone = [
        each
        for each in old
        if not any(
            other is not each
            and _overlap(other.partition, each.partition.first, each.partition.last)
            for other in old
        )
    ]
    return Merged(concatenated(each.merged.bars for each in alone))


def _diverged(held: Sequence[OpenPartition]) -> dict[Partition, str]:
    found = {one.partition: one.problem for one in older(held) if one.problem}
    return {each: f"of another state than newer ones: {found[each]}" for each in found}


def _groups(dates: Sequence[int], partitions: Sequence[Partition]) -> Iterator[_Group]:
    """Yield the dates in each partition, and those between two partitions, in order of time."""
    starts = [partition.first for partition in partitions]
    at = 0
    while at < len(dates):
        before = bisect_right(starts, dates[at]) - 1
        partition = (
            partitions[before] if before >= 0 and dates[at] <= partitions[before].last else None
        )
        low = partitions[before].last + 1 if before >= 0 else EARLIEST
        high = starts[before + 1] - 1 if before + 1 < len(partitions) else LATEST
        stop = bisect_right(dates, high if partition is None else partition.last, at)
        yield _Group(partition, low, high, dates[at], dates[stop - 1])
        at = stop


def _cut(dates: Sequence[int], partition: Partition, since: int, last: bool) -> list[NewPartition]:
    """Return how to cut a partition that has grown; the last one is cut while it is smaller."""
    if len(dates) > 2 * PARTITION_ROWS:
        return new_partitions(dates, partition.first, partition.last)
    return split_last(dates, partition, since) if last else []


def _joined(filled: list[_Filled], past: Flushed) -> _Filled:
    """Return partitions as one that also covers the time between them."""
    partition = partition_of(filled[0].partition.first, filled[-1].partition.last)
    origins = tuple(origin for one in filled for origin in one.origins)
    flushed = furthest([past, *(one.flushed for one in filled)])
    bars = concatenated(one.merged.bars for one in filled)
    return _Filled(partition, EMPTY, flushed, origins).with_bars(Merged(bars))


def _overlap(partition: Partition, first: int, last: int) -> bool:
    return partition.first <= last and first <= partition.last


def _as_before(bars: pa.Table, ours: pa.Table, before: pa.Table) -> pa.Table:
    """Return bars, with those that equal ours restored to what they were before."""
    written = dict(rows_of(ours))
    same = pa.array([date for date, row in rows_of(bars) if written.get(date) == row], pa.int64())
    kept = bars.filter(pc.invert(pc.is_in(_instants(bars), same)))
    return upserted(kept, before.filter(pc.is_in(_instants(before), same)))


def _before_with(now: pa.Table, ours: pa.Table, before: pa.Table) -> pa.Table:
    """Return the bars before a change, with those of other writers, which differ from ours."""
    written = dict(rows_of(ours))
    others = [written.get(date) != row for date, row in rows_of(now)]
    return upserted(before, now.filter(pa.array(others, pa.bool_())))


def _all_of(file: PartitionFile) -> tuple[Metadata, pa.Table]:
    return file.metadata, file.rows(EARLIEST, LATEST)


def _instants(bars: pa.Table) -> pa.ChunkedArray:
    return pc.cast(bars["date"], pa.int64())


class Upsert:
    """The upsert of one of several series."""

    def __init__(self, writer: SeriesWriter, new: pa.Table, whole: bool = False) -> None:
        self._writer = writer
        self._new = new
        self._whole = whole  # the series becomes exactly the new bars
        self._staged: list[Staged] = []
        self._prepared = Prepared.nothing()
        self._rollback = Rollback(writer.disk)

    def prepare(self) -> None:
        """Stage the partitions."""
        self._prepared = self._writer.prepare(self._new, self._staged, self._whole)

    def put(self) -> None:
        """Put the partitions in place; on an error the series is as it was."""
        try:
            self._prepared = self._writer.put(self._new, self._prepared, self._rollback)
        except Exception:
            self._rollback.discard()
            raise

    def roll_back(self) -> None:
        """Roll the series back, however far this had come. A failure is logged."""
        self._writer.disk.discard(self._staged)
        if self._rollback.is_empty():
            return
        with best_effort(self._writer.folder, "bars of a failed write cannot be taken back"):
            self._writer.roll_back(self._new, self._prepared, self._rollback)
        self._rollback.discard()

    def drop_backups(self) -> None:
        """Remove the second names of what was replaced."""
        self._rollback.discard()

    def finish(self) -> None:
        """Drop the backups, and merge closed partitions. A failure is logged."""
        self.drop_backups()
        if self._whole and len(self._new) > 2 * PARTITION_ROWS:
            with best_effort(self._writer.folder, "cutting its partition is put off"):
                self._writer.divide(self._prepared.names())
        if self._prepared.is_to_be_merged():
            with best_effort(self._writer.folder, "merging its partitions is put off"):
                self._writer.tidy()


def all_or_none(
    upserts: Sequence[Upsert], threads: int, last_step: Callable[[], _Result]
) -> _Result:
    """Put all upserts in place; on an error, in the last step too, roll all of them back.

    Return what the last step returns, which nothing takes back.
    """
    failed = Event()

    def step(work: Callable[[Upsert], None]) -> None:
        in_parallel(lambda each: _unless(failed, work, each), upserts, threads)

    try:
        step(Upsert.prepare)
        step(Upsert.put)
        result = last_step()
    except BaseException:
        in_parallel(Upsert.roll_back, upserts, threads)
        raise
    try:
        in_parallel(Upsert.finish, upserts, threads)
    except BaseException:  # of a signal handler
        for upsert in upserts:
            upsert.drop_backups()
        raise
    return result


def _unless(failed: Event, work: Callable[[Upsert], None], upsert: Upsert) -> None:
    """Run a step, unless one of another series has failed: it would only be rolled back."""
    if failed.is_set():
        return
    try:
        work(upsert)
    except BaseException:
        failed.set()
        raise
