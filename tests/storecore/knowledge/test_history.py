"""What a store held and when: the capability `History` of the memory backend (law K1)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from storecore import Snapshot, open_store
from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.memory.clock import MemoryClock
from storecore.errors import ConfigError, HistoryPruned, InvalidData, InvalidName, StoreClosed
from storecore.knowledge.clock import Clock
from storecore.protocols import History
from storecore.testing.records import bar_table

JAN_5, JAN_6 = datetime(2026, 1, 5), datetime(2026, 1, 6)
START = datetime(2026, 3, 1, tzinfo=UTC)
ALL = (date.min, date.max)


class Machine:
    """A machine's clock that a test sets."""

    def __init__(self):
        self.at = START

    def __call__(self):
        return int(self.at.timestamp()) * 1_000_000

    def after(self, **span):
        self.at = START + timedelta(**span)
        return self.at


@pytest.fixture
def clock(monkeypatch):
    machine = Machine()
    monkeypatch.setattr("storecore.knowledge.clock.machine_now", machine)
    return machine


@pytest.fixture
def store(clock):
    with MemoryDataStore() as store:
        yield store


def closes(store, **asked):
    return [each.bar.close for each in store.bar_versions("AAPL", **asked)]


@pytest.fixture
def corrected(store, clock, bar):
    """A store with a bar that was recorded at hour 0 and corrected at hour 1."""
    store.write_bars("AAPL", [bar(JAN_5, close=1.0), bar(JAN_6, close=5.0)])
    clock.after(hours=1)
    store.write_bars("AAPL", [bar(JAN_5, close=2.0)])
    clock.after(hours=2)
    return store


def test_a_bar_that_is_replaced_keeps_its_old_version_with_both_instants(corrected):
    old, new, other = corrected.bar_versions("AAPL")
    assert [each.bar.close for each in (old, new, other)] == [1.0, 2.0, 5.0]
    later = START + timedelta(hours=1)
    assert (old.recorded_at, old.replaced_at) == (START, later)
    assert (new.recorded_at, new.replaced_at) == (later, None)
    assert (other.recorded_at, other.replaced_at) == (START, None)


def test_with_recorded_only_what_was_held_then_is_returned_as_it_was(corrected):
    old, other = corrected.bar_versions("AAPL", recorded=START)
    assert [old.bar.close, other.bar.close] == [1.0, 5.0]
    assert old.replaced_at is None
    assert closes(corrected, recorded=START - timedelta(microseconds=1)) == []
    assert closes(corrected, recorded=START + timedelta(hours=1)) == [2.0, 5.0]


def test_versions_are_of_a_range_and_have_the_kind_of_its_bounds(corrected):
    aware = JAN_6.replace(tzinfo=UTC)
    (found,) = corrected.bar_versions("AAPL", aware, aware)
    assert (found.bar.date, found.bar.close) == (aware, 5.0)
    assert closes(corrected, start=JAN_5, end=JAN_5) == [1.0, 2.0]


def test_an_equal_bar_makes_no_version(corrected, bar):
    before = corrected.bar_versions("AAPL")
    corrected.write_bars("AAPL", [bar(JAN_5, close=2.0), bar(JAN_6, close=5.0)])
    assert corrected.bar_versions("AAPL") == before


@pytest.mark.parametrize(
    ("old", "new", "is_equal"),
    [
        ({"open": 0.0}, {"open": -0.0}, False),
        ({"open": -0.0}, {"open": -0.0}, True),
        ({"volume": 0}, {"volume": 0}, True),
        ({"volume": 0}, {"volume": None}, False),
        ({"extra": {"x": 1.0}}, {"extra": {"x": 1.0}}, True),
        ({"extra": {"x": float("nan")}}, {"extra": {"x": float("nan")}}, True),
        ({"extra": {"x": 0.0}}, {"extra": {"x": -0.0}}, False),
        ({"extra": {"x": "a"}}, {"extra": {"x": "b"}}, False),
        ({"extra": {"x": 1.0}}, {"extra": None}, False),
        ({"extra": {"x": 1.0}}, {"extra": {"y": 1.0}}, False),
        ({"extra": {"x": 1}}, {"extra": {"x": 1.0}}, True),
    ],
)
def test_equal_is_equal_bit_for_bit_with_the_further_columns(store, bar, old, new, is_equal):
    store.write_bars("AAPL", [bar(JAN_5, **old)])
    store.write_bars("AAPL", [bar(JAN_5, **new)])
    assert len(store.bar_versions("AAPL")) == (1 if is_equal else 2)


def test_versions_have_one_type_in_a_column_that_became_one_of_floats(store, bar):
    for value in (1, 2, 2.5):
        store.write_bars("AAPL", [bar(JAN_5, extra={"x": value}), bar(JAN_6)])
    values = [each.bar.extra and each.bar.extra["x"] for each in store.bar_versions("AAPL")]
    assert list(map(repr, values)) == ["1.0", "2.0", "2.5", "None"]


def test_a_deleted_bar_stays_readable_as_it_was_recorded(corrected, clock, bar):
    assert corrected.delete_bars("AAPL", JAN_5, JAN_5) == 1
    clock.after(hours=3)
    corrected.write_bars("AAPL", [bar(JAN_5, close=3.0)])
    two, three = START + timedelta(hours=2), START + timedelta(hours=3)
    assert closes(corrected, recorded=START + timedelta(hours=1)) == [2.0, 5.0]
    assert closes(corrected, recorded=two) == [5.0]
    assert closes(corrected, recorded=three) == [3.0, 5.0]
    assert [each.replaced_at for each in corrected.bar_versions("AAPL")][1] == two


def test_a_series_that_was_deleted_whole_has_a_past_and_is_not_listed(corrected):
    corrected.delete_bars("AAPL", *ALL)
    assert corrected.symbols() == []
    assert corrected.inventory() == []
    assert "0 series" in repr(corrected)
    assert closes(corrected) == [1.0, 2.0, 5.0]


def test_a_deletion_of_nothing_makes_no_version(corrected):
    before = corrected.bar_versions("AAPL")
    assert corrected.delete_bars("AAPL", date(2020, 1, 1), date(2020, 1, 2)) == 0
    assert corrected.bar_versions("AAPL") == before


def test_a_replaced_series_deletes_what_the_table_lacks_and_keeps_what_is_equal(
    corrected, clock, bar
):
    at = clock.after(hours=3)
    table = bar_table([bar(JAN_6, close=5.0), bar(datetime(2026, 1, 7), close=7.0)])
    corrected.write_bar_table(table, replace=True)
    versions = {
        (each.bar.close, each.recorded_at, each.replaced_at)
        for each in corrected.bar_versions("AAPL")
    }
    one = START + timedelta(hours=1)
    assert versions == {(1.0, START, one), (2.0, one, at), (5.0, START, None), (7.0, at, None)}


def test_a_renaming_is_a_deletion_and_a_write_at_one_instant(
    corrected, clock, bar, fundamental, event
):
    corrected.write_fundamental("AAPL", fundamental(JAN_5))
    corrected.write_event(event(symbol="AAPL"))
    corrected.write_event(event(symbol="MSFT"))
    at = clock.after(hours=3)
    corrected.rename_symbol("AAPL", "NEW")
    gone = [each.replaced_at for each in corrected.bar_versions("AAPL")]
    assert gone == [START + timedelta(hours=1), at, at]
    assert [each.recorded_at for each in corrected.bar_versions("NEW")] == [at, at]
    (old,), (new,) = (corrected.fundamental_versions(each) for each in ("AAPL", "NEW"))
    assert (old.replaced_at, new.recorded_at) == (at, at)
    found = corrected.event_versions(symbols=["AAPL", "NEW"])
    assert [(each.event.symbol, each.replaced_at) for each in found] == [
        ("AAPL", at),
        ("NEW", None),
    ]
    kinds = [(each.kind, each.after) for each in corrected.corrections(at)]
    assert kinds == [("bars", None), ("bars", None), ("fundamentals", None), ("events", None)]


def test_a_symbol_may_be_renamed_back_and_has_both_lives(corrected, fundamental):
    corrected.write_fundamental("AAPL", fundamental(JAN_5))
    corrected.rename_symbol("AAPL", "NEW")
    corrected.rename_symbol("NEW", "AAPL")
    assert closes(corrected) == [1.0, 2.0, 2.0, 5.0, 5.0]
    assert len(corrected.fundamental_versions("AAPL")) == 2
    assert corrected.symbols() == corrected.fundamental_symbols() == ["AAPL"]


def test_a_fundamental_that_is_replaced_or_deleted_stays_readable(store, clock, fundamental):
    first, second = fundamental(JAN_5, employees=1), fundamental(JAN_5, employees=2)
    store.write_fundamental("AAPL", first)
    one = clock.after(hours=1)
    store.write_fundamentals([second, second])
    two = clock.after(hours=2)
    assert store.delete_fundamentals("AAPL", *ALL) == 1
    assert store.delete_fundamentals("AAPL", *ALL) == 0
    found = store.fundamental_versions("AAPL")
    assert [(each.data, each.recorded_at, each.replaced_at) for each in found] == [
        (first, START, one),
        (second, one, two),
    ]
    assert [each.data for each in store.fundamental_versions("AAPL", recorded=one)] == [second]
    assert store.fundamental_versions("AAPL", recorded=two) == []
    assert (store.fundamental_symbols(), list(store.iter_fundamentals())) == ([], [])


def test_an_equal_fundamental_makes_no_version(store, fundamental):
    for _ in range(2):
        store.write_fundamental("AAPL", fundamental(JAN_5, extra={"eps": 1.5}))
    assert len(store.fundamental_versions("AAPL")) == 1


def test_a_version_of_a_fundamental_is_a_copy(store, fundamental):
    store.write_fundamental("AAPL", fundamental(JAN_5, extra={"eps": 1}))
    store.fundamental_versions("AAPL")[0].data.extra["eps"] = 2
    assert store.fundamental_versions("AAPL")[0].data.extra == {"eps": 1}


def test_a_deleted_event_stays_readable_in_its_place(store, clock, event):
    for number in range(3):
        store.write_event(event(type=str(number)))
    at = clock.after(hours=1)
    assert store.delete_events(*ALL, ["1"]) == 1
    found = store.event_versions()
    assert [(each.event.type, each.replaced_at) for each in found] == [
        ("0", None),
        ("1", at),
        ("2", None),
    ]
    assert found[0].event.timestamp.tzinfo is None
    assert [each.event.type for each in store.event_versions(recorded=at)] == ["0", "2"]
    early = START.replace(microsecond=2)
    assert [each.event.type for each in store.event_versions(recorded=early)] == ["0", "1", "2"]
    (asked,) = store.event_versions(JAN_5.replace(tzinfo=UTC), types=["1"], symbols=["AAPL"])
    assert asked.event.timestamp.tzinfo is UTC


def test_corrections_say_what_was_replaced_by_what_and_when(
    corrected, clock, bar, fundamental, event
):
    corrected.write_fundamental("MSFT", fundamental(JAN_5, symbol="MSFT", employees=1))
    corrected.write_event(event())
    three = clock.after(hours=3)
    corrected.write_fundamental("MSFT", fundamental(JAN_5, symbol="MSFT", employees=2))
    corrected.delete_events(*ALL)
    corrected.delete_bars("AAPL", JAN_6, JAN_6)
    first, *others = corrected.corrections()
    assert (first.kind, first.symbol, first.timeframe) == ("bars", "AAPL", "1d")
    assert (first.before.close, first.after.close) == (1.0, 2.0)
    assert first.timestamp == JAN_5.replace(tzinfo=UTC)
    assert first.recorded_at == START + timedelta(hours=1)
    assert [each.kind for each in others] == ["fundamentals", "events", "bars"]
    filing, removed, deleted = others
    assert (filing.before.employees, filing.after.employees) == (1, 2)
    assert (removed.after, deleted.after, deleted.before.close) == (None, None, 5.0)
    assert corrected.corrections(three) == others
    assert corrected.corrections(symbol="MSFT") == [filing]
    assert corrected.corrections(symbol="AAPL") == [first, removed, deleted]


def test_pruning_removes_what_was_replaced_by_then_and_says_so_ever_after(
    corrected, clock, fundamental, event
):
    corrected.write_fundamental("AAPL", fundamental(JAN_5))
    corrected.write_event(event())
    corrected.delete_fundamentals("AAPL", *ALL)
    corrected.delete_events(*ALL)
    one = START + timedelta(hours=1)
    assert corrected.prune_history(one) == 1
    assert closes(corrected) == closes(corrected, recorded=one) == [2.0, 5.0]
    with pytest.raises(HistoryPruned, match=r"recorded=2026-03-01T00:59:59.999999\+00:00"):
        closes(corrected, recorded=one - timedelta(microseconds=1))
    with pytest.raises(HistoryPruned):
        corrected.fundamental_versions("OTHER", recorded=START)
    with pytest.raises(HistoryPruned):
        corrected.event_versions(recorded=START)
    clock.after(hours=3)
    assert corrected.prune_history(corrected.recorded_now()) == 2
    assert corrected.fundamental_versions("AAPL") == corrected.event_versions() == []
    corrected.delete_bars("AAPL", *ALL)
    assert corrected.prune_history(corrected.recorded_now()) == 2
    assert closes(corrected) == []


def test_pruning_up_to_an_earlier_instant_does_not_bring_history_back(corrected):
    one = START + timedelta(hours=1)
    corrected.prune_history(one)
    assert corrected.prune_history(START) == 0
    with pytest.raises(HistoryPruned):
        closes(corrected, recorded=START)


def test_the_future_is_not_recorded_yet(corrected, clock):
    late = clock.at + timedelta(microseconds=1)
    for ask in (
        lambda: corrected.bar_versions("AAPL", recorded=late),
        lambda: corrected.prune_history(late),
    ):
        with pytest.raises(InvalidData, match="is in the future: the store's clock"):
            ask()


def test_the_clock_of_recording_goes_on_when_the_machines_is_set_back(store, clock, bar):
    store.write_bars("AAPL", [bar(JAN_5, close=1.0)])
    clock.after(hours=-5)
    store.write_bars("AAPL", [bar(JAN_5, close=2.0)])
    old, new = store.bar_versions("AAPL")
    assert new.recorded_at == old.replaced_at == START + timedelta(microseconds=1)
    assert closes(store, recorded=START) == [1.0]
    assert store.recorded_now() == START + timedelta(microseconds=1)


def test_no_write_after_a_question_is_recorded_at_or_before_it(store, clock, bar):
    store.write_bars("AAPL", [bar(JAN_5, close=1.0)])
    asked = store.recorded_now()
    store.write_bars("AAPL", [bar(JAN_5, close=2.0)])
    assert closes(store, recorded=asked) == [1.0]
    assert store.bar_versions("AAPL")[1].recorded_at > asked


def test_k3_a_view_before_the_first_write_stays_empty_though_the_clock_is_set_back(
    store, clock, bar
):
    moment = clock.after(hours=12)
    today = datetime(moment.year, moment.month, moment.day)
    assert store.at(moment, recorded=moment).read_bars("AAPL", today) == []
    clock.after(hours=-1)
    store.write_bars("AAPL", [bar(today)])
    assert store.at(moment, recorded=moment).read_bars("AAPL", today) == []


def test_a_view_of_a_store_that_does_not_know_when_recording_began_shows_forming_bars(
    store, clock, bar, monkeypatch
):
    monkeypatch.setattr(MemoryClock, "began", Clock.began)
    moment = clock.after(hours=12)
    today = datetime(moment.year, moment.month, moment.day)
    store.write_bars("AAPL", [bar(today)])
    assert [each.date for each in store.at(moment).read_bars("AAPL", today)] == [today]
    assert store.at(START).read_bars("AAPL", today) == []


def test_a_snapshot_names_the_present_and_holds_pruning_back(corrected, clock, bar):
    named = corrected.snapshot("2026/Q1 ü", "before the revision")
    assert named == Snapshot("2026/Q1 ü", clock.at, "before the revision")
    earlier = corrected.snapshot("again")
    assert corrected.snapshots() == [named, earlier]
    clock.after(hours=3)
    corrected.write_bars("AAPL", [bar(JAN_5, close=3.0)])
    assert closes(corrected, recorded=named.recorded_at) == [2.0, 5.0]
    with pytest.raises(InvalidData, match="is after the snapshot '2026/Q1 ü' of 2026-03-01T02"):
        corrected.prune_history(clock.at)
    assert corrected.prune_history(named.recorded_at) == 1
    assert corrected.drop_snapshot("2026/Q1 ü") is corrected.drop_snapshot("again") is True
    assert corrected.drop_snapshot("again") is False
    assert corrected.prune_history(clock.at) == 1


def test_a_snapshot_has_a_name_of_its_own_and_a_note_of_text(store):
    store.snapshot("a")
    with pytest.raises(InvalidData, match="snapshot 'a' exists already"):
        store.snapshot("a")
    for name in ("", "a\0", "\ud800"):
        with pytest.raises(InvalidName):
            store.snapshot(name)
    for note in (1, "a\0", "\ud800"):
        with pytest.raises(InvalidData, match="note="):
            store.snapshot("b", note)
    assert [each.name for each in store.snapshots()] == ["a"]


@pytest.fixture
def forgetful(clock):
    with open_store("memory", history=False) as store:
        yield store


def test_without_history_nothing_is_kept_and_earlier_questions_say_so(
    forgetful, clock, bar, fundamental, event
):
    writes = [
        lambda: forgetful.write_bars("AAPL", [bar(JAN_5, close=2.0)]),
        lambda: forgetful.delete_bars("AAPL", *ALL),
        lambda: forgetful.write_fundamental("AAPL", fundamental(JAN_5, employees=2)),
        lambda: forgetful.delete_fundamentals("AAPL", *ALL),
        lambda: forgetful.delete_events(*ALL),
        lambda: forgetful.rename_symbol("MSFT", "M"),
    ]
    forgetful.write_bars("AAPL", [bar(JAN_5, close=1.0)])
    forgetful.write_fundamental("AAPL", fundamental(JAN_5, employees=1))
    forgetful.write_event(event())
    forgetful.write_bars("MSFT", [bar(JAN_5, symbol="MSFT")])
    for row, write in enumerate(writes, 1):
        asked = forgetful.recorded_now()
        assert closes(forgetful, recorded=asked) is not None
        at = clock.after(hours=row)
        write()
        assert forgetful.event_versions(recorded=at) is not None
        with pytest.raises(HistoryPruned, match="with the option `history`"):
            closes(forgetful, recorded=asked)
    assert forgetful.corrections() == closes(forgetful) == []
    assert forgetful.fundamental_versions("AAPL") == forgetful.event_versions() == []


def test_without_history_an_append_and_an_equal_write_prune_nothing(forgetful, clock, bar):
    forgetful.write_bars("AAPL", [bar(JAN_5)])
    clock.after(hours=1)
    forgetful.write_bars("AAPL", [bar(JAN_5), bar(JAN_6)])
    assert len(forgetful.bar_versions("AAPL", recorded=START)) == 1


def test_a_snapshot_keeps_what_it_needs_without_history_too(forgetful, clock, bar):
    forgetful.write_bars("AAPL", [bar(JAN_5, close=1.0)])
    named = forgetful.snapshot("a")
    clock.after(hours=1)
    forgetful.write_bars("AAPL", [bar(JAN_5, close=2.0)])
    forgetful.compact()
    assert closes(forgetful, recorded=named.recorded_at) == [1.0]
    forgetful.drop_snapshot("a")
    forgetful.compact()
    assert closes(forgetful) == [2.0]


def test_a_span_of_history_is_kept_by_compacting(clock, bar):
    with MemoryDataStore(history="90d") as store:
        store.write_bars("AAPL", [bar(JAN_5, close=1.0)])
        for days, close in ((1, 2.0), (50, 3.0)):
            clock.after(days=days)
            store.write_bars("AAPL", [bar(JAN_5, close=close)])
        clock.after(days=90)
        store.compact()
        assert closes(store) == [1.0, 2.0, 3.0]
        clock.after(days=91)
        assert store.compact().ok
        assert closes(store) == [2.0, 3.0]


def test_with_all_history_compacting_prunes_nothing(corrected):
    corrected.compact()
    assert closes(corrected) == [1.0, 2.0, 5.0]


@pytest.mark.parametrize("given", ["90", "0d", "d", "-1d", "1.5d", "90 d", 90, None, "1y", ""])
def test_an_option_history_that_is_no_span_is_a_config_error(given):
    with pytest.raises(ConfigError, match=r"history=.*expected true to keep all .* \"90d\""):
        MemoryDataStore(history=given)


def test_a_wrong_option_history_names_its_place():
    with pytest.raises(ConfigError, match=r"^\[store\]: history='ninety days': expected"):
        open_store({"backend": "memory", "history": "ninety days"})


def test_after_close_a_store_answers_nothing_of_its_history():
    store = MemoryDataStore()
    store.close()
    for method, args in {
        "bar_versions": ("A",),
        "fundamental_versions": ("A",),
        "event_versions": (),
        "corrections": (),
        "recorded_now": (),
        "prune_history": (START,),
        "snapshot": ("a",),
        "snapshots": (),
        "drop_snapshot": ("a",),
        "compact": (),
    }.items():
        with pytest.raises(StoreClosed):
            getattr(store, method)(*args)


def test_memory_has_the_capability_history(store):
    assert isinstance(store, History)


def test_a_state_has_the_time_of_its_save_which_does_not_count_as_a_difference(store, clock):
    store.save_strategy_state("value", {"n": 1})
    saved = store.load_versioned_state("value")
    assert saved.saved_at is not None
    assert saved.saved_at.tzinfo is UTC
    other = replace(saved, saved_at=None)
    assert (saved == other, hash(saved) == hash(other)) == (True, True)
    assert saved != replace(saved, version=2)
    assert saved != 1


def test_a_restored_state_keeps_the_time_of_its_save(store):
    store.save_strategy_state("value", {"n": 1})
    given = store.state_history("value")
    with MemoryDataStore() as other:
        other.restore_state("value", [*given], expect=0)
        assert other.state_history("value")[0].saved_at == given[0].saved_at
        other.restore_state("value", [replace(given[0], saved_at=None)], expect=1)
        assert other.state_history("value")[0].saved_at is None
        with pytest.raises(InvalidData, match=r"versions\[0\]\.saved_at"):
            other.restore_state("value", [replace(given[0], saved_at=1)], expect=1)


@pytest.mark.parametrize(
    ("given", "problem"),
    [(7, "expected an iterable of BarVersion, .* got int"), ([7], r"versions\[0\]: .* got int")],
)
def test_what_is_no_version_is_refused(given, problem):
    with MemoryDataStore() as store, pytest.raises(InvalidData, match=problem):
        store.restore_versions(given)
