"""Checksums of answers: those of RECEIPTS.md, those of copies, and of what was answered then."""

from __future__ import annotations

import sys
from datetime import timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from storecore import Coverage, SeriesCoverage, StateVersion
from storecore.bars.rows import bar_columns
from storecore.bars.table import series_table
from storecore.builtin.memory import MemoryDataStore
from storecore.knowledge.checksums import TableDigest, checksum, kept
from storecore.store.digests import BarDigest
from storecore.testing.records import (
    NOON,
    NOON_UTC,
    bar,
    decision,
    event,
    fundamental,
    json_values,
    names,
    prices,
    sent,
    text,
)

sys.path.append(str(Path(__file__).parent))
import by_the_page as page

DAY = timedelta(days=1)
EAST = timezone(timedelta(hours=9))
NAMES = ("vwap", "trades", "halted", "venue", "auction")
COLUMNS = ("date", "close", "volume", "symbol", *NAMES)
volumes = st.none() | st.integers(0, 2**63 - 1) | st.floats(0, 1e18)
values = {
    "vwap": st.floats(),
    "trades": st.integers(-(2**63), 2**63 - 1),
    "halted": st.booleans(),
    "venue": st.just("") | names,
    "auction": st.datetimes(),
}
extras = st.fixed_dictionaries({}, optional=values)
bars = st.lists(st.tuples(prices, volumes, st.none() | extras), max_size=6).map(
    lambda rows: [
        bar(NOON + number * DAY, close, volume=volume, extra=extra or None)
        for number, (close, volume, extra) in enumerate(rows)
    ]
)


@given(bars)
def test_bars_have_the_checksum_of_the_page_and_of_copies(given_bars):
    found = checksum(given_bars)
    assert found == (len(given_bars), page.of_bars([asdict(each) for each in given_bars]))
    digest = BarDigest()
    digest.add(series_table(bar_columns("AAPL", given_bars, extra=True)))
    tally = digest.tally()
    assert (tally.count, tally.checksum or page.NOTHING) == found
    assert checksum(kept(given_bars)) == found


def test_a_time_of_bars_has_one_checksum_naive_or_aware():
    naive, aware = bar(NOON), bar(NOON_UTC)
    assert checksum([naive]) == checksum([aware]) != checksum([bar(NOON + DAY)])


@given(
    bars, st.sets(st.sampled_from(["date", "close", "volume", "symbol", *NAMES])), st.integers(1, 4)
)
def test_tables_have_the_checksum_of_the_page_however_they_are_cut(given_bars, columns, piece):
    asked = {*columns, "open"}
    with MemoryDataStore() as store:
        store.write_bars("AAPL", given_bars)
        table = store.read_bar_table("AAPL")
    table = table.select([name for name in table.column_names if name in asked])
    rows = table.to_pylist()
    expected = (len(table), page.of_table(table.column_names, rows))
    assert checksum(table) == expected
    digest = TableDigest()
    for start in range(0, len(table), piece):
        digest.add(table.slice(start, piece))
    assert digest.sum() == expected


def test_a_column_that_is_null_in_all_rows_does_not_count():
    """Another bar of the series may have brought it, later."""
    table = pa.table({"close": [1.0]})
    more = table.append_column("vwap", pa.nulls(1, pa.float64()))
    assert checksum(table) == checksum(more)


def test_volumes_that_are_equal_have_one_checksum_whatever_their_type():
    whole, floats = (pa.table({"volume": pa.array([5, 7], kind)}) for kind in ("int64", "float64"))
    assert checksum(whole) == checksum(floats)
    assert checksum(whole) != checksum(pa.table({"volume": pa.array([5, None], "int64")}))


@given(st.lists(st.dictionaries(text, json_values, max_size=3), max_size=4))
def test_events_states_and_names_have_the_checksum_of_the_page(payloads):
    events = [event(payload=each, symbol=None) for each in payloads]
    records = [page.canonical(asdict(each)) for each in events]
    assert checksum(events) == checksum(kept(events)) == (len(events), page.of_records(records))
    for number, state in enumerate(payloads):
        assert (
            checksum(state)
            == checksum(kept(state))
            == (1, page.of_records([page.canonical(state)]))
        )
        version = StateVersion(number, state)
        record = page.canonical({"version": number, "state": state})
        assert checksum(version) == checksum([version]) == (1, page.of_records([record]))
        assert checksum(kept(version)) == checksum(kept([version])) == checksum(version)
    listed = sorted(name for each in payloads for name in each)
    assert checksum(listed) == (len(listed), page.of_records(map(page.canonical, listed)))


@given(prices)
def test_a_float_is_written_as_the_page_says(value):
    assert checksum({"x": value}).sha256 == page.of_records(['{"x":' + page.number(value) + "}"])


FILINGS = [
    fundamental(NOON),
    fundamental(NOON_UTC, employees=7, shares_outstanding=1.5e16, extra={"b": 1, "a": [None]}),
    fundamental(NOON.replace(tzinfo=ZoneInfo("America/New_York")), float_shares=10**20),
    fundamental(NOON.replace(tzinfo=EAST), raw_xml='<x a="é\\"/>\n'),
]


def test_fundamentals_have_the_checksum_of_the_page():
    records = []
    for each in FILINGS:
        zone = getattr(each.timestamp.tzinfo, "key", None)
        given_data = asdict(each) | {"timestamp": each.timestamp.isoformat(), "timezone": zone}
        records.append(page.filing(given_data))
        assert checksum(each) == checksum(kept(each)) == (1, page.of_records(records[-1:]))
    assert checksum(FILINGS) == checksum(kept(FILINGS)) == (4, page.of_records(records))


def test_extents_have_the_checksum_of_the_page():
    assert checksum(Coverage(None, None, 0)) == (
        1,
        page.of_records([page.canonical({"first": None, "last": None, "count": 0})]),
    )
    extents = [SeriesCoverage("A", "1d", NOON_UTC, NOON_UTC + DAY, 2)]
    assert checksum(extents) == (1, page.of_records([page.canonical(asdict(extents[0]))]))
    assert checksum([replace(extents[0], first=NOON)]) == checksum(extents)


def test_records_have_the_checksum_of_their_hashes():
    with MemoryDataStore() as store:
        store.log_decisions("value", [decision()] * 2)
        store.log_order("value", *sent())
        decided, ordered = store.read_decisions(), store.read_orders()
    assert (
        checksum(decided)
        == checksum(kept(decided))
        == (2, page.of_records([each.hash for each in decided]))
    )
    assert checksum(ordered) == (1, page.of_records([ordered[0].hash]))


@pytest.mark.parametrize("answer", [None, [], pa.table({"close": pa.array([], "float64")})])
def test_an_answer_without_rows_has_the_checksum_of_nothing(answer):
    assert checksum(answer) == checksum(kept(answer)) == (0, page.NOTHING)


CHANGED = {
    "a bar that is removed": ([bar(), bar(NOON + DAY)], lambda answer: answer.pop()),
    "a further column": ([bar(extra={"vwap": 1.0})], lambda answer: answer[0].extra.clear()),
    "a payload": ([event()], lambda answer: answer[0].payload.update(text="down")),
    "a nested payload": (
        [event(payload={"legs": [{"x": 1}]})],
        lambda answer: answer[0].payload["legs"][0].clear(),
    ),
    "a filing": (fundamental(extra={"eps": [1]}), lambda answer: answer.extra["eps"].append(2)),
    "filings": ([fundamental(extra={"eps": 1})], lambda answer: answer[0].extra.clear()),
    "a state": ({"positions": {"A": 1}}, lambda answer: answer["positions"].clear()),
    "a version": (StateVersion(1, {"a": 1}), lambda answer: answer.state.clear()),
    "versions": ([StateVersion(1, {"a": 1})], lambda answer: answer[0].state.clear()),
    "names": (["A", "B"], lambda answer: answer.reverse()),
}


@pytest.mark.parametrize(("answer", "change"), CHANGED.values(), ids=CHANGED)
def test_what_the_caller_does_to_an_answer_changes_no_checksum(answer, change):
    before, copy = checksum(answer), kept(answer)
    change(answer)
    assert checksum(copy) == before != checksum(answer)


def test_what_is_one_row_more_or_less_or_in_another_order_has_another_checksum():
    three = [bar(NOON + number * DAY, 100.0 + number) for number in range(3)]
    sums = {checksum(each) for each in (three, three[1:], three[:2], [three[0], three[2]])}
    assert len(sums) == 4
    listed = {checksum(each) for each in (["AB", "C"], ["A", "BC"], ["ABC"], ["C", "AB"])}
    assert len(listed) == 4


def test_checksums_of_bars_need_no_arrow():
    """A strategy without tables has receipts without it."""
    import subprocess

    code = (
        "import sys; from datetime import datetime; from storecore import PriceBar;"
        "from storecore.knowledge.checksums import checksum, kept;"
        "checksum(kept([PriceBar('A', datetime(2026, 1, 5), 1.0, 1.0, 1.0, 1.0, 1)]));"
        "sys.exit('pyarrow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
