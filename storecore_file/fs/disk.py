"""Replaces, reads and removes whole files, so that a crash leaves the old one or the new one.

A file is written under a temporary name in the same folder, synced, renamed and its folder synced:
the only order in which neither a kill nor a power cut can leave a torn or empty file. A failed sync
is not retried: the file is given up, and the old one stands.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

from storecore_file.fs.errors import naming
from storecore_file.fs.folders import Folders
from storecore_file.fs.former import Former
from storecore_file.fs.renaming import put_in_place
from storecore_file.fs.stat import Changed, Listing, OpenFile

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_ADD = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_LISTINGS = 30_000
_LISTED_AGAIN = 50
_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync stops at the drive


class Staged(NamedTuple):
    """A file that is written, not yet in its place."""

    path: Path
    temporary: Path


class Disk(Folders):
    """Whole files, durable to a level: "full" survives power loss, "os" only the process."""

    def __init__(self, durability: str) -> None:
        super().__init__(durability)
        self._listings: dict[Path, Listing] = {}

    def read(self, path: Path, start: int = 0) -> bytes | None:
        """Return the bytes of a file from `start` on, or None where there is none."""
        with naming(path, "read"):
            try:
                with OpenFile(path) as file:
                    return file.read(start)
            except FileNotFoundError:
                return None

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder that are not hidden, sorted; none where it is missing.

        Some may be gone by now. None that was there all the time is left out, and all were there at
        one time: the folder is listed until two listings agree, since one may miss a file that is
        replaced by another while it runs. A folder that has not changed since is not listed again.
        """
        with naming(folder, "list"):
            try:
                changed = Changed.of(folder)
                known = self._listings.get(folder)
                if known is not None and known.changed == changed.at:
                    return known.names
                names = _steady_names(folder)
            except FileNotFoundError:
                return []
        listed = sorted(name for name in names if not name.startswith("."))
        if changed.settled:
            self._keep(folder, Listing(changed.at, listed))
        return listed

    def _keep(self, folder: Path, listing: Listing) -> None:
        if len(self._listings) >= _LISTINGS:
            self._listings.clear()
        self._listings[folder] = listing

    def folders(self, folder: Path) -> list[Path]:
        """Return the folders in a folder that are not hidden, sorted; none where it is missing."""
        with naming(folder, "list"):
            try:
                with os.scandir(folder) as entries:
                    names = [entry.name for entry in entries if _may_be_folder(entry)]
            except FileNotFoundError:
                return []
        return [folder / name for name in sorted(names) if not name.startswith(".")]

    def size(self, path: Path) -> int | None:
        """Return the bytes of a file, or None where there is none."""
        with naming(path, "look at"):
            try:
                return path.stat().st_size
            except FileNotFoundError:
                return None

    def changed(self, path: Path) -> Changed | None:
        """Return when a file has last changed, or None where there is none."""
        with naming(path, "look at"):
            try:
                return Changed.of(path)
            except FileNotFoundError:
                return None

    def opened(self, path: Path) -> OpenFile | None:
        """Return a file to read parts of, as a context manager, or None where there is none."""
        with naming(path, "read"):
            try:
                return OpenFile(path)
            except FileNotFoundError:
                return None

    def replace(self, path: Path, content: bytes) -> None:
        """Put content where the path says: all of it or, on an error, what was there before."""
        self.put([self.stage(path, content)])

    def stage(self, path: Path, content: bytes) -> Staged:
        """Write content, durably, beside where it shall be; `put` or `discard` it then."""
        # Not by process id: containers reuse them, and one may have been killed while it wrote.
        temporary = path.with_name(f".{path.name}.{token_hex(8)}.tmp")
        with naming(path, "write"):
            try:
                self._write_new(temporary, content)
            except BaseException:
                self.discard([Staged(path, temporary)])
                raise
        return Staged(path, temporary)

    def put(self, staged: Iterable[Staged]) -> None:
        """Put staged files, all of one folder, in their places: all or, on an error, none."""
        self.exchange(staged, ())

    def exchange(self, staged: Iterable[Staged], gone: Iterable[Path]) -> None:
        """Put staged files in their places, then remove others of their folder.

        Others may be gone already. On an error all is as before; where the disk fails in that too,
        each file is still the old one or the new one.
        """
        waiting, removed = list(staged), list(gone)
        with Former() as former:
            try:
                self._put(waiting, former)
                self._remove(removed, former)
            except BaseException:
                former.put_back(self._write_anew)
                self.discard(waiting)
                raise

    def _put(self, waiting: list[Staged], former: Former) -> None:
        for path, temporary in waiting:
            with naming(path, "write"):
                former.keep(path, temporary)
                put_in_place(temporary, path)
        if waiting:
            with naming(waiting[0].path, "write"):
                self._sync_folder(waiting[0].path.parent)

    def _remove(self, paths: list[Path], former: Former) -> None:
        for path in paths:
            with naming(path, "remove"):
                former.keep(path, None)
                path.unlink(missing_ok=True)
        if paths:
            with naming(paths[0], "remove"):
                self._sync_folder(paths[0].parent)

    def _write_anew(self, path: Path, content: bytes) -> None:
        staged = self.stage(path, content)
        try:
            put_in_place(staged.temporary, path)
        except BaseException:
            self.discard([staged])
            raise

    def discard(self, staged: Iterable[Staged]) -> None:
        """Remove staged files that shall not be put after all."""
        for _, temporary in staged:
            with suppress(OSError):  # the error that matters is on its way
                temporary.unlink()

    def keep(self, path: Path, name: str) -> None:
        """Give a file a second name in its folder, under which it stays when it is replaced.

        The name lasts once the file itself is replaced. Where the file system has no such names,
        the file is copied.
        """
        second = path.with_name(name)
        with naming(second, "write"):
            second.unlink(missing_ok=True)
            try:
                second.hardlink_to(path)
            except OSError:
                self.replace(second, path.read_bytes())

    def add(self, path: Path, content: bytes) -> None:
        """Add to the end of a file, made if need be, without a sync: a crash may tear it."""
        with naming(path, "write"):
            file = os.open(path, _ADD, 0o666)
            try:
                write_all(file, content)
            finally:
                os.close(file)

    def drop(self, path: Path) -> None:
        """Remove a file without a sync, for what may come back; fine where it is gone already."""
        with naming(path, "remove"):
            path.unlink(missing_ok=True)

    def remove(self, *paths: Path) -> None:
        """Remove files, all of one folder; fine where they are gone already."""
        self.exchange((), paths)

    def sync(self, file: int) -> None:
        """Bring a file's data and length to the medium, where the level asks for it."""
        if self.durable:
            flush_data(file)

    def _write_new(self, path: Path, content: bytes) -> None:
        file = os.open(path, _NEW_FILE, 0o666)
        try:
            write_all(file, content)
            self.sync(file)
        finally:
            os.close(file)


def _may_be_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder; True if unknown, so that none is left out."""
    try:
        return entry.is_dir()
    except OSError as error:
        return error.errno != errno.ELOOP  # a link to itself leads nowhere


def _steady_names(folder: Path) -> set[str]:
    """Return the names in a folder as two listings agree on, or all that many have found."""
    found, names = set[str](), set(os.listdir(folder))  # noqa: PTH208 - names only
    for _ in range(_LISTED_AGAIN):
        again = set(os.listdir(folder))  # noqa: PTH208
        if again == names:
            return names
        found, names = found | names, again
    return found | names


def write_all(file: int, content: bytes) -> None:
    """Write all of content: `write` may take a part only, near a full disk for one."""
    written = os.write(file, content)
    if written == len(content):
        return
    view = memoryview(content)[written:]
    while view:
        view = view[os.write(file, view) :]


def flush_data(file: int) -> None:
    """Sync a file's data as deep as the platform can."""
    if _FULL_SYNC is not None:
        fcntl.fcntl(file, _FULL_SYNC)
    else:
        os.fdatasync(file)
