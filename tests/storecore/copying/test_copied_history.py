"""A copy carries what was replaced, with both instants, the horizon, and the snapshots."""

from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random

import psycopg
import pytest

from storecore import CorruptData, HistoryPruned, InvalidData, copy_store, open_store
from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.memory.bars import MemoryBars
from storecore.copying import history as copying_history
from storecore.copying import versions
from storecore.knowledge.versions import BarVersion, EventVersion, FundamentalVersion
from storecore.models import Event, FundamentalData, PriceBar

DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 6)]
SYMBOLS = ("AAPL", "MSFT")


pytestmark = pytest.mark.few(4)  # of the pairs of backends
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
    elif symbol in store.symbols() and other not in {
        *store.symbols(),
        *store.event_symbols(),
        *store.fundamental_symbols(),
    }:
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


@pytest.fixture
def other_place(place_in_postgres):
    """The options of a second empty place in the database."""
    place = {**place_in_postgres, "schema": f"{place_in_postgres['schema']}_other"}
    yield place
    with psycopg.connect(place["dsn"], autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {place['schema']} CASCADE")


def corrected_and_pruned(store):
    """Write, correct and delete, name two moments and prune; return moments that can be asked."""
    old = written(store, seed=3, steps=12)[-1]
    store.snapshot("early")
    moments = [old, *written(store, seed=4, steps=12)]
    store.snapshot("late", "after corrections")
    moments += written(store, seed=5, steps=6)
    store.prune_history(old)
    return moments


def assert_same_history(target, source, moments):
    assert answers(target) == answers(source)
    for moment in moments:
        assert answers(target, moment) == answers(source, moment)
    assert target.snapshots() == source.snapshots()
    assert target.corrections() == source.corrections()
    assert target.recording().pruned_before == source.recording().pruned_before
    for each in source.snapshots():
        assert target.at(each.name).read_bars("AAPL") == source.at(each.name).read_bars("AAPL")


def test_from_postgres_to_postgres_the_history_stays(place_in_postgres, other_place):
    with (
        open_store("postgres", **place_in_postgres) as source,
        open_store("postgres", **other_place) as target,
    ):
        moments = corrected_and_pruned(source)
        report = copy_store(source, target)
        assert (report.ok, report.notes) == (True, ())
        assert_same_history(target, source, moments)
        assert not any(each.added for each in copy_store(source, target).copied)


def test_from_files_by_postgres_to_files_the_history_stays(place_in_postgres, tmp_path):
    with (
        open_store("file", base_path=tmp_path / "source") as source,
        open_store("postgres", **place_in_postgres) as between,
        open_store("file", base_path=tmp_path / "target") as target,
    ):
        moments = corrected_and_pruned(source)
        for given, kept in ((source, between), (between, target)):
            report = copy_store(given, kept)
            assert (report.ok, report.notes) == (True, ())
        assert_same_history(target, source, moments)
        assert target.verify().ok


@pytest.fixture(params=PAIRS + WITH_POSTGRES)
def pair(request, tmp_path):
    source, target = request.param.split("-")
    with (
        opened(source, request, tmp_path / "source") as given,
        opened(target, request, tmp_path / "target") as kept,
    ):
        yield given, kept


@pytest.mark.parametrize("seed", range(2))
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
    assert target.verify().ok
    target.compact()
    assert answers(target) == answers(source)


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
    assert report.why_no_history.startswith("the target was asked about a moment")
    assert repr(report).endswith("no history)")
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
    assert report.why_no_history == ""
    assert [each.bar.close for each in target.bar_versions("AAPL")] == [11.0]


def test_versions_from_before_the_history_are_copied_as_such(pair):
    source, target = pair
    old = BarVersion(bar("AAPL", DAYS[0], 1.0), None, DAYS[1])
    held = BarVersion(bar("AAPL", DAYS[1], 2.0), None, None)
    filed = FundamentalVersion(filing("AAPL", DAYS[0], 1), None, None)
    source.restore_versions([old, held, filed, EventVersion(event("AAPL", DAYS[0], 1), None, None)])
    report = copy_store(source, target)
    assert (report.ok, report.notes) == (True, ())
    assert target.bar_versions("AAPL", DAYS[0], DAYS[4]) == [old, held]
    assert target.fundamental_versions("AAPL") == [filed]
    assert [each.recorded_at for each in target.event_versions()] == [None]


@pytest.mark.parametrize("backend", ["memory", "file", "postgres"])
def test_a_target_may_be_made_after_its_source_was_written(backend, request, tmp_path):
    with MemoryDataStore() as source:
        moments = written(source, 1)
        with opened(backend, request, tmp_path) as target:
            assert copy_store(source, target).notes == ()
            assert [answers(target, each) for each in moments] == [
                answers(source, each) for each in moments
            ]


def test_a_version_that_ends_before_it_begins_is_refused(pair):
    source, _ = pair
    with pytest.raises(InvalidData, match="recorded before it was replaced"):
        source.restore_versions([BarVersion(bar("AAPL", DAYS[0], 1.0), DAYS[1], DAYS[1])])


def test_further_columns_of_versions_have_one_type(pair):
    source, target = pair
    for vwap in (1, 1.5):
        source.write_bars("AAPL", [bar("AAPL", DAYS[0], 11.0, vwap=vwap)])
    source.write_bars("AAPL", [bar("AAPL", DAYS[1], 11.0)])
    report = copy_store(source, target)
    assert (report.ok, report.notes) == (True, ())
    assert target.bar_versions("AAPL") == source.bar_versions("AAPL")


def test_a_source_that_changes_is_copied_as_it_was_at_the_beginning(pair):
    source, target = pair
    for symbol in SYMBOLS:
        source.write_bars(symbol, [bar(symbol, DAYS[0], 10.5)])

    def correct(kind, symbol, count):
        if (kind, symbol) == ("bars", "AAPL"):
            source.write_bars("MSFT", [bar("MSFT", DAYS[0], 11.0), bar("MSFT", DAYS[1], 11.0)])
            source.write_event(event("AAPL", DAYS[0], 1))

    report = copy_store(source, target, progress=correct)
    assert (report.ok, report.notes) == (True, ())
    assert [each.bar.close for each in target.bar_versions("MSFT")] == [10.5]
    assert target.event_versions() == []
    assert copy_store(source, target).notes == ()
    assert answers(target) == answers(source)


def test_an_interrupted_copy_is_taken_up_again(pair):
    source, target = pair
    written(source, 3)
    copied = []

    def interrupt(*step):
        copied.append(step)
        if len(copied) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        copy_store(source, target, progress=interrupt)
    report = copy_store(source, target)
    assert (report.ok, report.notes) == (True, ())
    assert answers(target) == answers(source)


@pytest.fixture
def memories():
    with MemoryDataStore() as source, MemoryDataStore() as target:
        source.write_bars("AAPL", [bar("AAPL", day, 10.5) for day in DAYS])
        source.write_bars("AAPL", [bar("AAPL", DAYS[0], 11.0)])
        source.write_events([event("AAPL", day, 1) for day in DAYS for _ in range(2)])
        yield source, target


def test_series_and_events_are_copied_in_pieces(memories, monkeypatch):
    source, target = memories
    tables = versions.iter_bar_tables
    pieces = partial(tables, max_bytes=128)
    monkeypatch.setattr(versions, "iter_bar_tables", pieces)
    monkeypatch.setattr(versions, "_BARS", 0)
    monkeypatch.setattr(versions, "_EVENTS", 3)
    assert copy_store(source, target).ok
    assert answers(target) == answers(source)


def test_a_piece_may_end_with_time_itself(memories, monkeypatch):
    source, target = memories
    monkeypatch.setattr(versions, "_BARS", 0)
    source.write_bars("AAPL", [bar("AAPL", datetime.max.replace(tzinfo=UTC), 1.0)])
    assert copy_store(source, target).ok
    assert answers(target) == answers(source)


def test_the_last_instant_of_time_and_a_snapshot_of_both_are_copied(memories):
    source, target = memories
    source.write_bars("MSFT", [bar("MSFT", datetime.max.replace(tzinfo=UTC), 1.0)])
    source.snapshot("named")
    assert copy_store(source, target).notes == copy_store(source, target).notes == ()
    assert target.bar_versions("MSFT") == source.bar_versions("MSFT")


def test_a_target_without_history_gets_the_present_and_a_note(memories, limited):
    source, target = memories
    lacks = limited(target, "Catalog", "Transfer", "VersionedState", "BarTables", "Bulk")
    report = copy_store(source, lacks)
    assert report.ok
    assert "the target lacks the capability History" in report.notes[0]


def test_a_source_without_history_needs_no_note(memories, limited):
    source, target = memories
    given = limited(source, "Catalog", "Transfer", "VersionedState", "BarTables", "Bulk")
    assert copy_store(given, target).notes == ()


def test_a_target_that_keeps_no_history_gets_the_present(memories):
    source, _ = memories
    with MemoryDataStore(history=False) as target:
        report = copy_store(source, target)
        assert report.ok
        assert "keeps no history" in report.notes[0]
        assert len(target.bar_versions("AAPL")) == len(DAYS)


def test_a_backend_that_cannot_take_versions_gets_the_present(memories):
    class Bars(MemoryBars):
        @property
        def restore(self):
            raise AttributeError

    source, target = memories
    target._bars = Bars(target._clock)
    report = copy_store(source, target)
    assert report.ok
    assert "cannot list or take versions yet" in report.notes[0]


def test_a_source_whose_history_cannot_be_asked_for_gives_the_present(memories, monkeypatch):
    source, target = memories

    def refuse(recorded):
        raise HistoryPruned("of an earlier release")

    monkeypatch.setattr(source._clock, "ask", refuse)
    report = copy_store(source, target)
    assert report.ok
    assert "of an earlier release" in report.notes[0]


def test_snapshots_of_the_target_are_not_renamed(memories):
    source, target = memories
    target.snapshot("named")
    source.snapshot("named")
    report = copy_store(source, target)
    assert "its own snapshot 'named'" in report.notes[0]


def test_a_snapshot_of_the_target_is_not_pruned(memories):
    source, target = memories
    source.snapshot("first")
    copy_store(source, target)
    source.drop_snapshot("first")
    source.write_bars("AAPL", [bar("AAPL", DAYS[0], 12.0)])
    source.prune_history(source.recorded_now())
    report = copy_store(source, target)
    assert "its own snapshot 'first'" in report.notes[0]


def test_what_the_source_has_pruned_since_is_refused_by_the_target_too(memories):
    source, target = memories
    before = source.recorded_now()
    copy_store(source, target)
    source.write_bars("AAPL", [bar("AAPL", DAYS[0], 12.0)])
    assert copy_store(source, target).notes == ()
    source.prune_history(source.recorded_now())
    assert copy_store(source, target).notes == ()
    assert answers(target, before) == answers(source, before) == "pruned"


@pytest.mark.parametrize("own", ["deleted", "event", "other event"])
def test_a_copy_that_was_written_to_since_gets_the_present_only(memories, own):
    source, target = memories
    copy_store(source, target)
    if own == "deleted":
        target.delete_bars("AAPL", DAYS[1], DAYS[1])
        source.delete_bars("AAPL", DAYS[1], DAYS[1])
    else:
        day = DAYS[0] if own == "event" else DAYS[0].replace(hour=1)
        target.write_event(event("AAPL", day, 9))
    assert "copy into an empty store" in copy_store(source, target).notes[0]


def test_a_copy_with_a_bar_of_its_own_gets_the_present_only(memories):
    source, target = memories
    copy_store(source, target)
    target.write_bars("AAPL", [bar("AAPL", DAYS[0].replace(hour=1), 1.0)])
    assert "copy into an empty store" in copy_store(source, target).notes[0]


def test_damage_in_a_series_leaves_it_out(memories, monkeypatch):
    source, target = memories
    source.write_bars("MSFT", [bar("MSFT", DAYS[0], 10.5)])
    versions = source._bars.versions

    def read(symbol, timeframe, span):
        if symbol == "AAPL":
            raise CorruptData("a torn page", "AAPL")
        return versions(symbol, timeframe, span)

    monkeypatch.setattr(source._bars, "versions", read)
    report = copy_store(source, target)
    assert [(each.kind, each.why) for each in report.left_out] == [
        ("bars", "AAPL (1d): a torn page")
    ]
    assert len(target.bar_versions("MSFT")) == 1


def test_damage_in_events_leaves_them_out(memories, monkeypatch):
    source, target = memories

    def read(bounds):
        raise CorruptData("a torn page", "events")

    monkeypatch.setattr(target._events, "restore", read)
    report = copy_store(source, target)
    assert [(each.kind, each.why) for each in report.left_out] == [("events", "a torn page")]


def test_damage_in_events_leaves_them_out_of_a_copy_without_history(memories, monkeypatch):
    source, target = memories

    def read():
        raise CorruptData("a torn page", "events")

    monkeypatch.setattr(source, "iter_events", read)
    report = copy_store(source, target, history=False)
    assert [(each.kind, each.why) for each in report.left_out] == [("events", "a torn page")]
    assert target.symbols() == ["AAPL"]


def test_damage_in_the_target_is_found_before_its_history_is_written(memories, monkeypatch):
    source, target = memories
    target.write_bars("AAPL", [bar("AAPL", DAYS[0], 1.0)])

    def read(symbol, timeframe, span):
        raise CorruptData("a torn page", "AAPL")

    monkeypatch.setattr(target._bars, "versions", read)
    assert "a torn page" in copy_store(source, target).notes[0]


def test_what_is_deleted_whole_is_copied(pair):
    source, target = pair
    source.write_event(event("AAPL", DAYS[0], 1))
    source.delete_events(DAYS[0], DAYS[0])
    assert copy_store(source, target).notes == ()
    assert target.event_versions() == source.event_versions()
    until = target.recorded_now()
    target.restore_recording(until)
    assert target.recorded_now() >= until


def test_a_repeated_copy_ends_bars_of_one_month_only(pair):
    source, target = pair
    march = DAYS[0].replace(month=3)
    for day in (DAYS[0], march):
        bars = [bar("AAPL", day.replace(minute=minute), 1.0) for minute in range(40)]
        source.write_bars("AAPL", bars, timeframe="1m")
    copy_store(source, target)
    source.delete_bars("AAPL", DAYS[0], DAYS[0], timeframe="1m")
    assert copy_store(source, target).notes == ()
    versions = source.bar_versions("AAPL", timeframe="1m")
    assert target.bar_versions("AAPL", timeframe="1m") == versions


class Killed(Exception):
    """A copy ends here."""


def test_a_copy_that_was_killed_before_its_end_moves_the_clock_when_it_is_run_again(
    pair, monkeypatch
):
    source, target = pair
    source.write_bars("AAPL", [bar("AAPL", DAYS[0], 1.0)])
    copy_store(source, target)
    source.write_bars("AAPL", [bar("AAPL", DAYS[0], 2.0)])

    def die(copy, snapshots):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(copying_history._Copy, "end", die)
        with pytest.raises(Killed):
            copy_store(source, target)
    last = source.bar_versions("AAPL")[-1].recorded_at
    assert copy_store(source, target).notes == ()
    assert target.recording().asked_at >= last


def test_a_clock_ahead_of_the_machines_is_copied_though_nothing_else_is(pair):
    source, target = pair
    source.write_bars("AAPL", [bar("AAPL", DAYS[0], 1.0)])
    copy_store(source, target)
    ahead = source.recorded_now() + timedelta(days=1)
    source.restore_recording(ahead)
    assert copy_store(source, target).ok
    assert target.recorded_now() >= ahead


@pytest.mark.parametrize("change", ["snapshot", "prune_history"])
def test_a_snapshot_or_a_horizon_is_copied_though_nothing_else_is(pair, change):
    source, target = pair
    source.write_bars("AAPL", [bar("AAPL", DAYS[0], 1.0)])
    copy_store(source, target)
    getattr(source, change)("q1" if change == "snapshot" else source.recorded_now())
    assert copy_store(source, target).notes == ()
    assert target.snapshots() == source.snapshots()
    assert target.recording().pruned_before == source.recording().pruned_before
