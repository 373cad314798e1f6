"""What `storecore export` writes, `storecore import` reads back equal."""

from __future__ import annotations

import string
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import storecore
from storecore import Event, FundamentalData, PriceBar
from storecore.store.digests import canonical, canonical_filing

FEW = settings(
    max_examples=5,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(st.sampled_from(string.ascii_letters + ",\"'=|;ß/"), min_size=1, max_size=6)
COLUMNS = {
    "of_floats": NUMBERS,
    "of_integers": st.integers(-(2**63), 2**63 - 1),
    "of_booleans": st.booleans(),
    "of_texts": st.text(st.sampled_from("abc \",;'é"), min_size=1).map(lambda text: f"x{text}x"),
    "of_times": st.datetimes(timezones=st.just(UTC)),
}
BARS = st.builds(
    PriceBar,
    symbol=st.just(""),
    date=st.datetimes(),
    open=NUMBERS,
    high=NUMBERS,
    low=NUMBERS,
    close=NUMBERS,
    volume=st.none() | st.integers(0, 2**62) | st.floats(0, 2.0**52),
    extra=st.none() | st.fixed_dictionaries({}, optional=COLUMNS).map(lambda found: found or None),
)
SERIES = st.dictionaries(NAMES, st.lists(BARS, min_size=1, max_size=4), min_size=1, max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBERS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
PAYLOADS = st.dictionaries(st.text(max_size=3), JSON, max_size=3)
TIMES = st.datetimes(
    datetime(1950, 1, 1),
    datetime(2050, 1, 1),
    timezones=st.sampled_from([UTC, ZoneInfo("Europe/Berlin")]),
    allow_imaginary=False,
)
EVENTS = st.builds(
    Event,
    type=st.text(max_size=4),
    symbol=st.none() | NAMES,
    timestamp=TIMES,
    ingested_at=TIMES,
    source=st.text(max_size=4),
    payload=PAYLOADS,
)
FILINGS = st.builds(
    FundamentalData,
    symbol=NAMES,
    timestamp=TIMES,
    company_name=st.text(max_size=4),
    cik=st.text(max_size=4),
    employees=st.none() | st.integers(0, 2**53),
    shares_outstanding=st.none() | st.floats(0, 1e12),
    raw_xml=st.text(max_size=9),
    extra=st.none() | PAYLOADS,
)


class Copies:
    """Two stores: what the first one holds is exported, and imported into the second."""

    def __init__(self, cli, folder):
        self._cli, self._folder = cli, Path(folder)

    @contextmanager
    def open(self, name):
        path = self._folder / name
        with storecore.open_store("file", base_path=path, durability="os") as store:
            yield store

    def copy(self, ending, *options, export=(), again=()):
        file = self._folder / f"records.{ending}"
        given, kept = (
            ("--backend", "file", "--set", f"base_path={self._folder / each}")
            for each in ("given", "kept")
        )
        exported = self._cli("export", "-o", file, *options, *export, *given)
        assert exported.exit_code == 0, exported.output
        for _ in range(2):  # a second time it changes nothing
            read = self._cli("import", file, *options, *again, *kept)
            assert read.exit_code == 0, read.output
        return read.output


@pytest.fixture
def copies(cli):
    @contextmanager
    def make():
        with tempfile.TemporaryDirectory() as folder:
            yield Copies(cli, folder)

    return make


def rows(store, timeframe):
    """Return all bars, with their types: 1 and 1.0 are different."""
    return [
        repr(bar)
        for symbol in store.symbols()
        for bar in store.read_bars(symbol, timeframe=timeframe)
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "csv.gz", "jsonl.zst"])
@FEW
@given(series=SERIES, timeframe=st.sampled_from(["1d", "5m"]))
def test_bars_are_read_back_equal(copies, ending, series, timeframe):
    with copies() as both:
        with both.open("given") as store:
            for symbol, bars in series.items():
                named = [PriceBar(symbol, *list(each_of(bar))[1:]) for bar in bars]
                store.write_bars(symbol, named, timeframe=timeframe)
            expected = rows(store, timeframe)
        output = both.copy(ending, "--timeframe", timeframe, again=["--irregular"])
        assert f"unchanged {len(expected)}" in output
        with both.open("kept") as store:
            assert rows(store, timeframe) == expected


def each_of(bar):
    return (getattr(bar, name) for name in bar.__struct_fields__)


@FEW
@given(events=st.lists(EVENTS, min_size=1, max_size=5), twice=st.integers(1, 2))
def test_events_are_read_back_equal_and_identical_ones_are_all_kept(copies, events, twice):
    with copies() as both:
        with both.open("given") as store:
            store.write_events([*events] * twice)
            expected = [canonical(each) for each in store.read_events()]
        both.copy("jsonl", "--kind", "events")
        with both.open("kept") as store:
            assert [canonical(each) for each in store.read_events()] == expected


@FEW
@given(filings=st.lists(FILINGS, min_size=1, max_size=5))
def test_fundamentals_are_read_back_equal(copies, filings):
    with copies() as both:
        with both.open("given") as store:
            store.write_fundamentals(filings)
            expected = [canonical_filing(each) for each in store.iter_fundamentals()]
        both.copy("jsonl", "--kind", "fundamentals")
        with both.open("kept") as store:
            assert [canonical_filing(each) for each in store.iter_fundamentals()] == expected


@FEW
@given(states=st.dictionaries(NAMES, PAYLOADS, min_size=1, max_size=4))
def test_states_are_read_back_equal(copies, states):
    with copies() as both:
        with both.open("given") as store:
            for name, state in states.items():
                store.save_strategy_state(name, state)
        both.copy("jsonl.gz", "--kind", "states")
        with both.open("kept") as store:
            found = {name: store.load_strategy_state(name) for name in store.strategies()}
        assert repr(sorted(found.items())) == repr(sorted(states.items()))


def test_identical_events_are_counted_over_the_batches_of_a_file(copies):
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    same = Event("tick", None, moment, moment, "feed", {})
    with copies() as both:
        with both.open("given") as store:
            store.write_events([same] * 2_500)
            store.write_events([Event("late", "A", moment + timedelta(1), moment, "feed", {})])
        both.copy("jsonl", "--kind", "events")
        with both.open("kept") as store:
            assert len(store.read_events()) == 2_501
