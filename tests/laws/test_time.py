"""Laws T1 to T3: instants to the microsecond, answered in the kind that was asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import InvalidData

NOON = datetime(2026, 1, 5, 12)
NEW_YORK = ZoneInfo("America/New_York")
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
aware = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=offsets)


@pytest.mark.parametrize(
    ("given_as", "utc"),
    [
        (NOON, NOON),
        (NOON.replace(tzinfo=UTC), NOON),
        (NOON.replace(tzinfo=NEW_YORK), datetime(2026, 1, 5, 17)),
        (datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK), datetime(2026, 11, 1, 5, 30)),
        (datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=NEW_YORK), datetime(2026, 11, 1, 6, 30)),
        (pd.Timestamp("2026-01-05 12:00"), NOON),
        (pd.Timestamp("2026-01-05 12:00", tz="Asia/Tokyo"), datetime(2026, 1, 5, 3)),
        (np.datetime64("2026-01-05T12:00:00.000001"), NOON + timedelta(microseconds=1)),
        (np.datetime64("2026-01-05T12", "ns"), NOON),
        (np.datetime64("2026-01-05"), datetime(2026, 1, 5)),
        (date(2026, 1, 5), datetime(2026, 1, 5)),
        (datetime.min, datetime.min),
        (datetime.max, datetime.max),
    ],
)
def test_t1_a_bar_is_kept_at_its_instant(store, bar, given_as, utc):
    store.write_bars("AAPL", [bar(given_as)])
    (read,) = store.read_bars("AAPL", datetime.min, datetime.max)
    assert (read.date, read.date.tzinfo) == (utc, None)
    assert type(read.date) is datetime


@given(moments=st.lists(aware, min_size=1, max_size=5))
def test_t1_every_aware_moment_comes_back_to_the_microsecond(store, bar, fresh_name, moments):
    symbol = fresh_name()
    store.write_bars(symbol, [bar(moment, symbol=symbol) for moment in moments])
    read = store.read_bars(symbol, datetime.min, datetime.max)
    assert [each.date for each in read] == sorted(
        {moment.astimezone(UTC).replace(tzinfo=None) for moment in moments}
    )


@pytest.mark.parametrize(
    "moment",
    [
        pd.Timestamp("2026-01-05 12:00:00.000000001"),
        np.datetime64("2026-01-05T12:00:00.000000001"),
        pd.NaT,
        np.datetime64("NaT", "us"),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
        "2026-01-05",
        1_767_571_200,
        None,
    ],
)
def test_t1_what_is_no_microsecond_is_refused_and_named(store, bar, moment):
    with pytest.raises(InvalidData, match=r"bars\[1\]\.date"):
        store.write_bars("AAPL", [bar(), bar(moment)])
    assert store.read_bars("AAPL", date.min, date.max) == []


@pytest.mark.parametrize("moment", [pd.Timestamp("2026-01-05 12:00:00.000000001"), "now", None])
def test_t1_an_event_finer_than_a_microsecond_is_refused(store, event, moment):
    with pytest.raises(InvalidData, match=r"event\.ingested_at"):
        store.write_event(event(ingested_at=moment))
    assert store.read_events(date.min, date.max) == []


def test_t2_bars_come_back_in_the_kind_asked_for(store, bar):
    store.write_bars("AAPL", [bar(NOON)])
    (naive,) = store.read_bars("AAPL", datetime.min, datetime.max)
    (in_utc,) = store.read_bars("AAPL", NOON.replace(tzinfo=NEW_YORK) - timedelta(1), NOON_UTC)
    assert (naive.date.tzinfo, in_utc.date.tzinfo) == (None, UTC)
    assert (naive.date, in_utc.date) == (NOON, NOON_UTC)


NOON_UTC = NOON.replace(tzinfo=UTC)


def test_t2_events_come_back_in_the_kind_asked_for(store, event):
    store.write_event(event(NOON, ingested_at=NOON.replace(tzinfo=NEW_YORK)))
    (naive,) = store.read_events(NOON, NOON)
    (in_utc,) = store.read_events(NOON_UTC, NOON_UTC)
    assert (naive.timestamp, naive.ingested_at) == (NOON, NOON + timedelta(hours=5))
    assert (in_utc.timestamp, in_utc.ingested_at) == (NOON_UTC, NOON_UTC + timedelta(hours=5))
    assert (naive.ingested_at.tzinfo, in_utc.ingested_at.tzinfo) == (None, UTC)


def test_t2_one_naive_and_one_aware_bound_is_a_value_error(store):
    for read in (lambda *span: store.read_bars("AAPL", *span), store.read_events):
        with pytest.raises(ValueError, match="one is naive and one is aware"):
            read(NOON, NOON_UTC)


def test_t2_a_date_beside_a_datetime_takes_its_kind(store, bar):
    store.write_bars("AAPL", [bar(NOON)])
    (read,) = store.read_bars("AAPL", date(2026, 1, 1), NOON_UTC)
    assert read.date.tzinfo is UTC


@pytest.mark.parametrize(
    "moment",
    [
        NOON,
        NOON_UTC,
        NOON.replace(tzinfo=NEW_YORK),
        datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=NEW_YORK),
        NOON.replace(tzinfo=timezone(timedelta(hours=5, minutes=30, seconds=7))),
        datetime(1850, 1, 1, tzinfo=NEW_YORK),  # local mean time: -4:56:02
    ],
)
def test_t2_a_fundamental_comes_back_exactly_as_it_was_written(store, fundamental, moment):
    store.write_fundamental("AAPL", fundamental(moment))
    read = store.read_fundamental("AAPL")
    assert read == fundamental(moment)
    assert (repr(read.timestamp), read.timestamp.fold) == (repr(moment), moment.fold)


def test_t3_a_range_includes_both_ends(store, bar, event):
    moments = [NOON + timedelta(microseconds=step) for step in range(4)]
    store.write_bars("AAPL", [bar(moment) for moment in moments])
    for moment in moments:
        store.write_event(event(moment))
    bars = store.read_bars("AAPL", moments[1], moments[2])
    events = store.read_events(moments[1], moments[2])
    assert [each.date for each in bars] == moments[1:3]
    assert [each.timestamp for each in events] == moments[1:3]


def test_t3_a_date_is_its_midnight_as_a_start_and_its_last_microsecond_as_an_end(store, bar):
    day = datetime(2026, 1, 5)
    last = datetime(2026, 1, 5, 23, 59, 59, 999_999)
    tick = timedelta(microseconds=1)
    store.write_bars("AAPL", [bar(moment) for moment in (day - tick, day, last, last + tick)])
    read = store.read_bars("AAPL", date(2026, 1, 5), date(2026, 1, 5))
    assert [each.date for each in read] == [day, last]


def test_t3_a_start_after_the_end_is_an_empty_range(store, bar, event):
    store.write_bars("AAPL", [bar(NOON)])
    store.write_event(event(NOON))
    assert store.read_bars("AAPL", date(2026, 1, 6), date(2026, 1, 4)) == []
    assert store.read_events(date(2026, 1, 6), date(2026, 1, 4)) == []


@pytest.mark.parametrize("bound", [None, "2026-01-05", 0, pd.NaT])
def test_t3_a_bound_that_is_no_time_is_refused(store, bound):
    with pytest.raises(InvalidData, match="start="):
        store.read_bars("AAPL", bound, NOON)
    with pytest.raises(InvalidData, match="end="):
        store.read_events(NOON, bound)


def test_t3_as_of_takes_no_bare_date(store):
    with pytest.raises(InvalidData, match=r"as_of=.*expected a datetime"):
        store.read_fundamental("AAPL", as_of=date(2026, 1, 5))


def test_t3_a_fundamental_or_event_of_a_bare_date_is_refused(store, fundamental, event):
    with pytest.raises(InvalidData, match=r"data\.timestamp"):
        store.write_fundamental("AAPL", fundamental(date(2026, 1, 5)))
    with pytest.raises(InvalidData, match=r"event\.timestamp"):
        store.write_event(event(date(2026, 1, 5)))
