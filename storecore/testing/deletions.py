"""What is removed, renamed or replaced: exactly that, in one step, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from storecore.errors import InvalidData, InvalidName, StateConflict
from storecore.reports import StateVersion
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    HOSTILE,
    NO_NAMES,
    NOON,
    NOON_UTC,
    TICK,
    bar,
    bar_table,
    decision,
    event,
    for_all,
    fundamental,
    refused,
    sent,
)

DAY = timedelta(days=1)
FILTERS: tuple[tuple[tuple[Any, ...], list[int]], ...] = (
    ((), [0, 1, 2, 3, 4, 5]),
    ((["news"],), [0, 2, 4]),
    ((["news", "none"], ["AAPL"]), [0, 2]),
    ((None, [None]), [1]),
    ((None, [None, "MSFT"]), [1, 4, 5]),
    (([], None), []),
    ((None, []), []),
)
NO_RANGES: tuple[tuple[Any, Any], ...] = (
    *((None, NOON), (NOON, None), (None, None), (NOON, "now"), (NOON, NOON_UTC)),
    *((NOON, NOON - TICK), (0, NOON)),
)
versions = st.integers(0, 5)


class DeletionLaws(Fixtures):
    """A feed sends wrong days, a ticker changes, retention is a duty."""

    def test_bulk_deletes_the_events_that_are_asked_for_and_counts_them(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """Of a range, both ends included; of types and symbols; the others keep their order."""
        bulk = offering("delete_events")
        for given, gone in FILTERS:
            written = [
                event(
                    NOON + (number % 2) * DAY,
                    type=("news", "split")[number % 2],
                    symbol=("AAPL", None, "AAPL", "aapl", "MSFT", "MSFT")[number],
                    payload={"n": number},
                )
                for number in range(6)
            ]
            for each in (*written, event(NOON - TICK), event(NOON + DAY + TICK)):
                bulk.write_event(each)
            removed = [bulk.delete_events(NOON, NOON + DAY, *given) for _ in range(2)]
            assert removed == [len(gone), 0], given
            left = sorted((each for n, each in enumerate(written) if n not in gone), key=_time)
            assert bulk.read_events(NOON, NOON + DAY) == left, given
            assert len(bulk.read_events(*EVER)) == len(left) + 2, given
            assert bulk.delete_events(*EVER) == len(left) + 2

    def test_bulk_deletes_identical_events_all_and_writes_them_again(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """What was deleted does not hide what is written later, nor comes back with it."""
        bulk = offering("delete_events")
        bulk.write_events([event()] * 3)
        bulk.write_event(event(symbol="MSFT"))
        assert bulk.delete_events(NOON, NOON, symbols=["AAPL"]) == 3
        assert bulk.read_events(*EVER) == [event(symbol="MSFT")]
        bulk.write_event(event())
        bulk.write_events([event(payload={"n": number}) for number in (3, 1, 2)])
        assert [each.payload for each in bulk.read_events(*EVER, ["news"])][1:] == [
            event().payload,
            *({"n": number} for number in (3, 1, 2)),
        ]

    def test_bulk_deletes_the_fundamentals_of_a_range_and_counts_them(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """Of that symbol alone; one that is older is the latest again."""
        bulk = offering("delete_fundamentals")
        for name in ("AAPL", "aapl"):
            for number in range(4):
                at = NOON + number * DAY
                bulk.write_fundamental(name, fundamental(at, symbol=name, employees=number))
        removed = [bulk.delete_fundamentals("AAPL", NOON + DAY, NOON + 3 * DAY) for _ in range(2)]
        assert removed == [3, 0]
        assert bulk.read_fundamental("AAPL").employees == 0
        assert bulk.read_fundamental("AAPL", as_of=NOON - TICK) is None
        assert bulk.read_fundamental("aapl").employees == 3
        assert bulk.delete_fundamentals("NONE", *EVER) == 0
        bulk.write_fundamental("AAPL", fundamental(NOON + DAY, employees=9))
        assert bulk.read_fundamental("AAPL").employees == 9
        assert bulk.delete_fundamentals("AAPL", *EVER) == 2
        assert bulk.read_fundamental("AAPL") is None

    def test_t3_a_date_is_its_whole_day_where_events_and_fundamentals_are_deleted(
        self, subject: Recorder, current: frozenset[str]
    ) -> None:
        """From its midnight to its last microsecond; ISO text is the date that it names."""
        midnight = datetime(2026, 1, 5)
        edges = (midnight - TICK, midnight, midnight + DAY - TICK, midnight + DAY)
        days: tuple[Any, ...] = (date(2026, 1, 5), "2026-01-05")
        for day in days:
            if "delete_events" in current:
                subject.delete_events(*EVER)
                subject.write_events([event(at) for at in edges])
                assert subject.delete_events(day, day) == 2
                left = [each.timestamp for each in subject.read_events(*EVER)]
                assert left == [edges[0], edges[3]]
            if "delete_fundamentals" in current:
                subject.write_fundamentals([fundamental(at) for at in edges])
                assert subject.delete_fundamentals("AAPL", day, day) == 2
                known = [subject.read_fundamental("AAPL", at).timestamp for at in edges]
                assert known == [*(edges[:1] * 3), edges[3]]

    def test_b2_what_is_no_range_or_name_deletes_no_event_and_no_fundamental(
        self, subject: Recorder, current: frozenset[str]
    ) -> None:
        """An open end is no range to delete: a program whose bound is missing would delete all."""
        subject.write_event(event())
        subject.write_fundamental("AAPL", fundamental())
        if "delete_events" in current:
            for bounds in NO_RANGES:
                with refused(ValueError, value=bounds):
                    subject.delete_events(*bounds)
            for kind, given in ((InvalidData, ("news",)), (InvalidName, (None, ["AAPL", ""]))):
                with refused(kind, value=given):
                    subject.delete_events(*EVER, *given)
        if "delete_fundamentals" in current:
            for bounds in NO_RANGES:
                with refused(ValueError, value=bounds):
                    subject.delete_fundamentals("AAPL", *bounds)
            for name in NO_NAMES:
                with refused(InvalidName, value=name):
                    subject.delete_fundamentals(name, *EVER)
        assert subject.read_events(*EVER) == [event()]
        assert subject.read_fundamental("AAPL") == fundamental()

    def test_bulk_renames_all_data_of_a_symbol(self, offering: Callable[..., Recorder]) -> None:
        """Bars of every timeframe, fundamentals and events; no other symbol, and no audit log."""
        bulk = offering("rename_symbol")
        for name in ("FB", "fb"):
            _write_each(bulk, name)
        bulk.log_order("value", *sent(symbol="FB"))
        bulk.log_decision("value", decision(symbol="FB"))
        bulk.rename_symbol("FB", "META")
        assert [len(each) for each in _data(bulk, "FB")] == [0, 0, 0, 0]
        assert _data(bulk, "META") == _expected("META")
        assert _data(bulk, "fb") == _expected("fb")
        bulk.write_bars("FB", [bar(symbol="FB")])
        assert [len(each) for each in _data(bulk, "FB")] == [1, 0, 0, 0]

    def test_a2_a_renamed_symbol_keeps_its_records_in_the_audit_log(
        self, offering: Callable[..., Recorder], having: Callable[[str], Recorder]
    ) -> None:
        """They are evidence of what was traded under that name."""
        bulk, trail = offering("rename_symbol"), having("AuditTrail")
        bulk.write_bars("FB", [bar(symbol="FB")])
        trail.log_order("value", *sent(symbol="FB"))
        trail.log_decision("value", decision(symbol="FB"))
        bulk.rename_symbol("FB", "META")
        assert [each.order.symbol for each in trail.read_orders(*EVER)] == ["FB"]
        assert [each.decision.symbol for each in trail.read_decisions(*EVER)] == ["FB"]
        assert trail.verify_audit().ok

    def test_n1_a_symbol_is_renamed_to_exactly_the_name_given(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """From one hostile name to the next, each data of its own, events of many days too."""
        bulk, names = offering("rename_symbol"), HOSTILE[::3]
        for number, name in enumerate(names):
            bulk.write_bars(name, [bar(symbol=name, volume=number)])
            bulk.write_fundamental(name, fundamental(symbol=name, employees=number))
            bulk.write_event(event(NOON + number * DAY, symbol=name, payload={"n": number}))
        for name in names:
            bulk.rename_symbol(name, f"{name} renamed")
        for number, name in enumerate(names):
            (read,) = bulk.read_bars(f"{name} renamed", *EVER)
            assert (read.symbol, read.volume) == (f"{name} renamed", number)
            assert bulk.read_fundamental(f"{name} renamed").employees == number
        found = [(each.symbol, each.payload["n"]) for each in bulk.read_events(*EVER)]
        assert found == [(f"{name} renamed", number) for number, name in enumerate(names)]

    def test_b2_a_symbol_is_not_renamed_to_one_that_has_data(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """Whatever kind of data it has; nor one that has none, nor to itself; nothing changes."""
        bulk = offering("rename_symbol")
        _write_each(bulk, "OLD")
        bulk.write_bars("BARS", [bar(symbol="BARS")], timeframe="1m")
        bulk.write_fundamental("FILED", fundamental(symbol="FILED"))
        bulk.write_event(event(symbol="EVENT"))
        for new in ("BARS", "FILED", "EVENT", "OLD"):
            with refused(InvalidData, new, value=new):
                bulk.rename_symbol("OLD", new)
        with refused(InvalidData, "NONE", value="NONE"):
            bulk.rename_symbol("NONE", "NEW")
        for name in NO_NAMES:
            for pair in ((name, "NEW"), ("OLD", name)):
                with refused(InvalidName, value=pair):
                    bulk.rename_symbol(*pair)
        assert _data(bulk, "OLD") == _expected("OLD")
        assert [len(each) for each in _data(bulk, "NEW")] == [0, 0, 0, 0]
        assert bulk.read_fundamental("FILED") == fundamental(symbol="FILED")

    def test_bulk_renames_a_symbol_that_has_one_kind_of_data(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """Bars, fundamentals or events alone; a symbol whose data was deleted has none."""
        bulk = offering("rename_symbol", "delete_events")
        bulk.write_bars("A", [bar(symbol="A")], timeframe="1m")
        bulk.write_fundamental("B", fundamental(symbol="B"))
        bulk.write_event(event(symbol="C"))
        for name in ("A", "B", "C"):
            bulk.rename_symbol(name, f"{name}2")
        assert bulk.read_bars("A2", *EVER, timeframe="1m") == [bar(symbol="A2")]
        assert bulk.read_fundamental("B2") == fundamental(symbol="B2")
        assert bulk.read_events(*EVER) == [event(symbol="C2")]
        assert bulk.delete_events(*EVER) == 1
        with refused(InvalidData, value="C2"):
            bulk.rename_symbol("C2", "C")
        bulk.rename_symbol("A2", "C2")
        assert bulk.read_bars("C2", *EVER, timeframe="1m") == [bar(symbol="C2")]

    def test_versioned_state_is_deleted_with_its_history(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """It is as if it had never been saved, but for its numbers: they go on."""
        versioned = offering("delete_strategy_state")
        for name in ("value", "Value"):
            for number in range(3):
                versioned.save_strategy_state(name, {"number": number})
        assert [versioned.delete_strategy_state("value") for _ in range(2)] == [True, False]
        assert versioned.load_strategy_state("value") is None
        assert versioned.load_versioned_state("value") == StateVersion(0, None)
        assert versioned.state_history("value") == []
        assert versioned.load_versioned_state("Value") == StateVersion(3, {"number": 2})
        versioned.save_strategy_state("value", {"again": True}, expect=0)
        assert versioned.state_history("value") == [StateVersion(4, {"again": True})]

    def test_versioned_state_never_takes_a_number_again_after_a_deletion(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """A writer that loaded a version before the deletion replaces none that was saved since."""
        versioned = offering("delete_strategy_state")
        taken: list[int] = []
        for saves in (2, 1, 3):
            for number in range(saves):
                expect = taken[-1] if number else 0
                versioned.save_strategy_state("value", {"number": number}, expect=expect)
                taken.append(versioned.load_versioned_state("value").version)
            for stale in taken[:-1]:
                with refused(StateConflict, str(stale), value=stale):
                    versioned.save_strategy_state("value", {"stale": True}, expect=stale)
            assert versioned.delete_strategy_state("value", expect=taken[-1])
            assert versioned.load_versioned_state("value") == StateVersion(0, None)
            for stale in taken:
                with refused(StateConflict, "0", str(stale), value=stale):
                    versioned.save_strategy_state("value", {"stale": True}, expect=stale)
            with refused(StateConflict, "0", str(taken[-1]), value=taken[-1]):
                versioned.delete_strategy_state("value", expect=taken[-1])
        assert taken == [*range(1, 7)]
        assert versioned.delete_strategy_state("value", expect=0) is False
        versioned.save_strategy_state("other", {})
        assert versioned.load_versioned_state("other").version == 1

    @for_all(stored=versions, expect=versions)
    def test_versioned_state_is_deleted_only_at_the_expected_version(
        self,
        offering: Callable[..., Recorder],
        fresh_name: Callable[[], str],
        stored: int,
        expect: int,
    ) -> None:
        """Else another writer's state would be lost without a word."""
        versioned, name = offering("delete_strategy_state"), fresh_name()
        for number in range(stored):
            versioned.save_strategy_state(name, {"number": number})
        if expect == stored:
            assert versioned.delete_strategy_state(name, expect=expect) is bool(stored)
            stored = 0
        else:
            with refused(StateConflict, str(stored), str(expect), value=expect):
                versioned.delete_strategy_state(name, expect=expect)
        assert versioned.load_versioned_state(name).version == stored

    def test_catalog_forgets_a_strategy_whose_state_is_deleted(
        self, offering: Callable[..., Recorder], having: Callable[[str], Recorder]
    ) -> None:
        """Until it saves again; what is no name or version deletes nothing."""
        versioned, catalog = offering("delete_strategy_state"), having("Catalog")
        versioned.save_strategy_state("value", {})
        versioned.save_strategy_state("momentum", {})
        assert versioned.delete_strategy_state("value")
        assert catalog.strategies() == ["momentum"]
        no_versions: tuple[Any, ...] = (-1, 1.0, True, "1")
        for expect in no_versions:
            with refused(InvalidData, "expect", value=expect):
                versioned.delete_strategy_state("momentum", expect=expect)
        for name in NO_NAMES:
            with refused(InvalidName, value=name):
                versioned.delete_strategy_state(name)
        assert catalog.strategies() == ["momentum"]

    def test_bar_tables_replace_whole_series(self, offering: Callable[..., Recorder]) -> None:
        """Each symbol of the table has exactly its rows; no other series changes."""
        tables = offering("write_bar_table")
        for name in ("AAPL", "MSFT", "aapl"):
            dates = [NOON + 40 * n * DAY for n in range(4)]
            tables.write_bars(name, [bar(at, symbol=name) for at in dates])
            tables.write_bars(name, [bar(symbol=name)], timeframe="1m")
        new = [bar(NOON + DAY, 1.0), bar(NOON, 2.0), bar(NOON, 3.0), bar(symbol="NEW")]
        new.append(bar(NOON + 41 * DAY, symbol="MSFT"))
        tables.write_bar_table(bar_table(new), replace=True)
        assert tables.read_bars("AAPL", *EVER) == [new[2], new[0]]
        assert tables.read_bars("MSFT", *EVER) == [new[4]]
        assert tables.read_bars("NEW", *EVER) == [new[3]]
        assert len(tables.read_bars("aapl", *EVER)) == 4
        for name in ("AAPL", "MSFT"):
            assert len(tables.read_bars(name, *EVER, timeframe="1m")) == 1
        tables.write_bars("AAPL", [bar(NOON + 2 * DAY)])
        assert len(tables.read_bars("AAPL", *EVER)) == 3

    def test_b2_a_wrong_row_replaces_no_series(self, offering: Callable[..., Recorder]) -> None:
        """Nor does a table without rows, or an answer that is neither yes nor no."""
        tables = offering("write_bar_table")
        tables.write_bars("AAPL", [bar(), bar(NOON + DAY)])
        with refused(InvalidData, "table[1]"):
            tables.write_bar_table(bar_table([bar(), bar(volume=-1.0)]), replace=True)
        tables.write_bar_table(bar_table([]), replace=True)
        for wrong in (1, "no", None):
            with refused(InvalidData, "replace", value=wrong):
                tables.write_bar_table(bar_table([bar()]), replace=wrong)
        assert len(tables.read_bars("AAPL", *EVER)) == 2


def _time(each: Any) -> Any:
    return each.timestamp


def _write_each(store: Any, name: str) -> None:
    bars, filings, events = _expected(name)[0], _expected(name)[2], _expected(name)[3]
    store.write_bars(name, bars)
    store.write_bars(name, bars[:1], timeframe="1m")
    for filing in filings:
        store.write_fundamental(name, filing)
    for each in reversed(events):
        store.write_event(each)


def _expected(name: str) -> list[list[Any]]:
    """Return the bars of two timeframes, fundamentals and events that are written of a symbol."""
    moments = [NOON, NOON + 40 * DAY]
    bars = [bar(at, symbol=name) for at in moments]
    filings = [fundamental(at, symbol=name) for at in moments]
    return [bars, bars[:1], filings, [event(at, symbol=name) for at in moments]]


def _data(store: Any, name: str) -> list[list[Any]]:
    """Return the bars of two timeframes, fundamentals and events of a symbol."""
    moments = [NOON, NOON + 40 * DAY]
    filings = [store.read_fundamental(name, as_of=at) for at in moments]
    return [
        store.read_bars(name, *EVER),
        store.read_bars(name, *EVER, timeframe="1m"),
        [each for each in filings if each is not None],
        [each for each in store.read_events(*EVER) if each.symbol == name],
    ]
