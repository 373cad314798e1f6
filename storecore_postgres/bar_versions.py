"""The versions of bars: the statements that write them, and questions about them (law K1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa
from psycopg import sql

from storecore.bars.extra_values import Extra, as_floats
from storecore.bars.rows import BarColumns
from storecore.knowledge.versions import Unreplaced, Versions
from storecore.values.times import LATEST, TimeRange, to_datetime
from storecore_postgres.database import Connection, Database
from storecore_postgres.extra import TOKEN, ExtraColumns, Place
from storecore_postgres.past import BARS, GIVEN, Past, Table
from storecore_postgres.wire import BEFORE, Timestamptz, instant, moment, moment_column, timestamptz

_GIVEN_ROWS = """
    SELECT symbol, %s, date, open, high, low, close, volume, exact_volume{further}, {instant}
    FROM unnest(
        %s::text[], %s::timestamptz[], %s::float8[], %s::float8[], %s::float8[], %s::float8[],
        %s::float8[], %s::int8[]{arrays}
    ) AS given (symbol, date, open, high, low, close, volume, exact_volume{given})
    WHERE {unchanged}"""
_INSERT = "INSERT INTO {schema}.bars ({columns}, recorded) {given} {unless}"
_IF_NEW = "ON CONFLICT (symbol, timeframe, date) DO NOTHING"
_IF_ALL_NEW = """AND NOT EXISTS (
    SELECT 1 FROM {schema}.bars
    WHERE symbol = ANY(%s::text[]) AND timeframe = %s AND date BETWEEN %s AND %s
)"""
_NEWEST = """, (
    SELECT timestamptz_send(max(date)) FROM {schema}.bars WHERE symbol = %s AND timeframe = %s
)"""
_NOT_GIVEN = """
WHERE symbol = ANY(%s::text[]) AND timeframe = %s AND NOT EXISTS (
    SELECT 1 FROM unnest(%s::text[], %s::timestamptz[]) AS given (symbol, date)
    WHERE given.symbol = bars.symbol COLLATE "C" AND given.date = bars.date
)"""
_VERSIONS = """
SELECT timestamptz_send(date), open, high, low, close, volume, exact_volume,
    timestamptz_send(recorded), timestamptz_send(replaced), {token}{further}
FROM (
    SELECT {columns}, recorded, 'infinity'::timestamptz AS replaced FROM {schema}.bars
    WHERE {these} AND recorded <= %s
    UNION ALL
    SELECT {columns}, recorded, replaced FROM {schema}.bar_history
    WHERE {these} AND recorded <= %s AND replaced > %s
) AS found ORDER BY date, recorded, replaced
"""
_RECORDED = """
SELECT (
    SELECT string_agg(timestamptz_send(recorded), '' ORDER BY date) FROM {schema}.bars
    WHERE {these}
), EXISTS (SELECT 1 FROM {schema}.bar_history WHERE {these})
"""
_HELD = f"""(
    SELECT {", ".join(BARS.columns)} FROM {{schema}}.bars WHERE recorded <= %s
    UNION ALL
    SELECT {", ".join(BARS.columns)} FROM {{schema}}.bar_history
    WHERE recorded <= %s AND replaced > %s
) AS bars"""
_THESE = "symbol = %s AND timeframe = %s AND date BETWEEN %s AND %s"
_CORRECTED = """
SELECT symbol, timeframe, timestamptz_send(min(date)), timestamptz_send(max(date))
FROM {schema}.bar_history WHERE replaced >= %s GROUP BY symbol, timeframe
"""
_ALL_COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
_DAMAGED = """
SELECT symbol, timeframe, count(*) FROM {schema}.bar_history
WHERE recorded >= replaced OR volume < 0
    OR 'NaN' IN (open - open, high - high, low - low, close - close, volume - volume)
GROUP BY symbol, timeframe ORDER BY symbol, timeframe
"""


class Shape(NamedTuple):
    """What an upsert depends on: its further columns, their types, and those that are known.

    `unchanged` is SQL that is true while those are all. `limit` follows the
    given rows of an upsert.
    """

    given: tuple[str, ...]
    arrays: tuple[str, ...]
    known: tuple[str, ...]
    unchanged: str
    has_instant: bool
    limit: str


class BarVersions:
    """The versions of all bars of a store."""

    def __init__(self, database: Database, schema: str, past: Past, extra: ExtraColumns) -> None:
        self._database = database
        self._schema = schema
        self._past = past
        self._extra = extra
        self._token = TOKEN.format(schema=schema)
        self.recording = past.recording
        self._statement = lru_cache(maxsize=256)(self._made)

    # Writes.

    def insert(self, shape: Shape, *, is_one: bool) -> str:
        """Return a statement that inserts bars if none of them exists, or else does nothing."""
        return self._statement(shape, "one" if is_one else "many")

    def upsert(self, shape: Shape, *, seeks_newest: bool = False) -> str:
        """Return an upsert, which answers with whether the columns are those that are known.

        With `seeks_newest` it is given a symbol and a timeframe too, and answers with the last date
        of that series before it.
        """
        return self._statement(shape, "upsert and seek" if seeks_newest else "upsert")

    def _made(self, shape: Shape, kind: str) -> str:
        table = BARS.with_further(shape.known)
        given = _GIVEN_ROWS.format(
            further=listed(each if each in shape.given else "NULL" for each in shape.known),
            instant=GIVEN if shape.has_instant else self.recording.instant,
            arrays=listed(f"%s::{each}" for each in shape.arrays),
            given=listed(shape.given),
            unchanged=shape.unchanged,
        )
        if kind.startswith("upsert"):
            newest = "" if kind == "upsert" else _NEWEST.format(schema=self._schema)
            return self._past.upsert(table, given + shape.limit, shape.unchanged + newest)
        unless = _IF_NEW if kind == "one" else _IF_ALL_NEW.format(schema=self._schema)
        columns = ", ".join(table.columns)
        return _INSERT.format(schema=self._schema, columns=columns, given=given, unless=unless)

    def restore(self, shape: Shape) -> list[str]:
        """Return the statements that take in versions of another store.

        Their parameters are those of an upsert, then the arrays `recorded` and `replaced`.
        """
        instants = ("recorded", "replaced")
        given = _GIVEN_ROWS.format(
            further=listed(shape.given),
            instant=", ".join(instants),
            arrays=listed([*(f"%s::{each}" for each in shape.arrays), *2 * ["%s::timestamptz[]"]]),
            given=listed([*shape.given, *instants]),
            unchanged=shape.unchanged,
        )
        return self._past.restore(BARS.with_further(shape.given), given)

    def delete(self, connection: Connection, parameters: Sequence[object]) -> tuple[int, Any]:
        """Remove the bars of a range; return their number, and the token of the columns."""
        self.recording.lock(connection, BARS.name, alone=True)
        statement = self._past.delete(self._table, f"WHERE {_THESE}", answer=self._token)
        ((count, token, *_),) = connection.execute(statement, parameters).fetchall()
        return int(count), token

    def delete_others(
        self,
        connection: Connection,
        timeframe: str,
        symbols: list[str],
        given: Sequence[object],
        at: Timestamptz,
    ) -> None:
        """Remove the bars of series that are not given as arrays of symbols and dates."""
        statement = self._past.delete(self._table, _NOT_GIVEN, instant=GIVEN)
        connection.execute(statement, [symbols, timeframe, *given, at])

    def rename(self, connection: Connection, old: str, new: str, at: Timestamptz) -> None:
        """Give the bars of a symbol another one, with all columns, whoever has added them."""
        rows = connection.execute(_ALL_COLUMNS, [f"{self._schema}.bars"]).fetchall()
        known = {*BARS.columns, *map(_unquoted, self._extra.now.places.values()), "recorded"}
        foreign = [sql.Identifier(name).as_string() for (name,) in rows if name not in known]
        where, renamed = "WHERE symbol = %s", {"symbol": "%s::text"}
        statement = self._past.rename(self._table, where, renamed, foreign)
        connection.execute(statement, [old, at, new])

    @property
    def _table(self) -> Table:
        return BARS.with_further(self._extra.now.places.values())

    # Questions.

    def between(self, symbol: str, timeframe: str, span: TimeRange, at: int | None) -> Versions:
        """Return the versions of the bars of a range, those that were held at an instant if given.

        Further columns that are not of one type have floats if all are numbers.
        """
        while True:
            known = self._extra.now
            rows = self._rows(symbol, timeframe, span, at)
            if not rows or rows[0][9] == known.token:
                return _versions(rows, list(known.places))
            self._extra.reload()

    def _rows(
        self, symbol: str, timeframe: str, span: TimeRange, at: int | None
    ) -> list[tuple[Any, ...]]:
        places = self._extra.now.places
        sent = (
            f"timestamptz_send({column})" if kind == "timestamp" else column
            for (_, kind), column in places.items()
        )
        statement = _VERSIONS.format(
            schema=self._schema,
            token=self._token,
            further=listed(sent),
            columns=", ".join(self._table.columns),
            these=_THESE,
        )
        these = [symbol, timeframe, timestamptz(span.first), timestamptz(span.last)]
        latest = timestamptz(LATEST if at is None else at)
        ended = BEFORE if at is None else latest
        parameters = [*these, latest, *these, latest, ended]
        return self._database.rows("reading versions of bars", statement, parameters)

    def unreplaced(
        self, symbol: str, timeframe: str, span: TimeRange, read: Callable[[], pa.Table]
    ) -> Unreplaced | None:
        """Return the bars of a range, which `read` returns, if none of them was replaced.

        The instants are asked for before and after: each write changes them.
        """
        recorded = self._recorded(symbol, timeframe, span)
        table = None if recorded is None else read()
        if recorded is None or table is None or recorded != self._recorded(symbol, timeframe, span):
            return None
        return Unreplaced(table, moment_column(recorded))

    def _recorded(self, symbol: str, timeframe: str, span: TimeRange) -> bytes | None:
        """Return when the bars of a range were recorded, by date; None if some were replaced."""
        statement = _RECORDED.format(schema=self._schema, these=_THESE)
        these = [symbol, timeframe, timestamptz(span.first), timestamptz(span.last)]
        what = "reading when bars were recorded"
        ((sent, has_past),) = self._database.rows(what, statement, [*these, *these])
        return None if has_past else sent or b""

    def corrected(self, since: int) -> list[tuple[str, str, TimeRange]]:
        """Return each series with versions that were replaced at or after an instant."""
        statement = _CORRECTED.format(schema=self._schema)
        rows = self._database.rows("reading corrections", statement, [timestamptz(since)])
        return [
            (symbol, timeframe, TimeRange(instant(first), instant(last), aware=True))
            for symbol, timeframe, first, last in rows
        ]

    def damaged(self) -> Iterator[tuple[str, str]]:
        """Yield each series with damaged versions among those that were replaced, and how many."""
        statement = _DAMAGED.format(schema=self._schema)
        for symbol, timeframe, count in self._database.rows("checking versions", statement, []):
            yield f"{symbol} ({timeframe})", f"{count:,} replaced versions with invalid numbers"


def held_at(schema: str, statement: str) -> str:
    """Return a query of bars without further columns as one of those held at an instant.

    Three times that instant come before its parameters.
    """
    return statement.replace(f"{schema}.bars", _HELD.format(schema=schema))


def _versions(rows: list[tuple[Any, ...]], places: list[Place]) -> Versions:
    extra = [_extra(row[10:], places) for row in rows]
    dates, opened, high, low, close = ([row[place] for row in rows] for place in range(5))
    bars = BarColumns(
        list(map(instant, dates)),
        opened,
        high,
        low,
        close,
        [_volume(row[5], row[6]) for row in rows],
        _of_one_type(extra) if any(extra) else None,
    )
    return Versions(bars, [moment(row[7]) for row in rows], [moment(row[8]) for row in rows])


def _volume(volume: float | None, exact: int | None) -> int | float | None:
    if exact is not None or volume is None:
        return exact
    return int(volume) if volume.is_integer() else volume


def _extra(values: Sequence[Any], places: list[Place]) -> Extra | None:
    found = {
        name: to_datetime(instant(value), aware=True) if kind == "timestamp" else value
        for value, (name, kind) in zip(values, places, strict=True)
        if value is not None
    }
    return dict(sorted(found.items())) or None


def _of_one_type(extra: list[Extra | None]) -> list[Extra | None]:
    """Return further columns with floats in each column that has a float in any row."""
    kinds = {(name, type(value)) for each in extra if each for name, value in each.items()}
    mixed = {name for name, kind in kinds if kind is float and (name, int) in kinds}
    return [each and as_floats(each, mixed) for each in extra]


def _unquoted(column: str) -> str:
    return column[1:-1]


def listed(columns: Iterable[str]) -> str:
    """Return columns as the rest of a list in SQL."""
    return "".join(f", {each}" for each in columns)
