"""Days that are stamped at the midnights of an exchange's time zone, as instants in UTC.

The zone itself is lost in such stamps. They are recognized by their clock: 05:00 in winter and
04:00 in summer is midnight in New York.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.values.timeframes import DAY

_FEWEST = 3  # fewer stamps may be at such a time by chance
_MOST_CLOCKS = 2  # of the midnights of a zone, since clocks change
# One zone for each clock; others have the same midnights.
_ZONES = (
    *("America/New_York", "America/Chicago", "Europe/London", "Europe/Berlin"),
    *("Asia/Tokyo", "Asia/Shanghai", "Asia/Kolkata", "Australia/Sydney"),
)


class Midnights(NamedTuple):
    """A zone, and the times of the day in UTC at which its midnights are: "04:00 and 05:00"."""

    zone: str
    clocks: str


def midnights_of(instants: pa.Array | pa.ChunkedArray) -> Midnights | None:
    """Return the zone of which all instants are midnights, None if they are those of UTC.

    An instant is in microseconds since 1970. Without a time zone database nothing is found.
    """
    if len(instants) < _FEWEST:
        return None
    clocks = pc.unique(clocks_of(instants)).to_pylist()
    if len(clocks) > _MOST_CLOCKS or clocks == [0]:
        return None
    moments = pc.cast(instants, pa.timestamp("us", "UTC"))
    for zone in _ZONES:
        with suppress(pa.ArrowInvalid):
            local = pc.local_timestamp(pc.cast(moments, pa.timestamp("us", zone)))
            if pc.all(pc.equal(pc.floor_temporal(local, unit="day"), local)).as_py():
                return Midnights(zone, clock_names(clocks))
    return None


def clocks_of(instants: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return the time since midnight in UTC of each instant."""
    moments = pc.cast(instants, pa.timestamp("us"))
    days = pc.cast(pc.floor_temporal(moments, unit="day"), pa.int64())
    return pc.subtract(pc.cast(instants, pa.int64()), days)


def clock_names(clocks: list[int]) -> str:
    """Return times of the day as words: "00:00 and 05:00"."""
    minutes = (each * 24 * 60 // DAY for each in sorted(clocks))
    return " and ".join(f"{each // 60:02}:{each % 60:02}" for each in minutes)
