"""Records, or a table of bars, as a frame of pandas or Polars: one row a record."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args, get_type_hints

from msgspec import Struct

from storecore.errors import InvalidData, shown, type_name
from storecore.values.zones import zone_name

if TYPE_CHECKING:
    import pyarrow as pa

Library = Literal["pandas", "polars"]
_SCALARS = (float, int, str, bool, datetime)
_MOST = 2**63  # whole numbers from here on are no int64
_EXACT = 2**53  # and up to here, a float64 is exact


def to_frame(records: Iterable[Any] | pa.Table, *, to: Library = "pandas") -> Any:
    """Return records of one kind, or a table of bars, as a frame of pandas or Polars, in order.

    `store.read_bar_table` returns such a table; pandas gets it sooner than by `table.to_pandas()`.

    A record is a bar, a fundamental, an event, a record of the audit log, a version of a state, or
    any other value of which a store returns lists. Each of its fields is a column. The fields of a
    record within a record (the decision of a `DecisionRecord`) are columns too, which have the name
    of the outer field in front if two would have the same name: `order_extra`, `result_extra`.

    Dicts (`payload`, `extra`, `state`) stay dicts, an `Action` becomes its text. Times of one kind,
    naive or of one named time zone, keep it; all others become aware UTC. Whole numbers stay whole,
    also beside a missing value. Numbers and texts of one column, as brokers give for an `order_id`,
    all become text, which a Parquet file can hold. A column of other values that have no common
    type keeps them as Python objects. Raises `InvalidData` if the records are of several kinds, or
    the library is not installed.
    """
    library, build = _builder(to)
    if _is_arrow_table(records):
        return _of_table(records, library)
    return build(library, _columns(_listed(records)))


def _of_table(table: Any, library: Any) -> Any:
    if library.__name__ == "polars":
        return library.from_arrow(table)
    from storecore.store.frames.table_frame import frame_of

    return frame_of(table)


def _is_arrow_table(given: Any) -> bool:
    """Return whether an object is a table of Arrow, without importing Arrow."""
    arrow = sys.modules.get("pyarrow")
    return arrow is not None and isinstance(given, arrow.Table)


def _builder(to: str) -> tuple[Any, Callable[[Any, dict[str, _Column]], Any]]:
    builders = {"pandas": _to_pandas, "polars": _to_polars}
    if to not in builders:
        raise InvalidData(f'to={shown(to)}: expected "pandas" or "polars"')
    try:
        return import_module(to), builders[to]
    except ImportError as error:
        raise InvalidData(f'to="{to}": {to} is not installed; run: pip install {to}') from error


def _listed(records: Iterable[Any]) -> list[Any]:
    if isinstance(records, str | bytes | Struct) or not isinstance(records, Iterable):
        raise InvalidData(f"records: expected a list of records, got {type_name(records)}")
    rows = list(records)
    for row, record in enumerate(rows):
        if _fields(record) is None:
            raise InvalidData(f"records[{row}]: expected a record, got {type_name(record)}")
        if type(record) is not type(rows[0]):
            raise InvalidData(
                f"records[{row}]: expected {type_name(rows[0])} as in the rows before, got "
                f"{type_name(record)}; make a frame of each kind"
            )
    return rows


def _fields(record: Any) -> tuple[str, ...] | None:
    """Return the names of the fields of a struct or a named tuple, None for anything else."""
    names = getattr(record, "__struct_fields__", None) or getattr(record, "_fields", None)
    return names if isinstance(names, tuple) and not isinstance(record, type) else None


def _columns(rows: list[Any]) -> dict[str, _Column]:
    """Return the values of each field by the name of its column."""
    found = list(_all_columns(rows)) if rows else []
    names = [name for _, name, _ in found]
    return {
        name if names.count(name) == 1 else f"{outer}{name}": column
        for outer, name, column in found
    }


def _all_columns(rows: list[Any], outer: str = "") -> Iterator[tuple[str, str, _Column]]:
    """Yield the outer field, the name and the values of each field, those of inner records too."""
    hints = get_type_hints(type(rows[0]))
    for name in _fields(rows[0]) or ():
        values = [getattr(record, name) for record in rows]
        if _fields(values[0]) is not None:
            yield from _all_columns(values, f"{name}_")
        else:
            declared = set(get_args(hints[name]) or (hints[name],)) - {type(None)}
            yield outer, name, _column(values, {each for each in declared if each in _SCALARS})


class _Column(NamedTuple):
    """The values of a column, and what all of them can be kept as; "object" is as they are."""

    kind: str
    values: list[Any]

    @property
    def zone(self) -> tzinfo | None:
        """The time zone of its times."""
        return next((value.tzinfo for value in self.values if value), UTC)

    @property
    def lacks_some(self) -> bool:
        """Whether a value is missing."""
        return None in self.values


def _column(values: list[Any], declared: set[type]) -> _Column:
    """Return the values of a field, whose times are of one kind, and whose enums are plain."""
    kinds = {type(value) for value in values} - {type(None)} or declared
    if any(issubclass(kind, Enum) for kind in kinds):
        return _Column("str", [value if value is None else value.value for value in values])
    if kinds == {datetime}:
        return _Column("time", _of_one_zone(values))
    if kinds <= {int, float}:
        return _Column(_number(kinds, [each for each in values if each is not None]), values)
    if kinds == {int, str}:
        return _Column("str", [value if value is None else str(value) for value in values])
    (kind,) = kinds if len(kinds) == 1 else (object,)
    return _Column({bool: "bool", str: "str"}.get(kind, "object"), values)


def _of_one_zone(values: list[datetime | None]) -> list[datetime | None]:
    zones = {each.tzinfo and (zone_name(each.tzinfo) or each.tzinfo) for each in values if each}
    if zones <= {None} or (len(zones) == 1 and isinstance(next(iter(zones)), str)):
        return values
    return [each and _in_utc(each) for each in values]


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _number(kinds: set[type], numbers: list[Any]) -> str:
    if not kinds:
        return "object"
    if kinds == {int}:
        return "int" if all(-_MOST <= each < _MOST for each in numbers) else "object"
    whole = (each for each in numbers if isinstance(each, int))
    return "float" if all(-_EXACT <= each <= _EXACT for each in whole) else "object"


def _to_pandas(pd: Any, columns: dict[str, _Column]) -> Any:
    def series(column: _Column) -> Any:
        kind = column.kind
        if kind == "time":
            unit = pd.DatetimeTZDtype("us", column.zone) if column.zone else "datetime64[us]"
            return pd.Series(column.values, dtype=unit)
        types = {"int": "int64", "float": "float64", "bool": "bool"}
        nullable = {"int": "Int64", "bool": "boolean"} if column.lacks_some else {}
        return pd.Series(column.values, dtype=(types | nullable).get(kind, "object"))

    return pd.DataFrame({name: series(column) for name, column in columns.items()})


def _to_polars(pl: Any, columns: dict[str, _Column]) -> Any:
    types: dict[str, Any] = {"int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean}
    types |= {"str": pl.String, "object": pl.Object}

    def series(name: str, column: _Column) -> Any:
        kind = types.get(column.kind)
        if column.kind == "object" and not any(each is not None for each in column.values):
            kind = pl.Null  # which a file can hold
        if kind is None:
            kind = pl.Datetime("us", column.zone and (zone_name(column.zone) or "UTC"))
        return pl.Series(name, column.values, kind)

    return pl.DataFrame([series(name, column) for name, column in columns.items()])
