"""How many further columns a series has, and their names, in whatever way they come (law B6)."""

from __future__ import annotations

from datetime import datetime
from time import process_time

import pyarrow as pa
import pytest

import storecore
from storecore import InvalidData, PriceBar
from storecore.bars.extra_values import FIELDS, MOST_COLUMNS
from storecore.builtin.memory import MemoryDataStore
from storecore_file import FileDataStore
from storecore_file.bars.partition import schema_of

JAN_5 = datetime(2026, 1, 5)
TOO_MANY = r"1,001 further columns, and 1,000 are the most"


def bar(first, last):
    return PriceBar("A", JAN_5, 1, 1, 1, 1, 1, {f"c{each}": 1.5 for each in range(first, last)})


def table(first, last):
    seven = {name: [1.0] for name in ("open", "high", "low", "close", "volume")}
    further = {f"c{each}": [1.5] for each in range(first, last)}
    return pa.table({"symbol": ["A"], "date": [JAN_5], **seven, **further})


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    made = FileDataStore(tmp_path) if request.param == "file" else MemoryDataStore()
    with made:
        yield made


def test_a_series_has_at_most_a_number_of_further_columns(store):
    store.write_bars("A", [bar(0, MOST_COLUMNS)])
    for write in (
        lambda: store.write_bars("A", [bar(MOST_COLUMNS, MOST_COLUMNS + 1)]),
        lambda: store.write_bar_table(table(1, MOST_COLUMNS + 1)),
        lambda: store.write_bar_table(table(0, MOST_COLUMNS + 1), replace=True),
    ):
        with pytest.raises(InvalidData, match=TOO_MANY):
            write()
    assert len(store.read_bars("A")[0].extra) == MOST_COLUMNS
    store.write_bars("A", [bar(0, 1)])


def test_columns_that_are_left_out_do_not_count(store):
    storecore.write_bar_table(store, table(0, MOST_COLUMNS + 1), extra="ignore")
    assert store.read_bars("A")[0].extra is None


def _seconds(columns):
    """Return the shortest time of the processor for a schema of many columns."""
    kinds, found = {f"c{each}": "float64" for each in range(columns)}, []
    for _ in range(3):
        start = process_time()
        assert len(schema_of(kinds, nulls=False)) == len(FIELDS) + columns
        found.append(process_time() - start)
    return min(found)


def test_the_schema_of_a_partition_takes_time_in_proportion_to_its_columns():
    assert _seconds(4_000) < 24 * _seconds(500)  # 64 times, if each column copied those before it


@pytest.mark.parametrize("name", ["__index_level_0__", "__index_level_12__"])
def test_a_name_that_tables_take_for_an_index_is_refused_everywhere(store, name):
    with pytest.raises(InvalidData, match=r"bars\[0\]\.extra: .*index of pandas"):
        store.write_bars("A", [PriceBar("A", JAN_5, 1, 1, 1, 1, 1, {name: 1.5})])
    with pytest.raises(InvalidData, match="index of pandas"):
        store.write_bar_table({**table(0, 0).to_pydict(), name: [1.5]})
    assert store.symbols() == []
