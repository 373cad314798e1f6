"""Columns of bars beyond the seven (law B6): real columns of the table `bars`.

Two series may give one name different types. So a column holds the values of one name and type, and
`bar_columns` says which. `series_columns` has the types of each series that has such columns. Every
process knows the columns of `bars` by their number, the *token*, which is in the table `about`. A
statement that depends on them compares it, and is repeated if another process has added one. An
upsert asks instead whether `bars` has the column that would be added next: that reads no table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, count
from typing import NamedTuple

from psycopg import sql

from storecore.bars.extra import EVERY
from storecore.errors import CorruptData
from storecore_postgres.database import Connection, Database
from storecore_postgres.names import checked_length
from storecore_postgres.schema.installation import LOCK
from storecore_postgres.schema.layouts import Distribution
from storecore_postgres.schema.version import SchemaVersion

_LONGEST = 63  # bytes of a name of a column
_SYSTEM = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}
_OF_VERSIONS = {"recorded", "replaced"}
_UNSAFE = re.compile(r'[%{}"\\]')  # marks placeholders, ends an identifier
TOKEN = "(SELECT value FROM {schema}.about WHERE key = 'columns')"
_STATE = """
SELECT {token}, (
    SELECT max(attnum) + 1 FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass(%s)
)
"""
# Null, even for a superuser, if there is no column of that number.
_UNCHANGED = "has_column_privilege('{literal}.bars'::regclass, {end}::int2, 'SELECT') IS NULL"
# On a cluster, whose nodes have numbers of their own.
_SAME_TOKEN = "coalesce({token}, '') = {known}"
_PLACES = "SELECT name, kind, stored_as FROM {schema}.bar_columns"
_TAKEN = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0"
_ADD = "SELECT {schema}.add_bar_column(%s, %s, %s)::text"
_KINDS = """
SELECT symbol, kinds::text FROM {schema}.series_columns
WHERE timeframe = %s AND symbol = ANY(%s::text[])
"""
_PUT = """
INSERT INTO {schema}.series_columns (symbol, timeframe, kinds)
SELECT symbol, %s, kinds::json FROM unnest(%s::text[], %s::text[]) AS given (symbol, kinds)
ON CONFLICT (symbol, timeframe) DO UPDATE SET kinds = excluded.kinds
"""
_FORGET = """
DELETE FROM {schema}.series_columns WHERE timeframe = %s AND symbol = ANY(%s::text[])
"""
_OF_NO_BARS = """
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.bars
        WHERE bars.symbol = series_columns.symbol AND bars.timeframe = series_columns.timeframe
    )
"""
# A cluster cannot update the column by which it distributes rows.
_RENAME = """
INSERT INTO {schema}.series_columns (symbol, timeframe, kinds)
SELECT %s::text, timeframe, kinds FROM {schema}.series_columns WHERE symbol = %s
"""
# Who changes the types of a series waits for all who rely on them.
_SHARED = "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 2))::text"
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 2))::text"
Kinds = dict[str, str]
Place = tuple[str, str]
"""The name and the type of a column."""


class Known(NamedTuple):
    """The further columns of `bars` that a process knows, quoted, and their token.

    `end` is the number of the column that would be added next. `unchanged` is SQL that is true
    while no column has been added.
    """

    token: str | None
    end: int
    places: dict[Place, str]
    unchanged: str

    def place(self, place: Place) -> str:
        """Return the quoted column of a name and type. Raises `CorruptData` if there is none."""
        try:
            return self.places[place]
        except KeyError:
            name, kind = place
            raise CorruptData(
                f"the column {name!r} ({kind}) of a series is not in the table bar_columns; "
                "restore the whole schema"
            ) from None


class Stale(Exception):
    """Another process has added columns, or has changed the types of series."""

    def __init__(self, kinds: Mapping[str, Kinds] | None = None) -> None:
        self.kinds = kinds or {}


class ExtraColumns:
    """The columns of `bars` beyond the seven, and the types of each series."""

    def __init__(
        self,
        database: Database,
        schema: str,
        distribution: Distribution,
        version: SchemaVersion,
    ) -> None:
        self._database = database
        self._schema = schema
        self._unchanged = _SAME_TOKEN if distribution == "citus" else _UNCHANGED
        self.version = version
        self.now = Known(None, 0, {}, "false")  # until they are read
        self._seen: dict[tuple[str, str], Kinds] = {}
        (
            self._places,
            self._state,
            self._add,
            self._kinds,
            self._put,
            self._forget,
            self._of_no_bars,
            self._rename,
        ) = (
            each.format(schema=schema)
            for each in (
                _PLACES,
                _STATE.replace("{token}", TOKEN),
                _ADD,
                _KINDS,
                _PUT,
                _FORGET,
                _OF_NO_BARS,
                _RENAME,
            )
        )

    def reload(self) -> None:
        """Read which columns there are."""
        what = "reading the columns of bars"
        # The state first: a column that is added meanwhile must not look like a known one.
        token, end = self._database.retry(what, self._current)
        rows = [] if token is None else self._database.rows(what, self._places, [])
        places = {(name, kind): _quoted(stored_as) for name, kind, stored_as in rows}
        unchanged = self._unchanged.format(
            literal=self._schema.replace("'", "''"),
            end=end,
            token=TOKEN.format(schema=self._schema),
            known=sql.Literal(token or "").as_string(),
        )
        self.now = Known(token, end, places, unchanged)
        self.version.is_complete |= token is not None

    def is_current(self, connection: Connection, known: Known) -> bool:
        """Return whether no column has been added since."""
        return self._current(connection) == (known.token, known.end)

    def _current(self, connection: Connection) -> tuple[str | None, int]:
        """Return the token and the number of the column that would be added next."""
        asked = connection.execute(self._state, [f"{self._schema}.bars"])
        ((token, end),) = asked.fetchall()
        return token, end

    def ensure(self, what: str, wanted: Iterable[Place]) -> None:
        """Add columns that do not exist yet. Raises `StorageError` if the role may not."""
        self.version.renew(what)
        places = sorted(set(wanted))
        for name, _ in places:
            checked_length(name, "column")
        named = ", ".join(f"{name!r} ({kind})" for name, kind in places)
        why = f"{what}: adding to the table bars the columns {named}"
        self.version.as_owner(why, lambda connection: self._added(connection, places))
        self.reload()

    def _added(self, connection: Connection, places: list[Place]) -> None:
        with connection.transaction():
            connection.execute(LOCK, [self._schema])
            there = {(name, kind) for name, kind, _ in connection.execute(self._places)}
            taken = connection.execute(_TAKEN, [f"{self._schema}.bars"]).fetchall()
            names = {*_SYSTEM, *_OF_VERSIONS, *(name for (name,) in taken)}
            for place in (each for each in places if each not in there):
                free = column_name(*place, names)
                names.add(free)
                connection.execute(self._add, [*place, free])

    def places_of(self, timeframe: str, symbols: list[str], columns: Iterable[str]) -> set[Place]:
        """Return the columns of a query that its series had when this process last read them."""
        if not self._seen:
            return set()
        seen = (self._seen.get((symbol, timeframe), {}) for symbol in symbols)
        return {place for kinds in seen for place in asked_of(kinds, columns)}

    def learn(self, timeframe: str, found: Mapping[str, Kinds]) -> None:
        """Note the types of series."""
        for symbol, kinds in found.items():
            self._seen[symbol, timeframe] = kinds
        self.reload()

    def lock(self, connection: Connection, *, alone: bool) -> None:
        """Lock the types of all series until the transaction ends, shared or alone."""
        connection.execute(_ALONE if alone else _SHARED, [f"{self._schema}.series_columns"])

    def kinds(self, connection: Connection, timeframe: str, symbols: list[str]) -> dict[str, Kinds]:
        """Return the types of those series that have such columns."""
        rows = connection.execute(self._kinds, [timeframe, symbols]).fetchall()
        return {symbol: json.loads(kinds) for symbol, kinds in rows}

    def read_kinds(self, timeframe: str, symbols: list[str]) -> dict[str, Kinds]:
        """Return the types of those series that have such columns, outside a transaction."""
        if not self.version.is_complete:
            return {}
        what = "reading the columns of series"
        return self._database.retry(what, lambda each: self.kinds(each, timeframe, symbols))

    def put(self, connection: Connection, timeframe: str, changed: Mapping[str, Kinds]) -> None:
        """Store the types of series, locked alone."""
        documents = [json.dumps(each, ensure_ascii=False) for each in changed.values()]
        if documents:
            connection.execute(self._put, [timeframe, list(changed), documents])

    def forget(
        self, connection: Connection, timeframe: str, symbols: list[str], *, if_empty: bool = False
    ) -> None:
        """Remove the types of series (`if_empty`: of those without bars), locked alone."""
        statement = self._forget + (self._of_no_bars if if_empty else "")
        connection.execute(statement, [timeframe, symbols])

    def rename(self, connection: Connection, old: str, new: str) -> None:
        """Give the series of a symbol another one, locked alone."""
        connection.execute(self._rename, [new, old])
        connection.execute(f"DELETE FROM {self._schema}.series_columns WHERE symbol = %s", [old])


def asked_of(kinds: Kinds, columns: Iterable[str]) -> Iterator[Place]:
    """Yield those columns of a series that a query asks for."""
    return ((name, kind) for name, kind in kinds.items() if name in columns or EVERY in columns)


def column_name(name: str, kind: str, taken: set[str]) -> str:
    """Return the name of a new column: `name`, or one like it that is valid and free."""
    plain = _UNSAFE.sub("_", name)
    ends = chain(["", f"_{kind}"], (f"_{kind}_{number}" for number in count(2)))
    return next(each for end in ends if (each := _cut(plain, end)) not in taken)


def _cut(name: str, end: str) -> str:
    room = _LONGEST - len(end)
    return name.encode()[:room].decode(errors="ignore") + end


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()
