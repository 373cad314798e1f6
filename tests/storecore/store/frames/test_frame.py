"""Tables of any shape in detail: numbers, dates, names and the words of what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import storecore
from storecore import InvalidData, InvalidName, PriceBar
from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.mirror import MirrorStore
from storecore.store.frames.frame import plain_table
from storecore.store.frames.options import DEFAULTS, checked_options
from storecore.store.tables import with_plain_table

JAN_5 = datetime(2026, 1, 5)
DAY = timedelta(days=1)
ALWAYS = datetime.min, datetime.max


def plain(rows=3, **columns):
    every = {
        "symbol": ["AAPL"] * rows,
        "date": [JAN_5 + DAY * row for row in range(rows)],
        **dict.fromkeys(("open", "high", "low", "close"), [1.5] * rows),
        "volume": list(range(rows)),
        **columns,
    }
    return pa.table({name: values for name, values in every.items() if values is not None})


def written(table, **keywords):
    store = MemoryDataStore()
    storecore.write_bar_table(store, table, **keywords)
    return store.read_bars("AAPL", *ALWAYS)


def refused(table, **keywords):
    with pytest.raises(InvalidData) as caught:
        written(table, **keywords)
    return str(caught.value)


# A plain table is not looked at twice.


def test_a_plain_table_is_passed_on_as_it_is():
    table = plain()
    assert plain_table(table, "1d") is table
    own = table.append_column("vwap", pa.array([1.0, 2.0, 3.0]))
    assert plain_table(own, "1d") is own
    assert plain_table(table.to_pandas(), "1d").equals(
        table.cast(plain_table(table.to_pandas(), "1d").schema)
    )


@pytest.mark.parametrize(
    "table",
    [
        plain().append_column("vwap", pa.array([1, 2, 3], pa.int8())),
        plain().append_column("close", pa.array([1.0, 2.0, 3.0])),
        plain(open=pa.array([Decimal(1)] * 3)),
        plain(date=pa.array(["2026-01-05"] * 3)),
    ],
)
def test_any_other_table_is_converted_or_refused(table):
    try:
        assert plain_table(table, "1d") is not table
    except InvalidData:
        assert table.column_names.count("close") == 2


def test_what_storecore_reads_can_be_written_back_whatever_its_columns_are_called():
    store, other = MemoryDataStore(), MemoryDataStore()
    more = {"Close": 2.5, "time": 7, "ticker": "x"}
    store.write_bars("AAPL", [PriceBar("AAPL", JAN_5, 1.0, 1.0, 1.0, 1.0, None, more)])
    for convert in (lambda t: t, pl.from_arrow, lambda t: t.to_pandas()):
        other.write_bar_table(convert(store.read_bar_table("AAPL")))
        assert other.read_bars("AAPL") == store.read_bars("AAPL")


def test_a_wrapper_passes_on_a_plain_table_and_no_keyword_of_frames():
    frame = plain(symbol=None).to_pandas()
    for args, kwargs in (((frame,), {}), ((), {"table": frame})):
        (table,), rest = with_plain_table(args, {**kwargs, "symbol": "AAPL", "timeframe": "1h"})
        assert table["symbol"].to_pylist() == ["AAPL"] * 3
        assert rest == {"timeframe": "1h"}


def test_a_table_that_may_have_been_split_into_dates_and_times_is_refused():
    for column in (["09:30", "09:31", "09:32"], pa.array([1, 2, 3], pa.time32("s"))):
        assert refused(plain(time=column)) == (
            "table: 'date' has days and 'time' times of the day; combine them into one column, as "
            "in frame['date'] = pandas.to_datetime(frame['date'].astype(str) + ' ' + "
            "frame.pop('time').astype(str)); a time without a zone is UTC"
        )


@pytest.mark.parametrize(
    "days",
    [
        ["2026-01-05", "2026-01-06", "2026-01-07"],
        ["20260105", "20260106", "20260107"],
        ["1/5/2026", "1/6/2026", "1/7/2026"],
        [20260105, 20260106, 20260107],
        [JAN_5.date()] * 3,
        pa.array([JAN_5, JAN_5, JAN_5], pa.timestamp("us", "UTC")),
    ],
)
def test_days_in_any_form_beside_times_of_the_day_are_to_be_combined(days):
    assert "'date' has days and 'time'" in refused(plain(date=days, time=["9:30 AM"] * 3))


@pytest.mark.parametrize("others", [[JAN_5] * 3, [1.5] * 3, ["noon"] * 3])
def test_two_columns_of_dates_that_are_not_split_are_to_be_chosen_from(others):
    given = plain().select(["date", "symbol", "open", "high", "low", "close", "volume"])
    given = given.append_column("time", pa.array(others))
    assert "'date' and 'time' may all be 'date'" in refused(given)
    assert "'date' and 'time' may all be" in refused(plain(date=[JAN_5] * 3, time=[1, 2, 3]))
    assert len(written(plain(time=[1, 2, 3]))) == 3


def test_an_index_of_texts_is_of_symbols_beside_a_column_of_dates():
    frame = plain(symbol=None).to_pandas().set_axis(["AAPL", "AAPL", "AAPL"])
    assert len(written(frame)) == 3
    renamed = frame.rename(columns={"date": "begin"})
    assert len(written(renamed, columns={"date": "begin"})) == 3


def test_an_index_that_is_not_asked_for_is_left_out():
    frame = plain().to_pandas().set_axis(["a", "b", "c"])
    assert [bar.extra for bar in written(frame)] == [None] * 3
    frame = plain(other=[1, 2, 3]).to_pandas().set_index("date").rename_axis(None)
    assert len(written(frame.assign(begin=frame.index), columns={"date": "begin"})) == 3


class TenMethods:
    """A store that has what every store had at first, and no more."""

    def __init__(self):
        self.store = MemoryDataStore()

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        self.store.write_bars(symbol, bars, timeframe=timeframe)


class OfEarlierApi(TenMethods):
    """A store whose tables were plain."""

    def write_bar_table(self, table, *, timeframe="1d"):
        assert isinstance(table, pa.Table)
        self.store.write_bar_table(table, timeframe=timeframe)

    def read_bar_table(self, symbols, start, end, *, timeframe="1d", columns=None):
        return self.store.read_bar_table(symbols, start, end, timeframe=timeframe, columns=columns)


@pytest.mark.parametrize("kind", [TenMethods, OfEarlierApi])
def test_a_frame_is_written_to_a_store_of_an_earlier_api(kind):
    store = kind()
    frame = plain(symbol=None, vwap=[1.0, 2.0, 3.0]).to_pandas()
    storecore.write_bar_table(store, frame, symbol="AAPL", extra="ignore", timeframe="1h")
    assert len(store.store.read_bars("AAPL", *ALWAYS, timeframe="1h")) == 3
    with pytest.raises(storecore.StoreError, match="replace"):
        storecore.write_bar_table(store, frame, symbol="AAPL", replace=True)


def test_a_frame_replaces_whole_series_if_asked():
    store = MemoryDataStore()
    storecore.write_bar_table(store, plain())
    storecore.write_bar_table(store, plain(1, symbol=None).to_pandas(), symbol="AAPL", replace=True)
    assert len(store.read_bars("AAPL", *ALWAYS)) == 1


EMPTY = {
    "a list": [],
    "a tuple": (),
    "a dict": {},
    "a frame": pd.DataFrame(),
    "a frame of Polars": pl.DataFrame(),
    "a table": pa.table({}),
    "a generator": (each for each in ()),
}


@pytest.mark.parametrize("given", EMPTY.values(), ids=EMPTY)
def test_b3_what_has_neither_rows_nor_columns_does_nothing(given):
    store = MemoryDataStore()
    for keywords in ({}, {"symbol": "AAPL"}, {"replace": True}, {"volume": "absent"}):
        storecore.write_bar_table(store, given, **keywords)
    assert store.symbols() == []
    with pytest.raises(InvalidData, match=r"^replace=True: no row is left of 'AAPL'"):
        storecore.write_bar_table(store, given, symbol="AAPL", replace=True)


@pytest.mark.parametrize("given", [[{}], pd.DataFrame(index=[1, 2]), {"open": []}])
def test_rows_without_columns_and_columns_that_are_not_those_of_bars_are_refused(given):
    assert "table: " in refused(given)


def test_an_empty_table_without_a_symbol_replaces_nothing():
    store = MemoryDataStore()
    storecore.write_bar_table(store, plain())
    storecore.write_bar_table(store, plain().slice(0, 0), replace=True)
    assert len(store.read_bars("AAPL", *ALWAYS)) == 3


NOTHING = {"open": [None, 1.0], "high": [None, 1.0], "low": [None, 1.0], "close": [None, 1.0]}
SKIPPED = plain(2, symbol=["AAPL", "MSFT"], **NOTHING)
DIRECT, MIRRORED = (
    MemoryDataStore,
    lambda: MirrorStore(MemoryDataStore(), [MemoryDataStore()], "raise"),
)


@pytest.mark.parametrize("made", [DIRECT, MIRRORED], ids=["a store", "a mirror"])
@pytest.mark.parametrize(
    ("table", "keywords"),
    [
        (plain().slice(0, 0), {"symbol": "AAPL"}),
        (plain(symbol=None).to_pandas()[:0], {"symbol": "AAPL"}),
        (SKIPPED.drop_columns(["symbol"])[:1], {"symbol": "AAPL", "missing": "skip"}),
        (SKIPPED, {"missing": "skip"}),
    ],
    ids=["empty", "an empty frame", "all rows skipped", "one symbol of two"],
)
def test_a_symbol_of_which_no_row_is_left_is_not_replaced(made, table, keywords):
    store = made()
    storecore.write_bar_table(store, plain())
    with pytest.raises(
        InvalidData, match=r"^replace=True: no row is left of 'AAPL', .*delete_bars"
    ):
        storecore.write_bar_table(store, table, replace=True, **keywords)
    assert [each.symbol for each in store.read_bars("AAPL", *ALWAYS)] == ["AAPL"] * 3
    assert store.symbols() == ["AAPL"]
    storecore.write_bar_table(store, table, **keywords)  # without replace, it adds what there is


def test_of_many_symbols_without_a_row_the_first_are_named():
    names = [f"S{number}" for number in range(8)]
    table = plain(8, symbol=names, **dict.fromkeys(NOTHING, [None] * 8))
    with pytest.raises(InvalidData, match="of 'S0', 'S1', 'S2', 'S3', 'S4' and 3 more symbols,"):
        written(table, replace=True, missing="skip")


@pytest.mark.parametrize("name", ["", "a\nb"])
def test_a_further_column_of_no_valid_name_is_among_the_problems(name):
    told = refused(plain(**{name: [1, 2, 3]}, open=["1", "2", "3"]))
    assert told.startswith("table: 2 problems: (1) table.open: expected numbers")
    assert "cannot be the name of a further column" in told


def test_a_frame_is_written_through_a_mirror_to_each_store():
    replica = MemoryDataStore()
    store = MirrorStore(MemoryDataStore(), [replica], "raise")
    frame = plain(symbol=None).to_pandas()
    store.write_bar_table(frame, symbol="AAPL", volume="required")
    assert len(store.read_bars("AAPL", *ALWAYS)) == len(replica.read_bars("AAPL", *ALWAYS)) == 3


# Keywords.


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"extra": "keeep"}, r"extra='keeep': expected 'keep' or 'ignore' \(did you mean 'keep'"),
        ({"missing": None}, "missing=None: expected 'error' or 'skip'"),
        ({"day": "local"}, "day='local': expected 'instant' or 'written'"),
        ({"volume": True}, "volume=True: expected 'required' or 'absent'"),
        ({"columns": ["v"]}, r"columns=\['v'\]: expected a mapping"),
    ],
)
def test_a_wrong_keyword_is_refused_with_the_choices(keywords, message):
    with pytest.raises(InvalidData, match=message):
        written(plain(), **keywords)


def test_a_symbol_that_is_no_name_is_refused():
    with pytest.raises(InvalidName, match="symbol"):
        written(plain(symbol=None), symbol="")


def test_the_defaults_are_those_of_the_method():
    assert checked_options(None, None, "keep", "error", "instant", "required") == DEFAULTS


def test_a_column_of_a_wide_frame_is_named_by_its_text():
    assert checked_options(None, {"vwap": ("a", 1)}, *DEFAULTS[2:-1]).columns == {"vwap": "a 1"}


# Numbers.


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9
    )
)
def test_a_decimal_price_is_the_nearest_float(price):
    (bar,) = written(plain(1, close=pa.array([price], pa.decimal128(30, 6))))
    assert bar.close == float(price)


def test_large_whole_decimals_are_exact_volumes():
    volumes = [Decimal(2**53 + 1), Decimal(0), Decimal(2**63 - 1)]
    bars = written(plain(volume=pa.array(volumes, pa.decimal128(38, 4))))
    assert [bar.volume for bar in bars] == volumes


def test_fractional_decimals_are_float_volumes():
    bars = written(plain(volume=[Decimal("0.5"), None, Decimal("3")]))
    assert [bar.volume for bar in bars] == [0.5, None, 3]


@pytest.mark.parametrize(
    ("volumes", "message"),
    [
        (
            [Decimal(2**63), Decimal(1), Decimal(2)],
            "table[0].volume=9223372036854775808: out of range",
        ),
        (
            [Decimal("0.5"), Decimal(2**53 + 1), None],
            "table[1].volume=9007199254740993.0: no 64-bit float",
        ),
        ([1, -1, -2], "table[1].volume=-1: expected a volume of 0 or more (2 rows: 1-2)"),
        (pa.array([1, 2**63, 2], pa.uint64()), "table[1].volume=9223372036854775808: out of range"),
        ([1.0, float("nan"), 2.0], "table[1].volume=nan: expected a finite number"),
        (["1", "2", "3"], "table.volume: expected numbers, got string; cast it"),
    ],
)
def test_a_volume_that_is_none_is_refused(volumes, message):
    assert refused(plain(volume=volumes)).startswith(message)


def test_a_whole_price_that_a_float_equals_is_kept():
    assert written(plain(1, close=[2**60]))[0].close == 2.0**60
    assert "no 64-bit float equals it" in refused(plain(1, close=[2**60 + 1]))


def test_infinite_prices_are_refused_with_all_their_rows():
    table = plain(20, close=[float("inf"), 1.0] * 10)
    assert refused(table).endswith("(10 rows: 0, 2, 4, 6, 8, 10, 12, 14, 16, 18)")
    rows = plain(60, close=[float("inf"), 1.0] * 30)
    assert refused(rows).endswith("(30 rows: 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, …)")


def test_columns_of_nothing_are_rows_without_prices():
    nothing = dict.fromkeys(("open", "high", "low", "close"), pa.nulls(3))
    assert "no prices in open, high, low, close" in refused(plain(**nothing))
    assert written(plain(**nothing), missing="skip") == []
    assert written(plain(volume=pa.nulls(3)))[0].volume is None


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"symbol": [1, 2, 3]}, "table.symbol: expected text, got int64; cast it"),
        ({"symbol": ["A", None, None]}, "table[1].symbol=null: expected a value"),
        ({"date": [1.5, 2.5, 3.5]}, "table.date: expected timestamps or dates, got double; parse"),
        ({"date": [JAN_5, None, JAN_5]}, "table[1].date=null: expected a value"),
        ({"date": pa.nulls(3, pa.int64())}, "table[0].date=null: expected a value"),
        ({"date": ["2026-01-05T00:00Z", "2026-01-06", "x"]}, "table.date: expected times that all"),
        (
            {"date": [20260199] * 3},
            "table.date: expected timestamps or dates, got int64, and 20260",
        ),
        ({"date": [202601051430] * 3}, "table.date: expected timestamps or dates, got int64, and "),
        (
            {"date": [2**62] * 3},
            "table.date: expected timestamps or dates, got int64, and 46116860",
        ),
        (
            {"date": pa.array([0, 10**12, 0], pa.timestamp("s"))},
            "table[1].date=1000000000000 s: out",
        ),
    ],
)
def test_a_column_of_another_type_is_refused(columns, message):
    assert refused(plain(**columns)).startswith(message)


@pytest.mark.parametrize(
    ("unit", "number"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)]
)
@given(days=st.lists(st.integers(3653, 47_000), min_size=1, max_size=5, unique=True))
def test_numbers_of_one_unit_are_the_times_that_they_count(unit, number, days):
    dates = [day * 86_400 * number for day in days]
    assert {bar.date for bar in written(plain(len(days), date=dates))} == {
        datetime(1970, 1, 1) + DAY * day for day in days
    }


# Further columns.


def test_further_columns_have_the_types_that_a_store_keeps():
    when = datetime(2026, 1, 5, 9, tzinfo=UTC)
    table = plain(
        2,
        whole=pa.array([Decimal(7), None], pa.decimal128(38, 0)),
        exact=pa.array([Decimal("0.1"), None]),
        day=pa.array([JAN_5.date(), None]),
        seen=pa.array([when, None], pa.timestamp("ms", "Asia/Tokyo")),
        text=pa.array(["a", None]).dictionary_encode(),
        late=[True, None],
    )
    first, second = written(table)
    assert first.extra == {
        "day": JAN_5.replace(tzinfo=UTC),
        "exact": 0.1,
        "late": True,
        "seen": when,
        "text": "a",
        "whole": 7,
    }
    assert second.extra is None


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([2**63, 1, 2], pa.uint64()), "table.more: expected whole numbers below 2**63"),
        (pa.array([Decimal(2**70)] * 3, pa.decimal128(38, 0)), "table.more: expected whole number"),
        (pa.array([0, 1, 2], pa.timestamp("ns")), "table[1].more=1 ns: a store keeps whole"),
        (pa.array([timedelta(1)] * 3), "table.more: expected numbers, bools, text or timestamps"),
    ],
)
def test_a_further_column_that_a_store_cannot_keep_is_refused(column, message):
    told = refused(plain(more=column))
    assert told.startswith(message)
    assert 'extra="ignore"' in told
    assert len(written(plain(more=column), extra="ignore")) == 3


def test_a_further_column_of_mixed_types_is_refused():
    told = refused(plain().to_pandas().assign(more=[1, "a", 2.5]))
    assert told.startswith("table.more: cannot read object as values of one type")


def test_further_columns_that_are_named_are_kept_though_others_are_ignored():
    table = plain(vw=[1.0, 2.0, 3.0], other=[1, 2, 3])
    first = written(table, columns={"vwap": "vw"}, extra="ignore")[0]
    assert first.extra == {"vwap": 1.0}


def test_two_further_columns_of_one_name_are_refused():
    assert "expected one column 'vwap', got several" in refused(
        plain(vwap=[1.0] * 3, vw=[2.0] * 3), columns={"vwap": "vw"}
    )


# Shapes.


def test_a_missing_date_names_what_it_may_be_called():
    told = refused(plain(date=None, when=[1, 2, 3]))
    assert "expected one column 'date', got 0; it may be an index of times, or be called" in told


def test_columns_of_a_dict_have_one_length():
    told = refused({**plain().to_pydict(), "close": [1.0]})
    assert told.startswith("table: the columns of the dict have different lengths: 'symbol' 3")


@pytest.mark.parametrize("values", ["abc", 1.5, None])
def test_a_column_of_a_dict_is_a_list(values):
    told = refused({**plain().to_pydict(), "close": values})
    assert told.startswith("table: expected a pyarrow.Table")
    assert "column 'close' of the dict is a" in told


class Broken:
    """Says that it speaks Arrow, and does not."""

    def __arrow_c_stream__(self, requested_schema=None):
        raise TypeError("no stream today")


def test_what_speaks_no_arrow_after_all_is_refused():
    assert refused(Broken()) == "table: cannot read a Broken: no stream today"


class Distant(Broken):
    """A frame of a library that cannot give its columns one by one."""

    columns = ("close",)


def test_a_frame_that_gives_no_columns_is_refused():
    assert refused(Distant()).startswith("table: cannot read a Distant as columns of one type each")


def test_a_column_of_python_objects_is_refused():
    frame = pl.from_arrow(plain()).with_columns(pl.Series("more", [object()] * 3, dtype=pl.Object))
    assert "table.more: expected numbers, bools, text or timestamps, got" in refused(frame)


def _wide(labels):
    index = pd.DatetimeIndex([JAN_5], name="Date")
    return pd.DataFrame([[1.0] * len(labels)], index, pd.MultiIndex.from_tuples(labels))


FOUR = ("Open", "High", "Low", "Close")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([(name, "AAPL", "USD") for name in FOUR], "got 3 levels; drop the others"),
        ([("AAPL", "Open"), ("AAPL", "Close")], "two levels, and no level of them have the names"),
        (
            [(x, y) for x in FOUR for y in FOUR],
            "two levels, and both levels of them have the names",
        ),
    ],
)
def test_a_wide_frame_whose_levels_are_unclear_is_refused(labels, message):
    assert message in refused(_wide(labels))


def test_a_wide_frame_whose_columns_mix_types_is_refused_by_field():
    frame = _wide([(name, "AAPL") for name in (*FOUR, "Volume")])
    frame["Close", "MSFT"] = [[1]]
    frame["Open", "MSFT"] = pd.Series([object()], frame.index, dtype=object)
    told = refused(frame)
    assert "table.close: its tickers differ in type" in told
    assert "table.open: cannot read object" in told


def test_a_ticker_of_a_wide_frame_without_a_field_has_none_of_it():
    frame = _wide([(name, ticker) for ticker in ("AAPL", "MSFT") for name in (*FOUR, "Volume")])
    frame["Dividends", "AAPL"] = [0.25]
    store = MemoryDataStore()
    storecore.write_bar_table(store, frame)
    found = [store.read_bars(each, *ALWAYS)[0].extra for each in ("AAPL", "MSFT")]
    assert found == [{"Dividends": 0.25}, None]


def test_so_many_problems_are_cut():
    many = {f"c{number}": [[1]] * 3 for number in range(40)}
    told = refused(plain(**many))
    assert told.startswith("table: 40 problems: (1) table.c0")
    assert told.endswith("and 10 more")


@pytest.mark.parametrize(
    ("dates", "row"),
    [
        (["2026-01-05", "2026-13-45", "foo"], "row 1 has '2026-13-45'"),
        (["it's", "2026-01-05", "foo"], 'row 0 has "it\'s"'),
        (["2026-01-05", None, " 05.01.2026 "], "row 2 has '05.01.2026'"),
        (["2026-01-05 00:00:00.123456789", "2026-01-05", "2026x"], "row 2 has '2026x'"),
    ],
)
def test_the_first_text_that_is_no_date_is_named(dates, row):
    assert refused(plain(date=dates)) == (
        "table.date: expected ISO dates or times such as 2026-01-05T14:30:00+01:00; "
        f"{row}; parse other formats first, for example with pandas.to_datetime"
    )


def test_a_misspelt_field_in_the_keyword_columns_is_named():
    told = refused(plain().to_pandas().rename(columns={"close": "c"}), columns={"closse": "c"})
    assert told.startswith("table: expected one column 'close', got 0; columns has 'closse': did")


def test_columns_that_are_given_the_wrong_way_round_are_to_be_swapped():
    told = refused(plain().to_pandas().rename(columns={"date": "t"}), columns={"t": "date"})
    assert (
        "columns={'t': 'date'}: a column of a bar comes first, then that of the table; swap them, "
        "as in columns={'date': 't'}"
    ) in told


# What a library computes only when it is read.


def test_an_error_of_a_lazy_frame_is_one_of_the_table_with_its_cause():
    lazy = pl.from_arrow(plain()).lazy().select(pl.col("opening"))
    with pytest.raises(InvalidData, match=r"a LazyFrame could not be computed: ColumnNotFound") as (
        caught
    ):
        written(lazy)
    assert isinstance(caught.value.__cause__, pl.exceptions.ColumnNotFoundError)


@pytest.mark.parametrize("use", [written, lambda table: storecore.resample(table, "1w")])
def test_an_error_of_a_query_is_one_of_the_table_with_its_cause(use):
    with duckdb.connect() as connection:
        failing = connection.sql("select cast('x' || range as int) as open from range(3)")
        with pytest.raises(InvalidData, match="could not be computed: ConversionException") as (
            caught
        ):
            use(failing)
    assert isinstance(caught.value.__cause__, duckdb.Error)


class Exhausting:
    """What needs too much memory to be computed."""

    def collect(self):
        raise MemoryError

    def __arrow_c_stream__(self, schema=None):
        raise MemoryError


class Lazy:
    collect = Exhausting.collect


@pytest.mark.parametrize("kind", [Lazy, Exhausting])
def test_a_lack_of_memory_is_no_error_of_the_table(kind):
    with pytest.raises(MemoryError):
        written(kind())


def test_a_connection_of_duckdb_is_no_table():
    with duckdb.connect() as connection:
        assert refused(connection).endswith(
            "got DuckDBPyConnection; give the result of a query, as in write_bar_table(store, "
            "con.sql(query))"
        )


# Timestamps of pandas among objects of Python: Arrow alone would cut them to microseconds (law T1).

FINER = pd.Timestamp("2026-01-05 00:00:00.000000999")
WHOLE = pd.Timestamp("2026-01-05 00:00:00.000001")
OF_OBJECTS = {
    "a dict of lists": lambda columns: columns,
    "rows": lambda columns: [
        dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
    ],
    "pandas": lambda columns: pd.DataFrame(
        {name: pd.Series(values, dtype=object) for name, values in columns.items()}
    ),
    "an index of pandas": lambda columns: pd.DataFrame(
        {name: values for name, values in columns.items() if name != "date"},
        index=pd.Index(columns["date"], dtype=object, name="date"),
    ),
}


@pytest.mark.parametrize("form", OF_OBJECTS)
@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
def test_t1_a_date_that_is_finer_than_a_microsecond_is_refused_among_objects(form, zone):
    table = plain(2).to_pydict() | {"date": [each.tz_localize(zone) for each in (WHOLE, FINER)]}
    assert refused(OF_OBJECTS[form](table)).startswith("table[1].date=17")


@pytest.mark.parametrize("form", OF_OBJECTS)
def test_t1_a_further_timestamp_that_is_finer_than_a_microsecond_is_refused_among_objects(form):
    table = plain(2).to_pydict() | {"seen": [None, FINER]}
    assert refused(OF_OBJECTS[form](table)).startswith(f"table[1].seen={FINER.value} ns: a store")


@pytest.mark.parametrize("form", OF_OBJECTS)
def test_t1_a_timestamp_of_whole_microseconds_is_kept_among_objects(form):
    table = plain(1).to_pydict() | {"date": [WHOLE], "seen": [WHOLE]}
    (bar,) = written(OF_OBJECTS[form](table))
    assert (bar.date, bar.extra) == (WHOLE, {"seen": WHOLE.tz_localize("UTC").to_pydatetime()})


# Dates that name no day, or several zones.


@pytest.mark.parametrize("number", [20260230, 20260431, 2026022912])
def test_a_number_of_a_day_that_does_not_exist_is_no_date(number):
    good = number // 1000 * 1000 + 101 if number < 10**8 else 2026010112
    assert "expected timestamps or dates, got int64" in refused(plain(date=[good, good, number]))


NEW_YORK_DAYS = [  # as pandas.to_datetime gives them: the clocks change on March 8
    datetime(2026, 3, 6, tzinfo=timezone(timedelta(hours=-5))),
    datetime(2026, 3, 9, tzinfo=timezone(timedelta(hours=-4))),
]


@pytest.mark.parametrize(
    "make",
    [
        lambda table: table,
        lambda table: pd.DataFrame(table).to_dict("records"),
        lambda table: pd.DataFrame(table),
        lambda table: pd.DataFrame(table).set_index("date"),
        lambda table: pd.DataFrame(table).assign(date=lambda frame: frame["date"].astype(object)),
    ],
)
def test_days_of_several_offsets_are_filed_as_they_are_written(make):
    table = {**plain(2).to_pydict(), "date": pd.Series(NEW_YORK_DAYS, dtype=object)}
    table = {**table, "date": table["date"].tolist()}
    found = written(make(table), day="written")
    assert [bar.date for bar in found] == [datetime(2026, 3, 6), datetime(2026, 3, 9)]
    with pytest.warns(storecore.StoreWarning, match="midnights in UTC-05:00"):
        found = written(make(table))
    assert [bar.date for bar in found] == [datetime(2026, 3, 6, 5), datetime(2026, 3, 9, 4)]


def test_days_of_old_times_whose_offsets_have_seconds_are_those_written():
    old = [
        datetime(1800, 3, 6, tzinfo=ZoneInfo("America/New_York")),
        datetime(2026, 3, 9, tzinfo=UTC),
    ]
    table = {**plain(2).to_pydict(), "date": old}
    found = written(table, day="written")
    assert [bar.date for bar in found] == [datetime(1800, 3, 6), datetime(2026, 3, 9)]
    found = written(table)
    assert [bar.date for bar in found] == [
        each.astimezone(UTC).replace(tzinfo=None) for each in old
    ]


def test_naive_times_among_others_are_utc():
    dates = [NEW_YORK_DAYS[0], datetime(2026, 3, 7), None]
    assert "table[2].date=null" in refused({**plain().to_pydict(), "date": dates})
    found = written({**plain(2).to_pydict(), "date": dates[:2]}, day="written")
    assert [bar.date for bar in found] == [datetime(2026, 3, 6), datetime(2026, 3, 7)]


def test_times_of_several_zones_are_instants_in_a_further_column():
    table = {**plain(2).to_pydict(), "seen": NEW_YORK_DAYS}
    assert [bar.extra["seen"] for bar in written(table)] == NEW_YORK_DAYS


def test_days_of_several_offsets_in_a_wide_frame_are_those_of_each_ticker():
    frame = _wide([(name, each) for each in ("AAPL", "MSFT") for name in (*FOUR, "Volume")])
    frame = pd.concat([frame] * 2).set_index(pd.Index(NEW_YORK_DAYS, dtype=object, name="Date"))
    found = written(frame, day="written")
    assert [bar.date for bar in found] == [datetime(2026, 3, 6), datetime(2026, 3, 9)]


def test_a_zone_that_arrow_does_not_know_has_instants_but_no_days():
    dates = pa.array([JAN_5] * 3, pa.timestamp("us", "Mars/X"))
    assert [bar.date for bar in written(plain(date=dates))] == [JAN_5]
    problem = "table.date: 'Mars/X' is not a known time zone"
    assert problem in refused(plain(date=dates), day="written")
    both = plain(Date=dates, date=None, time=["09:30"] * 3)
    assert "'Date' and 'time' may all be 'date'" in refused(both)


# Labels of wide frames.


def test_a_ticker_with_an_apostrophe_is_one_of_a_wide_frame_in_arrow_too():
    frame = _wide([(name, each) for each in ("AAPL", "O'X") for name in (*FOUR, "Volume")])
    store = MemoryDataStore()
    storecore.write_bar_table(store, pa.Table.from_pandas(frame))
    assert store.symbols() == ["AAPL", "O'X"]


@pytest.mark.parametrize("label", ["(vwap)", "(1, 2)", "('a',)", "(" * 9999 + ")", "('x"])
def test_a_name_that_shows_no_labels_of_a_wide_frame_is_kept(label):
    assert written({**plain(1).to_pydict(), label: [1]})[0].extra == {label: 1}


@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_a_ticker_that_is_missing_is_not_one_of_its_text(nothing):
    frame = _wide([(name, each) for each in ("AAPL", nothing) for name in (*FOUR, "Volume")])
    assert "expected one column 'open', got 2" in refused(frame)


def test_two_columns_of_a_field_and_a_ticker_are_refused():
    frame = _wide([(name, "AAPL") for name in (*FOUR, "Close", "Volume")])
    assert refused(frame) == (
        "table: expected one column ('Close', 'AAPL'), got several; drop the others"
    )


def test_an_int_beyond_64_bits_is_refused_with_its_column():
    frame = pd.DataFrame({**plain(1).to_pydict(), "open": pd.Series([2**70], dtype=object)})
    assert refused(frame).startswith("table.open: cannot read object")
