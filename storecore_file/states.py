"""The states of a store: one JSON document a strategy, replaced whole.

    state/value_strategy.json         the state, its strategy and its version, counted from 1
    state/.value_strategy.json.7      an earlier version: the last few are kept
    state/.value_strategy.json.deleted     the last version of a state that was deleted

A writer holds the lock of the strategy, so that it replaces the version that its caller expects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from storecore.errors import CorruptData, StorageError
from storecore.knowledge.clock import machine_now
from storecore.knowledge.versions import moment
from storecore.reports import StateVersion
from storecore.states import KEPT_VERSIONS, check_expected, saved_at_of
from storecore.store.collections import StateCollection
from storecore.values.times import exact_instant
from storecore_file.fs.disk import Disk
from storecore_file.fs.errors import best_effort
from storecore_file.fs.locks import Locked
from storecore_file.fs.names import STRATEGIES, is_hashed
from storecore_file.fs.rollback import replace_all
from storecore_file.fs.seal import decode_errors, sealed, unsealed
from storecore_file.integrity import QUARANTINE, Files, Issue, folder_issues

_SUFFIX = ".json"
_NEWEST = re.compile(r"[^.].*\.json", re.S)
_HIDDEN = re.compile(r"\..+\.json\.(\d+|deleted)", re.S)


class States(StateCollection):
    """The states of a store's strategies, in one folder. Strategies are checked names."""

    def __init__(
        self, folder: Path, disk: Disk, lock_timeout: float, kept_versions: int = KEPT_VERSIONS
    ) -> None:
        self._folder = folder
        self._disk = disk
        self._lock_timeout = lock_timeout
        self.kept_versions = kept_versions

    def save(self, strategy: str, document: bytes, expect: int | None) -> None:
        """Replace a state, or raise `StateConflict` and leave the old one."""
        path = self._path(strategy)
        with self._locked(path):
            stored = self.version(strategy).version
            check_expected(strategy, expect, stored)
            if stored:
                self._disk.keep(path, _kept(path, stored).name)
            number = (stored or self._finish_deletion(path, strategy)) + 1
            self._disk.replace(path, _encoded(strategy, number, document, machine_now()))
            if not stored:
                self._forget_deletion(path)
            self._drop_older(path, number)

    def _drop_older(self, path: Path, newest: int) -> None:
        """Remove versions that are kept no more: the state is saved, so a failure is no error.

        A killed writer may have left one more, and a store that kept more versions several.
        """
        number = newest - self.kept_versions
        with suppress(StorageError):
            is_there = self._disk.drop(_kept(path, number)) | self._disk.drop(
                _kept(path, number - 1)
            )
            while is_there:
                number -= 1
                is_there = self._disk.drop(_kept(path, number - 1))

    def delete(self, strategy: str, expect: int | None) -> bool:
        """Remove a state and its history; return whether there was one.

        Raises `StateConflict` and leaves it. The state is gone with one rename; then its history
        goes, and at last what the renamed file has except the version, which the next save needs.
        """
        path = self._path(strategy)
        if not self._disk.is_folder(self._folder):
            check_expected(strategy, expect, 0)
            return False
        with self._locked(path):
            stored = self.version(strategy).version
            check_expected(strategy, expect, stored)
            if stored:
                self._disk.rename(path, _deleted(path).name)
            with best_effort(path, "its history is removed by the next save"):
                self._finish_deletion(path, strategy)
            return stored > 0

    def _finish_deletion(self, path: Path, strategy: str) -> int:
        """Remove what is left of a state that was deleted, and of its history, durably.

        An earlier version that came back with a later save would be read as one of its history.
        Returns the last version of the deleted state, 0 if none was deleted.
        """
        last = self._read(_deleted(path), strategy)
        if last is None:
            return 0
        # The oldest first: of a removal that was killed, the newest are left, which are found.
        self._disk.remove(*reversed(list(self._versions(path, last.version))))
        if last.state:
            self._disk.replace(_deleted(path), _encoded(strategy, last.version, b"{}", None))
        return last.version

    def _versions(self, path: Path, newest: int) -> Iterator[Path]:
        """Yield the files of a version and of those before, also of those that are kept no more.

        They are looked for by their names, so that the folder is not listed: it holds the files of
        all strategies. The search ends after as many gaps as a store keeps versions.
        """
        gaps = max(self.kept_versions, KEPT_VERSIONS)
        number = oldest = newest
        while number >= max(oldest - gaps, 1):
            if self._disk.size(_kept(path, number)) is not None:
                oldest = number
                yield _kept(path, number)
            number -= 1

    def _forget_deletion(self, path: Path) -> None:
        """Remove the version of a deleted state: a later one is saved, so a failure is no error."""
        with suppress(StorageError):
            self._disk.drop(_deleted(path))

    def _locked(self, path: Path) -> Locked:
        return Locked(path.with_name(f".{path.name}.lock"), self._lock_timeout)

    def restore(self, strategy: str, versions: list[tuple[int, bytes]], expect: int | None) -> None:
        """Replace a state and its history by checked versions, newest first.

        Raises `StateConflict` and leaves the old ones.
        """
        path = self._path(strategy)
        with self._locked(path):
            stored = self.version(strategy).version
            check_expected(strategy, expect, stored)
            if not versions:
                return
            if not stored:
                self._finish_deletion(path, strategy)
            newest = versions[0][0]
            documents = {
                each[0]: _encoded(strategy, *each, _instant(saved_at_of(each))) for each in versions
            }
            places = {number: _kept(path, number) for number in documents} | {newest: path}
            # The newest last: until then it shows the old history.
            contents = ((places[each], documents[each]) for each in sorted(documents))
            unkept = range(newest + 1 - self.kept_versions, newest)
            gone = {_kept(path, number) for number in unkept} | set(self._versions(path, stored))
            replace_all(self._disk, contents, gone.difference(places.values()))
            if not stored:
                self._forget_deletion(path)

    def load(self, strategy: str) -> dict[str, Any] | None:
        """Return a state, or None."""
        return self.version(strategy).state

    def version(self, strategy: str) -> StateVersion:
        """Return a state and its version, 0 if none was saved."""
        return self._read(self._path(strategy), strategy) or StateVersion(0, None)

    def history(self, strategy: str) -> list[StateVersion]:
        """Return the versions that are kept, the newest first."""
        path = self._path(strategy)
        newest = self.version(strategy)
        first = max(newest.version - self.kept_versions, 0)
        older = range(newest.version - 1, first, -1)
        found = (self._read(_kept(path, each), strategy, each) for each in older)
        return [each for each in (newest, *found) if each and each.version]

    def strategies(self) -> list[str]:
        """Return the names of the strategies that have a state."""
        names = [name for name in self._disk.names(self._folder) if name.endswith(_SUFFIX)]
        return sorted(strategy for name in names if (strategy := self._strategy_of(name)))

    def issues(self) -> Iterator[Issue | None]:
        """Yield the issue of each file, None for a whole one.

        A repair does not move a damaged state: it would count as never saved, and its strategy
        would begin from nothing.
        """
        hidden = Files(_HIDDEN, self._check, QUARANTINE, _lock_of_hidden)
        return folder_issues(self._folder, [Files(_NEWEST, self._check), hidden])

    def _check(self, path: Path) -> None:
        content = self._disk.read(path)
        if content is None:
            return  # a version that was dropped meanwhile
        document = _document(content, path)
        own = self._path(document.strategy)
        if path not in (own, _kept(own, document.version), _deleted(own)):
            found = f"version {document.version} of the state of {document.strategy!r}"
            raise CorruptData(f"{path}: found {found}", path)

    def _strategy_of(self, name: str) -> str | None:
        """Return the strategy whose state a file has, None if it has none or is gone."""
        encoded = name.removesuffix(_SUFFIX)
        strategy = STRATEGIES.decode(encoded)
        if strategy is not None or not is_hashed(encoded):
            return strategy
        path = self._folder / name
        content = self._disk.read(path)
        return None if content is None else _document(content, path).strategy

    def _read(self, path: Path, strategy: str, version: int | None = None) -> StateVersion | None:
        content = self._disk.read(path)
        if content is None:
            return None
        document = _document(content, path)
        if document.strategy != strategy:
            raise CorruptData(
                f"{path}: expected the state of {strategy!r}, found {document.strategy!r}", path
            )
        if version not in (None, document.version):
            raise CorruptData(f"{path}: found version {document.version} of the state", path)
        return StateVersion(document.version, document.state, moment(document.saved))

    def _path(self, strategy: str) -> Path:
        return self._folder / f"{STRATEGIES.encode(strategy)}{_SUFFIX}"


class _Document(Struct, frozen=True):
    """A state, its strategy and its version."""

    strategy: str
    state: dict[str, Any]
    version: int = 1
    saved: int | None = None  # the instant


def _encoded(strategy: str, version: int, state: bytes, saved: int | None) -> bytes:
    document = {"strategy": strategy, "version": version, "state": msgspec.Raw(state)}
    if saved is not None:
        document["saved"] = saved
    return sealed(msgspec.json.encode(document))


def _instant(saved_at: datetime | None) -> int | None:
    return None if saved_at is None else exact_instant(saved_at, "saved_at")


def _document(content: bytes, path: Path) -> _Document:
    with decode_errors(path, "document"):
        return msgspec.json.decode(unsealed(content), type=_Document)


def _lock_of_hidden(name: str) -> str:
    return f"{name.rpartition('.')[0]}.lock"


def _deleted(path: Path) -> Path:
    return path.with_name(f".{path.name}.deleted")


def _kept(path: Path, version: int) -> Path:
    return path.with_name(f".{path.name}.{version}")
