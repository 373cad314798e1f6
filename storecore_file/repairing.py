"""Mends what is wrong with a store by moving files aside: nothing is ever deleted or rewritten.

    aside/2026-11-24T22-58-32.123456Z/prices/AAPL/2026-01.parquet

A file keeps its path under a folder of the repair's time, so that it can be looked at and put back.
"""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from storecore.errors import StoreError
from storecore_file.decode_errors import cause_of
from storecore_file.floor import aside
from storecore_file.floor.appending import Log, torn_bytes
from storecore_file.floor.disk import Disk
from storecore_file.floor.locks import Locked
from storecore_file.floor.looking import identity_at
from storecore_file.troubles import DAMAGED, SETTLE, UNREPAIRED, Trouble, problem_of


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
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
        self._aside = base_path / aside.ASIDE / moment

    def mend(self, trouble: Trouble) -> str | Trouble | None:
        """Mend one trouble; return in words what was done, None where it was gone already.

        Where it cannot be mended, that is the trouble that is returned: it holds up no other.
        """
        try:
            return self._mended(trouble)
        except (StoreError, MemoryError) as error:
            detail = f"could not be moved aside: {cause_of(error)}"
            return Trouble(UNREPAIRED, trouble.path, detail)

    def _mended(self, trouble: Trouble) -> str | None:
        path = trouble.path.relative_to(self._base_path)
        into = self._aside / path
        settled = trouble.remedy == SETTLE
        done = (
            f"moved the torn end of {path} to {path.name}.torn"
            if settled
            else f"moved {path} to {into.relative_to(self._base_path)}: {trouble.detail}"
        )
        if self._dry_run:
            return done.replace("moved", "would move", 1)
        with self._locked(trouble):
            if settled:
                if not torn_bytes(trouble.path, trouble.is_whole or bool):
                    return None  # it was settled, or sealed, meanwhile
                Log(self._disk, trouble.path, trouble.is_whole or bool).append(lambda _: [])
            elif not self._set_aside(trouble, into):
                return None
            elif trouble.moved is not None:
                trouble.moved(trouble.path)
        return done

    def _locked(self, trouble: Trouble) -> Locked | nullcontext[None]:
        if trouble.lock is None:
            return nullcontext()
        return Locked(trouble.lock, self._lock_timeout)

    def _set_aside(self, trouble: Trouble, into: Path) -> bool:
        """Move a file aside if it is still as it was found; tell whether it was moved.

        Not every writer takes a lock: what is moved must be the file that was looked at.
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
