"""Marks are on the bar that they belong to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import storecore
from storecore import Action, Decision, Event, InvalidData, Order, OrderResult
from storecore.charts.marks import last_moment, shortened
from storecore.charts.series import ChartQuery, read_series

from .conftest import DAY, FIRST, HOSTILE, bars, weekdays


def marks(store, **asked):
    return read_series(store, ChartQuery("AAPL", **asked)).marks


def placed(store, at):
    """The rows of a decision, an order and an event at a time, among ten days."""
    with storecore.open_store("memory") as other:
        other.write_bars("AAPL", bars(weekdays(10)))
        other.log_decision("value", Decision("AAPL", Action.BUY, 0, 0, ""), as_of=at)
        order = Order("value", "AAPL", "BUY", 1, "MARKET")
        other.log_order("value", order, OrderResult(1, "filled"), as_of=at)
        other.write_event(Event("news", "AAPL", at, at, "wire", {}))
        found = read_series(other, ChartQuery("AAPL"))
        return {mark.kind: mark.row for mark in found.marks}, found.outside


def test_a_decision_at_the_end_of_a_bar_is_on_it_and_an_event_on_the_next_one(store):
    at = FIRST + 2 * DAY
    assert placed(store, at) == ({"buy": 1, "bought": 2, "event": 2}, 0)


def test_what_happens_on_a_weekend_is_on_the_bar_before_it(store):
    saturday = FIRST + 5 * DAY + timedelta(hours=9)
    assert placed(store, saturday) == ({"buy": 4, "bought": 4, "event": 4}, 0)


def test_what_is_later_than_all_bars_is_counted_and_not_drawn(store):
    assert placed(store, FIRST + 100 * DAY) == ({}, 3)


def test_a_decision_about_a_bar_before_the_first_one_is_not_drawn(store):
    assert placed(store, FIRST) == ({"bought": 0, "event": 0}, 1)


def test_each_kind_of_mark_says_what_and_why(store):
    told = {(mark.kind, mark.title, mark.reason) for mark in marks(store)}
    assert told == {
        ("hold", "value: hold, weight 0.25, confidence 0.50", "reason 0: hold"),
        ("buy", "value: buy, weight 0.25, confidence 0.50", "reason 1: buy"),
        ("sell", "value: sell, weight 0.25, confidence 0.50", "reason 2: sell"),
        ("sell", "value: exit, weight 0.25, confidence 0.50", "reason 3: exit"),
        ("buy", "value: buy, weight 0.00, confidence 0.00", HOSTILE),
        ("bought", "value: BUY 10 LIMIT at 101.5", "filled 10 at 101.0: at once"),
        ("sold", "value: SELL 10 MARKET", "rejected"),
        ("split", "split (exchange)", "ratio: 2"),
        ("dividend", "dividend (exchange)", "amount: 1"),
        ("event", "news (wire)", f"title: {HOSTILE}"),
    }


def test_an_order_is_at_the_price_of_its_fill(store):
    prices = {mark.kind: mark.price for mark in marks(store)}
    assert (prices["bought"], prices["sold"]) == (101.0, None)


def test_only_the_decisions_of_a_strategy_are_drawn(store):
    assert {mark.kind for mark in marks(store, strategy="other")} == {"split", "dividend", "event"}


def test_a_run_has_marks_of_its_own(store):
    at = FIRST + 3 * DAY
    store.log_decision("value", Decision("AAPL", Action.BUY, 0, 0, "run"), as_of=at, run="bt-1")
    assert [mark.reason for mark in marks(store, run="bt-1") if mark.kind == "buy"] == ["run"]


def test_a_backend_that_cannot_read_its_log_has_events_only():
    class Plain(storecore.Wrapper):
        capabilities = frozenset()

    with storecore.open_store("memory") as inner:
        inner.write_bars("AAPL", bars(weekdays(3)))
        inner.write_event(Event("news", "AAPL", FIRST, FIRST, "wire", {}))
        assert [mark.kind for mark in marks(Plain(inner))] == ["event"]


def test_a_long_reason_is_cut_and_shows_it():
    assert shortened("x" * 601) == "x" * 600 + "…"
    assert shortened("x" * 600) == "x" * 600


@pytest.mark.parametrize(
    ("timeframe", "later"),
    [("1d", 4 * DAY), ("15m", timedelta(hours=1)), ("session", 4 * DAY)],
)
def test_the_last_bar_has_what_comes_soon_after_it(timeframe, later):
    assert last_moment([FIRST], timeframe) == FIRST + later


def test_the_last_bar_may_be_at_the_end_of_time():
    last = datetime(9999, 12, 31, tzinfo=UTC)
    assert last_moment([last], "1d") == datetime.max.replace(tzinfo=UTC)


# Bars and columns.


def test_the_range_is_that_of_the_question(store):
    days = weekdays(40)
    asked = ChartQuery("AAPL", days[3], days[9], last=2)
    assert read_series(store, asked).dates == days[8:10]


def test_without_bars_there_is_no_chart(store):
    with pytest.raises(InvalidData, match="no 1m bars of 'AAPL' in that range"):
        read_series(store, ChartQuery("AAPL", timeframe="1m"))


def test_further_columns_of_numbers_are_drawn(store):
    found = read_series(store, ChartQuery("AAPL"))
    assert (found.columns, found.hidden) == (["vwap"], [])


def test_of_many_columns_three_are_drawn_and_the_others_named():
    with storecore.open_store("memory") as store:
        store.write_bars("AAPL", bars(weekdays(3), **dict.fromkeys("abcde", float)))
        found = read_series(store, ChartQuery("AAPL"))
        chosen = read_series(store, ChartQuery("AAPL", columns=["e"]))
    assert (found.columns, found.hidden) == (["a", "b", "c"], ["d", "e"])
    assert (chosen.columns, chosen.hidden) == (["e"], ["a", "b", "c", "d"])


@pytest.mark.parametrize("name", ["venue", "vwpa"])
def test_a_column_that_cannot_be_drawn_is_refused_with_those_that_can(store, name):
    with pytest.raises(InvalidData, match=f"'{name}' is no further column of numbers.*'vwap'"):
        read_series(store, ChartQuery("AAPL", columns=[name]))


def test_a_column_of_a_series_without_further_ones_is_refused():
    with storecore.open_store("memory") as store:
        store.write_bars("AAPL", bars(weekdays(3)))
        with pytest.raises(InvalidData, match="there is none"):
            read_series(store, ChartQuery("AAPL", columns=["vwap"]))
