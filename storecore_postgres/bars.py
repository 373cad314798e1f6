"""Bars: a row for each bar, keyed by (symbol, timeframe, date).

A read returns one row for each symbol, in which the server has concatenated the values of each
column, so no bar becomes a Python object. A few bars are upserted as arrays. Many new ones are
copied. All writers lock rows in the order of the key, so they cannot deadlock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from math import ceil

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.groups import Grouped
from storecore.bars.rows import BarColumns
from storecore.bars.table import EMPTY, EXACT, SERIES, instants_of, joined, series_table
from storecore.reports import Coverage
from storecore.store.collections import BarCollection
from storecore.values.times import EARLIEST, LATEST, TimeRange, to_datetime
from storecore_postgres.database import Connection, Database
from storecore_postgres.errors import KEY_TAKEN
from storecore_postgres.names import checked_length
from storecore_postgres.schema.layouts import Distribution
from storecore_postgres.wire import (
    COPY_END,
    COPY_HEAD,
    copy_rows,
    date_array,
    date_column,
    float_array,
    float_column,
    instant,
    repeated_texts,
    timestamptz,
    whole_column,
)

ROW_BYTES = 320  # of a bar that is read, copied, sorted and returned: about six copies
_PAGE_ROWS = 1_000_000  # bars; the server returns at most 1 GB in a value
_COPY_FROM = 5_000  # bars; from here on COPY is faster, if each series has enough of them
_COPY_PER_SERIES = 50
_UPSERT_ROWS = 20_000  # bars in an upsert
_EVER = TimeRange(EARLIEST, LATEST, aware=True)
_NUMBERS = tuple(SERIES.names[1:])
Named = list[tuple[str, pa.Table]]
_UPSERT = """
INSERT INTO {schema}.bars (symbol, timeframe, date, open, high, low, close, volume, exact_volume)
SELECT symbol, %s, date, open, high, low, close, volume, exact_volume
FROM unnest(
    %s::text[], %s::timestamptz[], %s::float8[], %s::float8[], %s::float8[], %s::float8[],
    %s::float8[], %s::int8[]
) AS given (symbol, date, open, high, low, close, volume, exact_volume)
ON CONFLICT (symbol, timeframe, date) DO UPDATE SET
    open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
    volume = excluded.volume, exact_volume = excluded.exact_volume
"""
_COPY = """
COPY {schema}.bars (symbol, timeframe, date, open, high, low, close, volume)
FROM STDIN (FORMAT binary)
"""
_ANY = """
SELECT EXISTS (
    SELECT 1 FROM {schema}.bars
    WHERE symbol = ANY(%s::text[]) AND timeframe = %s AND date BETWEEN %s AND %s
)
"""

_SELECTED = """
FROM (
    SELECT {names} FROM {schema}.bars
    WHERE symbol {among} AND timeframe = %s AND date BETWEEN %s AND %s
    ORDER BY symbol, date LIMIT {page}
) AS found
"""
_ONE_SYMBOL = "SELECT {columns}" + _SELECTED  # without GROUP BY, which would sort once more
_MANY_SYMBOLS = "SELECT {columns}, symbol" + _SELECTED + "GROUP BY symbol ORDER BY symbol"
_EXACT = ("timestamptz_send(date)", "int8send(exact_volume)")
_IF_EXACT = " FILTER (WHERE exact_volume IS NOT NULL)"

_SYMBOLS = {
    # A "loose index scan": one index lookup for each symbol. DISTINCT reads the whole index.
    "none": """
WITH RECURSIVE found AS (
    (SELECT symbol FROM {schema}.bars ORDER BY symbol LIMIT 1)
    UNION ALL
    SELECT (
        SELECT symbol FROM {schema}.bars WHERE symbol > found.symbol ORDER BY symbol LIMIT 1
    ) FROM found WHERE symbol IS NOT NULL
)
SELECT symbol FROM found WHERE symbol IS NOT NULL""",
    "citus": "SELECT DISTINCT symbol FROM {schema}.bars",
    "timescale": "SELECT DISTINCT symbol FROM {schema}.bars",
}


class Bars(BarCollection):
    """All series of a store."""

    def __init__(self, database: Database, schema: str, distribution: Distribution) -> None:
        self._database = database
        self._schema = schema
        self._symbols = _SYMBOLS[distribution].format(schema=schema)
        self._upsert, self._copy, self._any = (
            statement.format(schema=schema) for statement in (_UPSERT, _COPY, _ANY)
        )

    def write(self, symbol: str, timeframe: str, columns: BarColumns) -> None:
        """Insert or replace bars; they are committed when this returns."""
        table = series_table(columns)
        self.write_many(timeframe, Grouped([symbol], [len(table)], table))

    def write_many(self, timeframe: str, batch: Grouped) -> None:
        """Insert or replace bars, all or none. A few thousand cost one round trip."""
        if not len(batch.table):
            return
        for symbol in batch.names:
            checked_length(symbol, "table.symbol")
        rows = batch.in_order()
        what = f"writing bars of {rows.names[0]!r}"
        if len(rows.names) > 1:
            what += f" and {len(rows.names) - 1} others"
        if _is_for_copy(rows) and self._database.retry(what, self._copied(timeframe, rows)):
            return
        batches = [self._parameters(timeframe, rows, start) for start in _starts(rows)]
        self._database.retry(what, lambda connection: self._put(connection, batches))

    def read(self, symbol: str, timeframe: str, span: TimeRange) -> pa.Table:
        """Return the bars of a range, sorted by date."""
        found = self.read_many([symbol], timeframe, span, _NUMBERS)
        return found[0][1] if found else EMPTY

    def read_many(
        self, symbols: list[str], timeframe: str, span: TimeRange, columns: Iterable[str]
    ) -> Named:
        """Return a series table for each symbol that has bars, sorted by symbol."""
        wanted = [name for name in _NUMBERS if name in columns]
        found: Named = []
        while symbols:
            page = self._page(symbols, timeframe, span, wanted)
            found += page
            if sum(len(table) for _, table in page) < _PAGE_ROWS:
                break
            last, table = found.pop()  # the page may have cut it
            rest = span._replace(first=instants_of(table)[-1] + 1)
            more = self.read_many([last], timeframe, rest, wanted)
            found.append((last, joined([table, *(each for _, each in more)])))
            symbols = symbols[bisect_right(symbols, last) :]
        return found

    def stream(
        self,
        symbols: list[str],
        timeframe: str,
        span: TimeRange,
        columns: Iterable[str],
        max_bytes: int,
    ) -> Iterator[Named]:
        """Yield series tables of consecutive time windows."""
        max_rows = max(1, max_bytes // ROW_BYTES)
        for window in self._windows(symbols, timeframe, span, max_rows):
            yield self.read_many(symbols, timeframe, window, columns)

    def delete(self, symbol: str, timeframe: str, span: TimeRange) -> int:
        """Remove the bars of a range; return how many there were."""
        these = (
            f"FROM {self._schema}.bars "
            "WHERE symbol = %s AND timeframe = %s AND date BETWEEN %s AND %s"
        )
        statement = f"WITH gone AS (DELETE {these} RETURNING 1) SELECT count(*) FROM gone"
        parameters = [symbol, timeframe, timestamptz(span.first), timestamptz(span.last)]

        def removed(connection: Connection) -> int:
            ((count,),) = connection.execute(statement, parameters).fetchall()
            return int(count)

        def are_gone(connection: Connection, _: str, count: int) -> bool:
            return not connection.execute(f"SELECT {these} LIMIT 1", parameters).fetchall()

        return self._database.exactly_once(f"deleting bars of {symbol!r}", removed, are_gone)

    def symbols(self, timeframe: str | None) -> list[str]:
        """Return the symbols that have bars (of a timeframe), sorted."""
        statement, parameters = self._symbols, []
        if timeframe is not None:
            statement = f"""SELECT symbol FROM ({statement}) AS every WHERE EXISTS (
                SELECT 1 FROM {self._schema}.bars
                WHERE bars.symbol = every.symbol AND timeframe = %s)"""
            parameters = [timeframe]
        return sorted(
            name for (name,) in self._database.rows("reading symbols", statement, parameters)
        )

    def timeframes(self, symbol: str) -> list[str]:
        """Return the timeframes in which a symbol has bars, sorted."""
        statement = f"SELECT DISTINCT timeframe FROM {self._schema}.bars WHERE symbol = %s"
        return sorted(
            name for (name,) in self._database.rows("reading timeframes", statement, [symbol])
        )

    def series(self) -> Iterator[tuple[str, str]]:
        """Yield symbol and timeframe of each series."""
        for symbol in self.symbols(None):
            yield from ((symbol, timeframe) for timeframe in self.timeframes(symbol))

    def coverage(self, symbol: str, timeframe: str) -> Coverage:
        """Return first and last date and the number of bars of a series."""
        count, first, last = self._extent([symbol], timeframe, _EVER)
        if not count:
            return Coverage(None, None, 0)
        return Coverage(to_datetime(first, aware=True), to_datetime(last, aware=True), count)

    def _copied(self, timeframe: str, rows: Grouped) -> Callable[[Connection], bool]:
        """Return work that copies bars into the table; it returns False if some exist already."""
        ends = pc.min_max(rows.table["date"].cast(pa.int64())).as_py()
        parameters = [rows.names, timeframe, timestamptz(ends["min"]), timestamptz(ends["max"])]

        def copied(connection: Connection) -> bool:
            ((there,),) = connection.execute(self._any, parameters).fetchall()
            if there:
                return False
            try:
                self._copy_rows(connection, timeframe, rows)
            except KEY_TAKEN:  # by another writer; the upsert raises if it was another error
                return False
            return True

        return copied

    def _copy_rows(self, connection: Connection, timeframe: str, rows: Grouped) -> None:
        with connection.cursor() as cursor, cursor.copy(self._copy) as copy:
            copy.write(COPY_HEAD)
            for symbol, table in rows.series():
                columns = (table[name] for name in SERIES.names)
                copy.write(copy_rows((symbol, timeframe), *columns))
            copy.write(COPY_END)

    def _parameters(self, timeframe: str, rows: Grouped, start: int) -> list[object]:
        table = rows.table.slice(start, _UPSERT_ROWS)
        exact = table[EXACT].to_pylist() if EXACT in table.column_names else None
        return [
            timeframe,
            repeated_texts(_runs(rows, start, start + len(table))),
            date_array(table["date"]),
            *(float_array(table[name]) for name in _NUMBERS),
            exact,
        ]

    def _put(self, connection: Connection, batches: list[list[object]]) -> None:
        # A single statement is its own transaction, in one round trip.
        with nullcontext() if len(batches) == 1 else connection.transaction():
            for parameters in batches:
                connection.execute(self._upsert, parameters)

    def _page(
        self, symbols: list[str], timeframe: str, span: TimeRange, columns: list[str]
    ) -> Named:
        names, sent = ["symbol", "date", *columns], [_sent("timestamptz_send(date)")]
        sent += [_sent(f"float8send({name})") for name in columns]
        if "volume" in columns:
            names.append("exact_volume")
            sent += [_sent(each) + _IF_EXACT for each in _EXACT]
        one = len(symbols) == 1
        statement = (_ONE_SYMBOL if one else _MANY_SYMBOLS).format(
            schema=self._schema,
            names=", ".join(names),
            among="= %s" if one else "= ANY(%s::text[])",
            columns=", ".join(sent),
            page=_PAGE_ROWS,
        )
        parameters = [
            symbols[0] if one else symbols,
            timeframe,
            timestamptz(span.first),
            timestamptz(span.last),
        ]
        rows = self._database.rows("reading bars", statement, parameters)
        if one:
            rows = [(*row, *symbols) for row in rows if row[0] is not None]
        return [(symbol, _series(columns, *sent)) for *sent, symbol in rows]

    def _windows(
        self, symbols: list[str], timeframe: str, span: TimeRange, max_rows: int
    ) -> Iterator[TimeRange]:
        """Yield consecutive ranges of at most `max_rows` bars, or of one instant."""
        count, first, last = self._extent(symbols, timeframe, span)
        pieces = min(ceil(count / max_rows), last - first + 1)
        if not count:
            return
        if pieces == 1:
            yield TimeRange(first, last, span.aware)
            return
        width = -(-(last - first + 1) // pieces)
        for start in range(first, last + 1, width):
            piece = TimeRange(start, min(start + width - 1, last), span.aware)
            yield from self._windows(symbols, timeframe, piece, max_rows)

    def _extent(self, symbols: list[str], timeframe: str, span: TimeRange) -> tuple[int, int, int]:
        """Return the number of bars of series in a range, and their first and last instant."""
        statement = f"""
SELECT count(*), timestamptz_send(min(date)), timestamptz_send(max(date))
FROM {self._schema}.bars
WHERE symbol = ANY(%s::text[]) AND timeframe = %s AND date BETWEEN %s AND %s"""
        parameters = [symbols, timeframe, timestamptz(span.first), timestamptz(span.last)]
        ((count, first, last),) = self._database.rows("counting bars", statement, parameters)
        return (count, instant(first), instant(last)) if count else (0, 0, 0)


def _sent(value: str) -> str:
    """Return the SQL that concatenates binary values in the order of their dates."""
    return f"string_agg({value}, '' ORDER BY date)"


def _series(columns: list[str], dates: bytes, *sent: bytes) -> pa.Table:
    """Return the series table of the columns that the server sent for one symbol."""
    date = date_column(dates)
    numbers = map(float_column, sent[: len(columns)])
    schema = pa.schema([SERIES.field(name) for name in ("date", *columns)])
    table = pa.Table.from_arrays([date, *numbers], schema=schema)
    exact_dates, exact = sent[len(columns) :] or (None, None)
    if exact_dates is None or exact is None:
        return table
    rows = pc.index_in(date, date_column(exact_dates))
    return table.append_column(EXACT, whole_column(exact).take(rows))


def _is_for_copy(rows: Grouped) -> bool:
    many = len(rows.table) >= max(_COPY_FROM, _COPY_PER_SERIES * len(rows.names))
    return many and EXACT not in rows.table.column_names


def _starts(rows: Grouped) -> Iterable[int]:
    return range(0, len(rows.table), _UPSERT_ROWS)


def _runs(rows: Grouped, start: int, stop: int) -> Iterator[tuple[str, int]]:
    """Yield the symbols of a slice of rows, each with the number of its rows."""
    some = slice(bisect_right(rows.ends, start), bisect_left(rows.ends, stop) + 1)
    for name, end in zip(rows.names[some], rows.ends[some], strict=True):
        yield name, min(end, stop) - start
        start = end
