"""Mends what is wrong with a store by moving files aside: nothing is ever deleted or rewritten.

    aside/2026-11-24T22-58-32.123456Z/prices/AAPL/2026-01.parquet

A file keeps its path under a folder of the repair's time, so that it can be looked at and put back.
"""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from storecore.errors import StoreError
from storecore_file.fs import quarantine as aside
from storecore_file.fs.decode_errors import cause_of
from storecore_file.fs.disk import Disk
from storecore_file.fs.locks import Locked
from storecore_file.fs.logs import Log, torn_end
from storecore_file.fs.stat import identity_at
from storecore_file.integrity import (
    DAMAGED,
    FORGET,
    NO_NEWLINE,
    SETTLE,
    UNREPAIRED,
    Trouble,
    problem_of,
)


def mendable(trouble: Trouble) -> bool:
    """Tell whether a repair can do something about it."""
    return trouble.remedy is not None


class Repairs:
    """One repair of a store, or (`dry_run`) what one would do."""

    def __init__(self, base_path: Path, disk: Disk, lock_timeout: float, dry_run: bool) -> None:
        self._base_path = base_path
        self._disk = disk
        self._lock_timeout = lock_timeout
        self._dry_run = dry_run
        moment = datetime.now(UTC).strftime(aside.MOMENT)
        self._aside = base_path / aside.ASIDE / moment

    def mend(self, trouble: Trouble) -> str | Trouble | None:
        """Repair one issue; return what was done, in words, or None if it was gone already.

        If it cannot be repaired, return it: it does not stop the others.
        """
        try:
            return self._mended(trouble)
        except (StoreError, MemoryError) as error:
            detail = f"could not be moved aside: {cause_of(error)}"
            return Trouble(UNREPAIRED, trouble.path, detail)

    def _mended(self, trouble: Trouble) -> str | None:
        if trouble.remedy == FORGET:
            return self._give_up(trouble)
        path = trouble.path.relative_to(self._base_path)
        into = self._aside / path
        settled = trouble.remedy == SETTLE
        done = f"moved {path} to {into.relative_to(self._base_path)}: {trouble.detail}"
        if settled:
            done = f"moved the torn end of {path} to {path.name}.torn"
        if trouble.detail == NO_NEWLINE:
            done = f"moved the end of {path} behind a newline"
        if self._dry_run:
            return done.replace("moved", "would move", 1)
        with self._locked(trouble):
            if settled:
                if not any(torn_end(trouble.path, trouble.is_whole or bool)):
                    return None  # it was settled, or sealed, meanwhile
                Log(self._disk, trouble.path, trouble.is_whole or bool).append(lambda _: [])
            elif not self._set_aside(trouble, into):
                return None
            elif trouble.moved is not None:
                trouble.moved(trouble.path)
        return done

    def _give_up(self, trouble: Trouble) -> str:
        if not self._dry_run and trouble.moved is not None:
            trouble.moved(trouble.path)
        return f"{'would give up' if self._dry_run else 'gave up'}: {trouble.detail}"

    def _locked(self, trouble: Trouble) -> Locked | nullcontext[None]:
        if trouble.lock is None:
            return nullcontext()
        return Locked(trouble.lock, self._lock_timeout)

    def _set_aside(self, trouble: Trouble, into: Path) -> bool:
        """Move a file aside if it is unchanged; return whether it was moved.

        Not every writer takes a lock, so the file must still be the one that was checked.
        """
        judged = identity_at(trouble.path)
        if judged is None or not self._is_still(trouble):
            return False
        return aside.set_aside(self._disk, trouble.path, into, judged)

    def _is_still(self, trouble: Trouble) -> bool:
        """Look again, under the lock: a writer may have mended it, or replaced the file, since."""
        if trouble.check is None:
            return True
        problem = problem_of(trouble.path, trouble.check)
        return problem is not None and problem.kind == DAMAGED
