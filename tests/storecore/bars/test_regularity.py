"""Dates that do not fit the timeframe of their series: what is seen, and what is left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from storecore.bars import regularity
from storecore.bars.regularity import misfit, mixed_stamps

MONDAY = datetime(2026, 1, 5)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def every(step, count, start=MONDAY):
    return [start + step * each for each in range(count)]


def found(dates, timeframe):
    instants = pa.array(sorted(dates), pa.timestamp("us")).cast(pa.int64())
    return misfit(instants, timeframe)


def in_zone(zone, days):
    """Midnights of a zone, as they are in UTC."""
    local = [day.replace(tzinfo=ZoneInfo(zone)) for day in days]
    return [each.astimezone(UTC).replace(tzinfo=None) for each in local]


@pytest.mark.parametrize(
    ("dates", "timeframe", "looks_like", "fits"),
    [
        (every(MINUTE, 390), "1d", "it looks like bars of 1m", "1m"),
        (every(5 * MINUTE, 90), "1h", "it looks like bars of 5m", "5m"),
        (every(HOUR, 48), "1d", "it looks like bars of 1h", "1h"),
        (every(HOUR, 3, MONDAY + 14.5 * HOUR), "1d", "it looks like bars of 1h", "1h"),
        (every(HOUR, 2, MONDAY + 14.5 * HOUR), "1d", "it looks like bars of 1h", "1h"),
        (every(HOUR, 3), "1d", "it looks like bars of 1h", "1h"),
        (every(4 * HOUR, 12), "1d", "it looks like bars of 4h", "4h"),
        (every(12 * HOUR, 12), "1d", "it looks like bars of 12h", "12h"),
        (every(DAY, 60), "1mo", "it looks like bars of 1d", "1d"),
        (every(DAY, 400), "1y", "it looks like bars of 1d", "1d"),
        (every(DAY, 10), "1w", "it looks like bars of 1d", "1d"),
        (every(DAY, 10), "1m", "it looks like bars of 1d", "1d"),
        (in_zone("America/New_York", every(DAY, 200)), "1h", "it looks like bars of 1d", "1d"),
        (every(HOUR, 30), "5m", "it looks like bars of 1h", "1h"),
        (every(timedelta(microseconds=7), 3), "1s", "its bars are closer than the timeframe", ""),
    ],
)
def test_what_does_not_fit_is_named_by_what_it_looks_like(dates, timeframe, looks_like, fits):
    seen = found(dates, timeframe)
    assert (seen.looks_like, seen.timeframe) == (looks_like, fits)


def stamped(dates, timeframe="1d"):
    return mixed_stamps(pa.array(sorted(dates), pa.timestamp("us")).cast(pa.int64()), timeframe)


def test_days_of_one_vendor_after_another_are_seen_by_their_times():
    days, later = every(DAY, 4), every(DAY, 3, MONDAY + 4 * DAY + 15 * HOUR)
    seen = stamped([*days, *later])
    assert str(seen) == (
        "4 bars are at midnight in UTC and 3 are not; it looks like days that are stamped in "
        "different ways, at 00:00 and 15:00 UTC"
    )
    assert seen.advice == 'with day="written" each is filed under the day that is written'


@pytest.mark.parametrize(
    ("dates", "timeframe"),
    [
        (every(DAY, 10), "1d"),
        (every(DAY, 10, MONDAY + 15 * HOUR), "1d"),
        ([*every(DAY, 9), MONDAY + 9 * DAY + HOUR], "1d"),
        ([MONDAY, *every(DAY, 9, MONDAY + DAY + HOUR)], "1d"),
        (in_zone("Europe/London", every(DAY, 300)), "1d"),
        ([MONDAY + n * (DAY + HOUR) for n in range(20)], "1d"),
        ([*every(DAY, 4), *every(DAY, 3, MONDAY + 4 * DAY + 15 * HOUR)], "1h"),
        ([*every(DAY, 4), *every(DAY, 3, MONDAY + 4 * DAY + 15 * HOUR)], "session"),
        ([MONDAY], "1d"),
    ],
)
def test_one_way_of_stamping_or_an_odd_bar_is_not_reported(dates, timeframe):
    assert stamped(dates, timeframe) is None


def test_days_of_two_vendors_are_seen_by_their_times():
    days = every(DAY, 5)
    seen = found([*days, *in_zone("Asia/Tokyo", days)], "1d")
    assert str(seen) == (
        "4 of 6 days have several bars, the first 2026-01-05 00:00:00; it looks like "
        "days that are stamped in different ways, at 00:00 and 15:00 UTC"
    )
    assert seen.timeframe == ""


def test_periods_of_many_units_are_named():
    assert found(every(MINUTE, 12), "5m").what.startswith(
        "3 of 3 periods of 5 minutes have several"
    )
    assert found(every(DAY, 9), "2w").what.startswith("2 of 2 weeks have several bars")


def test_days_of_a_zone_whose_clocks_change_are_two_on_one_day():
    assert found(in_zone("Europe/London", every(DAY, 100)), "1d") is not None


@pytest.mark.parametrize(
    ("dates", "timeframe"),
    [
        ([], "1d"),
        ([MONDAY], "1m"),
        (every(DAY, 2), "1m"),
        (every(DAY, 400), "1d"),
        (every(DAY, 400, MONDAY + 16 * HOUR), "1d"),
        (in_zone("America/New_York", every(DAY, 400)), "1d"),
        (in_zone("Asia/Tokyo", every(DAY, 400)), "1d"),
        (every(7 * DAY, 60), "1w"),
        (every(7 * DAY, 60, MONDAY + 4 * DAY), "1w"),
        ([datetime(2026, month, 1) for month in range(1, 13)], "1mo"),
        ([datetime(2020 + year, 12, 31) for year in range(5)], "1y"),
        ([datetime(1969, 12, 31, 12), datetime(1970, 1, 1, 0)], "1d"),
        (every(MINUTE, 390), "1m"),
        (every(HOUR, 8, MONDAY + 9.5 * HOUR), "1h"),
        ([*every(HOUR, 7, MONDAY + 9.5 * HOUR), MONDAY + 16 * HOUR], "1h"),
        (every(4 * HOUR, 12, MONDAY + 1.5 * HOUR), "4h"),
        (every(HOUR, 9), "1m"),
        ([MONDAY, MONDAY + 7 * HOUR, MONDAY + DAY, MONDAY + 4 * DAY], "1m"),
        (every(MINUTE, 390), "session"),
        (every(2 * DAY, 30), "2d"),
    ],
)
def test_what_fits_or_proves_nothing_is_left_alone(dates, timeframe):
    assert found(dates, timeframe) is None


@pytest.mark.parametrize("piece", [1, 2, 3, 9])
def test_bars_of_one_period_are_seen_between_two_pieces_of_a_long_series(monkeypatch, piece):
    monkeypatch.setattr(regularity, "_PIECE", piece)
    dates = sorted([*every(timedelta(days=1), 6), MONDAY + timedelta(days=3, hours=5)])
    assert "1 of 6 days have several bars" in str(found(dates, "1d"))
    assert found(every(timedelta(days=1), 6), "1d") is None
