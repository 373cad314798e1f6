"""Makes folders, and makes names durable: those of new files, and those that a killed process left.

What a process sees in a folder may be the work of one that was killed before it had synced it. So a
name counts as durable only once this process has synced its folder.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from storecore.errors import StorageError
from storecore_file.fs.errors import naming

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_Identity = tuple[int, int]


class Folders:
    """Folders, durable to a level: "full" survives power loss, "os" only the process."""

    def __init__(self, durability: str) -> None:
        self.durable = durability == "full"
        self._folders: set[Path] = set()  # whose names are known to be durable
        self._files: set[tuple[Path, _Identity]] = set()

    def is_folder(self, folder: Path) -> bool:
        """Tell whether there is a folder."""
        with naming(folder, "look at"):
            return _is_folder(folder)

    def refuse_links(self, folder: Path, within: Path) -> None:
        """Raise if a folder is a symbolic link, or lies below one in `within`."""
        while folder != within:
            _refuse_link(folder)
            folder = folder.parent

    def make_folder(self, folder: Path, within: Path | None = None) -> None:
        """Make a folder and those above it, each durable before what is put into it.

        `within` is one that was there when the store was opened, and is not made again: where it
        has vanished, its disk is not mounted any more, say. Those in it that are there already
        are made durable too, once.
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
            for folder in asked - self._folders - missing - {within}:
                _refuse_link(folder)
        found = asked - self._folders - {within} if within is not None else set[Path]()
        wanted = missing | found
        if not wanted:
            return
        self.make_folders({folder.parent for folder in wanted}, within, links)
        for folder in missing:
            with naming(folder, "make this folder"):
                with suppress(FileExistsError):
                    folder.mkdir()
                if not _is_folder(folder):
                    raise StorageError(f"{folder}: expected a folder, found a file", folder)
        for parent in {folder.parent for folder in wanted}:
            with naming(parent, "make a folder in"):
                self._sync_folder(parent)
        self._folders |= wanted

    def settle(self, folder: Path) -> None:
        """Bring to the medium what names a folder has and has lost, whoever has done it."""
        with naming(folder, "sync"):
            self._sync_folder(folder)

    def settle_name(self, path: Path) -> None:
        """Bring the name of a file to the medium, whoever has given it; once for each file."""
        with naming(path, "sync the name of"):
            found = os.stat(path)  # noqa: PTH116 - as everywhere on this floor
            self.named(path, (found.st_dev, found.st_ino))

    def created(self, path: Path) -> None:
        """Bring the name of a new file to the medium, where the level asks for it."""
        self._sync_folder(path.parent)

    def named(self, path: Path, identity: _Identity) -> None:
        """Bring the name of a file to the medium, unless this process has done so before."""
        if (path, identity) not in self._files:
            self.created(path)
            self._files.add((path, identity))

    def _sync_folder(self, folder: Path) -> None:
        if not self.durable:
            return
        file = os.open(folder, _FOLDER)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def _is_folder(folder: Path) -> bool:
    try:
        return stat.S_ISDIR(os.stat(folder).st_mode)  # noqa: PTH116 - `is_dir` hides errors
    except (FileNotFoundError, NotADirectoryError):
        return False


def _refuse_link(folder: Path) -> None:
    """Raise if a folder is a symbolic link; each folder is checked once in a process."""
    with naming(folder, "look at"):
        if stat.S_ISLNK(os.lstat(folder).st_mode):
            raise StorageError(
                f"{folder}: a symbolic link, which is not written through; put the folder itself "
                "in its place",
                folder,
                errno.ELOOP,
            )
