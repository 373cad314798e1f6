"""The demo's strategy trades honestly, and goes on from its saved state."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

import storecore
from storecore import Action, PriceBar
from storecore.cli.demo_strategy import CASH, FIRST_DAY, NAME, SLOW, MovingAverage, decide

DAYS = 100
RISING = [50.0 + 0.1 * day for day in range(DAYS)]
FALLING = [80.0 - 0.1 * day for day in range(DAYS)]
UP_AND_DOWN = [50.0 + day if day < 45 else 140.0 - day for day in range(DAYS)]
# The bars begin so far before the first day of trading that the averages are there.
FIRST_BAR = FIRST_DAY - timedelta(40)
OPEN_ABOVE_CLOSE = 0.25


def filled(closes):
    """Return a store with a bar of X on each of many days, opened 0.25 above its close."""
    store = storecore.open_store("memory")
    start = datetime.combine(FIRST_BAR, datetime.min.time())
    store.write_bars(
        "X",
        [
            PriceBar("X", start + timedelta(day), close + OPEN_ABOVE_CLOSE, 999.0, 1.0, close, 10)
            for day, close in enumerate(closes)
        ],
    )
    return store


def traded(closes, days=60):
    """Return the store in which the strategy has traded some days of X, with these closes."""
    store = filled(closes)
    MovingAverage(store, ("X",)).trade(days)
    return store


def decisions(store):
    return [record.decision for record in store.read_decisions(date.min, date.max)]


def orders(store):
    return store.read_orders(date.min, date.max)


def test_it_holds_while_there_are_too_few_bars():
    decision = decide("X", [1.0] * (SLOW - 1), held=False, share=1.0)
    assert (decision.action, decision.target_weight) == (Action.HOLD, 0.0)


@pytest.mark.parametrize(
    ("closes", "held", "action"),
    [
        (RISING, False, Action.BUY),
        (RISING, True, Action.HOLD),
        (FALLING, True, Action.EXIT),
        (FALLING, False, Action.HOLD),
    ],
)
def test_it_wants_what_has_its_fast_average_above_the_slow(closes, held, action):
    assert decide("X", closes, held, 1.0).action is action


def test_it_gives_its_reason_in_numbers():
    assert decide("X", [1.0] * SLOW, False, 1.0).reasoning == "10-day average 1.00, 30-day 1.00"


def test_it_does_not_look_ahead():
    days_known = 40 + 30
    with_another_future = RISING[:days_known] + [1.0] * (DAYS - days_known)
    assert decisions(traded(RISING))[:30] == decisions(traded(with_another_future))[:30]


def test_it_trades_at_the_next_day_s_open():
    (record,) = orders(traded(RISING))
    assert record.result.fill_price == RISING[41] + OPEN_ABOVE_CLOSE


def test_it_spends_no_more_cash_than_it_has():
    (record,) = orders(traded(RISING))
    assert (
        record.result.fill_price * record.result.fill_quantity
        <= CASH
        < (record.result.fill_price * record.order.quantity)
    )


def test_an_order_that_the_cash_does_not_cover_is_rejected():
    dear = [CASH * 0.9] * 40 + [CASH * 0.91] + [CASH * 2] * 10
    store = traded(dear, days=2)
    assert [record.result.status for record in orders(store)] == ["rejected"]


def test_it_sells_what_it_held_when_the_averages_cross_back():
    buy, sell = orders(traded(UP_AND_DOWN))
    assert (sell.order.action, sell.result.fill_quantity) == ("SELL", buy.result.fill_quantity)


def test_its_state_is_worth_its_cash_and_its_shares():
    store = traded(RISING)
    state = store.load_strategy_state(NAME)
    last_close = RISING[40 + 60 - 1]
    assert state["worth"] == pytest.approx(state["cash"] + state["positions"]["X"] * last_close)


def test_each_day_it_logs_a_decision():
    assert len(decisions(traded(RISING, days=7))) == 7


def test_only_what_it_acts_on_is_an_event():
    events = traded(UP_AND_DOWN).read_events(date.min, date.max, ["signal"])
    assert [event.payload["action"] for event in events] == ["buy", "exit"]


def test_it_goes_on_from_its_saved_state():
    at_one_go = traded(UP_AND_DOWN)
    in_two = filled(UP_AND_DOWN)
    for _ in range(2):
        MovingAverage(in_two, ("X",)).trade(30)
    assert in_two.load_strategy_state(NAME) == at_one_go.load_strategy_state(NAME)


def test_it_ends_where_the_bars_end():
    store = traded(RISING, days=1000)
    assert MovingAverage(store, ("X",)).trade(1000).days == []


def test_it_skips_a_day_on_which_not_every_symbol_traded():
    store = filled(RISING)
    bars = store.read_bars("X", FIRST_BAR, date.max)
    absent = FIRST_DAY + timedelta(1)
    store.write_bars(
        "Y",
        [
            PriceBar("Y", bar.date, bar.open, bar.high, bar.low, bar.close, bar.volume)
            for bar in bars
            if bar.date.date() != absent
        ],
    )
    assert absent not in MovingAverage(store, ("X", "Y")).trade(10).days


def test_each_decision_stands_at_the_end_of_its_day_and_has_the_receipt_of_its_bars():
    store = traded(RISING, days=2)
    for number, record in enumerate(store.read_decisions()):
        day = FIRST_DAY + timedelta(number)
        assert record.as_of == datetime.combine(day + timedelta(1), datetime.min.time())
        (read,) = record.reads
        asked = {"symbol": "X", "start": str(day - timedelta(60)), "end": str(day)}
        assert (read["call"], read["rows"]) == ("read_bars", 41 + number)
        assert asked.items() <= read["arguments"].items()
        assert store.replay(record).status == "same"
