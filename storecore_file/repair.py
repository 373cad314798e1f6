"""Repairs a store by moving files into quarantine: nothing is ever deleted or rewritten.

    aside/2026-11-24T22-58-32.123456Z/prices/AAPL/2026-01.parquet

A file keeps its path, under a folder named after the time of the repair, so that a user can inspect
it and put it back.
"""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from storecore.errors import StoreError
from storecore_file.fs.disk import Disk
from storecore_file.fs.locks import Locked
from storecore_file.fs.logs import Log, torn_end
from storecore_file.fs.quarantine import move_to_quarantine, quarantine_path
from storecore_file.fs.seal import cause_of
from storecore_file.fs.stat import identity_at
from storecore_file.integrity import (
    DAMAGED,
    FORGET,
    NO_NEWLINE,
    TRUNCATE,
    UNREPAIRED,
    Files,
    Issue,
    issue_of,
)


def repairable(issue: Issue) -> bool:
    """Return whether a repair can do something about an issue."""
    return issue.remedy is not None


class Repairs:
    """One repair of a store, or (`dry_run`) what one would do."""

    def __init__(self, base_path: Path, disk: Disk, lock_timeout: float, dry_run: bool) -> None:
        self._base_path = base_path
        self._disk = disk
        self._lock_timeout = lock_timeout
        self._dry_run = dry_run
        self._moment = datetime.now(UTC)

    def repair(self, issue: Issue) -> str | Issue | None:
        """Repair one issue; return what was done, in words, or None if it was gone already.

        If it cannot be repaired, return that as an issue: it does not stop the others.
        """
        try:
            return self._repaired(issue)
        except (StoreError, MemoryError) as error:
            detail = f"could not be moved aside: {cause_of(error)}"
            return Issue(UNREPAIRED, issue.path, detail)

    def _repaired(self, issue: Issue) -> str | None:
        files = issue.files
        if issue.remedy == FORGET:
            return self._forget(issue, files)
        path = issue.path.relative_to(self._base_path)
        into = quarantine_path(self._base_path, issue.path, self._moment)
        done = f"moved {path} to {into.relative_to(self._base_path)}: {issue.detail}"
        if issue.remedy == TRUNCATE:
            done = f"moved the torn end of {path} to {path.name}.torn"
        if issue.detail == NO_NEWLINE:
            done = f"moved the end of {path} behind a newline"
        if self._dry_run:
            return done.replace("moved", "would move", 1)
        with self._locked(issue):
            if issue.remedy == TRUNCATE:
                is_repaired = self._truncate(issue, files)
            else:
                is_repaired = self._move(issue, into)
            if is_repaired and files is not None and files.moved is not None:
                files.moved(issue.path)
        return done if is_repaired else None

    def _forget(self, issue: Issue, files: Files | None) -> str:
        if not self._dry_run and files is not None and files.moved is not None:
            files.moved(issue.path)
        return f"{'would give up' if self._dry_run else 'gave up'}: {issue.detail}"

    def _locked(self, issue: Issue) -> Locked | nullcontext[None]:
        lock = issue.files.lock_of(issue.path) if issue.files else None
        return nullcontext() if lock is None else Locked(lock, self._lock_timeout)

    def _truncate(self, issue: Issue, files: Files | None) -> bool:
        """Move the torn end of a log to its sidecar; return whether there still was one."""
        is_whole = files.is_whole if files and files.is_whole else bool
        if not any(torn_end(issue.path, is_whole)):
            return False  # a writer has moved it, or sealed the log
        Log(self._disk, issue.path, is_whole).truncate_torn_tail()
        return True

    def _move(self, issue: Issue, into: Path) -> bool:
        """Move a file to quarantine if it is unchanged; return whether it was moved.

        Not every writer takes a lock, so the file must still be the one that was checked.
        """
        checked = identity_at(issue.path)
        if checked is None or not self._is_still(issue):
            return False
        return move_to_quarantine(self._disk, issue.path, into, checked)

    def _is_still(self, issue: Issue) -> bool:
        """Check again, under the lock: a writer may have repaired or replaced the file since."""
        if issue.files is None:
            return True
        again = issue_of(issue.path, issue.files)
        return again is not None and again.kind == DAMAGED
