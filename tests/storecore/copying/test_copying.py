"""A copy is equal in every answer, whatever was written; and it says so of both sides."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import storecore
from storecore import (
    Action,
    CopyReport,
    Decision,
    Event,
    FundamentalData,
    Order,
    OrderResult,
    PriceBar,
    copy_store,
)
from storecore.builtin.memory import MemoryDataStore
from storecore.copying import LeftOut
from storecore.testing.records import EVER_UTC, json_values, names, prices, text, volumes

JAN_5 = datetime(2026, 1, 5)
KINDS = ("bars", "fundamentals", "events", "state", "decisions", "orders")

moments = st.integers(-40, 40).map(lambda hours: JAN_5 + timedelta(hours=hours))
zones = st.sampled_from(
    [None, UTC, timezone(timedelta(hours=-3, minutes=-30)), ZoneInfo("America/New_York")]
)
few_names = st.sampled_from(["AAPL", "aapl", "BRK/B", "x" * 300]) | names
documents = st.dictionaries(text, json_values, max_size=3)
writes = st.one_of(
    st.tuples(
        st.just("write_bars"),
        few_names,
        st.lists(st.tuples(moments, prices, volumes), min_size=1, max_size=8),
        st.sampled_from(["1d", "1m", "1M"]),
    ),
    st.tuples(st.just("write_fundamental"), few_names, moments, zones, text),
    st.tuples(st.just("write_event"), text, moments, documents),
    st.tuples(st.just("save_strategy_state"), few_names, documents),
    st.tuples(st.just("log_decision"), few_names, text),
    st.tuples(st.just("log_order"), few_names, volumes),
)


def write(store, method, *what):
    """Write one generated record."""
    if method == "write_bars":
        symbol, rows, timeframe = what
        bars = [PriceBar(symbol, at, price, 2.0, -0.0, 1.5, volume) for at, price, volume in rows]
        store.write_bars(symbol, bars, timeframe=timeframe)
    elif method == "write_fundamental":
        symbol, at, zone, xml = what
        stamp = at.replace(tzinfo=zone)
        data = FundamentalData(symbol=symbol, timestamp=stamp, company_name="", cik="", raw_xml=xml)
        store.write_fundamental(symbol, data)
    elif method == "write_event":
        kind, at, payload = what
        store.write_event(Event(kind, None, at, at + timedelta(1), "feed", payload))
    elif method == "save_strategy_state":
        store.save_strategy_state(*what)
    elif method == "log_decision":
        strategy, reasoning = what
        store.log_decision(strategy, Decision("AAPL", Action.BUY, 0.5, 1, reasoning))
    else:
        strategy, quantity = what
        order = Order(strategy, "AAPL", "BUY", quantity, "MARKET")
        store.log_order(strategy, order, OrderResult("1", "filled"))


def answers(store):
    """Return all that a store answers, so that what is equal is equal in kind too."""
    bars = {
        (symbol, timeframe): store.read_bars(symbol, *EVER_UTC, timeframe=timeframe)
        for symbol in store.symbols()
        for timeframe in store.timeframes(symbol)
    }
    histories = {name: store.state_history(name) for name in store.strategies()}
    report = store.verify_audit()
    assert report.ok
    logs = store.read_decisions(*EVER_UTC), store.read_orders(*EVER_UTC), report.heads
    facts = list(store.iter_fundamentals()), store.read_events(*EVER_UTC)
    return repr((bars, facts, histories, logs))


RECORDED = re.compile(rb',"recorded":[0-9]+,"crc32":"[0-9a-f]{8}"}$', re.MULTILINE)


def content(folder, *rooms):
    """Return the files of some rooms of a store, hidden ones of no data left out.

    The instant at which a store recorded a fundamental is its own, so it is left out.
    """
    return {
        file.relative_to(folder): RECORDED.sub(b"}", file.read_bytes())
        for room in rooms
        for file in (folder / room).rglob("*")
        if file.is_file() and not file.name.endswith((".lock", ".head"))
    }


@pytest.fixture
def opened_schema(postgres_dsn):
    """Open an empty store in a schema of its own, another one each time."""
    numbers = itertools.count()

    @contextmanager
    def opened():
        schema = f"copied_{os.getpid()}_{next(numbers)}"
        with storecore.open_store("postgres", dsn=postgres_dsn, schema=schema) as store:
            yield store
        with psycopg.connect(postgres_dsn, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")

    return opened


@settings(max_examples=20)
@given(written=st.lists(writes, max_size=15))
def test_from_files_to_memory_and_back_every_answer_is_equal(written):
    check_there_and_back(MemoryDataStore, written)


@settings(max_examples=3)  # each makes a schema
@given(written=st.lists(writes, max_size=15))
def test_from_files_to_postgres_and_back_every_answer_is_equal(opened_schema, written):
    check_there_and_back(opened_schema, written)


def check_there_and_back(opened, written):
    """Copy what is written from files to an opened store and from there to other files."""
    with TemporaryDirectory() as folder, opened() as between:
        first, back = Path(folder, "first"), Path(folder, "back")
        options = {"durability": "os"}
        with (
            storecore.open_store("file", base_path=first, **options) as source,
            storecore.open_store("file", base_path=back, **options) as target,
        ):
            for each in written:
                write(source, *each)
            reports = copy_store(source, between), copy_store(between, target)
            assert answers(source) == answers(between) == answers(target)
            again = copy_store(source, target)
        assert all(report.ok for report in (*reports, again))
        assert reports[0].copied == reports[1].copied
        assert sum(each.added for each in again.copied) == 0
        rooms = "audit", "state", "fundamentals"
        assert content(first, *rooms) == content(back, *rooms)


def fill(store):
    """Write some of each kind."""
    write(store, "write_bars", "AAPL", [(JAN_5, 1.5, 7), (JAN_5 + timedelta(1), 2.0, 0.5)], "1d")
    write(store, "write_bars", "AAPL", [(JAN_5, 1.5, 7)], "1m")
    write(store, "write_fundamental", "MSFT", JAN_5, None, "<x/>")
    write(store, "write_event", "split", JAN_5, {"ratio": "4:1"})
    write(store, "save_strategy_state", "value", {"cash": 1.5})
    write(store, "log_decision", "value", "cheap")
    write(store, "log_order", "value", 10)


def test_the_report_counts_each_series_and_each_kind_on_both_sides(source, target):
    fill(source)
    report = copy_store(source, target)
    assert isinstance(report, CopyReport)
    assert report.ok
    assert [(each.kind, each.key, each.timeframe) for each in report.copied] == [
        ("bars", "AAPL", "1d"),
        ("bars", "AAPL", "1m"),
        ("fundamentals", "MSFT", ""),
        ("events", "", ""),
        ("state", "value", ""),
        ("decisions", "", ""),
        ("orders", "", ""),
    ]
    assert [each.source.count for each in report.copied] == [2, 1, 1, 1, 1, 1, 1]
    assert [each.added for each in report.copied] == [2, 1, 1, 1, 1, 1, 1]
    assert len({each.source.checksum for each in report.copied}) == 7
    assert all(each.equal and len(each.target.checksum) == 64 for each in report.copied)


def test_a_copy_of_nothing_is_equal(source, target):
    assert copy_store(source, target) == CopyReport(())


def test_a_copy_without_history_carries_what_is_held_now_and_says_so(target):
    with MemoryDataStore() as source:
        for close in (1.0, 2.0):
            source.write_bars("AAPL", [PriceBar("AAPL", JAN_5, 1.0, 2.0, 0.5, close, 1)])
        report = copy_store(source, target, history=False)
    assert (report.ok, len(report.notes)) == (True, 1)
    assert (
        "what was replaced or deleted before, and snapshots, are in the source" in (report.notes[0])
    )
    assert [each.close for each in target.read_bars("AAPL")] == [2.0]


def test_a_copied_state_keeps_the_time_of_its_save():
    with MemoryDataStore() as source, MemoryDataStore() as target:
        source.save_strategy_state("value", {"n": 1})
        assert copy_store(source, target).ok
        copied, given = (each.load_versioned_state("value") for each in (target, source))
        assert copied.saved_at == given.saved_at


@pytest.mark.parametrize("is_corrected", [False, True])
def test_a_second_copy_writes_nothing(source, files, is_corrected):
    fill(source)
    if is_corrected:
        correct(source)
    copy_store(source, files("data"))
    nested = {"backend": "file", "base_path": files("data").base_path}
    readonly = storecore.open_store("readonly", store=nested)
    report = copy_store(source, readonly)
    assert report.ok
    assert sum(each.added for each in report.copied) == 0


def correct(store):
    """Replace or delete some of each kind that has a history, prune some of it, name a moment."""
    write(store, "write_bars", "AAPL", [(JAN_5, 1.25, 7)], "1d")
    store.prune_history(store.recorded_now())
    store.delete_bars("AAPL", JAN_5, JAN_5, timeframe="1m")
    write(store, "write_fundamental", "MSFT", JAN_5, None, "<y/>")
    store.delete_events(JAN_5, JAN_5)
    store.snapshot("corrected", "what was restated")


def test_what_is_written_after_a_copy_is_added_by_the_next(source, target):
    fill(source)
    copy_store(source, target)
    fill(source)
    report = copy_store(source, target)
    assert report.ok
    assert {each.kind: each.added for each in report.copied} == {
        "bars": 0,
        "fundamentals": 0,
        "events": 1,
        "state": 1,
        "decisions": 1,
        "orders": 1,
    }
    assert answers(target) == answers(source)


def test_what_the_target_alone_has_is_a_difference_and_stays(source, target):
    fill(target)
    report = copy_store(source, target)
    assert not report.ok
    assert report.differences == report.copied
    assert {each.kind for each in report.differences} == set(KINDS)
    assert all(each.source.count == 0 < each.target.count for each in report.copied)
    assert target.load_strategy_state("value") == {"cash": 1.5}


def test_progress_is_reported_for_every_record(source, target):
    fill(source)
    told = []
    copy_store(source, target, progress=lambda *each: told.append(each))
    assert told == [
        ("bars", "AAPL", 2),
        ("bars", "AAPL", 1),
        ("fundamentals", "MSFT", 1),
        ("events", "split", 1),
        ("state", "value", 1),
        ("decisions", "", 1),
        ("orders", "", 1),
    ]


def test_of_a_store_of_ten_methods_what_cannot_be_listed_is_left_out(sqlite, target):
    fill(sqlite)
    report = copy_store(sqlite, target)
    assert not report.ok
    assert [(each.kind, each.equal) for each in report.copied] == [("events", True)]
    lists = "the source cannot list"
    gives = "the source cannot list its records: it lacks the capability Transfer"
    assert report.left_out == (
        LeftOut("bars", f"{lists} its series: it lacks the capability Catalog"),
        LeftOut("fundamentals", f"{lists} them: it lacks the capability Transfer"),
        LeftOut("state", f"{lists} its strategies: it lacks the capability Catalog"),
        LeftOut("decisions", gives),
        LeftOut("orders", gives),
    )


def test_into_a_store_of_ten_methods_all_goes_but_chains_and_versions(source, sqlite):
    fill(source)
    report = copy_store(source, sqlite)
    assert not report.ok
    assert not report.differences
    assert [each.kind for each in report.left_out] == ["state", "decisions", "orders"]
    assert sqlite.read_bars("AAPL", date.min, date.max)[1].volume == 0.5
    assert sqlite.read_fundamental("MSFT") == source.read_fundamental("MSFT")
    assert sqlite.read_events(*EVER_UTC) == source.read_events(*EVER_UTC)
    assert sqlite.load_strategy_state("value") == {"cash": 1.5}
    again = copy_store(source, sqlite)
    assert sum(each.added for each in again.copied) == 0


def test_into_a_store_of_ten_methods_nothing_is_left_out_that_is_not_there(source, sqlite):
    write(source, "write_bars", "AAPL", [(JAN_5, 1.5, 7)], "1d")
    assert copy_store(source, sqlite).ok


def test_what_a_store_raises_is_raised(source, target):
    fill(source)
    target.close()
    with pytest.raises(storecore.StoreClosed):
        copy_store(source, target)


def test_the_checksums_are_of_what_is_said_and_say_it_to_others(source, target):
    write(source, "write_event", "split", JAN_5, {"b": 1, "a": 2})
    write(target, "write_event", "split", JAN_5, {"a": 2, "b": 1})
    (events,) = copy_store(source, target).copied
    record = (
        b'{"ingested_at":"2026-01-06T00:00:00Z","payload":{"a":2,"b":1},"source":"feed",'
        b'"symbol":null,"timestamp":"2026-01-05T00:00:00Z","type":"split"}'
    )
    expected = hashlib.sha256(b"%d:%b" % (len(record), record)).hexdigest()
    assert events.source.checksum == events.target.checksum == expected


def test_what_is_damaged_is_left_out_and_all_else_is_copied(tmp_path, bar, event, fundamental):
    source = storecore.open_store("file", base_path=tmp_path / "a", durability="os")
    target = storecore.open_store("memory")
    for symbol in ("AAPL", "MSFT"):
        source.write_bars(symbol, [bar(symbol=symbol)])
        source.write_fundamental(symbol, fundamental(symbol=symbol))
        source.save_strategy_state(symbol, {"n": 1})
    source.write_event(event())
    patterns = ["prices/AAPL/*.parquet", "fundamentals/AAPL/*.json", "state/+AAPL.json"]
    for path in [next((tmp_path / "a").glob(pattern)) for pattern in patterns]:
        path.write_bytes(b"x")
    report = copy_store(source, target)
    assert not report.ok
    assert [left.kind for left in report.left_out] == ["bars", "fundamentals", "state"]
    assert report.left_out[0].why.startswith("AAPL (1d): ")
    assert target.symbols() == ["MSFT"]
    assert target.strategies() == ["MSFT"]
    assert len(target.read_events(date.min, date.max)) == 1
