"""Law B6: further columns of bars, as dicts and as columns of tables, of one type in a series."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import InvalidData, PriceBar
from storecore.bars.extra import (
    EXACT,
    TYPES,
    agreed,
    completed,
    conformed,
    kinds_of,
    unified,
    united,
)
from storecore.bars.extra_values import Misfit, checked_extra
from storecore.bars.rows import BarColumns, bar_columns, price_bars
from storecore.bars.table import SERIES, bar_columns_of, bars_of, joined, series_table, upserted

JAN_5 = datetime(2026, 1, 5)
AWARE = JAN_5.replace(tzinfo=UTC)
KINDS = {"float64": 1.5, "int64": 7, "bool": True, "string": "X", "timestamp": AWARE}


class Venue(StrEnum):
    NYSE = "nyse"


class Flag(IntEnum):
    HALT = 3


def table(*extras, volumes=None, start=0):
    """Return a series table of bars with these further columns, a microsecond apart."""
    count = len(extras)
    dates = list(range(start, start + count))
    same = [[1.0] * count] * 4
    return series_table(BarColumns(dates, *same, volumes or [7] * count, list(extras)))


def nothing(column):
    raise AssertionError(f"the stored values of {column} were asked for")


# Values.


@pytest.mark.parametrize(
    ("given_as", "kept"),
    [
        (np.float64(0.1), 0.1),
        (np.float32(0.5), 0.5),
        (np.float16(0.5), 0.5),
        (np.int64(7), 7),
        (np.uint8(7), 7),
        (Flag.HALT, 3),
        (np.bool_(True), True),
        (np.str_("X"), "X"),
        (Venue.NYSE, "nyse"),
        (JAN_5, AWARE),
        (datetime(2026, 1, 5, 9, tzinfo=UTC).astimezone(), AWARE.replace(hour=9)),
        (pd.Timestamp("2026-01-05"), AWARE),
        (np.datetime64("2026-01-05T00:00"), AWARE),
    ],
)
def test_a_value_is_kept_as_the_plain_one_that_it_equals(given_as, kept):
    assert checked_extra([{"x": given_as}]) == [{"x": kept}]
    ((found,),) = (each.values() for each in checked_extra([{"x": given_as}]))
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    "value",
    [
        *(Decimal("1.5"), Decimal(7), date(2026, 1, 5), timedelta(1), [1.0], {"a": 1}, b"x", 1j),
        *(pd.NA, pd.NaT, pd.Timestamp("2026-01-05 00:00:00.000000001"), np.timedelta64(1, "s")),
        *(np.array([1.0]), 2**63, -(2**63) - 1, "\0", "\ud800"),
    ],
    ids=str,
)
def test_another_value_is_refused_by_row_and_column(value):
    with pytest.raises(InvalidData, match=r"^bars\[1\]\.extra\['x'\]=.*: "):
        checked_extra([None, {"x": value}])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "it is empty"),
        ("close", "every bar has symbol, date"),
        ("a\tb", "it contains a control character"),
        ("\x85", "it contains a control character"),
        ("\udfff", "a lone surrogate is not text"),
        (EXACT, "it contains a control character"),
        (7, "expected names of columns, got 7"),
    ],
)
def test_a_name_that_is_none_is_refused_by_row(name, why):
    with pytest.raises(InvalidData, match=rf"^bars\[1\]\.extra: .*{why}"):
        checked_extra([None, {name: 1.5}])


def test_a_name_of_a_subclass_of_str_is_the_text_that_it_equals():
    ((name,),) = checked_extra([{Venue.NYSE: 1.5}])
    assert (name, type(name)) == ("nyse", str)


@pytest.mark.parametrize("extra", [7, "x", [("x", 1)]])
def test_what_is_no_dict_is_refused_by_row(extra):
    with pytest.raises(InvalidData, match=r"^bars\[0\]\.extra=.*: expected a dict"):
        checked_extra([extra])


@pytest.mark.parametrize("given_as", [[], [None], [{}], [{"x": None}], [None, {}, {"x": None}]])
def test_bars_without_values_have_no_further_columns(given_as):
    assert checked_extra(given_as) is None


def test_a_dict_is_sorted_by_name_without_nulls():
    (kept,) = checked_extra([{"b": 1, "c": None, "a": 2}])
    assert list(kept.items()) == [("a", 2), ("b", 1)]


@pytest.mark.parametrize(("first", "second"), [(1.5, "x"), (True, 1), ("x", JAN_5), (1, False)])
def test_two_types_in_one_batch_are_refused_with_both_rows(first, second):
    with pytest.raises(InvalidData, match=r"^bars\[2\]\.extra\['x'\]=.* as in bars\[1\]; a column"):
        checked_extra([None, {"x": first}, {"x": second}])


def test_whole_numbers_beside_floats_are_floats():
    kept = checked_extra([{"x": 1, "y": 1}, None, {"x": 2.5}])
    assert [[*map(repr, (each or {}).values())] for each in kept] == [["1.0", "1"], [], ["2.5"]]


def test_a_whole_number_without_an_equal_float_is_refused_beside_floats():
    with pytest.raises(InvalidData, match=r"^bars\[1\]\.extra\['x'\]=9007199254740993: no 64-bit"):
        checked_extra([{"x": 0.5}, {"x": 2**53 + 1}])


# Batches.


def test_the_last_bar_of_a_date_brings_its_columns(bar):
    batch = [bar(extra={"x": 1}), bar(JAN_5 - timedelta(1), extra={"x": 2}), bar(extra={"y": 3})]
    assert bar_columns("AAPL", batch, extra=True).extra == [{"x": 2}, {"y": 3}]


def test_a_batch_without_further_columns_has_none(bar):
    assert bar_columns("AAPL", [bar(extra={}), bar()], extra=True).extra is None


@pytest.mark.parametrize("fields", [{"extra": {"x": 1}}, {"volume": None}])
def test_a_backend_written_before_the_law_refuses_what_it_would_lose(bar, fields):
    place = rf"^bars\[1\]\.{next(iter(fields))}=.*: this backend was written before"
    with pytest.raises(InvalidData, match=place):
        bar_columns("AAPL", [bar(), bar(**fields)])
    assert len(bar_columns("AAPL", [bar(), bar(extra={})]).date) == 1


def test_numbers_of_columns_are_the_same_with_and_without_further_ones():
    plain, further = (BarColumns([1], *[[1.0]] * 4, [7], extra) for extra in (None, [{"x": 1}]))
    assert (tuple(plain), plain.extra, further.extra) == (tuple(further), None, [{"x": 1}])
    assert pickle.loads(pickle.dumps(further)).extra == [{"x": 1}]


def test_a_bar_that_is_read_may_be_changed_without_harm():
    columns = BarColumns([1], *[[1.0]] * 4, [7], [{"x": 1}])
    price_bars("AAPL", columns, aware=True)[0].extra["x"] = 2
    assert columns.extra == [{"x": 1}]


# Tables.

of_kinds = st.fixed_dictionaries(
    {},
    optional={
        "f": st.floats(),
        "i": st.integers(-(2**63), 2**63 - 1),
        "b": st.booleans(),
        "s": st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
        "t": st.datetimes().map(lambda at: at.replace(tzinfo=UTC, fold=0)),
    },
)
volumes = st.none() | st.integers(0, 2**63 - 1) | st.floats(0, 1e300)
rows = st.lists(
    st.tuples(of_kinds.map(lambda each: dict(sorted(each.items())) or None), volumes), max_size=6
)


@given(rows=rows)
def test_columns_survive_as_a_table(rows):
    extras, given_volumes = [extra for extra, _ in rows], [volume for _, volume in rows]
    count = len(rows)
    columns = BarColumns(list(range(count)), *[[1.0] * count] * 4, given_volumes, extras)
    whole = series_table(columns)
    back = bar_columns_of(whole)
    assert back == columns
    assert repr(back.extra or [None] * count) == repr(extras)
    assert [type(each) for each in back.volume] == [
        int if isinstance(each, float) and each.is_integer() and each < 2**63 else type(each)
        for each in given_volumes
    ]
    bars = bars_of("A", whole, aware=False)
    assert repr(bars) == repr(price_bars("A", back, aware=False))


def test_a_table_has_its_further_columns_sorted_nullable_and_of_their_types():
    found = table({"z": 1.5, "a": 7}, {"m": "X", "b": True, "t": AWARE})
    assert found.column_names == [*SERIES.names, "a", "b", "m", "t", "z"]
    assert kinds_of(found) == {
        "a": "int64",
        "b": "bool",
        "m": "string",
        "t": "timestamp",
        "z": "float64",
    }
    assert all(found.schema.field(name).nullable for name in "abmtz")


def test_a_table_without_further_columns_has_the_plain_schema():
    assert table(None, None).schema.equals(SERIES)
    assert kinds_of(table(None)) == {}


@pytest.mark.parametrize("volumes", [[None, 2**53 + 1], [2**53 + 1, None], [None, None], [1, 2]])
def test_tables_of_different_columns_are_joined(volumes):
    parts = [
        table({"x": 1}, volumes=volumes[:1]),
        table({"y": "Y"}, volumes=volumes[1:], start=1),
        table(None, start=2),
    ]
    whole = joined(parts)
    exact = [EXACT] if 2**53 + 1 in volumes else []
    assert whole.column_names == [*SERIES.names, *exact, "x", "y"]
    assert bar_columns_of(whole).extra == [{"x": 1}, {"y": "Y"}, None]
    assert bar_columns_of(whole).volume == [*volumes, 7]


def test_an_upsert_replaces_the_whole_bar():
    old, new = table({"x": 1}, {"x": 2}, {"x": 3}), table({"y": "Y"}, start=1)
    assert bar_columns_of(upserted(old, new)).extra == [{"x": 1}, {"y": "Y"}, {"x": 3}]


def test_tables_with_whole_numbers_and_with_floats_are_joined_as_floats():
    whole = joined([table({"x": 2**53}), table({"x": 0.5}, start=1)])
    assert whole["x"].to_pylist() == [2.0**53, 0.5]
    with pytest.raises(
        InvalidData, match=r"^bar of 1970-01-01 00:00:00: extra\['x'\]=900719925474"
    ):
        joined([table({"x": 2**53 + 1}), table({"x": 0.5}, start=1)])


# The type of a column in its series.


def test_a_series_without_further_columns_agrees_with_nothing_to_do():
    plain = table(None)
    assert agreed({}, plain, nothing) == ({}, plain)


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_keeps_the_type_of_its_first_write(kind):
    same = table({"x": KINDS[kind]})
    assert agreed({"x": kind}, same, nothing) == ({"x": kind}, same)


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        (kind, other)
        for kind in KINDS
        for other in KINDS
        if kind != other and {kind, other} != {"float64", "int64"}
    ],
)
def test_another_type_is_refused_by_bar_and_column(kind, other):
    written = table(None, {"x": KINDS[other]}, start=5)
    with pytest.raises(Misfit, match=rf"^bar of A, 1970-01-01 00:00:00.000006: .*expected {kind}"):
        agreed({"x": kind}, written, nothing, "A")


def test_whole_numbers_for_a_column_of_floats_become_floats():
    kinds, found = agreed({"x": "float64"}, table({"x": 2**60}), nothing)
    assert (kinds, found["x"].to_pylist()) == ({"x": "float64"}, [2.0**60])
    with pytest.raises(Misfit, match="expected a number that a 64-bit float equals"):
        agreed({"x": "float64"}, table({"x": 2**60 + 1}), nothing)


@pytest.mark.parametrize(
    "stored", [[], [pa.array([1, None, -(2**60)])], [pa.chunked_array([[2**53], [None]])]]
)
def test_floats_turn_a_column_of_whole_numbers_if_each_has_an_equal_float(stored):
    kinds, found = agreed({"x": "int64"}, table({"x": 0.5}), lambda name: stored)
    assert (kinds, found["x"].to_pylist()) == ({"x": "float64"}, [0.5])


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**63 - 1])
def test_floats_are_refused_if_a_stored_whole_number_has_no_equal_float(value):
    stored = [pa.array([1], pa.int64()), pa.chunked_array([[None, value]], pa.int64())]
    with pytest.raises(Misfit, match=f"'x'\\]=0.5: expected int64: the series has {value}, which"):
        agreed({"x": "int64"}, table(None, {"x": 0.5}), lambda name: stored, "A")


def test_a_column_of_nulls_fits_any_type_and_fixes_a_new_one():
    nulls = table(None).append_column("x", pa.nulls(1, pa.float64()))
    for kind in KINDS:
        kinds, found = agreed({"x": kind}, nulls, nothing)
        assert (kinds, found["x"].type) == ({"x": kind}, TYPES[kind])
    assert agreed({}, nulls, nothing) == ({"x": "float64"}, nulls)


def test_a_write_has_all_columns_of_its_series():
    kinds, found = agreed({"z": "string"}, table({"a": 7}), nothing)
    assert (kinds, list(kinds)) == ({"a": "int64", "z": "string"}, ["a", "z"])
    assert found.column_names == [*SERIES.names, "a", "z"]
    assert found["z"].to_pylist() == [None]


def test_a_table_conforms_to_types_without_what_they_do_not_name():
    found = conformed(table({"a": 7, "b": 1}), {"b": "float64", "c": "bool"})
    assert kinds_of(found) == {"b": "float64", "c": "bool"}


def test_a_table_that_was_read_is_completed_with_what_came_meanwhile():
    found = completed(table({"a": 7, "b": "X"}), {"a": "float64", "b": "bool", "c": "bool"})
    assert kinds_of(found) == {"a": "float64", "b": "string", "c": "bool"}


def test_types_of_several_series_are_united_by_name():
    kinds = united([("A", {"b": "int64"}), ("B", {"b": "float64", "a": "bool"})])
    assert list(kinds.items()) == [("a", "bool"), ("b", "float64")]


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ((), "columns: 'x' is float64 and string: no type"),
        (("A", "B", "C"), "columns: 'x' is float64 for 'A' and string for 'C': no type suits both"),
    ],
)
def test_types_that_do_not_agree_are_refused_by_symbol(symbols, message):
    with pytest.raises(InvalidData, match=message):
        unified([table({"x": 1.5}), table({"x": 1}), table({"x": "X"})], symbols)


def test_a_misfit_survives_pickling():
    error = Misfit.of("A", 0, "x", "7: no")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.at, again.column) == (str(error), 0, "x")


def test_a_bar_without_further_columns_looks_and_hashes_as_before():
    plain = PriceBar("A", JAN_5, 1.0, 1.0, 1.0, 1.0, 7)
    assert "extra" not in repr(plain)
    assert hash(plain) == hash(PriceBar("A", JAN_5, 1.0, 1.0, 1.0, 1.0, 7, None))
    assert "extra={'x': 1}" in repr(PriceBar("A", JAN_5, 1.0, 1.0, 1.0, 1.0, 7, {"x": 1}))
