"""Columns of bare days and of times of the day, as tables have them that split their dates."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from storecore.store.frames.numbers import decoded, is_text

_CLOCK = r"^\s*\d{1,2}:\d\d(:\d\d(\.\d+)?)?\s*([AaPp][Mm])?\s*$"
_DAY = r"^\s*(\d{4}\D?\d\d?\D?\d\d?|\d\d?\D\d\d?\D\d{4})\s*$"


def local_times(moments: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return timestamps as a clock in their zone shows them, None if the zone is not known."""
    try:
        return pc.local_timestamp(moments) if moments.type.tz else moments
    except pa.ArrowInvalid:  # a name of another library, such as that of a dateutil.tz.tzoffset
        return None


def is_clock(values: pa.ChunkedArray) -> bool:
    """Return whether all values are times of a day, such as 09:30."""
    values = decoded(values)
    return pa.types.is_time(values.type) or _match(values, _CLOCK)


def is_day(values: pa.ChunkedArray) -> bool:
    """Return whether all values are days: dates, midnights, or texts and numbers of days."""
    values = decoded(values)
    kind = values.type
    if pa.types.is_timestamp(kind):
        local = local_times(values)
        if local is None:
            return False
        return pc.all(pc.equal(pc.floor_temporal(local, unit="day"), local)).as_py() is not False
    if pa.types.is_integer(kind):
        values = pc.cast(values, pa.string())
    return bool(pa.types.is_date(kind)) or _match(values, _DAY)


def _match(values: pa.ChunkedArray, form: str) -> bool:
    if not is_text(values.type):
        return False
    texts = pc.cast(values, pa.string())
    return pc.all(pc.match_substring_regex(texts, form)).as_py() is not False
