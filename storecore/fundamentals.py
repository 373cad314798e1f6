"""The fundamental laws: checks of fundamentals, and their codec as JSON documents."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from operator import itemgetter

import msgspec
from msgspec.structs import asdict, replace

from storecore.errors import InvalidData
from storecore.models import FundamentalData
from storecore.values.batches import listed
from storecore.values.documents import checked, decode_document, encode_document
from storecore.values.names import check_name, check_owner
from storecore.values.times import TimeRange, exact_datetime, exact_instant
from storecore.values.zones import in_zone, plain_zone, zone_name

_PLACEHOLDER = datetime(1970, 1, 1)


def checked_fundamental(symbol: str, data: FundamentalData, what: str = "data") -> FundamentalData:
    """Return data with plain values; its timestamp keeps its time zone, by name (law T2).

    Raises `InvalidData` naming the field (laws N3, T1, T3), `NotSerializable` for its `extra`.
    """
    if not isinstance(data, FundamentalData):
        raise InvalidData(f"{what}: expected a FundamentalData, got {type(data).__name__}")
    check_owner(symbol, data.symbol, what)
    timestamp = exact_datetime(data.timestamp, f"{what}.timestamp")
    _check_offset(timestamp, f"{what}.timestamp")
    # The timestamp stays out of the JSON check, which would turn its time zone into an offset.
    plain = checked(replace(data, timestamp=_PLACEHOLDER), FundamentalData, what)
    return replace(plain, timestamp=plain_zone(timestamp))


def checked_fundamentals(fundamentals: Iterable[FundamentalData]) -> list[FundamentalData]:
    """Return a batch of checked fundamentals, each under its own symbol, in the order given.

    An error names the row.
    """
    batch = listed(fundamentals, "FundamentalData", "fundamentals")
    return [_checked_row(data, f"fundamentals[{row}]") for row, data in enumerate(batch)]


def _checked_row(data: FundamentalData, what: str) -> FundamentalData:
    own = getattr(data, "symbol", "")
    plain = checked_fundamental(own, data, what)
    check_name(plain.symbol, f"{what}.symbol")
    return plain


def _check_offset(timestamp: datetime, what: str) -> None:
    """Refuse an offset with fractions of a second, which `fromisoformat` misreads."""
    text = timestamp.isoformat()
    if exact_instant(datetime.fromisoformat(text), what) != exact_instant(timestamp, what):
        raise InvalidData(f"{what}={text}: its UTC offset cannot be kept; convert it to UTC first")


def select_fundamentals(
    fundamentals: Iterable[FundamentalData], span: TimeRange
) -> list[FundamentalData]:
    """Return the fundamentals whose timestamps are in a range, sorted by timestamp."""
    timed = [(exact_instant(each.timestamp, "timestamp"), each) for each in fundamentals]
    kept = [(at, each) for at, each in timed if span.first <= at <= span.last]
    return [each for _, each in sorted(kept, key=itemgetter(0))]


def encode_fundamental(data: FundamentalData) -> bytes:
    """Return checked data as JSON, with the offset of its timestamp and the name of its zone.

    An `extra` of None is left out, as in documents of earlier releases.
    """
    fields = asdict(data)
    if data.extra is None:
        del fields["extra"]
    stamp = {
        "timestamp": data.timestamp.isoformat(),
        "timezone": zone_name(data.timestamp.tzinfo),
    }
    return msgspec.json.encode({**fields, **stamp})


def decode_fundamental(encoded: bytes) -> FundamentalData:
    """Return the encoded data. Raises `ValueError` for any other bytes."""
    try:
        fields = msgspec.json.decode(encoded)
        zone = fields.pop("timezone")
        stamp = datetime.fromisoformat(fields.pop("timestamp"))
        return FundamentalData(timestamp=in_zone(stamp, zone), **fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the fields of a fundamental: {error}") from error


def own_copy(data: FundamentalData) -> FundamentalData:
    """Return data whose `extra` no holder of the original can change."""
    if data.extra is None:
        return data
    return replace(data, extra=decode_document(encode_document(data.extra, "extra")))
