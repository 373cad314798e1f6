"""Laws T1 to T3 of every method that takes a time, on machines far from UTC; and of now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from storecore.errors import InvalidData, InvalidName
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    NO_NAMES,
    NOON,
    NOON_UTC,
    TICK,
    bar,
    bar_table,
    decision,
    event,
    fundamental,
    refused,
    sent,
)

DAY = timedelta(days=1)
FAR = ("XYZ-14", "XYZ+12")  # whatever the hour, the date of one of them is not that of UTC
NO_BOUNDS: tuple[tuple[Any, Any], ...] = (
    *((NOON, NOON_UTC), (NOON_UTC, NOON), ("soon", NOON), (NOON, "")),
    *((NOON, "2026-01-05T12:00Z"), (NOON, 0)),
)


class BoundLaws(Fixtures):
    """A bound means the same to each method."""

    @pytest.fixture
    def each_far_machine(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Iterator[str]]:
        """Go through machines on both sides of the world."""

        def machines() -> Iterator[str]:
            for zone in FAR:
                monkeypatch.setenv("TZ", zone)
                time.tzset()
                yield zone

        yield machines()
        monkeypatch.undo()
        time.tzset()

    def test_t3_a_date_as_a_bound_is_a_day_of_utc_on_any_machine(
        self, subject: Recorder, declared: frozenset[str], each_far_machine: Iterator[str]
    ) -> None:
        """For every method that reads bars or events by a range."""
        day = date(2026, 1, 5)
        first, last = datetime(2026, 1, 5), datetime(2026, 1, 6) - TICK
        moments = [first - TICK, first, last, last + TICK]
        subject.write_bars("AAPL", [bar(at) for at in moments])
        for at in moments:
            subject.write_event(event(at))
        for zone in each_far_machine:
            for name, read in _ranges(subject, declared).items():
                assert read(day, day) == [first, last], f"{name} on a machine of {zone}"

    def test_t3_a_date_deletes_a_day_of_utc_on_any_machine(
        self, having: Callable[[str], Recorder], each_far_machine: Iterator[str]
    ) -> None:
        """From its midnight to its last microsecond."""
        bulk, day = having("Bulk"), date(2026, 1, 5)
        first, last = datetime(2026, 1, 5), datetime(2026, 1, 6) - TICK
        for zone in each_far_machine:
            bulk.write_bars("AAPL", [bar(at) for at in (first - TICK, first, last, last + TICK)])
            assert bulk.delete_bars("AAPL", day, day) == 2, f"on a machine of {zone}"
            left = [each.date for each in bulk.read_bars("AAPL", *EVER)]
            assert left == [first - TICK, last + TICK], f"on a machine of {zone}"

    def test_t3_a_date_as_a_bound_of_records_is_its_whole_day(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """The day of the record in UTC, and neither the one before nor the one after it."""
        trail = having("AuditTrail")
        trail.log_decision("value", decision())
        trail.log_order("value", *sent())
        for read in (trail.read_decisions, trail.read_orders):
            (record,) = read(*EVER)
            day = record.timestamp.date()
            assert len(read(day, day)) == 1
            assert read(day - DAY, day - DAY) == read(day + DAY, day + DAY) == []
            with refused(InvalidData, value=(day, day - DAY)):
                read(day, day - DAY)

    def test_t2_bounds_that_are_no_range_are_refused_by_every_method(
        self, subject: Recorder, declared: frozenset[str]
    ) -> None:
        """One naive and one aware, a text that is no time, a number."""
        reads = _ranges(subject, declared)
        if "AuditTrail" in declared:
            reads["read_decisions"], reads["read_orders"] = (
                subject.read_decisions,
                subject.read_orders,
            )
        for name, read in reads.items():
            for bounds in NO_BOUNDS:
                with refused(InvalidData, value=(name, *bounds)):
                    read(*bounds)

    def test_t3_a_range_that_ends_before_it_starts_is_empty_for_every_method(
        self, subject: Recorder, declared: frozenset[str]
    ) -> None:
        """Nothing can be in it, so each refuses it."""
        subject.write_bars("AAPL", [bar()])
        subject.write_event(event())
        for name, read in _ranges(subject, declared).items():
            with refused(InvalidData, "start", "end", value=name):
                read(NOON + TICK, NOON - TICK)

    def test_t1_naive_times_of_batches_are_utc_on_any_machine(
        self, subject: Recorder, declared: frozenset[str], each_far_machine: Iterator[str]
    ) -> None:
        """In tables, and in batches of events and fundamentals."""
        for number, zone in enumerate(each_far_machine):
            at = NOON + number * DAY
            if "BarTables" in declared:
                subject.write_bar_table(bar_table([bar(at)]))
                assert len(subject.read_bars("AAPL", _utc(at), _utc(at))) == 1, zone
            if "Bulk" in declared:
                subject.write_events([event(at, ingested_at=at + DAY)])
                (read,) = subject.read_events(_utc(at), _utc(at))
                assert read.ingested_at == _utc(at + DAY), zone
                subject.write_fundamentals([fundamental(at, symbol=zone)])
                assert subject.read_fundamental(zone, as_of=_utc(at - TICK)) is None, zone
                assert subject.read_fundamental(zone, as_of=_utc(at)).timestamp == at, zone

    def test_t1_what_is_listed_is_in_utc_on_any_machine(
        self, subject: Recorder, declared: frozenset[str], each_far_machine: Iterator[str]
    ) -> None:
        """Coverages, and what is given to a copy."""
        subject.write_bars("AAPL", [bar(NOON), bar(NOON + DAY)])
        subject.write_event(event(NOON, ingested_at=NOON + TICK))
        for zone in each_far_machine:
            if "Catalog" in declared:
                coverage = subject.bar_coverage("AAPL")
                assert (coverage.first, coverage.last) == (NOON_UTC, NOON_UTC + DAY), zone
            if "Transfer" in declared:
                (given,) = subject.iter_events()
                assert (given.timestamp, given.ingested_at) == (NOON_UTC, NOON_UTC + TICK), zone

    def test_a1_a_record_is_of_the_moment_of_its_call_on_any_machine(
        self, having: Callable[[str], Recorder], each_far_machine: Iterator[str]
    ) -> None:
        """In UTC, whatever the machine's clocks show."""
        trail = having("AuditTrail")
        for zone in each_far_machine:
            before = datetime.now(UTC)
            trail.log_decision("value", decision())
            trail.log_order("value", *sent())
            after = datetime.now(UTC)
            for read in (trail.read_decisions, trail.read_orders):
                assert read(before, after), f"no record of now on a machine of {zone}"

    def test_a1_the_day_of_a_record_is_the_machines_own(
        self, having: Callable[[str], Recorder], each_far_machine: Iterator[str]
    ) -> None:
        """Which its copy keeps."""
        transfer, trail = having("Transfer"), having("AuditTrail")
        for zone in each_far_machine:
            transfer.log_decision("value", decision())
            transfer.log_order("value", *sent())
            for log, read in (("decisions", trail.read_decisions), ("orders", trail.read_orders)):
                at = read(*EVER)[-1].timestamp.replace(tzinfo=UTC)
                day = list(transfer.iter_audit(log))[-1].day
                assert day == date.fromtimestamp(at.timestamp()), f"{log} on a machine of {zone}"

    def test_f1_the_latest_of_all_may_be_of_the_future(self, subject: Recorder) -> None:
        """No `as_of` is no limit, not now."""
        filed = [NOON, datetime(9998, 7, 1), datetime.max]
        for at in filed:
            subject.write_fundamental("AAPL", fundamental(at))
            assert subject.read_fundamental("AAPL").timestamp == at
        subject.write_fundamental("OLD", fundamental(datetime.min, symbol="OLD"))
        assert subject.read_fundamental("OLD", as_of=datetime.min).timestamp == datetime.min

    def test_n2_what_is_no_name_is_no_filter(
        self, subject: Recorder, declared: frozenset[str]
    ) -> None:
        """None alone is all; the others are refused by every method that takes a name to choose."""
        asked: dict[str, Callable[[Any], Any]] = {}
        if "AuditTrail" in declared:
            asked["read_decisions"] = lambda name: subject.read_decisions(*EVER, name)
            asked["read_orders"] = lambda name: subject.read_orders(*EVER, name)
        if "Catalog" in declared:
            asked["symbols"] = subject.symbols
            asked["bar_coverage"] = lambda name: subject.bar_coverage("AAPL", timeframe=name or "")
        if "DiskUsage" in declared:
            asked["bar_footprint"] = lambda name: subject.bar_footprint(name or "")
        for method, read in asked.items():
            for name in NO_NAMES:
                if name is not None or method not in ("read_decisions", "read_orders", "symbols"):
                    with refused(InvalidName, value=(method, name)):
                        read(name)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC)


def _ranges(store: Any, declared: frozenset[str]) -> dict[str, Callable[[Any, Any], list[Any]]]:
    """Return what gives the moments of bars and events in a range, by each method."""
    found: dict[str, Callable[[Any, Any], list[Any]]] = {
        "read_bars": lambda *range_: [each.date for each in store.read_bars("AAPL", *range_)],
        "read_events": lambda *range_: [each.timestamp for each in store.read_events(*range_)],
    }
    if "BarTables" in declared:
        found["read_bar_table"] = lambda *range_: store.read_bar_table("AAPL", *range_)[
            "date"
        ].to_pylist()
    if "BarStream" in declared:
        found["iter_bar_tables"] = lambda *range_: [
            at
            for table in store.iter_bar_tables("AAPL", *range_)
            for at in table["date"].to_pylist()
        ]
    return found
