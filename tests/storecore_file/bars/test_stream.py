"""Bars in order of time under a bound: all of them, once, never more than may be held."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storecore import BarStream, InvalidData, PriceBar, StoreClosed
from storecore_file import FileDataStore
from storecore_file.bars.partition import Group
from storecore_file.bars.stream import ROW_BYTES, cuts

START = datetime(2026, 1, 1, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SYMBOLS = ["AAPL", "BRK/B", "MSFT", "NONE"]
NAMES = PriceBar.__struct_fields__
STEPS = [timedelta(seconds=1), timedelta(hours=5), timedelta(days=3)]

stretches = st.lists(
    st.tuples(
        st.sampled_from(SYMBOLS[:3]),
        st.integers(0, 60),
        st.sampled_from(STEPS),
        st.integers(1, 25),
        st.booleans(),
    ),
    max_size=5,
)


def table(symbols, dates, close=1.0):
    bars = [PriceBar(symbol, at, 1.0, 2.0, 0.5, close, 7.0) for symbol in symbols for at in dates]
    return pa.table({name: [getattr(bar, name) for bar in bars] for name in NAMES})


def filled(base, stretches):
    """Fill a store; some stretches lie in the journal, a bar of each of the first symbols."""
    store = FileDataStore(base, durability="os")
    for symbol, day, step, count, journaled in stretches:
        dates = [START + timedelta(day) + number * step for number in range(count)]
        if journaled:
            store.write_bar_table(table(SYMBOLS[:3], dates[:2], 2.0))
        else:
            store.write_bar_table(table([symbol], dates))
    return store


def in_order(whole):
    return whole.sort_by([("date", "ascending"), ("symbol", "ascending")])


@given(stretches=stretches, rows=st.integers(0, 60), span=st.integers(0, 70))
@settings(max_examples=40)
def test_all_tables_together_are_what_a_read_gives(small, tmp_path_factory, stretches, rows, span):
    with filled(tmp_path_factory.mktemp("stream"), stretches) as store:
        for bounds in (ALWAYS, (START + timedelta(5), START + timedelta(max(5, span)))):
            whole = in_order(store.read_bar_table(SYMBOLS, *bounds))
            found = list(
                store.iter_bar_tables(SYMBOLS, *bounds, max_bytes=max(1, rows * ROW_BYTES))
            )
            assert all(len(each) for each in found)
            together = pa.concat_tables([whole.slice(0, 0), *found])
            assert together.to_pylist() == whole.to_pylist()
            at_once = max(whole["date"].value_counts().field("counts").to_pylist(), default=0)
            assert all(len(each) <= max(2 * max(1, rows), at_once) for each in found)


@pytest.mark.parametrize(
    "columns", [["close"], ["symbol"], ["volume", "date"], ["close", "symbol"]]
)
def test_some_columns_are_those_of_all(tmp_path, small, columns):
    stretches = [("AAPL", 0, STEPS[1], 25, False), ("MSFT", 1, STEPS[1], 25, True)]
    with filled(tmp_path, stretches) as store:
        whole = in_order(store.read_bar_table(SYMBOLS, *ALWAYS))
        found = store.iter_bar_tables(SYMBOLS, *ALWAYS, columns=columns, max_bytes=5 * ROW_BYTES)
        assert pa.concat_tables(found).to_pylist() == whole.select(columns).to_pylist()


def test_exact_volumes_are_streamed_exactly(tmp_path, small):
    with FileDataStore(tmp_path) as store:
        bars = [
            PriceBar("AAPL", START + timedelta(day), 1.0, 1.0, 1.0, 1.0, 2**53 + 1 + 2 * day)
            for day in range(30)
        ]
        store.write_bars("AAPL", bars)
        found = list(store.iter_bar_tables("AAPL", *ALWAYS, max_bytes=4 * ROW_BYTES))
        assert len(found) > 3
        volumes = [volume for each in found for volume in each["volume"].to_pylist()]
        assert volumes == [bar.volume for bar in bars]


def test_t2_dates_are_of_the_kind_asked_for(tmp_path):
    with filled(tmp_path, [("AAPL", 0, STEPS[2], 3, False)]) as store:
        for start, end in (ALWAYS, (datetime.min, datetime.max)):
            (found,) = store.iter_bar_tables("AAPL", start, end)
            assert found.schema.field("date").type.tz == (start.tzinfo and "UTC")


def test_a_stream_is_checked_when_it_is_asked_for(tmp_path):
    with FileDataStore(tmp_path) as store:
        assert isinstance(store, BarStream)
        with pytest.raises(InvalidData):
            store.iter_bar_tables("AAPL", *ALWAYS, columns=["clsoe"])
    with pytest.raises(StoreClosed):
        store.iter_bar_tables("AAPL", *ALWAYS)


def test_bars_are_streamed_while_others_are_written(tmp_path, small):
    with filled(tmp_path, [("AAPL", 0, STEPS[2], 25, False)]) as store:
        whole = store.read_bar_table("AAPL", *ALWAYS)["date"].to_pylist()
        found = []
        for each in store.iter_bar_tables("AAPL", *ALWAYS, max_bytes=5 * ROW_BYTES):
            found += each["date"].to_pylist()
            store.write_bar_table(table(["AAPL"], [START + timedelta(days=2_000 + len(found))]))
            store.compact()
        assert found[:25] == whole


@given(
    groups=st.lists(
        st.tuples(st.integers(1, 500), st.integers(0, 5_000), st.integers(0, 5_000)).map(
            lambda each: Group(each[0], min(each[1:]), max(each[1:]))
        ),
        max_size=10,
    ),
    max_rows=st.integers(1, 300),
)
def test_cuts_follow_each_other_in_time_and_leave_about_as_many_rows_between(groups, max_rows):
    found = list(cuts(groups, max_rows))
    assert found == sorted(set(found))
    total = sum(group.rows for group in groups)
    assert len(found) <= total / max_rows + len(groups)
    ends = [min((group.first for group in groups), default=0) - 1, *found]
    for low, high in itertools.pairwise(ends):
        held = sum(
            rows * max(0, min(last, high) - max(first, low + 1) + 1) / (last + 1 - first)
            for rows, first, last in groups
        )
        densest = sum(rows / (last + 1 - first) for rows, first, last in groups)
        assert held <= max_rows + densest + 1e-6 * total


def test_the_bars_that_are_held_are_about_as_many_as_may_be(tmp_path):
    minutes = [START + timedelta(minutes=at) for at in range(40_000)]
    with FileDataStore(tmp_path, durability="os") as store:
        for symbol in SYMBOLS[:3]:
            store.write_bar_table(table([symbol], minutes), timeframe="1m")
        before, most = pa.total_allocated_bytes(), 0
        rows = 0
        for each in store.iter_bar_tables(SYMBOLS, *ALWAYS, timeframe="1m", max_bytes=2**20):
            most = max(most, pa.total_allocated_bytes() - before)
            rows += len(each)
            del each
        assert rows == 120_000
        assert most < 4 * 2**20
