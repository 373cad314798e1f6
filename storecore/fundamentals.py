"""The fundamental laws: a document checked against its model before it is written."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from storecore.errors import InvalidData
from storecore.instants import exact_datetime, exact_instant
from storecore.lossless import checked
from storecore.models import FundamentalData
from storecore.names import check_owner

_PLACEHOLDER = datetime(1970, 1, 1)


def checked_fundamental(symbol: str, data: FundamentalData) -> FundamentalData:
    """Return data with plain values and its timestamp as given, time zone and all (law T2).

    Raises `InvalidData` naming the field (laws N3, T1, T3).
    """
    what = "data"
    if not isinstance(data, FundamentalData):
        raise InvalidData(f"{what}: expected a FundamentalData, got {type(data).__name__}")
    check_owner(symbol, data.symbol, what)
    exact_instant(data.timestamp, f"{what}.timestamp")
    timestamp = exact_datetime(data.timestamp, f"{what}.timestamp")
    # The timestamp stays out of the JSON check, which would turn its time zone into an offset.
    plain = checked(replace(data, timestamp=_PLACEHOLDER), FundamentalData, what)
    return replace(plain, timestamp=timestamp)
