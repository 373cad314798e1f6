"""The room of state: one JSON document a strategy, replaced whole.

state/value_strategy.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from storecore.errors import CorruptData
from storecore.lossless import encode_document
from storecore_file.floor.disk import Disk
from storecore_file.floor.names import STRATEGIES
from storecore_file.floor.sealing import sealed, unsealed

_SUFFIX = ".json"


class States:
    """The states of a store's strategies, in one folder. Strategies are checked names."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk

    def save(self, strategy: str, state: dict[str, Any]) -> None:
        """Replace a state, or raise `NotSerializable` and leave the old one."""
        document = {"strategy": strategy, "state": msgspec.Raw(encode_document(state, "state"))}
        self._disk.replace(self._path(strategy), sealed(msgspec.json.encode(document)))

    def load(self, strategy: str) -> dict[str, Any] | None:
        """Return a state, or None where none was saved."""
        path = self._path(strategy)
        content = self._disk.read(path)
        if content is None:
            return None
        document = _document(content, path)
        if document.strategy != strategy:
            raise CorruptData(
                f"{path}: expected the state of {strategy!r}, found {document.strategy!r}", path
            )
        return document.state

    def strategies(self) -> list[str]:
        """Return the names of the strategies that have a state."""
        names = [name for name in self._disk.names(self._folder) if name.endswith(_SUFFIX)]
        return sorted(self._strategy_of(name) for name in names)

    def _strategy_of(self, name: str) -> str:
        path = self._folder / name
        strategy = STRATEGIES.decode(name.removesuffix(_SUFFIX))
        return strategy or _document(self._disk.read(path) or b"", path).strategy

    def _path(self, strategy: str) -> Path:
        return self._folder / f"{STRATEGIES.encode(strategy)}{_SUFFIX}"


class _Document(Struct, frozen=True):
    """A strategy's state, and whose it is."""

    strategy: str
    state: dict[str, Any]


def _document(content: bytes, path: Path) -> _Document:
    try:
        return msgspec.json.decode(unsealed(content), type=_Document)
    except ValueError as error:
        raise CorruptData(f"{path}: not a whole document: {error}", path) from error
