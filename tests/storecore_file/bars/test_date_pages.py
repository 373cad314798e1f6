"""Dates that are decoded from a range on equal those that Arrow's reader returns."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storecore.bars.table import DATE
from storecore_file.bars import date_pages, pages

DAY = 86_400_000_000
FIRST, LAST = -(10**17), 10**18


def chunk(dates, **options):
    """Return the bytes of a column chunk of dates, as Arrow writes it."""
    sink, field = pa.BufferOutputStream(), pa.field("date", DATE, nullable=False)
    usual = {
        "compression": "lz4",
        "use_dictionary": False,
        "column_encoding": {"date": "DELTA_BINARY_PACKED"},
    }
    table = pa.table({"date": pa.array(dates, DATE)}, schema=pa.schema([field]))
    pq.write_table(table, sink, **(usual | options))
    content = sink.getvalue().to_pybytes()
    column = pq.read_metadata(pa.BufferReader(content)).row_group(0).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    return memoryview(content)[start : start + column.total_compressed_size]


def between(dates, first, last):
    start, found = date_pages.between(pages.differences(chunk(dates), len(dates)), first, last)
    return start, found.tolist()


steps = st.one_of(
    st.sampled_from([DAY, DAY, DAY, 3 * DAY]),
    st.integers(1, 8),
    st.just(60_000_000),
    st.integers(1, 2**45),
)
ascending = st.builds(
    lambda first, steps, again: list(accumulate(steps * again, initial=first)),
    st.integers(-(10**16), 10**16),
    st.lists(steps, max_size=40),
    st.integers(1, 12),
)


@given(ascending, st.data())
@example([0], None)
@example(list(range(0, 2_560 * DAY, DAY)), None)
def test_the_dates_of_a_range_are_those_that_were_written(dates, data):
    bounds = st.one_of(st.sampled_from(dates), st.integers(FIRST, LAST))
    first, last = (dates[0], dates[-1]) if data is None else sorted(map(data.draw, [bounds] * 2))
    low, high = bisect_left(dates, first), bisect_right(dates, last)
    start, found = between(dates, first, last)
    assert found == dates[low:high]
    assert not found or start == low


@pytest.mark.parametrize("count", [1, 2, 64, 65, 66, 128, 129, 256, 257, 258, 321])
def test_each_date_is_found_at_its_place(count):
    dates = [number * DAY + number % 5 for number in range(count)]
    page = pages.differences(chunk(dates), count)
    for place, date in enumerate(dates):
        start, found = date_pages.between(page, date, date)
        assert (start, found.tolist()) == (place, [date])


@pytest.mark.parametrize(
    "options",
    [
        {"column_encoding": {"date": "PLAIN"}},
        {"column_encoding": None, "use_dictionary": True},
        {"compression": "zstd"},
        {"data_page_version": "2.0"},
        {"data_page_size": 100, "write_batch_size": 10},
    ],
    ids=["plain", "dictionary", "compression", "version", "pages"],
)
def test_dates_in_another_form_are_left_to_arrow(options):
    dates = [number * DAY + number % 7 for number in range(500)]
    assert pages.differences(chunk(dates, **options), len(dates)) is None


@pytest.mark.parametrize("options", [{"write_statistics": False}, {"write_page_checksum": True}])
def test_statistics_and_checksums_of_a_page_of_dates_may_be_there(options):
    dates = [number * DAY for number in range(500)]
    page = pages.differences(chunk(dates, **options), len(dates))
    assert date_pages.between(page, FIRST, LAST)[1].tolist() == dates


def test_a_page_of_dates_that_is_cut_is_left_to_arrow():
    dates = [number * DAY for number in range(500)]
    whole = chunk(dates)
    assert pages.differences(whole[:60], len(dates)) is None
    assert pages.differences(whole[:10], len(dates)) is None
