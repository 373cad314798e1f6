"""Several histories are asked as one: a moment is one of all clocks (law K3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from storecore import HistoryPruned, InvalidData, InvalidName, StorageError, copy_store, open_store
from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.readonly import ReadonlyStore
from storecore.builtin.routed import RoutedStore
from storecore.knowledge import histories
from storecore.knowledge.clock import machine_now
from storecore.knowledge.versions import Snapshot
from storecore.testing.recorded import RecordedLaws
from storecore.values.times import EVER

JAN_5, JAN_9 = datetime(2026, 1, 5), datetime(2026, 1, 9, tzinfo=UTC)
FAR = 3_600_000_000


class Foreign:
    """A store with the methods of another one, and no class of core."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        if name in ("held_bars", "recording_began", "why_missing"):
            raise AttributeError(name)
        return getattr(self._store, name)


@pytest.fixture
def bars():
    return MemoryDataStore()


@pytest.fixture
def rest():
    return MemoryDataStore()


@pytest.fixture
def store(bars, rest):
    with RoutedStore({"default": rest, "bars": bars}) as store:
        yield store


def ahead(store, micros):
    """Let the clock of recording of a store be ahead of the machine's."""
    store._clock._last = machine_now() + micros


def test_now_is_the_moment_of_the_clock_that_is_ahead(store, bars, rest, bar, event):
    ahead(bars, 30_000)
    store.write_bars("AAPL", [bar(close=1.0)])
    store.write_event(event(type="before"))
    now = store.recorded_now()
    store.write_bars("AAPL", [bar(close=2.0)])
    store.write_event(event(type="after"))
    view = store.at(JAN_9, recorded=now)
    assert [each.close for each in view.read_bars("AAPL")] == [1.0]
    assert [each.type for each in view.read_events()] == ["before"]


def test_what_becomes_visible_after_a_question_is_recorded_after_it_in_every_store(
    store, bars, bar, event, fundamental
):
    ahead(bars, 30_000)
    store.write_bars("AAPL", [bar()])
    (version,) = store.bar_versions("AAPL")
    then = version.recorded_at
    assert store.bar_versions("AAPL", recorded=then) != []
    store.write_event(event())
    store.write_fundamental("AAPL", fundamental())
    assert store.event_versions(recorded=then) == store.fundamental_versions("AAPL", recorded=then)
    assert store.event_versions()[0].recorded_at > then


def test_the_bars_of_a_view_ask_every_clock(store, bars, bar, event):
    ahead(bars, 30_000)
    store.write_bars("AAPL", [bar()])
    then = store.bar_versions("AAPL")[0].recorded_at
    assert store.at(JAN_9, recorded=then).read_bars("AAPL") == [bar()]
    store.write_event(event())
    assert store.event_versions()[0].recorded_at > then


def test_the_clocks_are_asked_once_about_a_moment_that_they_have_passed(bars, rest):
    asked = []

    class Counting(MemoryDataStore):
        def recorded_now(self):
            asked.append(self)
            return super().recorded_now()

    store = RoutedStore({"default": rest, "bars": bars, "events": Counting()})
    then = store.recorded_now()
    number = len(asked)
    for _ in range(3):
        store.bar_versions("AAPL", recorded=then)
        store.event_versions(recorded=then - timedelta(seconds=1))
    assert len(asked) == number


def test_a_clock_that_is_far_behind_is_named_and_not_waited_for(store, bars, bar):
    ahead(bars, FAR)
    store.write_bars("AAPL", [bar()])
    then = store.bar_versions("AAPL")[0].recorded_at
    for ask in (
        store.recorded_now,
        lambda: store.bar_versions("AAPL", recorded=then),
        lambda: store.prune_history(then),
        lambda: store.snapshot("q1"),
    ):
        with pytest.raises(InvalidData, match=r"^default: .* is in the future: the clock of rec"):
            ask()
    assert store.snapshots() == bars.snapshots() == []


def test_a_clock_that_stands_still_is_not_waited_for_forever(bars, rest, bar, monkeypatch):
    monkeypatch.setattr(histories, "MOST_APART", 0.05)

    class Still(MemoryDataStore):
        def recorded_now(self):
            return JAN_9

    store = RoutedStore({"default": rest, "bars": bars, "events": Still()})
    monkeypatch.setattr(histories, "sleep", lambda seconds: None)
    with pytest.raises(InvalidData, match=r"^events: .* the clock of recording shows 2026-01-09T"):
        store.bar_versions("AAPL", recorded=JAN_9 + timedelta(microseconds=1))


def test_a_store_of_one_history_asks_no_other_clock(bar):
    market, rest = MemoryDataStore(), MemoryDataStore()
    routes = dict.fromkeys(("bars", "fundamentals", "events"), market)
    store = RoutedStore({"default": rest, **routes})
    ahead(market, FAR)
    store.write_bars("AAPL", [bar()])
    assert store.bar_versions("AAPL", recorded=store.recorded_now()) != []
    assert rest.recorded_now() < market.recorded_now()


def test_corrections_are_of_the_kinds_of_each_route_in_the_order_of_time(
    store, bars, rest, bar, fundamental, event
):
    bars.write_event(event(type="left from earlier"))
    bars.delete_events(JAN_5, JAN_5)
    for number in range(2):
        store.write_bars("AAPL", [bar(close=1.0 + number)])
        store.write_fundamental("AAPL", fundamental(employees=number))
    store.write_event(event())
    store.delete_events(JAN_5, JAN_5)
    found = store.corrections()
    assert [each.kind for each in found] == ["bars", "fundamentals", "events"]
    assert store.corrections(found[1].recorded_at) == found[1:]
    assert store.corrections(symbol="MSFT") == []


def test_a_snapshot_is_one_moment_of_all_stores(store, bars, rest, bar, event):
    store.write_bars("AAPL", [bar(close=1.0)])
    store.write_event(event(type="before"))
    named = store.snapshot("q1", "note")
    store.write_bars("AAPL", [bar(close=2.0)])
    store.write_event(event(type="after"))
    assert store.snapshots() == [named]
    assert (named.name, named.note) == ("q1", "note")
    assert named.recorded_at == max(each.snapshots()[0].recorded_at for each in (bars, rest))
    view = store.at("q1")
    view_of_all = store.at(JAN_9, recorded=named.recorded_at)
    assert [each.close for each in view_of_all.read_bars("AAPL")] == [1.0]
    assert [each.type for each in view_of_all.read_events()] == ["before"]
    assert view.read_events() == view_of_all.read_events()


def test_a_snapshot_holds_pruning_back_in_all_stores(store, bars, rest, bar, event):
    store.write_bars("AAPL", [bar(close=1.0)])
    store.write_event(event())
    named = store.snapshot("q1")
    store.write_bars("AAPL", [bar(close=2.0)])
    store.delete_events(JAN_5, JAN_5)
    with pytest.raises(InvalidData, match="is after the snapshot 'q1'"):
        store.prune_history(store.recorded_now())
    assert store.prune_history(named.recorded_at) == 0
    assert len(store.event_versions(recorded=named.recorded_at)) == 1
    assert store.drop_snapshot("q1")
    assert bars.snapshots() == rest.snapshots() == []
    assert store.prune_history(store.recorded_now()) == 2


def test_a_snapshot_that_one_store_has_alone_is_no_snapshot_of_all(store, bars, rest, bar, event):
    own = rest.snapshot("q1")
    assert store.snapshots() == []
    with pytest.raises(InvalidData, match=r"^default: snapshot 'q1' exists already, of 2026"):
        store.snapshot("q1")
    for close in (1.0, 2.0):
        store.write_bars("AAPL", [bar(close=close)])
    with pytest.raises(InvalidData, match=r"^default: before=.* is after the snapshot 'q1'"):
        store.prune_history(store.recorded_now())
    assert len(bars.bar_versions("AAPL")) == 2, "nothing was pruned"
    assert rest.snapshots() == [own]
    assert store.drop_snapshot("q1")
    assert not store.drop_snapshot("q1")


def test_a_snapshot_that_a_store_refuses_is_in_none(bars, rest):
    store = RoutedStore({"default": rest, "events": ReadonlyStore(bars)})
    with pytest.raises(StorageError, match=r"^events: snapshot: "):
        store.snapshot("q1")
    assert rest.snapshots() == []
    with pytest.raises(InvalidName):
        store.snapshot("")
    with pytest.raises(InvalidData, match=r"^default: note="):
        store.snapshot("q1", note=7)


def test_recording_began_with_the_first_of_the_stores(store, bars, rest, bar, event):
    assert store.recording_began() == min(bars.recording_began(), rest.recording_began())
    rest.write_event(event())
    assert store.recording_began() == rest.recording_began() < bars.recording_began()


def test_a_foreign_store_tells_what_bars_it_held(bars, rest, bar):
    store = RoutedStore({"default": rest, "bars": Foreign(bars)}, rest.capabilities)
    store.write_bars("AAPL", [bar(close=1.0)])
    then = store.recorded_now()
    store.write_bars("AAPL", [bar(close=2.0)])
    assert [each.close for each in store.at(JAN_9, recorded=then).read_bars("AAPL")] == [1.0]


def corrected(bar, event, fundamental):
    """Return a store with a history of each kind, and a snapshot."""
    source = MemoryDataStore()
    source.write_bars("AAPL", [bar(close=1.0)])
    source.write_fundamental("MSFT", fundamental(symbol="MSFT"))
    source.snapshot("q1", "note")
    source.write_bars("AAPL", [bar(close=2.0)])
    source.write_event(event())
    source.delete_events(JAN_5, JAN_5)
    return source


def versions_of(store):
    return [
        *store.bar_versions("AAPL"),
        *store.fundamental_versions("MSFT"),
        *store.event_versions(),
    ]


def test_versions_of_all_kinds_are_restored_each_into_its_route(
    store, bars, rest, bar, event, fundamental
):
    source = corrected(bar, event, fundamental)
    store.restore_versions(versions_of(source))
    assert versions_of(store) == versions_of(source)
    assert versions_of(bars) == source.bar_versions("AAPL")
    assert rest.bar_versions("AAPL") == []


def test_bars_are_restored_under_their_timeframe_even_if_there_are_none(store, bars, bar):
    source = MemoryDataStore()
    source.write_bars("AAPL", [bar()])
    store.restore_versions(source.bar_versions("AAPL"), timeframe="1h")
    assert bars.timeframes("AAPL") == ["1h"]
    with pytest.raises(InvalidName):
        store.restore_versions([], timeframe="")


@pytest.mark.parametrize("routes", [("default", "bars"), ("events", "default")])
def test_after_an_error_no_events_are_restored_so_all_can_be_again(routes, bar, event, fundamental):
    source, taking = corrected(bar, event, fundamental), MemoryDataStore()
    stores = dict(zip(routes, (taking, ReadonlyStore(MemoryDataStore())), strict=True))
    with pytest.raises(StorageError, match=rf"^{routes[1]}: restore_versions: "):
        RoutedStore(stores).restore_versions(versions_of(source))
    assert taking.event_versions() == []


def test_the_recording_is_that_of_the_kinds_of_each_route(store, bars, rest, bar, fundamental):
    empty = store.recording()
    assert (empty.asked_at, empty.pruned_before, empty.is_kept) == (None, None, True)
    rest.write_bars("LEFT", [bar(symbol="LEFT")])
    bars.write_fundamental("LEFT", fundamental(symbol="LEFT"))
    store.write_bars("AAPL", [bar()])
    store.write_fundamental("MSFT", fundamental(symbol="MSFT"))
    for each in (bars, rest):
        each.prune_history(each.recorded_now())
        found = store.recording()
        assert (found.series, found.symbols) == ((("AAPL", "1d"),), ("MSFT",))
        assert found.pruned_before == each.recording().pruned_before
        assert found.asked_at == each.recording().asked_at


def test_a_route_that_keeps_no_history_is_told(bars):
    store = RoutedStore({"default": MemoryDataStore(history=False), "bars": bars})
    assert not store.recording().is_kept


def test_clock_horizon_and_snapshots_are_restored_into_every_route(
    store, bars, rest, bar, event, fundamental
):
    source = corrected(bar, event, fundamental)
    (named,), ahead = source.snapshots(), source.recorded_now() + timedelta(days=1)
    store.restore_recording(ahead, pruned_before=named.recorded_at, snapshots=iter([named]))
    early = named.recorded_at - timedelta(microseconds=1)
    for each in (bars, rest):
        assert each.snapshots() == store.snapshots() == [named]
        assert each.recorded_now() == ahead
        for ask in (partial(each.bar_versions, "AAPL"), each.event_versions):
            with pytest.raises(HistoryPruned):
                ask(recorded=early)


def test_a_snapshot_whose_name_any_route_has_for_another_one_is_restored_into_none(
    store, bars, rest
):
    own, until = rest.snapshot("q1"), rest.recorded_now()
    others = [Snapshot("q1", until), Snapshot("q2", until)]
    for _ in range(2):  # a snapshot that is there already is the same one
        store.restore_recording(until, snapshots=others)
        assert rest.snapshots() == [own, others[1]]
        assert bars.snapshots() == store.snapshots() == others[1:]


@pytest.mark.parametrize("failing", ["bars", "rest"])
def test_a_copy_that_was_ended_between_two_routes_is_finished_by_the_next_one(
    failing, store, bars, rest, bar, event, fundamental, monkeypatch
):
    source = corrected(bar, event, fundamental)
    source.drop_snapshot("q1")
    source.prune_history(source.corrections()[0].recorded_at)

    def killed(self, *args, **kwargs):
        raise StorageError("killed")

    with monkeypatch.context() as patch:
        patch.setattr({"bars": bars, "rest": rest}[failing], "restore_recording", killed)
        with pytest.raises(StorageError, match="killed"):
            copy_store(source, store)
    assert copy_store(source, store).ok
    pruned = source.recording().pruned_before
    assert [each.recording().pruned_before for each in (bars, rest)] == [pruned, pruned]
    monkeypatch.setattr(RoutedStore, "restore_recording", killed)
    assert copy_store(source, store).ok, "a copy to an equal store writes nothing"


def test_a_route_for_an_earlier_release_has_no_history_that_can_be_copied(bars, rest, bar):
    class Earlier(Foreign):
        def __getattr__(self, name):
            if name in ("recording", "restore_versions", "restore_recording", "unreplaced_bars"):
                raise AttributeError(name)
            return super().__getattr__(name)

    store = RoutedStore({"default": rest, "bars": Earlier(bars)}, rest.capabilities)
    for name in ("recording", "restore_versions", "restore_recording"):
        assert not hasattr(store, name)
    store.write_bars("AAPL", [bar()])
    report = copy_store(store, target := MemoryDataStore())
    assert report.ok
    assert target.read_bars("AAPL") == [bar()]


def test_bars_that_were_never_replaced_go_through_a_route_in_columns(store, bars, bar, event):
    source = MemoryDataStore()
    source.write_bars("AAPL", [bar()])
    given = source.unreplaced_bars("AAPL", EVER, "1d")
    assert store.restore_unreplaced("AAPL", "1d", given)
    assert store.unreplaced_bars("AAPL", EVER, "1d") == given
    assert bars.bar_versions("AAPL") == source.bar_versions("AAPL")
    foreign = RoutedStore({"default": bars, "bars": object()}, bars.capabilities)
    assert not foreign.restore_unreplaced("AAPL", "1d", given)
    assert foreign.unreplaced_bars("AAPL", EVER, "1d") is None


def test_a_history_is_copied_through_routes_of_the_backend_file(tmp_path, bar, event, fundamental):
    source, target = corrected(bar, event, fundamental), MemoryDataStore()
    routes = {
        "default": {"backend": "file", "base_path": tmp_path / "rest"},
        "bars": {"backend": "file", "base_path": tmp_path / "bars"},
    }
    with open_store("routed", **routes) as through:
        assert copy_store(source, through).ok
        assert copy_store(through, target).ok
    with open_store("routed", **routes) as again:
        assert versions_of(again) == versions_of(target) == versions_of(source)
        assert again.snapshots() == target.snapshots() == source.snapshots()
        assert again.corrections() == source.corrections()


class TestHistoriesTogether(RecordedLaws):
    """The laws of history hold for bars, fundamentals and events in stores of their own."""

    @pytest.fixture
    def store(self):
        kinds = ("bars", "fundamentals", "events")
        stores = {kind: MemoryDataStore() for kind in kinds}
        with RoutedStore({"default": MemoryDataStore(), **stores}) as store:
            yield store
