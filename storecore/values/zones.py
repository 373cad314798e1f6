"""Named time zones: the name of a zone of any library, and a moment in the zone of a name."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from storecore.errors import StorageError

_NOON = datetime(2000, 1, 1, 12, tzinfo=UTC)
_DATABASE = "zoneinfo/"  # the folder in which dateutil finds its zones


def zone_name(zone: tzinfo | None) -> str | None:
    """Return the name of a time zone of zoneinfo, pytz or dateutil; None if it has none."""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if name is None:
        _, found, rest = str(getattr(zone, "_filename", "")).rpartition(_DATABASE)
        name = rest if found else None
    return name if isinstance(name, str) else None


def in_zone(stamp: datetime, name: str | None) -> datetime:
    """Return a moment with an offset in a named zone; unchanged if the zone is unknown here.

    Raises `StorageError` if the zone may exist and cannot be read.
    """
    if name is None:
        return stamp
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError):  # a folder of zones
        return stamp
    except OSError as error:  # the zone may exist: without it the result would be wrong
        raise StorageError(f"cannot read the time zone {name!r}: {error.strerror}") from error
    for fold in (0, 1):  # only the offset decides which hour of a clock change is meant
        local = stamp.replace(tzinfo=zone, fold=fold)
        if local.utcoffset() == stamp.utcoffset():
            return local
    try:
        return stamp.astimezone(zone)
    except OverflowError:  # the zone's own time is beyond the years of Python
        return stamp


@lru_cache(maxsize=64)
def _is_plain(zone: ZoneInfo) -> bool:
    """Return whether a zone is the one that its name gives here."""
    return in_zone(_NOON, zone_name(zone)).tzinfo is zone


def plain_zone(stamp: datetime) -> datetime:
    """Return a datetime with its time zone as a `ZoneInfo`, or as an offset if it has no name."""
    zone = stamp.tzinfo
    if zone is None or zone is UTC or (isinstance(zone, ZoneInfo) and _is_plain(zone)):
        return stamp
    return in_zone(datetime.fromisoformat(stamp.isoformat()), zone_name(zone))
