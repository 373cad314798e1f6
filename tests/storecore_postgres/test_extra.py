"""Further columns of bars (law B6): real columns of the table, types that each series keeps."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storecore import CorruptData, InvalidData, InvalidName, PriceBar, StorageError
from storecore.bars.extra_values import FIELDS
from storecore.bars.table import PRICES
from storecore.builtin.memory import MemoryDataStore
from storecore_postgres import bar_pages, bar_rows
from storecore_postgres.bar_writes import Writes
from storecore_postgres.extra import column_name

NOON = datetime(2026, 1, 5, 12)
ALL = "0001-01-01", "9999-12-31"
SYMBOLS = ["A", "B", "Ü"]
VALUES = {
    "vwap": st.floats(allow_nan=False),
    "trades": st.integers(-(2**53), 2**53) | st.floats(0, 9),
    "is_open": st.booleans(),
    "note": st.text(st.characters(exclude_characters="\0", codec="utf8"), max_size=5),
    "closed at": st.datetimes(timezones=st.just(UTC)),
}
COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 10 AND NOT attisdropped ORDER BY attnum
"""
_numbers = itertools.count()


@st.composite
def batches(draw):
    """Batches of bars of some symbols; each symbol gives each column of one type."""
    extra = st.fixed_dictionaries({}, optional=VALUES)
    volumes = st.none() | st.integers(0, 2**60) | st.floats(0, 9)
    row = st.tuples(st.sampled_from(SYMBOLS), st.integers(-4, 4), volumes, extra)
    drawn = draw(st.lists(st.lists(row, max_size=10), max_size=4))
    return [
        [PriceBar(name, NOON + timedelta(day), 1, 2, 0.5, 1.5, volume, extra or None)
         for name, day, volume, extra in batch]
        for batch in drawn
    ]  # fmt: skip


@pytest.fixture
def small(monkeypatch):
    """Make sizes so small that a few bars are copied, in batches, and read in pages."""
    for module, name, value in [
        (bar_pages, "_PAGE_ROWS", 5),
        (bar_pages, "_PAGE_TEXTS", 3),
        (bar_rows, "_COPY_FROM", 4),
        (bar_rows, "_COPY_PER_SERIES", 1),
        (bar_rows, "_UPSERT_ROWS", 3),
    ]:
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def columns(admin, schema):
    """Return the further columns of the table of bars and their types."""
    return lambda: dict(admin.execute(COLUMNS, [f"{schema}.bars"]).fetchall())


@pytest.fixture
def longer(bar):
    """Make some bars of AAPL with further columns."""

    def make(count, **extra):
        days = (NOON + timedelta(day) for day in range(count))
        return [bar(date=at, extra=dict(extra) or None) for at in days]

    return make


def outcome(call):
    try:
        return call()
    except InvalidData as error:
        return str(error)


@settings(max_examples=15)
@given(batches())
def test_b6_writes_are_those_of_memory_whatever_the_size_of_batches_and_pages(
    store, small, batches
):
    memory, timeframe = MemoryDataStore(), f"session {next(_numbers)}"
    for batch in batches:
        for symbol in {bar.symbol for bar in batch}:
            own = [bar for bar in batch if bar.symbol == symbol]
            results = [
                outcome(lambda each=each: each.write_bars(symbol, own, timeframe=timeframe))  # noqa: B023
                for each in (store, memory)
            ]
            assert results[0] == results[1]
    for symbol in SYMBOLS:
        for last in (None, 2):
            asked = {"timeframe": timeframe, "last": last}
            assert store.read_bars(symbol, **asked) == memory.read_bars(symbol, **asked)
    for columns in (None, ["symbol", "note", "volume"], ["trades"]):
        asked = {"timeframe": timeframe, "columns": columns}
        for last in (None, 2):
            tables = [
                outcome(lambda each=each: each.read_bar_table(SYMBOLS, last=last, **asked))  # noqa: B023
                for each in (store, memory)
            ]
            assert tables[0] == tables[1]


def test_b6_columns_are_real_columns_of_their_names_and_types(store, columns, admin, schema, bar):
    given = {"vwap": 1.5, "trades": 3, "is_open": True, "note": "ü", "closed at": NOON}
    store.write_bars("AAPL", [bar(extra=given)])
    assert columns() == {
        "vwap": "double precision",
        "trades": "bigint",
        "is_open": "boolean",
        "note": "text",
        "closed at": "timestamp with time zone",
    }
    row = f"SELECT vwap, trades, is_open, note FROM {schema}.bars"
    assert admin.execute(row).fetchall() == [(1.5, 3, True, "ü")]


def test_one_name_with_two_types_in_two_series_has_a_column_for_each(
    store, columns, admin, schema, bar
):
    store.write_bars("AAPL", [bar(extra={"flag": 1})])
    store.write_bars("MSFT", [bar(symbol="MSFT", extra={"flag": "x"})])
    assert columns() == {"flag": "bigint", "flag_string": "text"}
    places = f"SELECT name, kind, stored_as FROM {schema}.bar_columns ORDER BY kind"
    assert admin.execute(places).fetchall() == [
        ("flag", "int64", "flag"),
        ("flag", "string", "flag_string"),
    ]
    assert store.read_bars("MSFT")[0].extra == {"flag": "x"}
    with pytest.raises(InvalidData, match="'flag' is int64 for 'AAPL' and string for 'MSFT'"):
        store.read_bar_table(["AAPL", "MSFT"])


@pytest.mark.parametrize(
    "name", ["exact_volume", "timeframe", "xmin", "x" * 80, "ü" * 80, 'a"b', "a%sb{c}", "Vwap"]
)
def test_any_name_comes_back_and_takes_no_column_of_another(store, bar, name):
    given = [bar(volume=2**53 + 1, extra={name: 1.5, "vwap": 2.5})]
    store.write_bars("AAPL", given)
    assert store.read_bars("AAPL") == given
    assert store.read_bar_table("AAPL", columns=[name])[name].to_pylist() == [1.5]


def test_a_column_that_someone_added_for_themselves_is_not_used(store, columns, admin, schema, bar):
    admin.execute(f"ALTER TABLE {schema}.bars ADD note text DEFAULT 'mine'")
    store.write_bars("AAPL", [bar(extra={"note": "storecore's"})])
    assert store.read_bars("AAPL")[0].extra == {"note": "storecore's"}
    assert admin.execute(f"SELECT note FROM {schema}.bars").fetchall() == [("mine",)]


def test_a_new_column_gets_a_name_that_is_free():
    assert column_name("vwap", "float64", set()) == "vwap"
    assert column_name("vwap", "float64", {"vwap"}) == "vwap_float64"
    assert column_name("vwap", "float64", {"vwap", "vwap_float64"}) == "vwap_float64_2"
    assert column_name("ü" * 40, "bool", {"ü" * 31}) == "ü" * 29 + "_bool"


def test_a_name_that_no_index_can_hold_is_refused(store, bar):
    with pytest.raises(InvalidName, match="1,301 bytes"):
        store.write_bars("AAPL", [bar(extra={"x" * 1301: 1})])
    assert store.read_bars("AAPL") == []


def test_more_columns_than_a_table_can_have_are_refused(store, admin, schema, bar):
    many = ", ".join(f"ADD x{number} bool" for number in range(1589))
    admin.execute(f"ALTER TABLE {schema}.bars {many}")
    store.write_bars("AAPL", [bar(extra={"last": 1})])
    with pytest.raises(
        StorageError, match=r"the columns 'more' \(int64\): .*at most 1,600 columns"
    ):
        store.write_bars("AAPL", [bar(extra={"more": 1})])
    assert store.read_bars("AAPL") == [bar(extra={"last": 1})]


@pytest.mark.soak
def test_a_row_that_is_too_large_is_refused_for_what_it_is(store, bar):
    wide = {f"x{number}": float(number) for number in range(1_000)}
    with pytest.raises(StorageError, match="write or read fewer columns"):
        store.write_bars("AAPL", [bar(extra=wide)])
    assert store.read_bars("AAPL") == []


def test_whole_numbers_become_floats_where_each_is_exact(store, columns, longer):
    store.write_bars("AAPL", longer(2, n=3))
    store.write_bars("AAPL", longer(1, n=0.5))
    assert [each.extra for each in store.read_bars("AAPL")] == [{"n": 0.5}, {"n": 3.0}]
    assert columns() == {"n": "bigint", "n_float64": "double precision"}


def test_whole_numbers_that_no_float_equals_stay_and_floats_are_refused(store, longer):
    store.write_bars("AAPL", longer(2, n=2**53 + 1))
    with pytest.raises(InvalidData, match=r"extra\['n'\]=0.5: .* which no 64-bit float equals"):
        store.write_bars("AAPL", longer(1, n=0.5))
    assert store.read_bars("AAPL") == longer(2, n=2**53 + 1)


def test_a_series_that_is_deleted_whole_forgets_its_types(store, longer):
    store.write_bars("AAPL", longer(2, n=1))
    store.delete_bars("AAPL", NOON, NOON)
    with pytest.raises(InvalidData, match="expected int64, its type so far"):
        store.write_bars("AAPL", longer(1, n="x"))
    assert store.delete_bars("AAPL", *ALL) == 1
    store.write_bars("AAPL", longer(1, n="x"))
    assert store.read_bars("AAPL") == longer(1, n="x")


def test_a_series_that_is_replaced_takes_the_types_of_the_table(store, longer):
    store.write_bars("AAPL", longer(3, n=1, note="x"))
    store.write_bars("B", [PriceBar("B", NOON, 1, 2, 0.5, 1, 5, {"n": "x"})])
    store.write_bar_table(store.read_bar_table("B"), replace=True)
    table = store.read_bar_table("AAPL", columns=["symbol", "date", *PRICES, "volume", "note"])
    store.write_bar_table(
        table.slice(1).rename_columns([*table.column_names[:-1], "n"]), replace=True
    )
    assert [each.extra for each in store.read_bars("AAPL")] == [{"n": "x"}] * 2
    store.write_bar_table(table.drop_columns(["note"]), replace=True)
    assert store.read_bars("AAPL") == longer(3)
    assert store._bars.extra_kinds("AAPL", "1d") == {}


def test_many_bars_with_columns_are_copied_unless_another_was_quicker(
    store, opened, monkeypatch, small, longer
):
    real, copied = Writes._copy_rows, []

    def copy(self, connection, timeframe, rows):
        copied.append(len(rows.table))
        if len(copied) == 2:
            other.write_bars("AAPL", longer(1), timeframe="1h")
        real(self, connection, timeframe, rows)

    monkeypatch.setattr(Writes, "_copy_rows", copy)
    with opened() as other:
        for timeframe in ("1d", "1h"):
            store.write_bars("AAPL", longer(9, note="x"), timeframe=timeframe)
            assert store.read_bars("AAPL", timeframe=timeframe) == longer(9, note="x")
    assert copied == [9, 9]


def test_a_key_that_someone_else_has_put_on_bars_is_an_error_that_is_reported(
    no_cluster, layout, store, admin, schema, small, longer
):
    if layout == "timescale":
        pytest.skip("its keys have the date")
    admin.execute(f"CREATE UNIQUE INDEX one_close ON {schema}.bars (close)")
    with pytest.raises(StorageError, match=r'duplicate key value violates .* "one_close"'):
        store.write_bars("AAPL", longer(5, vwap=1.5))
    assert store.read_bars("AAPL") == []


class TestAnotherProcessAddsAColumn:
    """A store that was opened before does not know the columns yet."""

    @pytest.fixture
    def other(self, store, opened, longer):
        store.write_bars("AAPL", longer(2))
        with opened() as other:
            other.read_bars("AAPL")
            store.write_bars("AAPL", longer(2, vwap=1.5))
            yield other

    def test_a_read_finds_it(self, other, longer):
        assert other.read_bars("AAPL") == longer(2, vwap=1.5)

    def test_a_read_of_many_finds_it(self, other):
        assert other.read_bar_table(["AAPL", "B"])["vwap"].to_pylist() == [1.5, 1.5]

    def test_a_read_of_a_range_without_bars_finds_it(self, other):
        for symbols in (["AAPL"], ["AAPL", "B"]):
            assert "vwap" in other.read_bar_table(symbols, NOON + timedelta(90)).column_names

    def test_an_upsert_replaces_whole_bars(self, other, store, longer):
        other.write_bars("AAPL", longer(1))
        assert [each.extra for each in store.read_bars("AAPL")] == [None, {"vwap": 1.5}]

    def test_a_write_of_another_type_is_refused(self, other, longer):
        with pytest.raises(InvalidData, match="expected float64, its type so far"):
            other.write_bars("AAPL", longer(1, vwap="x"))

    def test_a_deletion_forgets_the_types(self, other, store, longer):
        assert other.delete_bars("AAPL", *ALL) == 2
        store.write_bars("AAPL", longer(1, vwap="x"))
        assert other.read_bars("AAPL") == longer(1, vwap="x")

    def test_a_replaced_series_has_no_such_column_any_more(self, other, store, longer):
        table = store.read_bar_table("AAPL", columns=FIELDS)
        other.write_bar_table(table, replace=True)
        assert store.read_bars("AAPL") == longer(2)

    def test_a_renaming_keeps_it(self, other, store):
        other.rename_symbol("AAPL", "B")
        assert [each.extra for each in store.read_bars("B")] == [{"vwap": 1.5}] * 2

    def test_the_same_column_is_added_once(self, other, columns, bar):
        other.write_bars("B", [bar(symbol="B", extra={"vwap": 2.5})])
        assert columns() == {"vwap": "double precision"}
        assert other.read_bars("B")[0].extra == {"vwap": 2.5}


def test_of_first_writers_with_different_types_one_wins_and_the_others_are_refused(opened, longer):
    values = [1.5, "x", True, NOON.replace(tzinfo=UTC)] * 2
    stores = [opened() for _ in values]

    def write(place):
        return outcome(lambda: stores[place].write_bars("AAPL", longer(1, value=values[place])))

    with ThreadPoolExecutor(len(values)) as threads:
        results = list(threads.map(write, range(len(values))))
    kept = stores[0].read_bars("AAPL")[0].extra["value"]
    assert [each is None for each in results] == [value == kept for value in values]
    for store in stores:
        store.close()


def test_writers_that_add_columns_at_once_lose_none(opened, columns):
    stores = [opened() for _ in range(4)]

    def write(number):
        extra = {f"x{number % 7}": number}
        bar = PriceBar(f"S{number}", NOON, 1, 2, 0.5, 1, 5, extra)
        stores[number % 4].write_bars(f"S{number}", [bar])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(28)))
    assert set(columns()) == {f"x{number}" for number in range(7)}
    names = [f"S{number}" for number in range(28)]
    table = stores[0].read_bar_table(names)
    rows = table.to_pylist()
    assert [row[f"x{int(row['symbol'][1:]) % 7}"] for row in rows] == [
        int(row["symbol"][1:]) for row in rows
    ]
    for store in stores:
        store.close()


def test_a_series_whose_column_is_not_listed_is_damaged(store, admin, schema, longer, opened):
    store.write_bars("AAPL", longer(1, vwap=1.5))
    admin.execute(f"DELETE FROM {schema}.bar_columns")
    with opened() as other, pytest.raises(CorruptData, match=r"'vwap' \(float64\) of a series is"):
        other.read_bars("AAPL")


def test_a_trigger_that_keeps_rows_out_does_not_make_a_writer_go_on_for_ever(
    no_cluster, store, admin, schema, longer
):
    admin.execute(
        f"CREATE FUNCTION {schema}.nothing() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RETURN NULL; END $$"
    )
    admin.execute(
        f"CREATE TRIGGER nothing BEFORE INSERT ON {schema}.bars FOR EACH ROW "
        f"EXECUTE FUNCTION {schema}.nothing()"
    )
    store.write_bars("AAPL", longer(1))
    store.write_bars("AAPL", longer(1, vwap=1.5))
    assert store.read_bars("AAPL") == []


def test_a_stream_counts_the_bytes_of_texts(store, longer):
    store.write_bars("AAPL", longer(8, vwap=1.5, note="x" * 1000))
    few, many = (
        [len(each) for each in store.iter_bar_tables("AAPL", columns=columns, max_bytes=8000)]
        for columns in (["close", "note"], ["close", "vwap"])
    )
    assert max(few) == 1
    assert max(many) > 4
    assert sum(few) == sum(many) == 8


def test_a_table_of_many_symbols_gives_each_its_columns(store):
    names = ["symbol", "date", *PRICES, "volume", "n"]
    rows = [(name, NOON, 1.0, 1.0, 1.0, 1.0, 5.0) for name in ("A", "B", "C")]
    store.write_bars("A", [PriceBar("A", NOON, 1, 1, 1, 1, 5, {"n": 0.5})])
    values = zip(*[(*row, number) for number, row in enumerate(rows)], strict=True)
    store.write_bar_table(pa.table(dict(zip(names, map(list, values), strict=True))))
    assert store.read_bars("A")[0].extra == {"n": 0.0}
    assert [type(store.read_bars(name)[0].extra["n"]) for name in "ABC"] == [float, int, int]


@pytest.mark.parametrize("kind", ["string", "bool"])
def test_a_series_of_the_most_columns_is_read(store, kind):
    """A SELECT has at most 1,664 entries, and a column takes two or three of them."""
    value = "x" if kind == "string" else True
    first = {f"c{number}": value for number in range(1_000)}
    found = [PriceBar("A", NOON, 1.0, 2.0, 0.5, 1.5, 10, first)]
    found.append(PriceBar("A", NOON + timedelta(1), 1.0, 2.0, 0.5, 1.5, None, {"c7": value}))
    store.write_bars("A", found)
    assert store.read_bars("A", *ALL) == found
    assert store.read_bars("A", last=1) == found[1:]
    assert store.read_bar_table(["A", "B"]).num_columns == 1_007


@pytest.mark.parametrize(
    ("numbers", "texts", "rows"),
    [(0, 0, 1_000_000), (90, 0, 1_000_000), (993, 0, 100_000), (0, 100, 20_000), (0, 1_000, 2_000)],
)
def test_a_page_has_fewer_bars_if_these_have_many_columns(numbers, texts, rows):
    """The server sends at most 1 GB in a row."""
    kinds = ["float64"] * numbers + ["string"] * texts
    assert bar_pages._page_size([(str(number), kind) for number, kind in enumerate(kinds)]) == rows
