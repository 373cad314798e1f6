"""The collections of a store, opened and closed together."""

from __future__ import annotations

import os
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import Any

from storecore.errors import ConfigError
from storecore.errors.redaction import redacted
from storecore.models import (
    DecisionRecord,
    OrderRecord,
)
from storecore.store.closing import Closing
from storecore.values.names import check_name
from storecore_file.audit.log import AuditLog
from storecore_file.bars.collection import Bars
from storecore_file.events.collection import Events
from storecore_file.fs.disk import Disk
from storecore_file.fs.mounts import warn_of_network
from storecore_file.fs.stat import places
from storecore_file.fundamentals import Fundamentals
from storecore_file.lazy_folders import LazyCollection, check_is_there
from storecore_file.states import States
from storecore_file.store_format import check_format, mark_new

ROOMS = {
    "_bars": "prices",
    "_fundamentals": "fundamentals",
    "_events": "events",
    "_states": "state",
    "_decisions": "audit/decisions",
    "_orders": "audit/orders",
}
DURABILITIES = ("full", "os")
_FOLDERS = ("prices", "fundamentals", "events", "state", "audit/decisions", "audit/orders")


class Rooms(Closing):
    """The parts of a store of files: a collection a kind of data, in the folder `base_path`."""

    def __init__(
        self,
        base_path: str | os.PathLike[str],
        *,
        durability: str = "full",
        lock_timeout: float = 30.0,
        create: bool = True,
    ) -> None:
        if durability not in DURABILITIES:
            raise ConfigError(f"durability={durability!r}: expected one of {DURABILITIES}")
        if not isinstance(lock_timeout, int | float) or not 0 <= lock_timeout <= TIMEOUT_MAX:
            raise ConfigError(
                f"lock_timeout={lock_timeout!r}: expected seconds, 0 to {TIMEOUT_MAX:g}"
            )
        if redacted(os.fspath(base_path)) != os.fspath(base_path):
            raise ConfigError("base_path: expected a folder, got what looks like a URL")
        # Absolute: the process may change its folder while the store is open.
        self.base_path = _absolute(base_path)
        self._disk = disk = Disk(durability)
        self._lock_timeout = lock_timeout
        decisions, orders = (self.base_path / "audit" / name for name in ("decisions", "orders"))
        self._bars = Bars(self.base_path / "prices", disk, lock_timeout)
        self._fundamentals = Fundamentals(self.base_path / "fundamentals", disk)
        self._events = Events(self.base_path / "events", disk, lock_timeout)
        self._states = States(self.base_path / "state", disk, lock_timeout)
        self._decisions = AuditLog(decisions, DecisionRecord, disk, lock_timeout)
        self._orders = AuditLog(orders, OrderRecord, disk, lock_timeout)
        self._logs: dict[str, AuditLog[Any]] = {
            "decisions": self._decisions,
            "orders": self._orders,
        }
        if create:
            self._make_folders()
        else:
            check_is_there(self.base_path, disk)
            check_format(disk, self.base_path)
            self._make_folders_later()
        warn_of_network(self.base_path)

    def _make_folders(self) -> None:
        folders = [self.base_path / folder for folder in ROOMS.values()]
        self._disk.make_folder(self.base_path)
        check_format(self._disk, self.base_path)
        mark_new(self._disk, self.base_path, folders)
        self._disk.make_folders(folders, within=self.base_path, links=True)

    def _make_folders_later(self) -> None:
        """Make the folder of each collection, or sync an existing one, before its first write."""
        for name, folder in ROOMS.items():
            late = LazyCollection(getattr(self, name), self._disk, self.base_path, folder)
            setattr(self, name, late)
        self._logs = {"decisions": self._decisions, "orders": self._orders}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_path={str(self.base_path)!r})"

    def places(self) -> frozenset[str]:
        """Return the identities of the store's folders, however their paths are written."""
        self._check_open()
        return places([self.base_path, *map(self.base_path.joinpath, _FOLDERS)])

    def close(self) -> None:
        """Close the files that are open. A second call does nothing."""
        super().close()
        for collection in (self._bars, self._events, self._decisions, self._orders):
            collection.close()

    def _series(self, symbol: str, timeframe: str) -> tuple[str, str]:
        return self._name(symbol, "symbol"), self._name(timeframe, "timeframe")

    def _name(self, name: str, what: str) -> str:
        self._check_open()
        return check_name(name, what)


def _absolute(path: str | os.PathLike[str]) -> Path:
    """Return an absolute path. Raises `ConfigError` if there is none."""
    try:
        if "\0" in os.fspath(path):
            raise ValueError("it holds a NUL")
        return Path(path).expanduser().absolute()
    except (OSError, RuntimeError, ValueError) as error:  # no such user, no folder to start from
        raise ConfigError(f"base_path={os.fspath(path)!r}: {error}") from error
