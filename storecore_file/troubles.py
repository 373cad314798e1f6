"""What may be wrong with the files of a folder, told file by file.

A room says which files its folder has: for each kind a pattern of names, and how such a file is
proven. Whatever else lies there is told too, so that no file goes unseen.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from storecore.errors import StoreError
from storecore_file.floor.appending import torn_bytes
from storecore_file.floor.looking import Entry, entries
from storecore_file.floor.rollback import made_at

YOUNG = 3_600  # seconds in which a temporary file may still be one that is being written
ASIDE, SETTLE = "aside", "settle"
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.tmp", re.S)
_LOCK = re.compile(r"\.(.+\.)?lock", re.S)
_TORN = re.compile(r".+\.torn", re.S)


class Trouble(NamedTuple):
    """One thing that is not as it should be.

    `remedy` is what a repair does: `ASIDE` moves the file aside, `SETTLE` the torn end of a log,
    under the lock at `lock` and if `check` still finds it so, and calls `moved` then. None is for a
    human to mend.
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


def troubles_in(folder: Path, kinds: Sequence[Kind]) -> Iterator[Trouble | None]:
    """Yield for each file in a folder what is wrong with it, None where nothing is."""
    for entry in entries(folder):
        path = folder / entry.name
        kind = next((kind for kind in kinds if kind.names.fullmatch(entry.name)), None)
        if kind is None:
            yield unexpected(path, entry)
        elif entry.is_folder:
            yield Trouble("damaged", path, "expected a file, found a folder", kind.remedy)
        else:
            yield from _of_file(path, kind)


def folder_lock(name: str) -> str:
    """Return the name of the lock of all files in a folder."""
    return ".lock"


def unexpected(path: Path, entry: Entry) -> Trouble | None:
    """Return what to say of an entry that is none of a room's own: a lock, or left behind, or not.

    A sidecar of torn lines is nobody's data any more, and is no trouble.
    """
    if entry.is_folder and _LOCK.fullmatch(entry.name):
        return Trouble("damaged", path, "expected a file to lock, found a folder", ASIDE)
    if not entry.is_folder and (_LOCK.fullmatch(entry.name) or _TORN.fullmatch(entry.name)):
        return None
    made = entry.changed if _TEMPORARY.fullmatch(entry.name) else made_at(entry.name)
    if not entry.is_folder and made is not None:
        if time.time() - made < YOUNG:
            return None
        return Trouble("temporary", path, "a killed writer has left it behind", ASIDE)
    what = "folder" if entry.is_folder else "file"
    return Trouble("unknown", path, f"no {what} of this store: it is left alone")


def problem_of(path: Path, check: Callable[[Path], object]) -> str | None:
    """Return what a check says of a file, without its name; None where all is well."""
    try:
        check(path)
    except StoreError as error:
        return str(error).removeprefix(f"{path}: ")
    return None


def _of_file(path: Path, kind: Kind) -> Iterator[Trouble | None]:
    lock = path.with_name(kind.lock(path.name)) if kind.lock else None
    problem = problem_of(path, kind.check)
    found = Trouble("damaged", path, problem or "", kind.remedy, lock, kind.check, None, kind.moved)
    yield None if problem is None else found
    torn = torn_bytes(path, kind.is_whole) if kind.is_whole and problem is None else 0
    if torn:
        detail = f"its last {torn} bytes are of a line that was never whole, and no data"
        yield Trouble("torn", path, detail, SETTLE, lock, None, kind.is_whole)
