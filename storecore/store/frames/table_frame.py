"""A table of Arrow as a frame of pandas, whose values may be changed.

`table.to_pandas()` copies all columns of one type into one block, chunk by chunk. A table of bars
has a chunk for each row group, and threads that are started for a short one cost more than the
copy. So here the chunks of each column are joined into an array of its own, unless the table is
short or very long. What a column becomes is the same in each of these ways.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

_SHORT = 8_192  # rows: up to here Arrow is as quick, by one thread
_LONG = 500_000  # rows: from here on Arrow is, by several threads
_PLAIN = (pa.float64(), pa.timestamp("us"))


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Return a table as a frame that shares no memory with it."""
    if not _SHORT < len(table) < _LONG or not _has_plain_names(table):
        return table.to_pandas(use_threads=len(table) >= _LONG)
    columns = dict(zip(table.column_names, table.columns, strict=True))
    plain = [name for name, each in columns.items() if each.type in _PLAIN and not each.null_count]
    # In memory that Arrow has at hand: to get new pages takes longer than to copy to them.
    joined = table.select(plain).combine_chunks()
    arrays = {name: _array(columns[name], joined[name]) for name in plain}
    others = {name: each.to_pandas() for name, each in columns.items() if name not in arrays}
    values: dict[str, Any] = arrays | others
    return pd.DataFrame({name: values[name] for name in columns}, copy=False)


def _has_plain_names(table: pa.Table) -> bool:
    """Return whether each column has a name of its own, and none is an index of pandas."""
    names = table.column_names
    return len(set(names)) == len(names) and b"pandas" not in (table.schema.metadata or {})


def _array(given: pa.ChunkedArray, joined: pa.ChunkedArray) -> Any:
    """Return a copy of a column as an array of numpy."""
    if given.num_chunks == 1:  # then both are the memory of the table
        return given.chunk(0).to_numpy().copy()
    values = joined.chunk(0).buffers()[1]
    return np.frombuffer(values, joined.type.to_pandas_dtype(), len(joined))
