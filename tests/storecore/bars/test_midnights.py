"""The zone of days whose stamps are midnights somewhere else than in UTC."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest

from storecore.bars.midnights import Midnights, midnights_of

WINTER, SPRING = datetime(2026, 1, 5), datetime(2026, 2, 25)


def instants(first, count=30, zone=None, step=timedelta(days=1)):
    local = pd.DatetimeIndex([first + number * step for number in range(count)])
    moments = local.tz_localize(zone).tz_convert("UTC").tz_localize(None) if zone else local
    return pa.array(moments, pa.timestamp("us")).cast(pa.int64())


@pytest.mark.parametrize(
    ("first", "zone", "found"),
    [
        (WINTER, "America/New_York", Midnights("America/New_York", "05:00")),
        (SPRING, "America/New_York", Midnights("America/New_York", "04:00 and 05:00")),
        (SPRING, "America/Chicago", Midnights("America/Chicago", "05:00 and 06:00")),
        (datetime(2026, 3, 15), "Europe/London", Midnights("Europe/London", "00:00 and 23:00")),
        (WINTER, "Asia/Kolkata", Midnights("Asia/Kolkata", "18:30")),
        (WINTER, "Asia/Seoul", Midnights("Asia/Tokyo", "15:00")),
        (WINTER, "Europe/London", None),
        (WINTER, None, None),
    ],
)
def test_a_zone_is_found_by_the_times_of_its_midnights(first, zone, found):
    assert midnights_of(instants(first, zone=zone)) == found


def test_other_times_of_the_day_are_no_midnights():
    """The end of a session, noon, and times that no zone has on that side of its clock change."""
    assert midnights_of(instants(datetime(2026, 1, 5, 21))) is None
    assert midnights_of(instants(datetime(2026, 1, 5, 12))) is None
    assert midnights_of(instants(datetime(2026, 7, 5, 5), zone=None)).zone == "America/Chicago"
    both = pa.concat_arrays([instants(datetime(2026, 1, 5, 4)), instants(datetime(2026, 2, 5, 5))])
    assert midnights_of(both) is None


def test_few_stamps_and_hours_within_a_day_prove_nothing():
    assert midnights_of(instants(WINTER, 2, "America/New_York")) is None
    assert midnights_of(instants(WINTER, 30, step=timedelta(hours=1))) is None


def test_without_a_time_zone_database_nothing_is_found(monkeypatch):
    monkeypatch.setattr("storecore.bars.midnights._ZONES", ("No/Where",))
    assert midnights_of(instants(WINTER, zone="America/New_York")) is None
