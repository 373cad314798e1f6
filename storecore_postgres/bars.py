"""Bars: a row for each bar, keyed by (symbol, timeframe, date).

`bar_pages` reads them and `bar_writes` writes them. Here are the collection, its listings, and what
removes or renames bars.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from math import ceil

import pyarrow as pa

from storecore.bars.extra import EVERY
from storecore.bars.groups import Grouped
from storecore.bars.rows import BarColumns
from storecore.bars.table import EMPTY, as_table, series_table
from storecore.knowledge.versions import Unreplaced, Versions
from storecore.reports import Coverage, SeriesCoverage
from storecore.store.collections import BarCollection
from storecore.values.times import EARLIEST, LATEST, TimeRange, to_datetime
from storecore_postgres.bar_pages import NUMBERS, Named, Pages, Question
from storecore_postgres.bar_rows import checked, has_further, is_for_copy, upsert_parts, what_of
from storecore_postgres.bar_versions import BarVersions, listed
from storecore_postgres.bar_writes import Write, Writes
from storecore_postgres.database import Connection, Database, Refusal
from storecore_postgres.extra import TOKEN, ExtraColumns, Kinds, Stale, asked_of
from storecore_postgres.past import BARS, Past, prune
from storecore_postgres.rows import symbols_statement
from storecore_postgres.schema.layouts import Distribution
from storecore_postgres.wire import BEFORE, Timestamptz, instant, spans_of, timestamptz

ROW_BYTES = 320  # of a bar that is read, copied, sorted and returned: about six copies
_FURTHER_BYTES = 60  # of a value of a further column, beside the bytes of a text
_STREAMED_ROWS = 100_000  # bars in a page that is only looked at
_EVER = TimeRange(EARLIEST, LATEST, aware=True)
_COPIES = 6  # of a text that is read, as of a row
_THESE = """
FROM {schema}.bars WHERE symbol = %s AND timeframe = %s AND date BETWEEN %s AND %s"""
_IN_RANGE = """
FROM {schema}.bars
WHERE symbol = ANY(%s::text[]) AND timeframe = %s AND date BETWEEN %s AND %s"""
_INVENTORY = """
SELECT symbol, timeframe, timestamptz_send(min(date)), timestamptz_send(max(date)), count(*)
FROM {schema}.bars WHERE date BETWEEN %s AND %s GROUP BY symbol, timeframe
"""
_MOVE = """
INSERT INTO {schema}.bars
    (symbol, timeframe, date, open, high, low, close, volume, exact_volume{further})
SELECT %s::text, timeframe, date, open, high, low, close, volume, exact_volume{further}
FROM {schema}.bars WHERE symbol = %s
"""


class Bars(BarCollection):
    """All series of a store."""

    keeps_extra = True

    def __init__(
        self,
        database: Database,
        schema: str,
        distribution: Distribution,
        extra: ExtraColumns,
        past: Past | None = None,
    ) -> None:
        self._database = database
        self._versions = None if past is None else BarVersions(database, schema, past, extra)
        self._schema = schema
        self._extra = extra
        self._pages = Pages(database, schema, distribution, extra)
        self._writes = Writes(database, schema, extra, self._versions)
        self._moves_rows = distribution == "citus"
        self._symbols = symbols_statement(schema, "bars", distribution)
        self._these, self._in_range, self._inventory, self._token = (
            each.format(schema=schema) for each in (_THESE, _IN_RANGE, _INVENTORY, TOKEN)
        )

    def write(self, symbol: str, timeframe: str, columns: BarColumns) -> None:
        """Insert or replace bars; they are committed when this returns."""
        table = series_table(columns)
        self.write_many(timeframe, Grouped([symbol], [len(table)], table))

    def write_many(self, timeframe: str, batch: Grouped) -> None:
        """Insert or replace bars, all or none. A few thousand cost one round trip."""
        if not len(batch.table):
            return
        rows = checked(batch)
        what = what_of(rows)
        self._require(what, rows)
        if has_further(rows.table):
            self._writes.agreed(what, timeframe, rows, Write(copies=is_for_copy(rows)))
        else:
            self._writes.plain(what, timeframe, rows)

    def replace(self, timeframe: str, batch: Grouped) -> None:
        """Replace whole series, all or none, in one transaction."""
        rows = checked(batch)
        what = what_of(rows)
        self._require(what, rows)
        write = Write(alone=True, copies=is_for_copy(rows), replaces=True)
        self._writes.agreed(what, timeframe, rows, write)

    def _require(self, what: str, rows: Grouped) -> None:
        """Change the tables of an earlier release if the rows need it."""
        if rows.table["volume"].null_count:
            self._extra.version.require(what)
        if has_further(rows.table):
            self._extra.version.complete(what)

    # Reads.

    def extra_kinds(self, symbol: str, timeframe: str) -> Kinds:
        """Return the types of the further columns of a series."""
        return self._extra.read_kinds(timeframe, [symbol]).get(symbol, {})

    def read(self, symbol: str, timeframe: str, span: TimeRange) -> pa.Table:
        """Return the bars of a range, sorted by date."""
        found = self.read_many([symbol], timeframe, span, (*NUMBERS, EVERY))
        return found[0][1] if found else EMPTY

    def read_many(
        self, symbols: list[str], timeframe: str, span: TimeRange, columns: Iterable[str]
    ) -> Named:
        """Return a series table for each symbol that has bars, sorted by symbol.

        So is a table without rows for a series that has further columns, but no bars in the range.
        """
        return self._pages.answer(Question(symbols, timeframe, span, tuple(columns)))

    def stream(
        self,
        symbols: list[str],
        timeframe: str,
        span: TimeRange,
        columns: Iterable[str],
        max_bytes: int,
    ) -> Iterator[Named]:
        """Yield series tables of consecutive time windows, those of one symbol page by page."""
        question = Question(symbols, timeframe, span, tuple(columns))
        max_rows = max(1, max_bytes // self._row_bytes(question))
        if question.is_one:
            yield from self._pages.of_one(question, max_rows)
            return
        for window in self._windows(symbols, timeframe, span, max_rows):
            yield self.read_many(symbols, timeframe, window, columns)

    def pages(self, symbol: str, timeframe: str) -> Iterator[pa.Table]:
        """Yield all bars of a series by date, some at a time.

        Each page sees what is written until it is read.
        """
        question = Question([symbol], timeframe, _EVER, (*NUMBERS, EVERY))
        for found in self._pages.of_one(question, _STREAMED_ROWS):
            yield from (table for _, table in found)

    def _row_bytes(self, question: Question) -> int:
        """Return the memory that a bar takes, with the average size of its texts."""
        if not question.asks_further or self._extra.now.token is None:
            return ROW_BYTES
        kinds = self._extra.read_kinds(question.timeframe, question.symbols)
        self._extra.learn(question.timeframe, kinds)
        places = {each for one in kinds.values() for each in asked_of(one, question.columns)}
        texts = [self._extra.now.place(each) for each in places if each[1] == "string"]
        size = ROW_BYTES + _FURTHER_BYTES * len(places)
        if not texts:
            return size
        lengths = " + ".join(f"coalesce(octet_length({each}), 0)" for each in texts)
        statement = f"SELECT coalesce(avg({lengths}), 0)::int8 {self._in_range}"
        ((average,),) = self._database.rows("measuring texts", statement, _asked(question))
        return size + _COPIES * int(average)

    def delete(self, symbol: str, timeframe: str, span: TimeRange) -> int:
        """Remove the bars of a range; return how many there were."""
        while True:
            try:
                return self._deleted(symbol, timeframe, span)
            except Stale:
                self._extra.reload()

    def _deleted(self, symbol: str, timeframe: str, span: TimeRange) -> int:
        known = self._extra.now
        statement = (
            f"WITH gone AS (DELETE {self._these} RETURNING 1) "
            f"SELECT count(*), {self._token} FROM gone"
        )
        parameters = [symbol, timeframe, timestamptz(span.first), timestamptz(span.last)]

        def removed(connection: Connection) -> int:
            if known.token is not None:
                self._extra.lock(connection, alone=True)
            if self._versions is not None:
                count, token = self._versions.delete(connection, parameters)
            else:
                ((count, token),) = connection.execute(statement, parameters).fetchall()
            if token != known.token:
                raise Refusal from Stale()
            if known.token is not None:
                self._extra.forget(connection, timeframe, [symbol], if_empty=True)
            return int(count)

        def are_gone(connection: Connection, _: str, count: int) -> bool:
            return not connection.execute(f"SELECT 1 {self._these} LIMIT 1", parameters).fetchall()

        return self._database.exactly_once(f"deleting bars of {symbol!r}", removed, are_gone)

    def has(self, connection: Connection, symbol: str) -> bool:
        """Return whether a symbol has bars."""
        statement = f"SELECT 1 FROM {self._schema}.bars WHERE symbol = %s LIMIT 1"
        return bool(connection.execute(statement, [symbol]).fetchall())

    def rename(
        self, connection: Connection, old: str, new: str, at: Timestamptz | None = None
    ) -> None:
        """Give the bars of a symbol another one, in a transaction that locks out other writers.

        Raises `Refusal` from `Stale` if columns were added meanwhile.
        """
        known = self._extra.now
        if not self._extra.is_current(connection, known):
            raise Refusal from Stale()
        if self._versions is not None and at is not None:
            self._versions.rename(connection, old, new, at)
        elif self._moves_rows:
            statement = _MOVE.format(schema=self._schema, further=listed(known.places.values()))
            connection.execute(statement, [new, old])
            connection.execute(f"DELETE FROM {self._schema}.bars WHERE symbol = %s", [old])
        else:
            statement = f"UPDATE {self._schema}.bars SET symbol = %s WHERE symbol = %s"
            connection.execute(statement, [new, old])
        if known.token is not None:
            self._extra.rename(connection, old, new)

    # Versions. Without a history, what is held was recorded before it.

    def versions(self, symbol: str, timeframe: str, span: TimeRange) -> Versions:
        """Return the versions of the bars of a range, by date, then by `recorded`."""
        if self._versions is not None:
            return self._versions.between(symbol, timeframe, span, None)
        table = self.read(symbol, timeframe, span)
        return Versions(table, [None] * len(table), [None] * len(table))

    def recorded(
        self, symbol: str, timeframe: str, span: TimeRange, at: int
    ) -> BarColumns | pa.Table:
        """Return the bars of a range that were held at an instant of recording."""
        if self._versions is None:
            return super().recorded(symbol, timeframe, span, at)
        if self._extra.now.token is None:
            question = Question([symbol], timeframe, span, NUMBERS, at)
            with suppress(Stale):  # another process has added a column
                return next((table for _, table in self._pages.once(question)), EMPTY)
        return self._versions.between(symbol, timeframe, span, at).bars

    def unreplaced(self, symbol: str, timeframe: str, span: TimeRange) -> Unreplaced | None:
        """Return the bars of a range, if none of them was replaced."""
        read = partial(self.read, symbol, timeframe, span)
        if self._versions is not None:
            return self._versions.unreplaced(symbol, timeframe, span, read)
        table = read()
        return Unreplaced(table, pa.nulls(len(table), pa.int64()))

    def restore(self, symbol: str, timeframe: str, versions: Versions) -> None:
        """Take in versions of another store, some thousands in each transaction."""
        table = as_table(versions.bars)
        spans = list(zip(versions.recorded, versions.replaced, strict=True))
        for start, part in upsert_parts(table):
            rows = checked(Grouped([symbol], [len(part)], part))
            what = f"restoring versions of bars of {symbol!r}"
            self._require(what, rows)
            given = spans[start : start + len(part)]
            recorded = _held_since(given) if is_for_copy(rows) else None
            write = Write(alone=True, restored=spans_of(given), recorded=recorded)
            self._writes.agreed(what, timeframe, rows, write)

    def corrected(self, since: int) -> list[tuple[str, str, TimeRange]]:
        """Return each series with versions that were replaced at or after an instant."""
        return [] if self._versions is None else self._versions.corrected(since)

    def prune(self, before: int) -> int:
        """Remove the versions that were replaced at or before an instant; return their number."""
        return prune(self._database, self._schema, BARS, before)

    def damaged_versions(self) -> Iterator[tuple[str, str]]:
        """Yield each series with damaged versions, and what is wrong with them."""
        return iter(()) if self._versions is None else self._versions.damaged()

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

    def inventory(self) -> Iterator[SeriesCoverage]:
        """Yield the extent of each series, by one statement."""
        span = [timestamptz(EARLIEST), timestamptz(LATEST)]
        for symbol, timeframe, *ends, count in self._database.rows(
            "reading the inventory", self._inventory, span
        ):
            first, last = (to_datetime(instant(each), aware=True) for each in ends)
            yield SeriesCoverage(symbol, timeframe, first, last, count)

    def coverage(self, symbol: str, timeframe: str) -> Coverage:
        """Return first and last date and the number of bars of a series."""
        count, first, last = self._extent([symbol], timeframe, _EVER)
        if not count:
            return Coverage(None, None, 0)
        return Coverage(to_datetime(first, aware=True), to_datetime(last, aware=True), count)

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
        statement = (
            "SELECT count(*), timestamptz_send(min(date)), timestamptz_send(max(date)) "
            + self._in_range
        )
        parameters = [symbols, timeframe, timestamptz(span.first), timestamptz(span.last)]
        ((count, first, last),) = self._database.rows("counting bars", statement, parameters)
        return (count, instant(first), instant(last)) if count else (0, 0, 0)


def _asked(question: Question) -> list[object]:
    span = timestamptz(question.span.first), timestamptz(question.span.last)
    return [question.symbols, question.timeframe, *span]


def _held_since(spans: Sequence[tuple[int | None, int | None]]) -> Timestamptz | None:
    """Return the instant at which all versions were recorded; None if they differ or one ended.

    Such versions have different dates, so they can be copied where the store has no rows.
    """
    (recorded, replaced), *others = {*spans}
    if others or replaced is not None:
        return None
    return BEFORE if recorded is None else timestamptz(recorded)
