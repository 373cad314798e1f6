"""How many bars a part holds: nothing is left out, nothing lies in two parts, none is too large."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore.values.times import EARLIEST, LATEST, exact_instant
from storecore_file.bars import layout
from storecore_file.bars.layout import (
    ceiling,
    floor,
    may_merge,
    mergeable,
    new_partitions,
    partition_of,
    split_last,
    with_open_end,
)

START = datetime(2025, 12, 28)
STEPS = [timedelta(seconds=9), timedelta(minutes=11), timedelta(hours=3), timedelta(days=1)]
STEPS += [timedelta(days=20)]


@pytest.fixture(autouse=True)
def few_bars(small):
    """Parts of 20 bars; the last is split from 5 on."""


def at(*moment):
    return exact_instant(datetime(*moment), "date")


def every(step, count, start=START):
    return [exact_instant(start + number * step, "date") for number in range(count)]


@st.composite
def dense_and_sparse(draw):
    """Dates of several stretches, each of a density of its own."""
    dates = set()
    for _ in range(draw(st.integers(1, 3))):
        start = START + timedelta(hours=draw(st.integers(0, 24 * 70)))
        dates |= set(every(draw(st.sampled_from(STEPS)), draw(st.integers(1, 90)), start))
    return sorted(dates)


def names(found):
    return [tile.partition.name.removesuffix(".parquet") for tile in found]


# Tiles.


def check(found, dates, low, high, most=20):
    """Check that tiles hold each date once, in its place, none too many."""
    assert [row for tile in found for row in range(tile.start, tile.stop)] == [*range(len(dates))]
    ends = [low - 1, *(end for tile in found for end in tile.partition[:2]), high + 1]
    assert all(one < other for one, other in itertools.pairwise(ends)), names(found)
    for part, start, stop in found:
        assert part.first <= dates[start] <= dates[stop - 1] <= part.last
        one_hour = floor(dates[start], "hour") == floor(dates[stop - 1], "hour")
        assert stop - start <= most or one_hour


@given(dates=dense_and_sparse())
def test_every_bar_lies_in_one_partition_and_none_is_too_large(dates):
    check(new_partitions(dates, EARLIEST, LATEST), dates, EARLIEST, LATEST)


@given(dates=dense_and_sparse(), ends=st.data())
def test_new_partitions_keep_to_what_others_leave_free(dates, ends):
    units = st.sampled_from(["month", "day", "hour"])
    low = floor(dates[0], ends.draw(units))
    high = ceiling(dates[-1], ends.draw(units))
    check(new_partitions(dates, low, high), dates, low, high)


def test_no_bars_are_no_partition():
    assert new_partitions([], EARLIEST, LATEST) == []


@pytest.mark.parametrize(
    ("step", "count", "expected"),
    [
        (timedelta(1), 1, ["2025-12"]),
        (timedelta(1), 20, ["2025-12--2026-01"]),
        (timedelta(30), 20, ["2025-12--2027-07"]),
        (timedelta(30), 40, ["2025-12--2027-07", "2027-08--2029-03"]),
        (timedelta(1), 30, ["2025-12", "2026-01-01--2026-01-20", "2026-01-21--2026-01-31"]),
    ],
)
def test_partitions_are_of_whole_months_where_these_are_small_enough(step, count, expected):
    found = new_partitions(every(step, count), EARLIEST, LATEST)
    assert names(found)[:1] == expected[:1]
    check(found, every(step, count), EARLIEST, LATEST)


def test_a_day_of_too_many_bars_is_cut_at_hours():
    dates = every(timedelta(minutes=7), 40, datetime(2026, 1, 5))
    found = new_partitions(dates, EARLIEST, LATEST)
    assert all("T" in name for name in names(found)[:-1])
    check(found, dates, EARLIEST, LATEST)


def test_an_hour_is_not_cut_whatever_it_holds():
    (only,) = new_partitions(
        every(timedelta(seconds=1), 100, datetime(2026, 1, 5, 7)), EARLIEST, LATEST
    )
    assert (only.start, only.stop) == (0, 100)


def test_whole_days_are_preferred_to_hours_where_they_are_free():
    dates = every(timedelta(hours=3), 30, datetime(2026, 1, 5, 3))
    for low, preferred in [(at(2026, 1, 1), "2026-01-05--"), (dates[0], "2026-01-05T03--")]:
        choices = list(layout._candidates(dates, 0, low, LATEST, layout.PARTITION_ROWS))
        assert names(choices)[0].startswith(preferred)
        assert all(tile.start == 0 < tile.stop <= layout.PARTITION_ROWS for tile in choices)


def test_a_partition_ends_where_the_next_begins():
    dates = every(timedelta(1), 3, datetime(2026, 1, 2))
    (only,) = new_partitions(dates, at(2026, 1, 2), at(2026, 1, 10) - 1)
    assert only.partition.first == at(2026, 1, 2)
    assert only.partition.last < at(2026, 1, 10)


# Splitting the last part.

MONTHS = partition_of(at(2026, 1, 1), at(2026, 4, 1) - 1)


@pytest.mark.parametrize(
    ("days", "since", "expected"),
    [
        ([*range(0, 60, 12)], 60, []),
        ([*range(0, 60, 5), 60], 60, ["2026-01--2026-02", "2026-03"]),
        ([*range(0, 60, 5), 60], 58, []),
        ([*range(0, 59, 15), *range(60, 70)], 69, ["2026-01-01--2026-03-10", "2026-03-11"]),
    ],
    ids=["small", "append", "no append", "a full month"],
)
def test_a_large_part_is_split_before_its_last_month_or_day(days, since, expected):
    dates = [at(2026, 1, 1) + day * 86_400 * 10**6 for day in days]
    found = split_last(dates, MONTHS, at(2026, 1, 1) + since * 86_400 * 10**6)
    assert names(found) == expected
    if found:
        assert (found[0].start, found[-1].stop) == (0, len(dates))


def test_a_full_day_is_split_before_its_last_hour():
    part = partition_of(at(2026, 1, 5), at(2026, 1, 6) - 1)
    dates = every(timedelta(minutes=5), 30, datetime(2026, 1, 5))
    assert names(split_last(dates, part, dates[-1])) == [
        "2026-01-05T00--2026-01-05T01",
        "2026-01-05T02",
    ]


def test_an_hour_is_not_split():
    part = partition_of(at(2026, 1, 5, 7), at(2026, 1, 5, 8) - 1)
    dates = every(timedelta(minutes=1), 40, datetime(2026, 1, 5, 7))
    assert split_last(dates, part, dates[-1]) == []


@given(dates=dense_and_sparse(), since=st.integers(-3, -1))
def test_a_split_keeps_every_bar_in_its_range(dates, since):
    part = partition_of(floor(dates[0], "month"), ceiling(dates[-1], "month"))
    found = split_last(dates, part, dates[max(since, -len(dates))])
    if found:
        check(found, dates, part.first, part.last, most=len(dates))
        assert found[0].partition.first == part.first
        assert all(tile.start < tile.stop for tile in found)


# Merging.


@pytest.mark.parametrize(
    ("sizes", "merged"),
    [
        ([], None),
        ([1], None),
        ([1, 1], slice(0, 2)),
        ([1_000, 1_000, 300], slice(0, 3)),
        ([6_000, 100], None),
        ([5_000, 1_000, 100], slice(1, 3)),
        ([3_000, 2_000], None),
        ([2_500, 2_500], slice(0, 2)),
        ([100, 100, 5_950], slice(0, 2)),
    ],
)
def test_small_neighbours_are_merged_and_like_ones(sizes, merged):
    assert mergeable(sizes) == merged


def test_what_is_not_worth_it_yet_is_merged_by_the_impatient():
    assert mergeable([3_000, 2_000]) is None
    assert mergeable([3_000, 2_000], patient=False) == slice(0, 2)
    assert mergeable([3_101, 3_100], patient=False) is None


@pytest.mark.parametrize(
    ("sizes", "asked"),
    [
        ([], []),
        ([10], [False]),
        ([3_101, 3_100, 3_101], [False, False, False]),
        ([3_101, 3_100, 3_101, 9], [False, False, True, True]),
        ([9, 3_101, 6_200, 0], [True, True, True, True]),
    ],
)
def test_partitions_beside_which_no_other_is_small_enough_are_not_merged(small, sizes, asked):
    assert may_merge(sizes) == asked


@given(st.lists(st.integers(1, 7_000), max_size=12), st.booleans())
def test_merging_comes_to_an_end_and_makes_no_partition_too_large(sizes, patient):
    total = sum(sizes)
    while (run := mergeable(sizes, patient)) is not None:
        assert run.stop - run.start > 1
        assert sum(sizes[run]) <= layout.PARTITION_BYTES
        sizes = [*sizes[: run.start], sum(sizes[run]), *sizes[run.stop :]]
    assert sum(sizes) == total
    assert not any(a + b <= layout.SMALL_BYTES for a, b in itertools.pairwise(sizes))


def test_a_bar_is_rewritten_a_few_times_in_all(monkeypatch):
    monkeypatch.undo()
    sizes, written = [], 0
    for _ in range(2_000):  # months of 50 kB each
        sizes.append(50_000)
        while (run := mergeable(sizes)) is not None:
            written += sum(sizes[run])
            sizes[run] = [sum(sizes[run])]
    assert len(sizes) < 60
    assert written / sum(sizes) < 10


def test_a_partition_may_be_of_months_days_or_hours():
    """The next is what the first fits; all are there for the one that needs them."""
    dates = every(timedelta(days=1), 3)
    assert len(list(layout._candidates(dates, 0, EARLIEST, LATEST, layout.PARTITION_ROWS))) == 3


# The end of what a bulk write leaves.


def open_end(dates):
    cut = new_partitions(dates, EARLIEST, LATEST)
    return [(*names([each]), each.stop - each.start) for each in with_open_end(cut, dates)]


@pytest.fixture
def large_end(monkeypatch):
    monkeypatch.setattr(layout, "PARTITION_ROWS", 1_000)
    monkeypatch.setattr(layout, "OPEN_END_ROWS", 50)


@pytest.mark.parametrize(
    ("dates", "found"),
    [
        (every(timedelta(1), 50), [("2025-12--2026-02", 50)]),
        (every(timedelta(1), 51), [("2025-12--2026-01", 35), ("2026-02", 16)]),
        (
            every(timedelta(hours=1), 60),
            [("2025-12-01--2025-12-29", 48), ("2025-12-30--2025-12-31", 12)],
        ),
        (
            every(timedelta(minutes=1), 70),
            [("2025-12-01T00--2025-12-28T00", 60), ("2025-12-28T01--2025-12-31T23", 10)],
        ),
        (every(timedelta(seconds=1), 70), [("2025-12", 70)]),
    ],
    ids=["small", "month", "day", "hour", "within an hour"],
)
def test_the_last_unit_of_a_large_partition_is_one_of_its_own(large_end, dates, found):
    assert open_end(dates) == found


@given(dates=dense_and_sparse())
def test_an_open_end_loses_no_bar(dates):
    cut = new_partitions(dates, EARLIEST, LATEST)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(layout, "OPEN_END_ROWS", 6)
        check(with_open_end(cut, dates), dates, EARLIEST, LATEST)
