"""What is being renamed: a small document that makes the rename of a symbol one step.

    data/.rename                     {"old":"FB","new":"META","state":"committed","days":{…},…}
    data/prices/FB/renamed.symbol    an empty mark: who lists this folder asks the document

    state       what counts
    prepared    the data of the old name; files under the new one do not count yet
    committed   those of the new name; files under the old one do not count any more
    done        whatever lies there

The data of three collections lie in many files, but what counts of them changes with the one
rename of this document. Only folders with a mark concern it, so nobody else looks at it: a mark is
one more name in a listing that each read makes anyway. Events are renamed in place: until their
days are rewritten, a reader changes the symbol of those up to the number in `days`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from storecore.errors import CorruptData
from storecore.models import Event
from storecore_file.fs.disk import Disk
from storecore_file.fs.names import SYMBOLS
from storecore_file.fs.seal import sealed, unsealed
from storecore_file.fs.stat import Fingerprint, fingerprint
from storecore_file.integrity import QUARANTINE, Files, Issue, issue_of

NAME = ".rename"
LOCK = ".rename.lock"
MARK = "renamed.symbol"
_REMEDY = (
    "if no rename was interrupted, `storecore repair` moves it to quarantine; otherwise restore it "
    "from a backup"
)
_NOT_SEEN = (0, 0, 0, 0)
_DEPTH = 3  # prices, the symbol, the timeframe
_Result = TypeVar("_Result")
RENAMING = "renaming"  # the kind of what `verify` notes of an interrupted rename


class RenamingError(Exception):
    """A writer has met the mark of a rename that was interrupted: settle it, and try again."""


class Intent(Struct, frozen=True):
    """The rename of a symbol. `days` has the number of the last event of each day then.

    `originals` has the identities of the partitions that are copied, by the name of their folder
    ("" is the symbol's own) and their own; `generation` is that of the copies. They prove what a
    rename may remove. The record of a release before them proves nothing: all files stay.
    """

    old: str
    new: str
    state: Literal["prepared", "committed", "done"]
    days: dict[str, int] = {}
    originals: dict[str, dict[str, int]] = {}
    generation: int = 0

    def done(self) -> Intent:
        """Return the rename once whatever lies there counts."""
        return replace(self, state="done", originals={})

    @property
    def hidden(self) -> str | None:
        """The symbol whose files do not count."""
        return {"prepared": self.new, "committed": self.old, "done": None}[self.state]

    def applied(self, day: str, number: int, event: Event) -> Event:
        """Return an event of a day, with the new symbol if it was written before the rename."""
        if event.symbol == self.old and number <= self.days.get(day, 0):
            return replace(event, symbol=self.new)
        return event


class Renames:
    """The document of a store, and how to settle a rename that was interrupted."""

    settle: Callable[[], None]  # set by the store, which knows the collections

    def __init__(self, disk: Disk, base_path: Path) -> None:
        self._disk = disk
        self.path = base_path / NAME
        self._seen: Fingerprint | None = _NOT_SEEN  # of the document, when it was looked at last

    def read(self) -> Intent | None:
        """Return the last rename, None if there was none. Raises `CorruptData`."""
        content = self._disk.read(self.path)
        if content is None:
            return None
        try:
            return msgspec.json.decode(unsealed(content), type=Intent)
        except ValueError as error:
            message = f"{self.path}: not a whole record of a rename: {error}; {_REMEDY}"
            raise CorruptData(message, self.path) from error

    def __reduce__(self) -> tuple[type[Renames], tuple[Disk, Path]]:
        # A copy, in another process, is connected to the copy of its store.
        return Renames, (self._disk, self.path.parent)

    def write(self, intent: Intent) -> Intent:
        """Replace the document, durably."""
        self._disk.replace(self.path, sealed(msgspec.json.encode(intent)))
        return intent

    def hides(self, folder: str) -> bool:
        """Return whether the files of a symbol, in a folder of this name, do not count now."""
        intent = self.read()
        hidden = None if intent is None else intent.hidden
        return hidden is not None and SYMBOLS.encode(hidden) == folder

    def concerns(self, symbol: str) -> bool:
        """Return whether a rename of a symbol, or to it, has to be settled."""
        intent = self.read()
        return intent is not None and intent.state != "done" and symbol in (intent.old, intent.new)

    def between(self, read: Callable[[], _Result]) -> _Result:
        """Return what a read of several symbols returns, read again if one is renamed meanwhile.

        Else it would find a symbol under both names, or under neither. What was seen of the record
        last is kept, so that this costs one look at it.
        """
        if self._seen == _NOT_SEEN:
            self._seen = fingerprint(self.path)
        before = self._seen
        while True:
            found = read()
            now = self._seen = fingerprint(self.path)
            if now == before:
                return found
            before = now

    def committed(self) -> Intent | None:
        """Return the rename whose data are those of the new name, but may lie under the old one."""
        intent = self.read()
        return intent if intent is not None and intent.state == "committed" else None


def is_marked(names: Sequence[str]) -> bool:
    """Return whether a sorted listing of files that are named after times has the mark."""
    return bool(names) and names[-1] >= MARK and MARK in names


def rename_issues(disk: Disk, base_path: Path) -> Iterator[Issue | None]:
    """Yield the issue of the document, a note if its rename is not done, None if all is well."""
    renames = Renames(disk, base_path)
    if disk.size(renames.path) is not None:
        files = Files(None, lambda path: renames.read(), QUARANTINE, lambda name: LOCK)
        damage = issue_of(renames.path, files)
        if damage is not None and _has_marks(disk, base_path):
            damage = damage._replace(remedy=None)
        yield damage or _unfinished(renames.path, renames.read())


def _has_marks(disk: Disk, folder: Path, below: int = _DEPTH) -> bool:
    """Return whether a rename has marked a folder, or one below it: then the record is needed."""
    return MARK in disk.names(folder) or (
        below > 0 and any(_has_marks(disk, each, below - 1) for each in disk.folders(folder))
    )


def _unfinished(path: Path, intent: Intent | None) -> Issue | None:
    if intent is None or intent.state == "done":
        return None
    end = "taken back" if intent.state == "prepared" else "finished"
    return Issue(
        RENAMING,
        path,
        f"{intent.old!r} is being renamed to {intent.new!r}: if that was interrupted, it is {end} "
        "by the next write to one of them, or by `storecore compact`",
    )
