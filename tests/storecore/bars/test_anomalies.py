"""A data report on bars: what is odd is counted and placed, and what is usual is no gap."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from storecore import PriceBar
from storecore.bars.anomalies import Seen, anomalies, anomalies_of
from storecore.bars.rows import bar_columns
from storecore.bars.table import EMPTY, series_table

MONDAY = datetime(2026, 1, 5)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def table(dates, opened=1.0, high=2.0, low=0.5, close=1.5):
    bars = [PriceBar("AAPL", date, opened, high, low, close, 1) for date in dates]
    return series_table(bar_columns("AAPL", bars))


def every(step, count, start=MONDAY):
    return [start + step * each for each in range(count)]


def sessions(days, minutes=30):
    """Minutes of trading days: two halves with a lunch break, no weekends."""
    starts = [day + timedelta(hours=hour) for day in days for hour in (9, 13)]
    return [minute for start in starts for minute in every(MINUTE, minutes, start)]


def weekdays(count):
    return [day for day in every(DAY, count) if day.weekday() < 5]


def found(*dates):
    return [(each.kind, each.detail) for each in anomalies(map(table, dates))]


@pytest.mark.parametrize(
    ("prices", "kind"),
    [
        ({"high": 0.4}, "high below low"),
        ({"opened": 2.5}, "open or close outside its bar"),
        ({"opened": 0.1}, "open or close outside its bar"),
        ({"close": 2.5}, "open or close outside its bar"),
        ({"close": 0.1}, "open or close outside its bar"),
    ],
)
def test_an_odd_bar_is_reported_with_its_date(prices, kind):
    odd = table([MONDAY], **prices)
    usual = table([MONDAY + DAY])
    assert anomalies([odd, usual]) == [(kind, "1 bar, the first of 2026-01-05 00:00:00")]


def test_odd_bars_are_counted_over_all_tables():
    odd = [table(every(DAY, 2, MONDAY + DAY * start), high=0.1) for start in (0, 2)]
    assert anomalies(odd) == [("high below low", "4 bars, the first of 2026-01-05 00:00:00")]


@pytest.mark.parametrize("dates", [[], every(DAY, 3), [MONDAY, MONDAY + 900 * DAY]])
def test_few_bars_have_no_rhythm_and_no_gap(dates):
    assert found(dates) == []
    assert anomalies([EMPTY]) == anomalies([]) == []


@pytest.mark.parametrize(
    "dates",
    [
        every(DAY, 400),
        weekdays(400),
        every(MINUTE, 3_000),
        sessions(weekdays(60)),
        sessions(every(DAY, 25)),
        every(timedelta(days=7), 60),
    ],
)
def test_what_comes_again_is_no_gap(dates):
    assert found(dates) == []


def test_a_month_without_bars_is_a_gap_among_days():
    dates = weekdays(300)
    missing = [date for date in dates if not datetime(2026, 6, 1) <= date < datetime(2026, 7, 1)]
    ends = "2026-05-29 00:00:00 to 2026-07-01 00:00:00"
    assert found(missing) == [("gap", f"1 longer than its rhythm, the longest from {ends}")]


def test_an_hour_without_bars_is_a_gap_among_minutes_around_the_clock():
    dates = every(MINUTE, 6_000)
    assert [kind for kind, _ in found(dates[:3_000], dates[3_060:])] == ["gap"]


def test_gaps_are_counted_and_the_longest_is_shown():
    dates = [*every(DAY, 99), *every(DAY, 99, MONDAY + 200 * DAY)]
    dates += every(DAY, 99, MONDAY + 350 * DAY)
    assert found(dates)[0][1].startswith("2 longer than its rhythm, the longest from 2026-04-13")


def test_b6_null_volumes_and_further_columns_are_no_anomalies():
    plain = table(every(DAY, 30))
    nulls = plain.set_column(5, "volume", pa.nulls(30, pa.float64()))
    assert anomalies([nulls.append_column("vwap", pa.nulls(30, pa.float64()))]) == []


@pytest.mark.parametrize("piece", [20, 59, 60, 61, 1_000])
def test_gaps_are_the_same_if_a_series_is_looked_at_in_pieces(monkeypatch, piece):
    dates = [*every(MINUTE, 600), *every(MINUTE, 600, MONDAY + timedelta(hours=12))]
    dates += every(MINUTE, 600, MONDAY + 9 * DAY)
    dates += [date + 60 * DAY + 7 * number * MINUTE for number, date in enumerate(dates[:90])]
    whole = found(dates)
    monkeypatch.setattr("storecore.bars.anomalies._PIECE", piece)
    assert found(dates) == whole
    assert [kind for kind, _ in whole] == ["gap"]


def test_gaps_of_a_series_with_a_rhythm_take_little_memory():
    dates = pa.array(range(0, 500_000 * 60_000_000, 60_000_000), pa.int64())
    bars = Seen(pa.chunked_array([dates]), [], [])
    usual, pool = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(pool)
    try:
        assert anomalies_of([bars]) == []
    finally:
        pa.set_memory_pool(usual)
    assert pool.max_memory() < 4 * dates.nbytes
