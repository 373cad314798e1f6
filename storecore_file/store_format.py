"""The format number of a store: a small document that a release reads before anything else.

    data/.storecore      {"format":2,"began":1764104110123456,"crc32":"…"}

    format   what may be in the store
    1        partitions without generations: a store without the document, of the first release
    2        partitions with generations: new stores
    3        records with `extra` or of a run, decisions to sell, symbols that were renamed,
             fundamentals that say when they were recorded
    4        sealed days of events that are sorted: the first release with history reads up to 3

The number holds for the whole store, all kinds of data. It is raised, and synced, before the first
write of what an older release would misread, and so lose or call damaged. A store that holds none
of it keeps its number, and the older release opens it. A process of an older release that has the
store open meanwhile does not look again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from storecore.audit.context import needs_newer_release
from storecore.errors import CorruptData, StorageError, StoreError
from storecore.knowledge.clock import machine_now
from storecore.values.logger import log as _log
from storecore_file.fs.disk import Disk
from storecore_file.fs.locks import Locked
from storecore_file.fs.seal import sealed, unsealed
from storecore_file.integrity import QUARANTINE, Files, Issue, issue_of

NAME = ".storecore"
LOCK = ".storecore.lock"
FORMAT = 4  # the highest that this release reads and writes
NEW = 2  # of a new store
OLDEST = 1  # of a store without the file
EXTRA = 3  # of a store with what `uses_extra` finds
RECORDED = 3  # of a store with a document that says when it was recorded
RENAMES = 3  # of a store in which a symbol was renamed: what counts may depend on `.rename`
SEALED = 4  # of a store with a sealed day whose rows are sorted


class _Document(Struct, frozen=True, omit_defaults=True):
    """The content of the file; a later release may add fields.

    `began` is the instant at which the store was made: nothing in it was recorded before.
    """

    format: int
    began: int | None = None


def read_format(disk: Disk, base_path: Path) -> int:
    """Return the format number of a store. Raises `CorruptData`."""
    return _read(disk, base_path).format


def read_began(disk: Disk, base_path: Path) -> int | None:
    """Return the instant at which a store was made, None if that is not known."""
    try:
        return _read(disk, base_path).began
    except StoreError:  # reported by `verify()`
        return None


def forget_began(disk: Disk, base_path: Path, lock_timeout: float) -> None:
    """Make it unknown when a store was made: it has got what another store recorded before."""
    with Locked(base_path / LOCK, lock_timeout):
        found = _read(disk, base_path)
        if found.began is not None:
            _write(disk, base_path, _Document(found.format))


def _read(disk: Disk, base_path: Path) -> _Document:
    path = base_path / NAME
    content = disk.read(path)
    if content is None:
        return _Document(OLDEST)
    try:
        return msgspec.json.decode(unsealed(content), type=_Document)
    except ValueError as error:
        raise CorruptData(f"{path}: not a whole format number: {error}", path) from error


def check_format(disk: Disk, base_path: Path) -> None:
    """Raise `StorageError` if a newer release has made the store.

    A number that cannot be read is logged, and `verify()` reports it; the data stay readable.
    """
    try:
        found = read_format(disk, base_path)
    except StoreError as error:
        _log.warning("%s", error)
        return
    _check_known(found, base_path / NAME)


def _check_known(found: int, path: Path) -> None:
    if found > FORMAT:
        raise StorageError(
            f"{path}: written by a newer storecore: this store has format {found}, this release "
            f"reads up to {FORMAT}; update storecore to one that reads format {found}",
            path,
        )


def mark_new(disk: Disk, base_path: Path, folders: Iterable[Path]) -> None:
    """Write the format number of a new store, if none of its folders exists yet."""
    if not any(map(disk.is_folder, folders)) and disk.size(base_path / NAME) is None:
        _write(disk, base_path, _Document(NEW, machine_now()))


def _write(disk: Disk, base_path: Path, document: _Document) -> None:
    disk.replace(base_path / NAME, sealed(msgspec.json.encode(document)))


class StoreFormat:
    """The format number of a store, raised by the first write that needs a higher one."""

    def __init__(self, disk: Disk, base_path: Path, lock_timeout: float) -> None:
        self._disk = disk
        self._base_path = base_path
        self._lock_timeout = lock_timeout
        self._known = 0

    def require(self, number: int) -> None:
        """Raise the number of the store to `number`, durably, unless it is as high already.

        Raises `CorruptData` if the present number cannot be read, `StorageError` if a newer release
        has raised it meanwhile. Call it without a lock: it takes one of its own.
        """
        if self._known >= number:
            return
        with Locked(self._base_path / LOCK, self._lock_timeout):
            found = _read(self._disk, self._base_path)
            _check_known(found.format, self._base_path / NAME)
            if found.format < number:
                _write(self._disk, self._base_path, _Document(number, found.began))
            self._known = max(found.format, number)

    def require_for(self, lines: Sequence[bytes]) -> None:
        """Raise the number of the store if one of these records needs it."""
        if self._known < EXTRA and any(map(needs_newer_release, lines)):
            self.require(EXTRA)


def format_issues(disk: Disk, base_path: Path) -> Iterator[Issue | None]:
    """Yield the issue of the format number, None if it is whole."""
    path = base_path / NAME

    def check(path: Path) -> None:
        read_format(disk, path.parent)

    if disk.size(path) is not None:
        yield issue_of(path, Files(None, check, QUARANTINE))
