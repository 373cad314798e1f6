"""`to_frame` of a table of bars: what `to_pandas` returns, in memory of its own."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest

import storecore
from storecore import PriceBar, to_frame
from storecore_file import FileDataStore

polars = pytest.importorskip("polars")
START = datetime(2026, 1, 5)


def table_of(rows: int, *, chunks: int = 1, aware: bool = False, **more: list) -> pa.Table:
    """Return a table of bars in a number of chunks."""
    dates = pa.array([START + timedelta(minutes=row) for row in range(rows)], pa.timestamp("us"))
    dates = dates.cast(pa.timestamp("us", "UTC")) if aware else dates
    columns = {
        "symbol": ["A"] * rows,
        "date": dates,
        "close": pa.array(map(float, range(rows)), pa.float64()),
    }
    table = pa.table({**columns, **more})
    size = -(-rows // chunks)
    return pa.concat_tables([table.slice(at, size) for at in range(0, rows, size)])


@pytest.fixture(params=[(0, 10**9), (10**9, 10**9), (0, 1)], ids=["arrays", "short", "long"])
def _way(request, monkeypatch):
    """Each of the ways to make a frame."""
    for name, rows in zip(("_SHORT", "_LONG"), request.param, strict=True):
        monkeypatch.setattr(f"storecore.store.frames.table_frame.{name}", rows)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("chunks", [1, 3])
@pytest.mark.parametrize("aware", [False, True])
def test_a_table_becomes_the_frame_that_arrow_makes_of_it(chunks, aware):
    table = table_of(
        10,
        chunks=chunks,
        aware=aware,
        volume=[1.0, None] * 5,
        trades=[*range(10)],
        note=["x", None] * 5,
        halted=[True] * 10,
    )
    pd.testing.assert_frame_equal(to_frame(table), table.to_pandas())


@pytest.mark.usefixtures("_way")
def test_texts_of_many_dictionaries_become_the_column_that_arrow_makes_of_them():
    places = pa.array(range(100), pa.int8())  # of one dictionary: more do not fit into 8 bits
    texts = [pa.array([f"{at}-{row}" for row in range(100)]) for at in range(3)]
    notes = [pa.DictionaryArray.from_arrays(places, each) for each in texts]
    table = pa.table({"close": [*map(float, range(300))], "note": pa.chunked_array(notes)})
    pd.testing.assert_frame_equal(to_frame(table), table.to_pandas())


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("chunks", [1, 3, 10])
@pytest.mark.parametrize("empty", [0, 1])
def test_values_of_a_frame_can_be_changed_and_the_table_stays_as_it_is(chunks, empty):
    table = table_of(10, chunks=chunks)
    table = pa.concat_tables([table, *[table[:0]] * empty])
    before = table.to_pylist()
    frame = to_frame(table)
    frame.loc[:, "close"] = -1.0
    frame.iloc[0, 1] = pd.Timestamp("2000-01-01")
    assert frame["close"].tolist() == [-1.0] * 10
    assert frame["date"][0] == pd.Timestamp("2000-01-01")
    assert table.to_pylist() == before


@pytest.mark.usefixtures("_way")
def test_a_changed_frame_does_not_change_what_is_read_next(tmp_path):
    with FileDataStore(base_path=tmp_path, durability="os") as store:
        bars = [PriceBar("A", START + timedelta(n), 1, 2, 0.5, 1.5, 10) for n in range(50)]
        store.write_bars("A", bars)
        for _ in range(3):  # read, kept decoded, and again
            frame = to_frame(store.read_bar_table("A"))
            assert frame["close"].tolist() == [1.5] * 50
            frame.loc[:, "close"] = -1.0


@pytest.mark.usefixtures("_way")
def test_columns_of_one_name_and_an_index_of_pandas_are_as_arrow_makes_them():
    twice = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["close", "close"])
    assert to_frame(twice).shape == (1, 2)
    indexed = pd.DataFrame({"close": [1.0, 2.0]}, index=pd.Index(["x", "y"], name="key"))
    pd.testing.assert_frame_equal(to_frame(pa.Table.from_pandas(indexed)), indexed)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("to", ["pandas", "polars"])
def test_a_table_without_rows_has_its_columns(to):
    with storecore.open_store("memory") as store:
        frame = to_frame(store.read_bar_table("A"), to=to)
    assert [*frame.columns] == ["symbol", "date", "open", "high", "low", "close", "volume"]
    assert len(frame) == 0


def test_a_table_becomes_a_frame_of_polars():
    table = table_of(3)
    assert to_frame(table, to="polars").equals(polars.from_arrow(table))
