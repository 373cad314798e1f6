"""storecore: the storage layer that trading systems plug into.

One protocol, `DataStore`, with written laws; backends that are chosen by one word in a config. All
that a user needs is here. Names are imported when they are first used: `import storecore` loads
neither pyarrow nor pluggy nor any plugin.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would have to be imported, the slowest part of all this
if TYPE_CHECKING:
    from typing import Any

    from storecore.capabilities import AuditTrail as AuditTrail
    from storecore.capabilities import BarStream as BarStream
    from storecore.capabilities import BarTables as BarTables
    from storecore.capabilities import Bulk as Bulk
    from storecore.capabilities import BulkAudit as BulkAudit
    from storecore.capabilities import Catalog as Catalog
    from storecore.capabilities import DiskUsage as DiskUsage
    from storecore.capabilities import Maintenance as Maintenance
    from storecore.capabilities import VersionedState as VersionedState
    from storecore.checkpoints import Checkpoint as Checkpoint
    from storecore.config import StoreConfig as StoreConfig
    from storecore.config import find_config as find_config
    from storecore.config import load_config as load_config
    from storecore.copying import CopyReport as CopyReport
    from storecore.copying import copy_store as copy_store
    from storecore.discovery import BackendInfo as BackendInfo
    from storecore.discovery import backends as backends
    from storecore.errors import ApiMismatch as ApiMismatch
    from storecore.errors import BackendLoadError as BackendLoadError
    from storecore.errors import ConfigError as ConfigError
    from storecore.errors import CorruptData as CorruptData
    from storecore.errors import DuplicateBackend as DuplicateBackend
    from storecore.errors import InvalidData as InvalidData
    from storecore.errors import InvalidName as InvalidName
    from storecore.errors import LockTimeout as LockTimeout
    from storecore.errors import NoStore as NoStore
    from storecore.errors import NotSerializable as NotSerializable
    from storecore.errors import StateConflict as StateConflict
    from storecore.errors import StorageError as StorageError
    from storecore.errors import StoreClosed as StoreClosed
    from storecore.errors import StoreError as StoreError
    from storecore.errors import UnknownBackend as UnknownBackend
    from storecore.hooks import BackendSpec as BackendSpec
    from storecore.hooks import hookimpl as hookimpl
    from storecore.models import Action as Action
    from storecore.models import Decision as Decision
    from storecore.models import DecisionRecord as DecisionRecord
    from storecore.models import Event as Event
    from storecore.models import FundamentalData as FundamentalData
    from storecore.models import Order as Order
    from storecore.models import OrderRecord as OrderRecord
    from storecore.models import OrderResult as OrderResult
    from storecore.models import PriceBar as PriceBar
    from storecore.opening import open_store as open_store
    from storecore.protocol import DataStore as DataStore
    from storecore.reports import AuditReport as AuditReport
    from storecore.reports import Coverage as Coverage
    from storecore.reports import Finding as Finding
    from storecore.reports import Footprint as Footprint
    from storecore.reports import Report as Report
    from storecore.reports import StateVersion as StateVersion
    from storecore.tables import iter_bar_tables as iter_bar_tables
    from storecore.tables import read_bar_table as read_bar_table
    from storecore.tables import write_bar_table as write_bar_table
    from storecore.transfer import AuditLine as AuditLine
    from storecore.transfer import Transfer as Transfer

_EXPORTS = {
    "capabilities": (
        "AuditTrail BarStream BarTables Bulk BulkAudit Catalog DiskUsage Maintenance VersionedState"
    ),
    "checkpoints": "Checkpoint",
    "config": "StoreConfig find_config load_config",
    "copying": "CopyReport copy_store",
    "discovery": "BackendInfo backends",
    "errors": (
        "ApiMismatch BackendLoadError ConfigError CorruptData DuplicateBackend InvalidData "
        "InvalidName LockTimeout NoStore NotSerializable StateConflict StorageError StoreClosed "
        "StoreError UnknownBackend"
    ),
    "hooks": "BackendSpec hookimpl",
    "models": (
        "Action Decision DecisionRecord Event FundamentalData Order OrderRecord OrderResult "
        "PriceBar"
    ),
    "opening": "open_store",
    "protocol": "DataStore",
    "reports": "AuditReport Coverage Finding Footprint Report StateVersion",
    "tables": "iter_bar_tables read_bar_table write_bar_table",
    "transfer": "AuditLine Transfer",
}
_HOME = {name: module for module, names in _EXPORTS.items() for name in names.split()}

__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a name from its module when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'storecore' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"storecore.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
