"""Rows of one day of a series, where a day holds one bar and the others would be lost."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from storecore.store.frames.numbers import decoded
from storecore.store.frames.rows import counted_rows, where


def collapsed_days(table: pa.Table, moments: pa.ChunkedArray) -> list[str]:
    """Return the problem of rows of different moments that are written as one day of a symbol.

    `moments` are the times as given. Equal ones are corrections: the last wins.
    """
    rows = pa.table({"symbol": decoded(table["symbol"]), "date": table["date"], "moment": moments})
    keys = ["symbol", "date"]
    days = rows.group_by(keys, use_threads=False).aggregate([("moment", "count_distinct")])
    days = days.filter(pc.greater(days["moment_count_distinct"], 1))
    if not len(days):
        return []
    symbol, day = days["symbol"][0], days["date"][0]
    first = where(pc.and_(pc.equal(rows["symbol"], symbol), pc.equal(rows["date"], day)))
    more = f", and so are those of {len(days) - 1:,} more days" if len(days) > 1 else ""
    return [
        f"table[{first[0]}].date: rows of {symbol.as_py()!r} are different times of "
        f"{day.as_py():%Y-%m-%d}{counted_rows(first)}{more}, and "
        'day="written" files one bar a day; give the timeframe that they have, such as '
        'timeframe="1m", or keep one row of each day'
    ]
