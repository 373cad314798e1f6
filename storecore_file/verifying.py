"""Looks over a whole store: each room tells of its own files, what is left is told here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from storecore.reports import Finding, Report
from storecore_file.floor.aside import ASIDE
from storecore_file.floor.disk import Disk
from storecore_file.floor.looking import entries
from storecore_file.store_format import NAME, format_troubles
from storecore_file.troubles import Trouble, unexpected

_ROOMS = frozenset({"prices", "fundamentals", "events", "state", "audit", ASIDE, NAME})
_LOGS = frozenset({"decisions", "orders"})
WRONG = frozenset({"damaged", "overlapping", "truncated", "older", "lacking", "diverged"})


class Room(Protocol):
    """A room that can tell of its files."""

    def troubles(self) -> Iterator[Trouble | None]:
        """Yield for each file what is wrong with it, None where nothing is."""
        ...


def looked_over(disk: Disk, base_path: Path, rooms: Sequence[Room]) -> tuple[int, list[Trouble]]:
    """Return how many files were looked at, and all that is wrong or odd."""
    looks = [look for room in rooms for look in room.troubles()]
    looks += format_troubles(disk, base_path)
    looks += [*_others(base_path, _ROOMS), *_others(base_path / "audit", _LOGS)]
    return len(looks), [trouble for trouble in looks if trouble is not None]


def report(checked: int, troubles: Sequence[Trouble], audit: Iterable[Finding]) -> Report:
    """Return a report on what was found; what keeps no read from its answer is a note."""
    found = [Finding(each.kind, str(each.path), each.detail, str(each.path)) for each in troubles]
    wrong = tuple(each for each in found if each.kind in WRONG)
    notes = tuple(each for each in found if each.kind not in WRONG)
    return Report(checked, (*wrong, *audit), notes=notes)


def _others(folder: Path, own: frozenset[str]) -> Iterator[Trouble | None]:
    for entry in entries(folder):
        if entry.name not in own:
            yield unexpected(folder / entry.name, entry)
