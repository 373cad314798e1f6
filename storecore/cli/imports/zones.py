"""Local times as instants, column by column: the offset of a zone is asked once for each day.

Only the rows of days on which the clocks change are looked at one by one.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.cli.imports.days import DAY
from storecore.cli.timestamps import to_utc
from storecore.errors import InvalidData
from storecore.values.times import EARLIEST, instant, to_datetime

_FIRST = datetime(1, 1, 1)
_MICRO = timedelta(microseconds=1)


class Readings(NamedTuple):
    """The instants of a column (null: none), and what is special about some rows.

    `later` is the second instant of a time that occurred twice; the column has the first. `near`
    are the rows within a day of such a time, which decide by their order which one is meant.
    """

    instants: pa.Array
    later: dict[int, int]
    near: list[int]
    problems: dict[int, str]


def readings_of(local: pa.Array, zone: tzinfo) -> Readings:
    """Return the instants of local times, in microseconds; a null stays one."""
    days = pc.divide(pc.subtract(local, EARLIEST), DAY)
    coded = pc.dictionary_encode(days)
    numbers = coded.dictionary.to_pylist()
    offsets = [_offset(number, zone) for number in numbers]
    found = pc.subtract(local, pa.array(offsets, pa.int64()).take(coded.indices))
    plain = Readings(found, {}, [], {})
    odd = [number for number, offset in zip(numbers, offsets, strict=True) if offset is None]
    if not odd:
        return plain
    near = {number + step for number in odd for step in (-1, 0, 1)}
    plain = plain._replace(near=_rows(days, near))
    return _with_odd(plain, local, _rows(days, set(odd)), zone)


def _rows(days: pa.Array, wanted: set[int]) -> list[int]:
    mask = pc.is_in(days, value_set=pa.array(sorted(wanted), pa.int64()))
    rows: list[int] = pc.indices_nonzero(mask).to_pylist()
    return rows


def _offset(number: int, zone: tzinfo) -> int | None:
    """Return the offset of a zone on a day since the year 1, None if it changes on that day."""
    try:
        start = _FIRST + timedelta(number)
        before, after = (
            each.replace(tzinfo=zone).utcoffset() for each in (start, start + timedelta(1))
        )
    except OverflowError:
        return None
    same = before is not None and before == after and number > 0
    return before // _MICRO if same and before is not None else None


def _with_odd(plain: Readings, local: pa.Array, rows: list[int], zone: tzinfo) -> Readings:
    """Return the readings with those of odd days, row by row."""
    later: dict[int, int] = {}
    problems: dict[int, str] = {}
    values: list[int | None] = []
    for row in rows:
        moment = to_datetime(local[row].as_py(), aware=False)
        try:
            meant = to_utc(moment, zone, "date")
        except InvalidData as error:
            problems[row] = str(error)
            values.append(None)
            continue
        values.append(instant(meant[0], "date"))
        if len(meant) > 1:
            later[row] = instant(meant[1], "date")
    mask = pc.is_in(pa.array(range(len(local))), value_set=pa.array(rows, pa.int64()))
    found = pc.replace_with_mask(plain.instants, mask, pa.array(values, pa.int64()))
    return Readings(found, later, plain.near if later else [], problems)
