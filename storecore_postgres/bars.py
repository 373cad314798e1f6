"""Bars: a row for each bar, keyed by (symbol, timeframe, date).

A read returns one row for each symbol, in which the server has concatenated the values of each
column, so no bar becomes a Python object. A few bars are upserted as arrays. Many new ones are
copied. All writers lock rows in the order of the key, so they cannot deadlock.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from functools import lru_cache, partial
from math import ceil
from typing import Any, NamedTuple, TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from storecore.bars.extra import EVERY, EXACT, extra_names
from storecore.bars.extra_values import FIELDS
from storecore.bars.groups import Grouped
from storecore.bars.rows import BarColumns
from storecore.bars.table import (
    DATE,
    EMPTY,
    PRICES,
    SERIES,
    as_table,
    instants_of,
    joined,
    series_table,
)
from storecore.knowledge.versions import Unreplaced, Versions
from storecore.reports import Coverage, SeriesCoverage
from storecore.store.collections import BarCollection
from storecore.values.timeframes import DAY, SECOND, timeframe_of
from storecore.values.times import EARLIEST, LATEST, TimeRange, to_datetime
from storecore_postgres.agreement import Agreement
from storecore_postgres.bar_versions import BarVersions, Shape, held_at
from storecore_postgres.database import Connection, Database, Refusal, Rows
from storecore_postgres.errors import KEY_TAKEN
from storecore_postgres.extra import TOKEN, ExtraColumns, Kinds, Known, Place, Stale, asked_of
from storecore_postgres.names import checked_length
from storecore_postgres.past import BARS, Past, limited, prune
from storecore_postgres.rows import symbols_statement
from storecore_postgres.schema.layouts import Distribution
from storecore_postgres.selection import KINDS_OF_MANY, KINDS_OF_ONE, Selection, empty_table
from storecore_postgres.wire import (
    BEFORE,
    COPY_END,
    COPY_HEAD,
    Timestamptz,
    TimestamptzArray,
    copy_rows,
    copy_rows_of,
    date_array,
    float_array,
    instant,
    repeated_texts,
    spans_of,
    timestamptz,
    value_array,
    whole_column,
)

ROW_BYTES = 320  # of a bar that is read, copied, sorted and returned: about six copies
_FURTHER_BYTES = 60  # of a value of a further column, beside the bytes of a text
_PAGE_ROWS = 1_000_000  # bars; the server returns at most 1 GB in a value
_PAGE_TEXTS = 20_000  # bars with texts, which may be long
_PAGE_VALUES = 100_000_000  # of all columns: a row of an answer has at most 1 GB, too
_PAGE_TEXT_VALUES = 2_000_000
_STREAMED_ROWS = 100_000  # bars
_COPY_FROM = 5_000  # bars; from here on COPY is faster, if each series has enough of them
_COPY_PER_SERIES = 50
_UPSERT_ROWS = 20_000  # bars in an upsert
_CENTURY = 36_525 * DAY
_EVER = TimeRange(EARLIEST, LATEST, aware=True)
_NUMBERS = tuple(SERIES.names[1:])
_SEVEN = frozenset(("symbol", *SERIES.names))
_ARRAYS = {
    "double": "float8[]",
    "int64": "int8[]",
    "bool": "bool[]",
    "string": "text[]",
    str(DATE): "timestamptz[]",
}
_DATES, _ONE_DATE = 2, 32  # the place of the dates among parameters, the size of one as an array
_COPIES = 6  # of a text that is read, as of a row
_Result = TypeVar("_Result")
Spans = tuple[TimestamptzArray, TimestamptzArray]
Named = list[tuple[str, pa.Table]]
SeriesKinds = dict[str, Kinds]
# Further columns that are not given become null. Nothing is written if another process has added
# one.
_UPSERT = """
INSERT INTO {schema}.bars
    (symbol, timeframe, date, open, high, low, close, volume, exact_volume{given})
SELECT symbol, %s, date, open, high, low, close, volume, exact_volume{given}
FROM unnest(
    %s::text[], %s::timestamptz[], %s::float8[], %s::float8[], %s::float8[], %s::float8[],
    %s::float8[], %s::int8[]{arrays}
) AS given (symbol, date, open, high, low, close, volume, exact_volume{given})
WHERE {unchanged}
ON CONFLICT (symbol, timeframe, date) DO UPDATE SET
    open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
    volume = excluded.volume, exact_volume = excluded.exact_volume{replaced}
"""
_COPY = """
COPY {schema}.bars (symbol, timeframe, date, open, high, low, close, volume{given}{recorded})
FROM STDIN (FORMAT binary)
"""
_ANY = """
SELECT EXISTS (
    SELECT 1 FROM {schema}.bars
    WHERE symbol = ANY(%s::text[]) AND timeframe = %s AND date BETWEEN %s AND %s
)
"""
_THESE = """
FROM {schema}.bars WHERE symbol = %s AND timeframe = %s AND date BETWEEN %s AND %s"""
_IN_RANGE = """
FROM {schema}.bars
WHERE symbol = ANY(%s::text[]) AND timeframe = %s AND date BETWEEN %s AND %s"""
_ALL_OF = "FROM {schema}.bars WHERE symbol = ANY(%s::text[]) AND timeframe = %s"
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
_WIDEN = """
UPDATE {schema}.bars SET {floats} = {wholes}, {wholes} = NULL
WHERE symbol = %s AND timeframe = %s AND {wholes} IS NOT NULL
"""


class _Rows(NamedTuple):
    """The rows of a write, and the values of their further columns by quoted column.

    `recorded` is the instant of a write of several statements.
    """

    grouped: Grouped
    further: dict[str, pa.ChunkedArray]
    recorded: Timestamptz | None = None

    @property
    def table(self) -> pa.Table:
        """The rows without their further columns."""
        return self.grouped.table

    @property
    def is_plain(self) -> bool:
        """Whether all values are numbers, and none is null."""
        return not (self.further or self.table["volume"].null_count)

    def parameters(self, timeframe: str, start: int) -> list[Any]:
        """Return some rows as the parameters of an upsert."""
        table = self.table
        if len(table) > _UPSERT_ROWS:
            table = table.slice(start, _UPSERT_ROWS)
        volume = table["volume"]
        is_seven = table.num_columns == len(SERIES)  # to list the names takes longer
        return [
            timeframe,
            *([] if self.recorded is None else [self.recorded]),
            repeated_texts(_runs(self.grouped, start, start + len(table))),
            date_array(table["date"]),
            *(float_array(table[name]) for name in PRICES),
            value_array(volume) if volume.null_count else float_array(volume),
            None if is_seven or EXACT not in table.column_names else table[EXACT].to_pylist(),
            *(value_array(each.slice(start, len(table))) for each in self.further.values()),
        ]

    def keys(self) -> list[Any]:
        """Return the symbol and the date of each row as two arrays."""
        return [
            repeated_texts(_runs(self.grouped, 0, len(self.table))),
            date_array(self.table["date"]),
        ]

    def copied(self, timeframe: str) -> Iterator[bytes]:
        """Yield the rows of each series for COPY."""
        start = 0
        for symbol, table in self.grouped.series():
            columns = [table[name] for name in SERIES.names]
            if self.is_plain:
                yield copy_rows((symbol, timeframe), *columns, recorded=self.recorded)
            else:
                columns += [each.slice(start, len(table)) for each in self.further.values()]
                yield copy_rows_of((symbol, timeframe), columns, self.recorded)
            start += len(table)


class _Question(NamedTuple):
    """Series, a range of dates and the columns asked for.

    With `at`, it is about what was held at that instant of recording.
    """

    symbols: list[str]
    timeframe: str
    span: TimeRange
    columns: tuple[str, ...]
    at: int | None = None

    @property
    def is_one(self) -> bool:
        """Whether it is about one symbol."""
        return len(self.symbols) == 1

    @property
    def subject(self) -> tuple[str, str, int]:
        """The series, as far as needed to recognize the question when it is asked again."""
        return self.timeframe, self.symbols[0], len(self.symbols)

    @property
    def most_bars(self) -> int:
        """How many bars are expected at most: one for each step of a century."""
        length = timeframe_of(self.timeframe)
        step = SECOND if length is None else length.micros
        width = min(self.span.last - self.span.first, _CENTURY)
        return len(self.symbols) * (width // step + 1)

    @property
    def asks_further(self) -> bool:
        """Whether it asks for columns beyond the seven."""
        return not _SEVEN.issuperset(self.columns)


class _Found(NamedTuple):
    """Series tables with rows, by symbol, and the types of the further columns of all series."""

    tables: Named
    kinds: SeriesKinds

    @property
    def size(self) -> int:
        """The number of bars."""
        return sum(len(table) for _, table in self.tables)

    def with_page(self, page: _Found) -> _Found:
        """Return this with a later page."""
        return _Found(self.tables + page.tables, self.kinds | page.kinds)


class _Write(Struct):
    """How a write of rows with further columns is attempted.

    `restored` are the instants of rows that are versions of another store, `recorded` the one of
    all if they are held and share it.
    """

    alone: bool = False
    copies: bool = False
    replaces: bool = False
    restored: Spans | None = None
    recorded: Timestamptz | None = None

    def be_alone(self) -> None:
        """Lock out other writers of further columns in the next attempt."""
        self.alone = True

    def upsert(self) -> None:
        """Do not copy in the next attempt."""
        self.copies = False


_Remedy = Callable[[], None]
"""What is done before another attempt."""


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
        self._last: dict[tuple[str, str], int] = {}
        self._is_short: dict[tuple[str, str, int], bool] = {}
        self._schema = schema
        self._extra = extra
        self._has_lateral = distribution == "none"
        # A plan for any symbol may take a hypertable's own index on the date, and pass over the
        # bars of all other symbols.
        self._newest_rows: Rows = partial(
            database.rows, prepare=False if distribution == "timescale" else None
        )
        self._moves_rows = distribution == "citus"
        self._symbols = symbols_statement(schema, "bars", distribution)
        self._any, self._these, self._in_range, self._all_of, self._inventory = (
            each.format(schema=schema) for each in (_ANY, _THESE, _IN_RANGE, _ALL_OF, _INVENTORY)
        )
        self._token, self._kinds_of_one, self._kinds_of_many = (
            each.format(schema=schema) for each in (TOKEN, KINDS_OF_ONE, KINDS_OF_MANY)
        )

    def write(self, symbol: str, timeframe: str, columns: BarColumns) -> None:
        """Insert or replace bars; they are committed when this returns."""
        table = series_table(columns)
        self.write_many(timeframe, Grouped([symbol], [len(table)], table))

    def write_many(self, timeframe: str, batch: Grouped) -> None:
        """Insert or replace bars, all or none. A few thousand cost one round trip."""
        if not len(batch.table):
            return
        rows = _checked(batch)
        what = _what(rows)
        self._require(what, rows)
        if _has_further(rows.table):
            self._write_agreed(what, timeframe, rows, _Write(copies=_is_for_copy(rows)))
            return
        given, copies = _Rows(rows, {}), _is_for_copy(rows)
        if copies and self._database.retry(what, self._copied(timeframe, given)):
            return
        if self._versions is not None and len(rows.table) <= _UPSERT_ROWS:
            self._write_versions(what, timeframe, given, self._versions, may_be_new=not copies)
            return
        while not self._upserted(what, timeframe, given):
            self._extra.reload()

    def replace(self, timeframe: str, batch: Grouped) -> None:
        """Replace whole series, all or none, in one transaction."""
        rows = _checked(batch)
        what = _what(rows)
        self._require(what, rows)
        write = _Write(alone=True, copies=_is_for_copy(rows), replaces=True)
        self._write_agreed(what, timeframe, rows, write)

    def _require(self, what: str, rows: Grouped) -> None:
        """Change the tables of an earlier release if the rows need it."""
        if rows.table["volume"].null_count:
            self._extra.version.require(what)
        if _has_further(rows.table):
            self._extra.version.complete(what)

    def _upserted(self, what: str, timeframe: str, given: _Rows) -> bool:
        """Upsert rows; return False, and do nothing, if columns were added meanwhile."""
        known = self._extra.now
        is_one = len(given.table) <= _UPSERT_ROWS

        def put(connection: Connection) -> bool:
            # A single statement is its own transaction, in one round trip.
            with nullcontext() if is_one else connection.transaction():
                rows = given if is_one else self._timed(connection, given)
                return self._put(connection, *self._upsert(timeframe, rows, known), known)

        return self._database.retry(what, put)

    def _write_versions(
        self, what: str, timeframe: str, given: _Rows, versions: BarVersions, *, may_be_new: bool
    ) -> None:
        """Insert rows if none exists, or else upsert them, in one round trip if that was right.

        An insert takes less than an upsert that keeps versions. It is not tried for bars that are
        not later than those of the series that this process knows: some may exist.
        """
        names, parameters = given.grouped.names, given.parameters(timeframe, 0)
        ends = self._ends(timeframe, given, parameters[_DATES].content)
        series: list[str] = []
        if may_be_new and ends is not None:
            statement = versions.insert(_shape(given, self._extra.now), is_one=ends == ())
            asked = [*parameters, names, timeframe, *ends] if ends else parameters
            if self._database.retry(what, lambda each: _inserted(each, statement, asked)):
                return
            series = [*names, timeframe] if len(names) == 1 else []
        newest = self._upsert_versions(what, given, versions, parameters, series)
        if newest is not None:
            self._know(names[0], timeframe, instant(newest))

    def _upsert_versions(
        self,
        what: str,
        given: _Rows,
        versions: BarVersions,
        parameters: list[Any],
        series: list[str],
    ) -> bytes | None:
        """Upsert rows; return the last date that a series had, if one is given.

        With it the next correction of the series begins with the upsert.
        """
        while True:
            shape = _shape(given, self._extra.now)
            statement = versions.upsert(shape, seeks_newest=bool(series))
            ((is_written, *found),) = self._database.rows(what, statement, [*parameters, *series])
            if is_written:
                return found[0] if series else None
            self._extra.reload()

    def _ends(self, timeframe: str, given: _Rows, dates: bytes) -> tuple[Timestamptz, ...] | None:
        """Return the first and last date of rows; none for one row, None if some may exist.

        `dates` are those of the rows as an array.
        """
        names, is_one = given.grouped.names, len(dates) == _ONE_DATE
        if len(names) > 1:
            every = instants_of(given.table)
            return timestamptz(min(every)), timestamptz(max(every))
        first, last = dates[_ONE_DATE - 8 : _ONE_DATE], dates[-8:]  # a series is sorted by date
        if instant(first) <= self._know(names[0], timeframe, instant(last)):
            return None
        return () if is_one else (Timestamptz(first), Timestamptz(last))

    def _know(self, symbol: str, timeframe: str, date: int) -> int:
        """Note a date of a series; return the last one that was known before."""
        series = symbol, timeframe
        before = self._last.get(series, EARLIEST - 1)
        self._last[series] = max(before, date)
        return before

    def _timed(self, connection: Connection, given: _Rows, *, alone: bool = False) -> _Rows:
        """Return rows with the instant of their transaction, if versions are kept.

        `alone` is for a transaction that deletes rows.
        """
        if self._versions is None or given.recorded is not None:
            return given
        recording = self._versions.recording
        recording.lock(connection, BARS.name, alone=alone)
        return given._replace(recorded=recording.tick(connection))

    def _put(
        self, connection: Connection, statement: str, batches: list[list[Any]], known: Known
    ) -> bool:
        """Upsert rows; return False, and do nothing, if columns were added meanwhile."""
        if self._versions is not None:
            answers = [connection.execute(statement, each).fetchall() for each in batches]
            return all(answer[0][0] for answer in answers)
        counts = [connection.execute(statement, each).rowcount for each in batches]
        return min(counts) > 0 or self._extra.is_current(connection, known)

    def _upsert(self, timeframe: str, given: _Rows, known: Known) -> tuple[str, list[list[Any]]]:
        """Return an upsert that depends on the known columns, and its batches of parameters."""
        shape = _shape(given, known)
        if self._versions is not None:
            statement = self._versions.upsert(shape)
        else:
            statement = _upsert_statement(self._schema, known.unchanged, *shape[:3])
        starts = range(0, len(given.table), _UPSERT_ROWS)
        return statement, [given.parameters(timeframe, start) for start in starts]

    def _copied(self, timeframe: str, given: _Rows) -> Callable[[Connection], bool]:
        """Return work that copies bars into the table; it returns False if some exist already."""

        def copied(connection: Connection) -> bool:
            try:
                # With versions the instant is taken first, in the same transaction.
                with nullcontext() if self._versions is None else connection.transaction():
                    return self._copy_new(connection, timeframe, given)
            except KEY_TAKEN:  # by another writer; the upsert raises if it was another error
                return False

        return copied

    def _copy_new(self, connection: Connection, timeframe: str, given: _Rows) -> bool:
        """Copy rows, unless some exist already."""
        ends = pc.min_max(given.table["date"].cast(pa.int64())).as_py()
        asked = [given.grouped.names, timeframe, *map(timestamptz, (ends["min"], ends["max"]))]
        ((there,),) = connection.execute(self._any, asked).fetchall()
        if not there:
            self._copy_rows(connection, timeframe, self._timed(connection, given))
        return not there

    def _copy_rows(self, connection: Connection, timeframe: str, given: _Rows) -> None:
        recorded = "" if given.recorded is None else ", recorded"
        statement = _COPY.format(
            schema=self._schema, given=_listed(given.further), recorded=recorded
        )
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(COPY_HEAD)
            for rows in given.copied(timeframe):
                copy.write(rows)
            copy.write(COPY_END)

    # Writes of further columns: the types of the series are agreed on in their transaction.

    def _write_agreed(self, what: str, timeframe: str, rows: Grouped, write: _Write) -> None:
        def attempt(connection: Connection) -> _Remedy | None:
            # Not psycopg's transaction block: while it rolls back it swallows what a signal handler
            # raises.
            connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            try:
                remedy = self._attempt(connection, what, timeframe, rows, write)
            except KEY_TAKEN:  # by another writer
                if not write.copies:
                    raise
                remedy = write.upsert
            connection.execute("COMMIT" if remedy is None else "ROLLBACK")
            return remedy

        while remedy := self._database.retry(what, attempt):
            remedy()

    def _attempt(
        self, connection: Connection, what: str, timeframe: str, rows: Grouped, write: _Write
    ) -> _Remedy | None:
        """Write rows; return what to do before another attempt if that is not possible now."""
        known = self._extra.now
        self._extra.lock(connection, alone=write.alone)
        if write.replaces and not self._extra.is_current(connection, known):
            return self._extra.reload
        stored = {} if write.replaces else self._extra.kinds(connection, timeframe, rows.names)
        agreement = Agreement(rows, stored)
        if agreement.needs_lock and not write.alone:
            return write.be_alone
        agreement.settle(lambda *series: self._whole_numbers(connection, timeframe, *series))
        if agreement.error is not None:
            return partial(_raise, agreement.error)
        if missing := [each for each in agreement.places() if each not in known.places]:
            return partial(self._extra.ensure, what, missing)
        given = _Rows(rows, {})
        if write.replaces or len(rows.table) > _UPSERT_ROWS:
            given = self._timed(connection, given, alone=write.replaces)
        if write.replaces:
            self._delete_series(connection, timeframe, given, known)
        for symbol, name in agreement.widened:
            self._widen(connection, timeframe, symbol, name)
        self._extra.put(connection, timeframe, agreement.changed)
        further = {known.place(each): agreement.column(each) for each in agreement.places()}
        given = given._replace(further=further)
        if write.restored is not None:
            given = given._replace(recorded=write.recorded)
            self._restore(connection, timeframe, given, known, write.restored)
            return None if self._extra.is_current(connection, known) else self._extra.reload
        if write.copies and self._copy_new(connection, timeframe, given):
            return None
        is_put = self._put(connection, *self._upsert(timeframe, given, known), known)
        return None if is_put else self._extra.reload

    def _restore(
        self, connection: Connection, timeframe: str, given: _Rows, known: Known, spans: Spans
    ) -> None:
        versions = cast(BarVersions, self._versions)  # `Unrecorded` has refused
        versions.recording.lock(connection, BARS.name, alone=True)
        if given.recorded is None or not self._copy_new(connection, timeframe, given):
            given = given._replace(recorded=None)
            for statement in versions.restore(_shape(given, known)):
                connection.execute(statement, [*given.parameters(timeframe, 0), *spans])
        if known.token is not None:
            self._extra.forget(connection, timeframe, given.grouped.names, if_empty=True)

    def _whole_numbers(
        self, connection: Connection, timeframe: str, symbol: str, name: str
    ) -> list[pa.Array]:
        """Return the stored values of a column of whole numbers."""
        place = self._extra.now.place((name, "int64"))
        statement = f"SELECT string_agg(int8send({place}), '') {self._all_of}"
        cursor = connection.execute(statement, [[symbol], timeframe], binary=True)
        ((sent,),) = cursor.fetchall()
        return [whole_column(sent or b"")]

    def _widen(self, connection: Connection, timeframe: str, symbol: str, name: str) -> None:
        """Turn the whole numbers of a column into floats, in the column of floats."""
        wholes, floats = (self._extra.now.place((name, kind)) for kind in ("int64", "float64"))
        statement = _WIDEN.format(schema=self._schema, wholes=wholes, floats=floats)
        connection.execute(statement, [symbol, timeframe])

    def _delete_series(
        self, connection: Connection, timeframe: str, given: _Rows, known: Known
    ) -> None:
        """Delete series that are replaced; with versions, only the bars that are not given."""
        symbols = given.grouped.names
        if self._versions is None or given.recorded is None:
            connection.execute(f"DELETE {self._all_of}", [symbols, timeframe])
        else:
            keys = given.keys()
            self._versions.delete_others(connection, timeframe, symbols, keys, given.recorded)
        if known.token is not None:
            self._extra.forget(connection, timeframe, symbols)

    # Reads.

    def extra_kinds(self, symbol: str, timeframe: str) -> Kinds:
        """Return the types of the further columns of a series."""
        return self._extra.read_kinds(timeframe, [symbol]).get(symbol, {})

    def read(self, symbol: str, timeframe: str, span: TimeRange) -> pa.Table:
        """Return the bars of a range, sorted by date."""
        found = self.read_many([symbol], timeframe, span, (*_NUMBERS, EVERY))
        return found[0][1] if found else EMPTY

    def read_many(
        self, symbols: list[str], timeframe: str, span: TimeRange, columns: Iterable[str]
    ) -> Named:
        """Return a series table for each symbol that has bars, sorted by symbol.

        So is a table without rows for a series that has further columns, but no bars in the range.
        """
        question = _Question(symbols, timeframe, span, tuple(columns))
        return self._current(question, self._answer)

    def _current(self, question: _Question, read: Callable[[_Question], _Result]) -> _Result:
        """Read until no further column is missing."""
        while True:
            try:
                return read(question)
            except Stale as stale:
                self._extra.learn(question.timeframe, stale.kinds)

    def _answer(self, question: _Question) -> Named:
        selection = self._selection(question)
        newest = question.span.newest
        if newest is not None and newest <= selection.page:
            found = self._newest(question, selection, newest)
        else:
            found = self._all(question, selection)
        return found.tables + (self._without_rows(question, found) if question.asks_further else [])

    def _all(self, question: _Question, selection: Selection) -> _Found:
        """Return all bars of an answer.

        A transaction takes two more round trips. So an answer that should be less than a page is
        read without one, and read again if it is not.
        """
        if not self._may_fill(question, selection.page):
            found = self._page(self._database.rows, question, selection)
            if found.size < selection.page:
                return found
        found = self._in_pages(question, selection)
        self._is_short[question.subject] = found.size < selection.page // 2
        return found

    def _may_fill(self, question: _Question, page: int) -> bool:
        """Return whether an answer may fill a page: by its range, and by the last such answer."""
        return question.most_bars >= page and not self._is_short.get(question.subject)

    def _in_pages(self, question: _Question, selection: Selection) -> _Found:
        """Return all bars of an answer by one snapshot: a series is read as a whole, old or new."""

        def read(rows: Rows) -> _Found | Stale:
            try:
                return self._pages(rows, question, selection)
            except Stale as stale:  # an exception would cost the connection
                return stale

        found = self._database.snapshot("reading bars", read)
        if isinstance(found, Stale):
            raise found
        return found

    def _selection(self, question: _Question) -> Selection:
        numbers = tuple(name for name in _NUMBERS if name in question.columns)
        if not question.asks_further:
            return Selection(numbers, {}, _PAGE_ROWS)
        known = self._extra.now
        seen = self._extra.places_of(question.timeframe, question.symbols, question.columns)
        further = {place: known.place(place) for place in sorted(seen)}
        return Selection(numbers, further, _page_size(further))

    def _probe(self, question: _Question) -> str:
        """Return SQL that tells which further columns the series have; empty: do not ask."""
        if question.at is not None:
            return self._token
        if not question.asks_further:
            return ""
        if not self._extra.version.is_complete:
            return self._token
        return self._kinds_of_one if question.is_one else self._kinds_of_many

    def _without_rows(self, question: _Question, found: _Found) -> Named:
        """Return tables without rows for series that have further columns."""
        kinds = found.kinds
        if not found.tables and not question.is_one:
            kinds = self._extra.read_kinds(question.timeframe, question.symbols)
        with_rows = {symbol for symbol, _ in found.tables}
        return [
            (symbol, empty_table(asked_of(each, question.columns)))
            for symbol, each in sorted(kinds.items())
            if symbol not in with_rows
        ]

    def _newest(self, question: _Question, selection: Selection, newest: int) -> _Found:
        """Return the newest bars of each symbol."""
        symbols, size = question.symbols, selection.page // newest if self._has_lateral else 1
        parts = [symbols[start : start + size] for start in range(0, len(symbols), size)]
        found = _Found([], {})
        for part in parts:
            asked = question._replace(symbols=part)
            found = found.with_page(self._page(self._newest_rows, asked, selection, newest))
        return found

    def _pages(self, rows: Rows, question: _Question, selection: Selection) -> _Found:
        """Return all pages of an answer."""
        found = _Found([], {})
        while question.symbols:
            page = self._page(rows, question, selection)
            found = found.with_page(page)
            if page.size < selection.page:
                break
            last, table = found.tables.pop()  # the page may have cut it
            rest = question.span._replace(first=instants_of(table)[-1] + 1)
            more = self._pages(rows, question._replace(symbols=[last], span=rest), selection)
            found.tables.append((last, joined([table, *(each for _, each in more.tables)])))
            later = question.symbols[bisect_right(question.symbols, last) :]
            question = question._replace(symbols=later)
        return found

    def _page(
        self,
        rows: Rows,
        question: _Question,
        selection: Selection,
        newest: int | None = None,
    ) -> _Found:
        """Return one page of bars. Raises `Stale` if its series have columns not selected."""
        is_one = question.is_one
        complete = self._extra.version.is_complete and question.at is None
        probe, limit = self._probe(question), newest or selection.page
        statement = selection.statement(
            self._schema, probe, limit, many=not is_one, newest=newest is not None
        )
        subject: object = question.symbols[0] if is_one else question.symbols
        series = [subject, question.timeframe]
        span = [timestamptz(question.span.first), timestamptz(question.span.last)]
        if question.at is not None:
            statement = held_at(self._schema, statement)
            series = [*[timestamptz(question.at)] * 3, *series]
        probed = series if probe and complete else []
        sent = rows("reading bars", statement, [*probed, *series, *span])
        if is_one:
            sent = [(*row, subject) for row in sent]
        kinds = _kinds_stated(sent, question, complete) if probe else {}
        tables = []
        for *row, symbol in sent:
            places = set(asked_of(kinds.get(symbol, {}), question.columns))
            if not places <= selection.further.keys():
                raise Stale(kinds)
            if row[0] is not None:
                tables.append((symbol, selection.table(row, places)))
        return _Found(tables, kinds)

    def stream(
        self,
        symbols: list[str],
        timeframe: str,
        span: TimeRange,
        columns: Iterable[str],
        max_bytes: int,
    ) -> Iterator[Named]:
        """Yield series tables of consecutive time windows, those of one symbol page by page."""
        question = _Question(symbols, timeframe, span, tuple(columns))
        max_rows = max(1, max_bytes // self._row_bytes(question))
        if question.is_one:
            yield from self._stream_one(question, max_rows)
            return
        for window in self._windows(symbols, timeframe, span, max_rows):
            yield self.read_many(symbols, timeframe, window, columns)

    def pages(self, symbol: str, timeframe: str) -> Iterator[pa.Table]:
        """Yield all bars of a series by date, some at a time.

        Each page sees what is written until it is read.
        """
        question = _Question([symbol], timeframe, _EVER, (*_NUMBERS, EVERY))
        for found in self._stream_one(question, _STREAMED_ROWS):
            yield from (table for _, table in found)

    def _stream_one(self, question: _Question, max_rows: int) -> Iterator[Named]:
        """Yield the bars of one symbol; each page begins after the last one, without a count."""

        def page(question: _Question) -> tuple[_Found, bool]:
            selection = self._selection(question)
            selection = selection._replace(page=min(max_rows, selection.page))
            found = self._page(self._database.rows, question, selection)
            return found, found.size == selection.page

        is_full = True
        while is_full:
            found, is_full = self._current(question, page)
            if found.size:
                yield found.tables
                first = instants_of(found.tables[0][1])[-1] + 1
                question = question._replace(span=question.span._replace(first=first))

    def _row_bytes(self, question: _Question) -> int:
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
            statement = _MOVE.format(schema=self._schema, further=_listed(known.places.values()))
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
            question = _Question([symbol], timeframe, span, _NUMBERS, at)
            with suppress(Stale):  # another process has added a column
                return next((table for _, table in self._answer(question)), EMPTY)
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
        for start in range(0, len(table), _UPSERT_ROWS):
            part = table.slice(start, _UPSERT_ROWS)
            rows = _checked(Grouped([symbol], [len(part)], part))
            what = f"restoring versions of bars of {symbol!r}"
            self._require(what, rows)
            given = spans[start : start + _UPSERT_ROWS]
            recorded = _held_since(given) if _is_for_copy(rows) else None
            write = _Write(alone=True, restored=spans_of(given), recorded=recorded)
            self._write_agreed(what, timeframe, rows, write)

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


def _page_size(further: Collection[Place]) -> int:
    """Return the number of bars in a page."""
    rows = min(_PAGE_ROWS, _PAGE_VALUES // (len(FIELDS) + len(further)))
    texts = sum(kind == "string" for _, kind in further)
    return min(rows, _PAGE_TEXTS, _PAGE_TEXT_VALUES // texts) if texts else rows


def _kinds_stated(sent: list[tuple[Any, ...]], question: _Question, complete: bool) -> SeriesKinds:
    """Return the types of the further columns of the series of a page.

    Raises `Stale` if a store of an earlier release has such columns by now.
    """
    stated = sent[0][-2] if sent else None
    if stated is None:
        return {}
    if not complete:
        raise Stale
    found = json.loads(stated)
    return {question.symbols[0]: found} if question.is_one else found


def _inserted(connection: Connection, statement: str, parameters: list[Any]) -> bool:
    try:
        return connection.execute(statement, parameters).rowcount > 0
    except KEY_TAKEN:  # by another writer; the upsert raises if it was another error
        return False


def _shape(given: _Rows, known: Known) -> Shape:
    arrays = tuple(_ARRAYS[str(each.type)] for each in given.further.values())
    places = tuple(known.places.values())
    return Shape(
        given=tuple(given.further),
        arrays=arrays,
        known=places,
        unchanged=known.unchanged,
        has_instant=given.recorded is not None,
        limit=limited(len(given.table)),
    )


def _asked(question: _Question) -> list[object]:
    span = timestamptz(question.span.first), timestamptz(question.span.last)
    return [question.symbols, question.timeframe, *span]


def _checked(batch: Grouped) -> Grouped:
    """Return a batch in order, if its symbols are not too long."""
    for symbol in batch.names:
        checked_length(symbol, "table.symbol")
    return batch.in_order()


def _what(rows: Grouped) -> str:
    what = f"writing bars of {rows.names[0]!r}"
    return f"{what} and {len(rows.names) - 1} others" if len(rows.names) > 1 else what


@lru_cache(maxsize=256)
def _upsert_statement(
    schema: str,
    unchanged: str,
    given: tuple[str, ...],
    arrays: tuple[str, ...],
    known: tuple[str, ...],
) -> str:
    return _UPSERT.format(
        schema=schema,
        unchanged=unchanged,
        given=_listed(given),
        arrays=_listed(f"%s::{each}" for each in arrays),
        replaced=_listed(f"{each} = excluded.{each}" for each in known),
    )


def _has_further(table: pa.Table) -> bool:
    return table.num_columns > len(SERIES) and bool(extra_names(table.column_names))


def _listed(columns: Iterable[str]) -> str:
    """Return columns as the rest of a list in SQL."""
    return "".join(f", {each}" for each in columns)


def _raise(error: Exception) -> None:
    raise error


def _is_for_copy(rows: Grouped) -> bool:
    many = len(rows.table) >= max(_COPY_FROM, _COPY_PER_SERIES * len(rows.names))
    return many and EXACT not in rows.table.column_names


def _runs(rows: Grouped, start: int, stop: int) -> Iterator[tuple[str, int]]:
    """Yield the symbols of a slice of rows, each with the number of its rows."""
    some = slice(bisect_right(rows.ends, start), bisect_left(rows.ends, stop) + 1)
    for name, end in zip(rows.names[some], rows.ends[some], strict=True):
        yield name, min(end, stop) - start
        start = end


def _held_since(spans: Sequence[tuple[int | None, int | None]]) -> Timestamptz | None:
    """Return the instant at which all versions were recorded; None if they differ or one ended.

    Such versions have different dates, so they can be copied where the store has no rows.
    """
    (recorded, replaced), *others = {*spans}
    if others or replaced is not None:
        return None
    return BEFORE if recorded is None else timestamptz(recorded)
