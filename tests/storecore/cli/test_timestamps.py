"""Times that people write: forms are matched whole, digits that may be two times refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from storecore.cli.timestamps import parse_time, to_utc
from storecore.errors import InvalidData

NEW_YORK = ZoneInfo("America/New_York")
HALF_PAST = datetime(2024, 1, 2, 9, 30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-02", date(2024, 1, 2)),
        ("20240102", date(2024, 1, 2)),
        ("2024-W01-2", date(2024, 1, 2)),
        ("0001-01-01", date(1, 1, 1)),
        ("9999-12-31", date(9999, 12, 31)),
        ("2024-01-02T09", datetime(2024, 1, 2, 9)),
        ("2024-01-02T09:30", HALF_PAST),
        ("2024-01-02t09:30", HALF_PAST),
        ("2024-01-02 09:30:00", HALF_PAST),
        ("2024-01-02 09:30:00.000000000", HALF_PAST),
        ("2024-01-02 09:30:00,25", HALF_PAST + timedelta(milliseconds=250)),
        ("20240102T0930", HALF_PAST),
        ("20240102 093000.5", HALF_PAST + timedelta(milliseconds=500)),
        ("20240102T093000Z", HALF_PAST.replace(tzinfo=UTC)),
        ("2024-01-02T09:30-0500", HALF_PAST.replace(tzinfo=timezone(timedelta(hours=-5)))),
        ("2024-01-02T09:30-05", HALF_PAST.replace(tzinfo=timezone(timedelta(hours=-5)))),
        ("2024-01-02T23:59", datetime(2024, 1, 2, 23, 59)),
    ],
)
def test_a_form_of_iso_is_taken(text, expected):
    found = parse_time(text, "date")
    assert found == expected
    assert type(found) is type(expected)
    assert getattr(found, "tzinfo", None) == getattr(expected, "tzinfo", None)


@pytest.mark.parametrize(
    "text",
    [
        "20240102ab",
        "20240102a",
        "2024-01-02ab",
        "2024-01-02x09:30",
        "20240102x0930",
        "2024-01-02T",
        "2024-01-02Z",
        "2024-01-02T9:30",
        "2024-01-02T093",
        "2024-01-02T24:00",
        "2024-01-02T24:00:00Z",
        "2024-01-02T09:60",
        "2024-01-02T09:30.5",
        "2024-01-02T09:30:00.",
        "2024-01-02T09:30+25:00",
        "2024-01-02T09:30+01:00:00.5",
        "2024-01-02 09:30 +01:00",
        "2024-01-02 09:30\n",
        "2024-W01",
        "2024W01",
        "2024W012",
        "2024-W54-1",
        "2024-002",
        "2024002",
        "2024-1-2",
        "2024-01",
        "2024-0102",
        "202401",
        "2024-13-01",
        "20241301",
        "0000-01-01",
        "+10000-01-01",
        "10000-01-01",
        "1712030100.5",
        "1.7120301e9",
        "-1712030100",
        "２０２４-01-02",
        "now",
        "",
    ],
)
def test_what_is_no_whole_form_is_refused(text):
    with pytest.raises(InvalidData, match="expected an ISO date or time") as caught:
        parse_time(text, "date")
    assert str(caught.value).startswith(f"date={text!r}: ")


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        (
            "2024010100",
            "2024-01-01T00:00:00 (as YYYYMMDDHH) or 2034-02-20T01:01:40 (seconds since 1970)",
        ),
        (
            "1712030100",
            "1712-03-01T00:00:00 (as YYYYMMDDHH) or 2024-04-02T03:55:00 (seconds since 1970)",
        ),
        ("1699999999", "2023-11-14T22:13:19 (seconds since 1970)"),
        ("2024013100", "2024-01-31T00:00:00 (as YYYYMMDDHH)"),
        ("2024013200", "2034-02-20T01:53:20 (seconds since 1970)"),
        ("171203010", "1975-06-05T"),
        ("17120301000", "2512-07-09T15:10:00"),
        (
            "202401020930",
            "2024-01-02T09:30:00 (as YYYYMMDDHHMM) or 1976-05-31T",
        ),
        ("1712030100000", "2024-04-02T03:55:00 (milliseconds since 1970)"),
        ("20240102093000", "2024-01-02T09:30:00 (as YYYYMMDDHHMMSS) or 2611-05-21T"),
        ("1712030100000000", "2024-04-02T03:55:00 (microseconds since 1970)"),
        ("1712030100000000001", "2024-04-02T03:55:00 (nanoseconds since 1970)"),
        ("99999999999999999999", "5138-11-16T09:46:39.999999 (nanoseconds since 1970)"),
    ],
)
def test_digits_that_may_be_several_times_are_refused_with_each(text, readings):
    with pytest.raises(InvalidData, match="a number may mean") as caught:
        parse_time(text, "date")
    assert readings in str(caught.value)
    assert "write it as an ISO time" in str(caught.value)


def test_more_digits_than_any_time_has_are_no_time():
    with pytest.raises(InvalidData, match="expected an ISO date or time"):
        parse_time("1" * 21, "date")


@pytest.mark.parametrize("length", [*range(1, 8), *range(9, 25)])
def test_digits_alone_are_a_day_or_nothing(length):
    for digit in "129":
        with pytest.raises(InvalidData):
            parse_time(digit * length, "date")
        with pytest.raises(InvalidData):
            parse_time("20240102030405060708"[:length].ljust(length, "0"), "date")


def test_a_time_that_came_twice_is_both():
    assert to_utc(datetime(2024, 11, 3, 1, 30), NEW_YORK, "date") == [
        datetime(2024, 11, 3, 5, 30),
        datetime(2024, 11, 3, 6, 30),
    ]


@pytest.mark.parametrize("moment", [datetime(2024, 11, 3, 0, 59), datetime(2024, 11, 3, 2)])
def test_a_time_beside_those_that_came_twice_is_one(moment):
    assert len(to_utc(moment, NEW_YORK, "date")) == 1


@pytest.mark.parametrize("moment", [datetime(2024, 3, 10, 2), datetime(2024, 3, 10, 2, 59, 59)])
def test_a_time_that_the_clocks_skipped_is_refused(moment):
    with pytest.raises(InvalidData, match="skipped"):
        to_utc(moment, NEW_YORK, "date")
