"""The dates of a table as instants: timestamps, dates, ISO texts, and numbers of one clear unit.

A number is taken if exactly one reading puts all dates of the column between 1980 and 2100: as
seconds, milliseconds, microseconds or nanoseconds since 1970, or as the digits of a day, 20260105.
All other readings then lie in the first weeks of 1970 or beyond the calendar. If two readings are
possible, or none, the column is refused, with the readings.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.midnights import Midnights, midnights_of
from storecore.bars.table import buffer_of
from storecore.store.frames.clocks import local_times
from storecore.store.frames.numbers import decoded, is_text
from storecore.store.frames.rows import counted_rows, where
from storecore.values.times import EARLIEST, LATEST, to_datetime

NAIVE = pa.timestamp("us")
_DAY = 86_400_000_000
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_SOONEST, _LATEST = 315_532_800, 4_102_444_800  # 1980 and 2100, in seconds since 1970
_ZONED = r"(Z|[+-]\d\d:?\d\d)$"
_MIDNIGHT = r"[T ]00(:?00){0,2}(\.0+)?[+-]\d\d:?\d\d\s*$"
_ISO_DAY = r"^\d{4}-\d\d-\d\d"
_TIME_DIGITS = {10: "YYYYMMDDHH", 12: "YYYYMMDDHHMM", 14: "YYYYMMDDHHMMSS"}


class Dates(NamedTuple):
    """Instants, or what is wrong."""

    values: pa.ChunkedArray | None
    problems: list[str]


def dates_of(values: pa.ChunkedArray, *, written: bool) -> Dates:
    """Return dates as naive timestamps in UTC; with `written`, the days that they name."""
    dates = instants_of(values, "date", written=written)
    has_nulls = dates.values is not None and dates.values.null_count
    absent = where(pc.is_null(dates.values)) if has_nulls else []
    return Dates(None, [_absent(absent)]) if absent else dates


def instants_of(values: pa.ChunkedArray, name: str, *, written: bool = False) -> Dates:
    """Return times as naive timestamps in UTC; a null stays one."""
    moments, problem = _moments(values, written)
    if moments is None:
        return Dates(None, [f"table.{name}{problem}"])
    zone, problems = moments.type.tz, []
    if written:
        local = local_times(moments)
        if local is None:
            said = f"table.{name}: {zone!r} is not a known time zone; convert it to one"
            return Dates(None, [f"{said}, as by dt.tz_convert('Asia/Tokyo')"])
        moments = pc.floor_temporal(local, unit="day")
    plain = pc.cast(pc.cast(moments, pa.int64()), pa.timestamp(moments.type.unit))
    if _is_within_years(plain):
        with suppress(pa.ArrowInvalid):  # one is finer than a microsecond
            return Dates(pc.cast(plain, NAIVE), [])
    for problem, mask in (_outside(plain), _finer(plain)):
        rows = where(pc.fill_null(mask, False))
        if rows:
            shown = f"={pc.cast(plain, pa.int64())[rows[0]]} {plain.type.unit}"
            problems.append(f"table[{rows[0]}].{name}{shown}: {problem}{counted_rows(rows)}")
    return Dates(None, problems)


def moments_given(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return dates as numbers that differ if the times do, or as texts if they cannot be read."""
    moments, _ = _moments(values, written=False)
    return decoded(values) if moments is None else pc.cast(moments, pa.int64())


def _absent(rows: list[int]) -> str:
    return (
        f"table[{rows[0]}].date=null: expected a value, found none or a NaN; leave the bar out"
        f"{counted_rows(rows)}"
    )


def _moments(values: pa.ChunkedArray, written: bool) -> tuple[pa.ChunkedArray | None, str]:
    """Return values as timestamps, or the end of a sentence that says what is wrong."""
    values = decoded(values)
    kind = values.type
    if pa.types.is_timestamp(kind) or pa.types.is_null(kind):
        return pc.cast(values, kind if pa.types.is_timestamp(kind) else NAIVE), ""
    if pa.types.is_date(kind):
        return pc.cast(values, pa.timestamp("s" if pa.types.is_date32(kind) else "ms")), ""
    if pa.types.is_integer(kind):
        return _from_numbers(pc.cast(values, pa.int64(), safe=False))
    if is_text(kind):
        return _from_texts(pc.cast(values, pa.string()), written)
    return None, f": expected timestamps or dates, got {kind}; parse it, as pandas.to_datetime does"


def _from_texts(texts: pa.ChunkedArray, written: bool) -> tuple[pa.ChunkedArray | None, str]:
    """Return ISO texts as timestamps, of UTC if they have offsets; `written`: their days."""
    texts = pc.replace_substring_regex(
        pc.utf8_trim_whitespace(texts), r"^(\d{4})(\d\d)(\d\d)$", r"\1-\2-\3"
    )
    zoned = pc.match_substring_regex(texts, rf"^.{{11,}}{_ZONED}")
    if written:
        days = pc.utf8_slice_codeunits(texts, 0, 10)
        texts, zoned = (
            pc.if_else(pc.match_substring_regex(texts, _ISO_DAY), days, texts),
            pc.and_(zoned, False),
        )
    if pc.any(zoned).as_py() and not pc.all(zoned).as_py():
        row = pc.index(zoned, False).as_py()
        return None, f": expected times that all have an offset, or none; row {row} has none"
    zone = "UTC" if pc.any(zoned).as_py() else None
    kinds = pa.timestamp("us", zone), pa.timestamp("ns", zone)
    for kind in kinds:
        with suppress(pa.ArrowInvalid):
            return pc.cast(texts, kind), ""
    row = _first_that_cannot_be(texts, kinds[1])
    return None, (
        ": expected ISO dates or times such as 2026-01-05T14:30:00+01:00; "
        f"row {row} has {texts[row].as_py()!r}; parse other formats first, for example with "
        "pandas.to_datetime"
    )


def _can_be(texts: pa.ChunkedArray, kind: pa.DataType) -> bool:
    with suppress(pa.ArrowInvalid):
        return pc.cast(texts, kind) is not None
    return False


def _first_that_cannot_be(texts: pa.ChunkedArray, kind: pa.DataType) -> int:
    """Return the first row whose text is no time; Arrow names any of them."""
    first, end = 0, len(texts)
    while end - first > 1:
        middle = (first + end) // 2
        first, end = (middle, end) if _can_be(texts[first:middle], kind) else (first, middle)
    return first


def _from_numbers(numbers: pa.ChunkedArray) -> tuple[pa.ChunkedArray | None, str]:
    if numbers.null_count == len(numbers):
        return pc.cast(numbers, NAIVE), ""
    readings = _readings(numbers)
    if len(readings) == 1:
        return next(iter(readings.values())), ""
    first = numbers.drop_null()[0].as_py()
    meant = " or ".join(readings or _any_readings(first))
    said = f"may mean {meant}" if meant else "is no time of the calendar"
    return None, (
        f": expected timestamps or dates, got {numbers.type}, and {first} {said}; cast it, as in "
        "pandas.to_datetime(frame['date'], unit='ms')"
    )


def _readings(numbers: pa.ChunkedArray) -> dict[str, pa.ChunkedArray]:
    """Return the likely readings of a column of whole numbers: what they are, and the times."""
    low, high = pc.min_max(numbers).as_py().values()
    found = {
        f"{_UNITS[unit]} since 1970": pc.cast(numbers, pa.timestamp(unit))
        for unit, per in _PER_SECOND.items()
        if low >= _SOONEST * per and high < _LATEST * per
    }
    for length, form, what in (
        (8, "%Y%m%d", "a day, YYYYMMDD"),
        (10, "%Y%m%d%H", "an hour, YYYYMMDDHH"),
    ):
        if 10 ** (length - 1) <= low <= high < 10**length:
            times = pc.strptime(
                pc.cast(numbers, pa.string()), format=form, unit="s", error_is_null=True
            )
            years = pc.year(times)
            sound = pc.and_(pc.greater_equal(years, 1980), pc.less(years, 2100))
            if length == 8:  # Arrow reads February 30 as March 1
                days = pc.cast(pc.strftime(times, format=form), pa.int64())
                sound = pc.and_(sound, pc.equal(days, numbers))
            if times.null_count == numbers.null_count and pc.all(sound).as_py():
                found[what] = times
    return found


def _any_readings(number: int) -> list[str]:
    """Return the readings of a number of which none is likely, for a message."""
    found = []
    for unit, per in _PER_SECOND.items():
        micros = number * 10**6 // per
        if EARLIEST <= micros <= LATEST:
            found.append(
                f"{to_datetime(micros, aware=False).isoformat(' ')} ({_UNITS[unit]} since 1970)"
            )
    form = _TIME_DIGITS.get(len(str(number)))
    return [*found, form] if form else found


def zone_of_midnights(moments: pa.ChunkedArray) -> str:
    """Return the zone of timestamps or texts if all are midnights there, but not in UTC."""
    moments = decoded(moments)
    if is_text(moments.type):
        return _offset_of_midnights(pc.drop_null(pc.cast(moments, pa.string())))
    if not pa.types.is_timestamp(moments.type) or moments.type.tz in (None, "UTC"):
        return ""
    local = local_times(moments)
    if local is None:
        return ""
    plain = pc.cast(pc.cast(moments, pa.int64()), local.type)
    is_midnight = _all_midnights(local) and not _all_midnights(plain)
    return str(moments.type.tz) if is_midnight else ""


def lost_midnights(dates: pa.ChunkedArray) -> Midnights | None:
    """Return the zone of which instants, in microseconds, are all midnights, but not those of UTC.

    The zone is not named in them.
    """
    instants = buffer_of(dates, "q")
    if not any(instants[at] % _DAY for at in (0, len(dates) // 2, -1) if len(dates)):
        return None  # the usual case, at no cost
    return midnights_of(pc.cast(dates, pa.int64()))


def _offset_of_midnights(texts: pa.ChunkedArray) -> str:
    """Return the first offset of ISO texts that are all midnights, but not all in UTC."""
    if not len(texts) or not pc.all(pc.match_substring_regex(texts, _MIDNIGHT)).as_py():
        return ""
    offsets = pc.replace_substring_regex(texts, r"^.*?([+-]\d\d)?:?(\d\d)?\s*$", r"\1:\2")
    elsewhere = pc.invert(pc.match_substring_regex(offsets, r"^[+-]00:00$"))
    row = pc.index(elsewhere, True).as_py()
    return "" if row < 0 else f"UTC{offsets[row].as_py()}"


def _all_midnights(moments: pa.ChunkedArray) -> bool:
    return bool(pc.all(pc.equal(pc.floor_temporal(moments, unit="day"), moments)).as_py())


def _is_within_years(moments: pa.ChunkedArray) -> bool:
    found = pc.min_max(pc.cast(moments, pa.int64())).as_py()
    low, high = _years(moments.type.unit)
    return found["min"] is None or low <= found["min"] <= found["max"] <= high


def _years(unit: str) -> tuple[int, int]:
    """Return the first and last moment of the years 1 to 9999 in a unit."""
    if unit == "ns":  # all values of 64 bits are within the years
        return -(2**63), 2**63 - 1
    per = _PER_SECOND[unit]
    return EARLIEST * per // 10**6, LATEST * per // 10**6


def _outside(moments: pa.ChunkedArray) -> tuple[str, pa.ChunkedArray]:
    numbers = pc.cast(moments, pa.int64())
    low, high = _years(moments.type.unit)
    outside = pc.or_(pc.less(numbers, low), pc.greater(numbers, high))
    return "outside the years 1 to 9999", outside


def _finer(moments: pa.ChunkedArray) -> tuple[str, pa.ChunkedArray]:
    numbers = pc.cast(moments, pa.int64())
    text = (
        "a store keeps whole microseconds and does not round; floor a finer time before writing it"
    )
    if moments.type.unit != "ns":
        return text, pc.fill_null(pc.equal(numbers, None), False)
    return text, pc.not_equal(pc.multiply(pc.divide(numbers, 1000), 1000), numbers)
