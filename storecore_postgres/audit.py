"""The room of audit: two logs, of decisions and of orders, a row a record, each a chain.

    seq, day, strategy, logged_at     to be found by; the day is the local date of who logged it
    record                            the line as the `file` backend has it, byte for byte

The row of a log in `audit_heads` says where its chain ends, so that a cut tail is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Generic, TypeVar

from storecore.audit import Link, decode_record, select_records
from storecore.chain import LogFile, follow
from storecore.instants import TimeRange
from storecore.models import DecisionRecord, OrderRecord
from storecore.names import check_name
from storecore.reports import Finding
from storecore.transfer import AuditLine
from storecore_postgres.audit_writer import AuditWriter, found_by
from storecore_postgres.database import Database
from storecore_postgres.distribution import Distribution
from storecore_postgres.paging import PAGE, Row, decoding, pages
from storecore_postgres.wire import instant, moment

_Record = TypeVar("_Record", DecisionRecord, OrderRecord)
_MISPLACED = "the columns that it is found by are not those of its record"
_READ = """
SELECT seq, record::text FROM {schema}.{log}
WHERE logged_at BETWEEN %s AND %s AND coalesce(strategy = %s, true) ORDER BY seq
"""
_AFTER = f"""
SELECT seq, day, strategy, timestamptz_send(logged_at), record::text FROM {{schema}}.{{log}}
WHERE seq > %s ORDER BY seq LIMIT {PAGE}
"""


class AuditLog(Generic[_Record]):
    """One log: "decisions" or "orders"."""

    def __init__(
        self,
        database: Database,
        schema: str,
        layout: Distribution,
        log: str,
        kind: type[_Record],
    ) -> None:
        self._database = database
        self._log = log
        self._table = f"{schema}.{log}"
        self._kind: type[_Record] = kind
        self._writer = writer = AuditWriter(database, schema, layout, log)
        self.write, self.append = writer.write, writer.append
        self._head, self.heal = writer.head, writer.head.heal
        self._read, self._after = (each.format(schema=schema, log=log) for each in (_READ, _AFTER))

    def read(self, span: TimeRange, strategy: str | None) -> list[_Record]:
        """Return the records of a range and a strategy (None: all), in the order of `seq`."""
        if strategy is not None:
            check_name(strategy, "strategy_name")  # no server takes a NUL
        asked = [moment(span.first), moment(span.last), strategy]
        rows = self._database.rows(f"reading {self._log}", self._read, asked)
        return select_records((self._decoded(*row) for row in rows), span, strategy)

    def lines(self, after: int) -> Iterator[AuditLine]:
        """Yield the records behind a number, in the order of `seq`."""
        for _, day, *_, record in self._rows_after(after):
            yield AuditLine(day, _line(record))

    def verify(self) -> tuple[Link, list[Finding]]:
        """Follow the chain; return its end and its first break, or the findings of its head."""
        # The head before the records: those that are logged meanwhile go beyond it, none is behind.
        known = self._head.known()
        lines, hidden = [], None
        for row in self._rows_after(0):
            lines.append(_line(row[-1]))
            hidden = hidden or self._hidden(*row)
        log = LogFile(self._table, b"".join(lines))
        named = [known.head] if known.head is not None and known.head.seq else []
        end, broken = follow([log], named)
        first = broken or hidden
        return end, [first] if first else self._head.findings(known, end)

    def _rows_after(self, seq: int) -> Iterator[Row]:
        what = f"reading {self._log}"
        return pages(self._database, what, self._after, [seq], lambda row: [row[0]])

    def _hidden(
        self, seq: int, day: date, strategy: str, logged_at: bytes, record: str
    ) -> Finding | None:
        """Return that a record is found by what it is not, and so not by what it is."""
        try:
            of_record = found_by(record)
        except (ValueError, RecursionError):  # which breaks the chain
            return None
        if of_record == (seq, strategy, instant(logged_at)):
            return None
        return Finding("edited", f"{self._table}, seq {seq}", _MISPLACED)

    def _decoded(self, seq: int, record: str) -> _Record:
        with decoding(f"{self._table}, seq {seq}"):
            return decode_record(_line(record), self._kind)


def _line(record: str) -> bytes:
    return record.encode() + b"\n"
