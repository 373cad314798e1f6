"""The file backend beside the memory backend: whatever is written, split, merged and folded.

Sizes are so small that each of these happens all the time; after each step both answer the same.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from storecore import PriceBar
from storecore.builtin.memory import MemoryDataStore
from storecore_file import FileDataStore

START = datetime(2025, 12, 30, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SYMBOLS = ["AAPL", "aapl", "BRK/B", "x" * 200]
STEPS = [timedelta(seconds=1), timedelta(minutes=7), timedelta(hours=5), timedelta(days=1)]
STEPS += [timedelta(days=9), timedelta(days=40)]

moments = st.builds(
    lambda days, hours, step, count: [
        START + timedelta(days=days, hours=hours) + number * step for number in range(count)
    ],
    st.integers(0, 100),
    st.integers(0, 23),
    st.sampled_from(STEPS),
    st.integers(1, 30),
)
symbols = st.sampled_from(SYMBOLS)
timeframes = st.sampled_from(["1d", "1d", "1m"])


def comparable(table):
    """Return a table's rows, whose volumes one backend may keep as another type."""
    return table.to_pylist()


class SameAsMemory(RuleBasedStateMachine):
    """Two handles on one folder, and a store in memory."""

    check_layout = staticmethod(lambda base: None)

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.base = self.folder / "data"
        self.model = MemoryDataStore()
        self.stores = [self.opened(), self.opened()]
        self.close = 0.0

    def opened(self):
        return FileDataStore(base_path=self.base, durability="os")

    def teardown(self):
        for store in self.stores:
            store.close()
        with self.opened() as store:
            store.compact()
            self.same(store)
        self.check_layout(self.base)
        shutil.rmtree(self.folder)

    def bars(self, symbol, dates):
        self.close += 1.0  # each write can be told from every other
        volumes = (2**53 + 1, 7, 0.5)
        return [
            PriceBar(symbol, date, 1.0, 2.0, 0.5, self.close, volumes[number % 3])
            for number, date in enumerate(dates)
        ]

    def each(self, which, call):
        answers = [call(store) for store in (self.stores[which], self.model)]
        assert answers[0] == answers[1]

    which = st.integers(0, 1)

    @rule(which=which, symbol=symbols, dates=moments, timeframe=timeframes)
    def write_bars(self, which, symbol, dates, timeframe):
        bars = self.bars(symbol, dates)
        self.each(which, lambda store: store.write_bars(symbol, bars, timeframe=timeframe))

    @rule(which=which, dates=moments, named=st.sets(symbols, min_size=1), timeframe=timeframes)
    def write_few_bars_of_many_symbols(self, which, dates, named, timeframe):
        self.write_table(which, dates[:2], named, timeframe)

    @rule(which=which, dates=moments, named=st.sets(symbols, min_size=1), timeframe=timeframes)
    def write_bar_table(self, which, dates, named, timeframe):
        self.write_table(which, dates, named, timeframe)

    def write_table(self, which, dates, named, timeframe):
        bars = [bar for symbol in sorted(named) for bar in self.bars(symbol, dates)]
        names = PriceBar.__struct_fields__
        columns = {name: [getattr(bar, name) for bar in bars] for name in names[:-1]}
        volumes = pa.array([float(bar.volume) for bar in bars])
        table = pa.table({**columns, "volume": volumes})
        self.each(which, lambda store: store.write_bar_table(table, timeframe=timeframe))

    @rule(
        which=which,
        symbol=symbols,
        first=st.integers(-5, 110),
        days=st.sampled_from([0, 1, 10, 60, 4_000]),
        timeframe=timeframes,
    )
    def delete_bars(self, which, symbol, first, days, timeframe):
        start = START + timedelta(days=first)
        end = start + timedelta(days=days)
        self.each(which, lambda store: store.delete_bars(symbol, start, end, timeframe=timeframe))

    @rule(which=which)
    def compact(self, which):
        assert self.stores[which].compact().ok

    @rule(which=which)
    def reopen(self, which):
        self.stores[which].close()
        self.stores[which] = self.opened()

    @invariant()
    def both_answer_the_same(self):
        for store in self.stores:
            self.same(store)
        self.check_layout(self.base)

    def same(self, store):
        model = self.model
        assert store.symbols() == model.symbols()
        assert store.symbols("1m") == model.symbols("1m")
        for timeframe in ("1d", "1m"):
            tables = [
                each.read_bar_table(SYMBOLS, *ALWAYS, timeframe=timeframe)
                for each in (store, model)
            ]
            assert comparable(tables[0]) == comparable(tables[1])
        for symbol in SYMBOLS:
            assert store.timeframes(symbol) == model.timeframes(symbol)
            assert store.bar_coverage(symbol) == model.bar_coverage(symbol)
            assert store.read_bars(symbol, *ALWAYS) == model.read_bars(symbol, *ALWAYS)


@pytest.fixture
def machine(small, whole_layout):
    return type("Machine", (SameAsMemory,), {"check_layout": staticmethod(whole_layout)})


def test_b1_any_writes_deletes_flush_and_merges_leave_what_memory_keeps(machine):
    run_state_machine_as_test(
        machine, settings=settings(max_examples=10, stateful_step_count=15, deadline=None)
    )


@pytest.mark.soak
@pytest.mark.parametrize("run", range(5))
def test_b1_many_writes_deletes_flush_and_merges_leave_what_memory_keeps(machine, run):
    run_state_machine_as_test(
        machine, settings=settings(max_examples=50, stateful_step_count=30, deadline=None)
    )
