"""The cached backend answers from memory what it has read once, within its budget."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storecore import StorageError
from storecore.builtin.cached import BYTES_A_BAR, CachedStore
from storecore.builtin.memory import MemoryDataStore
from storecore.testing.records import bar_table

JAN_1, JAN_31 = datetime(2026, 1, 1), datetime(2026, 1, 31)


class Counting(MemoryDataStore):
    """Counts how often its bars are read, and can be told to do something meanwhile."""

    reads = 0
    meanwhile = None

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        self.reads += 1
        read = super().read_bars(symbol, start, end, timeframe=timeframe)
        if self.meanwhile is not None:
            self.meanwhile()
        return read

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        super().write_bars(symbol, bars, timeframe=timeframe)
        if symbol == "FULL":
            raise StorageError("disk full")


@pytest.fixture
def nested(bar):
    store = Counting()
    for symbol in ("AAPL", "MSFT", "FULL"):
        days = [JAN_1 + timedelta(day) for day in range(31)]
        MemoryDataStore.write_bars(
            store, symbol, [bar(day, float(day.day), symbol=symbol) for day in days]
        )
    return store


@pytest.fixture
def cached(nested):
    """Make a cached store of a budget in bars."""
    return lambda bars=1000: CachedStore(nested, bars * BYTES_A_BAR)


def closes(store, first=1, last=31, symbol="AAPL", **options):
    start, end = JAN_1.replace(day=first), JAN_1.replace(day=last)
    return [bar.close for bar in store.read_bars(symbol, start, end, **options)]


def test_a_range_within_one_that_was_read_is_answered_from_memory(cached, nested):
    store = cached()
    assert closes(store, 5, 20) == list(range(5, 21))
    assert closes(store, 5, 20) == list(range(5, 21))
    assert closes(store, 10, 12) == [10.0, 11.0, 12.0]
    assert nested.reads == 1


def test_what_lies_outside_is_read(cached, nested):
    store = cached()
    closes(store, 5, 20)
    assert closes(store, 5, 21) == list(range(5, 22))
    assert closes(store, 5, 20, timeframe="1m") == []
    assert nested.reads == 3


def test_the_answer_from_memory_is_of_the_kind_asked_for(cached, nested):
    store = cached()
    naive = store.read_bars("AAPL", JAN_1, JAN_31)
    aware = store.read_bars("AAPL", JAN_1.replace(tzinfo=UTC), JAN_31.replace(tzinfo=UTC))
    assert nested.reads == 1
    assert {bar.date.tzinfo for bar in naive} == {None}
    assert [bar.date for bar in aware] == [bar.date.replace(tzinfo=UTC) for bar in naive]


def test_a_list_that_was_returned_is_the_callers_own(cached):
    store = cached()
    for _ in range(2):
        store.read_bars("AAPL", JAN_1, JAN_31).clear()
    assert len(closes(store)) == 31


def test_a_write_drops_its_series_and_no_other(cached, nested, bar):
    store = cached()
    for symbol in ("AAPL", "MSFT"):
        closes(store, symbol=symbol)
    store.write_bars("AAPL", [bar(JAN_1, 7.5)])
    assert closes(store, 1, 1) == [7.5]
    closes(store, symbol="MSFT")
    assert nested.reads == 3


def test_a_write_that_raised_drops_its_series_too(cached, bar):
    store = cached()
    closes(store, symbol="FULL")
    with pytest.raises(StorageError):
        store.write_bars(symbol="FULL", bars=[bar(JAN_1, 7.5, symbol="FULL")])
    assert closes(store, 1, 1, "FULL") == [7.5]


@pytest.mark.parametrize("name", ["write_event", "save_strategy_state", "log_decision"])
def test_a_write_of_something_else_drops_nothing(cached, nested, writes, name):
    store = cached()
    closes(store)
    getattr(store, name)(**writes[name])
    closes(store)
    assert nested.reads == 1


def test_a_batch_of_something_else_drops_nothing(
    cached, nested, event, fundamental, decision, sent
):
    store = cached()
    closes(store)
    store.write_events([event()])
    store.write_fundamentals([fundamental()])
    store.log_decisions("value", [decision()])
    store.log_orders("value", [sent()])
    store.append_audit("orders", JAN_1.date(), [])
    store.restore_state("value", [], expect=store.load_versioned_state("value").version)
    closes(store)
    assert nested.reads == 1


def test_a_table_that_is_written_drops_what_is_held(cached, bar):
    store = cached()
    assert closes(store, 1, 1) == [1.0]
    store.write_bar_table(bar_table([bar(JAN_1, 7.5)]))
    assert closes(store, 1, 1) == [7.5]


def test_a_table_that_is_read_is_never_stale(cached, bar):
    store = cached()
    for close in (7.5, 8.5):
        closes(store)
        store.read_bar_table("AAPL", JAN_1, JAN_31)
        store.write_bars("AAPL", [bar(JAN_1, close)])
        table = store.read_bar_table("AAPL", JAN_1, JAN_1)
        assert table["close"].to_pylist() == [close]


def test_bars_that_are_deleted_are_gone_and_no_other_series_is_dropped(cached, nested):
    store = cached()
    for symbol in ("AAPL", "MSFT"):
        closes(store, symbol=symbol)
    assert store.delete_bars("AAPL", JAN_1, JAN_31.replace(day=30)) == 30
    assert closes(store) == [31.0]
    closes(store, symbol="MSFT")
    assert nested.reads == 3


def test_a_write_of_an_unknown_kind_drops_everything(cached, nested):
    nested.repair = lambda: None
    store = cached()
    closes(store)
    store._write("repair", (), {})
    closes(store)
    assert nested.reads == 2


def test_bars_that_were_read_while_they_were_written_are_not_held(cached, nested, bar):
    store = cached()
    nested.meanwhile = lambda: store.write_bars("AAPL", [bar(JAN_1, 7.5)])
    assert closes(store, 1, 1) == [1.0]
    nested.meanwhile = None
    assert closes(store, 1, 1) == [7.5]


def test_the_series_not_read_for_the_longest_time_goes_first(cached, nested):
    store = cached(bars=62)
    for symbol in ("AAPL", "MSFT", "AAPL", "FULL"):
        closes(store, symbol=symbol)
    assert nested.reads == 3
    closes(store, symbol="AAPL")
    closes(store, symbol="FULL")
    assert nested.reads == 3
    closes(store, symbol="MSFT")
    assert nested.reads == 4


def test_a_series_above_the_whole_budget_is_not_held(cached, nested):
    store = cached(bars=30)
    for _ in range(2):
        assert len(closes(store)) == 31
    assert nested.reads == 2


def last(store, number, **bounds):
    return [bar.close for bar in store.read_bars("AAPL", last=number, **bounds)]


def test_the_last_bars_are_answered_from_a_range_that_was_read(cached, nested):
    store = cached()
    closes(store, 5, 20)
    assert last(store, 3, end=JAN_1.replace(day=10)) == [8.0, 9.0, 10.0]
    assert last(store, 6, end=JAN_1.replace(day=10)) == [5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    assert last(store, 99, start=JAN_1.replace(day=18), end=JAN_1.replace(day=20)) == [18, 19, 20]
    assert nested.reads == 1
    assert last(store, 7, end=JAN_1.replace(day=10)) == [4, 5, 6, 7, 8, 9, 10]
    assert nested.reads == 2


def test_the_last_bars_that_were_read_answer_what_lies_within_them(cached, nested):
    store = cached()
    assert last(store, 5) == [27.0, 28.0, 29.0, 30.0, 31.0]
    assert last(store, 5) == [27.0, 28.0, 29.0, 30.0, 31.0]
    assert last(store, 2, end=JAN_1.replace(day=29)) == [28.0, 29.0]
    assert closes(store, 27, 31) == [27.0, 28.0, 29.0, 30.0, 31.0]
    assert nested.reads == 1
    assert closes(store, 26, 31) == [26.0, 27.0, 28.0, 29.0, 30.0, 31.0]
    assert nested.reads == 2


def test_fewer_bars_than_were_asked_for_are_all_of_the_range(cached, nested):
    store = cached()
    assert last(store, 99) == closes(store) == list(range(1, 32))
    assert store.read_bars("AAPL") == store.read_bars("AAPL", last=31)
    assert nested.reads == 1


def test_a_symbol_that_is_renamed_or_replaced_is_read_anew(cached, nested, bar):
    store = cached()
    closes(store)
    assert store.read_bars("NEW") == []
    store.rename_symbol("AAPL", "NEW")
    assert closes(store) == []
    assert len(store.read_bars("NEW")) == 31
    store.write_bar_table(bar_table([bar(JAN_1, 7.5, symbol="NEW")]), replace=True)
    assert [each.close for each in store.read_bars("NEW")] == [7.5]


def test_a_deletion_of_something_else_drops_nothing(cached, nested, writes):
    store = cached()
    closes(store)
    store.write_event(**writes["write_event"])
    store.delete_events(JAN_1, JAN_31)
    store.delete_fundamentals("AAPL", JAN_1, JAN_31)
    store.delete_strategy_state("value")
    closes(store)
    assert nested.reads == 1


def test_b6_further_columns_are_answered_from_memory_and_no_caller_changes_them(
    nested, cached, bar
):
    given = [bar(JAN_1, extra={"vwap": 1.5}, volume=None), bar(JAN_31)]
    nested.write_bars("AAPL", given)
    store = cached()
    first = store.read_bars("AAPL", JAN_1, JAN_31)
    first[0].extra["vwap"] = 7.0
    again = store.read_bars("AAPL", JAN_1, JAN_31)
    again[0].extra["vwap"] = 7.0
    assert [each for each in store.read_bars("AAPL", JAN_1, JAN_31) if each in given] == given
    assert nested.reads == 1


def test_b6_further_columns_count_for_the_budget(nested, cached, bar):
    store = cached(31)
    assert len(closes(store)) == len(closes(store)) == 31
    assert nested.reads == 1
    days = [JAN_1 + timedelta(day) for day in range(31)]
    store.write_bars("AAPL", [bar(day, extra={"note": "x" * 100}) for day in days])
    assert len(closes(store)) == len(closes(store)) == 31
    assert nested.reads == 3
