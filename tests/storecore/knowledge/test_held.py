"""`at(t, recorded=r)`, and bars that were still forming: beside a naive model of all versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import composite
from msgspec.structs import replace

import storecore
from storecore import (
    BarStream,
    Coverage,
    HistoryPruned,
    InvalidData,
    SeriesCoverage,
    Wrapper,
    open_store,
)
from storecore.knowledge import clock
from storecore.testing.records import EVER_UTC, bar, decision, event, fundamental
from storecore.values.times import exact_instant, to_datetime

BASE = datetime(2026, 3, 30)  # the month before is shorter
STEP = timedelta(minutes=30)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TICK = timedelta(microseconds=1)
LENGTHS = {"30m": STEP, "1d": DAY}
SERIES = (("A", "30m"), ("A", "1d"), ("B", "1d"))


class Machine:
    """The machine's clock, which a test sets."""

    def __init__(self, monkeypatch):
        self.now = BASE - 9 * DAY
        monkeypatch.setattr(clock, "machine_now", lambda: exact_instant(self.now, "now"))


@pytest.fixture
def machine(monkeypatch):
    """The machine's clock."""
    return Machine(monkeypatch)


def moments(first=-60, last=60):
    return st.integers(first, last).map(lambda step: BASE + step * STEP)


@composite
def histories(draw):
    """Return writes, each at its time, and times to ask for."""
    dates = moments(-52, 8)
    writes = st.one_of(
        st.tuples(st.just("bar"), st.sampled_from(SERIES), dates, st.integers(1, 3)),
        st.tuples(st.just("drop"), st.sampled_from(SERIES), dates, st.integers(0, 40)),
        st.tuples(st.just("filing"), st.sampled_from("AB"), dates, st.integers(1, 3)),
        st.tuples(st.just("unfile"), st.sampled_from("AB"), dates, st.integers(0, 40)),
        st.tuples(st.just("event"), st.sampled_from("AB"), dates, dates),
        st.tuples(st.just("forget"), st.sampled_from("AB"), dates, st.integers(0, 40)),
    )
    times = sorted(draw(st.lists(moments(-55, 20), unique=True, max_size=14)))
    return {
        "writes": [(at, draw(writes)) for at in times],
        "asked": draw(
            st.lists(st.tuples(moments(), st.none() | moments()), min_size=3, max_size=6)
        ),
        "span": sorted(draw(st.tuples(moments(), moments()))),
        "last": draw(st.none() | st.integers(1, 3)),
    }


class Model:
    """All versions of all keys, and what of them was known; a deletion is an empty version."""

    def __init__(self):
        self.versions = {}

    def put(self, key, value, at):
        """Add a version, unless it is equal."""
        known = self.versions.setdefault(key, [])
        if not known or known[-1][1] != value:
            known.append((at, value))

    def drop(self, at, matches):
        """Add an empty version to what is there."""
        for key, known in self.versions.items():
            if matches(key) and known[-1][1] is not None:
                known.append((at, None))

    def apply(self, store, at, write):
        """Write to a store and to the model; return nothing."""
        kind, about, when, value = write
        until = when + value * STEP if isinstance(value, int) else None
        if kind == "bar":
            symbol, timeframe = about
            one = bar(when, float(value), symbol=symbol)
            store.write_bars(symbol, [one], timeframe=timeframe)
            self.put(("bar", symbol, timeframe, when), one, at)
        elif kind == "drop":
            store.delete_bars(about[0], when, until, timeframe=about[1])
            self.drop(at, lambda key: key[:3] == ("bar", *about) and when <= key[3] <= until)
        elif kind == "filing":
            one = fundamental(when, symbol=about, employees=value)
            store.write_fundamental(about, one)
            self.put(("filing", about, when), one, at)
        elif kind == "unfile":
            store.delete_fundamentals(about, when, until)
            self.drop(at, lambda key: key[:2] == ("filing", about) and when <= key[2] <= until)
        elif kind == "event":
            one = event(when, symbol=about, ingested_at=value)
            store.write_event(one)
            self.put(("event", about, when, at), one, at)
        else:
            store.delete_events(when, until, symbols=[about])
            self.drop(at, lambda key: key[:2] == ("event", about) and when <= key[2] <= until)

    def known(self, t, r):
        """Return the values that were known at t and recorded by r, by key."""
        found = {}
        for key, versions in sorted(self.versions.items()):
            last = [value for at, value in versions if self._counts(key, at, t, r, value)][-1:]
            if last and last[0] is not None:
                found[key] = last[0]
        return found

    def _counts(self, key, at, t, r, value):
        if r is not None and at > r:
            return False
        if key[0] == "bar":
            length = LENGTHS[key[2]]
            return key[3] + length <= t or (at <= t and key[3] <= t + length)
        if key[0] == "filing":
            return key[2] <= t
        return value is None or value.ingested_at <= t


def check(store, machine, history):
    """Write a history, and ask every question."""
    model = Model()
    for at, write in history["writes"]:
        machine.now = at
        model.apply(store, at, write)
    machine.now = BASE + 90 * STEP
    streaming = Wrapper(store, store.capabilities | {"BarStream"})
    for t, r in history["asked"]:
        view = streaming.at(t, recorded=r)
        known = model.known(t, r)
        check_bars(view, history, known)
        check_facts(view, history, known)


def check_bars(view, history, known):
    (start, end), last = history["span"], history["last"]
    extents = []
    for symbol, timeframe in SERIES:
        bars = [each for key, each in known.items() if key[:3] == ("bar", symbol, timeframe)]
        assert view.read_bars(symbol, timeframe=timeframe) == bars
        asked = [each for each in bars if start <= each.date <= end]
        asked = asked if last is None else asked[-last:]
        assert view.read_bars(symbol, start, end, timeframe=timeframe, last=last) == asked
        table = view.read_bar_table([symbol], start, end, timeframe=timeframe, last=last)
        assert storecore.as_columns(table.drop_columns("symbol")) is not None
        assert table["date"].to_pylist() == [each.date for each in asked]
        assert table["close"].to_pylist() == [each.close for each in asked]
        aware = [each.date.replace(tzinfo=UTC) for each in bars]
        extent = (aware[0], aware[-1], len(aware)) if aware else (None, None, 0)
        assert view.bar_coverage(symbol, timeframe=timeframe) == Coverage(*extent)
        extents += [SeriesCoverage(symbol, timeframe, *extent)] if aware else []
    extents.sort(key=lambda each: (each.symbol, each.timeframe))
    assert view.inventory() == extents
    assert view.symbols() == sorted({each.symbol for each in extents})
    assert view.symbols("1d") == [each.symbol for each in extents if each.timeframe == "1d"]
    assert view.timeframes("A") == [each.timeframe for each in extents if each.symbol == "A"]
    for columns in (["date"], None):
        tables = list(view.iter_bar_tables(["B", "A"], start, max_bytes=1, columns=columns))
        found = [each for table in tables for each in table["date"].to_pylist()]
        assert found == sorted(
            key[3] for key in known if key[0] == "bar" and key[2] == "1d" and key[3] >= start
        )


def check_facts(view, history, known):
    start, end = history["span"]
    events = [each for key, each in known.items() if key[0] == "event"]
    assert view.event_symbols() == sorted({each.symbol for each in events})
    found = view.read_events()
    assert sorted(map(repr, found)) == sorted(map(repr, events))
    assert [each.timestamp for each in found] == sorted(each.timestamp for each in events)
    asked = [each for each in events if start <= each.timestamp <= end and each.symbol == "A"]
    given = view.read_events(start, end, ["news"], symbols=["A"])
    assert sorted(map(repr, given)) == sorted(map(repr, asked))
    filed = {"A": [], "B": []}
    for key, each in known.items():
        if key[0] == "filing":
            filed[each.symbol].append(each)
    assert view.fundamental_symbols() == [symbol for symbol in filed if filed[symbol]]
    for symbol, filings in filed.items():
        assert view.fundamentals(symbol) == filings
        earlier = [each for each in filings if each.timestamp <= end]
        assert view.fundamentals(symbol, start, end) == [
            each for each in earlier if each.timestamp >= start
        ]
        assert view.read_fundamental(symbol) == (filings[-1] if filings else None)
        assert view.read_fundamental(symbol, end) == (earlier[-1] if earlier else None)


FORMING = {
    "writes": [
        (BASE + STEP, ("bar", ("A", "1d"), BASE, 1)),
        (BASE + 2 * STEP, ("bar", ("A", "1d"), BASE, 2)),
        (BASE + 3 * STEP, ("drop", ("A", "1d"), BASE, 0)),
        (BASE + 4 * STEP, ("bar", ("A", "1d"), BASE, 3)),
    ],
    "asked": [(BASE + each * STEP, None) for each in range(6)],
    "span": [BASE, BASE],
    "last": 1,
}
CORRECTED = {
    **FORMING,
    "asked": [
        *((BASE + 2 * DAY, BASE + each * STEP) for each in range(6)),
        *((BASE + 2 * STEP, BASE + each * STEP) for each in range(6)),
    ],
}


@settings(max_examples=25)
@given(history=histories())
@example(history=FORMING)
@example(history=CORRECTED)
def test_a_view_of_a_recording_answers_like_a_naive_model(history):
    with pytest.MonkeyPatch.context() as patched, open_store("memory") as store:
        check(store, Machine(patched), history)


@pytest.mark.soak
@settings(max_examples=200)
@given(history=histories())
def test_a_view_of_a_recording_answers_many_histories_like_a_naive_model(history):
    with pytest.MonkeyPatch.context() as patched, open_store("memory") as store:
        check(store, Machine(patched), history)


# Single cases.


@pytest.fixture
def kept(store):
    """A store of each backend that keeps history."""
    if not hasattr(store, "bar_versions"):
        pytest.skip("the backend keeps no history")
    return store


def now(store):
    return store.recorded_now()


def test_a_forming_bar_has_the_columns_of_its_series_in_a_table(kept):
    at = datetime.now(UTC)
    old, last = at - 9 * DAY, at - DAY / 2
    kept.write_bars("A", [bar(old, symbol="A", extra={"vwap": 1.5}), bar(last, symbol="A")])
    view = kept.at(now(kept))
    whole = kept.read_bar_table("A")
    assert view.read_bar_table("A").equals(whole)
    assert view.read_bar_table("A").schema.metadata == whole.schema.metadata
    new = kept.read_bar_table("A", at - DAY)
    assert view.read_bar_table("A", at - DAY).equals(new)
    chosen = view.read_bar_table("A", at - DAY, columns=["vwap", "date"])
    assert chosen.column_names == ["vwap", "date"]
    with pytest.raises(InvalidData, match="unknown column 'none'"):
        view.read_bar_table("A", at - DAY, columns=["none"])
    past = kept.at(now(kept), recorded=now(kept))
    assert past.read_bar_table("A").equals(whole)
    assert past.read_bar_table("B").schema.names == whole.schema.names[:7]
    if isinstance(view, BarStream):
        tables = list(view.iter_bar_tables("A"))
        assert [each for table in tables for each in table["vwap"].to_pylist()] == [1.5, None]


def test_a_named_snapshot_is_what_was_held_and_known_then(kept):
    kept.write_bars("A", [bar(symbol="A", close=1.0)])
    kept.snapshot("backtest-2026-q1")
    kept.write_bars("A", [bar(symbol="A", close=2.0)])
    assert [each.close for each in kept.at("backtest-2026-q1").read_bars("A")] == [1.0]
    assert kept.at("backtest-2026-q1").at(BASE - 99 * DAY).read_bars("A") == []
    assert "recorded=" in repr(kept.at("backtest-2026-q1"))
    with pytest.raises(
        InvalidData, match=r"no snapshot of that name \(did you mean 'backtest-2026"
    ):
        kept.at("backtest-2026-q2")
    with pytest.raises(InvalidData, match="fixes `recorded`; leave it out"):
        kept.at("backtest-2026-q1", recorded=now(kept))
    with pytest.raises(InvalidData, match=r"is at\('backtest-2026-q1'\)\.at\(t\)"):
        kept.at(BASE, recorded="backtest-2026-q1")


def test_a_view_of_a_view_holds_the_earlier_recording(kept):
    instants = []
    for close in (1.0, 2.0, 3.0):
        kept.write_bars("A", [bar(symbol="A", close=close)])
        instants.append(now(kept))
    t = instants[-1]
    early = kept.at(t, recorded=instants[0])
    assert [each.close for each in early.at(t, recorded=instants[1]).read_bars("A")] == [1.0]
    assert [each.close for each in early.at(t).read_bars("A")] == [1.0]
    later = kept.at(t).at(t, recorded=instants[1])
    assert [each.close for each in later.read_bars("A")] == [2.0]


def test_a_recording_of_the_future_or_of_the_pruned_past_has_no_answer(kept):
    before = now(kept)
    kept.write_bars("A", [bar(symbol="A", close=1.0)])
    kept.write_bars("A", [bar(symbol="A", close=2.0)])
    with pytest.raises(InvalidData, match="future"):
        kept.at(before, recorded=now(kept) + DAY).read_bars("A")
    kept.prune_history(now(kept))
    view = kept.at(now(kept), recorded=before)
    calls = [
        lambda: view.read_bars("A"),
        lambda: view.read_bar_table("A"),
        lambda: view.read_fundamental("A"),
        view.read_events,
        view.inventory,
    ]
    for ask in calls:
        with pytest.raises(HistoryPruned):
            ask()


CATALOG = ["symbols", "inventory", "fundamental_symbols", "event_symbols"]


@pytest.mark.parametrize("ask", [*CATALOG, "nearest", "timeframes"])
def test_k3_a_catalog_of_the_pruned_past_has_no_answer_though_nothing_is_left_to_list(kept, ask):
    kept.write_bars("A", [bar(symbol="A")])
    kept.write_fundamental("A", fundamental(symbol="A"))
    kept.write_event(event(symbol="A"))
    then = now(kept)
    question = getattr(kept.at(then + DAY, recorded=then), ask)
    given = () if ask in CATALOG else ("A",)
    assert question(*given)
    kept.delete_bars("A", *EVER_UTC)
    kept.delete_fundamentals("A", *EVER_UTC)
    kept.delete_events(*EVER_UTC)
    kept.prune_history(now(kept))
    with pytest.raises(HistoryPruned):
        question(*given)


def test_k3_a_pruned_list_of_one_timeframe_has_no_answer_though_another_one_is_left(kept):
    kept.write_bars("A", [bar(symbol="A")], timeframe="30m")
    kept.write_bars("A", [bar(symbol="A")])
    then = now(kept)
    view = kept.at(then + DAY, recorded=then)
    assert view.symbols("30m") == ["A"]
    kept.delete_bars("A", *EVER_UTC, timeframe="30m")
    kept.prune_history(now(kept))
    with pytest.raises(HistoryPruned):
        view.symbols("30m")


def test_k4_a_list_that_was_pruned_since_is_replayed_as_pruned(kept):
    kept.write_bars("A", [bar(symbol="A")])
    then = now(kept)
    view = kept.at(then + DAY, recorded=then)
    assert view.symbols() == ["A"]
    kept.log_decision("value", decision(), reads=view.receipt())
    kept.delete_bars("A", *EVER_UTC)
    kept.prune_history(now(kept))
    (logged,) = kept.read_decisions()
    assert [each.status for each in kept.replay(logged).reads] == ["pruned"]


def test_a_live_state_is_the_one_that_was_saved_by_then(kept):
    early = now(kept)
    instants = []
    for step in range(3):
        kept.save_strategy_state("value", {"step": step})
        instants.append(now(kept))
    for step, at in enumerate(instants):
        assert kept.at(at).load_strategy_state("value") == {"step": step}
        assert kept.at(instants[-1], recorded=at).load_strategy_state("value") == {"step": step}
        assert kept.at(at).load_versioned_state("value").version == step + 1
        assert len(kept.at(at).state_history("value")) == step + 1
        assert kept.at(at).strategies() == ["value"]
    assert kept.at(early).load_strategy_state("value") is None
    assert kept.at(early).strategies() == []
    assert kept.at(early).load_strategy_state("other") is None


def test_an_earlier_live_state_than_those_that_are_kept_is_pruned(kept):
    early = now(kept)
    for step in range(7):
        kept.save_strategy_state("value", {"step": step})
    with pytest.raises(HistoryPruned, match="only 5 later versions are kept"):
        kept.at(early).load_strategy_state("value")


def test_a_live_state_of_which_nobody_knows_when_it_was_saved_is_not_shown(kept):
    kept.restore_state("value", [storecore.StateVersion(1, {"cash": 1})], expect=None)
    with pytest.raises(HistoryPruned, match="when its version 1 was saved is not known"):
        kept.at(now(kept)).load_strategy_state("value")


def test_a_decision_of_a_recording_had_been_logged_by_then(kept, decision):
    before = now(kept)
    kept.log_decision("value", decision())
    after = now(kept)
    assert kept.at(after, recorded=before).read_decisions() == []
    assert len(kept.at(after, recorded=after).read_decisions()) == 1
    run = kept.at(before, recorded=before, run="bt-7")
    run.log_decision("value", decision())
    assert len(run.read_decisions()) == 1


def test_a_view_around_another_store_asks_it_for_its_history(tmp_path):
    nested = open_store("memory")
    store = storecore.Wrapper(nested)
    store.write_bars("A", [bar(symbol="A", close=1.0)])
    at = store.recorded_now()
    store.write_bars("A", [bar(symbol="A", close=2.0)])
    assert [each.close for each in store.at(at, recorded=at).read_bars("A")] == [1.0]
    assert store.recording_began() == nested.recording_began()


def test_a_receipt_names_what_was_read(kept):
    kept.write_bars("A", [bar(symbol="A")])
    at = now(kept)
    view = kept.at(at, recorded=at)
    assert view.receipt() == []
    view.read_bars("A")
    view.symbols()
    view.verify_audit()
    view.read_bar_table(iter(["A"]), columns=iter(["date"]))
    found = view.receipt()
    assert [(each.call, each.rows) for each in found] == [
        ("read_bars", 1),
        ("symbols", 1),
        ("read_bar_table", 1),
    ]
    assert [(each.as_of, each.recorded) for each in found] == [(at, at)] * 3
    assert found[2].arguments["symbols"] == ["A"]
    assert view.receipt() == []


def test_k3_of_a_time_before_the_first_recording_no_forming_bar_is_pruned(kept):
    """A backtest of the years before the store was made asks, and a history was pruned since."""
    for close in (1.0, 2.0):
        kept.write_bars("A", [bar(BASE, close, symbol="A"), bar(BASE + DAY, close, symbol="A")])
    kept.prune_history(now(kept))
    view = kept.at(BASE + 1.5 * DAY, recorded=now(kept))
    kept.write_bars("A", [bar(BASE, 3.0, symbol="A")])
    assert [each.close for each in view.read_bars("A")] == [2.0]
    assert view.read_bar_table("A")["close"].to_pylist() == [2.0]
    assert view.bar_coverage("A").count == 1
    assert view.symbols() == ["A"]


def hours_ago(hours, close, symbol="A"):
    return bar((datetime.now(UTC) - hours * HOUR).replace(tzinfo=None), close, symbol=symbol)


def forming_history(store):
    """Write bars that form: one that is corrected later, and one that is not; return the time."""
    ended, corrected, kept = hours_ago(90, 1.0), hours_ago(3, 1.0), hours_ago(2, 5.0)
    store.write_bars("A", [ended, corrected, kept])
    store.write_bars("B", [hours_ago(3, 1.0, "B")])
    t = now(store)
    store.write_bars("A", [replace(corrected, close=2.0)])
    store.delete_bars("B", t - DAY, t)
    return t


@pytest.mark.parametrize("pinned", [False, True])
def test_k3_a_view_of_a_time_before_the_pruning_lacks_bars_whose_forming_version_is_gone(
    kept, pinned
):
    """The bar that had ended and the one that was not replaced are shown as they were."""
    t = forming_history(kept)
    view = kept.at(t, recorded=now(kept) if pinned else None)
    assert [each.close for each in view.read_bars("A")] == [1.0, 1.0, 5.0]
    assert view.symbols() == ["A", "B"]
    kept.prune_history(exact(view) if pinned else now(kept))
    assert [each.close for each in view.read_bars("A")] == [1.0, 5.0]
    assert view.read_bars("A", t - 4 * HOUR, t - 2.5 * HOUR) == []
    assert view.read_bar_table("A")["close"].to_pylist() == [1.0, 5.0]
    assert view.bar_coverage("A").count == 2
    assert [(each.symbol, each.count) for each in view.inventory()] == [("A", 2)]
    assert view.symbols() == ["A"]
    if isinstance(view, BarStream):
        tables = list(view.iter_bar_tables("A"))
        assert [each for table in tables for each in table["close"].to_pylist()] == [1.0, 5.0]


def exact(view):
    return to_datetime(view._recorded, aware=True)


def test_k3_what_was_recorded_by_a_pruned_moment_is_refused_for_bars_that_were_forming_too(kept):
    t = forming_history(kept)
    kept.prune_history(now(kept))
    with pytest.raises(HistoryPruned):
        kept.at(now(kept), recorded=t).read_bars("A", t - 4 * HOUR)
    with pytest.raises(HistoryPruned):
        kept.at(t + HOUR, recorded=t).read_bars("A", t - 4 * HOUR)


@pytest.mark.parametrize("history", [False, "90d"])
def test_a_snapshot_shows_a_backtest_each_day_whatever_the_store_keeps(tmp_path, history):
    for backend, options in (("memory", {}), ("file", {"base_path": tmp_path / "data"})):
        with open_store(backend, history=history, **options) as store:
            for close in (1.0, 2.0):
                store.write_bars("A", [bar(BASE, close, symbol="A")])
            if backend == "file":
                store.compact()
            store.snapshot("s")
            pinned = store.at("s").at(BASE + 3 * DAY)
            assert [each.close for each in pinned.read_bars("A")] == [2.0]
            assert pinned.read_bar_table("A").num_rows == 1
            assert pinned.symbols() == ["A"]
            assert store.at("s").at(BASE).symbols() == []
