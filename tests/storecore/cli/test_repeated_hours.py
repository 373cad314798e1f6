"""The hour that comes twice: order tells which is meant, or the row is a bad one."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore.cli.imports.repeated_hours import resolved_by_order

NIGHT = datetime(2024, 11, 3)


def row(clock, day=0):
    """The readings of a local time in New York, where 01:00 to 02:00 comes twice on `NIGHT`."""
    hours, minutes = map(int, clock.split(":"))
    local = NIGHT + timedelta(day, hours=hours, minutes=minutes)
    summer, winter = local + timedelta(hours=4), local + timedelta(hours=5)
    if day == 0 and hours == 1:
        return summer, winter
    return (summer,) if (day, hours) < (0, 1) else (winter,)


def meant(*clocks):
    """Return by row what each time that came twice means, in hours of UTC."""
    rows = [clock if isinstance(clock, tuple) else row(clock) for clock in clocks]
    return {
        at: None if found is None else f"{found:%H:%M}" for at, found in resolved_by_order(rows)
    }


@pytest.mark.parametrize(
    ("clocks", "expected"),
    [
        ("00:30 01:00 01:30 01:00 01:30 02:00", ["05:00", "05:30", "06:00", "06:30"]),
        ("02:00 01:30 01:00 01:30 01:00 00:30", ["06:30", "06:00", "05:30", "05:00"]),
        ("00:00 01:00 01:00 02:00", ["05:00", "06:00"]),
        ("02:00 01:00 01:00 00:00", ["06:00", "05:00"]),
        ("00:30 01:30 01:00 02:00", ["05:30", "06:00"]),
        ("00:30 01:00 01:30 01:00 02:00", ["05:00", "05:30", "06:00"]),
        ("00:30 01:45 01:15 01:30 02:00", ["05:45", "06:15", "06:30"]),
    ],
)
def test_a_step_back_in_an_order_of_time_tells(clocks, expected):
    assert [*meant(*clocks.split()).values()] == expected


@pytest.mark.parametrize(
    ("clocks", "ambiguous"),
    [
        ("01:30", 1),
        ("00:00 01:00 02:00", 1),
        ("00:30 01:00 01:30 02:00", 2),
        ("01:00 01:30", 2),
        ("00:30 01:00 01:00 01:00 02:00", 3),
        ("00:00 02:00 01:00 01:00", 2),
        ("00:00 00:00 01:00 01:00 02:00 02:00", 2),
        ("00:30 01:30 01:00 01:30 01:00 02:00", 4),
    ],
    ids=[
        "alone",
        "one of each hour",
        "one hour, which is not known",
        "only the hour, in no known direction",
        "three times",
        "in no order",
        "each row twice",
        "back and forth",
    ],
)
def test_what_order_cannot_tell_is_not_reported(clocks, ambiguous):
    assert [*meant(*clocks.split()).values()] == [None] * ambiguous


def test_some_rows_may_be_reported_and_others_not():
    found = meant("00:30", "01:15", "01:45", "01:30", "02:00")
    assert found == {1: "05:15", 2: "05:45", 3: "06:30"}
    found = meant("00:30", "01:30", "01:30", "01:45", "02:00")
    assert found == {1: "05:30", 2: "06:30", 3: "06:45"}
    # 01:15 twice are the two hours; between them lies 01:00 only if it is the second.
    found = meant("00:30", "01:15", "01:00", "01:15", "02:00")
    assert found == {1: "05:15", 2: "06:00", 3: "06:15"}


def test_rows_that_are_more_than_a_day_away_need_no_order():
    far = [row("12:00", day) for day in (9, 3, 3, -5)]
    clocks = ["00:30", "01:00", "01:30", "01:00", "01:30", "02:00"]
    assert len(set(meant(*far, *clocks, *far).values())) == 4


def test_nights_are_told_one_by_one():
    year = timedelta(days=364)
    first = [row(clock) for clock in ("00:00", "01:00", "01:00", "02:00")]
    second = [tuple(each + year for each in readings) for readings in first]
    assert [*meant(*second, *first).values()] == ["05:00", "06:00"] * 2
    assert [*meant(*first[:2], *second).values()] == [None, "05:00", "06:00"]


def test_rows_with_one_reading_are_not_told_of():
    assert meant("00:30", "02:00") == {}
    assert meant() == {}


@given(
    steps=st.lists(st.integers(1, 50), min_size=1, max_size=8),
    start=st.integers(0, 120),
    falling=st.booleans(),
)
def test_what_is_told_is_the_only_order(steps, start, falling):
    """All choices of readings are tried: those that are in order agree on what is told."""
    minutes = list(itertools.accumulate([start, *steps]))
    instants = [NIGHT + timedelta(hours=4, minutes=each) for each in minutes]
    rows = []
    for instant in reversed(instants) if falling else instants:
        first = NIGHT + timedelta(hours=5)
        hour = (instant - first) // timedelta(hours=1)
        both = {
            0: (instant, instant + timedelta(hours=1)),
            1: (instant - timedelta(hours=1), instant),
        }
        rows.append(both.get(hour, (instant,)))
    orders = [
        choice
        for choice in itertools.product(*rows)
        if list(choice) in (sorted(set(choice)), sorted(set(choice), reverse=True))
    ]
    for at, found in resolved_by_order(rows):
        possible = {choice[at] for choice in orders}
        assert possible == {found} if found is not None else len(possible) > 1
