"""The names of a series' files: one name a range, and ranges that never overlap."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore.values.times import EARLIEST, LATEST, exact_instant, to_datetime
from storecore_file.bars.layout import (
    UNITS,
    Partition,
    ceiling,
    floor,
    layout_of,
    parsed,
    partition_of,
)

instants = st.integers(EARLIEST, LATEST)
units = st.sampled_from(UNITS)


def at(*moment):
    return exact_instant(datetime(*moment), "date")


NAMES = {
    "2026-01": (at(2026, 1, 1), at(2026, 2, 1) - 1),
    "2024-02": (at(2024, 2, 1), at(2024, 3, 1) - 1),
    "2006-01--2025-12": (at(2006, 1, 1), at(2026, 1, 1) - 1),
    "2026-01-05": (at(2026, 1, 5), at(2026, 1, 6) - 1),
    "2026-01-01--2026-01-04": (at(2026, 1, 1), at(2026, 1, 5) - 1),
    "2026-01-31--2026-02-01": (at(2026, 1, 31), at(2026, 2, 2) - 1),
    "2026-01-05T14": (at(2026, 1, 5, 14), at(2026, 1, 5, 15) - 1),
    "2026-01-05T23--2026-01-06T00": (at(2026, 1, 5, 23), at(2026, 1, 6, 1) - 1),
    "1969-12": (at(1969, 12, 1), at(1970, 1, 1) - 1),
    "0001-01": (EARLIEST, at(1, 2, 1) - 1),
    "9999-12": (at(9999, 12, 1), LATEST),
    "0001-01--9999-12": (EARLIEST, LATEST),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_tells_the_range_of_its_bars(name):
    part = Partition(*NAMES[name], f"{name}.parquet")
    assert parsed(part.name) == part
    assert partition_of(*NAMES[name]) == part


@given(one=instants, other=instants, unit=units)
def test_every_range_of_whole_months_days_or_hours_has_one_name(one, other, unit):
    first, last = floor(min(one, other), unit), ceiling(max(one, other), unit)
    part = partition_of(first, last)
    assert (part.first, part.last) == (first, last)
    assert parsed(part.name) == part


@pytest.mark.parametrize(
    "name",
    [
        "2026-1.parquet",
        "2026-13.parquet",
        "2026-00.parquet",
        "0000-01.parquet",
        "2026-02-30.parquet",
        "2026-01-05T24.parquet",
        "2026-02--2026-01.parquet",
        "2026-01--2026-01.parquet",
        "2026-01-01--2026-01-31.parquet",
        "2026-01-05T00--2026-01-05T23.parquet",
        "2026-01--2026-02-28.parquet",
        "2026-01-01--2026-02.parquet",
        "2026-01.parquet.bak",
        "2026-01.parquet\n",
        "x2026-01.parquet",
        "2026-01-.parquet",
        "2026-01--.parquet",
        "2026.parquet",
        "٢٠٢٦-01.parquet",
        "copy.parquet",
        "",
    ],
)
def test_no_other_name_is_that_of_a_partition(name):
    assert parsed(name) is None


@given(name=st.from_regex(r"\d{4}-\d\d(-\d\d(T\d\d)?)?(--\d{4}-\d\d(-\d\d(T\d\d)?)?)?\.parquet"))
def test_whatever_looks_like_a_name_is_one_or_none(name):
    part = parsed(name)
    assert part is None or partition_of(part.first, part.last) == part


@pytest.mark.parametrize("range_", [(1, 2), (at(2026, 1, 1), at(2026, 1, 1, 1))])
def test_a_range_of_no_whole_hours_has_no_name(range_):
    with pytest.raises(ValueError, match="no whole hours"):
        partition_of(*range_)


@given(instant=instants, unit=units)
def test_an_instant_lies_in_its_month_day_and_hour(instant, unit):
    first, last = floor(instant, unit), ceiling(instant, unit)
    assert first <= instant <= last
    lengths = {"hour": (1, 1), "day": (24, 24), "month": (28 * 24, 31 * 24)}
    hours = (last + 1 - first) / (3_600 * 10**6)
    assert lengths[unit][0] <= hours <= lengths[unit][1]
    assert floor(first, unit) == first
    assert ceiling(last, unit) == last
    moment, begin = to_datetime(instant, aware=False), to_datetime(first, aware=False)
    assert (moment.year, moment.month) == (begin.year, begin.month)


# Layouts.


def layout(*stems):
    found = layout_of([f"{stem}.parquet" for stem in stems])
    return [part.name.removesuffix(".parquet") for part in found.partitions], found.overlap


def test_partitions_come_in_order_of_time():
    stems = ["2026-02", "2025-01--2025-12", "2026-01-05T14", "2026-01-01--2026-01-04"]
    assert layout(*stems) == (
        ["2025-01--2025-12", "2026-01-01--2026-01-04", "2026-01-05T14", "2026-02"],
        False,
    )


def test_what_is_no_partition_is_none_of_the_layout():
    assert layout_of(["1m", "note.txt", "2026-01.parquet.bak"]) == ([], False, False, False)


@pytest.mark.parametrize(
    "stems",
    [
        ["2026-01", "2026-01-01--2026-01-30", "2026-01-31"],
        ["2026-01--2026-03", "2026-02-05T07"],
        ["2026-01-05", "2026-01-05T23"],
        ["2026-01--2026-02", "2026-02--2026-03"],
        ["2025-12--2026-01", "2026-01-31--2026-02-01"],
    ],
)
def test_partitions_that_overlap_are_reported_whichever_way(stems):
    assert layout(*reversed(stems)) == (stems, True)


@given(st.lists(st.tuples(st.integers(0, 800), st.integers(0, 40), units), max_size=8))
def test_no_two_partitions_overlap_unless_it_is_reported(ranges):
    day = timedelta(hours=20) // timedelta(microseconds=1)
    names = [
        partition_of(floor(start * day, unit), ceiling((start + length) * day, unit)).name
        for start, length, unit in ranges
    ]
    parts, overlap, *_ = layout_of(set(names))
    pairs = itertools.combinations(parts, 2)
    assert overlap == any(
        one.first <= other.last and other.first <= one.last for one, other in pairs
    )
    assert [part.name for part in parts] == sorted(set(names), key=[p.name for p in parts].index)
