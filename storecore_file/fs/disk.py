"""Replaces, reads and removes whole files, so that a crash leaves the old one or the new one.

A file is written under a temporary name in the same folder, synced and renamed, and its folder is
synced: the only order in which neither a kill nor a power cut can leave a torn or empty file. A
failed sync is not retried: the new file is given up, and the old one stays.

A name in a folder may be the work of a killed process that had not synced it. So a name counts as
durable only once this process has synced its folder.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple, Self

from storecore.errors import StorageError
from storecore_file.fs.handles import (
    READ,
    FileEnd,
    OpenFile,
    end_of,
    identity,
    open_regular,
    os_errors,
    sync_data,
    write_all,
)
from storecore_file.fs.stat import NO_FILE, State, state_at

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_ADD = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LISTINGS = 30_000
_LISTED_AGAIN = 50
_TICK, _SLOW_TICK = 50_000_000, 3_000_000_000  # ns
_WAITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.3)  # seconds
_HELD = {5, 32}  # Windows' errors for a file that another process has open
_Identity = tuple[int, int]


class Staged(NamedTuple):
    """A file that is written, not yet in its place."""

    path: Path
    temporary: Path


class Changed(NamedTuple):
    """When a file or folder had last changed (ns), and whether any change from then on shows.

    `at` has the times of modification and of change: a copy may bring back the first, but not the
    second. It has device and inode too, since another file may be moved to the path. A change shows
    when it gives another time than this: once the clock that the kernel keeps for files, which
    ticks each 1 to 10 ms (an old file system's each 1 or 2 s), has gone on.
    """

    at: tuple[int, int, int, int]
    settled: bool

    @classmethod
    def of(cls, path: Path | str) -> Changed:
        """Look at a file or folder. Raises `FileNotFoundError`."""
        now = time.time_ns()  # before the look: this thread may be held up after it
        at = _times_of(path)
        return cls(at, is_settled(at[0], now))


def _times_of(path: Path | str) -> tuple[int, int, int, int]:
    found = os.stat(path)  # noqa: PTH116 - quicker than `Path`, before every read
    return found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino


def is_settled(at: int, now: int) -> bool:
    """Return whether a change after `now` gives another time than `at` (ns)."""
    return now - at > (_TICK if at % 1_000_000_000 else _SLOW_TICK)


class _Listing(NamedTuple):
    """The names in a folder, and when it had last changed."""

    changed: tuple[int, int, int, int]
    names: list[str]


class _Change(NamedTuple):
    """A name, its old file, which is open, and the identity of its new file."""

    path: Path
    old: int | None
    new: _Identity | None


class _StepRollback:
    """The files that one step replaces or removes, held open until the step is durable.

    So their content can be written again: that costs an open and a close, and nothing on the disk.
    A file that cannot be put back, because the disk fails in that too, stays as the step left it.
    (`rollback.py` does the same for many steps in many folders, by hard links.)
    """

    def __init__(self) -> None:
        self._changes: list[_Change] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for change in self._changes:
            if change.old is not None:
                os.close(change.old)

    def back_up(self, path: Path, new: Path | None) -> None:
        """Hold the file of a name open before `new` is renamed to it, or it is removed (None)."""
        new_file = None if new is None else identity(new.stat())
        try:
            old, _ = open_regular(path, READ)
        except FileNotFoundError:
            old = None
        self._changes.append(_Change(path, old, new_file))

    def roll_back(self, write: Callable[[Path, bytes], None]) -> None:
        """Roll the changes back, the last one first, so that a reader misses nothing meanwhile.

        A name with the file of another writer stays as it is.
        """
        for path, old, new in reversed(self._changes):
            with suppress(OSError):  # the error that matters is on its way
                if _file_at(path) != new:
                    continue
                if old is not None:
                    write(path, _content(old))
                else:
                    path.unlink(missing_ok=True)


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        return identity(path.stat())
    except FileNotFoundError:
        return None


def _content(file: int) -> bytes:
    with os.fdopen(os.dup(file), "rb") as reader:
        return reader.read()


class Disk:
    """Whole files, durable to a level: "full" survives power loss, "os" only the process."""

    def __init__(self, durability: str) -> None:
        self.durable = durability == "full"
        self._durable_folders: set[Path] = set()
        self._durable_files: dict[Path, _Identity] = {}
        self._listings: dict[str, _Listing] = {}

    def read(self, path: Path, start: int = 0) -> bytes | None:
        """Return the bytes of a file from `start` on, None if there is no file."""
        with os_errors(path, "read"):
            try:
                with OpenFile(path) as file:
                    return file.read(start)
            except FileNotFoundError:
                return None

    def names(self, folder: Path | str) -> list[str]:
        """Return the names in a folder that are not hidden, sorted; none if it is missing.

        Some may be gone by now. No name that was there all the time is left out, and all were there
        at one time: the folder is listed until two listings agree, or it has not changed meanwhile,
        since one may miss a file that is replaced while it runs. A folder that has not changed
        since is not listed again.
        """
        path = os.fspath(folder)  # text: to hash and convert a path object takes microseconds
        with os_errors(path, "list"):
            try:
                changed = Changed.of(path)
                known = self._listings.get(path)
                if known is not None and known.changed == changed.at:
                    return known.names
                names = _steady_names(path, changed)
            except FileNotFoundError:
                return []
        listed = sorted(name for name in names if not name.startswith("."))
        if changed.settled:
            self._keep(path, _Listing(changed.at, listed))
        return listed

    def listing(self, folder: str) -> tuple[State, list[str]] | None:
        """Return the state of a folder and its names, if any later change gives another state.

        None if there is no folder, if it cannot be listed, or if it has just changed.
        """
        now = time.time_ns()  # before the look
        state = state_at(folder)
        if state in (None, NO_FILE) or not is_settled(state[-1], now):
            return None
        try:
            names = os.listdir(folder)  # noqa: PTH208 - names only
        except (OSError, MemoryError):
            return None
        return (state, names) if state_at(folder) == state else None

    def _keep(self, folder: str, listing: _Listing) -> None:
        if len(self._listings) >= _LISTINGS:
            self._listings.clear()
        self._listings[folder] = listing

    def hidden(self, folder: Path) -> list[str]:
        """Return the hidden names in a folder."""
        with os_errors(folder, "list"):
            names = _steady_names(folder, Changed.of(folder))
        return [name for name in names if name.startswith(".")]

    def folders(self, folder: Path) -> list[Path]:
        """Return the folders in a folder that are not hidden, sorted; none if it is missing."""
        return [folder / name for name in self.folder_names(folder)]

    def folder_names(self, folder: Path) -> list[str]:
        """Return the names of the folders in a folder, as `folders` does."""
        with os_errors(folder, "list"):
            try:
                with os.scandir(folder) as entries:
                    names = [entry.name for entry in entries if _may_be_folder(entry)]
            except FileNotFoundError:
                return []
        return [name for name in sorted(names) if not name.startswith(".")]

    def size(self, path: Path) -> int | None:
        """Return the size of a file in bytes, None if there is no file."""
        with os_errors(path, "look at"):
            try:
                return path.stat().st_size
            except FileNotFoundError:
                return None

    def changed(self, path: Path) -> Changed | None:
        """Return when a file last changed, None if there is no file."""
        with os_errors(path, "look at"):
            try:
                return Changed.of(path)
            except FileNotFoundError:
                return None

    def opened(self, path: Path) -> OpenFile | None:
        """Return a file to read parts of, as a context manager; None if there is no file."""
        with os_errors(path, "read"):
            try:
                return OpenFile(path)
            except FileNotFoundError:
                return None

    def end_of(self, path: str, length: int) -> FileEnd | None:
        """Return the last bytes of a file, as `handles.end_of` does; None if there is no file."""
        with os_errors(path, "read"):
            try:
                return end_of(path, length)
            except FileNotFoundError:
                return None

    def replace(self, path: Path, content: bytes) -> None:
        """Write a file whole, durably. On an error the old file stays."""
        staged: list[Staged] = []
        try:
            self.stage(path, content, staged)
            self.put(staged)
        except BaseException:
            self.discard(staged)
            raise

    def stage(self, path: Path, content: bytes, into: list[Staged]) -> None:
        """Write content, durably, to a temporary file beside its place. `put` or `discard` it.

        It is added to `into` before there is a file: a caller that a signal handler interrupts
        knows all that it has to discard.
        """
        # Not by process id: containers reuse them, and one may have been killed while it wrote.
        temporary = path.with_name(f".{path.name}.{token_hex(8)}.tmp")
        into.append(Staged(path, temporary))
        with os_errors(path, "write"):
            self._write_new(temporary, content)

    def put(self, staged: Iterable[Staged]) -> None:
        """Put staged files, all of one folder, in their places: all or, on an error, none."""
        self.exchange(staged, ())

    def exchange(self, staged: Iterable[Staged], gone: Iterable[Path]) -> None:
        """Put staged files in their places, then remove others of their folder.

        Others may be gone already. On an error all is as before; if the disk fails in that too,
        each file is still the old one or the new one.
        """
        waiting, removed = list(staged), list(gone)
        with _StepRollback() as rollback:
            try:
                self._put(waiting, rollback)
                self._remove(removed, rollback)
            except BaseException:
                rollback.roll_back(self._write_again)
                self.discard(waiting)
                raise

    def _put(self, waiting: list[Staged], rollback: _StepRollback) -> None:
        for path, temporary in waiting:
            with os_errors(path, "write"):
                rollback.back_up(path, temporary)
                put_in_place(temporary, path)
        if waiting:
            with os_errors(waiting[0].path, "write"):
                self._sync_folder(waiting[0].path.parent)

    def _remove(self, paths: list[Path], rollback: _StepRollback) -> None:
        for path in paths:
            with os_errors(path, "remove"):
                rollback.back_up(path, None)
                path.unlink(missing_ok=True)
        if paths:
            with os_errors(paths[0], "remove"):
                self._sync_folder(paths[0].parent)

    def _write_again(self, path: Path, content: bytes) -> None:
        staged: list[Staged] = []
        try:
            self.stage(path, content, staged)
            put_in_place(staged[0].temporary, path)
        except BaseException:
            self.discard(staged)
            raise

    def discard(self, staged: Iterable[Staged]) -> None:
        """Remove staged files that are not needed any more."""
        for _, temporary in staged:
            with suppress(OSError):  # the error that matters is on its way
                temporary.unlink()

    def keep(self, path: Path, name: str) -> None:
        """Give a file a second name in its folder, under which it stays when it is replaced.

        The second name is durable once the file itself is replaced. If the file system has no hard
        links, the file is copied.
        """
        second = path.with_name(name)
        with os_errors(second, "write"):
            second.unlink(missing_ok=True)
            try:
                second.hardlink_to(path)
            except OSError:
                self.replace(second, path.read_bytes())

    def add(self, path: Path, content: bytes) -> None:
        """Append to a file, made if need be, without a sync: a crash may tear it."""
        with os_errors(path, "write"):
            file = os.open(path, _ADD, 0o666)
            try:
                write_all(file, content)
            finally:
                os.close(file)

    def drop(self, path: Path) -> bool:
        """Remove a file without a sync: it may come back. Return whether it was there."""
        with os_errors(path, "remove"):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
        return True

    def rename(self, path: Path, name: str) -> None:
        """Give a file another name in its folder, durably. On an error it has its old one."""
        new = path.with_name(name)
        with os_errors(path, "rename"):
            put_in_place(path, new)
            try:
                self._sync_folder(path.parent)
            except BaseException:
                put_in_place(new, path)
                raise

    def remove(self, *paths: Path) -> None:
        """Remove files, all of one folder, durably. No error if they are gone already."""
        self.exchange((), paths)

    def sync(self, file: int) -> None:
        """Sync the data and length of a file, if the store is durable."""
        if self.durable:
            sync_data(file)

    def _write_new(self, path: Path, content: bytes) -> None:
        file = os.open(path, _NEW_FILE, 0o666)
        try:
            write_all(file, content)
            self.sync(file)
        finally:
            os.close(file)

    def is_folder(self, folder: Path | str) -> bool:
        """Return whether there is a folder."""
        with os_errors(folder, "look at"):
            return _is_folder(folder)

    def refuse_links(self, folder: Path, within: Path) -> None:
        """Raise if a folder is a symbolic link, or lies below one in `within`."""
        while folder != within:
            _refuse_link(folder)
            folder = folder.parent

    def make_folder(self, folder: Path, within: Path | None = None) -> None:
        """Make a folder and those above it, each durable before what is put into it.

        `within` was there when the store was opened, and is not made again: if it has vanished, its
        disk may not be mounted any more. Existing folders in it are made durable too, once.
        """
        self.make_folders([folder], within)

    def make_folders(
        self, folders: Iterable[Path], within: Path | None = None, links: bool = False
    ) -> None:
        """Make many folders, and sync the folders above them once each.

        `links` says whether they may be symbolic links. An administrator may put a kind of data on
        another disk, but folders below it are the store's own, and are not written through a link.
        """
        asked = set(folders)
        missing = {folder for folder in asked if not self.is_folder(folder)}
        if within in missing:
            raise StorageError(f"{within}: the store's folder has vanished", within, errno.ENOENT)
        if within is not None and not links:
            for folder in asked - self._durable_folders - missing - {within}:
                _refuse_link(folder)
        found = asked - self._durable_folders - {within} if within is not None else set[Path]()
        wanted = missing | found
        if not wanted:
            return
        self.make_folders({folder.parent for folder in wanted}, within, links)
        for folder in missing:
            with os_errors(folder, "make this folder"):
                with suppress(FileExistsError):
                    folder.mkdir()
                if not _is_folder(folder):
                    raise StorageError(f"{folder}: expected a folder, found a file", folder)
        for parent in {folder.parent for folder in wanted}:
            with os_errors(parent, "make a folder in"):
                self._sync_folder(parent)
        self._durable_folders |= wanted

    def sync_folder(self, folder: Path) -> None:
        """Sync the names in a folder, added and removed ones, whichever process changed them."""
        with os_errors(folder, "sync"):
            self._sync_folder(folder)

    def sync_name(self, path: Path) -> None:
        """Sync the name of a file, whichever process gave it; once for each file."""
        with os_errors(path, "sync the name of"):
            found = os.stat(path)  # noqa: PTH116 - quicker than `Path`
            self.named(path, (found.st_dev, found.st_ino))

    def created(self, path: Path) -> None:
        """Sync the name of a new file, if the store is durable."""
        self._sync_folder(path.parent)

    def named(self, path: Path, identity: _Identity, new: bool = False) -> None:
        """Sync the name of a file, unless this process has done so before.

        That of a `new` one is always synced: it may have the inode of one that was removed.
        """
        if new or self._durable_files.get(path) != identity:
            self.created(path)
            self._durable_files[path] = identity

    def _sync_folder(self, folder: Path) -> None:
        if not self.durable:
            return
        file = os.open(folder, _FOLDER)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def put_in_place(new: Path, path: Path) -> None:
    """Rename a file to `path`. Raises `OSError` if that is still refused after a second.

    On POSIX a reader goes on reading the old file. Windows refuses to replace a file that is open,
    and some file systems one that is busy.
    """
    for wait in _WAITS:
        try:
            return os.replace(new, path)  # noqa: PTH105 - the quicker
        except OSError as error:
            if error.errno != errno.EBUSY and getattr(error, "winerror", None) not in _HELD:
                raise
        time.sleep(wait)
    return os.replace(new, path)  # noqa: PTH105


def _may_be_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder; True if unknown, so that none is left out."""
    try:
        return entry.is_dir()
    except OSError as error:
        return error.errno != errno.ELOOP  # a link to itself leads nowhere


def _steady_names(folder: Path | str, changed: Changed) -> Collection[str]:
    """Return the names in a folder once two listings agree, or all that many have found.

    One is enough if the folder does not change while it runs, and any change would show.
    """
    first = os.listdir(folder)  # noqa: PTH208 - names only
    if changed.settled and _times_of(folder) == changed.at:
        return first
    found, names = set[str](), set(first)
    for _ in range(_LISTED_AGAIN):
        again = set(os.listdir(folder))  # noqa: PTH208
        if again == names:
            return names
        found, names = found | names, again
    return found | names


def _is_folder(folder: Path | str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(folder).st_mode)  # noqa: PTH116 - `is_dir` hides errors
    except (FileNotFoundError, NotADirectoryError):
        return False


def _refuse_link(folder: Path) -> None:
    """Raise if a folder is a symbolic link; each folder is checked once in a process."""
    with os_errors(folder, "look at"):
        if stat.S_ISLNK(os.lstat(folder).st_mode):
            raise StorageError(
                f"{folder}: a symbolic link, which is not written through; put the folder itself "
                "in its place",
                folder,
                errno.ELOOP,
            )
