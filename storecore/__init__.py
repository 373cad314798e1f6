"""storecore: the storage layer that trading systems plug into.

One protocol, `DataStore`, with written laws; backends that are chosen by one word in a config. All
that is public is here, in three tiers: names to use a store, to extend storecore by a backend of
one's own, and to inspect what a store can do. Names are imported when they are first used: `import
storecore` loads neither pyarrow nor pluggy nor any plugin.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would have to be imported, the slowest part of all this
if TYPE_CHECKING:
    from typing import Any

    from storecore.audit.chain import follow_chain as follow_chain
    from storecore.audit.records import GENESIS as GENESIS
    from storecore.audit.records import Link as Link
    from storecore.audit.records import chain as chain
    from storecore.audit.records import decode_record as decode_record
    from storecore.audit.records import end_of as end_of
    from storecore.audit.records import logged_now as logged_now
    from storecore.audit.transfer import LOGS as LOGS
    from storecore.audit.transfer import moved_end as moved_end
    from storecore.bars.rows import BarColumns as BarColumns
    from storecore.bars.table import as_columns as as_columns
    from storecore.bars.table import as_table as as_table
    from storecore.charts.chart import chart as chart
    from storecore.config.file import StoreConfig as StoreConfig
    from storecore.config.file import find_config as find_config
    from storecore.config.file import load_config as load_config
    from storecore.config.nested import NestedStore as NestedStore
    from storecore.config.open import open_store as open_store
    from storecore.copying import CopyReport as CopyReport
    from storecore.copying import copy_store as copy_store
    from storecore.errors import ApiMismatch as ApiMismatch
    from storecore.errors import BackendLoadError as BackendLoadError
    from storecore.errors import ConfigError as ConfigError
    from storecore.errors import CorruptData as CorruptData
    from storecore.errors import DuplicateBackend as DuplicateBackend
    from storecore.errors import HistoryPruned as HistoryPruned
    from storecore.errors import InvalidData as InvalidData
    from storecore.errors import InvalidName as InvalidName
    from storecore.errors import LockTimeout as LockTimeout
    from storecore.errors import LookAhead as LookAhead
    from storecore.errors import NoStore as NoStore
    from storecore.errors import NotSerializable as NotSerializable
    from storecore.errors import StateConflict as StateConflict
    from storecore.errors import StorageError as StorageError
    from storecore.errors import StoreClosed as StoreClosed
    from storecore.errors import StoreError as StoreError
    from storecore.errors import StoreWarning as StoreWarning
    from storecore.errors import UnknownBackend as UnknownBackend
    from storecore.events import EventQuery as EventQuery
    from storecore.events import decode_event as decode_event
    from storecore.events import encode_event as encode_event
    from storecore.events import event_filter as event_filter
    from storecore.events import find_events as find_events
    from storecore.events import select_events as select_events
    from storecore.fundamentals import decode_fundamental as decode_fundamental
    from storecore.fundamentals import encode_fundamental as encode_fundamental
    from storecore.fundamentals import select_fundamentals as select_fundamentals
    from storecore.knowledge.clock import Clock as Clock
    from storecore.knowledge.clock import check_asked as check_asked
    from storecore.knowledge.clock import check_new as check_new
    from storecore.knowledge.clock import check_prunable as check_prunable
    from storecore.knowledge.clock import checked_history as checked_history
    from storecore.knowledge.clock import machine_now as machine_now
    from storecore.knowledge.clock import next_instant as next_instant
    from storecore.knowledge.clock import prunable as prunable
    from storecore.knowledge.replay import ChangedRow as ChangedRow
    from storecore.knowledge.replay import Replay as Replay
    from storecore.knowledge.replay import ReplayedRead as ReplayedRead
    from storecore.knowledge.replay import replay as replay
    from storecore.knowledge.versions import BarVersion as BarVersion
    from storecore.knowledge.versions import Correction as Correction
    from storecore.knowledge.versions import EventVersion as EventVersion
    from storecore.knowledge.versions import FundamentalVersion as FundamentalVersion
    from storecore.knowledge.versions import Snapshot as Snapshot
    from storecore.knowledge.versions import Versions as Versions
    from storecore.knowledge.view import View as View
    from storecore.knowledge.view import at as at
    from storecore.models import Action as Action
    from storecore.models import Decision as Decision
    from storecore.models import DecisionRecord as DecisionRecord
    from storecore.models import Event as Event
    from storecore.models import FundamentalData as FundamentalData
    from storecore.models import Order as Order
    from storecore.models import OrderRecord as OrderRecord
    from storecore.models import OrderResult as OrderResult
    from storecore.models import PriceBar as PriceBar
    from storecore.models import Read as Read
    from storecore.plugins.discovery import BackendInfo as BackendInfo
    from storecore.plugins.discovery import backends as backends
    from storecore.plugins.formats import ImportFormat as ImportFormat
    from storecore.plugins.registration import Registration as Registration
    from storecore.plugins.registration import register as register
    from storecore.plugins.spec import PROMISES as PROMISES
    from storecore.plugins.spec import BackendSpec as BackendSpec
    from storecore.plugins.spec import hookimpl as hookimpl
    from storecore.protocols import CAPABILITIES as CAPABILITIES
    from storecore.protocols import METHODS as METHODS
    from storecore.protocols import AuditTrail as AuditTrail
    from storecore.protocols import BarStream as BarStream
    from storecore.protocols import BarTables as BarTables
    from storecore.protocols import Bulk as Bulk
    from storecore.protocols import BulkAudit as BulkAudit
    from storecore.protocols import Catalog as Catalog
    from storecore.protocols import DataStore as DataStore
    from storecore.protocols import DiskUsage as DiskUsage
    from storecore.protocols import History as History
    from storecore.protocols import Maintenance as Maintenance
    from storecore.protocols import Method as Method
    from storecore.protocols import Transfer as Transfer
    from storecore.protocols import VersionedState as VersionedState
    from storecore.reports import AuditLine as AuditLine
    from storecore.reports import AuditReport as AuditReport
    from storecore.reports import Coverage as Coverage
    from storecore.reports import Finding as Finding
    from storecore.reports import Footprint as Footprint
    from storecore.reports import Report as Report
    from storecore.reports import SeriesCoverage as SeriesCoverage
    from storecore.reports import StateVersion as StateVersion
    from storecore.reports.checkpoint import Checkpoint as Checkpoint
    from storecore.reports.version import __version__ as __version__
    from storecore.states import KEPT_VERSIONS as KEPT_VERSIONS
    from storecore.states import check_expected as check_expected
    from storecore.states import checked_kept as checked_kept
    from storecore.states import saved_at_of as saved_at_of
    from storecore.store.base import Store as Store
    from storecore.store.collections import AuditLog as AuditLog
    from storecore.store.collections import BarCollection as BarCollection
    from storecore.store.collections import EventCollection as EventCollection
    from storecore.store.collections import FundamentalCollection as FundamentalCollection
    from storecore.store.collections import StateCollection as StateCollection
    from storecore.store.frames.adjust import adjust as adjust
    from storecore.store.frames.gaps import verify_sessions as verify_sessions
    from storecore.store.frames.records import to_frame as to_frame
    from storecore.store.frames.resample import resample as resample
    from storecore.store.questions import read_bars as read_bars
    from storecore.store.questions import read_events as read_events
    from storecore.store.row_store import Rows as Rows
    from storecore.store.row_store import RowStore as RowStore
    from storecore.store.tables import iter_bar_tables as iter_bar_tables
    from storecore.store.tables import read_bar_table as read_bar_table
    from storecore.store.tables import write_bar_table as write_bar_table
    from storecore.store.wrapper import Wrapper as Wrapper
    from storecore.store.wrapper import capabilities_of as capabilities_of
    from storecore.values.documents import decode_document as decode_document
    from storecore.values.documents import encode_document as encode_document
    from storecore.values.fork import reset_after_fork as reset_after_fork
    from storecore.values.names import check_rename as check_rename
    from storecore.values.times import EARLIEST as EARLIEST
    from storecore.values.times import LATEST as LATEST
    from storecore.values.times import TimeRange as TimeRange
    from storecore.values.times import exact_instant as exact_instant
    from storecore.values.times import time_range as time_range
    from storecore.values.times import to_datetime as to_datetime

_USE = {
    "charts.chart": "chart",
    "config.file": "StoreConfig find_config load_config",
    "config.open": "open_store",
    "copying": "CopyReport copy_store",
    "errors": (
        "ApiMismatch BackendLoadError ConfigError CorruptData DuplicateBackend HistoryPruned "
        "InvalidData InvalidName LockTimeout LookAhead NoStore NotSerializable StateConflict "
        "StorageError StoreClosed StoreError StoreWarning UnknownBackend"
    ),
    "store.frames.adjust": "adjust",
    "store.frames.gaps": "verify_sessions",
    "store.frames.records": "to_frame",
    "store.frames.resample": "resample",
    "knowledge.versions": "BarVersion Correction EventVersion FundamentalVersion Snapshot",
    "knowledge.view": "View at",
    "knowledge.replay": "ChangedRow Replay ReplayedRead replay",
    "models": (
        "Action Decision DecisionRecord Event FundamentalData Order OrderRecord "
        "OrderResult PriceBar Read"
    ),
    "plugins.discovery": "BackendInfo backends",
    "protocols": (
        "AuditTrail BarStream BarTables Bulk BulkAudit Catalog DataStore DiskUsage "
        "History Maintenance Transfer VersionedState"
    ),
    "reports": (
        "AuditLine AuditReport Coverage Finding Footprint Report SeriesCoverage StateVersion"
    ),
    "store.base": "Store",
    "reports.checkpoint": "Checkpoint",
    "store.questions": "read_bars read_events",
    "store.tables": "iter_bar_tables read_bar_table write_bar_table",
}
"""For users of a store, by module."""
_EXTEND = {
    "audit.chain": "follow_chain",
    "audit.records": "GENESIS Link chain decode_record end_of logged_now",
    "audit.transfer": "LOGS moved_end",
    "bars.rows": "BarColumns",
    "bars.table": "as_columns as_table",
    "config.nested": "NestedStore",
    "events": "EventQuery event_filter decode_event encode_event find_events select_events",
    "fundamentals": "decode_fundamental encode_fundamental select_fundamentals",
    "knowledge.clock": (
        "Clock check_asked check_new check_prunable checked_history machine_now next_instant "
        "prunable"
    ),
    "knowledge.versions": "Versions",
    "plugins.formats": "ImportFormat",
    "plugins.registration": "Registration register",
    "plugins.spec": "BackendSpec hookimpl",
    "states": "KEPT_VERSIONS check_expected checked_kept saved_at_of",
    "store.collections": (
        "AuditLog BarCollection EventCollection FundamentalCollection StateCollection"
    ),
    "store.row_store": "RowStore Rows",
    "store.wrapper": "Wrapper",
    "values.documents": "decode_document encode_document",
    "values.fork": "reset_after_fork",
    "values.names": "check_rename",
    "values.times": "EARLIEST LATEST TimeRange exact_instant time_range to_datetime",
}
"""For authors of backends."""
_INSPECT = {
    "plugins.spec": "PROMISES",
    "protocols": "CAPABILITIES METHODS Method",
    "store.wrapper": "capabilities_of",
}
"""For tools that ask what a store is and can do."""
_HOME = {
    name: module
    for tier in (_USE, _EXTEND, _INSPECT)
    for module, names in tier.items()
    for name in names.split()
}

__all__ = sorted(_HOME)
__path__.append(f"{__path__[0]}/plugins/aliases")  # modules whose names are deprecated
_HOME["__version__"] = "reports.version"


def __getattr__(name: str) -> Any:
    """Import a name from its module when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'storecore' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"storecore.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOME)
