"""The fundamental laws: a document checked before it is written, and its exact form as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec.structs import asdict, replace

from storecore.batches import listed
from storecore.errors import InvalidData, StorageError
from storecore.instants import exact_datetime, exact_instant
from storecore.lossless import checked
from storecore.models import FundamentalData
from storecore.names import check_name, check_owner

_PLACEHOLDER = datetime(1970, 1, 1)


def checked_fundamental(symbol: str, data: FundamentalData, what: str = "data") -> FundamentalData:
    """Return data with plain values and its timestamp as given, time zone and all (law T2).

    Raises `InvalidData` naming the field (laws N3, T1, T3).
    """
    if not isinstance(data, FundamentalData):
        raise InvalidData(f"{what}: expected a FundamentalData, got {type(data).__name__}")
    check_owner(symbol, data.symbol, what)
    timestamp = exact_datetime(data.timestamp, f"{what}.timestamp")
    _check_offset(timestamp, f"{what}.timestamp")
    # The timestamp stays out of the JSON check, which would turn its time zone into an offset.
    plain = checked(replace(data, timestamp=_PLACEHOLDER), FundamentalData, what)
    return replace(plain, timestamp=timestamp)


def checked_fundamentals(fundamentals: Iterable[FundamentalData]) -> list[FundamentalData]:
    """Return a batch, each checked and filed under its own symbol, before any is written."""
    batch = listed(fundamentals, "FundamentalData", "fundamentals")
    return [_checked_row(data, f"fundamentals[{row}]") for row, data in enumerate(batch)]


def _checked_row(data: FundamentalData, what: str) -> FundamentalData:
    own = getattr(data, "symbol", "")
    plain = checked_fundamental(own, data, what)
    check_name(plain.symbol, f"{what}.symbol")
    return plain


def _check_offset(timestamp: datetime, what: str) -> None:
    """Refuse an offset that does not come back from text: below a second, `fromisoformat` errs."""
    text = timestamp.isoformat()
    if exact_instant(datetime.fromisoformat(text), what) != exact_instant(timestamp, what):
        raise InvalidData(f"{what}={text}: its UTC offset cannot be kept; convert it to UTC first")


def encode_fundamental(data: FundamentalData) -> bytes:
    """Return checked data as JSON: its timestamp with the offset, its zone's name beside it."""
    tzinfo = data.timestamp.tzinfo
    zone = tzinfo.key if isinstance(tzinfo, ZoneInfo) else None
    stamp = {"timestamp": data.timestamp.isoformat(), "timezone": zone}
    return msgspec.json.encode({**asdict(data), **stamp})


def decode_fundamental(encoded: bytes) -> FundamentalData:
    """Return the data that was encoded. Raises `ValueError` where it is none."""
    try:
        fields = msgspec.json.decode(encoded)
        zone = fields.pop("timezone")
        stamp = datetime.fromisoformat(fields.pop("timestamp"))
        return FundamentalData(timestamp=_in_zone(stamp, zone), **fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the fields of a fundamental: {error}") from error


def _in_zone(stamp: datetime, zone: str | None) -> datetime:
    """Return a moment in its named zone, or with its offset alone where no such zone is known."""
    if zone is None:
        return stamp
    try:
        there = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError):  # a folder of zones
        return stamp
    except OSError as error:  # it may be known, and another answer than it would give is wrong
        raise StorageError(f"cannot read the time zone {zone!r}: {error.strerror}") from error
    for fold in (0, 1):  # only the offset tells which hour of a clock change was meant
        local = stamp.replace(tzinfo=there, fold=fold)
        if local.utcoffset() == stamp.utcoffset():
            return local
    return stamp.astimezone(there)
