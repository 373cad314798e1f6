"""Columns in the server's binary protocol: a round trip keeps every bit."""

from __future__ import annotations

import struct
import sys

import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore.bars.table import DATE
from storecore.values.times import EARLIEST, LATEST
from storecore_postgres import wire

FLOATS = st.lists(st.floats(allow_nan=False), min_size=1)
INSTANTS = st.lists(
    st.sampled_from([EARLIEST, LATEST, wire.EPOCH, wire.EPOCH - 1, -1, 0])
    | st.integers(EARLIEST, LATEST),
    min_size=1,
)
TEXTS = st.lists(
    st.tuples(st.text(st.characters(exclude_characters="\0", codec="utf8")), st.integers(1, 3)),
    min_size=1,
)
EXTREMES = [-0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1]


@pytest.fixture(scope="module")
def linked(postgres_dsn):
    with psycopg.connect(postgres_dsn, autocommit=True, context=wire.ADAPTERS) as connection:
        connection.execute("SET TimeZone = 'America/New_York'")  # which must not matter
        yield connection


def answered(linked, statement, *asked):
    return linked.execute(statement, asked, binary=True).fetchall()


def bits(values):
    return [struct.pack(">d", value) for value in values]


@given(FLOATS)
def test_floats_come_back_bit_for_bit(linked, values):
    values += EXTREMES
    ((sent,),) = answered(
        linked,
        "SELECT string_agg(float8send(x), '' ORDER BY n) "
        "FROM unnest(%s::float8[]) WITH ORDINALITY AS given (x, n)",
        wire.float_array(pa.chunked_array([values])),
    )
    assert bits(wire.float_column(sent).to_pylist()) == bits(values)


@given(INSTANTS)
def test_dates_come_back_from_the_year_1_to_9999(linked, values):
    dates = pa.chunked_array([pa.array(values, pa.int64()).view(DATE)])
    ((sent,),) = answered(
        linked,
        "SELECT string_agg(timestamptz_send(x), '' ORDER BY n) "
        "FROM unnest(%s::timestamptz[]) WITH ORDINALITY AS given (x, n)",
        wire.date_array(dates),
    )
    assert wire.date_column(sent).equals(dates.combine_chunks())


@given(INSTANTS)
def test_instants_come_back_one_by_one(linked, values):
    rows = answered(
        linked,
        "SELECT timestamptz_send(x), x = %s FROM unnest(%s::timestamptz[]) AS given (x)",
        wire.timestamptz(values[0]),
        wire.timestamptz_array(values),
    )
    assert [wire.instant(sent) for sent, _ in rows] == values
    assert [same for _, same in rows] == [value == values[0] for value in values]


@given(TEXTS)
def test_names_are_repeated_as_often_as_they_are_to_be(linked, names):
    ((texts,),) = answered(linked, "SELECT %s::text[]", wire.repeated_texts(names))
    assert texts == [name for name, times in names for _ in range(times)]


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_whole_numbers_come_back(linked, values):
    ((sent,),) = answered(
        linked,
        "SELECT coalesce(string_agg(int8send(x), '' ORDER BY n), '') "
        "FROM unnest(%s::int8[]) WITH ORDINALITY AS given (x, n)",
        values,
    )
    assert wire.whole_column(sent).to_pylist() == values


@given(st.lists(st.tuples(st.integers(EARLIEST, LATEST), st.floats(allow_nan=False)), min_size=1))
def test_copied_rows_are_what_was_given(linked, rows):
    dates, numbers = zip(*rows, strict=True)
    linked.execute(
        "CREATE TEMP TABLE IF NOT EXISTS copied (n serial, t text, d timestamptz, x float8)"
    )
    linked.execute("TRUNCATE copied")
    column = pa.chunked_array([pa.array(dates, pa.int64()).view(DATE)])
    with linked.cursor().copy("COPY copied (t, d, x) FROM STDIN (FORMAT binary)") as copy:
        copy.write(wire.COPY_HEAD)
        copy.write(wire.copy_rows(["Ünï"], column, pa.chunked_array([numbers])))
        copy.write(wire.COPY_END)
    found = answered(linked, "SELECT t, timestamptz_send(d), x FROM copied ORDER BY n")
    assert [(text, wire.instant(sent)) for text, sent, _ in found] == [("Ünï", d) for d in dates]
    assert bits(x for _, _, x in found) == bits(numbers)


VALUES = st.lists(
    st.tuples(
        st.none() | st.floats(allow_nan=False),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.booleans(),
        st.none() | st.text(st.characters(exclude_characters="\0", codec="utf8"), max_size=9),
        st.none() | st.integers(EARLIEST, LATEST),
    ),
    min_size=1,
)
TYPES = [pa.float64(), pa.int64(), pa.bool_(), pa.string(), DATE]


def columns_of(rows):
    """Return rows as columns, each in two chunks."""
    arrays = [pa.array(values, pa.int64() if kind == DATE else kind).view(kind)
              for values, kind in zip(zip(*rows, strict=True), TYPES, strict=True)]  # fmt: skip
    return [pa.chunked_array([each[:1], each[1:]]) for each in arrays]


@given(VALUES)
@pytest.mark.parametrize("size", [2, 100_000])
def test_values_of_each_type_and_nulls_come_back_from_arrays_and_from_copied_rows(
    linked, monkeypatch, size, rows
):
    monkeypatch.setattr(wire, "_ROWS", size)
    columns = columns_of(rows)
    arrays = ", ".join(
        f"%s::{kind}[]" for kind in ("float8", "int8", "bool", "text", "timestamptz")
    )
    sent = "x, i, b, t, timestamptz_send(d)"
    given = f"SELECT {sent} FROM unnest({arrays}) AS given (x, i, b, t, d)"
    found = answered(linked, given, *map(wire.value_array, columns))
    linked.execute("DROP TABLE IF EXISTS typed")
    typed = "n serial, name text, x float8, i int8, b bool, t text, d timestamptz"
    linked.execute(f"CREATE TEMP TABLE typed ({typed})")
    copied = "COPY typed (name, x, i, b, t, d) FROM STDIN (FORMAT binary)"
    with linked.cursor().copy(copied) as copy:
        copy.write(wire.COPY_HEAD)
        copy.write(wire.copy_rows_of(["Ünï"], columns))
        copy.write(wire.COPY_END)
    assert answered(linked, f"SELECT {sent} FROM typed ORDER BY n") == found
    instants = [(*each[:4], each[4] and wire.instant(each[4])) for each in found]
    assert instants == rows
    numbers = ([x for x, *_ in each if x is not None] for each in (found, rows))
    assert bits(next(numbers)) == bits(next(numbers))


@given(VALUES)
def test_texts_and_booleans_come_back_concatenated(linked, rows):
    *_, flags, texts, _ = columns_of(rows)
    ((lengths, sent, bools),) = answered(
        linked,
        "SELECT string_agg(int4send(octet_length(t)), '' ORDER BY n), "
        "string_agg(textsend(t), '' ORDER BY n), string_agg(boolsend(b), '' ORDER BY n) "
        "FROM unnest(%s::text[], %s::bool[]) WITH ORDINALITY AS given (t, b, n)",
        *map(wire.value_array, (texts, flags)),
    )
    assert (
        wire.text_column(lengths or b"", sent or b"").to_pylist() == texts.drop_null().to_pylist()
    )
    assert wire.bool_column(bools or b"").to_pylist() == flags.drop_null().to_pylist()


def test_nulls_are_put_at_their_dates():
    dates = pa.array([1, 2, 3], pa.int64()).view(DATE)
    column = wire.spread(pa.array([7]), dates, dates.take([0, 2]))
    assert column.to_pylist() == [None, 7, None]


def test_a_machine_whose_bytes_are_in_the_order_of_the_network_turns_none(monkeypatch):
    monkeypatch.setattr(sys, "byteorder", "big")
    assert wire._swapped(b"\0\1\2\3\4\5\6\7").tobytes() == b"\0\1\2\3\4\5\6\7"
