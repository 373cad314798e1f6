"""`look_ahead_of` finds look-ahead bugs as people make them, and nothing in right strategies."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

import storecore
from storecore import HistoryPruned, InvalidData, LookAhead, StorageError, open_store
from storecore.testing import LookAheadFinding, look_ahead_of
from storecore.testing.records import bar, decision, event, fundamental, sent
from storecore.values.times import exact_instant

DAY = timedelta(days=1)
FIRST = datetime(2026, 1, 5)  # a Monday
OPEN, CLOSE = time(14, 30), time(21)
DAYS = [datetime.combine(FIRST.date(), OPEN) + step * DAY for step in range(40, 50)]
NEW_YORK = ZoneInfo("America/New_York")


def write(store):
    """Write sixty days of two symbols, one of them listed late, filings, events and a log."""
    noise = Random(7)
    for symbol, listed in (("AAPL", 0), ("MSFT", 45)):
        prices = [100 + noise.random() * 10 for _ in range(listed, 60)]
        bars = [
            bar(FIRST + (listed + n) * DAY, price, symbol=symbol, volume=noise.randrange(1000))
            for n, price in enumerate(prices)
        ]
        store.write_bars(symbol, bars)
        store.write_bars(symbol, bars[::7], timeframe="1w")
        store.write_bars(symbol, [bars[0], bars[-28]] if listed == 0 else bars[:1], timeframe="1mo")
    for step in (10, 44, 47):
        filed = datetime.combine(FIRST.date(), time(22)) + step * DAY
        store.write_fundamental("AAPL", fundamental(filed, employees=step))
    store.write_fundamental("MSFT", fundamental(FIRST + 46 * DAY, symbol="MSFT"))
    for step in range(60):
        happened = FIRST + step * DAY
        news = event(happened, ingested_at=happened + 2 * DAY, payload={"surprise": step})
        store.write_event(news)
    late = FIRST + 47 * DAY
    store.write_event(event(late, symbol="NEW", ingested_at=late))
    store.save_strategy_state("value", {"cash": 5.0})
    store.log_decision("value", decision())
    store.log_order("value", *sent())


@pytest.fixture(scope="module")
def store():
    """A store with a history of sixty days, written today."""
    with open_store("memory") as opened:
        write(opened)
        yield opened


# Bugs. Each decides at the open of a day.


def closes(bars):
    return [round(each.close, 6) for each in bars]


def of_today_at_the_open(store, day):
    return closes(store.read_bars("AAPL", None, day))[-1]


def with_an_open_end(store, day):
    return closes(store.read_bars("AAPL", day - 9 * DAY))


def with_a_date_as_end(store, day):
    return closes(store.read_bars("AAPL", day - 9 * DAY, day.date()))


def with_iso_text_as_end(store, day):
    return closes(store.read_bars("AAPL", "2026-01-05", day.date().isoformat()))[-1]


def with_the_last_bar(store, day):
    return closes(store.read_bars("AAPL", last=1))


def with_the_last_bars_of_the_week(store, day):
    return closes(store.read_bars("AAPL", None, day + (4 - day.weekday()) * DAY, last=5))


def with_the_week_that_is_not_over(store, day):
    return closes(store.read_bars("AAPL", None, day, timeframe="1w"))[-1]


def with_the_month_that_is_not_over(store, day):
    return closes(store.read_bars("AAPL", None, day, timeframe="1mo"))[-1]


def with_the_return_of_tomorrow(store, day):
    bars = store.read_bars("AAPL", day - DAY, day + DAY)
    return bars[-1].close > bars[0].close


def with_the_clock_of_new_york_taken_for_utc(store, day):
    end = datetime.combine(day.date(), time(21)).replace(tzinfo=NEW_YORK)
    return closes(store.read_bars("AAPL", day.replace(tzinfo=UTC) - 2 * DAY, end))


def with_a_scale_of_the_whole_series(store, day):
    bars = store.read_bars("AAPL", None, day - DAY)
    return bars[-1].close / max(each.close for each in store.read_bars("AAPL"))


def with_the_restated_filing(store, day):
    return store.read_fundamental("AAPL").employees


def with_the_filing_of_this_evening(store, day):
    return store.read_fundamental("AAPL", datetime.combine(day.date(), time(23))).employees


def with_the_last_of_all_filings(store, day):
    return store.fundamentals("AAPL")[-1].employees


def with_a_late_event(store, day):
    return [each.payload["surprise"] for each in store.read_events(None, day, symbols=["AAPL"])][-1]


def with_every_event(store, day):
    return len(store.read_events())


def with_events_ingested_tomorrow(store, day):
    return [each.timestamp for each in store.read_events(ingested_by=day + DAY)][-1]


def with_symbols_that_are_listed_later(store, day):
    return [str(each) for each in store.symbols()]


def with_symbols_spelled_like_it(store, day):
    return str(store.nearest("MSFTT"))


def with_the_timeframes_of_a_later_symbol(store, day):
    return len(store.timeframes("MSFT"))


def with_the_length_of_the_series(store, day):
    return store.bar_coverage("AAPL").count


def with_the_inventory(store, day):
    return [each.last.isoformat() for each in store.inventory() if each.timeframe == "1d"]


def with_symbols_that_file_later(store, day):
    return store.fundamental_symbols()


def with_symbols_that_are_in_the_news_later(store, day):
    return store.event_symbols()


def with_a_table(store, day):
    table = store.read_bar_table(["AAPL", "MSFT"], day - 3 * DAY, day)
    return [round(each, 6) for each in table["close"].to_pylist()]


def with_a_table_without_dates(store, day):
    return store.read_bar_table(["AAPL"], day - 3 * DAY, columns=["close"])["close"].to_pylist()


def with_the_state_of_the_live_strategy(store, day):
    state = store.load_strategy_state("value")
    return state and state["cash"]


def with_the_version_of_the_live_state(store, day):
    loaded = store.load_versioned_state("value")
    return [loaded.version, loaded.state]


def with_the_list_of_live_strategies(store, day):
    return store.strategies()


def with_the_log_of_the_live_strategy(store, day):
    return len(store.read_decisions()) + len(store.read_orders())


def logged_in_a_decision(store, day):
    weight = store.read_bars("AAPL", None, day)[-1].close / 1000
    store.log_decision("value", decision(target_weight=weight))


def logged_in_a_batch(store, day):
    weight = store.read_bars("AAPL", None, day)[-1].close / 1000
    store.log_decisions("value", decisions=iter([decision(target_weight=weight)]))


def logged_in_an_order(store, day):
    order, result = sent(quantity=store.read_bars("AAPL", None, day)[-1].volume)
    store.log_order("value", order, result=result)


def logged_in_a_batch_of_orders(store, day):
    order, result = sent(quantity=store.read_bars("AAPL", None, day)[-1].volume)
    store.log_orders("value", [(order, result)])


def shown_by_an_error(store, day):
    (bar,) = store.read_bars("AAPL", day.date(), day)
    return bar.symbol


class CachedAcrossDays:
    """Reads a series once, on the first day, and uses it on all others."""

    def __init__(self):
        self.bars = {}

    def __call__(self, store, day):
        """Decide by the bar of yesterday, from the cache."""
        if "AAPL" not in self.bars:
            self.bars["AAPL"] = {each.date: each.close for each in store.read_bars("AAPL")}
        yesterday = datetime.combine(day.date(), time()) - DAY
        return self.bars["AAPL"].get(yesterday)


def with_a_view_of_tomorrow(store, day):
    return closes(store.at(day + DAY).read_bars("AAPL"))[-1]


def with_a_table_of_a_view_of_tomorrow(store, day):
    return store.at(day + DAY).read_bar_table("AAPL", columns=["close"])["close"].to_pylist()


def with_the_symbols_of_a_view_of_next_week(store, day):
    return [str(each) for each in storecore.at(store, day + 9 * DAY).symbols()]


def with_a_filing_in_a_view_of_tomorrow(store, day):
    return store.at(day + 9 * DAY).at(day + DAY).read_fundamental("AAPL").employees


def with_a_live_state_in_a_view_of_later(store, day):
    return store.at(datetime(2100, 1, 1)).load_strategy_state("value")


def logged_in_a_run(store, day):
    weight = store.read_bars("AAPL", None, day)[-1].close / 1000
    store.at(day, run="bt-7").log_decision("value", decision(target_weight=weight))


def logged_with_the_name_of_a_run(store, day):
    weight = store.read_bars("AAPL", None, day)[-1].close / 1000
    store.log_decision("value", decision(target_weight=weight), as_of=day, run="bt-7")


BUGS = [
    *(of_today_at_the_open, with_an_open_end, with_a_date_as_end, with_iso_text_as_end),
    *(with_the_last_bar, with_the_last_bars_of_the_week, with_the_week_that_is_not_over),
    *(with_the_month_that_is_not_over, with_the_return_of_tomorrow),
    *(with_the_clock_of_new_york_taken_for_utc, with_a_scale_of_the_whole_series),
    *(with_the_restated_filing, with_the_filing_of_this_evening, with_the_last_of_all_filings),
    *(with_a_late_event, with_every_event, with_events_ingested_tomorrow),
    *(with_symbols_that_are_listed_later, with_symbols_spelled_like_it),
    *(with_the_timeframes_of_a_later_symbol, with_the_length_of_the_series, with_the_inventory),
    *(with_symbols_that_file_later, with_symbols_that_are_in_the_news_later),
    *(with_a_table, with_a_table_without_dates, with_the_state_of_the_live_strategy),
    with_the_version_of_the_live_state,
    *(with_the_list_of_live_strategies, with_the_log_of_the_live_strategy, logged_in_a_decision),
    *(logged_in_a_batch, logged_in_an_order, logged_in_a_batch_of_orders, shown_by_an_error),
    *(with_a_view_of_tomorrow, with_a_table_of_a_view_of_tomorrow),
    *(with_the_symbols_of_a_view_of_next_week, with_a_filing_in_a_view_of_tomorrow),
    *(with_a_live_state_in_a_view_of_later, logged_in_a_run, logged_with_the_name_of_a_run),
    CachedAcrossDays,
]


@pytest.mark.parametrize("strategy", BUGS, ids=lambda each: each.__name__)
def test_a_decision_that_looks_ahead_is_named(store, strategy):
    found = look_ahead_of(strategy, store, DAYS)
    assert isinstance(found, LookAheadFinding)
    assert found.day in DAYS
    assert repr(found.known) != repr(found.noise)
    assert found.reads or strategy is CachedAcrossDays
    assert str(found).startswith(f"decision {found.number} of 2026-02-")


# Strategies that decide by what was known.


def at_the_close_of_yesterday(store, day):
    return closes(store.read_bars("AAPL", None, day - DAY, last=3))


def by_a_view(store, day):
    view = storecore.at(store, day)
    events = [each.payload for each in view.read_events()]
    found = view.read_bars("AAPL"), view.symbols(), view.read_fundamental("AAPL"), events
    return repr((*found, view.bar_coverage("AAPL"), view.inventory(), view.read_bar_table("AAPL")))


def by_filings_and_events_that_were_known(store, day):
    filing = store.read_fundamental("AAPL", day)
    return [filing.employees, len(store.read_events(ingested_by=day))]


def by_a_table_up_to_yesterday(store, day):
    return store.read_bar_table(["AAPL"], end=day - DAY, columns=["close"])["close"].to_pylist()


def by_its_own_state_and_log(store, day):
    state = store.load_strategy_state("mine") or {"days": 0}
    state["days"] += 1
    store.save_strategy_state("mine", state)
    store.log_decision("mine", decision(target_weight=state["days"] / 100))
    own = store.read_decisions(strategy_name="mine")
    store.log_order("mine", *sent(strategy_name="mine"))
    orders = store.read_orders(strategy_name="mine")
    return [store.load_versioned_state("mine").version, len(own), len(orders)]


def by_the_state_and_log_of_its_run(store, day):
    run = store.at(day, run="bt-7")
    state = run.load_strategy_state("mine") or {"days": 0}
    state["days"] += 1
    run.save_strategy_state("mine", state)
    run.log_decision("mine", decision(target_weight=state["days"] / 100), reads=run.receipt())
    run.log_orders("mine", iter([sent(strategy_name="mine")]))
    assert state["days"] == DAYS.index(day) + 1
    assert run.at(day - DAY).load_strategy_state("mine") != state
    assert len(run.read_decisions()) == len(run.read_orders()) == state["days"]
    assert len(store.read_decisions(run="bt-7")) == state["days"]
    assert run.strategies() == ["mine"]
    assert store.at(day, run="another").strategies() == []
    assert "mine" not in store.strategies()
    with pytest.raises(InvalidData, match="run='another'"):
        run.log_decision("mine", decision(), run="another")
    with pytest.raises(StorageError, match="is a view, which cannot be written"):
        store.at(day).log_decision("mine", decision())
    with pytest.raises(StorageError, match="is a view, which cannot be written"):
        run.write_event(event(day))
    return state


def by_what_it_saved_without_a_run(store, day):
    store.save_strategy_state("mine", {"day": day.isoformat()})
    assert store.at(day).load_strategy_state("mine") == {"day": day.isoformat()}
    assert "mine" in store.strategies()


def by_the_receipt_of_a_view(store, day):
    view = store.at(day)
    view.read_bars("AAPL", last=2)
    view.read_bar_table(iter(["AAPL"]), columns=iter(["close"]), last=2)
    view.verify_audit()
    given = view.receipt()
    assert [(each.call, each.rows) for each in given] == [("read_bars", 2), ("read_bar_table", 2)]
    return [each.sha256 for each in given]


class CachedUpToTheMoment:
    """Keeps each bar that it has read, and reads no further than the moment."""

    def __init__(self):
        self.bars = {}

    def __call__(self, store, day):
        """Decide by the bar of yesterday, from the cache."""
        view, last = store.at(day), max(self.bars, default=None)
        self.bars |= {each.date: each.close for each in view.read_bars("AAPL", last)}
        return self.bars[datetime.combine(day.date(), time()) - DAY]


def by_nothing(store, day):
    return None


RIGHT = [
    *(at_the_close_of_yesterday, by_a_view, by_filings_and_events_that_were_known),
    *(by_a_table_up_to_yesterday, by_its_own_state_and_log, by_the_state_and_log_of_its_run),
    *(by_what_it_saved_without_a_run, by_the_receipt_of_a_view, CachedUpToTheMoment, by_nothing),
]


@pytest.mark.parametrize("strategy", RIGHT, ids=lambda each: each.__name__)
def test_a_strategy_that_decides_by_what_was_known_looks_not_ahead(store, strategy):
    assert look_ahead_of(strategy, store, DAYS) is None


class Position:
    """A decision of a strategy's own type, without equality and text."""

    def __init__(self, weights):
        self.weights = weights


def in_the_middle_of(many, day, store):
    """Return a decision of many weights, of which the one in the middle looks ahead."""
    return many([0.0] * 750 + [store.read_bars("AAPL", end=day)[-1].close] + [0.0] * 750)


MANY = {
    "an array": np.array,
    "a series": pd.Series,
    "a frame": lambda values: pd.DataFrame({"weight": values}),
    "an object": lambda values: Position(np.array(values)),
}


@pytest.mark.parametrize("many", MANY.values(), ids=MANY)
def test_a_decision_of_many_numbers_is_compared_whole(store, many):
    found = look_ahead_of(lambda store, day: in_the_middle_of(many, day, store), store, DAYS)
    assert found.day == DAYS[0]
    assert ("the texts leave out what differs" in str(found)) == (many is not MANY["an object"])
    without = store.at(DAYS[0])
    right = look_ahead_of(lambda _, day: in_the_middle_of(many, day, without), store, DAYS[:2])
    assert right is None


def test_a_decision_is_what_it_was_when_it_was_made(store):
    class Reusing:
        """Uses one array for all decisions, and empties it on the last day."""

        def __init__(self):
            self.weights = np.zeros(3)

        def __call__(self, store, day):
            """Return the array, with the close of today in it."""
            last = day == DAYS[3]
            self.weights[1] = 0.0 if last else store.read_bars("AAPL", end=day)[-1].close
            return self.weights

    assert look_ahead_of(Reusing, store, DAYS[:4]).day == DAYS[0]


def test_a_decision_that_cannot_be_compared_is_refused(store):
    with pytest.raises(InvalidData, match=r"^decision 1 of 2026-02-14 14:30:00: .* is a generator"):
        look_ahead_of(lambda store, day: [1, (each for each in [1])], store, DAYS)


# What was corrected after a moment. The store loads its data on the 30th day, corrects one bar and
# one filing on the 35th, one bar on the 45th, and others on the 60th.

FILED = FIRST + 20 * DAY
LATER = FIRST + 61 * DAY
FORMAT = "storecore_file.store_format"


@pytest.fixture(scope="module")
def revised(tmp_path_factory):
    """A store that corrects a bar and a filing after the moments of decision."""
    folder = tmp_path_factory.mktemp("revised") / "data"
    bars = [bar(FIRST + step * DAY, 100.0 + step, symbol="AAPL") for step in range(60)]
    others = [replace(each, symbol="MSFT") for each in bars]
    with pytest.MonkeyPatch.context() as patched:

        def clock(step):
            moment = exact_instant(FIRST + step * DAY, "now")
            for module in ("storecore.knowledge.clock", "storecore_file.history", FORMAT):
                patched.setattr(f"{module}.machine_now", lambda: moment)

        clock(30)
        with open_store("file", base_path=folder, durability="os") as opened:
            opened.write_bars("AAPL", bars[:28])
            opened.write_bars("MSFT", others)
            opened.write_fundamental("AAPL", fundamental(FILED, employees=10))
            clock(35)
            opened.write_bars("AAPL", [replace(bars[3], close=1.5), *bars[28:]])
            opened.write_fundamental("MSFT", fundamental(FILED, symbol="MSFT", employees=10))
            opened.write_fundamental("MSFT", fundamental(FILED, symbol="MSFT", employees=11))
            clock(45)
            opened.write_bars("AAPL", [replace(bars[35], close=4.0)])
            clock(60)
            for close in (2.0, 3.0):
                opened.write_bars("AAPL", [replace(bars[25], close=close)])
            opened.write_bars("AAPL", [replace(bars[35], close=5.0)])
            opened.write_fundamental("AAPL", fundamental(FILED, employees=99))
            opened.delete_bars("MSFT", bars[5].date, bars[5].date)
            clock(61)
            opened.snapshot("later")
            yield opened


def all_closes(bars):
    return [(each.date, each.close) for each in bars]


def by_a_revised_bar(store, day):
    return all_closes(store.read_bars("AAPL", end=day - DAY))


def by_a_revised_bar_in_a_view(store, day):
    return all_closes(store.at(day).read_bars("AAPL", FIRST.replace(tzinfo=UTC)))


def by_a_revised_bar_in_a_view_of_yesterday(store, day):
    return all_closes(store.at(day - DAY).read_bars("AAPL"))


def by_a_revised_bar_of_a_later_recording(store, day):
    return all_closes(store.at(day, recorded=LATER).read_bars("AAPL"))


def by_a_revised_bar_of_a_later_snapshot(store, day):
    return all_closes(store.at("later").at(day).read_bars("AAPL"))


def by_a_revised_bar_in_a_table(store, day):
    return store.read_bar_table(["AAPL"], end=day - DAY, columns=["close"])


def by_a_revised_bar_in_the_table_of_a_view(store, day):
    return store.at(day).read_bar_table("AAPL", columns=["close"])


def by_a_revised_bar_in_the_stream_of_a_view(store, day):
    view = store.at(day)
    tables = list(view.iter_bar_tables(iter(["AAPL"]), columns=iter(["close"])))
    assert [each.call for each in view.receipt()] == ["iter_bar_tables"]
    return tables, len(list(view.iter_bar_tables("AAPL")))


def by_a_restated_filing(store, day):
    return store.read_fundamental("AAPL", day).employees


def by_a_restated_filing_in_a_view(store, day):
    return store.at(day).read_fundamental("AAPL").employees


def by_all_filings_in_a_view(store, day):
    return [each.employees for each in store.at(day).fundamentals("AAPL")]


REVISED = [
    *(by_a_revised_bar, by_a_revised_bar_in_a_view, by_a_revised_bar_in_a_view_of_yesterday),
    *(by_a_revised_bar_of_a_later_recording, by_a_revised_bar_of_a_later_snapshot),
    *(by_a_revised_bar_in_a_table, by_a_revised_bar_in_the_table_of_a_view),
    *(by_a_revised_bar_in_the_stream_of_a_view, by_a_restated_filing),
    *(by_a_restated_filing_in_a_view, by_all_filings_in_a_view),
]


@pytest.mark.parametrize("strategy", REVISED, ids=lambda each: each.__name__)
def test_a_decision_by_what_was_corrected_later_is_named(revised, strategy):
    found = look_ahead_of(strategy, revised, DAYS[:2])
    assert found.day == DAYS[0]
    assert len(found.reads) == 1
    assert "; reads that reached beyond it, or were corrected later: " in str(found)


def test_a_corrected_bar_is_shown_as_it_was_at_the_moment_or_as_it_was_recorded_first(revised):
    def close(store, day):
        return store.at(day).read_bars("AAPL", FIRST + 25 * DAY, FIRST + 25 * DAY)[0].close

    found = look_ahead_of(close, revised, [DAYS[0]])
    assert (found.known, found.noise) == (3.0, 125.0)
    found = look_ahead_of(close, revised, [FIRST + 28 * DAY])
    assert (found.known, found.noise) == (3.0, 125.0)


def by_what_was_recorded_then(store, day):
    view = store.at(day, recorded=day)
    bars = {each.date: each.close for each in view.read_bars("AAPL")}
    assert (bars[FIRST + 3 * DAY], bars[FIRST + 25 * DAY]) == (1.5, 125.0)
    assert view.read_fundamental("AAPL").employees == 10
    return bars, view.read_bar_table("AAPL"), view.symbols(), view.fundamentals("AAPL")


def by_bars_that_were_not_corrected(store, day):
    bars = store.at(day).read_bars("AAPL", FIRST + 36 * DAY)
    return bars, store.read_bars("AAPL", end=FIRST + 24 * DAY), store.at(day).symbols()


def by_another_symbol(store, day):
    return store.at(day).read_bars("MSFT"), store.read_fundamental("MSFT", day)


def by_what_it_does_not_use(store, day):
    return store.at(day).read_bars("AAPL")[-1].close


UNREVISED = [
    *(by_what_was_recorded_then, by_bars_that_were_not_corrected, by_another_symbol),
    by_what_it_does_not_use,
]


@pytest.mark.parametrize("strategy", UNREVISED, ids=lambda each: each.__name__)
def test_a_decision_by_what_was_not_corrected_later_is_not_named(revised, strategy):
    assert look_ahead_of(strategy, revised, DAYS[:3]) is None


@pytest.mark.parametrize("step", [35, 40, 58])
def test_a_bar_that_was_forming_is_shown_as_it_was_then(revised, step):
    """It was recorded on the 35th day, and corrected on the 45th and on the 60th."""

    def by_forming_bars(store, day):
        bars = store.at(FIRST + 35 * DAY + timedelta(hours=5)).read_bars("AAPL", FIRST + 35 * DAY)
        assert [each.close for each in bars] == [135.0, 136.0]
        return bars

    assert look_ahead_of(by_forming_bars, revised, [FIRST + (step + 0.5) * DAY]) is None


def test_a_correction_back_to_what_was_is_no_look_ahead():
    with open_store("memory") as store:
        for close in (1.0, 2.0, 1.0):
            store.write_bars("AAPL", [bar(FIRST, close)])
        assert (
            look_ahead_of(lambda store, day: store.at(day).read_bars("AAPL"), store, DAYS) is None
        )


def test_a_store_without_history_says_what_a_recording_needs():
    class Plain(storecore.Wrapper):
        """A store without the capability History."""

        def __repr__(self):
            return "Plain()"

    with Plain(open_store("memory"), ["Catalog"]) as store:
        write(store._nested)
        assert look_ahead_of(lambda store, day: store.at(day).symbols(), store, DAYS) is None
        with pytest.raises(StorageError, match=r"capability History, which Plain\(\) lacks"):
            look_ahead_of(lambda store, day: store.at(day, recorded=day), store, DAYS)


def test_an_error_about_what_nobody_knows_any_more_is_raised():
    with open_store("memory") as store:
        for step in range(9):
            store.save_strategy_state("value", {"cash": step})
        with pytest.raises(HistoryPruned):
            look_ahead_of(
                lambda store, day: store.at(day).load_strategy_state("value"), store, DAYS
            )

        def of_later(store, day):
            return store.at(datetime(2100, 1, 1)).load_strategy_state("value")["cash"]

        found = look_ahead_of(of_later, store, DAYS)
        assert isinstance(found.known, HistoryPruned)
        assert found.reads == ("at(2100-01-01 00:00:00+00:00).load_strategy_state('value')",)


def test_a_stream_is_searched_like_a_table(tmp_path):
    with open_store("file", base_path=tmp_path / "data", durability="os") as store:
        write(store)
        for columns in (None, ["close"]):

            def by_a_stream(store, day, columns=columns):
                tables = store.iter_bar_tables("AAPL", day - 9 * DAY, columns=columns)
                return [each for table in tables for each in table["close"].to_pylist()]

            assert look_ahead_of(by_a_stream, store, DAYS[:2]).day == DAYS[0]


def test_the_first_decision_that_differs_is_named_with_what_it_was(store):
    def two(store, day):
        return ["hold", store.read_bars("AAPL", end=day, last=1)[0].close if day == DAYS[3] else 0]

    found = look_ahead_of(two, store, DAYS)
    known = store.at(DAYS[3]).read_bars("AAPL")[-1].close
    assert (found.day, found.number, found.known) == (DAYS[3], 1, known)
    assert "read_bars('AAPL')" in found.reads


def test_the_search_writes_nothing_to_the_store(store):
    def saving(store, day):
        store.save_strategy_state("value", {"cash": 0.0})
        store.delete_strategy_state("value")

    assert look_ahead_of(saving, store, DAYS[:2]) is None
    assert store.load_strategy_state("value") == {"cash": 5.0}
    assert len(store.read_decisions()) == 1

    def writing(store, day):
        store.write_event(event(day))

    with pytest.raises(StorageError, match="write_event"):
        look_ahead_of(writing, store, DAYS[:1])


def test_an_error_of_both_runs_is_raised(store):
    with pytest.raises(ZeroDivisionError):
        look_ahead_of(lambda store, day: 1 / 0, store, DAYS)


def test_lengths_are_those_of_views():
    with open_store("memory") as store:
        store.write_bars("AAPL", [bar(FIRST)], timeframe="session")

        def session(store, day):
            return closes(store.read_bars("AAPL", None, day, timeframe="session"))

        moments = [FIRST + timedelta(hours=8)]
        with pytest.raises(InvalidData, match="lengths="):
            look_ahead_of(session, store, moments)
        lengths = {"session": timedelta(hours=6, minutes=30)}
        assert look_ahead_of(session, store, moments, lengths=lengths) is None


def test_noise_takes_the_place_of_numbers_of_every_kind():
    values = {"bool": True, "whole": 3, "number": 1.5, "text": "up", "none": None}
    with open_store("memory") as store:
        store.write_bars(
            "AAPL", [bar(FIRST + n * DAY, volume=None, extra={"vwap": 1.5}) for n in range(9)]
        )
        for n in range(9):
            at = FIRST + n * DAY
            store.write_event(event(at, payload={**values, "deep": [values]}))
            store.write_fundamental("AAPL", fundamental(at, extra={"eps": 1.5}))
        seen = []

        def look(store, day):
            bars, events = store.read_bars("AAPL"), store.read_events()
            seen.append((bars[-1], events[-1].payload, store.fundamentals("AAPL")[-1]))

        look_ahead_of(look, store, [FIRST + 4 * DAY])
        (known, noisy) = seen
        assert known[0].extra == {"vwap": 1.5} != noisy[0].extra
        assert noisy[0].volume is None
        assert known[1].keys() == noisy[1].keys()
        assert known[1]["whole"] != noisy[1]["whole"]
        assert (noisy[1]["text"], noisy[1]["none"]) == ("up", None)
        assert known[1]["deep"] != noisy[1]["deep"]
        assert known[2].extra != noisy[2].extra


def test_a_guard_finds_a_bound_that_lies_ahead_at_once(store):
    with pytest.raises(LookAhead):
        with_a_date_as_end(store.at(DAYS[0], on_future="raise"), DAYS[0])


def test_a_state_of_which_nobody_knows_when_it_was_saved_is_a_look_ahead():
    def decide(store, day):
        return store.load_strategy_state("value")["cash"]

    with open_store("memory") as store:
        store.restore_state("value", [storecore.StateVersion(1, {"cash": 5.0})], expect=None)
        found = look_ahead_of(decide, store, DAYS)
    assert isinstance(found.known, HistoryPruned)
    assert found.noise != 5.0
    assert found.reads == ("load_strategy_state('value')",)


def test_a_date_is_not_a_moment_of_decision():
    with pytest.raises(InvalidData, match=r"^days\[1\]=datetime\.date\(2026, 1, 6\): expected"):
        look_ahead_of(print, open_store("memory"), [datetime(2026, 1, 5), date(2026, 1, 6)])


def test_a_search_without_days_is_refused_as_it_would_prove_nothing(store):
    with pytest.raises(InvalidData, match=r"^days: expected the moments"):
        look_ahead_of(lambda store, day: None, store, [])
