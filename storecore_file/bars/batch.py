"""Upserts several series as one: on an error none of them has changed (law D2).

The parts of all series are staged before the first is put in place, so a failure in staging (a
damaged part, a full disk, no memory) needs no rollback. A failure while parts are put in place
rolls back those before it. No lock is held between the steps, however many series there are: each
step checks again whether another writer came between.

A kill, or a power loss, between two series leaves each of them complete: some new, the others old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event

import pyarrow as pa

from storecore_file.bars.parallel import in_parallel
from storecore_file.bars.writer import Prepared, SeriesWriter
from storecore_file.fs.best_effort import best_effort
from storecore_file.fs.rollback import Rollback


class Upsert:
    """The upsert of one of several series."""

    def __init__(self, writer: SeriesWriter, new: pa.Table) -> None:
        self._writer = writer
        self._new = new
        self._prepared = Prepared.nothing()
        self._rollback = Rollback(writer.disk)

    def prepare(self) -> None:
        """Stage the parts."""
        self._prepared = self._writer.prepare(self._new)

    def put(self) -> None:
        """Put the parts in place; on an error the series is as it was."""
        try:
            self._prepared = self._writer.put(self._new, self._prepared, self._rollback)
        except Exception:
            self._rollback.discard()
            raise

    def roll_back(self) -> None:
        """Roll the series back, however far this had come. A failure is logged."""
        self._writer.disk.discard(self._prepared.staged)
        if self._rollback.is_empty():
            return
        with best_effort(self._writer.folder, "bars of a failed write cannot be taken back"):
            self._writer.roll_back(self._new, self._prepared, self._rollback)
        self._rollback.discard()

    def finish(self) -> None:
        """Drop the backups, and merge closed parts. A failure is logged."""
        self._rollback.discard()
        if self._prepared.is_to_be_merged():
            with best_effort(self._writer.folder, "merging its parts is put off"):
                self._writer.tidy()


@contextmanager
def all_or_none(upserts: Sequence[Upsert], threads: int) -> Iterator[None]:
    """Put all upserts in place; on an error, in the body too, roll all of them back."""
    failed = Event()

    def step(work: Callable[[Upsert], None]) -> None:
        in_parallel(lambda each: _unless(failed, work, each), upserts, threads)

    try:
        step(Upsert.prepare)
        step(Upsert.put)
        yield
    except BaseException:
        in_parallel(Upsert.roll_back, upserts, threads)
        raise
    in_parallel(Upsert.finish, upserts, threads)


def _unless(failed: Event, work: Callable[[Upsert], None], upsert: Upsert) -> None:
    """Run a step, unless one of another series has failed: it would only be rolled back."""
    if failed.is_set():
        return
    try:
        work(upsert)
    except BaseException:
        failed.set()
        raise
