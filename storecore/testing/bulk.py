"""The capability `Bulk`: batches of events and fundamentals, checked whole, and bars deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st

from storecore.errors import InvalidData, InvalidName, NotSerializable
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
    event,
    for_all,
    fundamental,
    refused,
)

steps = st.integers(-3, 3).map(lambda half_days: NOON + half_days * timedelta(hours=12))
days = st.integers(-1, 11)
NO_EVENTS: tuple[tuple[dict[str, Any], type[Exception], str], ...] = (
    ({"type": None}, InvalidData, "type"),
    ({"symbol": ""}, InvalidName, "symbol"),
    ({"payload": {"x": (1,)}}, NotSerializable, "$.x"),
    ({"ingested_at": "now"}, InvalidData, "ingested_at"),
)
NO_FUNDAMENTALS: tuple[tuple[dict[str, Any], type[Exception], str], ...] = (
    ({"employees": "many"}, InvalidData, "employees"),
    ({"symbol": ""}, InvalidName, "symbol"),
    ({"symbol": None}, InvalidData, "symbol"),
    ({"timestamp": "now"}, InvalidData, "timestamp"),
)


class BulkLaws(Fixtures):
    """Many records in one call."""

    @pytest.fixture
    def bulk(self, having: Callable[[str], Recorder]) -> Recorder:
        """The subject, if it takes batches and deletes bars."""
        return having("Bulk")

    @for_all(batches=st.lists(st.lists(steps, max_size=6), max_size=4))
    def test_e1_events_of_batches_come_back_by_timestamp_then_by_order_of_writing(
        self, bulk: Recorder, fresh_name: Callable[[], str], batches: list[list[datetime]]
    ) -> None:
        """None is lost, none is doubled, none is out of order."""
        name, written = fresh_name(), list[Any]()
        for moments in batches:
            batch = [event(at, type=name, payload={"n": n}) for n, at in enumerate(moments)]
            bulk.write_events(batch)
            written += batch
        assert bulk.read_events(*EVER, [name]) == sorted(written, key=lambda each: each.timestamp)

    def test_e1_identical_events_of_a_batch_are_kept_each_among_single_ones(
        self, bulk: Recorder
    ) -> None:
        """Two equal trades are two trades, in one batch too."""
        bulk.write_event(event())
        bulk.write_events(event() for _ in range(3))
        bulk.write_event(event())
        assert bulk.read_events(*EVER) == [event()] * 5

    def test_e1_events_of_a_batch_and_one_microsecond_keep_their_order(
        self, bulk: Recorder
    ) -> None:
        """Also where the payload would sort otherwise."""
        bulk.write_events([event(payload={"n": number}) for number in (3, 1, 2)])
        assert [each.payload["n"] for each in bulk.read_events(*EVER)] == [3, 1, 2]

    def test_b2_one_wrong_event_refuses_the_batch(self, bulk: Recorder) -> None:
        """The error names row and field; none of the batch is kept."""
        for wrong, kind, field in NO_EVENTS:
            with refused(kind, "events[1]", field, value=wrong):
                bulk.write_events([event(), event(**wrong)])
        assert bulk.read_events(*EVER) == []

    def test_b2_one_wrong_fundamental_refuses_the_batch(self, bulk: Recorder) -> None:
        """The error names row and field; none of the batch is kept."""
        for wrong, kind, field in NO_FUNDAMENTALS:
            with refused(kind, "fundamentals[1]", field, value=wrong):
                bulk.write_fundamentals([fundamental(), fundamental(**wrong)])
        assert bulk.read_fundamental("AAPL") is None

    def test_b2_what_is_no_batch_of_events_or_fundamentals_is_refused(self, bulk: Recorder) -> None:
        """Also one record alone, and a text, whose letters are no records."""
        no_batches: tuple[Any, ...] = (None, 7, [None], "ab", event(), fundamental())
        for value in no_batches:
            with refused(InvalidData, "events", value=value):
                bulk.write_events(value)
            with refused(InvalidData, "fundamentals", value=value):
                bulk.write_fundamentals(value)
        assert (bulk.read_events(*EVER), bulk.read_fundamental("AAPL")) == ([], None)

    def test_b3_an_empty_batch_of_events_or_fundamentals_does_nothing(self, bulk: Recorder) -> None:
        """It is no error."""
        bulk.write_event(event())
        bulk.write_events([])
        bulk.write_events(iter(()))
        bulk.write_fundamentals([])
        bulk.write_fundamentals(iter(()))
        assert bulk.read_events(*EVER) == [event()]

    def test_n1_each_fundamental_of_a_batch_is_filed_under_its_own_symbol(
        self, bulk: Recorder
    ) -> None:
        """Whatever it is."""
        batch = [fundamental(symbol=name, employees=n) for n, name in enumerate(HOSTILE)]
        bulk.write_fundamentals(batch)
        assert [bulk.read_fundamental(name) for name in HOSTILE] == batch

    def test_f2_the_last_of_one_symbol_and_moment_in_a_batch_wins(self, bulk: Recorder) -> None:
        """And replaces one that was written alone."""
        bulk.write_fundamental("AAPL", fundamental(employees=0))
        bulk.write_fundamentals(fundamental(employees=number) for number in (1, 3, 2))
        assert bulk.read_fundamental("AAPL").employees == 2
        assert bulk.read_fundamental("AAPL", as_of=NOON - TICK) is None

    @for_all(first=days, last=days)
    def test_bulk_deletes_the_bars_of_a_range_both_ends_included_and_counts_them(
        self, bulk: Recorder, fresh_name: Callable[[], str], first: int, last: int
    ) -> None:
        """Once; of that symbol and timeframe, and no others."""
        first, last = sorted((first, last))
        symbol, other = fresh_name(), fresh_name()
        moments = [NOON + timedelta(day) for day in range(10)]
        bulk.write_bars(symbol, [bar(at, symbol=symbol) for at in moments])
        bulk.write_bars(symbol, [bar(at, symbol=symbol) for at in moments], timeframe="1m")
        bulk.write_bars(other, [bar(at, symbol=other) for at in moments])
        bounds = NOON + timedelta(first), NOON + timedelta(last)
        gone = [at for at in moments if bounds[0] <= at <= bounds[1]]
        assert [bulk.delete_bars(symbol, *bounds) for _ in range(2)] == [len(gone), 0]
        left = [each.date for each in bulk.read_bars(symbol, *EVER)]
        assert left == [at for at in moments if at not in gone]
        kept = bulk.read_bars(other, *EVER), bulk.read_bars(symbol, *EVER, timeframe="1m")
        assert [len(each) for each in kept] == [10, 10]

    def test_bulk_deletes_nothing_where_nothing_is(self, bulk: Recorder) -> None:
        """A symbol that was never written is no error."""
        assert bulk.delete_bars("AAPL", *EVER) == 0
        assert bulk.read_bars("AAPL", *EVER) == []

    def test_bulk_writes_again_what_it_deleted(self, bulk: Recorder) -> None:
        """A deleted bar does not hide one that is written later."""
        bulk.write_bars("AAPL", [bar(NOON, 1.0)])
        bulk.delete_bars("AAPL", *EVER)
        bulk.write_bars("AAPL", [bar(NOON, 2.0)])
        assert bulk.read_bars("AAPL", *EVER) == [bar(NOON, 2.0)]

    def test_t3_a_date_stands_for_its_whole_day_where_bars_are_deleted(
        self, bulk: Recorder
    ) -> None:
        """From its midnight to its last microsecond."""
        midnight = datetime(2026, 1, 5)
        edges = (midnight - TICK, midnight, midnight + timedelta(1) - TICK, midnight + timedelta(1))
        bulk.write_bars("AAPL", [bar(at) for at in edges])
        assert bulk.delete_bars("AAPL", date(2026, 1, 5), date(2026, 1, 5)) == 2
        assert [each.date for each in bulk.read_bars("AAPL", *EVER)] == [edges[0], edges[3]]

    def test_b2_what_is_no_range_or_name_deletes_nothing(self, bulk: Recorder) -> None:
        """Refused as by a read of the same range."""
        bulk.write_bars("AAPL", [bar()])
        for name in NO_NAMES:
            with refused(InvalidName, value=name):
                bulk.delete_bars(name, *EVER)
            with refused(InvalidName, value=name):
                bulk.delete_bars("AAPL", *EVER, timeframe=name)
        for bounds in ((None, NOON), (NOON, "now"), (NOON, NOON_UTC)):
            with refused(ValueError, value=bounds):
                bulk.delete_bars("AAPL", *bounds)
        assert bulk.read_bars("AAPL", *EVER) == [bar()]

    def test_catalog_forgets_a_series_whose_bars_are_all_deleted(
        self, bulk: Recorder, having: Callable[[str], Recorder]
    ) -> None:
        """Until it is written again."""
        catalog = having("Catalog")
        for name in ("A", "B"):
            bulk.write_bars(name, [bar(symbol=name)])
        assert bulk.delete_bars("A", *EVER) == 1
        assert (catalog.symbols(), catalog.timeframes("A")) == (["B"], [])
        assert catalog.bar_coverage("A").count == 0
        bulk.write_bars("A", [bar(symbol="A")])
        assert catalog.symbols() == ["A", "B"]
