"""Writes of bars: upserts, COPY, and the types of further columns.

A few bars are upserted as arrays. Many new ones are copied. All writers lock rows in the order of
the key, so they cannot deadlock.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import lru_cache, partial
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from storecore.bars.groups import Grouped
from storecore.bars.table import DATE, instants_of
from storecore.values.times import EARLIEST
from storecore_postgres.agreement import Agreement
from storecore_postgres.bar_rows import GivenRows, is_for_copy, is_one_upsert, upsert_parts
from storecore_postgres.bar_versions import BarVersions, Shape, listed
from storecore_postgres.database import Connection, Database
from storecore_postgres.errors import KEY_TAKEN
from storecore_postgres.extra import ExtraColumns, Known
from storecore_postgres.past import BARS, limited
from storecore_postgres.wire import (
    COPY_END,
    COPY_HEAD,
    Timestamptz,
    TimestamptzArray,
    instant,
    timestamptz,
    whole_column,
)

_ARRAYS = {
    "double": "float8[]",
    "int64": "int8[]",
    "bool": "bool[]",
    "string": "text[]",
    str(DATE): "timestamptz[]",
}
_DATES, _ONE_DATE = 2, 32  # the place of the dates among parameters, the size of one as an array
Spans = tuple[TimestamptzArray, TimestamptzArray]
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
_ALL_OF = "FROM {schema}.bars WHERE symbol = ANY(%s::text[]) AND timeframe = %s"
_WIDEN = """
UPDATE {schema}.bars SET {floats} = {wholes}, {wholes} = NULL
WHERE symbol = %s AND timeframe = %s AND {wholes} IS NOT NULL
"""


class Write(Struct):
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


class Writes:
    """Writes the bars of a store."""

    def __init__(
        self, database: Database, schema: str, extra: ExtraColumns, versions: BarVersions | None
    ) -> None:
        self._database = database
        self._schema = schema
        self._extra = extra
        self._versions = versions
        self._last: dict[tuple[str, str], int] = {}
        self._any, self._all_of = (each.format(schema=schema) for each in (_ANY, _ALL_OF))

    def plain(self, what: str, timeframe: str, rows: Grouped) -> None:
        """Insert or replace bars without further columns, all or none."""
        given, copies = GivenRows(rows, {}), is_for_copy(rows)
        if copies and self._database.retry(what, self._copied(timeframe, given)):
            return
        if self._versions is not None and is_one_upsert(rows):
            self._write_versions(what, timeframe, given, self._versions, may_be_new=not copies)
            return
        while not self._upserted(what, timeframe, given):
            self._extra.reload()

    def _upserted(self, what: str, timeframe: str, given: GivenRows) -> bool:
        """Upsert rows; return False, and do nothing, if columns were added meanwhile."""
        known = self._extra.now
        is_one = is_one_upsert(given.grouped)

        def put(connection: Connection) -> bool:
            # A single statement is its own transaction, in one round trip.
            with nullcontext() if is_one else connection.transaction():
                rows = given if is_one else self._timed(connection, given)
                return self._put(connection, *self._upsert(timeframe, rows, known), known)

        return self._database.retry(what, put)

    def _write_versions(
        self,
        what: str,
        timeframe: str,
        given: GivenRows,
        versions: BarVersions,
        *,
        may_be_new: bool,
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
        given: GivenRows,
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

    def _ends(
        self, timeframe: str, given: GivenRows, dates: bytes
    ) -> tuple[Timestamptz, ...] | None:
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

    def _timed(self, connection: Connection, given: GivenRows, *, alone: bool = False) -> GivenRows:
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

    def _upsert(
        self, timeframe: str, given: GivenRows, known: Known
    ) -> tuple[str, list[list[Any]]]:
        """Return an upsert that depends on the known columns, and its batches of parameters."""
        shape = _shape(given, known)
        if self._versions is not None:
            statement = self._versions.upsert(shape)
        else:
            statement = _upsert_statement(self._schema, known.unchanged, *shape[:3])
        starts = (start for start, _ in upsert_parts(given.table))
        return statement, [given.parameters(timeframe, start) for start in starts]

    def _copied(self, timeframe: str, given: GivenRows) -> Callable[[Connection], bool]:
        """Return work that copies bars into the table; it returns False if some exist already."""

        def copied(connection: Connection) -> bool:
            try:
                # With versions the instant is taken first, in the same transaction.
                with nullcontext() if self._versions is None else connection.transaction():
                    return self._copy_new(connection, timeframe, given)
            except KEY_TAKEN:  # by another writer; the upsert raises if it was another error
                return False

        return copied

    def _copy_new(self, connection: Connection, timeframe: str, given: GivenRows) -> bool:
        """Copy rows, unless some exist already."""
        ends = pc.min_max(given.table["date"].cast(pa.int64())).as_py()
        asked = [given.grouped.names, timeframe, *map(timestamptz, (ends["min"], ends["max"]))]
        ((there,),) = connection.execute(self._any, asked).fetchall()
        if not there:
            self._copy_rows(connection, timeframe, self._timed(connection, given))
        return not there

    def _copy_rows(self, connection: Connection, timeframe: str, given: GivenRows) -> None:
        recorded = "" if given.recorded is None else ", recorded"
        statement = _COPY.format(
            schema=self._schema, given=listed(given.further), recorded=recorded
        )
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(COPY_HEAD)
            for rows in given.copied(timeframe):
                copy.write(rows)
            copy.write(COPY_END)

    # Writes of further columns: the types of the series are agreed on in their transaction.

    def agreed(self, what: str, timeframe: str, rows: Grouped, write: Write) -> None:
        """Write bars with further columns, whole series, or versions of another store."""

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
        self, connection: Connection, what: str, timeframe: str, rows: Grouped, write: Write
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
        given = GivenRows(rows, {})
        if write.replaces or not is_one_upsert(rows):
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
        self, connection: Connection, timeframe: str, given: GivenRows, known: Known, spans: Spans
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
        self, connection: Connection, timeframe: str, given: GivenRows, known: Known
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


def _inserted(connection: Connection, statement: str, parameters: list[Any]) -> bool:
    try:
        return connection.execute(statement, parameters).rowcount > 0
    except KEY_TAKEN:  # by another writer; the upsert raises if it was another error
        return False


def _shape(given: GivenRows, known: Known) -> Shape:
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
        given=listed(given),
        arrays=listed(f"%s::{each}" for each in arrays),
        replaced=listed(f"{each} = excluded.{each}" for each in known),
    )


def _raise(error: Exception) -> None:
    raise error
