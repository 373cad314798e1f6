"""`storecore.laws`, which is deprecated, still gives authors what backends were written with."""

from __future__ import annotations

import inspect

import pytest

from storecore import laws, open_store
from storecore.testing.records import NOON, bar, bar_table


@pytest.mark.parametrize("name", laws.__all__)
def test_every_name_is_there_and_says_what_it_does(name):
    value = getattr(laws, name)
    assert not (inspect.isroutine(value) or inspect.isclass(value)) or value.__doc__


class ByBars(laws.BarTablesByBars):
    """A backend whose tables are made by its ten methods."""

    def __init__(self, store):
        self.write_bars, self.read_bars = store.write_bars, store.read_bars


def test_tables_are_read_and_written_by_the_ten_methods():
    bars = [bar(symbol=symbol) for symbol in ("A", "B")]
    with open_store("memory") as store:
        tables = ByBars(store)
        tables.write_bar_table(bar_table(bars))
        read = tables.read_bar_table(["B", "A"], NOON, NOON)
        assert read["symbol"].to_pylist() == ["A", "B"]
        assert [name for name, _ in laws.bar_columns_by_symbol(read)] == ["A", "B"]
