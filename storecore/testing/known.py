"""Law K2: a view of a store shows no bar, filing, event, state or record before it was known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st

from storecore.errors import LookAhead, StorageError, StoreClosed
from storecore.knowledge.view import View, at
from storecore.reports import Coverage, SeriesCoverage
from storecore.store.tables import read_bar_table
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    NOON,
    NOON_UTC,
    TICK,
    bar,
    decision,
    event,
    for_all,
    fundamental,
    refused,
    sent,
)

DAY = timedelta(days=1)
ENDS = (
    ("1m", NOON, NOON + timedelta(minutes=1)),
    ("1h", NOON, NOON + timedelta(hours=1)),
    ("1d", NOON, NOON + DAY),
    ("1w", NOON, NOON + 7 * DAY),
    ("1mo", datetime(2026, 1, 31), datetime(2026, 3, 1)),
    ("1y", datetime(1969, 3, 1), datetime(1970, 3, 1)),
)
"""Timeframes, the date of a bar, and when it ends."""
_moments = st.integers(-20, 20).map(lambda hours: NOON + hours * timedelta(hours=6))


class KnownLaws(Fixtures):
    """A backtest stands in January, and sees what anybody could see in January."""

    @pytest.fixture
    def view_at(self, store: Any) -> Callable[..., View]:
        """Return the view of the store as of a time."""
        return lambda moment, **options: at(store, moment, **options)

    def test_k2_a_bar_is_shown_from_its_end_on(
        self, subject: Recorder, view_at: Callable[..., View]
    ) -> None:
        """Of each length, by the naive and the aware time of the view."""
        for timeframe, date, end in ENDS:
            subject.write_bars("AAPL", [bar(date)], timeframe=timeframe)
            for moment, shown in ((end - TICK, []), (end, [bar(date)])):
                for given in (moment, moment.replace(tzinfo=NOON_UTC.tzinfo)):
                    found = view_at(given).read_bars("AAPL", timeframe=timeframe)
                    # A store with history may show how the bar was when it was written.
                    assert found == shown, f"{timeframe} of {date} at {given}"

    def test_k2_the_newest_bars_are_those_that_had_ended(
        self, subject: Recorder, view_at: Callable[..., View]
    ) -> None:
        """`last=n` counts no bar that is cut off; a range in the future is empty."""
        subject.write_bars("AAPL", [bar(NOON + n * DAY, float(n)) for n in range(9)])
        view = view_at(NOON + 4 * DAY)
        assert [each.close for each in view.read_bars("AAPL", last=2)] == [2.0, 3.0]
        assert [each.close for each in view.read_bars("AAPL", NOON + DAY)] == [1.0, 2.0, 3.0]
        assert view.read_bars("AAPL", NOON_UTC + 4 * DAY, NOON_UTC + 9 * DAY, last=1) == []

    def test_k2_a_filing_is_shown_from_its_timestamp_on(
        self, subject: Recorder, view_at: Callable[..., View]
    ) -> None:
        """Whatever `as_of` a later time is asked for."""
        for n in range(3):
            subject.write_fundamental("AAPL", fundamental(NOON + n * DAY, employees=n))
        for n in range(3):
            for as_of in (None, NOON + n * DAY, NOON_UTC + 99 * DAY):
                found = view_at(NOON + n * DAY).read_fundamental("AAPL", as_of)
                assert found is not None
                assert found.employees == n
        assert view_at(NOON - TICK).read_fundamental("AAPL") is None

    def test_k2_an_event_is_shown_from_its_ingestion_on(
        self, subject: Recorder, view_at: Callable[..., View]
    ) -> None:
        """A late one later than it happened, an announced one earlier."""
        late = event(NOON, ingested_at=NOON + DAY)
        announced = event(NOON + 9 * DAY, symbol=None, ingested_at=NOON)
        for each in (late, announced):
            subject.write_event(each)
        assert view_at(NOON - TICK).read_events() == []
        assert view_at(NOON).read_events() == [announced]
        assert view_at(NOON + DAY - TICK).read_events(symbols=["AAPL"]) == []
        assert view_at(NOON + DAY).read_events() == [late, announced]
        assert view_at(NOON + DAY).read_events(ingested_by=NOON) == [announced]

    def test_k2_tables_and_streams_show_what_lists_show(
        self, subject: Recorder, declared: frozenset[str], view_at: Callable[..., View]
    ) -> None:
        """Of many symbols, with `last` too."""
        for symbol in ("AAPL", "MSFT"):
            bars = [bar(NOON + n * DAY, float(n), symbol=symbol) for n in range(5)]
            subject.write_bars(symbol, bars)
        view = view_at(NOON + 3 * DAY)
        table = read_bar_table(view, ["AAPL", "MSFT"], NOON)
        assert table["close"].to_pylist() == [0.0, 1.0, 2.0] * 2
        assert read_bar_table(view, "AAPL", last=1)["close"].to_pylist() == [2.0]
        assert len(read_bar_table(view, "AAPL", NOON + 4 * DAY)) == 0
        if "BarStream" in declared:
            tables = view.iter_bar_tables(["MSFT", "AAPL"])
            closes = [each for table in tables for each in table["close"].to_pylist()]
            assert closes == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]

    def test_k2_the_catalog_lists_what_was_known(
        self,
        having: Callable[[str], Recorder],
        current: frozenset[str],
        view_at: Callable[..., View],
    ) -> None:
        """Neither a symbol nor the end of a series before its bars had ended."""
        subject = having("Catalog")
        subject.write_bars("AAPL", [bar(NOON + n * DAY) for n in range(5)])
        subject.write_bars("MSFT", [bar(NOON + 9 * DAY, symbol="MSFT")], timeframe="1h")
        subject.write_fundamental("AAPL", fundamental(NOON + DAY))
        subject.write_event(event(NOON, ingested_at=NOON + DAY))
        view, early = view_at(NOON + 3 * DAY), view_at(NOON + DAY - TICK)
        assert view.symbols() == view.nearest("AAPL") == ["AAPL"]
        assert view.symbols("1h") == view.timeframes("MSFT") == early.symbols() == []
        extent = (NOON_UTC, NOON_UTC + 2 * DAY, 3)
        assert view.bar_coverage("AAPL") == Coverage(*extent)
        assert view.inventory() == [SeriesCoverage("AAPL", "1d", *extent)]
        assert early.bar_coverage("AAPL").count == 0
        assert len(view.fundamentals("AAPL")) == 1
        assert view.event_symbols() == ["AAPL"]
        assert early.event_symbols() == []
        if "fundamental_symbols" in current:
            assert view.fundamental_symbols() == ["AAPL"]
            assert early.fundamental_symbols() == []

    @for_all(moment=_moments, dates=st.lists(_moments, unique=True, min_size=1, max_size=6))
    def test_k2_what_is_shown_is_what_was_known(
        self,
        subject: Recorder,
        view_at: Callable[..., View],
        fresh_name: Callable[[], str],
        moment: datetime,
        dates: list[datetime],
    ) -> None:
        """For all bars, filings and events, and all times of a view."""
        name = fresh_name()
        subject.write_bars(name, [bar(each, symbol=name) for each in dates])
        for each in dates:
            subject.write_fundamental(name, fundamental(each, symbol=name))
            subject.write_event(event(each, symbol=name, ingested_at=each + DAY))
        view = view_at(moment)
        ended = sorted(each for each in dates if each + DAY <= moment)
        assert [each.date for each in view.read_bars(name)] == ended
        assert [each.timestamp for each in view.read_events(symbols=[name])] == ended
        filing = view.read_fundamental(name)
        filed = [each for each in dates if each <= moment]
        assert (filing and filing.timestamp) == max(filed, default=None)

    def test_k2_a_bound_in_the_future_is_a_look_ahead_if_the_view_says_so(
        self, subject: Recorder, view_at: Callable[..., View]
    ) -> None:
        """The error names the call and the bound; an open end is none."""
        subject.write_bars("AAPL", [bar(NOON - DAY)])
        view = view_at(NOON, on_future="raise")
        assert len(view.read_bars("AAPL", NOON - DAY, NOON)) == len(view.read_bars("AAPL")) == 1
        with refused(LookAhead, "read_bars", "end="):
            view.read_bars("AAPL", NOON - DAY, NOON + TICK)
        with refused(LookAhead, "read_fundamental", "as_of="):
            view.read_fundamental("AAPL", NOON + TICK)
        with refused(LookAhead, "read_events", "ingested_by="):
            view.read_events(ingested_by=NOON + TICK)

    def test_k2_a_view_takes_no_write_and_closes_nothing(
        self, subject: Recorder, view_at: Callable[..., View]
    ) -> None:
        """Each of the ten methods that write is refused, and the store is as it was."""
        order, result = sent()
        view = view_at(NOON + 9 * DAY)
        writes: tuple[Callable[[], Any], ...] = (
            lambda: view.write_bars("AAPL", [bar()]),
            lambda: view.write_fundamental("AAPL", fundamental()),
            lambda: view.write_event(event()),
            lambda: view.save_strategy_state("value", {}),
            lambda: view.log_decision("value", decision()),
            lambda: view.log_order("value", order, result),
        )
        for write in writes:
            with refused(StorageError, "cannot be written"):
                write()
        view.close()
        with refused(StoreClosed):
            view.read_bars("AAPL")
        assert subject.read_bars("AAPL", NOON, NOON) == subject.read_events(NOON, NOON) == []
        assert subject.load_strategy_state("value") is None

    def test_k2_a_decision_is_shown_once_it_is_logged(
        self, having: Callable[[str], Recorder], view_at: Callable[..., View]
    ) -> None:
        """By the time of logging, orders too."""
        subject = having("AuditTrail")
        subject.log_decision("value", decision())
        subject.log_order("value", *sent())
        for read in ("read_decisions", "read_orders"):
            (logged,) = getattr(subject, read)(datetime.min, datetime.max)
            assert getattr(view_at(logged.timestamp - TICK), read)() == []
            assert getattr(view_at(logged.timestamp), read)() == [logged]

    def test_k2_a_run_is_apart_from_what_is_live_and_sees_itself(
        self,
        writer: Any,
        declared: frozenset[str],
        offering: Callable[..., Recorder],
    ) -> None:
        """Its states by their time, its decisions by their `as_of`."""
        if not {"VersionedState", "Catalog", "AuditTrail"} <= declared:
            pytest.skip("the backend has no versions of states, no catalog or no audit trail")
        offering("log_decision", "read_decisions", "strategies")
        writer.save_strategy_state("value", {"live": True})
        for n in range(3):
            view = at(writer, NOON_UTC + n * DAY, run="bt-7")
            view.save_strategy_state("value", {"day": n})
            view.log_decision("value", decision())
        for n in range(3):
            view = at(writer, NOON_UTC + n * DAY, run="bt-7")
            assert view.load_strategy_state("value") == {"day": n}
            assert len(view.read_decisions()) == n + 1
        assert at(writer, NOON_UTC, run="bt-8").load_strategy_state("value") is None
        assert writer.load_strategy_state("value") == {"live": True}
        assert writer.strategies() == ["value"]
        assert writer.read_decisions() == []

    def test_k2_a_forming_bar_is_shown_as_it_was_recorded_by_then(
        self, having: Callable[[str], Recorder], view_at: Callable[..., View]
    ) -> None:
        """Never as it ended; a bar that was not recorded yet is not shown."""
        subject = having("History")
        before = subject.recorded_now()
        date = before + timedelta(hours=1) - DAY
        moments = []
        for close in (1.0, 2.0):
            subject.write_bars("AAPL", [bar(date, close)])
            moments.append(subject.recorded_now())
        subject.delete_bars("AAPL", date, date)
        end = date + DAY
        for moment, shown in (*zip(moments, ([1.0], [2.0]), strict=True), (before, []), (end, [])):
            found = view_at(moment).read_bars("AAPL", date, end)
            assert [each.close for each in found] == shown, f"at {moment}"

    def test_k2_only_recorded_hides_a_later_correction(
        self, having: Callable[[str], Recorder], view_at: Callable[..., View]
    ) -> None:
        """Of bars and filings; a deleted event too."""
        subject = having("History")
        subject.write_bars("AAPL", [bar(NOON, 1.0)])
        subject.write_fundamental("AAPL", fundamental(NOON, employees=1))
        subject.write_event(event(NOON))
        then = subject.recorded_now()
        subject.write_bars("AAPL", [bar(NOON, 2.0)])
        subject.write_fundamental("AAPL", fundamental(NOON, employees=2))
        subject.delete_events(NOON, NOON)
        for options, number in (({}, 2), ({"recorded": then}, 1)):
            view = view_at(NOON + DAY, **options)
            assert [each.close for each in view.read_bars("AAPL")] == [number]
            filing = view.read_fundamental("AAPL")
            assert filing is not None
            assert filing.employees == number
            assert len(view.read_events()) == 2 - number

    def test_k2_a_state_is_shown_once_it_is_saved(
        self, having: Callable[[str], Recorder], view_at: Callable[..., View]
    ) -> None:
        """As it was saved last by then, with its version."""
        subject = having("History")
        moments = [subject.recorded_now()]
        for n in range(2):
            subject.save_strategy_state("value", {"n": n})
            moments.append(subject.recorded_now())
        assert view_at(moments[0]).load_strategy_state("value") is None
        for n, moment in enumerate(moments[1:]):
            assert view_at(moment).load_strategy_state("value") == {"n": n}
            assert view_at(moment).load_versioned_state("value").version == n + 1
