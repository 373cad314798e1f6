"""When a bar has ended: its date and the length of its timeframe."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storecore import EARLIEST, LATEST, InvalidData, InvalidName, to_datetime
from storecore.knowledge.lengths import begun_by, checked_lengths, last_ended
from storecore.values.times import exact_instant

TICK = timedelta(microseconds=1)


def last_date(timeframe, at, **lengths):
    found = last_ended(timeframe, exact_instant(at, "at"), checked_lengths(lengths))
    return to_datetime(found, aware=False)


@pytest.mark.parametrize(
    ("timeframe", "length"),
    [
        ("1s", timedelta(seconds=1)),
        ("5m", timedelta(minutes=5)),
        ("1h", timedelta(hours=1)),
        ("60m", timedelta(hours=1)),
        ("1d", timedelta(hours=24)),
        ("daily", timedelta(hours=24)),
        ("1w", timedelta(days=7)),
        ("2w", timedelta(days=14)),
    ],
)
def test_a_bar_of_a_fixed_length_has_ended_when_that_has_passed(timeframe, length):
    date = datetime(2026, 3, 8, 14, 30)
    assert last_date(timeframe, date + length) == date
    assert last_date(timeframe, date + length - TICK) == date - TICK


@pytest.mark.parametrize(
    ("timeframe", "date", "end"),
    [
        ("1mo", datetime(2026, 1, 1), datetime(2026, 2, 1)),
        ("1mo", datetime(2026, 1, 28, 9, 30), datetime(2026, 2, 28, 9, 30)),
        ("1mo", datetime(2026, 1, 29), datetime(2026, 3, 1)),
        ("1mo", datetime(2026, 1, 31, 23), datetime(2026, 3, 1)),
        ("1mo", datetime(2024, 1, 29), datetime(2024, 2, 29)),
        ("M", datetime(1969, 12, 1), datetime(1970, 1, 1)),
        ("3mo", datetime(2025, 11, 30), datetime(2026, 3, 1)),
        ("1y", datetime(2024, 2, 29), datetime(2025, 3, 1)),
        ("12mo", datetime(2023, 2, 28), datetime(2024, 2, 28)),
        ("1y", datetime(9998, 12, 31), datetime(9999, 12, 31)),
    ],
)
def test_a_month_or_year_ends_on_the_same_day_or_with_the_month_that_lacks_it(timeframe, date, end):
    assert last_date(timeframe, end) >= date
    assert last_date(timeframe, end - TICK) < date


@given(moment=st.datetimes(datetime(1, 3, 1), datetime(9999, 1, 1)), months=st.integers(1, 30))
@example(moment=datetime(2026, 3, 30), months=1)
def test_a_later_bar_of_months_never_ends_earlier(moment, months):
    timeframe = f"{months}mo"
    before, at, after = (
        last_ended(timeframe, exact_instant(each, "at"), {})
        for each in (moment - timedelta(hours=30), moment, moment + timedelta(hours=30))
    )
    assert before <= at <= after


def test_a_bar_longer_than_all_time_has_never_ended():
    assert last_ended("9999y", exact_instant(datetime(2026, 1, 1), "at"), {}) < EARLIEST
    assert last_ended("1mo", exact_instant(datetime(1, 1, 31), "at"), {}) < EARLIEST


def test_a_length_that_is_given_comes_before_that_of_the_name():
    at = datetime(2026, 1, 5, 21)
    assert last_date("1d", at, **{"1d": timedelta(hours=21)}) == datetime(2026, 1, 5)
    assert last_date("session", at, session=timedelta(0)) == at


def test_a_name_without_a_length_needs_one():
    with pytest.raises(InvalidData, match=r"timeframe 'session'.*lengths=\{'session': timedelta"):
        last_date("session", datetime(2026, 1, 5))


@pytest.mark.parametrize("length", [timedelta(-1), 3600, None, "1h"])
def test_a_length_is_a_timedelta_that_is_not_negative(length):
    with pytest.raises(InvalidData, match=r"lengths\['session'\]="):
        checked_lengths({"session": length})


def test_lengths_are_a_mapping_of_names():
    with pytest.raises(InvalidData, match="expected a mapping"):
        checked_lengths([("1d", timedelta(1))])
    with pytest.raises(InvalidName, match="lengths is empty"):
        checked_lengths({"": timedelta(1)})


@pytest.mark.parametrize(
    ("timeframe", "length"),
    [
        ("1h", timedelta(hours=1)),
        ("1mo", timedelta(days=31)),
        ("session", timedelta(hours=6)),
        ("unknown", timedelta(0)),
    ],
)
def test_a_bar_has_begun_a_length_before_the_date_of_its_end(timeframe, length):
    at = exact_instant(datetime(2026, 1, 5), "at")
    lengths = checked_lengths({"session": timedelta(hours=6)})
    assert begun_by(timeframe, at, lengths) - at == length // TICK
    assert begun_by(timeframe, LATEST, lengths) == LATEST
