"""Deprecated: the checks and codecs of core under one name, as backends used them before `Store`.

A backend inherits `storecore.Store`, which calls them. One that brings its own ten methods may
import them from their modules; this module is there for one more release.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any, cast

from storecore.audit.chain import audit_report
from storecore.audit.records import (
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
from storecore.audit.transfer import check_log, moved_end, moved_lines
from storecore.bars.rows import BarColumns, bar_columns, price_bars
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
from storecore.protocols import DataStore
from storecore.reports import AuditLine
from storecore.states import KEPT_VERSIONS, check_expected, checked_versions
from storecore.store.checkpoints import Against, Checkpoint, take_checkpoint, verify_against
from storecore.store.closing import Closing
from storecore.store.tables import read_by_bars, write_by_bars
from storecore.values.documents import decode_document, encode_document
from storecore.values.names import check_name
from storecore.values.times import (
    EARLIEST,
    LATEST,
    TimeRange,
    exact_instant,
    time_range,
    to_datetime,
)

if TYPE_CHECKING:
    import pyarrow as pa

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


def bar_columns_by_symbol(table: Any) -> list[tuple[str, BarColumns]]:
    """Check a whole table of bars; return the columns of each symbol."""
    from storecore.bars.checks import checked_rows

    return checked_rows(table, extra="refuse").columns()


class BarTablesByBars(Closing):
    """What a backend inherits, in place of `Closing`, to be a `BarTables` by its ten methods."""

    def write_bar_table(self, table: Any, *, timeframe: str = "1d") -> None:
        """Insert or replace the bars of a table of many symbols, checked whole first.

        This makes one write for each symbol. A backend whose second write may fail should bring its
        own method, which rolls back the first (law D2).
        """
        self._check_open()
        write_by_bars(cast(DataStore, self), table, timeframe)

    def read_bar_table(
        self,
        symbols: str | Iterable[str],
        start: date,
        end: date,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
    ) -> pa.Table:
        """Return the bars of many symbols as one table, sorted by symbol, then date."""
        self._check_open()
        return read_by_bars(cast(DataStore, self), symbols, start, end, timeframe, columns)
