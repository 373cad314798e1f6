"""A copy carries what was replaced, with both instants, the horizon, and the snapshots."""

from datetime import UTC, datetime
from random import Random

import pytest

from storecore import HistoryPruned, InvalidData, copy_store, open_store
from storecore.models import Event, FundamentalData, PriceBar

DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 6)]
SYMBOLS = ("AAPL", "MSFT")


PAIRS = ["memory-memory", "memory-file", "file-memory", "file-file"]
WITH_POSTGRES = ["memory-postgres", "postgres-memory", "postgres-file"]


def opened(backend, request, folder, **options):
    if backend == "memory":
        return open_store("memory", **options)
    if backend == "file":
        return open_store("file", base_path=folder, **options)
    return open_store("postgres", **request.getfixturevalue("place_in_postgres"), **options)


def bar(symbol, day, close, **further):
    return PriceBar(symbol, day, 10.0, 12.0, 9.0, close, 500, extra=further or None)


def filing(symbol, day, revenue):
    return FundamentalData(
        symbol=symbol,
        timestamp=day,
        company_name="",
        cik="",
        raw_xml="",
        employees=revenue,
        extra={"revenue": revenue},
    )


def event(symbol, day, ratio):
    return Event(
        type="split",
        symbol=symbol,
        timestamp=day,
        ingested_at=day,
        source="test",
        payload={"ratio": ratio},
    )


def change(store, random):
    """Do one write, which may replace or delete something."""
    symbol, day, number = random.choice(SYMBOLS), random.choice(DAYS), random.randint(1, 3)
    timeframe = random.choice(["1d", "1m"])
    other = SYMBOLS[1 - SYMBOLS.index(symbol)]
    further = {"vwap": random.choice([1, 1.5])} if random.random() < 0.3 else {}
    choice = random.randrange(9)
    if choice < 3:
        bars = [bar(symbol, each, 10.0 + number, **further) for each in DAYS if each <= day]
        store.write_bars(symbol, bars, timeframe=timeframe)
    elif choice == 3:
        store.delete_bars(symbol, day, DAYS[-1], timeframe=timeframe)
    elif choice == 4:
        store.write_fundamental(symbol, filing(symbol, day, number))
    elif choice == 5:
        store.delete_fundamentals(symbol, day, day)
    elif choice == 6:
        store.write_events([event(symbol, day, number)] * number)
    elif choice == 7:
        store.delete_events(day, day, symbols=[symbol])
    elif symbol in store.symbols() and other not in {*store.symbols(), *store.event_symbols()}:
        if other not in store.fundamental_symbols():
            store.rename_symbol(symbol, other)


def written(store, seed, steps=30):
    """Return the moments after each of some random writes."""
    random = Random(seed)
    moments = [store.recorded_now()]
    for _ in range(steps):
        change(store, random)
        if random.random() < 0.5:
            moments.append(store.recorded_now())
    return moments


def answers(store, moment=None):
    """Return all that a store says of its versions, or of what it held at a moment."""
    try:
        return [
            [
                store.bar_versions(symbol, timeframe=timeframe, recorded=moment)
                for symbol in SYMBOLS
                for timeframe in ("1d", "1m")
            ],
            [store.fundamental_versions(symbol, recorded=moment) for symbol in SYMBOLS],
            store.event_versions(recorded=moment),
        ]
    except HistoryPruned:
        return "pruned"


def seen(store, moment):
    """Return what a view shows."""
    try:
        view = store.at(moment, recorded=moment)
        return [
            [
                view.read_bars(symbol, timeframe=timeframe)
                for symbol in SYMBOLS
                for timeframe in ("1d", "1m")
            ],
            [view.fundamentals(symbol) for symbol in SYMBOLS],
            view.read_events(),
        ]
    except HistoryPruned:
        return "pruned"


@pytest.fixture(params=PAIRS + WITH_POSTGRES)
def pair(request, tmp_path):
    source, target = request.param.split("-")
    with (
        opened(source, request, tmp_path / "source") as given,
        opened(target, request, tmp_path / "target") as kept,
    ):
        yield given, kept


@pytest.mark.parametrize("seed", range(6))
def test_a_copy_answers_every_question_as_its_source_does(pair, seed):
    source, target = pair
    moments = written(source, seed)
    source.snapshot("named", "a note")
    if seed % 2:
        source.prune_history(moments[len(moments) // 2])
    report = copy_store(source, target)
    assert (report.ok, report.notes) == (True, ())
    assert answers(target) == answers(source)
    for moment in moments:
        assert answers(target, moment) == answers(source, moment)
        assert seen(target, moment) == seen(source, moment)
    assert target.corrections() == source.corrections()
    assert target.snapshots() == source.snapshots()


def test_a_copy_can_be_repeated_after_corrections_and_writes_what_is_new(pair):
    source, target = pair
    source.write_bars("AAPL", [bar("AAPL", day, 10.5) for day in DAYS])
    copy_store(source, target)
    source.write_bars("AAPL", [bar("AAPL", DAYS[0], 11.0)])
    source.delete_bars("AAPL", DAYS[4], DAYS[4])
    source.write_fundamental("AAPL", filing("AAPL", DAYS[0], 1))
    source.write_event(event("AAPL", DAYS[0], 1))
    report = copy_store(source, target)
    assert (report.ok, report.notes) == (True, ())
    assert answers(target) == answers(source)
    assert sum(each.added for each in report.copied) == 5  # two bars ended, one, a filing, an event
    assert not any(each.added for each in copy_store(source, target).copied)


def test_writes_after_a_copy_have_later_instants(pair):
    source, target = pair
    source.write_bars("AAPL", [bar("AAPL", DAYS[0], 10.5)])
    copy_store(source, target)
    until = target.recorded_now()
    target.write_bars("AAPL", [bar("AAPL", DAYS[0], 11.0)])
    old, new = target.bar_versions("AAPL")
    assert old.replaced_at == new.recorded_at > until
    assert old.recorded_at == source.bar_versions("AAPL")[0].recorded_at


def test_a_target_with_versions_of_its_own_gets_the_present_only(pair):
    source, target = pair
    target.write_bars("AAPL", [bar("AAPL", DAYS[0], 9.5)])
    source.write_bars("AAPL", [bar("AAPL", DAYS[0], 10.5)])
    source.write_bars("AAPL", [bar("AAPL", DAYS[0], 11.0)])
    report = copy_store(source, target)
    assert report.ok
    assert "copy into an empty store" in report.notes[0]
    assert [each.bar.close for each in target.bar_versions("AAPL")] == [9.5, 11.0]


def test_a_target_that_was_asked_about_a_moment_keeps_its_answer(pair):
    source, target = pair
    source.write_bars("AAPL", [bar("AAPL", DAYS[0], 10.5)])
    moment = target.recorded_now()
    report = copy_store(source, target)
    assert report.ok
    assert "was asked" in report.notes[0]
    assert target.bar_versions("AAPL", recorded=moment) == []
    with pytest.raises(InvalidData, match="must not change"):
        target.restore_versions(source.bar_versions("AAPL"))


def test_without_history_only_the_present_is_copied(pair):
    source, target = pair
    source.write_bars("AAPL", [bar("AAPL", DAYS[0], 10.5)])
    source.write_bars("AAPL", [bar("AAPL", DAYS[0], 11.0)])
    report = copy_store(source, target, history=False)
    assert report.ok
    assert report.notes[0].endswith("its own times of recording")
    assert [each.bar.close for each in target.bar_versions("AAPL")] == [11.0]
