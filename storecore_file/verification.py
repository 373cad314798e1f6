"""Checks a whole store: each collection reports on its own files, and this module on the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from storecore.errors import CorruptData, StorageError
from storecore.reports import Finding, Report
from storecore_file import rename_intent
from storecore_file.fs.disk import Disk
from storecore_file.fs.quarantine import FOLDER
from storecore_file.integrity import (
    DAMAGED,
    LINKED,
    UNCHECKED,
    UNREPAIRED,
    Issue,
    guarded,
    listed,
    unexpected,
)
from storecore_file.store_format import LOCK, NAME, format_issues

_OWN = frozenset(
    {
        *("prices", "fundamentals", "events", "state", "audit", "history", FOLDER),
        *(NAME, LOCK, rename_intent.NAME, rename_intent.LOCK),
    }
)
_LOGS = frozenset({"decisions", "orders"})
_HISTORY = frozenset({"prices", "fundamentals", "events", ".clock", ".horizon"})
_STATES = ("older", "lacking", "diverged")  # files of different states of the store
WRONG = frozenset({DAMAGED, UNCHECKED, LINKED, UNREPAIRED, "overlapping", "truncated", *_STATES})


class Collection(Protocol):
    """A collection that can check its files."""

    def issues(self) -> Iterator[Issue | None]:
        """Yield the issue of each file, None for a whole one."""
        ...


def store_issues(
    disk: Disk, base_path: Path, collections: Sequence[Collection]
) -> tuple[int, list[Issue]]:
    """Return how many files were checked, and all issues."""
    checks = [check for each in collections for check in guarded(base_path, each.issues())]
    checks += guarded(base_path, format_issues(disk, base_path))
    checks += guarded(base_path, rename_intent.rename_issues(disk, base_path))
    checks += [*_others(base_path, _OWN), *_others(base_path / "audit", _LOGS)]
    checks += _others(base_path / "history", _HISTORY)
    return len(checks), [issue for issue in checks if issue is not None]


def report(checked: int, issues: Sequence[Issue], audit: Iterable[Finding]) -> Report:
    """Return a report on what was found; an issue that does not affect reads is a note."""
    found = [Finding(each.kind, str(each.path), each.detail, str(each.path)) for each in issues]
    wrong = tuple(each for each in found if each.kind in WRONG)
    notes = tuple(each for each in found if each.kind not in WRONG)
    reported = {each.place for each in wrong}
    others = [each for each in audit if each.kind != UNCHECKED or each.place not in reported]
    return Report(checked, (*wrong, *others), notes=notes)


def chain_findings(verify: Callable[[], tuple[object, Sequence[Finding]]]) -> Sequence[Finding]:
    """Return the findings of a log's chain, or that it could not be checked."""
    try:
        return verify()[1]
    except StorageError as error:
        kind = DAMAGED if isinstance(error, CorruptData) else UNCHECKED
        return [Finding(kind, str(error.path), str(error), error.path)]


def _others(folder: Path, own: frozenset[str]) -> Iterator[Issue | None]:
    """Yield the issues of what no collection owns; the folder of one may be a link."""
    found, unseen = listed(folder)
    yield from (issue for issue in unseen if issue.path.name not in own)
    for entry in found:
        if entry.name not in own:
            yield unexpected(folder / entry.name, entry)
