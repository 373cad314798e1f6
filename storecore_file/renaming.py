"""Renames a symbol in all collections, in one step that readers and a crash see whole or not.

1. Hold the locks of all its series and of flushes; check the names. Its rows are flushed.
2. Write the intent ("prepared"), then a mark into each folder concerned, durably.
3. Write bars and fundamentals under the new name. They do not count yet.
4. Hold the lock of events, mark their folder, hold the lock of appends to the journal, which must
   have got no rows of the symbol, and replace the intent ("committed"): that is the step.
5. Remove what lies under the old name, rewrite the days of events; then "done", and the marks go.

A crash up to 4 leaves the old name, from 4 on the new one, for readers of this release at once, and
the next writer that meets a mark settles the rest. `rename_intent.py` says how readers know.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from msgspec.structs import replace

from storecore.values.names import check_rename
from storecore_file.bars.collection import Bars, JournaledError
from storecore_file.bars.partition import next_generation
from storecore_file.events.collection import Events
from storecore_file.fs.disk import Disk
from storecore_file.fs.errors import best_effort
from storecore_file.fs.locks import Locked
from storecore_file.fundamentals import Fundamentals
from storecore_file.history import FileClock
from storecore_file.rename_intent import LOCK, MARK, Intent, Renames
from storecore_file.store_format import RENAMES, StoreFormat

_ATTEMPTS = 3


class Renaming:
    """Renames symbols in a store, and settles renames that were interrupted."""

    def __init__(
        self,
        renames: Renames,
        disk: Disk,
        number: StoreFormat,
        bars: Bars,
        fundamentals: Fundamentals,
        events: Events,
        lock_timeout: float,
        clock: FileClock,
    ) -> None:
        self._renames = renames
        self._disk = disk
        self._format = number
        self._bars = bars
        self._fundamentals = fundamentals
        self._events = events
        self._lock_timeout = lock_timeout
        self._clock = clock

    def connect(self) -> None:
        """Let the collections settle an interrupted rename when they meet one."""
        for collection in (self._bars, self._fundamentals, self._events):
            collection.renames.settle = self.settle

    def rename(self, old: str, new: str) -> None:
        """Rename a symbol. Raises `InvalidData` if `old` has no data, or `new` has some."""
        with self._locked():
            self._settle()
            self._check(old, new)
            self._format.require(RENAMES)
            intent = self._moved(old, new)
            with best_effort(self._renames.path, "the rest of a rename is done by a later write"):
                self._finish(intent)

    def _moved(self, old: str, new: str) -> Intent:
        """Return the rename, committed.

        Others append to the journal while bars are copied. If rows of the two symbols come
        meanwhile, all is taken back and done again; the last time others have to wait.
        """
        attempts = 0
        while True:
            attempts += 1
            with suppress(JournaledError), self._bars.held(old, new):
                if attempts < _ATTEMPTS:
                    return self._try_to_move(old, new, self._bars.without_rows(old, new))
                with self._bars.without_rows(old, new):
                    return self._try_to_move(old, new, nullcontext())

    def _try_to_move(self, old: str, new: str, quiet: AbstractContextManager[None]) -> Intent:
        self._check(old, new)
        with self._clock.published() as instant:
            return self._committed(self._intent(old, new, instant), quiet)

    def settle(self) -> None:
        """Finish a rename that was interrupted after its step, or take one back before it."""
        if self._renames.read() is not None:
            with self._locked():
                self._settle()

    def settle_clock(self) -> None:
        """Wait for a rename that may not have seen the clock of recording, just made.

        One of a symbol without bars and events is committed under no other lock.
        """
        if self._disk.size(self._lock_path) is not None:
            with self._locked():
                pass

    @property
    def _lock_path(self) -> Path:
        return self._renames.path.with_name(LOCK)

    def _locked(self) -> Locked:
        return Locked(self._lock_path, self._lock_timeout)

    def _check(self, old: str, new: str) -> None:
        known = {
            *self._bars.having(old, new),
            *self._fundamentals.having(old, new),
            *self._events.symbols(),
        }
        check_rename(old, new, has_old=old in known, has_new=new in known)

    def _intent(self, old: str, new: str, instant: int) -> Intent:
        """Return a rename that is to be done, with what proves later which files are of it.

        Its generation is the instant at which it deletes the old name and writes the new one.
        """
        found = self._bars.originals(old)
        ends = [end for folder in found.values() for end in folder.values()]
        known = {
            folder: {name: end.identity for name, end in each.items()}
            for folder, each in found.items()
        }
        generation = max(instant, next_generation(end.generation for end in ends))
        return Intent(old, new, "prepared", originals=known, generation=generation)

    def _committed(self, intent: Intent, quiet: AbstractContextManager[None]) -> Intent:
        """Write all under the new name and commit, under the locks; on an error nothing stays.

        No row is appended to the journal within `quiet`.
        """
        old, new = intent.old, intent.new
        self._renames.write(intent)
        copied = False
        try:
            self._mark(self._bars.folders_to_mark(old, new))
            self._mark(self._fundamentals.folders_to_mark(old, new))
            # The mark stops writers, which take no lock. It hides what they wrote before it.
            check_rename(old, new, has_old=True, has_new=self._fundamentals.has_files(new))
            copied = True
            self._bars.copy_symbol(intent)
            self._fundamentals.copy_symbol(old, new, intent.generation)
            with self._events.locked():
                self._check(old, new)  # it may have got events meanwhile
                days = self._events.days_with(old)
                self._mark(self._events.folders_to_mark(days))
                self._events.keep_renamed(old, days, intent.generation)
                with quiet:
                    return self._renames.write(replace(intent, state="committed", days=days))
        except BaseException:
            with best_effort(self._renames.path, "a rename is taken back by a later write"):
                self._take_back(intent, copied)
            raise

    def _settle(self) -> None:
        intent = self._renames.read()
        if intent is None:
            return
        if intent.state == "prepared":
            with self._bars.locked(intent.old, intent.new):
                self._take_back(intent)
        else:
            self._finish(intent)

    def _take_back(self, intent: Intent, copied: bool = True) -> None:
        """Remove what a rename may have written under the new name before its step."""
        if copied:
            self._bars.remove_hidden(intent)
            self._fundamentals.remove_copies(intent.new, intent.old)
        self._renames.write(intent.done())
        self._unmark(intent)

    def _finish(self, intent: Intent) -> None:
        """Remove what a rename has left under the old name after its step."""
        if intent.state == "committed":
            with self._bars.locked(intent.old, intent.new):
                self._bars.remove_hidden(intent)
            self._fundamentals.remove_copies(intent.old, intent.new)
            self._events.rename(intent)
            self._renames.write(intent.done())
        self._unmark(intent)

    def _mark(self, folders: Iterable[Path]) -> None:
        for folder in folders:
            self._disk.replace(folder / MARK, b"")

    def _unmark(self, intent: Intent) -> None:
        names = intent.old, intent.new
        for folder in (
            *(folder for name in names for folder in self._bars.marked_folders(name)),
            *self._fundamentals.marked_folders(*names),
            *self._events.marked_folders(),
        ):
            self._disk.remove(folder / MARK)
