"""Laws T1 to T3: instants to the microsecond, answered in the kind that was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import strategies as st

from storecore.errors import InvalidData
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    NOON,
    NOON_UTC,
    TICK,
    bar,
    event,
    for_all,
    fundamental,
    refused,
)

EAST = timezone(timedelta(hours=9))
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
aware = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=offsets)


class Finer(datetime):
    """A time with a nanosecond, as pandas has them."""

    nanosecond = 1


NO_TIMES: tuple[Any, ...] = (
    Finer(2026, 1, 5),
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),  # of the year 10000 in UTC
    "2026-01-05",
    1_767_571_200,
    None,
)


class Unnamed(tzinfo):
    """A time zone of another library, which gives its offset alone."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        """Return two hours."""
        return timedelta(hours=2)

    def dst(self, moment: datetime | None) -> None:
        """Return nothing: it is not known."""

    def tzname(self, moment: datetime | None) -> None:
        """Return nothing: it has no name."""


class Named(Unnamed):
    """A time zone of another library, which calls its name `zone`, as pytz does."""

    zone = "America/New_York"

    def utcoffset(self, moment: datetime | None) -> timedelta:
        """Return the offset of that place."""
        offset = ZoneInfo(self.zone).utcoffset(moment and moment.replace(tzinfo=None))
        return offset or timedelta(0)


NAMED = Named()


class TimeLaws(Fixtures):
    """What a time stands for, and in which kind it comes back."""

    @pytest.fixture
    def far_from_utc(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A machine whose local time is not UTC."""
        monkeypatch.setenv("TZ", "XYZ+11")
        time.tzset()
        yield
        monkeypatch.undo()
        time.tzset()

    def test_t1_a_naive_time_is_utc_and_an_aware_one_is_converted(
        self, subject: Recorder, far_from_utc: None
    ) -> None:
        """The machine's own time zone plays no part."""
        subject.write_bars("AAPL", [bar(NOON), bar(NOON.replace(tzinfo=EAST))])
        subject.write_event(event(NOON.replace(tzinfo=EAST), ingested_at=NOON))
        read = subject.read_bars("AAPL", datetime.min.replace(tzinfo=UTC), NOON_UTC)
        assert [each.date for each in read] == [NOON_UTC - timedelta(hours=9), NOON_UTC]
        (read,) = subject.read_events(NOON - timedelta(hours=9), NOON)
        assert (read.timestamp, read.ingested_at) == (NOON - timedelta(hours=9), NOON)

    @for_all(moments=st.lists(aware, min_size=1, max_size=5))
    def test_t1_every_moment_comes_back_to_the_microsecond(
        self, subject: Recorder, fresh_name: Callable[[], str], moments: list[datetime]
    ) -> None:
        """No bar's date is rounded, whatever its zone and year."""
        symbol = fresh_name()
        subject.write_bars(symbol, [bar(moment, symbol=symbol) for moment in moments])
        expected = sorted({moment.astimezone(UTC).replace(tzinfo=None) for moment in moments})
        assert [each.date for each in subject.read_bars(symbol, *EVER)] == expected

    def test_t1_times_of_any_year_come_back(self, subject: Recorder) -> None:
        """The years 1 to 9999 are kept, in bars and in events."""
        moments = [datetime.min, datetime(999, 12, 31, 23), datetime(1969, 12, 31), datetime.max]
        subject.write_bars("AAPL", [bar(moment) for moment in moments])
        for moment in moments:
            subject.write_event(event(moment))
        assert [each.date for each in subject.read_bars("AAPL", *EVER)] == moments
        assert [each.timestamp for each in subject.read_events(*EVER)] == moments

    def test_t1_the_microseconds_of_an_event_come_back(self, subject: Recorder) -> None:
        """Neither time of an event is rounded."""
        subject.write_event(event(NOON + TICK, ingested_at=NOON + 7 * TICK))
        (read,) = subject.read_events(*EVER)
        assert (read.timestamp, read.ingested_at) == (NOON + TICK, NOON + 7 * TICK)

    def test_t1_what_is_no_microsecond_is_refused_and_named(self, subject: Recorder) -> None:
        """A finer time, or what is no time, is an error that names row and field."""
        for moment in NO_TIMES:
            with refused(InvalidData, "1", "date", value=moment):
                subject.write_bars("AAPL", [bar(), bar(moment)])
            with refused(InvalidData, "ingested_at", value=moment):
                subject.write_event(event(ingested_at=moment))
        assert subject.read_bars("AAPL", *EVER) == []
        assert subject.read_events(*EVER) == []

    def test_t2_bars_and_events_come_back_in_the_kind_asked_for(self, subject: Recorder) -> None:
        """Naive bounds give naive times, aware bounds aware UTC."""
        subject.write_bars("AAPL", [bar(NOON.replace(tzinfo=EAST))])
        subject.write_event(event(NOON.replace(tzinfo=EAST)))
        for start, end, zone in [(*EVER, None), (NOON.replace(tzinfo=EAST), NOON_UTC, UTC)]:
            (read,) = subject.read_bars("AAPL", start, end)
            (seen,) = subject.read_events(start, end)
            expected = (NOON - timedelta(hours=9)).replace(tzinfo=zone)
            times = (read.date, seen.timestamp, seen.ingested_at)
            assert times == (expected,) * 3
            assert [each.tzinfo for each in times] == [zone] * 3

    def test_t2_two_dates_ask_for_naive_and_one_takes_the_kind_of_the_other(
        self, subject: Recorder
    ) -> None:
        """A date has no kind of its own."""
        subject.write_bars("AAPL", [bar()])
        (naive,) = subject.read_bars("AAPL", date.min, date.max)
        (in_utc,) = subject.read_bars("AAPL", date(2026, 1, 1), NOON_UTC)
        assert (naive.date.tzinfo, in_utc.date.tzinfo) == (None, UTC)

    def test_t2_one_naive_and_one_aware_bound_is_a_value_error(self, subject: Recorder) -> None:
        """They are two kinds to answer in."""
        for bounds in ((NOON, NOON_UTC), (NOON_UTC, NOON)):
            with refused(ValueError, value=bounds):
                subject.read_bars("AAPL", *bounds)
            with refused(ValueError, value=bounds):
                subject.read_events(*bounds)

    def test_t2_a_fundamental_comes_back_exactly_as_it_was_written(self, subject: Recorder) -> None:
        """Its timestamp keeps its time zone, its fold and its microsecond."""
        moments = [NOON, NOON_UTC + TICK, NOON.replace(tzinfo=EAST)]
        zones = {"America/New_York"} & available_timezones()  # a slim machine may know none
        moments += [datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=ZoneInfo(zone)) for zone in zones]
        for number, moment in enumerate(moments):
            symbol = f"S{number}"
            subject.write_fundamental(symbol, fundamental(moment, symbol=symbol))
            read = subject.read_fundamental(symbol)
            assert read == fundamental(moment, symbol=symbol)
            assert (repr(read.timestamp), read.timestamp.fold) == (repr(moment), moment.fold)

    def test_t2_a_time_zone_of_another_library_comes_back_by_its_name(
        self, subject: Recorder
    ) -> None:
        """As the `ZoneInfo` of that name; one without a name as its offset."""
        if NAMED.zone not in available_timezones():
            pytest.skip("not tried: this machine knows no time zones")
        for number, moment in enumerate(
            (datetime(2026, 7, 5, 9), datetime(2026, 1, 5, 9, 0, 0, 1))
        ):
            given = moment.replace(tzinfo=NAMED)
            subject.write_fundamental("AAPL", fundamental(given, employees=number))
            read = subject.read_fundamental("AAPL", as_of=given)
            assert read.employees == number
            assert repr(read.timestamp) == repr(moment.replace(tzinfo=ZoneInfo(NAMED.zone)))
        given = NOON.replace(tzinfo=Unnamed())
        subject.write_fundamental("MSFT", fundamental(given, symbol="MSFT"))
        stamp = subject.read_fundamental("MSFT").timestamp
        assert repr(stamp) == repr(NOON.replace(tzinfo=timezone(timedelta(hours=2))))

    def test_t3_a_range_includes_both_ends(self, subject: Recorder) -> None:
        """To the microsecond, for bars and for events."""
        moments = [NOON + step * TICK for step in range(4)]
        subject.write_bars("AAPL", [bar(moment) for moment in moments])
        for moment in moments:
            subject.write_event(event(moment))
        bars = subject.read_bars("AAPL", moments[1], moments[2])
        events = subject.read_events(moments[1], moments[2])
        assert [each.date for each in bars] == moments[1:3]
        assert [each.timestamp for each in events] == moments[1:3]

    def test_t3_a_date_is_its_midnight_as_a_start_and_its_last_microsecond_as_an_end(
        self, subject: Recorder
    ) -> None:
        """A range of one date is that whole day, and a bar of a date is at its midnight."""
        day = date(2026, 1, 5)
        first, last = datetime(2026, 1, 5), datetime(2026, 1, 6) - TICK
        subject.write_bars("AAPL", [bar(at) for at in (first - TICK, day, last, last + TICK)])
        for moment in (first - TICK, first, last, last + TICK):
            subject.write_event(event(moment))
        assert [each.date for each in subject.read_bars("AAPL", day, day)] == [first, last]
        assert [each.timestamp for each in subject.read_events(day, day)] == [first, last]

    def test_t3_a_start_after_the_end_is_an_empty_range(self, subject: Recorder) -> None:
        """Nothing can be in it, so it is refused: who asks has exchanged the bounds."""
        subject.write_bars("AAPL", [bar()])
        subject.write_event(event())
        for bounds in ((date(2026, 1, 6), date(2026, 1, 4)), (NOON + TICK, NOON)):
            with refused(InvalidData, "start", "end", value=bounds):
                subject.read_bars("AAPL", *bounds)
            with refused(InvalidData, "start", "end", value=bounds):
                subject.read_events(*bounds)

    def test_t3_a_bound_that_is_no_time_is_refused_by_its_name(self, subject: Recorder) -> None:
        """A number is no time, and text that is not ISO 8601 is none."""
        for bound in ("soon", "05.01.2026", "", 0, b"2026-01-05"):
            with refused(InvalidData, "start", value=bound):
                subject.read_bars("AAPL", bound, NOON)
            with refused(InvalidData, "end", value=bound):
                subject.read_events(NOON, bound)

    def test_t3_as_of_takes_no_bare_date(self, subject: Recorder) -> None:
        """A date does not say which moment of that day is meant."""
        subject.write_fundamental("AAPL", fundamental())
        with refused(InvalidData, "as_of", value=date(2026, 1, 5)):
            subject.read_fundamental("AAPL", as_of=date(2026, 1, 5))

    def test_t3_a_fundamental_or_an_event_of_a_bare_date_is_refused(
        self, subject: Recorder
    ) -> None:
        """Both happened at a moment."""
        with refused(InvalidData, "timestamp", value=date(2026, 1, 5)):
            subject.write_fundamental("AAPL", fundamental(date(2026, 1, 5)))
        with refused(InvalidData, "timestamp", value=date(2026, 1, 5)):
            subject.write_event(event(date(2026, 1, 5)))
