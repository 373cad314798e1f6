"""Checks the files of a folder, and reports issues file by file.

A room declares the files of its folder: for each kind a pattern of names, and how to prove such a
file. Anything else in the folder is reported too, so that no file goes unseen.

An error of a check is "damaged" only if it is `CorruptData`, and only if a second look agrees: a
writer may have replaced the file, or be in the middle of a write. Any other error is "unchecked":
no other file misses its check for it, and no repair touches the file (law D5).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from storecore.errors import CorruptData
from storecore_file.fs.decode_errors import cause_of
from storecore_file.fs.logs import torn_end
from storecore_file.fs.rollback import made_at
from storecore_file.fs.stat import Entry, entries, is_there, type_at

YOUNG = 3_600  # seconds in which a temporary file may still be one that is being written
ASIDE, SETTLE, FORGET = "aside", "settle", "forget"
NO_NEWLINE = "its last line lacks its newline"
DAMAGED, UNCHECKED, LINKED, UNREPAIRED = "damaged", "unchecked", "linked", "unrepaired"
_LOOKS, _PAUSE = 10, 0.01  # at what may be being changed, and seconds between two of them
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.tmp", re.S)
_LOCK = re.compile(r"\.(.+\.)?lock", re.S)
_TORN = re.compile(r".+\.torn", re.S)
_Found = TypeVar("_Found")


class Trouble(NamedTuple):
    """One thing that is not as it should be.

    `remedy` is what a repair does: `ASIDE` moves the file aside, `SETTLE` the torn end of a log,
    under the lock at `lock` and if `check` still finds it so, and calls `moved` then; `FORGET` only
    calls that. None is for a human to mend.
    """

    kind: str
    path: Path
    detail: str
    remedy: str | None = None
    lock: Path | None = None
    check: Callable[[Path], object] | None = None
    is_whole: Callable[[bytes], bool] | None = None
    moved: Callable[[Path], object] | None = None


class Kind(NamedTuple):
    """Files of one kind: their names, a check that raises `StoreError`, and what a repair may do.

    `lock` is the name of the lock of their writers; `is_whole` tells of a log's line whether it is;
    `moved` is called once a repair has moved a file aside, under the lock.
    """

    names: re.Pattern[str]
    check: Callable[[Path], object]
    remedy: str | None = None
    lock: Callable[[str], str] | None = None
    is_whole: Callable[[bytes], bool] | None = None
    moved: Callable[[Path], object] | None = None


class Problem(NamedTuple):
    """The result of a check of a file: its kind, `DAMAGED` or `UNCHECKED`, and the detail."""

    kind: str
    detail: str


def troubles_in(folder: Path, kinds: Sequence[Kind]) -> Iterator[Trouble | None]:
    """Yield for each file in a folder what is wrong with it, None where nothing is."""
    found, troubles = listed(folder)
    yield from troubles
    for entry in found:
        path = folder / entry.name
        kind = next((kind for kind in kinds if kind.names.fullmatch(entry.name)), None)
        if kind is None:
            yield unexpected(path, entry)
        elif entry.type != "file":
            yield no_file(path, entry, kind.remedy)
        else:
            yield from _of_file(path, kind)


def listed(folder: Path) -> tuple[list[Entry], list[Trouble]]:
    """Return the entries of a folder, and an error that hides others.

    A symbolic link is not followed: its target is not of this store, or is there twice.
    """
    try:
        found = entries(folder)
    except Exception as error:
        return [], [Trouble(UNCHECKED, folder, _unchecked(folder, error))]
    troubles = [trouble for entry in found if (trouble := _unseen(folder, entry))]
    unseen = {trouble.path.name for trouble in troubles}
    return [entry for entry in found if entry.name not in unseen], troubles


def guarded(place: Path, troubles: Iterator[Trouble | None]) -> Iterator[Trouble | None]:
    """Yield issues; an error that ends the search is an issue too, and does not stop others."""
    try:
        yield from troubles
    except Exception as error:
        yield Trouble(UNCHECKED, place, _unchecked(place, error))


def no_file(path: Path, entry: Entry, remedy: str | None) -> Trouble:
    """Return that another thing lies in the place of a file: a folder, a FIFO, a device."""
    detail = f"expected a file, found a {entry.type}"
    return Trouble(DAMAGED, path, detail, remedy, None, _expect_no_file)


def folder_lock(name: str) -> str:
    """Return the name of the lock of all files in a folder."""
    return ".lock"


def unexpected(path: Path, entry: Entry) -> Trouble | None:
    """Return what to say of an entry that is none of a room's own: a lock, or left behind, or not.

    A sidecar of torn lines is nobody's data any more, and is no trouble.
    """
    is_file = entry.type == "file"
    if not is_file and _LOCK.fullmatch(entry.name):
        return no_file(path, entry, ASIDE)
    if is_file and (_LOCK.fullmatch(entry.name) or _TORN.fullmatch(entry.name)):
        return None
    made = entry.changed if _TEMPORARY.fullmatch(entry.name) else made_at(entry.name)
    if is_file and made is not None:
        if time.time() - made < YOUNG:
            return None
        return Trouble("temporary", path, "a killed writer has left it behind", ASIDE)
    return Trouble("unknown", path, f"no {entry.type} of this store: it is left alone")


def problem_of(path: Path, check: Callable[[Path], object]) -> Problem | None:
    """Return the problem of a file, without its name; None if it is whole.

    A file that is gone has no problem. Damage is checked again, until two looks agree.
    """
    return agreed(lambda: _problem(path, check))


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


def trouble_of(
    path: Path,
    problem: Problem,
    remedy: str | None = None,
    lock: Path | None = None,
    check: Callable[[Path], object] | None = None,
    moved: Callable[[Path], object] | None = None,
) -> Trouble:
    """Return the issue of a file with a problem: an unchecked file has no remedy."""
    if problem.kind == UNCHECKED:
        return Trouble(UNCHECKED, path, problem.detail)
    return Trouble(problem.kind, path, problem.detail, remedy, lock, check, None, moved)


def _problem(path: Path, check: Callable[[Path], object]) -> Problem | None:
    try:
        check(path)
    except CorruptData as error:
        return Problem(DAMAGED, _without_name(path, error)) if is_there(path) else None
    except Exception as error:
        return Problem(UNCHECKED, _unchecked(path, error)) if is_there(path) else None
    return None


def _unseen(folder: Path, entry: Entry) -> Trouble | None:
    path = folder / entry.name
    if entry.problem is not None:
        return Trouble(UNCHECKED, path, f"could not be checked: {entry.problem}")
    if entry.type == "symbolic link":
        detail = "a symbolic link: it is not checked, and nothing is written through it"
        return Trouble(LINKED, path, detail)
    return None


def _unchecked(path: Path, error: Exception) -> str:
    return f"could not be checked: {_without_name(path, error)}"


def _without_name(path: Path, error: Exception) -> str:
    return cause_of(error).removeprefix(f"{path}: ")


def _of_file(path: Path, kind: Kind) -> Iterator[Trouble | None]:
    lock = path.with_name(kind.lock(path.name)) if kind.lock else None
    problem = problem_of(path, kind.check)
    if problem is None:
        yield from guarded(path, _torn(path, kind, lock))
    else:
        yield trouble_of(path, problem, kind.remedy, lock, kind.check, kind.moved)


def _torn(path: Path, kind: Kind, lock: Path | None) -> Iterator[Trouble | None]:
    """Yield the issue that the end of a log is torn, None if it is whole or being written."""
    is_whole = kind.is_whole
    detail = agreed(lambda: _torn_detail(path, is_whole)) if is_whole else None
    yield Trouble("torn", path, detail, SETTLE, lock, None, is_whole) if detail else None


def _torn_detail(path: Path, is_whole: Callable[[bytes], bool]) -> str | None:
    torn, lacks_newline = torn_end(path, is_whole)
    if lacks_newline:
        return NO_NEWLINE
    what = f"its last {torn} bytes are of a line that was never whole, and no data"
    return what if torn else None


def _expect_no_file(path: Path) -> None:
    if type_at(path) not in (None, "file"):
        raise CorruptData(f"{path}: it is no file", path)
