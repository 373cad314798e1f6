"""A table of Arrow as a frame of pandas, whose values may be changed.

`table.to_pandas()` copies all columns of one type into one block, chunk by chunk. A table of bars
has a chunk for each row group, and threads that are started for a short one cost more than the
copy. So here each column is copied into an array of its own, unless the table is short or very
long. What a column becomes is the same in each of these ways.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

_SHORT = 8_192  # rows: up to here one thread of Arrow is the quickest
_LONG = 300_000  # rows: from here on several threads of Arrow are
_PLAIN = (pa.float64(), pa.timestamp("us"))


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Return a table as a frame that shares no memory with it."""
    if not _SHORT < len(table) < _LONG or not _has_plain_names(table):
        return table.to_pandas(use_threads=len(table) >= _LONG)
    columns = zip(table.column_names, table.columns, strict=True)
    return pd.DataFrame({name: _values(column) for name, column in columns}, copy=False)


def _has_plain_names(table: pa.Table) -> bool:
    """Return whether each column has a name of its own, and none is an index of pandas."""
    names = table.column_names
    return len(set(names)) == len(names) and b"pandas" not in (table.schema.metadata or {})


def _values(column: pa.ChunkedArray) -> Any:
    """Return a copy of a column: an array of numpy, or a series if it needs another type."""
    if column.type not in _PLAIN or column.null_count:
        return column.to_pandas()
    if column.num_chunks == 1:
        return column.chunk(0).to_numpy().copy()
    # In memory that Arrow has at hand: to get new pages takes longer than to copy to them.
    joined = pa.concat_arrays(column.chunks)
    return np.frombuffer(joined.buffers()[1], column.type.to_pandas_dtype(), len(joined))
