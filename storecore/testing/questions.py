"""Questions that loops ask: open bounds, the last bars, events of symbols, and what is listed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from storecore.errors import InvalidData, InvalidName
from storecore.reports import SeriesCoverage
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
    decision,
    event,
    for_all,
    fundamental,
    refused,
    sent,
)

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
EAST = timezone(timedelta(hours=9))
NO_NUMBERS: tuple[Any, ...] = (0, -1, True, 1.0, "1", float("nan"))
numbers = st.integers(1, 12)
days = st.none() | st.integers(-1, 9)


class Finer(datetime):
    """A time with nanoseconds, as pandas has them."""

    nanosecond = 500


BETWEEN: tuple[Any, ...] = (  # each half a microsecond after noon
    Finer(2026, 1, 5, 12),
    "2026-01-05T12:00:00.0000005",
    "2026-01-05T21:00:00.0000005+09:00",
)
TEXTS: tuple[tuple[Any, Any], ...] = (
    ("2026-01-05", date(2026, 1, 5)),
    ("2026-01-05T12:00", NOON),
    ("2026-01-05T12:00:00Z", NOON_UTC),
    ("2026-01-05 21:00:00.000000+09:00", NOON_UTC),
)
_Reads = dict[str, Callable[..., list[datetime]]]


class QuestionLaws(Fixtures):
    """A question may leave out what it does not limit."""

    def test_t3_a_missing_bound_is_open(self, subject: Recorder, current: frozenset[str]) -> None:
        """Of every method that reads bars or events by a range, in the years 1 to 9999 too."""
        moments = [datetime.min, NOON, NOON + DAY, datetime.max]
        _write_at(subject, moments)
        for name, read in _ranges(subject, current).items():
            assert read() == moments, name
            assert read(NOON + TICK) == moments[2:], f"{name} from a start"
            assert read(None, NOON) == read(end=NOON) == moments[:2], f"{name} up to an end"
            assert read(None, None) == moments, f"{name} of two open ends"

    def test_t3_a_missing_bound_of_records_is_open(
        self, subject: Recorder, current: frozenset[str]
    ) -> None:
        """Decisions and orders."""
        if "AuditTrail" in current:
            subject.log_decision("value", decision())
            subject.log_order("value", *sent())
        for name in {"read_decisions", "read_orders"} & current:
            read = getattr(subject, name)
            (record,) = read()
            assert len(read(record.timestamp)) == len(read(end=record.timestamp)) == 1, name
            assert read(record.timestamp + TICK) == read(None, record.timestamp - TICK) == [], name
            assert (len(read(strategy_name="value")), read(strategy_name="none")) == (1, []), name

    def test_t2_without_bounds_times_are_naive(
        self, subject: Recorder, current: frozenset[str]
    ) -> None:
        """And of the kind of the one bound that is given."""
        _write_at(subject, [NOON])
        for name, read in _ranges(subject, current).items():
            for bounds in ((), (NOON,), (None, NOON), (date(2026, 1, 5),)):
                assert read(*bounds) == [NOON], f"{name} of {bounds}"
            assert read(NOON_UTC) == read(None, NOON_UTC) == [NOON_UTC], name

    def test_t3_a_bound_that_is_finer_than_a_microsecond_changes_no_answer(
        self, subject: Recorder, current: frozenset[str]
    ) -> None:
        """No stored time lies between two microseconds."""
        _write_at(subject, [NOON, NOON + TICK])
        for name, read in _ranges(subject, current).items():
            for bound in BETWEEN:
                found = [at.replace(tzinfo=None) for at in read(bound)]
                assert found == [NOON + TICK], f"{name} from {bound!r}"
                found = [at.replace(tzinfo=None) for at in read(None, bound)]
                assert found == [NOON], f"{name} up to {bound!r}"
                assert read(bound, bound) == [], f"{name} within {bound!r}"

    def test_t3_a_bound_may_be_iso_text(self, subject: Recorder, current: frozenset[str]) -> None:
        """It is the date or the time that it names."""
        moments = [NOON + step for step in (-13 * HOUR, -TICK, 0 * TICK, TICK, 12 * HOUR)]
        _write_at(subject, moments)
        for name, read in _ranges(subject, current).items():
            for text, bound in TEXTS:
                assert read(text) == read(bound), f"{name} from {text}"
                assert read(None, text) == read(None, bound), f"{name} up to {text}"
                assert read(text, text) == read(bound, bound), f"{name} at {text}"

    @for_all(last=numbers, start=days, end=days)
    def test_t3_the_last_bars_of_a_range_are_its_newest(
        self,
        offering: Callable[..., Recorder],
        current: frozenset[str],
        fresh_name: Callable[[], str],
        last: int,
        start: int | None,
        end: int | None,
    ) -> None:
        """As many as are asked for, or all; still sorted by date."""
        asked, symbol = offering("read_bars"), fresh_name()
        bounds = [None if each is None else NOON + each * DAY for each in (start, end)]
        if start is not None and end is not None and start > end:
            bounds.reverse()
        asked.write_bars(symbol, [bar(NOON + day * DAY, symbol=symbol) for day in (3, 1, 4, 0, 7)])
        whole = asked.read_bars(symbol, *bounds)
        assert asked.read_bars(symbol, *bounds, last=last) == whole[-last:]
        assert asked.read_bars(symbol, *bounds, timeframe="1m", last=last) == []
        for read in _tables(asked, current):
            table, cut = read(symbol, *bounds), read(symbol, *bounds, last=last)
            assert cut == table.slice(max(0, len(table) - last))

    def test_t3_the_last_bars_are_the_newest_however_they_were_written(
        self, offering: Callable[..., Recorder], having: Callable[[str], Recorder]
    ) -> None:
        """Over years, by small writes, after a delete and after bars were replaced."""
        asked = offering("read_bars")
        dates = [datetime(2026 - number // 12, 1 + number % 12, 5) for number in range(30)]
        for at in dates[::3] + dates[1::3] + dates[2::3]:
            asked.write_bars("AAPL", [bar(at), bar(at + HOUR)])
        asked.write_bars("AAPL", [bar(max(dates), 7.0)])
        kept = sorted(each for at in dates for each in (at, at + HOUR))
        assert [each.date for each in asked.read_bars("AAPL", last=7)] == kept[-7:]
        assert [each.close for each in asked.read_bars("AAPL", last=2)] == [7.0, 100.0]
        bulk = having("Bulk")
        assert bulk.delete_bars("AAPL", kept[-5], kept[-2]) == 4
        kept[-5:-1] = []
        assert [each.date for each in asked.read_bars("AAPL", last=9)] == kept[-9:]
        found = asked.read_bars("AAPL", end=kept[20] - TICK, last=3)
        assert [each.date for each in found] == kept[17:20]

    def test_bar_tables_hold_the_last_bars_of_each_symbol(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """Each has as many as are asked for, or all that it has."""
        tables = offering("read_bar_table")
        for symbol, number in (("AAPL", 3), ("MSFT", 1), ("NVDA", 5)):
            tables.write_bars(
                symbol, [bar(NOON + n * DAY, n, symbol=symbol) for n in range(number)]
            )
        names = ["NVDA", "AAPL", "NONE", "MSFT"]
        read = tables.read_bar_table(names, last=2, columns=["close"])
        assert read["close"].to_pylist() == [1, 2, 0, 3, 4]
        read = tables.read_bar_table(names, end=NOON + 2 * DAY, last=2, columns=["close"])
        assert read["close"].to_pylist() == [1, 2, 0, 1, 2]

    def test_b2_what_is_no_number_of_bars_is_refused(
        self, offering: Callable[..., Recorder], current: frozenset[str]
    ) -> None:
        """Also where there are no bars."""
        asked = offering("read_bars")
        for last in NO_NUMBERS:
            with refused(InvalidData, "last", value=last):
                asked.read_bars("AAPL", last=last)
            for read in _tables(asked, current):
                with refused(InvalidData, "last", value=last):
                    read("AAPL", last=last)

    def test_e2_events_are_those_of_the_symbols_asked_for(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """None among them is for events without one, no symbols are no events."""
        asked = offering("read_events")
        symbols = ("AAPL", None, "aapl", "AAPL", "MSFT")
        for number, symbol in enumerate(symbols):
            kind = ("news", "split")[number % 2]
            asked.write_event(event(symbol=symbol, type=kind, payload={"n": number}))
        questions: tuple[tuple[Any, list[int]], ...] = (
            (None, [0, 1, 2, 3, 4]),
            (["AAPL"], [0, 3]),
            (("AAPL", None), [0, 1, 3]),
            ({None}, [1]),
            (iter(["MSFT", "aapl", "NONE"]), [2, 4]),
            ([], []),
        )
        for given, expected in questions:
            found = [each.payload["n"] for each in asked.read_events(symbols=given)]
            assert found == expected, f"symbols={given}"
        found = asked.read_events(NOON, NOON, ["split"], symbols=["AAPL"])
        assert [each.payload["n"] for each in found] == [3]

    def test_n1_events_of_a_symbol_are_of_no_other_one(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """However alike two names are."""
        asked = offering("read_events")
        for name in HOSTILE:
            asked.write_event(event(symbol=name))
        for name in HOSTILE[::4]:
            found = [each.symbol for each in asked.read_events(symbols=[name])]
            assert found == [name]

    def test_n2_what_is_no_name_is_no_symbol_of_events(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """None is: it stands for events without a symbol."""
        asked = offering("read_events")
        for name in NO_NAMES:
            if name is not None:
                with refused(InvalidName, value=name):
                    asked.read_events(symbols=["AAPL", name])

    def test_e2_events_that_arrived_later_are_left_out(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """To the microsecond, whenever they happened, in any zone."""
        asked = offering("read_events")
        arrivals = [NOON + HOUR, NOON + HOUR + TICK, NOON - 40 * DAY, NOON + 2 * HOUR]
        for number, at in enumerate(arrivals):
            happened = NOON + (number % 2) * DAY
            asked.write_event(event(happened, ingested_at=at, payload={"n": number}))
        one_later = NOON_UTC + HOUR
        moments: tuple[Any, ...] = (
            *(one_later, one_later.astimezone(EAST), NOON + HOUR),
            *("2026-01-05T13:00", "2026-01-05T13:00:00.0000009+00:00"),
        )
        for moment in moments:
            found = [each.payload["n"] for each in asked.read_events(ingested_by=moment)]
            assert found == [0, 2], f"ingested_by={moment!r}"
        found = asked.read_events(NOON + TICK, ingested_by=one_later + TICK, symbols=["AAPL"])
        assert [each.payload["n"] for each in found] == [1]
        (read,) = asked.read_events(NOON_UTC + TICK, ingested_by=NOON + HOUR + TICK)
        assert read.ingested_at == one_later + TICK

    def test_t3_what_is_known_by_a_time_takes_no_bare_date(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """A date does not say which moment of that day is meant."""
        asked = offering("read_events")
        no_moments: tuple[Any, ...] = (date(2026, 1, 5), "2026-01-05", "soon", 0)
        for moment in no_moments:
            with refused(InvalidData, "ingested_by", value=moment):
                asked.read_events(ingested_by=moment)

    def test_catalog_inventory_has_every_series_with_its_extent(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """Sorted by symbol, then timeframe; as `bar_coverage` has it, of unique dates."""
        catalog = offering("inventory")
        assert catalog.inventory() == []
        for number, name in enumerate(HOSTILE[::5]):
            at = NOON + number * 40 * DAY
            catalog.write_bars(name, [bar(at, symbol=name), bar(at - number * DAY, symbol=name)])
            catalog.write_bars("AAPL", [bar(at), bar(NOON)], timeframe=name)
        catalog.write_bars("NONE", [])
        found = catalog.inventory()
        series = [(name, each) for name in catalog.symbols() for each in catalog.timeframes(name)]
        assert [(each.symbol, each.timeframe) for each in found] == series
        assert found == [_covered(catalog, *key) for key in series]

    def test_catalog_inventory_forgets_a_series_whose_bars_are_all_deleted(
        self, offering: Callable[..., Recorder], having: Callable[[str], Recorder]
    ) -> None:
        """And has the new extent of one that lost some."""
        catalog, bulk = offering("inventory"), having("Bulk")
        for name in ("A", "B"):
            catalog.write_bars(name, [bar(NOON + n * DAY, symbol=name) for n in range(3)])
        bulk.delete_bars("A", *EVER)
        bulk.delete_bars("B", NOON, NOON)
        first, last = NOON_UTC + DAY, NOON_UTC + 2 * DAY
        assert catalog.inventory() == [SeriesCoverage("B", "1d", first, last, 2)]

    def test_catalog_knows_the_symbols_that_are_spelled_most_like_one(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """In any case; none if none is alike."""
        catalog = offering("nearest")
        for name in ("AAPL", "MSFT", "brk/b"):
            catalog.write_bars(name, [bar(symbol=name)])
        nearest = [catalog.nearest(name) for name in ("APPL", "BRK.B", "msft", "XXXXXX")]
        assert nearest == [["AAPL"], ["brk/b"], ["MSFT"], []]

    def test_catalog_lists_the_fundamentals_of_a_symbol_by_timestamp(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """Each exactly as it was written, in whatever order; a date as an end is its whole day."""
        catalog = offering("fundamentals")
        stamps = [NOON + DAY, NOON.replace(tzinfo=EAST), NOON_UTC + TICK, NOON]
        for number, at in enumerate(stamps):
            catalog.write_fundamental("AAPL", fundamental(at, employees=number))
        catalog.write_fundamental("AAPL", fundamental(NOON, employees=7))
        catalog.write_fundamental("aapl", fundamental(symbol="aapl"))
        ordered = [
            fundamental(at, employees=number)
            for at, number in ((stamps[1], 1), (NOON, 7), (stamps[2], 2), (stamps[0], 0))
        ]
        found = catalog.fundamentals("AAPL")
        assert (found, list(map(repr, found))) == (ordered, list(map(repr, ordered)))
        day = date(2026, 1, 5)
        assert catalog.fundamentals("AAPL", day, day) == ordered[:3]
        assert catalog.fundamentals("AAPL", NOON_UTC, NOON_UTC + TICK) == ordered[1:3]
        assert catalog.fundamentals("AAPL", end="2026-01-05T12:00") == ordered[:2]
        assert catalog.fundamentals("NONE") == catalog.fundamentals("AAPL", NOON + 2 * DAY) == []

    def test_catalog_lists_the_symbols_of_fundamentals_and_events(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """Each once, sorted and exactly as given; events without a symbol have none."""
        catalog = offering("fundamental_symbols", "event_symbols")
        assert (catalog.fundamental_symbols(), catalog.event_symbols()) == ([], [])
        catalog.write_event(event(symbol=None))
        for name in (*HOSTILE, *HOSTILE[:3]):
            catalog.write_fundamental(name, fundamental(symbol=name))
            catalog.write_event(event(symbol=name))
        catalog.write_bars("BARS", [bar(symbol="BARS")])
        assert catalog.fundamental_symbols() == catalog.event_symbols() == sorted(HOSTILE)

    def test_catalog_lists_the_strategies_whose_names_begin_alike(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """Character by character: case counts, and no character stands for others."""
        catalog = offering("strategies")
        names = ("a_b", "axb", "A_b", "a%", "a%b", "\u00fcx", "u\u0308x")
        for name in names:
            catalog.save_strategy_state(name, {})
        for prefix in ("", "a", "a_", "a%", "A", "\u00fc", "u\u0308", "a_bc"):
            found = catalog.strategies(prefix=prefix)
            assert found == sorted(name for name in names if name.startswith(prefix)), prefix

    def test_n2_what_is_no_name_is_refused_by_what_lists(
        self, subject: Recorder, current: frozenset[str]
    ) -> None:
        """Also a range that is none."""
        for method in {"nearest", "fundamentals"} & current:
            for name in NO_NAMES:
                with refused(InvalidName, value=(method, name)):
                    getattr(subject, method)(name)
        if "fundamentals" in current:
            for bounds in ((NOON, NOON - TICK), (NOON, NOON_UTC), ("soon", None)):
                with refused(InvalidData, value=bounds):
                    subject.fundamentals("AAPL", *bounds)


def _write_at(store: Any, moments: list[datetime]) -> None:
    store.write_bars("AAPL", [bar(at) for at in moments])
    for at in moments:
        store.write_event(event(at))


def _ranges(store: Any, current: frozenset[str]) -> _Reads:
    """Return what reads the moments of bars and events, for each method that takes open bounds."""

    def rows(table: Any) -> list[Any]:
        moments: list[Any] = table["date"].to_pylist()
        return moments

    every: _Reads = {
        "read_bars": lambda *a, **k: [each.date for each in store.read_bars("AAPL", *a, **k)],
        "read_events": lambda *a, **k: [each.timestamp for each in store.read_events(*a, **k)],
        "read_bar_table": lambda *a, **k: rows(store.read_bar_table("AAPL", *a, **k)),
        "iter_bar_tables": lambda *a, **k: [
            at for table in store.iter_bar_tables("AAPL", *a, **k) for at in rows(table)
        ],
    }
    return {name: read for name, read in every.items() if name in current}


def _tables(store: Any, current: frozenset[str]) -> list[Callable[..., Any]]:
    """Return the method that reads tables with `last`, if the store has it."""
    return [getattr(store, name) for name in {"read_bar_table"} & current]


def _covered(catalog: Any, symbol: str, timeframe: str) -> SeriesCoverage:
    found = catalog.bar_coverage(symbol, timeframe=timeframe)
    return SeriesCoverage(symbol, timeframe, found.first, found.last, found.count)
