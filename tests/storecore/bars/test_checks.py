"""Laws B2, N1, N2 and T1 for a table: it is refused, or taken, as a list of its bars would be."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import InvalidData, InvalidName, PriceBar
from storecore.bars.checks import checked_series, misfit_in
from storecore.bars.extra_values import Misfit
from storecore.bars.rows import bar_columns
from storecore.bars.table import FIELDS, bar_columns_of
from storecore.values.times import EARLIEST, LATEST

JAN_5 = datetime(2026, 1, 5)
MICROSECOND = timedelta(microseconds=1)
PRICES = ("open", "high", "low", "close")


def bars_table(rows=3, **columns):
    """Return a good table; any column can be given in place of its own."""
    plain = {
        "symbol": pa.array(["AAPL"] * rows, pa.string()),
        "date": pa.array([JAN_5 + timedelta(day) for day in range(rows)], pa.timestamp("us")),
        **{name: pa.array([100.25] * rows, pa.float64()) for name in PRICES},
        "volume": pa.array(list(range(rows)), pa.int64()),
    }
    return pa.table(plain | columns)


def taken(table):
    return {symbol: bar_columns_of(series) for symbol, series in checked_series(table)}


GOOD = {"AAPL": taken(bars_table())["AAPL"]}


# A table is taken exactly as the list of its bars.

odd_prices = st.sampled_from([math.nan, math.inf, -math.inf])
odd_volumes = st.sampled_from([-1.0, -0.5, -5e-324, math.nan, math.inf])
prices = st.floats(allow_nan=False, allow_infinity=False)
float_volumes = st.floats(0, allow_infinity=False)
whole_volumes = st.integers(0, 2**63 - 1) | st.integers(2**53 - 2, 2**53 + 2)
seldom = st.integers(0, 30).map(lambda draw: draw == 0)
names = st.sampled_from(["AAPL", "aapl", "BRK/B"])
dates = st.integers(0, 12).map(lambda day: JAN_5 + day * timedelta(hours=7))


@st.composite
def batches(draw):
    """Rows of bars, most of them good, and the type of their volumes."""
    whole = draw(st.booleans())
    volumes, rows = whole_volumes if whole else float_volumes, []
    for _ in range(draw(st.integers(0, 12))):
        values = [draw(odd_prices if draw(seldom) else prices) for _ in PRICES]
        odd = st.integers(-(2**63), -1) if whole else odd_volumes
        rows.append((draw(names), draw(dates), *values, draw(odd if draw(seldom) else volumes)))
    return rows, pa.int64() if whole else pa.float64()


@given(batch=batches())
def test_b2_a_table_is_taken_or_refused_as_the_lists_of_its_bars_are(batch):
    rows, kind = batch
    table = bars_table(
        **{
            name: pa.array([row[number] for row in rows], bars_table().schema.field(name).type)
            for number, name in enumerate(FIELDS[:-1])
        },
        volume=pa.array([row[-1] for row in rows], kind),
    )
    try:
        expected = {
            symbol: bar_columns(symbol, [PriceBar(*row) for row in rows if row[0] == symbol])
            for symbol in sorted({row[0] for row in rows})
        }
    except InvalidData:
        with pytest.raises(InvalidData) as caught:
            checked_series(table)
        row, field = re.match(r"table\[(\d+)\]\.(\w+)=", str(caught.value)).groups()
        value = rows[int(row)][FIELDS.index(field)]
        assert not math.isfinite(value) or (field == "volume" and value < 0)
        return
    found = taken(table)
    assert found == expected
    assert list(found) == sorted(found)
    for symbol, columns in found.items():
        kinds = [type(volume) for volume in columns.volume]
        assert kinds == [type(volume) for volume in expected[symbol].volume]


@given(st.data())
def test_b1_rows_in_any_order_are_sorted_and_the_last_of_a_date_wins(data):
    rows = data.draw(st.lists(st.tuples(names, dates), min_size=1, max_size=30))
    close = [float(row) for row in range(len(rows))]
    table = bars_table(
        len(rows),
        symbol=pa.array([symbol for symbol, _ in rows]),
        date=pa.array([at for _, at in rows], pa.timestamp("us")),
        close=pa.array(close),
    )
    chunked = pa.concat_tables([table.slice(0, len(rows) // 2), table.slice(len(rows) // 2)])
    last = dict(zip(rows, close, strict=True))
    expected = [(symbol, last[symbol, at]) for symbol, at in sorted(last)]
    for given_as in (table, chunked):
        found = taken(given_as)
        assert [(symbol, value) for symbol in found for value in found[symbol].close] == expected


# What is refused, by row and field.


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", PRICES)
def test_b2_a_price_that_is_none_is_refused_by_row_and_field(name, value):
    with pytest.raises(InvalidData, match=rf"^table\[2\]\.{name}={value}: expected a finite"):
        checked_series(bars_table(**{name: pa.array([1.0, 2.0, value])}))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (pa.array([1, -1, 2]), r"^table\[1\]\.volume=-1: expected a volume of 0 or more"),
        (pa.array([1.0, 2.0, -0.5]), r"^table\[2\]\.volume=-0\.5: expected a volume of 0 or"),
        (pa.array([1.0, math.nan, 2.0]), r"^table\[1\]\.volume=nan: expected a finite number"),
        (pa.array([1, 2, 2**63], pa.uint64()), r"^table\[2\]\.volume=9223372036854775808: out of"),
    ],
)
def test_b2_a_volume_that_is_none_is_refused_by_row_and_field(array, message):
    with pytest.raises(InvalidData, match=message):
        checked_series(bars_table(volume=array))


def test_b2_a_whole_price_that_no_float_equals_is_refused():
    with pytest.raises(InvalidData, match=r"^table\[1\]\.open=9007199254740993: no 64-bit float"):
        checked_series(bars_table(open=pa.array([2**53, 2**53 + 1, 2**53 + 2])))


@pytest.mark.parametrize("name", FIELDS[:-1])
def test_b2_a_null_is_refused_by_row_and_field(name):
    column = bars_table()[name].to_pylist()
    array = pa.array([column[0], None, column[2]], bars_table().schema.field(name).type)
    with pytest.raises(InvalidData, match=rf"^table\[1\]\.{name}=null: expected a value"):
        checked_series(bars_table(**{name: array}))


def test_b2_a_null_in_a_dictionary_of_symbols_is_refused():
    indices = pa.array([0, 1, 0], pa.int8())
    symbols = pa.DictionaryArray.from_arrays(indices, pa.array(["AAPL", None]))
    with pytest.raises(InvalidData, match=r"^table\[1\]\.symbol=null"):
        checked_series(bars_table(symbol=symbols))


@pytest.mark.parametrize(
    "array",
    [
        pa.array([True, False, True]),
        pa.array(["1.5", "2", "3"]),
        pa.array([Decimal("1.5")] * 3),
        pa.array([JAN_5] * 3, pa.timestamp("us")),
        pa.array([1.0, 2.0, 1.0]).dictionary_encode(),
        pa.array([[1.0]] * 3),
        pa.array([timedelta(1)] * 3),
    ],
    ids=lambda array: str(array.type),
)
@pytest.mark.parametrize("name", ["close", "volume"])
def test_b2_what_is_no_column_of_numbers_is_refused(name, array):
    with pytest.raises(InvalidData, match=rf"^table\.{name}: expected numbers, got "):
        checked_series(bars_table(**{name: array}))


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["2026-01-05"] * 3),
        pa.array([1, 2, 3]),
        pa.array([1.5] * 3),
        pa.nulls(3),
        pa.array([timedelta(1)] * 3),
        pa.array([0, 1, 2], pa.time64("us")),
    ],
    ids=lambda array: str(array.type),
)
def test_b2_what_is_no_column_of_dates_is_refused(array):
    with pytest.raises(InvalidData, match=r"^table\.date: expected timestamps or dates, got "):
        checked_series(bars_table(date=array))


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1, 2, 3]),
        pa.array([b"A"] * 3),
        pa.nulls(3),
        pa.array([1, 2, 3]).dictionary_encode(),
    ],
    ids=lambda array: str(array.type),
)
def test_b2_what_is_no_column_of_text_is_refused(array):
    with pytest.raises(InvalidData, match=r"^table\.symbol: expected text, got "):
        checked_series(bars_table(symbol=array))


@pytest.mark.parametrize("name", ["", "A\0B"])
def test_n2_a_name_that_is_none_is_refused(name):
    with pytest.raises(InvalidName, match=r"table\.symbol"):
        checked_series(bars_table(symbol=pa.array(["AAPL", name, "AAPL"])))


@pytest.mark.parametrize("text", [b"\xff\xfe", "\ud800".encode("utf-8", "surrogatepass")])
def test_n2_what_is_no_text_at_all_is_refused(text):
    symbols = pa.array([b"AAPL", text, b"AAPL"]).view(pa.string())
    with pytest.raises(InvalidName, match=r"table\.symbol: not text"):
        checked_series(bars_table(symbol=symbols))


@pytest.mark.parametrize("name", ["BRK/B", "../../x", "Ünïcødé", "x" * 300, " ", "CON"])
def test_n1_any_other_name_is_one(name):
    table = bars_table(symbol=pa.array([name] * 3), date=bars_table()["date"])
    assert list(taken(table)) == [name]


# The columns.


@pytest.mark.parametrize("name", FIELDS)
def test_b2_a_missing_column_is_refused(name):
    with pytest.raises(InvalidData, match=rf"^table: expected one column '{name}', got 0; a"):
        checked_series(bars_table().drop_columns(name))


@pytest.mark.parametrize(
    ("given_as", "name"), [("Close", "close"), ("SYMBOL", "symbol"), ("volumes", "volume")]
)
def test_b2_a_misspelt_column_is_named(given_as, name):
    renamed = [given_as if each == name else each for each in FIELDS]
    with pytest.raises(InvalidData, match=rf"'{name}', got 0; is it '{given_as}'\?"):
        checked_series(bars_table().rename_columns(renamed))


def test_b2_a_column_that_is_given_twice_is_refused():
    table = bars_table()
    with pytest.raises(InvalidData, match="expected one column 'close', got 2; a table"):
        checked_series(table.append_column("close", table["close"]))


def test_b6_a_backend_without_further_columns_refuses_them_and_null_volumes():
    further = bars_table().append_column("adj_close", bars_table()["close"])
    with pytest.raises(InvalidData, match=r"^table: unknown column 'adj_close'; this backend was"):
        checked_series(further, "refuse")
    nulls = bars_table(volume=pa.array([7.0, None, None]))
    with pytest.raises(InvalidData, match=r"^table\[1\]\.volume=null: this backend was"):
        checked_series(nulls, "refuse")


def extended(**columns):
    table = bars_table()
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table


@pytest.mark.parametrize(
    ("array", "kind", "kept"),
    [
        (pa.array([0.5, None, float("nan")]), "double", [0.5, None, math.nan]),
        (pa.array([0.5, 1, 2], pa.float16()), "double", [0.5, 1.0, 2.0]),
        (pa.array([0, 255, None], pa.uint8()), "int64", [0, 255, None]),
        (pa.array([0, 2**63 - 1, None], pa.uint64()), "int64", [0, 2**63 - 1, None]),
        (pa.array([7, None, 7]).dictionary_encode(), "int64", [7, None, 7]),
        (pa.array([True, None, False]), "bool", [True, None, False]),
        (pa.array(["a", None, ""], pa.large_string()), "string", ["a", None, ""]),
        (pa.array(["a", None, "a"]).dictionary_encode(), "string", ["a", None, "a"]),
        (pa.array([JAN_5, None, JAN_5]), "timestamp[us, tz=UTC]", ["JAN_5", None, "JAN_5"]),
        (
            pa.array([JAN_5, None, None], pa.timestamp("ns")),
            "timestamp[us, tz=UTC]",
            ["JAN_5", None, None],
        ),
        (pa.array([JAN_5.date(), None, None]), "timestamp[us, tz=UTC]", ["JAN_5", None, None]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_b6_a_further_column_is_kept_as_one_of_the_types(array, kind, kept):
    ((_, series),) = checked_series(extended(x=array))
    column = series["x"]
    found = column.cast("int64") if kind.startswith("time") else column
    epoch = (JAN_5 - datetime(1970, 1, 1)) // MICROSECOND
    expected = [epoch if each == "JAN_5" else each for each in kept]
    assert (str(column.type), list(map(repr, found.to_pylist()))) == (
        kind,
        list(map(repr, expected)),
    )


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (
            "x",
            pa.array([[1.0]] * 3),
            r"^table\.x: expected numbers, booleans, text or timestamps, got",
        ),
        (
            "x",
            pa.array([b"x"] * 3),
            r"^table\.x: expected numbers, .*binary; cast it, or leave it out",
        ),
        ("x", pa.array([Decimal("1.5")] * 3), r"^table\.x: expected numbers, .*got decimal"),
        ("x", pa.array([0, 2**63, 1], pa.uint64()), r"^table\[1\]\.x=9223372036854775808: out of"),
        ("x", pa.array(["", "a\0", ""]), r"^table\[1\]\.x: contains a NUL character"),
        ("x", pa.array([0, 1, 2], pa.timestamp("ns")), r"^table\[1\]\.x=1 ns: a store keeps whole"),
        ("x", pa.array([0, 2**60, 2], pa.timestamp("s")), r"^table\[1\]\.x: outside the years"),
        ("", pa.array([1, 2, 3]), "^table: '' cannot be the name of a further column: it is empty"),
        ("a\n", pa.array([1, 2, 3]), "it contains a control character"),
    ],
)
def test_b6_a_further_column_that_is_none_is_refused(name, array, message):
    with pytest.raises(InvalidData, match=message):
        checked_series(extended(**{name: array}))


def test_b6_a_further_column_that_is_no_text_is_refused():
    bytes_ = pa.array([b"", b"\xff", b""])
    texts = pa.StringArray.from_buffers(3, *bytes_.buffers()[1:])
    with pytest.raises(InvalidData, match=r"^table\.x: not text"):
        checked_series(extended(x=texts))


def test_b6_a_further_column_that_there_is_twice_is_refused():
    table = extended(x=pa.array([1, 2, 3]))
    with pytest.raises(InvalidData, match="expected one column 'x', got 2"):
        checked_series(table.append_column("x", table["x"]))


def test_b6_further_columns_are_sorted_and_those_without_a_type_are_not_given():
    given_as = extended(z=pa.array([1, 2, 3]), a=pa.array([1, 2, 3]), n=pa.nulls(3))
    ((_, series),) = checked_series(given_as)
    assert series.column_names[6:] == ["a", "z"]
    ((_, ignored),) = checked_series(given_as, "ignore")
    assert ignored.column_names == series.column_names[:6]


@pytest.mark.parametrize(
    ("volumes", "kept"),
    [
        (pa.array([None, 7, 2**53 + 1]), [None, 7, 2**53 + 1]),
        (pa.array([None, None, None], pa.int64()), [None, None, None]),
        (pa.array([0.5, None, 7.0]), [0.5, None, 7]),
        (pa.nulls(3), [None, None, None]),
        (pd.array([1, None, 3], dtype="Int64").__arrow_array__(), [1, None, 3]),
    ],
    ids=str,
)
def test_b6_a_volume_that_was_not_reported_is_null(volumes, kept):
    (columns,) = taken(bars_table(volume=volumes)).values()
    assert columns.volume == kept


def test_b6_nan_of_pandas_is_null_and_nan_of_arrow_is_kept_but_in_volumes():
    frame = bars_table().to_pandas().assign(x=[1.5, math.nan, 2.5], volume=[7.0, math.nan, 8.0])
    (columns,) = taken(frame).values()
    assert (columns.volume, columns.extra) == ([7, None, 8], [{"x": 1.5}, None, {"x": 2.5}])
    ((_, series),) = checked_series(extended(x=pa.array([1.5, math.nan, None])))
    assert repr(series["x"].to_pylist()) == "[1.5, nan, None]"
    with pytest.raises(InvalidData, match=r"^table\[1\]\.volume=nan"):
        checked_series(bars_table(volume=pa.array([7.0, math.nan, 8.0])))


def test_b6_a_misfit_without_its_table_or_symbol_names_the_bar():
    error = Misfit.of("MSFT", 0, "x", "7: no")
    assert misfit_in(bars_table(), error) is misfit_in(object(), error) is error


def test_columns_come_in_any_order():
    assert taken(bars_table().select(FIELDS[::-1])) == GOOD


@pytest.mark.parametrize(
    "given_as", [None, 7, "AAPL", [PriceBar("AAPL", JAN_5, 1.0, 1.0, 1.0, 1.0, 1)], {"close": 1}]
)
def test_b2_what_is_no_table_is_refused(given_as):
    with pytest.raises(InvalidData, match=r"^table: expected a pyarrow\.Table or an object with"):
        checked_series(given_as)


def test_b3_an_empty_table_is_no_series():
    assert checked_series(bars_table(0)) == []
    assert checked_series(pa.Table.from_batches([], bars_table().schema)) == []


# Numbers of other types.


@pytest.mark.parametrize(
    "kind",
    [
        pa.int8(),
        pa.int16(),
        pa.int32(),
        pa.int64(),
        pa.uint8(),
        pa.uint16(),
        pa.uint32(),
        pa.uint64(),
        pa.float16(),
        pa.float32(),
        pa.float64(),
    ],
    ids=str,
)
def test_b5_numbers_of_any_type_are_the_floats_that_equal_them(kind):
    array = pa.array(np.array([1, 2, 3], kind.to_pandas_dtype()), kind)
    columns = taken(bars_table(close=array, volume=array))["AAPL"]
    assert (columns.close, columns.volume) == ([1.0, 2.0, 3.0], [1, 2, 3])
    assert {type(volume) for volume in columns.volume} == {int}


def test_b5_a_float32_is_kept_as_it_is_not_as_it_looks():
    array = pa.array([0.1, 0.2, 0.3], pa.float32())
    assert taken(bars_table(close=array))["AAPL"].close == [
        float(np.float32(x / 10)) for x in (1, 2, 3)
    ]


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()], ids=str)
def test_b5_whole_volumes_beyond_2_53_stay_exact(kind):
    volumes = [2**53 + 1, 7, 2**63 - 1]
    assert taken(bars_table(volume=pa.array(volumes, kind)))["AAPL"].volume == volumes


def test_b5_prices_come_back_bit_for_bit():
    closes = [-0.0, 5e-324, -1.7976931348623157e308]
    found = taken(bars_table(close=pa.array(closes)))["AAPL"].close
    assert [value.hex() for value in found] == [value.hex() for value in closes]


@pytest.mark.parametrize(
    "kind",
    [
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int8(), pa.large_string()),
    ],
    ids=str,
)
def test_symbols_may_be_text_of_any_type(kind):
    assert taken(bars_table(symbol=bars_table()["symbol"].cast(kind))) == GOOD


# Dates of other types (law T1).


@pytest.mark.parametrize(
    "kind",
    [pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")]
    + [pa.timestamp(unit, "UTC") for unit in ("s", "ms", "us", "ns")]
    + [pa.date32(), pa.date64()],
    ids=str,
)
def test_t1_dates_of_any_unit_are_the_instant_that_they_say(kind):
    assert taken(bars_table(date=bars_table()["date"].cast(kind))) == GOOD


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Asia/Kolkata", "+05:30", "-11:00", "Europe/Berlin"]
)
def test_t1_a_date_of_any_zone_is_the_instant_that_it_says(zone):
    there = bars_table()["date"].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us", zone))
    assert taken(bars_table(date=there)) == GOOD


def test_t1_what_is_finer_than_a_microsecond_is_refused_by_row():
    nanoseconds = pa.array([0, 1_000, 1_001], pa.timestamp("ns"))
    with pytest.raises(InvalidData, match=r"^table\[2\]\.date=1001 ns: a store keeps whole micro"):
        checked_series(bars_table(date=nanoseconds))


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
@pytest.mark.parametrize("beyond", [EARLIEST - 1, LATEST + 1])
def test_t1_a_date_before_year_1_or_after_year_9999_is_refused_by_row(beyond, zone):
    instants = pa.array([EARLIEST, LATEST, beyond]).cast(pa.timestamp("us", zone))
    with pytest.raises(InvalidData, match=r"^table\[2\]\.date: outside the years 1 to 9999"):
        checked_series(bars_table(date=instants))


@pytest.mark.parametrize("unit", ["s", "ms"])
def test_t1_a_date_that_no_microsecond_can_count_is_refused(unit):
    instants = pa.array([0, 2**62, -(2**62)], pa.timestamp(unit))
    with pytest.raises(InvalidData, match=r"^table\[1\]\.date: outside the years 1 to 9999"):
        checked_series(bars_table(date=instants))


@pytest.mark.parametrize(
    "array",
    [pa.array([0, 2**31 - 1, 1], pa.date32()), pa.array([0, 2**62, 1], pa.date64())],
    ids=lambda array: str(array.type),
)
def test_t1_a_day_beyond_year_9999_is_refused(array):
    with pytest.raises(InvalidData, match=r"^table\[1\]\.date: outside the years 1 to 9999"):
        checked_series(bars_table(date=array))


@pytest.mark.parametrize(("unit", "per_second"), [("s", 1), ("ms", 1_000)])
def test_t1_the_first_and_the_last_moment_of_each_unit_are_kept(unit, per_second):
    low, high = EARLIEST * per_second // 10**6, LATEST * per_second // 10**6
    bars = taken(bars_table(date=pa.array([low, 0, high], pa.timestamp(unit))))["AAPL"]
    assert bars.date == [each * 10**6 // per_second for each in (low, 0, high)]
    for beyond in (low - 1, high + 1):
        with pytest.raises(InvalidData, match=r"^table\[2\]\.date: outside"):
            checked_series(bars_table(date=pa.array([low, 0, beyond], pa.timestamp(unit))))


def test_t1_a_date64_that_is_no_whole_day_is_refused_or_kept_never_changed():
    milliseconds = [86_400_000, 86_400_001, 172_800_000]
    table = bars_table(date=pa.array(milliseconds).view(pa.date64()))
    with suppress(InvalidData):
        assert taken(table)["AAPL"].date == [1_000 * at for at in milliseconds]


@given(at=st.integers(EARLIEST, LATEST))
def test_t1_any_instant_of_the_years_1_to_9999_is_kept(at):
    table = bars_table(1, date=pa.array([at]).cast(pa.timestamp("us")))
    assert taken(table)["AAPL"].date == [at]


# What speaks the Arrow C data interface.


class OneArray:
    """Gives its rows by the interface of a single array alone."""

    def __init__(self, table):
        (self._batch,) = table.combine_chunks().to_batches()

    def __arrow_c_array__(self, requested_schema=None):
        return self._batch.__arrow_c_array__(requested_schema)


SPEAKERS = {
    "pandas": lambda table: table.to_pandas(),
    "polars": pl.from_arrow,
    "polars with categories": lambda table: pl.from_arrow(table).with_columns(
        pl.col("symbol").cast(pl.Categorical)
    ),
    "duckdb": lambda bars: duckdb.from_arrow(bars),
    "record batch": lambda table: table.to_batches()[0],
    "reader": lambda table: table.to_reader(),
    "one array": OneArray,
    "pandas by date": lambda table: table.to_pandas().set_index("date"),
    "pandas filtered": lambda table: table.to_pandas()[lambda frame: frame["volume"] >= 0].iloc[
        [2, 0, 1]
    ],
}


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_a_table_of_another_library_is_taken_as_it_is(speaker):
    assert taken(SPEAKERS[speaker](bars_table())) == GOOD


def test_a_frame_of_pandas_with_an_index_of_dates_in_a_zone_is_taken():
    index = pd.date_range("2026-01-05", periods=3, tz="America/New_York", name="date")
    frame = bars_table().to_pandas().drop(columns="date").set_index(index)
    dates = taken(frame)["AAPL"].date
    five = datetime(2026, 1, 5, tzinfo=timezone(-timedelta(hours=5)))
    assert dates == [
        (five + timedelta(day) - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECOND
        for day in range(3)
    ]


def test_a_column_of_python_dates_is_one_of_midnights():
    assert taken(bars_table(date=pa.array([date(2026, 1, day) for day in (5, 6, 7)]))) == GOOD


@pytest.mark.parametrize(
    ("name", "values"),
    [("close", [1.0, "2", 3.0]), ("symbol", ["A", 5, "A"]), ("date", [1, "x", None])],
)
def test_b2_a_frame_whose_columns_mix_types_is_refused_by_column(name, values):
    frame = bars_table().to_pandas().assign(**{name: values})
    with pytest.raises(InvalidData, match=f"columns of one type each: .*{name}"):
        checked_series(frame)


def test_a_frame_whose_index_has_no_name_is_refused_with_what_to_do():
    frame = bars_table().to_pandas().set_index("date").rename_axis(None)
    with pytest.raises(InvalidData, match=r"an index without a name; name it.*rename_axis"):
        checked_series(frame)
