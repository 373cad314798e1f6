"""A file with an instant that only goes forward, which is also the lock of those that depend on it.

    history/.clock    {"at":1764104110123456,"crc32":"…"}   two entries of 64 bytes

The older entry is overwritten in place and synced, so one is always whole. Whoever moves the
instant holds the file's lock alone; whoever must not be overtaken by it shares the lock meanwhile.
The file is never removed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec

from storecore.errors import CorruptData
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import os_errors, raise_storage_error
from storecore_file.fs.locks import Locked, Shared
from storecore_file.fs.seal import sealed, unsealed

_ENTRY = 64


class InstantFile:
    """An instant in a file; 0 if there is no file."""

    def __init__(self, path: Path, disk: Disk, lock_timeout: float) -> None:
        self.path = path
        self._name = os.fspath(path)
        self._disk = disk
        self._lock_timeout = lock_timeout

    def exists(self) -> bool:
        """Return whether there is a file. Raises `StorageError` if its folder cannot be searched.

        A writer that took a file which it may not see for none would be recorded too early.
        """
        try:
            os.stat(self._name)  # noqa: PTH116 - the quicker, at each write
        except FileNotFoundError:
            return False
        except OSError as error:
            raise_storage_error(error, self.path, "look at")
        return True

    def read(self) -> int:
        """Return the instant."""
        return self._latest(self._disk.read(self.path) or b"")

    def held(self) -> AbstractContextManager[int]:
        """Share the lock of the file, which exists, and return its instant."""
        return self._locked(Shared(self.path, self._lock_timeout))

    @contextmanager
    def _locked(self, lock: Locked) -> Iterator[int]:
        with lock:
            yield self._latest(self._content(lock))

    def move(self, instant: int) -> None:
        """Move the instant forward, durably, once nobody shares the lock."""
        with Locked(self.path, self._lock_timeout) as lock:
            content = self._content(lock)
            if instant <= self._latest(content):
                return
            entries = _entries(content)
            older = entries.index(min(entries))
            with os_errors(self.path, "write"):
                os.pwrite(lock.fileno(), _encoded(instant), older * _ENTRY)
                self._disk.sync(lock.fileno())

    def _content(self, lock: Locked) -> bytes:
        with os_errors(self.path, "read"):
            return os.pread(lock.fileno(), 2 * _ENTRY, 0)

    def _latest(self, content: bytes) -> int:
        """Return the later of two entries, of which a crash tears one at most."""
        found = max(_entries(content))
        if not found and len(content) > _ENTRY:
            raise CorruptData(f"{self.path}: neither of its entries is whole", self.path)
        return found


def _entries(content: bytes) -> list[int]:
    return [_decoded(content[at : at + _ENTRY]) for at in (0, _ENTRY)]


def _encoded(instant: int) -> bytes:
    return sealed(b'{"at":%d}' % instant)[:-1].ljust(_ENTRY - 1) + b"\n"


def _decoded(entry: bytes) -> int:
    try:
        return int(msgspec.json.decode(unsealed(entry.rstrip() + b"\n"), type=dict[str, int])["at"])
    except (ValueError, LookupError):
        return 0
