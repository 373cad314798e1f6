"""Bars as the texts of a CSV file, which an import reads as the same values.

A float of a further column always has a point or an exponent: 5 would be read as a whole number. A
volume has none if it is whole, as in files of vendors.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.extra_values import FIELDS
from storecore.store.frames.numbers import is_text
from storecore.values.timeframes import DAY

_SPECIAL = r'[",\r\n]'
_DAY_LENGTH = 10  # of 2026-01-05


def bar_texts(bars: pa.Table, *, is_of_days: bool) -> pa.Table:
    """Return a table of bars as texts; null for what is not there."""
    columns = [_texts(name, bars[name], is_of_days) for name in bars.column_names]
    return pa.table(columns, bars.column_names)


def csv_lines(texts: pa.Table) -> bytes:
    """Return rows of texts as lines, with quotes around a text that needs them."""
    columns = [_quoted(column) for column in texts.columns]
    options = {"null_handling": "replace", "null_replacement": ""}
    rows = pc.binary_join_element_wise(*columns, ",", **options)
    return "".join(f"{row}\n" for row in rows.to_pylist()).encode()


def header_of(names: Sequence[str]) -> bytes:
    """Return the first line of a CSV file."""
    return csv_lines(pa.table([pa.array([name]) for name in names], list(names)))


def _quoted(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    is_special = pc.match_substring_regex(texts, _SPECIAL)
    if not pc.any(is_special).as_py():
        return texts
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(is_special, pc.binary_join_element_wise('"', doubled, '"', ""), texts)


def _texts(name: str, values: pa.ChunkedArray, is_of_days: bool) -> pa.ChunkedArray:
    kind = values.type
    if is_text(kind):
        return values
    if pa.types.is_timestamp(kind):
        return moment_texts(values, may_be_days=is_of_days and name == "date")
    if name == "volume":
        return _volumes(values)
    texts = pc.cast(values, pa.string())
    return _with_point(texts) if pa.types.is_floating(kind) and name not in FIELDS else texts


def moment_texts(moments: pa.ChunkedArray, *, may_be_days: bool) -> pa.ChunkedArray:
    """Return times in UTC as ISO texts; as dates if all are midnights and those may be days."""
    instants = pc.cast(moments, pa.int64())
    texts = pc.cast(pc.cast(instants, pa.timestamp("us")), pa.string())
    if may_be_days and _all_midnights(instants):
        return pc.utf8_slice_codeunits(texts, 0, _DAY_LENGTH)
    bare = pc.replace_substring_regex(texts, r"\.000000$", "")
    return pc.binary_join_element_wise(pc.replace_substring(bare, " ", "T"), "Z", "")


def _all_midnights(instants: pa.ChunkedArray) -> bool:
    days = pc.multiply(pc.divide(instants, DAY), DAY)
    return pc.all(pc.equal(days, instants)).as_py() is not False


def _volumes(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return volumes as texts, whole ones without a point or an exponent."""
    if not pa.types.is_floating(values.type):
        return pc.cast(values, pa.string())
    is_whole = pc.and_(pc.equal(pc.floor(values), values), pc.less(pc.abs(values), 2.0**63))
    whole = pc.cast(pc.cast(pc.if_else(is_whole, values, 0.0), pa.int64()), pa.string())
    return pc.if_else(is_whole, whole, pc.cast(values, pa.string()))


def _with_point(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return numbers as texts that are not those of whole numbers."""
    is_bare = pc.match_substring_regex(texts, r"^-?\d+$")
    return pc.if_else(is_bare, pc.binary_join_element_wise(texts, ".0", ""), texts)
