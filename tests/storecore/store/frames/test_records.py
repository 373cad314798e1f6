"""`to_frame`: one row a record, one column a field, in pandas and in Polars."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pytest
from msgspec.structs import replace

import storecore
from storecore import (
    AuditLine,
    Coverage,
    DecisionRecord,
    Finding,
    InvalidData,
    OrderRecord,
    PriceBar,
    StateVersion,
    to_frame,
)

NOON = datetime(2026, 1, 5, 12)
NOON_UTC = NOON.replace(tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
EVER = datetime.min, datetime.max


def bars(*volumes):
    return [
        PriceBar("AAPL", NOON + timedelta(n), 1.0, 2.0, 0.5, 1.5, each)
        for n, each in enumerate(volumes)
    ]


def rows_of(frame):
    """The rows of a frame of either library, a missing value as None."""
    if isinstance(frame, pd.DataFrame):
        frame = frame.astype(object).where(frame.notna(), None)
        return [tuple(row) for row in frame.itertuples(index=False)]
    return frame.rows()


both = pytest.mark.parametrize("to", ["pandas", "polars"])


@both
def test_a_bar_is_a_row_and_its_fields_are_columns_of_its_types(to):
    given = [*bars(7, 0.5), replace(bars(7)[0], volume=None, extra={"vwap": 1.25})]
    frame = to_frame(given, to=to)
    assert list(frame.columns) == list(PriceBar.__struct_fields__)
    assert [row[2:] for row in rows_of(frame)] == [
        (1.0, 2.0, 0.5, 1.5, 7.0, None),
        (1.0, 2.0, 0.5, 1.5, 0.5, None),
        (1.0, 2.0, 0.5, 1.5, None, {"vwap": 1.25}),
    ]
    assert frame["date"].to_list() == [each.date for each in given]


def test_columns_of_pandas_have_the_types_of_their_values():
    kinds = {name: str(kind) for name, kind in to_frame(bars(7, 8)).dtypes.items()}
    assert (kinds["date"], kinds["open"], kinds["volume"]) == ("datetime64[us]", "float64", "int64")
    assert str(to_frame(bars(7, None)).dtypes["volume"]) == "Int64"
    assert str(to_frame(bars(7, 0.5)).dtypes["volume"]) == "float64"


def test_columns_of_polars_have_the_types_of_their_values():
    schema = to_frame(bars(7, None), to="polars").schema
    assert (schema["date"], schema["open"]) == (pl.Datetime("us"), pl.Float64)
    assert (schema["symbol"], schema["volume"], schema["extra"]) == (pl.String, pl.Int64, pl.Object)


@both
def test_numbers_that_no_common_type_holds_stay_as_they_are(to):
    for volumes in ([2**53 + 1, 0.5], [2**70, 1]):
        column = to_frame(bars(*volumes), to=to)["volume"].to_list()
        assert (column, [type(each) for each in column]) == (volumes, [type(v) for v in volumes])


@both
def test_a_column_without_any_value_has_the_type_of_its_field(to, order):
    result = storecore.OrderResult("1", "new")
    frame = to_frame([OrderRecord(1, NOON_UTC, "value", order(), result, "", "h")], to=to)
    kinds = dict(zip(frame.columns, map(str, frame.dtypes), strict=True))
    assert kinds["limit_price"].lower() == kinds["fill_quantity"].lower() == "float64"
    assert kinds["result_extra"].lower().startswith("object")
    empty = to_frame([Coverage(None, None, 0)], to=to)
    assert "UTC" in str(dict(zip(empty.columns, empty.dtypes, strict=True))["first"])


@both
def test_the_fields_of_a_record_within_a_record_are_columns(to, decision, order):
    decided = DecisionRecord(1, NOON_UTC, "value", decision(extra={"rank": [1]}), "", "h")
    (row,) = rows_of(to_frame([decided], to=to))
    frame = to_frame([decided], to=to)
    assert list(frame.columns) == [
        *("seq", "timestamp", "strategy", "symbol", "action", "target_weight", "confidence"),
        *("reasoning", "extra", "prev", "hash", "as_of", "run", "reads"),
    ]
    found = dict(zip(frame.columns, row, strict=True))
    assert (found["action"], found["extra"]) == (decided.decision.action.value, {"rank": [1]})
    result = storecore.OrderResult("1", "new", extra={"fees": 1})
    ordered = OrderRecord(1, NOON_UTC, "value", order(extra={"tif": "day"}), result, "", "h")
    frame = to_frame([ordered], to=to)
    assert frame["order_extra"].to_list() == [{"tif": "day"}]
    assert frame["result_extra"].to_list() == [{"fees": 1}]


@both
def test_dicts_stay_as_they_are(to, event):
    payloads = [{"a": 1}, {"b": {"c": [1, "x"]}}, {}]
    frame = to_frame([event(payload=each) for each in payloads], to=to)
    assert frame["payload"].to_list() == payloads
    versions = to_frame([StateVersion(2, {"cash": 1.5}), StateVersion(1, None)], to=to)
    assert versions["state"].to_list() == [{"cash": 1.5}, None]


@both
@pytest.mark.parametrize(
    ("stamps", "zone"),
    [
        ([NOON, NOON], None),
        ([NOON_UTC], "UTC"),
        ([NOON.replace(tzinfo=NEW_YORK)] * 2, "America/New_York"),
        ([NOON.replace(tzinfo=NEW_YORK), NOON], "UTC"),
        ([NOON.replace(tzinfo=timezone(timedelta(hours=9)))], "UTC"),
    ],
    ids=["naive", "utc", "named", "mixed", "offset"],
)
def test_times_keep_the_one_named_zone_that_they_have_or_become_utc(to, stamps, zone, fundamental):
    column = to_frame([fundamental(each) for each in stamps], to=to)["timestamp"]
    kind = getattr(column.dtype, "time_zone", None) or getattr(column.dtype, "tz", None)
    assert (kind and str(kind)) == zone
    aware = [each if each.tzinfo else each.replace(tzinfo=UTC) for each in stamps]
    assert column.to_list() == (aware if zone else stamps)


@both
def test_other_values_that_stores_return_are_records_too(to):
    findings = to_frame([Finding("damaged", "x", "y", line=3), Finding("torn", "x", "y")], to=to)
    assert findings["kind"].to_list() == ["damaged", "torn"]
    lines = to_frame([AuditLine(date(2026, 1, 5), b"{}\n")], to=to)
    assert (lines["day"].to_list(), lines["line"].to_list()) == ([date(2026, 1, 5)], [b"{}\n"])


@both
def test_what_a_store_reads_is_a_frame_in_one_call(to, event):
    with storecore.open_store("memory") as store:
        store.write_event(event())
        assert to_frame(store.read_events(*EVER), to=to)["type"].to_list() == [event().type]
        assert len(to_frame(iter(store.read_events(*EVER)), to=to)) == 1
        assert to_frame(store.read_decisions(*EVER), to=to).shape == (0, 0)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (bars(1)[0], "records: expected a list of records, got PriceBar"),
        ("AAPL", "records: expected a list of records, got str"),
        (7, "records: expected a list of records, got int"),
        ([{"a": 1}], r"records\[0\]: expected a record, got dict"),
        ([PriceBar], r"records\[0\]: expected a record, got StructMeta"),
        (
            [*bars(1), StateVersion(0, None)],
            r"records\[1\]: expected PriceBar as in the rows before, got StateVersion",
        ),
    ],
)
def test_what_is_no_list_of_records_of_one_kind_is_refused(records, message):
    with pytest.raises(InvalidData, match=message):
        to_frame(records)


def test_another_library_and_one_that_is_not_installed_are_refused(monkeypatch):
    with pytest.raises(InvalidData, match=r"to='arrow': expected \"pandas\" or \"polars\""):
        to_frame([], to="arrow")
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(InvalidData, match="polars is not installed; run: pip install polars"):
        to_frame([], to="polars")
