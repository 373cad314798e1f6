"""Replay: every change since a read is found, with its rows, and nothing else (law K4)."""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

import storecore
from storecore import (
    ChangedRow,
    InvalidData,
    PriceBar,
    Read,
    ReplayedRead,
    StoreClosed,
    open_store,
)
from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.readonly import ReadonlyStore
from storecore.knowledge.replay import replayed, seen
from storecore.testing.records import decision, event

sys.path.append(str(Path(__file__).parent))
from reading import DAY, FIRST, Bare, bar, decide, filing, fill

FIRST_UTC = FIRST.replace(tzinfo=UTC)
EVENING = FIRST + 6 * DAY


@pytest.fixture
def store():
    with MemoryDataStore() as opened:
        fill(opened)
        yield opened


@pytest.fixture
def asked(store):
    """Ask a question of a view, change the store, and return the question's replay."""

    def ask(question, change):
        view = store.at(EVENING)
        question(view)
        store.log_decision("value", decision(), reads=view.receipt())
        record = store.read_decisions()[-1]
        assert {each.status for each in store.replay(record).reads} == {"same"}
        change(store)
        (found,) = store.replay(record).reads
        return found

    return ask


def statuses(store, records):
    return [store.replay(each).status for each in records]


def test_a_bar_that_was_corrected_is_named_with_both_values_and_the_time(store, asked):
    before = store.recorded_now()
    found = asked(
        lambda view: view.read_bars("AAPL", last=3),
        lambda store: store.write_bars("AAPL", [bar("AAPL", 4, 55.0), bar("AAPL", 9, 66.0)]),
    )
    (row,) = found.rows
    assert (found.status, row.symbol, row.timestamp) == ("corrected", "AAPL", FIRST_UTC + 4 * DAY)
    assert (row.before.close, row.after.close) == (104.0, 55.0)
    assert before < row.recorded_at <= store.recorded_now()


def test_exactly_the_decisions_that_saw_a_bar_are_affected(store):
    for day in range(1, 9):
        decide(store, day)
        decide(store, day, "MSFT")
    store.write_bars("AAPL", [bar("AAPL", 4, 55.0)])
    records = store.read_decisions()
    affected = [each for each in records if store.replay(each).status != "same"]
    expected = [("AAPL", FIRST + day * DAY) for day in (5, 6, 7)]
    assert [(each.decision.symbol, each.as_of) for each in affected] == expected


CHANGES = {
    "a bar that is removed": (
        lambda view: view.read_bars("AAPL", last=2),
        lambda store: store.delete_bars("AAPL", FIRST + 5 * DAY, FIRST + 5 * DAY),
        [(5, True, False), (3, False, True)],  # the third last is the second last now
    ),
    "a bar that came late": (
        lambda view: view.read_bars("LATE"),
        lambda store: store.write_bars("LATE", [bar("LATE", 1)]),
        [(1, False, True)],
    ),
    "a further column of a bar": (
        lambda view: view.read_bars("MSFT", last=1),
        lambda store: store.write_bars("MSFT", [bar("MSFT", 5, extra={"vwap": 1.0})]),
        [(5, True, True)],
    ),
    "a row of a table": (
        lambda view: view.read_bar_table(
            ["AAPL", "MSFT"], FIRST, columns=["symbol", "date", "close"]
        ),
        lambda store: store.write_bars("MSFT", [bar("MSFT", 3, 1.0)]),
        [(3, True, True)],
    ),
    "a fundamental": (
        lambda view: view.read_fundamental("AAPL"),
        lambda store: store.write_fundamental("AAPL", filing("AAPL", 2, cik="2")),
        [(2, True, True)],
    ),
    "a fundamental that came late": (
        lambda view: view.fundamentals("AAPL"),
        lambda store: store.write_fundamental("AAPL", filing("AAPL", 3)),
        [(3, False, True)],
    ),
    "an event that is removed": (
        lambda view: view.read_events(),
        lambda store: store.delete_events(FIRST + 2 * DAY, FIRST + 2 * DAY),
        [(2, True, False)],
    ),
    "an event that came late": (
        lambda view: view.read_events(FIRST.replace(tzinfo=UTC)),
        lambda store: store.write_event(event(FIRST + 2 * DAY)),
        [(2, False, True)],
    ),
}


@pytest.mark.parametrize(("question", "change", "rows"), CHANGES.values(), ids=CHANGES)
def test_each_row_that_differs_is_named_with_the_time_of_its_change(
    store, asked, question, change, rows
):
    began = store.recorded_now()
    found = asked(question, change)
    days = [
        ((row.timestamp - FIRST_UTC) // DAY, row.before is not None, row.after is not None)
        for row in found.rows
    ]
    assert (found.status, days) == ("corrected", rows)
    assert found.rows[0].recorded_at > began


NO_CHANGES = {
    "the same bar again": lambda store: store.write_bars("AAPL", store.read_bars("AAPL")),
    "a bar of another day": lambda store: store.write_bars("AAPL", [bar("AAPL", 6)]),
    "a bar of another symbol": lambda store: store.write_bars("MSFT", [bar("MSFT", 4, 55.0)]),
    "a bar of another timeframe": lambda store: store.write_bars(
        "AAPL", [bar("AAPL", 4, 55.0)], timeframe="1h"
    ),
    "a column that another bar has": lambda store: store.write_bars(
        "AAPL", [bar("AAPL", 9, extra={"vwap": 1.0, "more": 1})]
    ),
    "a later event": lambda store: store.write_event(
        event(FIRST + 2 * DAY, ingested_at=FIRST + 9 * DAY)
    ),
    "a later filing": lambda store: store.write_fundamental("AAPL", filing("AAPL", 9)),
    "a compaction": lambda store: store.compact(),
    "a pruned history": lambda store: store.prune_history(store.recorded_now()),
}


@pytest.mark.parametrize("change", NO_CHANGES.values(), ids=NO_CHANGES)
def test_what_changes_nothing_that_was_read_is_the_same(store, change):
    view = store.at(EVENING)
    view.read_bars("AAPL")
    view.read_bar_table("AAPL", timeframe="1d")
    view.read_events()
    view.read_fundamental("AAPL")
    store.log_decision("value", decision(), reads=view.receipt())
    change(store)
    (record,) = store.read_decisions()
    assert {each.status for each in store.replay(record).reads} == {"same"}


def test_what_was_read_and_is_pruned_says_so(store, asked):
    def correct(store):
        store.write_bars("AAPL", [bar("AAPL", 4, 55.0)])
        store.prune_history(store.recorded_now())

    found = asked(lambda view: view.read_bars("AAPL"), correct)
    assert (found.status, found.rows) == ("pruned", ())
    assert seen(store, found.read) is None


@pytest.mark.parametrize("pinned", [False, True])
def test_a_bar_that_was_forming_and_is_pruned_says_so(pinned):
    with open_store("memory") as store:
        forming = datetime.now(UTC) - timedelta(hours=1)
        write = partial(store.write_bars, "AAPL")
        write([PriceBar("AAPL", forming, 1.0, 1.0, 1.0, 1.0, 1)])
        t = store.recorded_now()
        write([PriceBar("AAPL", forming, 2.0, 2.0, 2.0, 2.0, 1)])
        view = store.at(t, recorded=store.recorded_now() if pinned else None)
        assert [each.close for each in view.read_bars("AAPL")] == [1.0]
        view.fundamentals("AAPL")
        shown, other = view.receipt()
        before = replace(shown, as_of=forming - DAY, sha256="0" * 64)
        store.prune_history(shown.recorded or shown.read_at)
        assert view.read_bars("AAPL") == []
        assert replayed(store, shown).status == "pruned"
        assert replayed(store, replace(other, sha256="0" * 64)).status == "corrected"
        assert replayed(store, before).status == "corrected"


def test_a_view_of_what_was_recorded_then_is_replayed_from_what_was_recorded_then(store):
    then = store.recorded_now()
    store.write_bars("AAPL", [bar("AAPL", 4, 55.0)])
    view = store.at(EVENING, recorded=then)
    assert view.read_bars("AAPL")[4].close == 104.0
    (read,) = view.receipt()
    store.write_bars("AAPL", [bar("AAPL", 4, 66.0)])
    assert replayed(store, read).status == "same"
    store.prune_history(store.recorded_now())
    assert replayed(store, read).status == "pruned"
    forged = replace(read, sha256="0" * 64)
    assert replayed(store, forged).status == "pruned"


def test_a_receipt_that_never_was_an_answer_names_no_rows(store):
    view = store.at(EVENING)
    view.read_bars("AAPL")
    (read,) = view.receipt()
    forged = replace(read, sha256="0" * 64)
    assert replayed(store, forged) == ReplayedRead(forged, "corrected")
    with_recorded = replace(forged, recorded=store.recorded_now())
    assert replayed(store, with_recorded) == ReplayedRead(with_recorded, "corrected")


def test_a_store_without_history_knows_that_it_was_corrected():
    with MemoryDataStore() as nested:
        fill(nested)
        store = Bare(nested)
        view = storecore.at(store, EVENING)
        view.read_bars("AAPL", last=3)
        nested.log_decision("value", decision(), reads=view.receipt())
        (record,) = nested.read_decisions()
        assert storecore.replay(store, record).status == "same"
        nested.write_bars("AAPL", [bar("AAPL", 4, 55.0)])
        found = storecore.replay(store, record)
        assert (found.status, found.reads[0].rows) == ("corrected", ())
        assert seen(store, found.reads[0].read) is None
        assert ReadonlyStore(nested).replay(record).reads[0].rows != ()


def test_the_reads_of_a_run_are_of_what_it_had_saved_and_logged_by_then(store):
    """Though it stands at one time for long."""
    for number in (1, 2):
        view = store.at(EVENING, run="bt-7")
        view.load_strategy_state("value")
        view.load_versioned_state("value")
        view.state_history("value")
        view.strategies()
        view.read_decisions()
        view.read_orders(FIRST.replace(tzinfo=UTC))
        view.log_decision("value", decision(), reads=view.receipt())
        view.save_strategy_state("value", {"n": number})
    first, second = (store.replay(each) for each in store.read_decisions(run="bt-7"))
    assert [each.read.rows for each in first.reads] == [0, 1, 0, 0, 0, 0]
    assert [each.read.rows for each in second.reads] == [1, 1, 1, 1, 1, 0]
    listed = first.reads[3]  # there is no telling when a name came into a list
    assert [each.status for each in first.reads if each != listed] == ["same"] * 5
    assert {each.status for each in second.reads} == {"same"}


def test_a_state_of_a_run_that_is_not_kept_is_pruned(store):
    view = store.at(EVENING, run="bt-7")
    view.save_strategy_state("value", {"n": 0})
    view.load_strategy_state("value")
    view.log_decision("value", decision(), reads=view.receipt())
    for number in range(9):
        view.save_strategy_state("value", {"n": number})
    (found,) = store.replay(store.read_decisions(run="bt-7")[0]).reads
    assert found.status == "pruned"


def test_a_stream_is_replayed_up_to_where_it_was_read(tmp_path):
    with open_store("file", base_path=tmp_path / "data", durability="os") as store:
        store.write_bars("AAPL", [bar("AAPL", day) for day in range(10)])
        view = store.at(FIRST + 20 * DAY)
        list(view.iter_bar_tables("AAPL"))
        store.log_decision("value", decision(), reads=view.receipt())
        stream = view.iter_bar_tables("AAPL", max_bytes=1)
        rows = len(next(stream))
        list(view.iter_bar_tables("NONE"))
        store.log_decision("value", decision(), reads=view.receipt())
        whole, (first, none) = (store.replay(each).reads for each in store.read_decisions())
        assert [each.status for each in (*whole, first, none)] == ["same"] * 3
        assert (first.read.rows, first.read.arguments["first"], none.read.rows) == (rows, rows, 0)


def test_lengths_of_timeframes_are_those_of_then(store):
    store.write_bars("AAPL", [bar("AAPL", day) for day in (1, 2, 3)], timeframe="session")
    view = store.at(FIRST + 3 * DAY, lengths={"session": timedelta(hours=23)})
    assert len(view.read_bars("AAPL", timeframe="session")) == 2
    (read,) = view.receipt()
    assert replayed(store, read).status == "same"


def test_lists_and_extents_that_changed_are_named():
    with MemoryDataStore() as store:
        fill(store)
        view = store.at(EVENING)
        view.symbols()
        view.bar_coverage("AAPL")
        store.log_decision("value", decision(), reads=view.receipt())
        (record,) = store.read_decisions()
        store.write_bars("NVDA", [bar("NVDA", 0)])
        store.delete_bars("AAPL", FIRST, FIRST)
        listed, extent = store.replay(record).reads
        assert listed.rows == (ChangedRow("NVDA", None, None, "NVDA"),)
        (row,) = extent.rows
        assert (row.before.count, row.after.count, row.recorded_at) == (6, 5, None)


def test_the_volumes_of_a_table_are_compared_as_numbers(store):
    store.write_bars("MSFT", [bar("MSFT", 1, volume=5)])
    view = store.at(EVENING)
    view.read_bar_table("MSFT", columns=["symbol", "date", "volume"])
    view.read_bar_table("MSFT", columns=["volume", "close"])
    store.log_decision("value", decision(), reads=view.receipt())
    store.write_bars("MSFT", [bar("MSFT", 4, volume=0.5)])  # all of them are floats in a table now
    dated, bare = store.replay(store.read_decisions()[0]).reads
    assert [(row.timestamp, row.after["volume"]) for row in dated.rows] == [
        (FIRST_UTC + 4 * DAY, 0.5)
    ]
    assert [(row.timestamp, row.symbol, row.after["volume"]) for row in bare.rows] == [
        (None, None, 0.5)
    ]


def test_identical_events_are_counted(store):
    store.write_events([event(FIRST)] * 2)
    view = store.at(EVENING)
    view.read_events(FIRST, FIRST)
    store.log_decision("value", decision(), reads=view.receipt())
    store.write_event(event(FIRST))
    (found,) = store.replay(store.read_decisions()[0]).reads
    assert [(row.before, row.after) for row in found.rows] == [(None, event(FIRST))]


def test_a_record_without_receipts_has_nothing_to_replay(store):
    store.log_decision("value", decision())
    store.log_decision("value", decision(), reads=[])
    found = [store.replay(each) for each in store.read_decisions()]
    assert [(each.status, each.reads) for each in found] == [("same", ())] * 2


WRONG = {
    "a write": ({"call": "log_decision"}, r"a read of 'log_decision' cannot be replayed"),
    "no method": ({"call": "close"}, r"a read of 'close' cannot be replayed"),
    "an argument": ({"arguments": {"ticker": 1}}, r"a read of read_bars has no argument 'ticker'"),
}


@pytest.mark.parametrize(("fields", "words"), WRONG.values(), ids=WRONG)
def test_a_read_that_cannot_be_asked_is_refused(store, fields, words):
    read = Read("read_bars", {"symbol": "AAPL"}, 0, "0" * 64, FIRST_UTC, None, FIRST_UTC)
    with pytest.raises(InvalidData, match=words):
        replayed(store, replace(read, **fields))


def test_a_record_whose_reads_are_none_is_refused(store):
    store.log_decision("value", decision())
    (record,) = store.read_decisions()
    with pytest.raises(InvalidData, match=r"^record 1: a read of it is not a receipt: .*`call`"):
        store.replay(replace(record, reads=[{}]))


def test_a_closed_store_replays_nothing(store):
    decide(store, 3)
    (record,) = store.read_decisions()
    store.close()
    with pytest.raises(StoreClosed):
        store.replay(record)


def decided(store, symbols, days, window):
    """Decide about each symbol on each day, by the bars of the days up to it."""
    for number in range(symbols):
        store.write_bars(f"S{number}", [bar(f"S{number}", day) for day in range(days)])
    for day in range(days):
        for number in range(symbols):
            view = store.at(FIRST + (day + 1) * DAY)
            view.read_bars(f"S{number}", last=window)
            made = decision(symbol=f"S{number}", reasoning=str(day))
            store.log_decision("value", made, as_of=FIRST + (day + 1) * DAY, reads=view.receipt())


SIZES = [(8, 60, 12), pytest.param(50, 200, 100, marks=pytest.mark.soak)]


@pytest.mark.parametrize(("symbols", "days", "corrections"), SIZES)
def test_exactly_the_decisions_that_saw_a_corrected_bar_are_named(symbols, days, corrections):
    """Of 10,000, after 100 corrections, each with the bars that it saw and no other."""
    window, choice = 20, random.Random(7)
    with MemoryDataStore() as store:
        decided(store, symbols, days, window)
        every = [(number, day) for number in range(symbols) for day in range(days)]
        corrected = sorted(choice.sample(every, corrections))
        for number, day in corrected:
            store.write_bars(f"S{number}", [bar(f"S{number}", day, 55.5)])
        expected = {}
        for number, day in corrected:
            for seen_on in range(day, min(day + window, days)):
                expected.setdefault((f"S{number}", str(seen_on)), []).append(day)
        found = {}
        for record in store.read_decisions():
            (read,) = store.replay(record).reads
            if read.status != "same":
                key = record.decision.symbol, record.decision.reasoning
                found[key] = [(row.timestamp - FIRST_UTC) // DAY for row in read.rows]
                assert {row.after.close for row in read.rows} == {55.5}
    assert found == expected


def test_a_filing_that_was_asked_for_as_of_an_earlier_time_is_asked_for_so_again(store):
    store.write_fundamental("AAPL", filing("AAPL", 4))
    view = store.at(EVENING)
    view.read_fundamental("AAPL", FIRST + 3 * DAY)
    (read,) = view.receipt()
    assert (read.arguments["as_of"], read.rows) == ("2026-01-08T00:00:00", 1)
    assert replayed(store, read).status == "same"


def test_what_is_not_a_record_is_not_replayed():
    with pytest.raises(InvalidData, match=r"^record=3: expected a record, .* got int$"):
        storecore.replay(MemoryDataStore(), 3)
