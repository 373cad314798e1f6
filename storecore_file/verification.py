"""Looks over a whole store: each room tells of its own files, what is left is told here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from storecore.errors import CorruptData, StorageError
from storecore.reports import Finding, Report
from storecore_file.fs.disk import Disk
from storecore_file.fs.quarantine import ASIDE
from storecore_file.integrity import (
    DAMAGED,
    LINKED,
    UNCHECKED,
    UNREPAIRED,
    Trouble,
    guarded,
    listed,
    unexpected,
)
from storecore_file.store_format import NAME, format_troubles

_ROOMS = frozenset({"prices", "fundamentals", "events", "state", "audit", ASIDE, NAME})
_LOGS = frozenset({"decisions", "orders"})
_STATES = ("older", "lacking", "diverged")  # files of several
WRONG = frozenset({DAMAGED, UNCHECKED, LINKED, UNREPAIRED, "overlapping", "truncated", *_STATES})


class Room(Protocol):
    """A room that can tell of its files."""

    def troubles(self) -> Iterator[Trouble | None]:
        """Yield for each file what is wrong with it, None where nothing is."""
        ...


def looked_over(disk: Disk, base_path: Path, rooms: Sequence[Room]) -> tuple[int, list[Trouble]]:
    """Return how many files were looked at, and all that is wrong or odd."""
    looks = [look for room in rooms for look in guarded(base_path, room.troubles())]
    looks += guarded(base_path, format_troubles(disk, base_path))
    looks += [*_others(base_path, _ROOMS), *_others(base_path / "audit", _LOGS)]
    return len(looks), [trouble for trouble in looks if trouble is not None]


def report(checked: int, troubles: Sequence[Trouble], audit: Iterable[Finding]) -> Report:
    """Return a report on what was found; what keeps no read from its answer is a note."""
    found = [Finding(each.kind, str(each.path), each.detail, str(each.path)) for each in troubles]
    wrong = tuple(each for each in found if each.kind in WRONG)
    notes = tuple(each for each in found if each.kind not in WRONG)
    told = {each.place for each in wrong}
    others = [each for each in audit if each.kind != UNCHECKED or each.place not in told]
    return Report(checked, (*wrong, *others), notes=notes)


def chain_findings(verify: Callable[[], tuple[object, list[Finding]]]) -> list[Finding]:
    """Return the findings of a log's chain, or that it could not be checked."""
    try:
        return verify()[1]
    except StorageError as error:
        kind = DAMAGED if isinstance(error, CorruptData) else UNCHECKED
        return [Finding(kind, str(error.path), str(error), error.path)]


def _others(folder: Path, own: frozenset[str]) -> Iterator[Trouble | None]:
    """Yield the issues of the store's folder; those of rooms may be links to other disks."""
    found, unseen = listed(folder)
    yield from (trouble for trouble in unseen if trouble.path.name not in own)
    for entry in found:
        if entry.name not in own:
            yield unexpected(folder / entry.name, entry)
