"""Laws K1 and K3, the capability `History`: what was held stays readable as it was recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event as Flag
from typing import Any, NamedTuple, cast

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from storecore.builtin.memory import MemoryDataStore
from storecore.errors import HistoryPruned, InvalidData, InvalidName
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    EVER_UTC,
    HOSTILE,
    NO_NAMES,
    NOON,
    NOON_UTC,
    TICK,
    bar,
    bar_table,
    event,
    fundamental,
    refused,
)

DAY = timedelta(days=1)
HISTORIES, STEPS, ROUNDS = 8, 20, 40
_BATCH = 3
_TWO = [bar(close=1.0), bar(NOON + DAY, close=5.0)]


class RecordedLaws(Fixtures):
    """A feed corrects a bar in March; what a strategy saw in January can still be asked."""

    @pytest.fixture
    def kept(self, having: Callable[[str], Recorder]) -> Recorder:
        """The subject, if it keeps what is replaced."""
        return having("History")

    def test_k1_a_replaced_bar_stays_readable_with_the_instants_of_both_writes(
        self, kept: Recorder
    ) -> None:
        """The old version ends when the new one begins."""
        kept.write_bars("AAPL", _TWO)
        before = kept.recorded_now()
        kept.write_bars("AAPL", [bar(close=2.0)])
        after = kept.recorded_now()
        old, new, other = kept.bar_versions("AAPL")
        assert [old.bar, new.bar, other.bar] == [_TWO[0], bar(close=2.0), _TWO[1]]
        assert old.replaced_at == new.recorded_at, "the old one ends when the new one begins"
        assert old.recorded_at <= before < new.recorded_at <= after
        assert (new.replaced_at, other.replaced_at) == (None, None)
        assert kept.read_bars("AAPL", *EVER) == [new.bar, other.bar], "the present"

    def test_k1_versions_are_of_one_series_and_of_the_range_asked_for(self, kept: Recorder) -> None:
        """Times of recording are aware UTC, dates of the kind of the bounds (law T2)."""
        for close in (1.0, 2.0):
            kept.write_bars("AAPL", [bar(NOON + n * DAY, close) for n in range(3)])
            kept.write_bars("AAPL", [bar(close=-close)], timeframe="1m")
            kept.write_bars("MSFT", [bar(symbol="MSFT", close=-close)])
        found = kept.bar_versions("AAPL", NOON_UTC + DAY, NOON_UTC + DAY)
        assert [(each.bar.date, each.bar.close) for each in found] == [
            (NOON_UTC + DAY, 1.0),
            (NOON_UTC + DAY, 2.0),
        ]
        assert found[1].recorded_at.utcoffset() == timedelta(0)
        minutes = kept.bar_versions("AAPL", NOON, NOON, timeframe="1m")
        assert [each.bar.date for each in minutes] == [NOON, NOON]
        assert kept.bar_versions("AAPL", NOON + TICK, NOON + DAY - TICK) == []

    def test_k1_an_equal_write_makes_no_version(
        self, kept: Recorder, declared: frozenset[str]
    ) -> None:
        """A feed is downloaded again each night; equal is equal bit for bit."""
        filing, zero = fundamental(employees=5, extra={"eps": 1.5}), bar(close=0.0)
        for _ in range(2):
            kept.write_bars("AAPL", [*_TWO, bar(NOON - DAY, 0.0, volume=0)])
            kept.write_fundamental("AAPL", filing)
            if "BarTables" in declared:
                kept.write_bar_table(bar_table(_TWO))
        assert len(kept.bar_versions("AAPL")) == 3
        assert len(kept.fundamental_versions("AAPL")) == 1
        assert kept.corrections() == []
        kept.write_bars("AAPL", [zero])
        kept.write_bars("AAPL", [bar(close=-0.0)])
        closes = [str(each.bar.close) for each in kept.bar_versions("AAPL", NOON, NOON)]
        assert closes == ["1.0", "0.0", "-0.0"]

    def test_k1_further_columns_are_a_part_of_a_version(
        self, kept: Recorder, writer: Any, store: Any
    ) -> None:
        """A bar that differs in one of them is another version (law B6)."""
        try:
            kept.write_bars("AAPL", [bar(extra={"vwap": 1.5, "trades": 3})])
        except InvalidData:
            pytest.skip("the backend keeps the seven columns of a bar")
        kept.write_bars("AAPL", [bar(extra={"vwap": 1.5, "trades": 3})])
        kept.write_bars("AAPL", [bar(extra={"vwap": 2.5})])
        kept.write_bars("AAPL", [bar(volume=None)])
        found = [(each.bar.extra, each.bar.volume) for each in kept.bar_versions("AAPL")]
        assert found == [({"trades": 3, "vwap": 1.5}, 1000), ({"vwap": 2.5}, 1000), (None, None)]

    def test_k1_a_deleted_bar_stays_readable_until_the_deletion(
        self, kept: Recorder, declared: frozenset[str]
    ) -> None:
        """And what is written after it is a new version: in between there is none."""
        _needs(declared, "Bulk")
        kept.write_bars("AAPL", _TWO)
        before = kept.recorded_now()
        kept.delete_bars("AAPL", *EVER)
        between = kept.recorded_now()
        assert kept.read_bars("AAPL", *EVER) == []
        kept.write_bars("AAPL", [_TWO[0]])
        assert _closes(kept, before) == [1.0, 5.0]
        assert _closes(kept, between) == []
        assert _closes(kept, kept.recorded_now()) == [1.0]
        first, again, _ = kept.bar_versions("AAPL")
        assert before < first.replaced_at <= between < again.recorded_at

    def test_k1_a_replaced_series_keeps_the_version_of_what_is_equal(
        self, kept: Recorder, offering: Callable[..., Recorder]
    ) -> None:
        """What the table lacks is deleted."""
        offering("write_bar_table")
        kept.write_bars("AAPL", _TWO)
        before = kept.recorded_now()
        kept.write_bar_table(bar_table([_TWO[1], bar(NOON + 2 * DAY, 7.0)]), replace=True)
        gone, same, new = kept.bar_versions("AAPL")
        assert [each.bar.close for each in (gone, same, new)] == [1.0, 5.0, 7.0]
        assert same.recorded_at <= before < gone.replaced_at == new.recorded_at
        assert (same.replaced_at, new.replaced_at) == (None, None)

    def test_k1_a_renaming_is_a_deletion_and_a_write_at_one_instant(
        self, kept: Recorder, offering: Callable[..., Recorder]
    ) -> None:
        """Of bars, fundamentals and events; the old name keeps its past."""
        offering("rename_symbol")
        kept.write_bars("OLD", [bar(symbol="OLD", close=1.0)])
        kept.write_bars("OLD", [bar(symbol="OLD", close=2.0)])
        kept.write_fundamental("OLD", fundamental(symbol="OLD"))
        kept.write_event(event(symbol="OLD"))
        before = kept.recorded_now()
        kept.rename_symbol("OLD", "NEW")
        ended = [each.replaced_at for each in _versions(kept, "OLD")]
        begun = [each.recorded_at for each in _versions(kept, "NEW")]
        assert (len(ended), len(begun)) == (4, 3)
        assert len({*ended[1:], *begun}) == 1, "all at one instant"
        assert begun[0] > before
        assert [len(_versions(kept, name, before)) for name in ("OLD", "NEW")] == [3, 0]
        now = kept.recorded_now()
        assert [len(_versions(kept, name, now)) for name in ("OLD", "NEW")] == [0, 3]

    def test_k1_a_replaced_or_deleted_fundamental_stays_readable(
        self, kept: Recorder, current: frozenset[str]
    ) -> None:
        """Each exactly as it was written, by timestamp, then by time of recording."""
        first, second = fundamental(NOON_UTC, employees=1), fundamental(employees=2, extra={"a": 1})
        later = fundamental(NOON + DAY, employees=3)
        for each in (later, first, second):
            kept.write_fundamental("AAPL", each)
        before = kept.recorded_now()
        old, new, other = kept.fundamental_versions("AAPL")
        assert [old.data, new.data, other.data] == [first, second, later]
        assert (old.data.timestamp.tzinfo, new.data.timestamp.tzinfo) == (UTC, None)
        assert old.replaced_at == new.recorded_at
        assert kept.fundamental_versions("AAPL", NOON + TICK) == [other]
        assert kept.fundamental_versions("MSFT") == []
        if "delete_fundamentals" in current:
            kept.delete_fundamentals("AAPL", *EVER)
            assert kept.read_fundamental("AAPL") is None
            assert len(kept.fundamental_versions("AAPL")) == 3
            assert kept.fundamental_versions("AAPL", recorded=kept.recorded_now()) == []
        held = kept.fundamental_versions("AAPL", recorded=before)
        assert [each.data for each in held] == [second, later]

    def test_k1_a_deleted_event_stays_readable_in_its_place(
        self, kept: Recorder, offering: Callable[..., Recorder]
    ) -> None:
        """Among events of one timestamp the order of writing stays (law E1)."""
        offering("delete_events")
        for number in range(3):
            kept.write_event(event(type=str(number), symbol=None if number else "AAPL"))
        before = kept.recorded_now()
        kept.delete_events(*EVER, ["1"])
        found = kept.event_versions()
        assert [each.event.type for each in found] == ["0", "1", "2"]
        assert [each.replaced_at is None for each in found] == [True, False, True]
        assert before < found[1].replaced_at
        assert [each.event.timestamp for each in kept.event_versions(*EVER_UTC)] == [NOON_UTC] * 3
        asked = kept.event_versions(NOON, NOON, ["0", "1"], symbols=[None])
        assert [each.event.type for each in asked] == ["1"]
        for moment, types in ((before, ["0", "1", "2"]), (kept.recorded_now(), ["0", "2"])):
            held = kept.event_versions(recorded=moment)
            assert [each.event.type for each in held] == types

    def test_history_corrections_are_what_was_replaced_by_what_and_when(
        self, kept: Recorder, declared: frozenset[str]
    ) -> None:
        """By time of recording, from `since` on, of one symbol or of all."""
        _needs(declared, "Bulk")
        kept.write_bars("AAPL", _TWO, timeframe="1m")
        kept.write_fundamental("MSFT", fundamental(symbol="MSFT", employees=1))
        kept.write_bars("AAPL", [bar(close=2.0)], timeframe="1m")
        since = kept.recorded_now()
        kept.write_fundamental("MSFT", fundamental(symbol="MSFT", employees=2))
        kept.delete_bars("AAPL", NOON, NOON, timeframe="1m")
        found = kept.corrections()
        assert [(each.kind, each.symbol, each.timeframe) for each in found] == [
            ("bars", "AAPL", "1m"),
            ("fundamentals", "MSFT", None),
            ("bars", "AAPL", "1m"),
        ]
        bars, filing, gone = found
        assert (bars.before.close, bars.after.close) == (1.0, 2.0)
        assert (filing.before.employees, filing.after.employees) == (1, 2)
        assert (gone.before.close, gone.after) == (2.0, None)
        assert {each.timestamp for each in found} == {NOON_UTC}
        assert bars.recorded_at <= since < filing.recorded_at < gone.recorded_at
        assert kept.corrections(since) == kept.corrections(filing.recorded_at) == [filing, gone]
        assert kept.corrections(symbol="AAPL") == [bars, gone]
        assert kept.corrections(gone.recorded_at + TICK) == []

    def test_k3_the_clock_of_recording_is_strictly_increasing(self, kept: Recorder) -> None:
        """Each write that makes a version has an instant of its own, later than all before it."""
        for number in range(ROUNDS):
            kept.write_bars("AAPL", [bar(NOON + number * DAY, symbol="AAPL")])
            kept.write_fundamental("AAPL", fundamental(NOON + number * DAY))
            kept.write_event(event(NOON + number * DAY))
        kinds = (
            kept.bar_versions("AAPL"),
            kept.fundamental_versions("AAPL"),
            kept.event_versions(),
        )
        instants = [each.recorded_at for row in zip(*kinds, strict=True) for each in row]
        assert instants == sorted(set(instants)), "an instant is not after the one before it"

    def test_k3_what_will_be_recorded_in_the_future_is_not_known(self, kept: Recorder) -> None:
        """Nor is it pruned; nor is a date one moment (law T3)."""
        late = kept.recorded_now() + DAY
        for recorded in (late, NOON.date(), "2026-01-05", 7):
            for ask in (
                partial(kept.bar_versions, "AAPL", recorded=recorded),
                partial(kept.fundamental_versions, "AAPL", recorded=recorded),
                partial(kept.event_versions, recorded=recorded),
                partial(kept.prune_history, recorded),
            ):
                with refused(InvalidData, value=recorded):
                    ask()

    def test_history_corrections_since_a_pruned_moment_are_those_that_are_left(
        self, kept: Recorder
    ) -> None:
        """`since` selects what is listed; `recording().pruned_before` says what may be missing."""
        kept.write_bars("AAPL", _TWO)
        early = kept.recorded_now()
        for close in (2.0, 3.0):
            kept.write_bars("AAPL", [bar(close=close)])
        replaced = kept.corrections()[0].recorded_at
        kept.prune_history(replaced)
        for since in (None, early, replaced):
            (left,) = kept.corrections(since)
            assert (left.before.close, left.after.close) == (2.0, 3.0)
        assert kept.recording().pruned_before == replaced

    def test_k3_what_was_pruned_is_not_answered_at_all(self, kept: Recorder) -> None:
        """Not even about a symbol of which nothing was removed: one question has one answer."""
        kept.write_bars("AAPL", _TWO)
        early = kept.recorded_now()
        for close in (2.0, 3.0):
            kept.write_bars("AAPL", [bar(close=close)])
        replaced = kept.bar_versions("AAPL")[0].replaced_at
        assert kept.prune_history(replaced) == 1
        assert [each.bar.close for each in kept.bar_versions("AAPL")] == [2.0, 3.0, 5.0]
        assert _closes(kept, replaced) == [2.0, 5.0]
        for ask in (
            partial(kept.bar_versions, "NONE", recorded=early),
            partial(kept.fundamental_versions, "NONE", recorded=early),
            partial(kept.event_versions, recorded=replaced - TICK),
        ):
            with refused(HistoryPruned, value=early):
                ask()
        assert kept.prune_history(early) == 0, "pruning goes on from the latest instant"
        with refused(HistoryPruned, value=early):
            kept.bar_versions("AAPL", recorded=early)

    def test_k3_a_snapshot_holds_pruning_back(self, kept: Recorder) -> None:
        """What it shows stays, until it is dropped."""
        kept.write_bars("AAPL", _TWO)
        named = kept.snapshot("2026-q1", "before the revision")
        kept.write_bars("AAPL", [bar(close=2.0)])
        assert kept.snapshots() == [named]
        assert (named.name, named.note) == ("2026-q1", "before the revision")
        assert _closes(kept, named.recorded_at) == [1.0, 5.0]
        with refused(InvalidData, "2026-q1", value="a prune across a snapshot"):
            kept.prune_history(kept.recorded_now())
        assert _closes(kept, named.recorded_at) == [1.0, 5.0], "nothing was removed"
        assert kept.prune_history(named.recorded_at) == 0
        assert [kept.drop_snapshot("2026-q1") for _ in range(2)] == [True, False]
        assert kept.prune_history(kept.recorded_now()) == 1

    def test_n1_each_snapshot_has_a_name_of_its_own(self, kept: Recorder) -> None:
        """A name that is taken is refused, any other is kept as it was given."""
        made = [kept.snapshot(name, note=name) for name in HOSTILE]
        assert kept.snapshots() == sorted(made, key=lambda each: (each.recorded_at, each.name))
        assert {each.name for each in kept.snapshots()} == set(HOSTILE)
        for name in HOSTILE[:3]:
            with refused(InvalidData, value=name):
                kept.snapshot(name)
        assert kept.drop_snapshot("aapl")
        assert {each.name for each in kept.snapshots()} == {*HOSTILE} - {"aapl"}

    def test_n2_what_is_no_name_names_no_snapshot(self, kept: Recorder) -> None:
        """Nor a symbol whose versions are asked for."""
        for name in NO_NAMES:
            for ask in (kept.snapshot, kept.drop_snapshot, kept.bar_versions):
                with refused(InvalidName, value=name):
                    ask(name)
            with refused(InvalidName, value=name):
                kept.fundamental_versions(name)
        assert kept.snapshots() == []

    def test_n1_hostile_symbols_have_their_own_versions(self, kept: Recorder) -> None:
        """None has those of another one."""
        for close in (1.0, 2.0):
            for number, name in enumerate(HOSTILE):
                kept.write_bars(name, [bar(symbol=name, close=close + number)])
        for number, name in enumerate(HOSTILE):
            found = [(each.bar.symbol, each.bar.close) for each in kept.bar_versions(name)]
            assert found == [(name, 1.0 + number), (name, 2.0 + number)]
        assert {each.symbol for each in kept.corrections()} == set(HOSTILE)

    def test_k1_k3_history_is_the_same_in_a_store_opened_again(
        self, kept: Recorder, store: Any, reopen: Callable[[], Any] | None
    ) -> None:
        """Its versions, its snapshots, its horizon; and its clock goes on."""
        if reopen is None:
            pytest.skip("the suite gives no `reopen`, so nothing is said to outlive a store")
        kept.write_bars("AAPL", _TWO)
        early = kept.recorded_now()
        for number in range(3):
            kept.write_bars("AAPL", [bar(close=10.0 + number)])
            kept.write_fundamental("AAPL", fundamental(employees=number))
        kept.prune_history(kept.bar_versions("AAPL")[0].replaced_at)
        kept.snapshot("q1", "note")
        before = [*_versions(kept, "AAPL"), kept.snapshots(), kept.corrections()]
        asked, held = kept.recorded_now(), _closes(kept, kept.recorded_now())
        store.close()
        for number in range(2):
            with closing(reopen()) as again:
                if not number:
                    found = [*_versions(again, "AAPL"), again.snapshots(), again.corrections()]
                    assert found == before
                assert _closes(again, asked) == held
                with refused(HistoryPruned, value=early):
                    again.bar_versions("AAPL", recorded=early)
                again.write_bars("AAPL", [bar(close=20.0 + number)])
                assert again.bar_versions("AAPL")[-2].recorded_at > asked
                assert _closes(again, asked) == held

    def test_k3_threads_that_ask_beside_writers_are_answered_in_the_same_way_later(
        self, kept: Recorder
    ) -> None:
        """What becomes visible after a question is never recorded before it."""
        kept.write_bars("AAPL", _TWO)
        done = Flag()

        def write() -> None:
            for number in range(ROUNDS):
                kept.write_bars("AAPL", [bar(close=10.0 + number)])
                kept.write_fundamental("AAPL", fundamental(employees=number))
                kept.write_event(event(payload={"number": number}))

        with ThreadPoolExecutor(2) as pool:
            asked = pool.submit(_asked_until, kept, done)
            try:
                pool.submit(write).result()
            finally:
                done.set()
            answers = asked.result()
        _check_unchanged(kept, answers)

    def test_k3_questions_beside_batches_of_events_find_all_of_a_batch_or_nothing(
        self,
        kept: Recorder,
        declared: frozenset[str],
        offering: Callable[..., Recorder],
    ) -> None:
        """Also if the batch was held between taking its instant and its publication."""
        _needs(declared, "Bulk")
        offering("delete_events")
        batch = [event(payload={"number": number}) for number in range(_BATCH)]
        done = Flag()

        def write() -> None:
            for _ in range(ROUNDS // 4):
                kept.write_events(batch)
            kept.delete_events(*EVER)

        with ThreadPoolExecutor(2) as pool:
            asked = pool.submit(_asked_until, kept, done)
            try:
                pool.submit(write).result()
            finally:
                done.set()
            answers = asked.result()
        torn = [at for at, held in answers if len(held) % _BATCH]
        assert not torn, f"recorded={torn[0]}: a part of a batch of {_BATCH} events"
        _check_unchanged(kept, answers)

    def test_k1_k3_any_history_is_answered_as_of_each_moment(
        self,
        kept: Recorder,
        declared: frozenset[str],
        current: frozenset[str],
        fresh_name: Callable[[], str],
    ) -> None:
        """Any writes, corrections, deletions, renamings and prunings, beside a naive model."""
        run_state_machine_as_test(
            cast(Any, lambda: _Recorded(kept, fresh_name(), declared | current)),
            settings=settings(
                deadline=None,
                max_examples=min(HISTORIES, settings().max_examples),
                stateful_step_count=STEPS,
                suppress_health_check=list(HealthCheck),
            ),
        )

    def test_k1_a_restored_history_answers_as_its_source_does(self, taking: Recorder) -> None:
        """A backup without what was replaced cannot prove what a strategy saw."""
        source, moments = _corrected()
        restored_from(source, taking)
        for symbol in ("AAPL", "MSFT"):
            assert _versions(taking, symbol) == _versions(source, symbol)
            for at in moments:
                assert _versions(taking, symbol, at) == _versions(source, symbol, at)
        assert taking.corrections() == source.corrections()
        assert taking.snapshots() == source.snapshots()

    def test_k1_versions_can_be_restored_twice(self, taking: Recorder) -> None:
        """A copy was killed before its end, or the source has corrected a bar since."""
        source, _ = _corrected()
        bars = source.bar_versions("AAPL")
        taking.restore_versions([msgspec.structs.replace(bars[0], replaced_at=None)])
        taking.restore_versions([*bars, *source.fundamental_versions("AAPL")])
        taking.restore_versions([*bars, *source.fundamental_versions("AAPL")])
        assert taking.bar_versions("AAPL") == bars
        assert taking.fundamental_versions("AAPL") == source.fundamental_versions("AAPL")
        assert taking.read_bars("AAPL", *EVER_UTC) == source.read_bars("AAPL", *EVER_UTC)

    def test_k1_a_restored_horizon_refuses_earlier_questions(self, taking: Recorder) -> None:
        """What the source has pruned is not in the copy either."""
        source, moments = _corrected()
        source.drop_snapshot("first")
        source.prune_history(moments[1])
        restored_from(source, taking)
        with refused(HistoryPruned, value=moments[0]):
            taking.bar_versions("AAPL", recorded=moments[0])
        assert _versions(taking, "AAPL", moments[1]) == _versions(source, "AAPL", moments[1])

    def test_k3_writes_after_a_restored_history_are_recorded_later(self, taking: Recorder) -> None:
        """The clock of the other machine may be ahead."""
        source, _ = _corrected()
        ahead = source.recorded_now() + DAY
        taking.restore_versions(source.bar_versions("AAPL"))
        taking.restore_recording(ahead)
        taking.write_bars("AAPL", [bar(close=9.0)])
        assert taking.bar_versions("AAPL", NOON, NOON)[-1].recorded_at > ahead

    def test_k3_nothing_is_restored_that_would_change_an_answer(self, taking: Recorder) -> None:
        """Somebody has asked the target before."""
        source, _ = _corrected()
        asked = taking.recorded_now()
        with refused(InvalidData, value=asked):
            taking.restore_versions(source.bar_versions("AAPL"))
        assert taking.bar_versions("AAPL", recorded=asked) == []

    @pytest.fixture
    def taking(self, kept: Recorder) -> Recorder:
        """The subject, if it takes in versions of other stores."""
        if not hasattr(kept, "restore_versions"):
            pytest.skip("the backend does not take in versions of other stores")
        return kept


class _State(NamedTuple):
    """What a store holds of some symbols: closes, employees, and the numbers of events."""

    bars: dict[tuple[str, datetime], float]
    filings: dict[tuple[str, datetime], int]
    events: list[tuple[str, int]]


symbols = st.sampled_from("AB")
days = st.integers(0, 3).map(lambda day: NOON + day * DAY)
values = st.integers(0, 2)
rows = st.lists(st.tuples(days, values), min_size=1, max_size=3)


class _Recorded(RuleBasedStateMachine):
    """The store under test, and beside it a copy of what it held at each moment asked about."""

    def __init__(self, subject: Recorder, own: str, can: frozenset[str]) -> None:
        super().__init__()
        self._subject, self._own, self._can = subject, own, can
        self._now = _State({}, {}, [])
        self._events = 0
        self._horizon: datetime | None = None
        self._held: dict[datetime, _State] = {}
        self._ask_now()

    def _ask_now(self) -> None:
        self._held[self._subject.recorded_now()] = deepcopy(self._now)

    @rule(name=symbols, given=rows)
    def write_bars(self, name: str, given: list[tuple[datetime, int]]) -> None:
        symbol = self._own + name
        self._subject.write_bars(symbol, [bar(at, float(c), symbol=symbol) for at, c in given])
        self._now.bars.update({(symbol, at): float(close) for at, close in given})
        self._ask_now()

    @precondition(lambda self: "write_bar_table" in self._can)
    @rule(name=symbols, given=rows)
    def replace_bars(self, name: str, given: list[tuple[datetime, int]]) -> None:
        symbol = self._own + name
        bars = [bar(at, float(close), symbol=symbol) for at, close in given]
        self._subject.write_bar_table(bar_table(bars), replace=True)
        self._remove(self._now.bars, symbol, *EVER)
        self._now.bars.update({(symbol, each.date): each.close for each in bars})
        self._ask_now()

    @precondition(lambda self: "Bulk" in self._can)
    @rule(name=symbols, first=days, last=days)
    def delete_bars(self, name: str, first: datetime, last: datetime) -> None:
        start, end = sorted((first, last))
        self._subject.delete_bars(self._own + name, start, end)
        self._remove(self._now.bars, self._own + name, start, end)
        self._ask_now()

    @rule(name=symbols, at=days, employees=values)
    def write_fundamental(self, name: str, at: datetime, employees: int) -> None:
        data = fundamental(at, symbol=self._own + name, employees=employees)
        self._subject.write_fundamental(data.symbol, data)
        self._now.filings[data.symbol, at] = employees
        self._ask_now()

    @precondition(lambda self: "delete_fundamentals" in self._can)
    @rule(name=symbols, first=days, last=days)
    def delete_fundamentals(self, name: str, first: datetime, last: datetime) -> None:
        start, end = sorted((first, last))
        self._subject.delete_fundamentals(self._own + name, start, end)
        self._remove(self._now.filings, self._own + name, start, end)
        self._ask_now()

    @rule(name=symbols)
    def write_event(self, name: str) -> None:
        symbol = self._own + name
        self._events += 1
        self._subject.write_event(event(symbol=symbol, payload={"number": self._events}))
        self._now.events.append((symbol, self._events))
        self._ask_now()

    @precondition(lambda self: "delete_events" in self._can)
    @rule(name=symbols)
    def delete_events(self, name: str) -> None:
        self._subject.delete_events(*EVER, symbols=[self._own + name])
        self._now.events[:] = [each for each in self._now.events if each[0] != self._own + name]
        self._ask_now()

    @precondition(lambda self: "rename_symbol" in self._can)
    @rule(old=symbols)
    def rename_symbol(self, old: str) -> None:
        now, was, new = self._now, self._own + old, self._own + "N"
        known = {*(key[0] for key in (*now.bars, *now.filings)), *(each[0] for each in now.events)}
        if new in known:  # then it gets its old name back, or the other one
            was, new = new, was
        if was not in known or new in known:
            return
        self._subject.rename_symbol(was, new)
        for held in (now.bars, now.filings):
            for symbol, at in [key for key in held if key[0] == was]:
                held[new, at] = cast(Any, held.pop((symbol, at)))
        now.events[:] = [(new if name == was else name, number) for name, number in now.events]
        self._ask_now()

    @rule(data=st.data())
    def prune_history(self, data: st.DataObject) -> None:
        before = data.draw(st.sampled_from(sorted(self._held)))
        self._subject.prune_history(before)
        self._horizon = max(before, self._horizon or before)

    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        self._check(data.draw(st.sampled_from(sorted(self._held))))

    def teardown(self) -> None:
        for at in self._held:
            self._check(at)

    def _check(self, at: datetime) -> None:
        if self._horizon is not None and at < self._horizon:
            with refused(HistoryPruned, value=at):
                self._answer(at)
        else:
            assert self._answer(at) == self._held[at], f"recorded={at}"

    def _answer(self, at: datetime) -> _State:
        names = [self._own + each for each in "ABN"]
        subject = self._subject
        bars = [each.bar for name in names for each in subject.bar_versions(name, recorded=at)]
        filings = [
            each.data for name in names for each in subject.fundamental_versions(name, recorded=at)
        ]
        events = [each.event for each in subject.event_versions(symbols=names, recorded=at)]
        return _State(
            {(each.symbol, each.date): each.close for each in bars},
            {(each.symbol, each.timestamp): cast(int, each.employees) for each in filings},
            [(cast(str, each.symbol), each.payload["number"]) for each in events],
        )

    @staticmethod
    def _remove(held: dict[tuple[str, datetime], Any], symbol: str, *span: datetime) -> None:
        first, last = span
        for key in [key for key in held if key[0] == symbol and first <= key[1] <= last]:
            del held[key]


def _needs(declared: frozenset[str], capability: str) -> None:
    if capability not in declared:
        pytest.skip(f"the backend does not declare the capability {capability}")


def _corrected() -> tuple[MemoryDataStore, list[datetime]]:
    """Return a store with corrections and deletions, and the moments between them."""
    source = MemoryDataStore()
    source.write_bars("AAPL", _TWO)
    source.write_fundamental("AAPL", fundamental(employees=5))
    source.write_events([event(symbol="AAPL"), event(symbol="MSFT"), event(symbol="AAPL")])
    moments = [source.snapshot("first").recorded_at]
    source.write_bars("AAPL", [bar(close=2.0)])
    source.write_fundamental("AAPL", fundamental(employees=6))
    moments.append(source.recorded_now())
    source.delete_bars("AAPL", NOON + DAY, NOON + DAY)
    source.delete_events(*EVER, symbols=["MSFT"])
    source.write_bars("MSFT", [bar(symbol="MSFT", close=3.0)])
    source.delete_bars("MSFT", *EVER)
    return source, [*moments, source.recorded_now()]


def restored_from(source: MemoryDataStore, target: Any) -> None:
    """Restore all of a history, as a copy does."""
    for symbol in ("AAPL", "MSFT"):
        target.restore_versions(source.bar_versions(symbol))
        target.restore_versions(source.fundamental_versions(symbol))
    target.restore_versions(source.event_versions())
    pruned = source.recording().pruned_before
    target.restore_recording(
        source.recorded_now(), pruned_before=pruned, snapshots=source.snapshots()
    )


def _closes(store: Any, at: datetime) -> list[float]:
    return [each.bar.close for each in store.bar_versions("AAPL", recorded=at)]


def _versions(store: Any, symbol: str, at: datetime | None = None) -> list[Any]:
    return [
        *store.bar_versions(symbol, recorded=at),
        *store.fundamental_versions(symbol, recorded=at),
        *store.event_versions(symbols=[symbol], recorded=at),
    ]


def _held(store: Any, at: datetime) -> list[Any]:
    """Return what a store held at a moment, without the instants of recording."""
    return [
        *(each.bar for each in store.bar_versions("AAPL", recorded=at)),
        *(each.data for each in store.fundamental_versions("AAPL", recorded=at)),
        *(each.event for each in store.event_versions(recorded=at)),
    ]


def _check_unchanged(store: Any, answers: list[tuple[datetime, list[Any]]]) -> None:
    """Check that what was asked beside writers is answered in the same way now."""
    wrong = [at for at, held in answers if _held(store, at) != held]
    assert not wrong, f"recorded={wrong[0]}: {len(wrong)} of {len(answers)} answers changed"


def _asked_until(store: Any, done: Flag) -> list[tuple[datetime, list[Any]]]:
    """Ask what is held now, and keep the answers, until a flag is set."""
    return list(_asked(store, done))


def _asked(store: Any, done: Flag) -> Iterator[tuple[datetime, list[Any]]]:
    while not done.is_set():
        now = store.recorded_now()
        yield now, _held(store, now)
