"""Checks the files of a folder, and reports issues file by file.

A collection declares the files of its folders: for each sort a pattern of names, and how to check
such a file. Anything else in a folder is reported too, so that no file is overlooked.

A file is "damaged" only if its check raises `CorruptData`, and only if a second look agrees: a
writer may have replaced the file, or be in the middle of a write. With any other error the file is
"unchecked": the other files are checked all the same, and no repair touches this one (law D5).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from storecore.errors import CorruptData
from storecore_file.fs.logs import torn_end
from storecore_file.fs.rollback import made_at
from storecore_file.fs.seal import cause_of
from storecore_file.fs.stat import Entry, entries, is_there, type_at

YOUNG = 3_600  # seconds in which a temporary file may still be one that is being written
QUARANTINE, TRUNCATE, FORGET = "quarantine", "truncate", "forget"
NO_NEWLINE = "its last line lacks its newline"
DAMAGED, UNCHECKED, LINKED, UNREPAIRED = "damaged", "unchecked", "linked", "unrepaired"
_LOOKS, _PAUSE = 10, 0.01  # at a file that may be being changed, and seconds between two of them
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.tmp", re.S)
_LOCK = re.compile(r"\.(.+\.)?lock", re.S)
_TORN = re.compile(r".+\.torn", re.S)
_Found = TypeVar("_Found")


class Files(NamedTuple):
    """Files of one sort: how to check one, and what a repair needs to know of it.

    `names` matches their names. `check` raises `StoreError` if a file is not whole, and `remedy` is
    what a repair may do then. `lock` returns the lock of a file's writers, seen from its folder.
    `is_whole` returns whether a line of a log is whole. `moved` is called once a repair has dealt
    with a file, under the lock.
    """

    names: re.Pattern[str] | None
    check: Callable[[Path], object]
    remedy: str | None = None
    lock: Callable[[str], str] | None = None
    is_whole: Callable[[bytes], bool] | None = None
    moved: Callable[[Path], object] | None = None

    def lock_of(self, path: Path) -> Path | None:
        """Return the path of the lock of a file's writers, None if they need none."""
        return path.parent / self.lock(path.name) if self.lock else None


class Issue(NamedTuple):
    """One finding in the files of a store, and what a repair can do about it.

    `remedy` is what a repair does: `QUARANTINE` moves the file, if its check still fails;
    `TRUNCATE` moves the torn end of a log; `FORGET` only calls `files.moved`. An issue without a
    remedy is left to the user.
    """

    kind: str
    path: Path
    detail: str
    remedy: str | None = None
    files: Files | None = None


def folder_issues(folder: Path, sorts: Sequence[Files]) -> Iterator[Issue | None]:
    """Yield the issue of each file in a folder, None for a whole one."""
    found, issues = listed(folder)
    yield from issues
    for entry in found:
        path = folder / entry.name
        files = next(
            (each for each in sorts if each.names and each.names.fullmatch(entry.name)), None
        )
        if files is None:
            yield unexpected(path, entry)
        elif entry.type != "file":
            yield not_a_file(path, entry, files.remedy)
        else:
            yield from _file_issues(path, files)


def listed(folder: Path) -> tuple[list[Entry], list[Issue]]:
    """Return the entries of a folder that can be checked, and the issues of those that cannot.

    A symbolic link is not followed: its target is not of this store, or would be checked twice.
    """
    try:
        found = entries(folder)
    except Exception as error:
        return [], [Issue(UNCHECKED, folder, _unchecked(folder, error))]
    issues = [issue for entry in found if (issue := _unseen(folder, entry))]
    unseen = {issue.path.name for issue in issues}
    return [entry for entry in found if entry.name not in unseen], issues


def guarded(place: Path, issues: Iterator[Issue | None]) -> Iterator[Issue | None]:
    """Yield issues; an error that ends the search is an issue too, and does not stop others."""
    try:
        yield from issues
    except Exception as error:
        yield Issue(UNCHECKED, place, _unchecked(place, error))


def not_a_file(path: Path, entry: Entry, remedy: str | None) -> Issue:
    """Return the issue that a folder, a FIFO or a device lies in the place of a file."""
    detail = f"expected a file, found a {entry.type}"
    return Issue(DAMAGED, path, detail, remedy, Files(None, _expect_no_file))


def folder_lock(name: str) -> str:
    """Return the name of the lock of all files in a folder."""
    return ".lock"


def unexpected(path: Path, entry: Entry) -> Issue | None:
    """Return the issue of an entry that no collection declares; None for locks and leftovers.

    A sidecar of torn lines holds no data, and is no issue.
    """
    is_file = entry.type == "file"
    if not is_file and _LOCK.fullmatch(entry.name):
        return not_a_file(path, entry, QUARANTINE)
    if is_file and (_LOCK.fullmatch(entry.name) or _TORN.fullmatch(entry.name)):
        return None
    made = entry.changed if _TEMPORARY.fullmatch(entry.name) else made_at(entry.name)
    if is_file and made is not None:
        if time.time() - made < YOUNG:
            return None
        return Issue("temporary", path, "a killed writer has left it behind", QUARANTINE)
    return Issue("unknown", path, f"no {entry.type} of this store: it is left alone")


def issue_of(path: Path, files: Files) -> Issue | None:
    """Return the issue of a file, damaged or unchecked; None if it is whole or gone.

    Damage is checked again, until two looks agree. An unchecked file has no remedy.
    """
    return agreed(lambda: _issue(path, files))


def agreed(look: Callable[[], _Found | None]) -> _Found | None:
    """Return what two looks in a row find, None as soon as one finds nothing.

    A writer that changes the file makes them differ. A file that could not be checked is not
    checked again. After some looks the last one counts.
    """
    found = look()
    for _ in range(_LOOKS):
        if found is None or getattr(found, "kind", None) == UNCHECKED:
            return found
        time.sleep(_PAUSE)
        before, found = found, look()
        if found == before:
            return found
    return found


def _issue(path: Path, files: Files) -> Issue | None:
    try:
        files.check(path)
    except CorruptData as error:
        damage = Issue(DAMAGED, path, _without_name(path, error), files.remedy, files)
        return damage if is_there(path) else None
    except Exception as error:
        return Issue(UNCHECKED, path, _unchecked(path, error)) if is_there(path) else None
    return None


def _unseen(folder: Path, entry: Entry) -> Issue | None:
    path = folder / entry.name
    if entry.problem is not None:
        return Issue(UNCHECKED, path, f"could not be checked: {entry.problem}")
    if entry.type == "symbolic link":
        detail = "a symbolic link: it is not checked, and nothing is written through it"
        return Issue(LINKED, path, detail)
    return None


def _unchecked(path: Path, error: Exception) -> str:
    return f"could not be checked: {_without_name(path, error)}"


def _without_name(path: Path, error: Exception) -> str:
    return cause_of(error).removeprefix(f"{path}: ")


def _file_issues(path: Path, files: Files) -> Iterator[Issue | None]:
    issue = issue_of(path, files)
    if issue is None:
        yield from guarded(path, _torn(path, files))
    else:
        yield issue


def _torn(path: Path, files: Files) -> Iterator[Issue | None]:
    """Yield the issue that the end of a log is torn, None if it is whole or being written."""
    is_whole = files.is_whole
    detail = agreed(lambda: _torn_detail(path, is_whole)) if is_whole else None
    yield Issue("torn", path, detail, TRUNCATE, files) if detail else None


def _torn_detail(path: Path, is_whole: Callable[[bytes], bool]) -> str | None:
    torn, lacks_newline = torn_end(path, is_whole)
    if lacks_newline:
        return NO_NEWLINE
    what = f"its last {torn} bytes are of a line that was never whole, and no data"
    return what if torn else None


def _expect_no_file(path: Path) -> None:
    if type_at(path) not in (None, "file"):
        raise CorruptData(f"{path}: it is no file", path)
