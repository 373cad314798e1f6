"""What is asked of a table of bars, and the table that answers it."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from storecore import InvalidData, InvalidName
from storecore.bars.extra import EVERY
from storecore.bars.query import bar_query, in_time_order, query_result, resolved
from storecore.bars.rows import BarColumns
from storecore.bars.table import FIELDS, series_table


def series(dates, close=1.0, volume=7):
    same = [[close] * len(dates)] * 4
    return series_table(BarColumns(list(dates), *same, [volume] * len(dates)))


# The question.


@pytest.mark.parametrize("symbols", ["AAPL", ["AAPL"], ("AAPL", "AAPL"), iter(["AAPL"]), {"AAPL"}])
def test_one_symbol_may_be_asked_for_by_itself(symbols):
    assert bar_query(symbols, None) == (["AAPL"], (*FIELDS, EVERY))


def test_symbols_are_sorted_and_columns_are_not():
    assert bar_query(["b", "a", "B"], ["close", "date"]) == (["B", "a", "b"], ("close", "date"))


def test_no_symbols_are_a_question_too():
    assert bar_query([], None).symbols == []


@pytest.mark.parametrize(("symbols", "place"), [(["A", ""], 1), ("\0", 0), ([None], 0)])
def test_n2_a_symbol_that_is_no_name_is_refused_by_its_place(symbols, place):
    with pytest.raises(InvalidName, match=rf"symbols\[{place}\]"):
        bar_query(symbols, None)


@pytest.mark.parametrize(("symbols", "columns"), [(7, None), (None, None), ("A", 7)])
def test_what_is_no_list_of_names_is_refused(symbols, columns):
    with pytest.raises(InvalidData, match="expected an iterable of str, got "):
        bar_query(symbols, columns)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["Close"], r"unknown column 'Close' \(did you mean 'close'\?\)"),
        (["clsoe"], "did you mean 'close'"),
        (["vwap"], "unknown column 'vwap'.* have symbol, date, open, high, low, close, volume"),
        ("close", r"='close': expected a list of names; give \['close'\]"),
        ([7], "unknown column 7"),
        ([["close"]], "unknown column"),
        ([np.array(["close", "open"])], "unknown column"),
        ([pd.NA], "unknown column <NA>"),
        ([], "expected some columns, each once"),
        (["close", "close"], "expected some columns, each once"),
    ],
)
def test_a_column_that_there_is_not_is_refused(columns, message):
    with pytest.raises(InvalidData, match=message):
        bar_query("AAPL", columns, extra=False)


# The answer.


def test_series_follow_each_other_in_one_table():
    table = query_result([("A", series([1, 2])), ("B", series([1]))], FIELDS, aware=True)
    assert table["symbol"].to_pylist() == ["A", "A", "B"]
    assert table["date"].cast(pa.int64()).to_pylist() == [1, 2, 1]


@pytest.mark.parametrize(
    ("aware", "kind"), [(True, "timestamp[us, tz=UTC]"), (False, "timestamp[us]")]
)
@pytest.mark.parametrize("named", [[], [("A", series([]))], [("A", series([1]))]])
def test_every_answer_has_one_schema(named, aware, kind):
    schema = query_result(named, FIELDS, aware).schema
    assert dict(zip(schema.names, map(str, schema.types), strict=True)) == {
        "symbol": "string",
        "date": kind,
        **dict.fromkeys(("open", "high", "low", "close", "volume"), "double"),
    }
    assert not any(field.nullable for field in schema)


@pytest.mark.parametrize("columns", [("symbol",), ("close", "symbol"), ("volume",), ("date",)])
def test_an_answer_has_the_columns_that_were_asked_for(columns):
    assert query_result([("A", series([1]))], columns, aware=True).column_names == list(columns)


def test_t2_dates_are_the_same_instants_naive_or_aware():
    table = query_result([("A", series([0]))], ("date",), aware=False)
    assert table["date"].to_pylist() == [datetime(1970, 1, 1)]


@pytest.mark.parametrize(
    ("volumes", "kind", "answered"),
    [
        ([2**53 + 1, 7], "int64", [2**53 + 1, 7]),
        ([2**53 + 1, 0.5], "double", [2.0**53, 0.5]),
        ([2**53 + 1, 1e300], "double", [2.0**53, 1e300]),
        ([2**53, 7], "double", [2.0**53, 7.0]),
        ([2**63 - 1, 0], "int64", [2**63 - 1, 0]),
    ],
)
def test_b5_volumes_are_int64_where_only_that_is_exact(volumes, kind, answered):
    named = [(str(row), series([1], volume=volume)) for row, volume in enumerate(volumes)]
    column = query_result(named, FIELDS, aware=True)["volume"]
    assert (str(column.type), column.to_pylist()) == (kind, answered)


# In order of time.


@pytest.mark.parametrize("columns", [FIELDS, ("close",), ("symbol", "close"), ("close", "date")])
def test_rows_in_order_of_time_are_sorted_by_date_then_symbol(columns):
    named = [("A", series([1, 3], 1.0)), ("B", series([1, 2], 2.0))]
    table = in_time_order(named, columns, aware=True)
    assert table.column_names == list(columns)
    assert table["close"].to_pylist() == [1.0, 2.0, 2.0, 1.0]


def test_one_series_is_in_order_already():
    table = in_time_order([("A", series([1, 3]))], ("symbol", "date"), aware=True)
    assert table["date"].cast(pa.int64()).to_pylist() == [1, 3]


# Further columns.


def further(dates, **columns):
    table = series(dates)
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    return table


EVERYTHING = (*FIELDS, EVERY)


def test_b6_every_further_column_follows_the_seven_by_name():
    named = [("A", further([1], z=[1.5])), ("B", further([1], a=["X"], z=[7])), ("C", series([2]))]
    table = query_result(named, EVERYTHING, aware=True)
    assert table.column_names == [*FIELDS, "a", "z"]
    assert (table["a"].to_pylist(), table["z"].to_pylist()) == ([None, "X", None], [1.5, 7.0, None])
    assert [field.name for field in table.schema if field.nullable] == ["a", "z"]


def test_b6_a_series_without_rows_tells_its_columns():
    table = query_result([("A", further([], z=pa.array([], pa.int64())))], EVERYTHING, aware=True)
    assert (len(table), table.column_names) == (0, [*FIELDS, "z"])


def test_b6_columns_that_are_not_asked_for_need_no_common_type():
    named = [("A", further([1], x=[1.5], y=[1])), ("B", further([1], x=["X"], y=[2]))]
    table = query_result(named, ("y", "close"), aware=True)
    assert table.to_pydict() == {"y": [1, 2], "close": [1.0, 1.0]}
    with pytest.raises(InvalidData, match="'x' is float64 for 'A' and string for 'B'"):
        query_result(named, EVERYTHING, aware=True)


def test_b6_a_column_that_no_series_has_is_refused_with_the_nearest():
    with pytest.raises(
        InvalidData, match=r"unknown column 'vwpa' \(did you mean 'vwap'\?\); these"
    ):
        query_result([("A", series([1]))], ("vwpa",), aware=True, others=lambda: ["vwap"])


@pytest.mark.parametrize("name", ["", "a\n", 7])
def test_b6_what_cannot_be_a_column_is_refused(name):
    with pytest.raises(InvalidData, match=r"^columns: "):
        bar_query("A", ["close", name])


def test_b6_a_null_volume_is_null_in_an_answer():
    named = [("A", series([1], volume=None)), ("B", series([1], volume=2**53 + 1))]
    volumes = query_result(named, FIELDS, aware=True).column("volume")
    assert (str(volumes.type), volumes.to_pylist()) == ("int64", [None, 2**53 + 1])


def test_b6_a_query_of_a_stream_is_resolved_before_it_begins():
    kinds = [("A", {"x": "int64", "y": "string"}), ("B", {"x": "float64", "y": "bool"})]
    query, asked = resolved(bar_query(["A", "B"], ["x", "close"]), kinds)
    assert (query.columns, asked) == (("x", "close"), {"x": "float64"})
    with pytest.raises(InvalidData, match="'y' is string for 'A' and bool for 'B'"):
        resolved(bar_query(["A", "B"], None), kinds)
    with pytest.raises(InvalidData, match=r"unknown column 'yy' \(did you mean 'y'\?\)"):
        resolved(bar_query(["A", "B"], ["yy"]), kinds)


def test_b6_a_table_in_order_of_time_has_the_columns_of_the_query():
    named = [("A", further([2], x=[7])), ("B", series([1]))]
    columns = (*FIELDS, "x", "y")
    table = in_time_order(named, columns, aware=True, kinds={"x": "float64", "y": "bool"})
    assert (table.column_names, table["x"].to_pylist()) == (list(columns), [None, 7.0])
