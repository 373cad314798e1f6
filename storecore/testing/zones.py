"""Laws T1 to T3 far from UTC: bounds in every zone, on every method, in every age."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest

from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    NOON,
    TICK,
    bar,
    bar_table,
    decision,
    event,
    fundamental,
    sent,
)

DAY = timedelta(days=1)
ZONES: tuple[tzinfo, ...] = (
    timezone(timedelta(hours=9)),
    timezone(timedelta(hours=-5)),
    timezone(timedelta(hours=5, minutes=45)),
    *(ZoneInfo(name) for name in sorted({"America/New_York"} & available_timezones())),
)
AGES = (
    datetime(1900, 1, 1, 0, 0, 0, 1),
    datetime(1969, 12, 31, 23, 59, 59, 999_999),
    datetime(1970, 1, 1),
    datetime(2038, 1, 19, 3, 14, 8, 7),
    datetime(2106, 2, 7, 6, 28, 16),
    datetime(2262, 4, 11, 23, 47, 16, 854_776),
    datetime(2500, 1, 1, 12, 30, 0, 500_000),
)


class ZoneLaws(Fixtures):
    """One instant, however it is written, and wherever the machine stands."""

    @pytest.fixture
    def far_away(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A machine on the other side of the world."""
        monkeypatch.setenv("TZ", "XYZ-13")
        time.tzset()
        yield
        monkeypatch.undo()
        time.tzset()

    def test_t1_bounds_in_any_zone_ask_for_the_instants_that_they_are(
        self, subject: Recorder, declared: frozenset[str], far_away: None
    ) -> None:
        """Of bars, events, tables and streams; as bounds, not as what a clock there shows."""
        moments = [NOON + step * timedelta(hours=1) for step in range(-30, 31)]
        subject.write_bars("AAPL", [bar(at, float(at.hour)) for at in moments])
        for at in moments[::6]:
            subject.write_event(event(at))
        first, last = NOON - 2 * TICK, NOON + timedelta(hours=12)
        reads = _ranged(subject, declared)
        right = {name: read(_utc(first), _utc(last)) for name, read in reads.items()}
        assert len(right["read_bars"]) == 13
        for zone in ZONES:
            for name, read in reads.items():
                found = read(_utc(first).astimezone(zone), _utc(last).astimezone(zone))
                assert found == right[name], f"{name} with bounds in {zone}"

    def test_t1_naive_bounds_are_utc_on_any_machine(
        self, subject: Recorder, declared: frozenset[str], far_away: None
    ) -> None:
        """Of bars, events, tables and streams."""
        for at in (NOON - DAY / 2, NOON, NOON + DAY / 2):
            subject.write_bars("AAPL", [bar(at)])
            subject.write_event(event(at))
        for name, read in _ranged(subject, declared).items():
            assert len(read(NOON, NOON)) == 1, f"{name} with naive bounds"

    def test_f1_as_of_in_any_zone_is_the_instant_that_it_is(
        self, subject: Recorder, far_away: None
    ) -> None:
        """To the microsecond."""
        subject.write_fundamental("AAPL", fundamental(NOON, employees=1))
        subject.write_fundamental("AAPL", fundamental(NOON + TICK, employees=2))
        for zone in (UTC, *ZONES):
            for employees, at in ((1, NOON), (2, NOON + TICK), (2, NOON + DAY)):
                read = subject.read_fundamental("AAPL", as_of=_utc(at).astimezone(zone))
                assert read.employees == employees, f"as of {at} in {zone}"
            early = _utc(NOON - TICK).astimezone(zone)
            assert subject.read_fundamental("AAPL", as_of=early) is None, f"before it in {zone}"
        assert subject.read_fundamental("AAPL", as_of=NOON).employees == 1

    def test_t1_bars_are_deleted_by_instants_in_any_zone(
        self, having: Callable[[str], Recorder], far_away: None
    ) -> None:
        """Both ends to the microsecond, naive bounds too."""
        bulk = having("Bulk")
        moments = [NOON - TICK, NOON, NOON + DAY, NOON + DAY + TICK]
        for zone in (None, UTC, *ZONES):
            bulk.write_bars("AAPL", [bar(at) for at in moments])
            bounds = (NOON, NOON + DAY)
            if zone is not None:
                bounds = (_utc(NOON).astimezone(zone), _utc(NOON + DAY).astimezone(zone))
            assert bulk.delete_bars("AAPL", *bounds) == 2, f"bounds in {zone}"
            left = [each.date for each in bulk.read_bars("AAPL", *EVER)]
            assert left == [moments[0], moments[3]], f"bounds in {zone}"

    def test_t1_records_are_read_by_instants_in_any_zone(
        self, having: Callable[[str], Recorder], far_away: None
    ) -> None:
        """Though the log is filed by the machine's own date."""
        trail = having("AuditTrail")
        trail.log_decision("value", decision())
        trail.log_order("value", *sent())
        for read in (trail.read_decisions, trail.read_orders):
            (record,) = read(*EVER)
            at = record.timestamp
            assert [each.seq for each in read(at, at)] == [1]
            assert (read(at - DAY, at - TICK), read(at + TICK, at + DAY)) == ([], [])
            for zone in (UTC, *ZONES):
                there, tick = _utc(at).astimezone(zone), TICK
                assert [each.seq for each in read(there, there)] == [1], f"bounds in {zone}"
                assert read(there - DAY, there - tick) == read(there + tick, there + DAY) == []

    def test_t1_instants_of_every_age_are_kept_found_and_counted(
        self, subject: Recorder, declared: frozenset[str]
    ) -> None:
        """Before 1970 and after 2038, 2106 and 2262, in bars, filings, events and coverages."""
        subject.write_bars("AAPL", [bar(at) for at in AGES])
        for at in AGES:
            subject.write_fundamental("AAPL", fundamental(at, employees=at.year))
            subject.write_event(event(at, ingested_at=at + TICK))
        for at in AGES:
            assert [each.date for each in subject.read_bars("AAPL", at, at)] == [at]
            assert [each.ingested_at for each in subject.read_events(at, at)] == [at + TICK]
            assert subject.read_fundamental("AAPL", as_of=at).timestamp == at
        assert subject.read_fundamental("AAPL", as_of=AGES[0] - TICK) is None
        for name, read in _ranged(subject, declared).items():
            assert len(read(AGES[1], AGES[-2])) == len(AGES) - 2, name
        if "Catalog" in declared:
            coverage = subject.bar_coverage("AAPL")
            assert (coverage.first, coverage.last) == (_utc(AGES[0]), _utc(AGES[-1]))

    def test_t1_bars_of_every_age_are_deleted_to_the_microsecond(
        self, having: Callable[[str], Recorder], declared: frozenset[str]
    ) -> None:
        """And what is left is covered from its first to its last microsecond."""
        bulk = having("Bulk")
        apart = [*AGES[:2], *AGES[3:]]  # the third is the next microsecond
        for at in apart:
            bulk.write_bars("AAPL", [bar(at - TICK), bar(at), bar(at + TICK)])
            assert bulk.delete_bars("AAPL", at, at) == 1
        left = [moment for at in apart for moment in (at - TICK, at + TICK)]
        assert [each.date for each in bulk.read_bars("AAPL", *EVER)] == sorted(left)
        if "Catalog" in declared:
            coverage = bulk.bar_coverage("AAPL")
            assert (coverage.first, coverage.last) == (_utc(min(left)), _utc(max(left)))

    def test_t1_the_dates_of_a_table_are_instants_whatever_their_zone_and_unit(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """Arrow keeps an instant and the name of a zone to show it in."""
        import pyarrow as pa

        tables = having("BarTables")
        at = NOON.replace(microsecond=0)
        kinds = [("us", "Asia/Tokyo"), ("us", "UTC"), ("us", "+05:30"), ("ms", None)]
        kinds += [("s", "America/New_York"), ("s", None), ("us", "America/New_York")]
        for number, (unit, zone) in enumerate(kinds):
            table = bar_table([bar(at + number * DAY)])
            column = table["date"].cast(pa.timestamp(unit))
            if zone is not None:
                column = column.cast("int64").cast(pa.timestamp(unit, zone))
            place = table.schema.get_field_index("date")
            tables.write_bar_table(table.set_column(place, "date", column))
            read = tables.read_bar_table("AAPL", *EVER)["date"].to_pylist()
            assert read == [at + step * DAY for step in range(number + 1)], f"{unit} in {zone}"

    def test_t1_the_hour_that_comes_twice_is_two_hours(self, subject: Recorder) -> None:
        """Where a summer ends, in bars, events and filings, and as bounds."""
        if "America/New_York" not in available_timezones():
            pytest.skip("this machine knows no time zones")
        zone = ZoneInfo("America/New_York")
        first, second = (datetime(2026, 11, 1, 1, 30, fold=f, tzinfo=zone) for f in (0, 1))
        instants = [datetime(2026, 11, 1, 5, 30), datetime(2026, 11, 1, 6, 30)]
        subject.write_bars("AAPL", [bar(first, 1.0), bar(second, 2.0)])
        for number, at in enumerate((first, second)):
            subject.write_event(event(at, ingested_at=at))
            subject.write_fundamental("AAPL", fundamental(at, employees=number))
        assert [each.date for each in subject.read_bars("AAPL", *EVER)] == instants
        seen = [(each.timestamp, each.ingested_at) for each in subject.read_events(*EVER)]
        assert seen == [(at, at) for at in instants]
        for number, at in enumerate((first, second)):
            assert [each.close for each in subject.read_bars("AAPL", at, at)] == [number + 1.0]
            assert len(subject.read_events(at, at)) == 1
            assert subject.read_fundamental("AAPL", as_of=at).employees == number


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC)


def _ranged(store: Any, declared: frozenset[str]) -> dict[str, Callable[[Any, Any], list[Any]]]:
    """Return each read of bars and events by a range."""
    reads: dict[str, Callable[[Any, Any], list[Any]]] = {
        "read_bars": lambda start, end: store.read_bars("AAPL", start, end),
        "read_events": lambda start, end: store.read_events(start, end),
    }
    if "BarTables" in declared:
        reads["read_bar_table"] = lambda start, end: store.read_bar_table(
            "AAPL", start, end
        ).to_pylist()
    if "BarStream" in declared:
        reads["iter_bar_tables"] = lambda start, end: [
            row for table in store.iter_bar_tables("AAPL", start, end) for row in table.to_pylist()
        ]
    return reads
