"""Laws T1 to T3: what may be given as a time, and the microsecond that it stands for."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import InvalidData
from storecore.values.times import (
    EARLIEST,
    LATEST,
    TimeRange,
    bounded_range,
    exact_datetime,
    exact_instant,
    instant,
    instants,
    latest_instant,
    time_range,
    to_datetime,
)

NOON = datetime(2026, 1, 5, 12)
NEW_YORK = ZoneInfo("America/New_York")
MICROSECOND = timedelta(microseconds=1)
zones = st.one_of(
    st.timezones(),
    st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
naive = st.datetimes()
aware = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=zones)
micros = st.integers(EARLIEST, LATEST)


class Nowhere(tzinfo):
    """A time zone that does not know its offset: by Python's rules such a datetime is naive."""

    def utcoffset(self, at):
        return None


class Moment(datetime):
    """A datetime of someone else's making."""


@given(moment=naive)
def test_t1_every_naive_datetime_is_utc_and_comes_back(moment):
    assert to_datetime(instant(moment, "t"), aware=False) == moment.replace(fold=0)


@given(moment=aware)
def test_t1_every_aware_datetime_comes_back_as_the_same_moment_in_utc(moment):
    back = to_datetime(instant(moment, "t"), aware=True)
    assert (back, back.tzinfo) == (moment.astimezone(UTC), UTC)


@given(at=micros, is_aware=st.booleans())
def test_t1_every_instant_comes_back(at, is_aware):
    assert instant(to_datetime(at, is_aware), "t") == at


@given(day=st.dates())
def test_t3_a_date_is_its_midnight(day):
    assert to_datetime(instant(day, "t"), aware=False) == datetime(day.year, day.month, day.day)


@given(moments=st.lists(st.one_of(naive, aware, st.dates())))
def test_many_values_are_the_instants_of_each(moments):
    assert instants(moments, "t[{}]") == [instant(moment, "t") for moment in moments]


@pytest.mark.parametrize(
    ("value", "utc"),
    [
        (NOON.replace(tzinfo=NEW_YORK), datetime(2026, 1, 5, 17)),
        (datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK), datetime(2026, 11, 1, 5, 30)),
        (datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=NEW_YORK), datetime(2026, 11, 1, 6, 30)),
        (NOON.replace(tzinfo=Nowhere()), NOON),
        (Moment(2026, 1, 5, 12), NOON),
        (pd.Timestamp(NOON), NOON),
        (pd.Timestamp("2026-01-05T12:00:00.000001000"), NOON + MICROSECOND),
        (pd.Timestamp("2026-01-05 12:00", tz="America/New_York"), datetime(2026, 1, 5, 17)),
        (np.datetime64("2026-01-05", "D"), datetime(2026, 1, 5)),
        (np.datetime64("2026-01-05T12", "s"), NOON),
        (np.datetime64("2026-01-05T12:00:00.000001", "us"), NOON + MICROSECOND),
        (np.datetime64("2026-01-05T12:00:00.000001000", "ns"), NOON + MICROSECOND),
    ],
)
def test_t1_the_instant_of_a_time_of_any_kind(value, utc):
    assert to_datetime(instant(value, "t"), aware=False) == utc


@pytest.mark.parametrize(
    "value",
    [
        pd.Timestamp("2026-01-05T12:00:00.000000001"),
        np.datetime64("2026-01-05T12:00:00.000000001", "ns"),
        np.datetime64("12026-01-05", "D"),
        np.datetime64("12026-01-05T12", "s"),
        np.datetime64("-0001-01-05T12", "us"),
        np.datetime64(2**62, "s"),
    ],
)
def test_t1_what_microseconds_cannot_say_is_refused_not_rounded(value):
    with pytest.raises(InvalidData, match=r"^bars\[2\]\.date=.*whole microseconds of the years"):
        instant(value, "bars[2].date")


@pytest.mark.parametrize(
    "value",
    [
        pd.NaT,
        np.datetime64("NaT", "us"),
        np.datetime64("NaT", "ns"),
        np.timedelta64(1, "s"),
        np.float64(1.0),
        np.array(["2026-01-05"], dtype="datetime64[s]"),
        np.array(["2026-01-05", "2026-01-06"], dtype="datetime64[s]"),
        1767614400,
        "2026-01-05",
        None,
        timedelta(days=1),
        pytest.param(10**5000, id="no repr"),
    ],
)
def test_t1_what_is_no_time_is_refused(value):
    kind = type(value).__name__
    with pytest.raises(InvalidData, match=rf"(?s)^t=.*expected a datetime or date, got {kind}$"):
        instant(value, "t")


@pytest.mark.parametrize(
    "value",
    [
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_t1_a_time_that_leaves_the_calendar_in_utc_is_refused(value):
    with pytest.raises(InvalidData, match=r"^t=.*outside the years 1 to 9999"):
        instant(value, "t")


@pytest.mark.parametrize("value", [datetime.min, datetime.max])
def test_t1_the_first_and_the_last_moment_of_the_calendar_are_kept(value):
    aware_value = value.replace(tzinfo=UTC)
    assert to_datetime(instant(aware_value, "t"), aware=True) == aware_value


def test_a_time_among_many_is_named_by_its_row():
    with pytest.raises(InvalidData, match=r"^bars\[1\]\.date='soon'"):
        instants([NOON, "soon"], "bars[{}].date")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (NOON, NOON),
        (NOON.replace(tzinfo=NEW_YORK), NOON.replace(tzinfo=NEW_YORK)),
        (pd.Timestamp(NOON, tz=NEW_YORK), NOON.replace(tzinfo=NEW_YORK)),
        (np.datetime64(NOON), NOON),
    ],
)
def test_t2_an_exact_datetime_keeps_its_time_zone(value, plain):
    kept = exact_datetime(value, "t")
    assert (kept, kept.tzinfo, type(kept)) == (plain, plain.tzinfo, datetime)


@pytest.mark.parametrize("day", [date(2026, 1, 5), np.datetime64("2026-01-05")])
@pytest.mark.parametrize("exact", [exact_datetime, exact_instant])
def test_t3_a_bare_date_is_no_moment(exact, day):
    with pytest.raises(InvalidData, match=r"^as_of=.*expected a datetime, got a date"):
        exact(day, "as_of")


@given(moment=aware)
def test_an_exact_instant_is_the_instant(moment):
    assert exact_instant(moment, "t") == instant(moment, "t")


@given(start=naive, end=naive)
def test_t3_a_range_goes_from_bound_to_bound(start, end):
    start, end = sorted((start, end))
    assert time_range(start, end)[:2] == (instant(start, "start"), instant(end, "end"))


@given(start=st.dates(), end=st.dates())
def test_t3_an_end_that_is_a_date_is_its_last_microsecond(start, end):
    start, end = sorted((start, end))
    span = time_range(start, end)
    assert to_datetime(span.first, aware=False) == datetime.combine(start, datetime.min.time())
    assert to_datetime(span.last, aware=False) == datetime.combine(end, datetime.max.time())


@pytest.mark.parametrize(
    ("start", "end", "is_aware"),
    [
        (NOON, NOON, False),
        (NOON.replace(tzinfo=UTC), NOON.replace(tzinfo=NEW_YORK), True),
        (date(2026, 1, 5), date(2026, 1, 5), False),
        (date(2026, 1, 5), NOON, False),
        (date(2026, 1, 5), NOON.replace(tzinfo=UTC), True),
        (NOON.replace(tzinfo=UTC), date(2026, 1, 5), True),
        (NOON, NOON.replace(tzinfo=Nowhere()), False),
        (pd.Timestamp(NOON, tz="UTC"), date(2026, 1, 5), True),
        (np.datetime64(NOON), NOON, False),
    ],
)
def test_t2_the_bounds_say_the_kind_of_the_answer(start, end, is_aware):
    assert time_range(start, end).aware is is_aware


@pytest.mark.parametrize(
    ("start", "end"), [(NOON, NOON.replace(tzinfo=UTC)), (NOON.replace(tzinfo=UTC), NOON)]
)
def test_t2_one_naive_and_one_aware_bound_are_refused(start, end):
    with pytest.raises(ValueError, match=r"^start=.* and end=.*one is naive and one is aware"):
        time_range(start, end)


@pytest.mark.parametrize(
    ("start", "end", "named"),
    [
        *(
            ("2026", NOON, "start"),
            (NOON, "now", "end"),
            (pd.NaT, NOON, "start"),
            ("", None, "start"),
        ),
        *(
            (NOON, 0, "end"),
            (NOON, np.datetime64("NaT", "ns"), "end"),
            (b"2026-01-05", None, "start"),
        ),
        (pd.Timestamp(np.datetime64("20000-01-01", "s")), None, "start"),
    ],
)
def test_a_bound_that_is_no_time_is_named(start, end, named):
    with pytest.raises(InvalidData, match=f"^{named}="):
        time_range(start, end)


class Finer(datetime):
    """A datetime with a nanosecond, as pandas has them, of someone else's making."""

    nanosecond = 700


STAMPS = {
    "pandas": pd.Timestamp("2026-01-05T12:00:00.000000700"),
    "numpy": np.datetime64("2026-01-05T12:00:00.000000700", "ns"),
    "numpy in steps": np.datetime64("2026-01-05T12:00:00.000000700", "100ns"),
    "numpy, finest": np.datetime64("1969-12-31T23:59:59.999999999999999999", "as"),
    "text": "2026-01-05T12:00:00.000000700",
    "text with a zone": "2026-01-05T07:00:00,0000007000000000001-05:00",
    "someone else's": Finer(2026, 1, 5, 12),
}


@pytest.mark.parametrize("kind", STAMPS)
def test_t3_a_bound_between_two_microseconds_includes_no_other_instant(kind):
    bound = STAMPS[kind]
    before = -1 if kind == "numpy, finest" else instant(NOON, "t")
    assert time_range(start=bound).first == before + 1
    assert time_range(end=bound).last == before
    assert time_range(bound, bound)[:2] == (before + 1, before)


@pytest.mark.parametrize(
    ("bound", "span"),
    [
        ("2026-01-05", (date(2026, 1, 5), date(2026, 1, 5))),
        ("20260105", (date(2026, 1, 5), date(2026, 1, 5))),
        ("2026-01-05T12:00", (NOON, NOON)),
        ("2026-01-05 07:00-05:00", (NOON.replace(tzinfo=UTC), NOON.replace(tzinfo=UTC))),
        (np.str_("2026-01-05T12:00Z"), (NOON.replace(tzinfo=UTC), NOON.replace(tzinfo=UTC))),
    ],
)
def test_t3_text_in_iso_8601_is_the_date_or_the_datetime_that_it_names(bound, span):
    assert time_range(bound, bound) == time_range(*span)


def test_t3_a_missing_bound_is_open_and_without_bounds_the_kind_is_naive():
    assert time_range() == (EARLIEST, LATEST, False)
    assert time_range(NOON) == (instant(NOON, "t"), LATEST, False)
    assert time_range(end=NOON.replace(tzinfo=UTC)) == (EARLIEST, instant(NOON, "t"), True)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (NOON, NOON - MICROSECOND),
        (date(2026, 1, 6), date(2026, 1, 5)),
        (NOON, date(2026, 1, 4)),
        (date.max, datetime.min),
        (STAMPS["pandas"], NOON),
        (STAMPS["text"], "2026-01-05T12:00:00.000000699"),
        (STAMPS["numpy"], pd.Timestamp("2026-01-05T12:00:00.000000600")),
    ],
)
def test_t3_a_start_after_the_end_is_refused(start, end):
    with pytest.raises(InvalidData, match=r"^start=.* is after end=.*: give the earlier one first"):
        time_range(start, end)


@pytest.mark.parametrize("end", [date(2026, 1, 5), None, datetime(2026, 1, 6) - MICROSECOND])
def test_t3_a_start_in_the_last_microsecond_of_a_day_is_not_after_its_end(end):
    start = pd.Timestamp("2026-01-05T23:59:59.999999000")
    assert time_range(start, end).first == instant(datetime(2026, 1, 6), "t") - 1


def test_t3_a_start_in_the_last_microsecond_of_a_date_leaves_nothing_of_it():
    first, last, *_ = time_range("2026-01-05T23:59:59.9999995", date(2026, 1, 5))
    assert (first, last) == (last + 1, instant(datetime(2026, 1, 6), "t") - 1)


@pytest.mark.parametrize("end", [None, date.max, "9999-12-31"])
def test_t3_a_start_after_the_last_instant_leaves_nothing(end):
    first, last, *_ = time_range("9999-12-31T23:59:59.9999995", end)
    assert EARLIEST <= last < first <= LATEST


@pytest.mark.parametrize(("last", "newest"), [(1, 1), (np.int64(7), 7), (None, None)])
def test_the_number_of_records_asked_for_is_part_of_a_range(last, newest):
    span = time_range(None, None, last)
    assert (span.newest, type(span.newest)) == (newest, type(newest))


def test_a_range_has_three_items_and_differs_by_the_number_of_records_too():
    span, cut = time_range(NOON, NOON), time_range(NOON, NOON, 7)
    first, last, aware = cut
    assert (first, last, aware) == span
    assert (cut == span, cut != span, hash(cut) == hash(TimeRange(*span, 7))) == (False, True, True)
    assert cut == TimeRange(*span, newest=7) == pickle.loads(pickle.dumps(cut))
    assert (cut._replace(last=last + 1).newest, cut._replace(newest=None)) == (7, span)


@pytest.mark.parametrize("last", [0, -1, True, 1.0, "1", np.nan])
def test_what_is_no_number_of_records_is_refused(last):
    with pytest.raises(InvalidData, match=r"^last=.*expected a number of records, 1 or more"):
        time_range(NOON, NOON, last)


@pytest.mark.parametrize(("start", "end", "named"), [(None, NOON, "start"), (NOON, None, "end")])
def test_a_range_to_delete_needs_both_bounds(start, end, named):
    with pytest.raises(InvalidData, match=f"^{named}=None: .*needs both bounds"):
        bounded_range(start, end)
    assert bounded_range(NOON, NOON) == time_range(NOON, NOON)


@pytest.mark.parametrize("kind", STAMPS)
def test_f1_a_moment_is_the_last_instant_not_after_it(kind):
    assert latest_instant(STAMPS[kind], "as_of") == time_range(end=STAMPS[kind]).last
    assert latest_instant(NOON, "as_of") == instant(NOON, "t")


@pytest.mark.parametrize(
    "value", [None, date(2026, 1, 5), "2026-01-05", np.datetime64("2026-01-05")]
)
def test_t3_a_bare_date_is_no_moment_until_which_something_is_known(value):
    with pytest.raises(InvalidData, match=r"^as_of=.*expected a datetime, got"):
        latest_instant(value, "as_of")


class Falsy(tzinfo):
    """A time zone that is false as a condition."""

    def __bool__(self):
        return False

    def utcoffset(self, moment):
        return timedelta(hours=5)


def test_t1_a_time_zone_that_is_false_is_one():
    assert instants([datetime(2026, 1, 5, 5, tzinfo=Falsy())], "{}") == [
        instant(date(2026, 1, 5), "")
    ]


def test_t1_a_pandas_year_that_python_has_not_is_refused():
    with pytest.raises(InvalidData, match=r"^date="):
        instant(pd.Timestamp(np.datetime64("20000-01-01", "s")), "date")


def test_a_range_is_cut_at_an_instant_and_keeps_the_number_of_records():
    span = TimeRange(1, 9, True, newest=3)
    assert span.until(9) is span.until(12) is span
    assert span.until(5) == TimeRange(1, 5, True, newest=3)
    assert TimeRange(1, 9, False).until(5) == TimeRange(1, 5, False)
