"""`FileDataStore`: the collections of a folder, opened and closed together."""

from __future__ import annotations

import os
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import Any

from msgspec.structs import replace

from storecore.audit.transfer import LOGS
from storecore.errors import ConfigError
from storecore.errors.redaction import redacted
from storecore.knowledge.clock import checked_history
from storecore.reports import Finding, Report
from storecore.states import KEPT_VERSIONS, checked_kept
from storecore.store.base import Store
from storecore_file.audit.log import FileLog
from storecore_file.bars.collection import Bars
from storecore_file.bars.decoded import CACHE_BYTES
from storecore_file.events.collection import Events
from storecore_file.fs.disk import Disk
from storecore_file.fs.errors import Deferral
from storecore_file.fs.mounts import is_on_network, warn_of_network
from storecore_file.fs.stat import places
from storecore_file.fundamentals import Fundamentals
from storecore_file.history import FileClock
from storecore_file.integrity import Issue
from storecore_file.lazy_folders import LazyCollection, check_is_there
from storecore_file.rename_intent import Renames
from storecore_file.renaming import Renaming
from storecore_file.repair import Repairs, repairable
from storecore_file.states import States
from storecore_file.store_format import StoreFormat, check_format, mark_new
from storecore_file.verification import chain_findings, report, store_issues

DURABILITIES = ("full", "os")
_FOLDERS = {
    "bars": "prices",
    "fundamentals": "fundamentals",
    "events": "events",
    "states": "state",
    **{log: f"audit/{log}" for log in LOGS},
}


class FileDataStore(Store):
    """A `DataStore` in a folder of Parquet, JSON and JSONL files.

    Threads and processes may open the same folder at once, to read and to write.

    `base_path` is the folder; missing parts of it are created. `durability="full"` syncs every
    write to the medium before it returns; `"os"` leaves that to the operating system, and a power
    loss may then take the last writes. `lock_timeout` is how many seconds a writer waits for
    another. Of each state the last `state_versions` versions are kept. With `history=True` replaced
    versions of bars, fundamentals and events are kept, with False none, with "90d" (h: hours, d:
    days, w: weeks) `compact()` prunes those that were replaced longer ago. Partitions of bars that
    were read are kept decoded in at most `cache_bytes` of memory (0: none). With `create=False`
    opening creates nothing, and a folder without a store raises `NoStore`; the first write that
    needs a missing folder creates it. Raises `ConfigError` for other options, `StorageError` if the
    folder cannot be made.

    A table of a few bars for each of several symbols costs one append to a journal. Reads combine
    it with the files, and it is flushed into them when it is large, by `compact()` and at
    `close()`. The append does not read the files, so a damaged one does not refuse the bars. A kill
    or a power loss may leave some symbols of a table old and others new, each of them complete.

    `verify` reads every byte; it takes no lock and creates no file. The kind of a finding is
    "damaged" (read completely, and wrong), "unchecked" (could not be
    read, and may be whole), "linked" (a symbolic link, which is not followed), "overlapping"
    (partitions, one of them damaged), "truncated" (a log lost its last lines, or is gone),
    "older" (a file of an older state came back), "lacking" (bars that were flushed out of the
    journal are in no partition), "diverged" (the journal of a copy that was written to apart,
    or files of such copies that have a column in kinds that differ)
    or another of `verify_audit()`. Notes are "temporary" and "leftover" files of killed
    writers, the "torn" end of a log, an "unknown" file, a rename that is "renaming" still (and
    files that it hides but has not written), and anomalies in bars. With a checkpoint (`against`)
    findings have the kinds of `storecore.store.checkpoints` too.
    """

    _bars: Bars
    _clock: FileClock
    _events: Events

    def __init__(
        self,
        base_path: str | os.PathLike[str],
        *,
        durability: str = "full",
        lock_timeout: float = 30.0,
        state_versions: int = KEPT_VERSIONS,
        history: bool | str = True,
        cache_bytes: int = CACHE_BYTES,
        create: bool = True,
    ) -> None:
        _check_options(base_path, durability, lock_timeout)
        self._cache_bytes = checked_cache_bytes(cache_bytes)
        self._kept_for = checked_history(history)
        kept_versions = checked_kept(state_versions)
        # Absolute: the process may change its folder while the store is open.
        self.base_path = _absolute(base_path)
        self._disk = Disk(durability)
        self._lock_timeout = lock_timeout
        folders = {name: self.base_path / folder for name, folder in _FOLDERS.items()}
        self._find(list(folders.values()), create)
        self._clock = FileClock(
            self.base_path, self._disk, lock_timeout, self._kept_for, moves=create
        )
        made = self._made(folders, kept_versions)
        self._collections = made if create else self._lazy(made, folders)
        super().__init__(
            bars=self._collections["bars"],
            fundamentals=self._collections["fundamentals"],
            events=self._collections["events"],
            states=self._collections["states"],
            audit={log: self._collections[log] for log in LOGS},
            clock=self._clock,
        )

    def _find(self, folders: list[Path], create: bool) -> None:
        """Create the store, or check that it is there; refuse one of a newer release."""
        if create:
            self._disk.make_folder(self.base_path)
        else:
            check_is_there(self.base_path, self._disk)
        check_format(self._disk, self.base_path)
        if create:
            mark_new(self._disk, self.base_path, folders)
            self._disk.make_folders(folders, within=self.base_path, links=True)
        self._is_on_network = warn_of_network(self.base_path)

    def _made(self, folders: dict[str, Path], kept_versions: int) -> dict[str, Any]:
        """Return the collections and logs by name, with renames of symbols across them."""
        disk, timeout = self._disk, self._lock_timeout
        number = StoreFormat(disk, self.base_path, timeout)
        kept = self._budget(folders["bars"])
        bars = Bars(folders["bars"], disk, timeout, number, self._clock, kept)
        fundamentals = Fundamentals(folders["fundamentals"], disk, number, timeout, self._clock)
        events = Events(folders["events"], disk, timeout, self._clock, number)
        intents = Renames(disk, self.base_path)
        collections = bars, fundamentals, events
        self._renaming = Renaming(intents, disk, number, *collections, timeout, self._clock)
        self._settles = tuple(each.settle_clock for each in (self._renaming, *collections))
        self._connect()
        return {
            "bars": bars,
            "fundamentals": fundamentals,
            "events": events,
            "states": States(folders["states"], disk, timeout, kept_versions),
            **{log: FileLog(folders[log], disk, timeout, number) for log in LOGS},
        }

    def _budget(self, prices: Path) -> int:
        """Return how many bytes of decoded bars are kept: none of files on another machine.

        What is known there of a file's times may be seconds old.
        """
        is_elsewhere = os.path.islink(prices) or os.path.ismount(prices)  # noqa: PTH114 raises less
        on_network = self._is_on_network or (is_elsewhere and is_on_network(prices))
        return 0 if on_network else self._cache_bytes

    def _lazy(self, collections: dict[str, Any], folders: dict[str, Path]) -> dict[str, Any]:
        """Return collections whose folder is made, or synced, before its first write."""
        return {
            name: LazyCollection(each, self._disk, self.base_path, folders[name])
            for name, each in collections.items()
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._connect()

    def _connect(self) -> None:
        self._renaming.connect()
        self._clock.settle = self._settle_clock

    def _settle_clock(self) -> None:
        """Wait for each writer that may not have seen the clock of recording, just made."""
        for settle in self._settles:
            settle()

    def _rename(self, old: str, new: str) -> None:
        self._renaming.rename(old, new)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_path={str(self.base_path)!r})"

    def places(self) -> frozenset[str]:
        """Return the identities of the store's folders, however their paths are written."""
        self._check_open()
        return places([self.base_path, *map(self.base_path.joinpath, _FOLDERS.values())])

    def repair(self, *, dry_run: bool = False) -> Report:
        """Move damaged files and leftovers into `aside/<time>/`, under the same path.

        Reads of the rest work again. Some things are reported and stay in place: a log that is
        damaged in its middle, parts that overlap, a strategy's state (which would count as never
        saved), and whatever could not be checked. A file that could not be moved is an "unrepaired"
        finding.
        """
        checked, issues = self._issues()
        repairs = Repairs(self.base_path, self._disk, self._lock_timeout, dry_run)
        done = [repairs.repair(issue) for issue in filter(repairable, issues)]
        failed = [each for each in done if isinstance(each, Issue)]
        if not dry_run:
            checked, issues = self._issues()
        left = report(checked, [*issues, *failed], self._audit_findings())
        return replace(left, actions=tuple(each for each in done if isinstance(each, str)))

    def _report(self) -> Report:
        checked, issues = self._issues()
        return report(checked, issues, self._audit_findings())

    def _audit_findings(self) -> tuple[Finding, ...]:
        """Return the findings of each log's chain, or that it could not be checked."""
        return tuple(
            finding for log in self._logs.values() for finding in chain_findings(log.verify)
        )

    def _issues(self) -> tuple[int, list[Issue]]:
        """Return how many files were looked at, and all that is wrong."""
        self._check_open()
        return store_issues(self._disk, self.base_path, [*self._collections.values(), self._clock])

    def compact(self) -> Report:
        """Bring all bars into few Parquet files, and seal each day of events into one.

        May run at any time, beside readers and writers. If it is killed, the next run does the work
        again. What cannot be merged or sealed does not stop the rest: the first error is raised at
        the end.
        """
        self._check_open()
        with Deferral() as tried:
            tried(self._renaming.settle)
            merged = self._bars.compact(tried)
            days = self._events.compact(tried)
            tried(self._prune_old)
        actions = [f"merged {merged} files of bars into others"] if merged else []
        actions += [f"sealed the events of {day}" for day in days]
        return Report(len(actions), actions=tuple(actions))

    def _prune_old(self) -> None:
        """Prune the history that is older than the option `history` keeps."""
        before = self._clock.prunable()
        if before is not None and before > self._clock.horizon():
            self._prune(before)


def _check_options(base_path: str | os.PathLike[str], durability: str, lock_timeout: float) -> None:
    if durability not in DURABILITIES:
        raise ConfigError(f"durability={durability!r}: expected one of {DURABILITIES}")
    if not isinstance(lock_timeout, int | float) or not 0 <= lock_timeout <= TIMEOUT_MAX:
        raise ConfigError(f"lock_timeout={lock_timeout!r}: expected seconds, 0 to {TIMEOUT_MAX:g}")
    if redacted(os.fspath(base_path)) != os.fspath(base_path):
        raise ConfigError("base_path: expected a folder, got what looks like a URL")


def checked_cache_bytes(cache_bytes: int) -> int:
    """Return a number of bytes. Raises `ConfigError`."""
    if type(cache_bytes) is not int or cache_bytes < 0:
        raise ConfigError(f"cache_bytes={cache_bytes!r}: expected a number of bytes, 0 for none")
    return cache_bytes


def _absolute(path: str | os.PathLike[str]) -> Path:
    """Return an absolute path. Raises `ConfigError` if there is none."""
    try:
        if "\0" in os.fspath(path):
            raise ValueError("it holds a NUL")
        return Path(path).expanduser().absolute()
    except (OSError, RuntimeError, ValueError) as error:  # no such user, no folder to start from
        raise ConfigError(f"base_path={os.fspath(path)!r}: {error}") from error
