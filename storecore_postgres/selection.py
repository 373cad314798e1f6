"""The SQL that selects the bars of series, and the series tables made of what the server sends.

The server concatenates the binary values of each column in the order of their dates. Nulls are not
among them: their dates are sent apart, if there are any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.extra import EXACT, TYPES
from storecore.bars.table import EMPTY, NULLABLE, SERIES
from storecore_postgres.extra import Place
from storecore_postgres.wire import (
    bool_column,
    date_column,
    float_column,
    pairs,
    spread,
    text_column,
    whole_column,
)

_RANGE = "timeframe = %s AND date BETWEEN %s AND %s"
_ONE = f"""
SELECT {{columns}}
FROM (
    SELECT {{names}} FROM {{schema}}.bars
    WHERE symbol = %s AND {_RANGE} ORDER BY symbol, date LIMIT {{limit}}
) AS found
"""  # without GROUP BY, which would sort once more
_MANY = f"""
SELECT {{columns}}, symbol
FROM (
    SELECT symbol, {{names}} FROM {{schema}}.bars
    WHERE symbol = ANY(%s::text[]) AND {_RANGE} ORDER BY symbol, date LIMIT {{limit}}
) AS found
GROUP BY symbol ORDER BY symbol
"""
_NEWEST_OF_MANY = f"""
SELECT {{columns}}, symbol
FROM (
    SELECT asked.symbol COLLATE "C" AS symbol, {{names}}
    FROM unnest(%s::text[]) AS asked (symbol)
    CROSS JOIN LATERAL (
        SELECT {{names}} FROM {{schema}}.bars
        WHERE bars.symbol = asked.symbol COLLATE "C" AND {_RANGE} ORDER BY date DESC LIMIT {{limit}}
    ) AS newest
) AS found
GROUP BY symbol ORDER BY symbol
"""
# Volumes that are no plain float: exact ones, and -1 for null.
_ODD_VOLUMES = """
string_agg(timestamptz_send(date) || int8send(coalesce(exact_volume, -1)), '' ORDER BY date)
    FILTER (WHERE exact_volume IS NOT NULL OR volume IS NULL)"""
# The types of a series, or null: of a symbol and a timeframe.
KINDS_OF_ONE = """
(SELECT kinds::text FROM {schema}.series_columns WHERE symbol = %s AND timeframe = %s)"""
# An object of the types of each series. In the first row only: they may be long.
KINDS_OF_MANY = """
CASE WHEN row_number() OVER (ORDER BY symbol) = 1 THEN (
    SELECT json_object_agg(symbol, kinds)::text FROM {schema}.series_columns
    WHERE symbol = ANY(%s::text[]) AND timeframe = %s
) END"""
_MOST_ENTRIES = 1_500  # of further columns in a SELECT, which may have 1,664 in all
_SEND = {
    "float64": "float8send",
    "int64": "int8send",
    "bool": "boolsend",
    "timestamp": "timestamptz_send",
}
_RECEIVED = {
    "float64": float_column,
    "int64": whole_column,
    "bool": bool_column,
    "timestamp": date_column,
}


class Selection(NamedTuple):
    """The columns of bars that are selected: numbers of the seven, and further ones.

    `further` has the quoted column of each name and type. `page` is the number of bars in a page.
    """

    numbers: tuple[str, ...]
    further: dict[Place, str]
    page: int

    def statement(self, schema: str, probe: str, limit: int, *, many: bool, newest: bool) -> str:
        """Return a statement for `limit` bars: the first ones, or the newest of each symbol.

        The last columns of its rows are `probe`, unless it is empty, and the symbol if `many`.
        """
        further = tuple(self.further.items())
        return _statement(schema, self.numbers, further, probe, limit, many, newest)

    def table(self, sent: Sequence[bytes | None], places: Iterable[Place]) -> pa.Table:
        """Return the series table of what was sent for one symbol, with some further columns."""
        table, rest = self._seven(sent)
        if not self.further:
            return table
        rest = _flat(rest)
        dates, chosen = table["date"].combine_chunks(), set(places)
        found: dict[str, pa.Array] = {}
        for name, kind in self.further:
            size = 3 if kind == "string" else 2
            if (name, kind) in chosen:
                found[name] = _values(kind, dates, rest[:size])
            rest = rest[size:]
        for name in sorted(found):
            table = table.append_column(name, found[name])
        return table

    def _seven(self, sent: Sequence[bytes | None]) -> tuple[pa.Table, Sequence[bytes | None]]:
        """Return the table without further columns, and what was sent of those."""
        size = 1 + len(self.numbers)
        dates = date_column(sent[0] or b"")
        columns = [dates, *(float_column(each or b"") for each in sent[1:size])]
        schema = _schema(self.numbers)
        if "volume" not in self.numbers:
            return pa.Table.from_arrays(columns, schema=schema), sent[size:]
        odd, rest = sent[size], sent[size + 1 :]
        if odd is None:
            return pa.Table.from_arrays(columns, schema=schema), rest
        place = size - len(self.numbers) + self.numbers.index("volume")
        return _with_odd_volumes(columns, schema, place, *pairs(odd)), rest


def _flat(sent: Sequence[Any]) -> list[bytes | None]:
    """Return the values of arrays, if the columns are so many that they were sent in these."""
    return list(chain.from_iterable(each if isinstance(each, list) else (each,) for each in sent))


def empty_table(places: Iterable[Place]) -> pa.Table:
    """Return a series table without rows that has some further columns."""
    table = EMPTY
    for name, kind in sorted(places):
        table = table.append_column(name, pa.array([], TYPES[kind]))
    return table


@lru_cache(maxsize=256)
def _statement(
    schema: str,
    numbers: tuple[str, ...],
    further: tuple[tuple[Place, str], ...],
    probe: str,
    limit: int,
    many: bool,
    newest: bool,
) -> str:
    names = ["date", *numbers, *(column for _, column in further)]
    if "volume" in numbers:
        names.append("exact_volume")
    columns = list(_sent(numbers, further))
    body = _MANY if many else _ONE
    if newest:
        body = _NEWEST_OF_MANY if many else _ONE.replace("symbol, date", "date DESC")
    if many and _entries_in_one(further) > 1:
        # The window function of the probe would take the arrays apart.
        given = [f"column{number}" for number in range(len(columns))]
        columns = [f"{each} AS {name}" for each, name in zip(columns, given, strict=True)]
        body = f"SELECT {', '.join(given)}, {{probe}}symbol FROM ({body}) AS made ORDER BY symbol"
    elif probe:
        columns.append(probe)
    return body.format(
        schema=schema,
        names=", ".join(names),
        columns=", ".join(columns),
        limit=limit,
        probe=f"{probe}, " if probe else "",
    )


def _sent(numbers: tuple[str, ...], further: tuple[tuple[Place, str], ...]) -> Iterator[str]:
    """Yield the SQL of what `Selection.table` takes."""
    yield _joined("timestamptz_send(date)")
    for name in numbers:
        yield _joined(f"float8send({name})")
    if "volume" in numbers:
        yield _ODD_VOLUMES
    values = list(_sent_further(further))
    size = _entries_in_one(further)
    for start in range(0, len(values), size):
        part = values[start : start + size]
        yield part[0] if size == 1 else f"ARRAY[{', '.join(part)}]"


def _entries_in_one(further: tuple[tuple[Place, str], ...]) -> int:
    """Return how many values are sent as one array: usually 1, as they are."""
    values = sum(3 if kind == "string" else 2 for (_, kind), _ in further)
    return max(1, -(-values // _MOST_ENTRIES))


def _sent_further(further: tuple[tuple[Place, str], ...]) -> Iterator[str]:
    """Yield the SQL of the values of further columns."""
    for (_, kind), column in further:
        yield _joined("timestamptz_send(date)") + f" FILTER (WHERE {column} IS NULL)"
        if kind == "string":
            yield _joined(f"int4send(octet_length({column}))")
            yield _joined(f"textsend({column})")
        else:
            yield _joined(f"{_SEND[kind]}({column})")


@lru_cache
def _schema(numbers: tuple[str, ...]) -> pa.Schema:
    return pa.schema([SERIES.field(name) for name in ("date", *numbers)])


def _joined(value: str) -> str:
    """Return the SQL that concatenates binary values in the order of their dates."""
    return f"string_agg({value}, '' ORDER BY date)"


def _with_odd_volumes(
    columns: list[pa.Array], schema: pa.Schema, place: int, dates: pa.Array, exact: pa.Array
) -> pa.Table:
    """Return a table whose volumes are null or exact at some dates."""
    is_null = pc.less(exact, 0)
    missing, kept = dates.filter(is_null), pc.invert(is_null)
    if len(missing):
        columns[place] = spread(columns[place], columns[0], missing)
        schema = schema.set(place, NULLABLE.field("volume"))
    table = pa.Table.from_arrays(columns, schema=schema)
    if len(missing) == len(dates):
        return table
    rows = pc.index_in(columns[0], dates.filter(kept))
    return table.append_column(EXACT, exact.filter(kept).take(rows))


def _values(kind: str, dates: pa.Array, sent: Sequence[bytes | None]) -> pa.Array:
    of_nulls, *content = (each or b"" for each in sent)
    made = text_column(*content) if kind == "string" else _RECEIVED[kind](*content)
    return spread(made, dates, date_column(of_nulls)) if of_nulls else made
