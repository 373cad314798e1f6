"""An upsert of several series is atomic: on an error none of them has changed (law D2).

The partitions of all series are staged before the first is put in place, so a failure in staging (a
damaged partition, a full disk, no memory) needs no rollback. A failure while partitions are put in
place rolls back those before it. No lock is held between the steps, however many series there are:
each step checks again whether another writer came between. A kill, or a power loss, between two
series leaves each of them complete: some new, the others old.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from threading import Event
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.table import instants_of
from storecore.errors import StorageError
from storecore.values.times import EARLIEST, EVER, LATEST
from storecore_file.bars.consolidation import (
    Doubtful,
    consolidated,
    consolidated_or_all,
    quarantine,
)
from storecore_file.bars.history import NO_PAST, Past
from storecore_file.bars.journal import KindsChangedError, Pending
from storecore_file.bars.kinds import joined, rows_of, upserted
from storecore_file.bars.layout import Partition, is_too_long
from storecore_file.bars.locked_series import KindsChange, unless_asked
from storecore_file.bars.parallel import in_parallel
from storecore_file.bars.partition import Metadata, PartitionFile
from storecore_file.bars.plan import NOTHING_DOUBTFUL, replacement_plan, upsert_plan
from storecore_file.bars.writer import SeriesWriter, after_flush
from storecore_file.fs.disk import Staged
from storecore_file.fs.errors import best_effort
from storecore_file.fs.locks import Locked
from storecore_file.fs.rollback import Rollback
from storecore_file.fs.stat import Fingerprint, fingerprint
from storecore_file.history import ClockMovedError

_Result = TypeVar("_Result")
_Seen = tuple[list[str], list[Fingerprint | None]]


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


class _Prepared(NamedTuple):
    """A staged upsert: its files, and the state of the series that they were made from."""

    staged: list[Staged]
    gone: list[Path]
    partitions: list[Partition]
    pending: Pending
    made: int  # how many of its partitions are new
    seen: _Seen = ([], [])
    took: bool = False  # rows of the journal that were in no partition
    change: KindsChange | None = None
    doubtful: Doubtful = NOTHING_DOUBTFUL
    past: Past = NO_PAST

    def names(self) -> set[str]:
        """Return the names of the partitions before and after."""
        return {partition.name for partition in self.partitions} | {
            each.path.name for each in self.staged
        }

    def is_to_be_merged(self) -> bool:
        """Return whether there may be two closed partitions to merge, beside the open one."""
        return self.made > 0 and len(self.names()) - len(self.gone) > 2


class Upsert:
    """The upsert of one of several series."""

    def __init__(self, writer: SeriesWriter, new: pa.Table, whole: bool = False) -> None:
        self._writer = writer
        self._locked = writer.locked
        self._new = new
        self._whole = whole  # the series becomes exactly the new bars
        self._staged: list[Staged] = []
        self._prepared = _Prepared([], [], [], Pending((), ()), 0)
        self._rollback = Rollback(writer.locked.disk)

    def prepare(self) -> None:
        """Stage the partitions; other writers may come between this and `put`."""
        with self._writer.lock():
            self._prepared = self._made()

    def _made(self) -> _Prepared:
        """Stage the partitions. `_staged` gets the files, also if this is interrupted."""
        locked = self._locked
        partitions = consolidated_or_all(locked) if self._whole else consolidated(locked)
        pending = locked.pending()
        planned = replacement_plan if self._whole else upsert_plan
        put, took, change, doubtful = planned(locked, self._new, partitions, pending)
        gone, past = locked.stage(put, partitions, self._staged)
        made = sum(draft.partition not in partitions for draft in put)
        seen = self._seen(self._staged, gone)
        return _Prepared(
            self._staged, gone, partitions, pending, made, seen, took, change, doubtful, past
        )

    def _seen(self, staged: Sequence[Staged], gone: Sequence[Path]) -> _Seen:
        """Return the existing partitions, and the identities of those that will be replaced."""
        replaced = (*(each.path for each in staged), *gone)
        names = [partition.name for partition in self._locked.series.layout().partitions]
        return names, [fingerprint(path) for path in replaced]

    def put(self) -> None:
        """Put the partitions in place; on an error the series is as it was.

        They are prepared again if another writer came between.
        """
        try:
            with self._writer.lock():
                self._put()
        except Exception:
            self._rollback.discard()
            raise

    def _put(self) -> None:
        prepared = self._prepared
        if self._seen(prepared.staged, prepared.gone) != prepared.seen:
            self._prepare_again()
        while not self._is_put(self._prepared):
            self._rollback.discard()
            self._prepare_again()
        if self._prepared.took:
            self._locked.journal.take(self._locked.key, self._prepared.pending)

    def _prepare_again(self) -> None:
        self._locked.disk.discard(self._staged)
        self._staged.clear()
        self._prepared = self._made()

    def _is_put(self, prepared: _Prepared) -> bool:
        """Put a prepared upsert in place; return False if it is outdated."""
        quarantine(self._locked, prepared.doubtful)
        for path, temporary in prepared.staged:
            self._rollback.keep(path, temporary)
        for path in prepared.gone:
            self._rollback.keep(path, None)
        if not prepared.staged:  # who wrote the bars may have been killed before a sync
            self._locked.disk.sync_folder(self._locked.folder)
        try:
            self._locked.exchange(prepared.staged, prepared.gone, prepared.change, prepared.past)
        except (KindsChangedError, ClockMovedError):
            return False
        except BaseException:
            with suppress(StorageError):  # the error that matters is on its way
                self._rollback.roll_back()
            raise
        return True

    def roll_back(self) -> None:
        """Roll the series back, however far this had come. A failure is logged."""
        self._locked.disk.discard(self._staged)
        if self._rollback.is_empty():
            return
        with best_effort(self._locked.folder, "bars of a failed write cannot be taken back"):
            self._roll_back(self._prepared)
        self._rollback.discard()

    def _roll_back(self, prepared: _Prepared) -> None:
        """Roll back what was put: the partitions or, if others wrote meanwhile, the new bars.

        The new bars also if somebody has asked since what the store held: the answer may have
        shown them, so they stay in the history.
        The journal is not flushed meanwhile. A flush that has skipped the series, since the new
        partitions have its rows, would remove these rows with the journal.
        """
        with self._flush_lock(prepared.pending), self._writer.lock():
            if self._is_undisturbed(prepared):
                change = prepared.change and prepared.change._replace(kinds={})
                with suppress(ClockMovedError):
                    return self._locked.change_kinds(self._roll_back_unseen, change)
            before = self._before(prepared)
            return unless_asked(lambda: self._give_back(before))

    def _flush_lock(self, pending: Pending) -> Locked | nullcontext[None]:
        """Return the lock that prevents a flush of the journal, if some rows lie in it."""
        return self._locked.journal.flush_lock() if pending.rows else nullcontext()

    def _is_undisturbed(self, prepared: _Prepared) -> bool:
        """Return whether nobody has written since, and the journal has not been flushed."""
        now = {partition.name for partition in self._locked.series.layout().partitions}
        journal_is_there = self._locked.journal.are_there(prepared.pending)
        return now <= prepared.names() and journal_is_there and self._rollback.is_undisturbed()

    def _roll_back_unseen(self) -> None:
        """Roll a write back, unless somebody has asked what the store held since (law K3).

        Then this raises `ClockMovedError`: its bars have become versions that were replaced.
        """
        with self._locked.history.clock.publishing(self._prepared.past.instant):
            self._rollback.roll_back()

    def _before(self, prepared: _Prepared) -> pa.Table:
        """Return the bars of the replaced partitions, as they were read before."""
        backups = {path.name: backup for path, backup in self._rollback.backups()}
        replaced = [partition for partition in prepared.partitions if partition.name in backups]
        found = [self._locked.series.open_at(backups[each.name], _all_of) for each in replaced]
        known = [
            (partition, metadata.flushed)
            for partition, (metadata, _) in zip(replaced, found, strict=True)
        ]
        bars = joined(rows for _, rows in found)
        return upserted(bars, prepared.pending.table(known, EARLIEST, LATEST))

    def _give_back(self, before: pa.Table) -> None:
        """Restore bars that are unchanged since they were written; bars of other writers stay."""
        locked, ours = self._locked, self._new
        partitions, pending = after_flush(locked)
        if self._whole and len(before):
            old = _before_with(locked.series.read(EVER), ours, before)
            plan = replacement_plan(locked, old, partitions, pending)
            return locked.replace(plan.put, partitions, change=plan.change)
        dates = instants_of(ours)
        touched = [each for each in partitions if each.overlaps(dates[0], dates[-1])]
        drafts = [locked.draft(partition, pending) for partition in touched]
        kept = [
            each.with_bars(each.merged.exactly(_as_before(each.bars, ours, before)))
            for each in drafts
        ]
        return locked.replace_or_remove(kept, partitions, pending)

    def drop_backups(self) -> None:
        """Remove the second names of what was replaced."""
        self._rollback.discard()

    def finish(self) -> None:
        """Drop the backups, and merge closed partitions. A failure is logged."""
        self.drop_backups()
        folder = self._locked.folder
        if self._whole and is_too_long(len(self._new)):
            with best_effort(folder, "cutting its partition is put off"):
                self._writer.divide(self._prepared.names())
        if self._prepared.is_to_be_merged():
            with best_effort(folder, "merging its partitions is put off"):
                self._writer.tidy()


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
