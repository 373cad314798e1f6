"""Every question through a view is answered like the same question filtered by hand (law K2)."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import composite

import storecore
from storecore import BarStream, Catalog, Coverage, SeriesCoverage
from storecore.testing.records import bar, event, fundamental
from storecore.values.suggestions import nearest

from .conftest import KINDS, opened

FIXED = {"1m": timedelta(minutes=1), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
FIXED |= {"1w": timedelta(days=7), "session": timedelta(hours=6, minutes=30)}
MONTHS = {"1mo": 1, "1y": 12}
TIMEFRAMES = (*FIXED, *MONTHS)
LENGTHS = {"session": FIXED["session"]}
SYMBOLS = ("A", "B", "ä/b")
HALF_HOUR = timedelta(minutes=30)
ZONES = (None, UTC, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu"))
AGES = (
    datetime(1969, 12, 30),  # before 1970
    datetime(2024, 2, 27),  # the end of a long February
    datetime(2026, 1, 30),  # the ends of January and February
    datetime(2026, 3, 7),  # clocks go forward in New York
    datetime(2026, 10, 31),  # and back
)


def end_of(bar, timeframe):
    """Return when a bar ends, by counting."""
    if timeframe in FIXED:
        return bar.date + FIXED[timeframe]
    year, month = divmod(bar.date.year * 12 + bar.date.month - 1 + MONTHS[timeframe], 12)
    if bar.date.day <= monthrange(year, month + 1)[1]:
        return bar.date.replace(year=year, month=month + 1)
    return datetime(year, month + 1, monthrange(year, month + 1)[1]) + timedelta(days=1)


@composite
def cases(draw):
    """Return what is stored, a time to stand at and a range to ask for, all of one age."""
    age = draw(st.sampled_from(AGES))
    moments = st.integers(-96, 96 * 5).map(lambda step: age + step * HALF_HOUR)
    pairs = st.tuples(moments, moments)
    facts = {
        "bars": st.lists(st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(TIMEFRAMES), moments)),
        "filings": st.lists(st.tuples(st.sampled_from(SYMBOLS), moments)),
        "events": st.lists(st.tuples(st.sampled_from((*SYMBOLS, None)), pairs), max_size=8),
        "at": moments,
        "span": pairs.map(sorted),
        "zones": st.tuples(st.sampled_from(ZONES), st.sampled_from(ZONES)),
        "last": st.none() | st.integers(1, 4),
    }
    return {name: draw(each) for name, each in facts.items()}


def in_zone(moment, zone):
    """Return the same instant in a zone, or naive."""
    return moment if zone is None else moment.replace(tzinfo=UTC).astimezone(zone)


def written(store, case):
    """Write the facts of a case; return them as they are read without a view."""
    bars = {}
    for number, (symbol, timeframe, at) in enumerate(case["bars"]):
        bars.setdefault((symbol, timeframe), {})[at] = bar(at, float(number), symbol=symbol)
    for (symbol, timeframe), each in bars.items():
        store.write_bars(symbol, each.values(), timeframe=timeframe)
    for symbol, at in case["filings"]:
        store.write_fundamental(symbol, fundamental(at, symbol=symbol))
    for symbol, (at, ingested_at) in case["events"]:
        store.write_event(event(at, symbol=symbol, ingested_at=ingested_at))
    filings = {(symbol, at): fundamental(at, symbol=symbol) for symbol, at in case["filings"]}
    series = {key: [each[at] for at in sorted(each)] for key, each in bars.items()}
    return series, [filings[key] for key in sorted(filings)]


def as_rows(table):
    return [(row["symbol"], row["date"], row["close"]) for row in table.to_pylist()]


def check_bars(view, case, series):
    start, end = case["span"]
    for (symbol, timeframe), bars in series.items():
        known = [each for each in bars if end_of(each, timeframe) <= case["at"]]
        asked = [each for each in known if start <= each.date <= end][-(case["last"] or 0) :]
        kind = case["zones"][1]
        bounds = in_zone(start, kind), in_zone(end, kind)
        found = view.read_bars(symbol, *bounds, timeframe=timeframe, last=case["last"])
        utc = None if kind is None else UTC
        assert [(each.date, each.close) for each in found] == [
            (each.date.replace(tzinfo=utc), each.close) for each in asked
        ]
        assert view.read_bars(symbol, timeframe=timeframe) == known
        table = storecore.read_bar_table(
            view, symbol, *bounds, timeframe=timeframe, last=case["last"]
        )
        assert as_rows(table) == [(symbol, each.date, each.close) for each in found]
        assert storecore.read_bar_table(view, [symbol, "none"], date(1900, 1, 1)).schema.metadata
    if isinstance(view, BarStream):
        tables = view.iter_bar_tables(SYMBOLS, start, timeframe="1h", max_bytes=64)
        found = sorted(row for table in tables for row in as_rows(table))
        assert found == sorted(
            (symbol, each.date, each.close)
            for (symbol, timeframe), bars in series.items()
            for each in bars
            if timeframe == "1h" and each.date >= start and end_of(each, "1h") <= case["at"]
        )


def check_catalog(view, at, series, filings, events):
    known = {
        key: dates
        for key, bars in series.items()
        if (dates := [each.date for each in bars if end_of(each, key[1]) <= at])
    }
    assert view.symbols() == sorted({symbol for symbol, _ in known})
    for timeframe in TIMEFRAMES:
        listed = sorted(symbol for symbol, each in known if each == timeframe)
        assert view.symbols(timeframe) == listed
    assert view.nearest("a") == nearest("a", view.symbols())
    for symbol in SYMBOLS:
        assert view.timeframes(symbol) == sorted(each for name, each in known if name == symbol)
    for key in series:
        dates = [each.replace(tzinfo=UTC) for each in known.get(key, [])]
        extent = Coverage(*((dates[0], dates[-1]) if dates else (None, None)), len(dates))
        assert view.bar_coverage(key[0], timeframe=key[1]) == extent
    assert view.inventory() == [
        SeriesCoverage(
            *key, dates[0].replace(tzinfo=UTC), dates[-1].replace(tzinfo=UTC), len(dates)
        )
        for key, dates in sorted(known.items())
    ]
    filed = {each.symbol for each in filings if each.timestamp <= at}
    assert view.fundamental_symbols() == sorted(filed)
    named = {each.symbol for each in events if each.ingested_at <= at}
    assert view.event_symbols() == sorted(named - {None})


def check_filings(view, case, filings):
    (start, end), at = case["span"], case["at"]
    for symbol in SYMBOLS:
        own = [each for each in filings if each.symbol == symbol and each.timestamp <= at]
        assert view.read_fundamental(symbol) == (own[-1] if own else None)
        earlier = [each for each in own if each.timestamp <= end]
        as_of = in_zone(end, case["zones"][1])
        assert view.read_fundamental(symbol, as_of) == (earlier[-1] if earlier else None)
        if isinstance(view, Catalog):
            asked = [each for each in earlier if each.timestamp >= start]
            assert view.fundamentals(symbol) == own
            assert view.fundamentals(symbol, start, end) == asked


def check_events(view, case, events):
    (start, end), at = case["span"], case["at"]
    known = [each for each in events if each.ingested_at <= at]
    assert view.read_events() == known
    asked = [each for each in known if start <= each.timestamp <= end]
    assert view.read_events(start, end) == asked
    assert view.read_events(start, end, ["news"], symbols=["A", None]) == [
        each for each in asked if each.symbol in ("A", None)
    ]
    assert view.read_events(types=[]) == []
    earlier = [each for each in known if each.ingested_at <= end]
    assert view.read_events(ingested_by=in_zone(end, case["zones"][1])) == earlier


EMPTY = {"bars": [], "filings": [], "events": [], "at": AGES[0], "span": AGES[:2]}
EMPTY |= {"zones": (None, UTC), "last": None}
A_MONTH = [("A", "1mo", datetime(2026, 1, 29)), ("A", "1mo", datetime(2026, 1, 31))]


def check(kind, folder, case):
    """Ask every question through a view, and filter by hand."""
    store, asked = opened(kind, folder)
    with store, asked:
        series, filings = written(store, case)
        events = store.read_events()
        view = storecore.at(asked, in_zone(case["at"], case["zones"][0]), lengths=LENGTHS)
        check_bars(view, case, series)
        check_filings(view, case, filings)
        check_events(view, case, events)
        if isinstance(view, Catalog):
            check_catalog(view, case["at"], series, filings, events)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8)
@given(case=cases())
@example(case=EMPTY)
@example(case={**EMPTY, "bars": A_MONTH, "at": datetime(2026, 3, 1)})
@example(case={**EMPTY, "bars": A_MONTH, "at": datetime(2026, 2, 28)})
def test_a_view_answers_like_a_question_filtered_by_hand(tmp_path_factory, kind, case):
    check(kind, tmp_path_factory.mktemp("known"), case)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=200)
@given(case=cases())
def test_a_view_answers_many_questions_like_those_filtered_by_hand(tmp_path_factory, kind, case):
    check(kind, tmp_path_factory.mktemp("known"), case)


@settings(max_examples=10)
@given(case=cases(), later=st.integers(0, 200))
def test_a_view_of_a_view_answers_like_the_view_of_the_earlier_time(case, later):
    with storecore.open_store("memory") as store:
        series, _ = written(store, case)
        plain = store.at(case["at"], lengths=LENGTHS)
        for nested in (
            plain.at(case["at"] + later * HALF_HOUR),
            store.at(case["at"] + later * HALF_HOUR).at(case["at"], lengths=LENGTHS),
        ):
            assert nested.inventory() == plain.inventory()
            assert nested.read_events() == plain.read_events()
            for symbol, timeframe in series:
                bars = nested.read_bars(symbol, timeframe=timeframe)
                assert bars == plain.read_bars(symbol, timeframe=timeframe)
