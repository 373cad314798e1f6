"""The states of a store: one JSON document a strategy, replaced whole.

    state/value_strategy.json         the state, its strategy and its version, counted from 1
    state/.value_strategy.json.7      an earlier version: the last few are kept

A writer holds the lock of the strategy, so that it replaces the version that its caller expects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from storecore.errors import CorruptData, StorageError
from storecore.reports import StateVersion
from storecore.states import KEPT_VERSIONS, check_expected
from storecore.store.collections import StateCollection
from storecore_file.fs.disk import Disk
from storecore_file.fs.locks import Locked
from storecore_file.fs.names import STRATEGIES, is_hashed
from storecore_file.fs.rollback import replace_all
from storecore_file.fs.seal import decode_errors, sealed, unsealed
from storecore_file.integrity import QUARANTINE, Files, Issue, folder_issues

_SUFFIX = ".json"
_NEWEST = re.compile(r"[^.].*\.json", re.S)
_KEPT = re.compile(r"\..+\.json\.\d+", re.S)


class States(StateCollection):
    """The states of a store's strategies, in one folder. Strategies are checked names."""

    def __init__(self, folder: Path, disk: Disk, lock_timeout: float) -> None:
        self._folder = folder
        self._disk = disk
        self._lock_timeout = lock_timeout

    def save(self, strategy: str, document: bytes, expect: int | None) -> None:
        """Replace a state, or raise `StateConflict` and leave the old one."""
        path = self._path(strategy)
        with Locked(path.with_name(f".{path.name}.lock"), self._lock_timeout):
            stored = self.version(strategy).version
            check_expected(strategy, expect, stored)
            if stored:
                self._disk.keep(path, _kept(path, stored).name)
            self._disk.replace(path, _encoded(strategy, stored + 1, document))
            for number in (stored + 1, stored):  # the second may be a leftover of a killed writer
                with suppress(StorageError):  # the state is saved; these are not needed
                    self._disk.drop(_kept(path, number - KEPT_VERSIONS))

    def restore(self, strategy: str, versions: list[tuple[int, bytes]], expect: int | None) -> None:
        """Replace a state and its history by checked versions, newest first.

        Raises `StateConflict` and leaves the old ones.
        """
        path = self._path(strategy)
        with Locked(path.with_name(f".{path.name}.lock"), self._lock_timeout):
            check_expected(strategy, expect, self.version(strategy).version)
            if not versions:
                return
            newest = versions[0][0]
            documents = {number: _encoded(strategy, number, each) for number, each in versions}
            places = {number: _kept(path, number) for number in documents} | {newest: path}
            # The newest last: until then it shows the old history.
            contents = ((places[each], documents[each]) for each in sorted(documents))
            others = set(range(newest + 1 - KEPT_VERSIONS, newest)) - documents.keys()
            replace_all(self._disk, contents, (_kept(path, number) for number in others))

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
        first = max(newest.version - KEPT_VERSIONS, 0)
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
        kept = Files(_KEPT, self._check, QUARANTINE, lambda name: f"{name.rpartition('.')[0]}.lock")
        return folder_issues(self._folder, [Files(_NEWEST, self._check), kept])

    def _check(self, path: Path) -> None:
        content = self._disk.read(path)
        if content is None:
            return  # a version that was dropped meanwhile
        document = _document(content, path)
        own = self._path(document.strategy)
        if path not in (own, _kept(own, document.version)):
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
        return StateVersion(document.version, document.state)

    def _path(self, strategy: str) -> Path:
        return self._folder / f"{STRATEGIES.encode(strategy)}{_SUFFIX}"


class _Document(Struct, frozen=True):
    """A state, its strategy and its version."""

    strategy: str
    state: dict[str, Any]
    version: int = 1


def _encoded(strategy: str, version: int, state: bytes) -> bytes:
    document = {"strategy": strategy, "version": version, "state": msgspec.Raw(state)}
    return sealed(msgspec.json.encode(document))


def _document(content: bytes, path: Path) -> _Document:
    with decode_errors(path, "document"):
        return msgspec.json.decode(unsealed(content), type=_Document)


def _kept(path: Path, version: int) -> Path:
    return path.with_name(f".{path.name}.{version}")
