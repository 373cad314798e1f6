"""A series, for whoever holds its lock: what a change begins with, and how it is put in place.

Every change of a series looks at its partitions and at the journal, makes drafts of what it
changes, and exchanges files. The look and the exchange belong together: the exchange is refused if
the journal has got rows since, or if somebody has asked meanwhile what the store held. Then the
change starts again.

New partitions are put before those that they replace are removed, and count before these, since
their generation is higher. So a reader, or a crash at any moment, finds every bar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from storecore.bars.extra import kinds_of
from storecore.bars.table import EMPTY
from storecore.values.times import EARLIEST, LATEST
from storecore_file.bars.drafts import Draft, Origin
from storecore_file.bars.history import NO_PAST, BarHistory, Past
from storecore_file.bars.journal import Pending
from storecore_file.bars.journal_lines import HOUR, Key
from storecore_file.bars.kinds import Kinds
from storecore_file.bars.layout import MARK, Layout, Partition, parsed
from storecore_file.bars.overlaps import gaps
from storecore_file.bars.parallel import in_parallel
from storecore_file.bars.partition import SEVEN_COLUMNS, PartitionFile, encode
from storecore_file.bars.series import Series
from storecore_file.fs.disk import Staged
from storecore_file.history import ClockMovedError
from storecore_file.rename_intent import RenamingError

_Result = TypeVar("_Result")
_WRITERS = 4  # of the partitions of one series: one waits for the disk while another is encoded


class KindsChange(NamedTuple):
    """The kinds of further columns that a write changes, and the rows of the journal until then."""

    kinds: Kinds
    pending: Pending


class LockedSeries:
    """One series, whose folder exists, and whose lock the caller holds."""

    def __init__(self, series: Series, history: BarHistory) -> None:
        self.series = series
        self.key = series.key
        self.folder = series.folder
        self.disk = series.disk
        self.journal = series.journal
        self.history = history
        self.found = Layout([], overlap=False)  # the layout as it was seen last
        self._since = 0  # no later than the look at the journal

    def layout(self) -> Layout:
        """Return the partitions.

        Raises `RenamingError` if a rename of the symbol has to be settled before.
        """
        layout = self.found = self.series.layout()
        if layout.renaming and self.journal.renames.concerns(self.series.symbol):
            raise RenamingError
        return layout

    def pending(self) -> Pending:
        """Return the rows of the journal, for a write that is made again if others may show."""
        self._since = self.history.clock.take(0)
        return self.journal.settled(self.key)

    def draft(self, partition: Partition, pending: Pending) -> Draft:
        """Return a partition with its bars."""
        return self.series.open(partition, partial(self.draft_of, pending))

    def draft_of(self, pending: Pending, partition: Partition, file: PartitionFile) -> Draft:
        """Return an open partition with its bars."""
        bars, recorded = file.rows(EARLIEST, LATEST), file.recorded()
        return self.empty_draft(pending, partition, file)._replace(bars=bars, recorded=recorded)

    def empty_draft(self, pending: Pending, partition: Partition, file: PartitionFile) -> Draft:
        """Return what a partition says of itself, without its bars."""
        flushed = file.metadata.flushed
        if file.metadata.version < SEVEN_COLUMNS and flushed != (flushed := pending.known(flushed)):
            self.disk.sync_folder(self.journal.folder)  # or retired files may come back
        origin = Origin(partition.name, file.metadata.generation, file.identity)
        return Draft(partition, EMPTY, flushed, (origin,))

    def rows(self, partition: Partition) -> int:
        """Return how many bars a partition has."""
        return self.series.open(partition, lambda _, file: file.metadata.rows)

    def mark(self, has_columns: bool) -> None:
        """Mark the series if it has further columns: the mark is lost if files are copied alone."""
        if has_columns and not self.found.marked:
            self.disk.add(self.folder / MARK, b"")

    def replace_or_remove(
        self,
        kept: Sequence[Draft],
        partitions: Sequence[Partition],
        pending: Pending,
        change: KindsChange | None = None,
    ) -> None:
        """Replace partitions that lost bars, and remove empty ones that are not needed."""
        put = [each for each in kept if len(each.bars) or pending.needs(each.flushed)]
        names = {draft.partition for draft in put}
        emptied = [draft for draft in kept if draft.partition not in names]
        self.replace(put, partitions, emptied, change)

    def replace(
        self,
        put: Sequence[Draft],
        partitions: Sequence[Partition],
        emptied: Sequence[Draft] = (),
        change: KindsChange | None = None,
    ) -> None:
        """Replace partitions by those that overlap them: all or, on an error, none.

        Raises as `exchange` does.
        """
        staged: list[Staged] = []
        try:
            gone, past = self.stage(put, partitions, staged, emptied)
            gone += [self.series.path(each.partition) for each in emptied]
            self.exchange(staged, gone, change, past)
        except BaseException:
            self.disk.discard(staged)
            raise

    def stage(
        self,
        put: Sequence[Draft],
        partitions: Sequence[Partition],
        into: list[Staged],
        emptied: Sequence[Draft] = (),
    ) -> tuple[list[Path], Past]:
        """Stage drafts; return the other files that they replace, and what of these."""
        self.mark(bool(partitions) and any(kinds_of(draft.bars) for draft in put))
        changed = [*put, *emptied]
        seen = max((at for draft in changed for at in draft.instants()), default=0)
        replaced_bars = tuple(each for draft in changed for each in draft.replaced)
        past = Past(self.history.clock.take(seen), replaced_bars)
        in_parallel(partial(self._stage_one, past.instant, into), put, _WRITERS, few=2)
        into.sort()  # by time, whichever thread was first
        kept = {draft.partition for draft in put}
        replaced = [
            partition
            for partition in partitions
            if partition not in kept
            and any(partition.overlaps(new.first, new.last) for new in kept)
        ]
        return list(map(self.series.path, replaced)), past

    def _stage_one(self, instant: int, into: list[Staged], draft: Draft) -> None:
        path = self.series.path(draft.partition)
        block, recorded = draft.recorded.written(instant)
        others = [each.identity for each in draft.origins if each.name != draft.partition.name]
        content = encode(*self.key, draft.bars, draft.flushed, instant, others, block)
        self.disk.stage(path, content, into)
        self.series.decoded.hold(path, content, draft.bars, recorded)

    def exchange(
        self,
        staged: list[Staged],
        gone: list[Path],
        change: KindsChange | None = None,
        past: Past = NO_PAST,
    ) -> None:
        """Put staged partitions in place and remove others, with their rows of the journal.

        Raises `KindsChangedError` if the journal has got rows that contradict the change of kinds,
        `ClockMovedError` if somebody has asked what the store held since the journal was looked at.
        """
        if gone:
            self._forget(_partitions_of(gone), _partitions_of(each.path for each in staged))
        self.change_kinds(partial(self._publish, staged, gone, past), change)

    def _publish(self, staged: list[Staged], gone: list[Path], past: Past) -> None:
        """Put staged partitions in place and remove others, once what they replace is kept.

        A batch that was appended to the journal since that was looked at is in no partition and
        counts above them. If a question came after it, the answer stays only if the write takes it
        in, so the write starts again.
        """
        if not (past.replaced or self.history.clock.is_asked()):
            self.disk.exchange(staged, gone)
            return
        with self.history.clock.publishing(self._since):
            self.history.keep(self.key, past)
            self.disk.exchange(staged, gone)

    def change_kinds(self, work: Callable[[], None], change: KindsChange | None) -> None:
        """Do some work while no row is appended to the journal, if it changes kinds of columns."""
        if change is None:
            return work()
        with self.journal.kinds_lock() as lock:
            self.journal.expect_kinds(self.key, change.pending, change.kinds)
            lock.count_up()
            if change.kinds:
                self.disk.add(self.folder / MARK, b"")
            return work()

    def remove(
        self,
        partitions: Sequence[Partition],
        left: Sequence[Partition] = (),
        change: KindsChange | None = None,
    ) -> None:
        """Remove partitions; `left` are others, which may cover their ranges."""
        self._forget(partitions, left)
        paths = map(self.series.path, partitions)
        self.change_kinds(lambda: self.disk.remove(*paths), change)

    def _forget(self, gone: Sequence[Partition], left: Sequence[Partition]) -> None:
        """Expect no journal rows in ranges that no partition covers any more: they are deleted."""
        covered = [(partition.first, partition.last) for partition in left]
        for partition in gone:
            for first, last in gaps(partition, covered):
                self.journal.forget(partial(self._is_within, first, last))

    def _is_within(self, first: int, last: int, key: Key, hour: int) -> bool:
        return key == self.key and first <= hour * HOUR <= last


def unless_asked(work: Callable[[], _Result]) -> _Result:
    """Return what some work returns, done again if a question came between its look and its end."""
    while True:
        with suppress(ClockMovedError):
            return work()


def _partitions_of(paths: Iterable[Path]) -> list[Partition]:
    return [partition for partition in (parsed(path.name) for path in paths) if partition]
