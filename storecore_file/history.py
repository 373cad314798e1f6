"""The clock of recording of a store, the horizon of its history, and its snapshots.

    history/.clock       the last instant that was asked about; see `fs.instants`
    history/.horizon     up to where history is pruned, and the named snapshots

Each write takes its instant from the machine's clock: the generation of the partitions that it
makes, say. So nothing is written for the sake of the clock until somebody asks what the store held
at an instant r. That moves the clock to r, durably. A writer looks at the clock when it publishes:
if its instant is not later, it takes another. It shares the clock's lock from that look until its
write is visible, so a question waits for writers that have looked.

As long as nobody has ever asked there is no clock, and a look at it is one system call that fails.
Whoever makes the clock waits once for every writer that may not have seen it.

The lock of the horizon is no longer empty once there is a horizon. So a horizon that was removed is
detected: without it, questions about pruned history would be answered, and wrongly.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from storecore.errors import CorruptData, StorageError
from storecore.knowledge.clock import (
    RestorableClock,
    check_asked,
    check_new,
    check_prunable,
    machine_now,
    prunable,
)
from storecore.knowledge.versions import Snapshot
from storecore.values.times import EARLIEST, exact_instant, to_datetime
from storecore_file.fs.disk import Disk
from storecore_file.fs.errors import best_effort
from storecore_file.fs.instants import InstantFile
from storecore_file.fs.locks import Locked
from storecore_file.fs.marked_logs import MarkedLog
from storecore_file.fs.seal import decode_errors, sealed, unsealed
from storecore_file.integrity import (
    DAMAGED,
    FORGET,
    QUARANTINE,
    Files,
    Issue,
    agreed,
    folder_issues,
    guarded,
    issue_of,
)
from storecore_file.store_format import forget_began, read_began

FOLDER = "history"
_LOST = (
    "it is missing: the snapshots are lost, and what was pruned is not known; copy it again, or "
    "`storecore repair` gives up what was recorded before the repair: questions about it are "
    "refused, as if it was pruned"
)
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


class ClockMovedError(Exception):
    """The clock was moved to or beyond the instant that a write has taken: it takes another."""


class _Named(Struct, frozen=True):
    name: str
    at: int
    note: str

    def snapshot(self) -> Snapshot:
        return Snapshot(self.name, to_datetime(self.at, aware=True), self.note)


class _Horizon(Struct, frozen=True):
    """Up to where history is pruned (`EARLIEST`: nowhere), and the snapshots."""

    pruned: int = EARLIEST
    snapshots: tuple[_Named, ...] = ()

    def named(self) -> list[Snapshot]:
        return [each.snapshot() for each in self.snapshots]


_MARKS = re.compile(r"\..+\.ends")


def log_issues(
    disk: Disk, folder: Path, logs: Files, last: Callable[[Path], int]
) -> Iterator[Issue | None]:
    """Yield the issues of the logs in a folder, and that one has lost its last lines.

    `last` returns the number of the last line of a log, 0 if it is gone.
    """
    yield from folder_issues(folder, [logs, Files(_MARKS, lambda path: None)])
    for name in disk.hidden(folder):
        if _MARKS.fullmatch(name):
            path = folder / f"{name[1:].removesuffix('.ends')}.jsonl"
            yield from guarded(path, _lack(disk, path, last))


def _lack(disk: Disk, path: Path, last: Callable[[Path], int]) -> Iterator[Issue]:
    try:
        detail = agreed(lambda: MarkedLog(disk, path).lack(last(path)))
    except StorageError:  # that is an issue of its own
        return
    if detail:
        yield Issue("truncated", path, detail)


class FileClock(RestorableClock):
    """The clock of recording of a store in a folder.

    `kept` is for how many microseconds replaced versions are kept (None: for ever, 0: not at all).
    With `moves=False` the store is open for reading, and questions leave the clock alone.
    `settle` waits for writers that may not have seen a clock that has just been made.
    """

    def __init__(
        self, base_path: Path, disk: Disk, lock_timeout: float, kept: int | None, moves: bool
    ) -> None:
        self.folder = base_path / FOLDER
        self._base_path = base_path
        self._disk = disk
        self._lock_timeout = lock_timeout
        self._kept = kept
        self._moves = moves
        self._path = self.folder / ".horizon"
        self._lock_path = self.folder / ".lock"
        self._file = InstantFile(self.folder / ".clock", disk, lock_timeout)
        self._last: int | None = None  # the last instant that a writer of this store has taken
        self._began: int | None = None
        self.settle: Callable[[], object] = tuple

    def take(self, after: int) -> int:
        """Return the instant of a write, later than another one and than all taken before."""
        self._last = max(machine_now(), after + 1, self._latest() + 1)
        return self._last

    def _latest(self) -> int:
        """Return the last instant that a writer of this store has taken.

        The first is later than the making of the store, whatever the machine's clock says.
        """
        if self._last is None:
            self._last = read_began(self._disk, self._base_path) or 0
        return self._last

    def began(self) -> int:
        """Return an instant before which nothing was recorded; `EARLIEST` if none is known."""
        if self._began is None:
            self._began = read_began(self._disk, self._base_path) or EARLIEST
        return self._began

    def is_asked(self) -> bool:
        """Return whether somebody has ever asked what the store held at an instant."""
        return self._file.exists()

    @contextmanager
    def publishing(self, instant: int) -> Iterator[None]:
        """Let no question overtake a write while it becomes visible.

        Raises `ClockMovedError` if one has already.
        """
        if not self._file.exists():
            yield
            return
        with self._file.held() as asked:
            if instant <= asked:
                self._last = max(self._latest(), asked)
                raise ClockMovedError
            yield

    @contextmanager
    def published(self, after: int = 0) -> Iterator[int]:
        """Return an instant for what becomes visible meanwhile; no question overtakes it.

        It is later than `after`.
        """
        if not self._file.exists():
            yield self.take(after)
            return
        with self._file.held() as asked:
            yield self.take(max(asked, after))

    def ask(self, recorded: int | None) -> int:
        """Move the clock to an instant (None: now), and return it."""
        asked = self._file.read()
        at = check_asked(recorded, max(asked, self._latest()))
        if at > asked and self._moves:
            try:
                self._move(at)
            except StorageError as error:
                if error.errno not in _READ_ONLY:
                    raise
        return at

    def _move(self, at: int) -> None:
        is_new = not self._file.exists()
        self._make_folder()
        self._file.move(at)
        if is_new:
            self._disk.sync_folder(self.folder)
            self.settle()

    def keeps(self) -> bool:
        """Return whether writes keep what they replace: always while there are snapshots."""
        return self._kept != 0 or bool(self._read().snapshots)

    def asked(self) -> int | None:
        """Return the last instant that was asked about, None if there was none."""
        return self._file.read() or None

    def is_kept(self) -> bool:
        """Return whether writes keep what they replace."""
        return self.keeps()

    def restore(self, recorded: int, pruned: int, snapshots: Iterable[Snapshot]) -> None:
        """Go on from the clock of another store, which may be older than this one."""
        forget_began(self._disk, self._base_path, self._lock_timeout)
        self._began = EARLIEST
        if recorded > self._file.read():
            self._move(recorded)
        given = [
            _Named(each.name, exact_instant(each.recorded_at, "recorded_at"), each.note)
            for each in snapshots
        ]
        if given or pruned > EARLIEST:
            with self._changing() as known:
                named = {each.name for each in known.snapshots}
                new = [each for each in given if each.name not in named]
                self._write(_Horizon(max(known.pruned, pruned), (*known.snapshots, *new)))

    def horizon(self) -> int:
        """Return the instant before which history is pruned."""
        return self._read().pruned

    def prune(self, before: int) -> None:
        """Move the horizon."""
        with self._changing() as known:
            check_prunable(before, known.named())
            self._write(replace(known, pruned=max(known.pruned, before)))

    def prune_to(self, instant: int) -> bool:
        """Move the horizon to the instant of a write that keeps nothing of what it replaces.

        Return False, and leave it, if there are snapshots by now: then the write has to keep it.
        """
        with self._changing() as known:
            if not known.snapshots:
                self._write(replace(known, pruned=max(known.pruned, instant)))
            return not known.snapshots

    def prunable(self) -> int | None:
        """Return up to which instant this store prunes by itself now; None if it keeps all."""
        if self._kept is None:
            return None
        return prunable(self._kept, self.ask(None), self.snapshots())

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots."""
        return self._read().named()

    def add_snapshot(self, name: str, note: str) -> Snapshot:
        """Name the present instant."""
        while True:
            at = self.ask(None)  # without the lock: a writer that it waits for may want that
            with self._changing() as known:
                check_new(name, known.named())
                if at < known.pruned:
                    continue
                added = _Named(name, at, note)
                self._write(replace(known, snapshots=(*known.snapshots, added)))
                return added.snapshot()

    def drop_snapshot(self, name: str) -> bool:
        """Remove a snapshot; return whether there was one."""
        if not any(each.name == name for each in self._read().snapshots):
            return False
        with self._changing() as known:
            kept = tuple(each for each in known.snapshots if each.name != name)
            self._write(replace(known, snapshots=kept))
            return len(kept) < len(known.snapshots)

    def issues(self) -> Iterator[Issue | None]:
        """Yield the issues of the clock and of the horizon, None for a whole one.

        A repair leaves the horizon in its place: without it, questions about pruned history would
        be answered.
        """
        clock = Files(None, lambda path: self._file.read(), QUARANTINE)
        horizon = Files(None, lambda path: self._read())
        for path, files in ((self._file.path, clock), (self._path, horizon)):
            if self._disk.size(path) is not None:
                yield issue_of(path, files)
        if self._is_lost():
            given_up = Files(None, bool, FORGET, moved=lambda path: self._give_up())
            yield Issue(DAMAGED, self._path, _LOST, FORGET, given_up)

    def _is_lost(self) -> bool:
        """Return whether there was a horizon, and is none."""
        return bool(self._disk.size(self._lock_path)) and self._disk.size(self._path) is None

    def _give_up(self) -> None:
        """Prune, in place of a horizon that is lost, all that was recorded until now."""
        now = self.ask(None)
        with Locked(self._lock_path, self._lock_timeout):
            if self._is_lost():
                self._write(_Horizon(now))

    @contextmanager
    def _changing(self) -> Iterator[_Horizon]:
        """Hold the lock of the horizon, which is there by the end."""
        self._make_folder()
        with Locked(self._lock_path, self._lock_timeout) as lock:
            yield self._read()
            if not self._disk.size(self._lock_path):
                with best_effort(self._lock_path, "a horizon that is removed is not detected"):
                    lock.count_up()

    def _make_folder(self) -> None:
        self._disk.make_folder(self.folder, within=self._base_path)

    def _read(self) -> _Horizon:
        content = self._disk.read(self._path)
        if content is None and self._disk.size(self._lock_path):
            content = self._disk.read(self._path)  # again: it may have been made meanwhile
            if content is None:
                raise CorruptData(f"{self._path}: {_LOST}", self._path)
        if content is None:
            return _Horizon()
        with decode_errors(self._path, "document"):
            return msgspec.json.decode(unsealed(content), type=_Horizon)

    def _write(self, horizon: _Horizon) -> None:
        self._disk.replace(self._path, sealed(msgspec.json.encode(horizon)))
