"""The unit of every number that the reference shows, by the name of a parameter or a field.

A name with its owner ("TimeRange.last") goes before the bare name.
"""

from __future__ import annotations

INSTANT = "an instant: microseconds since 1970-01-01T00:00, UTC"
_PRICE = "a price, in the quote currency"
_SHARES = "shares, coins or contracts, whole or fractional"
_RECORDS = "a number of records"
_SEQ = "the number of a record in its log, from 1"
_AT = "the `at` of a row, a signed integer of 64 bits"
_VERSION = "the version of a state, from 1; 0: there is none"

UNITS: dict[str, str] = {
    **dict.fromkeys(("open", "high", "low", "close", "limit_price", "fill_price"), _PRICE),
    **dict.fromkeys(("volume", "quantity", "fill_quantity"), _SHARES),
    **dict.fromkeys(("shares_outstanding", "float_shares"), _SHARES),
    "employees": "a number of persons",
    "target_weight": "a fraction of the portfolio: 1 is all of it, below 0 is short",
    "confidence": "a fraction from 0 to 1",
    "order_id": "the broker's number or text, no quantity",
    "last": "a number of records, 1 or more; of a table: of each symbol",
    "max_bytes": "bytes",
    "expect": f"{_VERSION}; None: any",
    "version": _VERSION,
    "stored": _VERSION,
    "state_versions": "a number of versions, 1 or more",
    "kept_versions": "a number of versions, 1 or more",
    "count": _RECORDS,
    "checked": "a number of things checked: files or records",
    "rows": _RECORDS,
    "files": "a number of files",
    "bytes": "bytes",
    "line": "the number of a line, from 1",
    "offset": "bytes from the beginning of the file",
    "seq": _SEQ,
    **dict.fromkeys(("since", "before", "at", "limit", "recorded", "pruned", "ended"), INSTANT),
    **dict.fromkeys(("micros", "ingested_by", "first", "date", "now", "replaced"), INSTANT),
    **dict.fromkeys(("TimeRange.last", "TimeRange.until.last"), INSTANT),
    **dict.fromkeys(("check_asked.last", "next_instant.last"), INSTANT),
    **dict.fromkeys(("Rows.read.first", "Rows.read.last"), _AT),
    **dict.fromkeys(("Rows.delete.first", "Rows.delete.last"), _AT),
    "Rows.put.rows": f"the second of each is {_AT}",
    "newest": f"{_RECORDS}, 1 or more",
    "after": f"{_SEQ}; 0: before the first",
    "prunable.kept": "microseconds; the versions of that time are kept",
    "api": "a version of the plugin interface",
    "format": "the version of the document's format",
    "written": "a counter of writes to the series",
    "years": "a number of records for each year, from that of `first` on",
    "StateCollection.restore.versions": "pairs of a version, from 1, and the document",
    "Panel.series": "pairs of a symbol and its number of rows",
    "ends": "the row after the last one of each symbol, in `table`",
    "skip_lines": "a number of lines at the beginning of the file",
    "fixed_point": "a number of decimals",
    "errno": "the code of the operating system",
}
