"""What a backend author calls to keep the laws: core's checks and codecs, under one name.

    from storecore import BackendSpec, hookimpl, laws

A backend passes what it is given through these before it writes, and what it has read through
these before it answers; `storecore.memory` shows each in use.
"""

from storecore.audit import (
    GENESIS,
    Link,
    chain,
    chained,
    decision_bodies,
    decision_body,
    decision_entry,
    decode_record,
    line_after,
    moment_and_day,
    order_bodies,
    order_body,
    order_entry,
    select_records,
)
from storecore.bars import BarColumns, bar_columns, price_bars
from storecore.chain import audit_report
from storecore.chain_moves import check_log, moved_end, moved_lines
from storecore.checkpoints import Against, Checkpoint, take_checkpoint, verify_against
from storecore.closing import Closing
from storecore.events import (
    checked_event,
    checked_events,
    decode_event,
    encode_event,
    event_types,
    select_events,
)
from storecore.fundamentals import (
    checked_fundamental,
    checked_fundamentals,
    decode_fundamental,
    encode_fundamental,
)
from storecore.instants import EARLIEST, LATEST, TimeRange, exact_instant, time_range, to_datetime
from storecore.lossless import decode_document, encode_document
from storecore.names import check_name
from storecore.states import KEPT_VERSIONS, check_expected, checked_versions
from storecore.tables import BarTablesByBars, bar_columns_by_symbol
from storecore.transfer import AuditLine

__all__ = [
    "EARLIEST",
    "GENESIS",
    "KEPT_VERSIONS",
    "LATEST",
    "Against",
    "AuditLine",
    "BarColumns",
    "BarTablesByBars",
    "Checkpoint",
    "Closing",
    "Link",
    "TimeRange",
    "audit_report",
    "bar_columns",
    "bar_columns_by_symbol",
    "chain",
    "chained",
    "check_expected",
    "check_log",
    "check_name",
    "checked_event",
    "checked_events",
    "checked_fundamental",
    "checked_fundamentals",
    "checked_versions",
    "decision_bodies",
    "decision_body",
    "decision_entry",
    "decode_document",
    "decode_event",
    "decode_fundamental",
    "decode_record",
    "encode_document",
    "encode_event",
    "encode_fundamental",
    "event_types",
    "exact_instant",
    "line_after",
    "moment_and_day",
    "moved_end",
    "moved_lines",
    "order_bodies",
    "order_body",
    "order_entry",
    "price_bars",
    "select_events",
    "select_records",
    "take_checkpoint",
    "time_range",
    "to_datetime",
    "verify_against",
]
