"""Law B6 in files: further columns, and volumes that were not reported."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from storecore import PriceBar
from storecore.builtin.memory import MemoryDataStore
from storecore.errors import InvalidData
from storecore_file import FileDataStore
from storecore_file.bars import stream

DAY = datetime(2026, 1, 1, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SYMBOLS = ["AAPL", "MSFT", "BRK/B"]
VALUES = {
    "vwap": [0.1, -0.0, float("inf"), 2.5],
    "trades": [1, 2**53 + 1, -(2**63)],
    "halted": [True, False],
    "venue": ["XNAS", "", "é" * 40, "a\nb"],
    "settled": [DAY, datetime(9999, 12, 31, tzinfo=UTC), datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)],
    "exact_volume": [1.5],
    "mixed": [3, 7, 2.5],  # whole numbers that become floats
    "a.b": ["x"],
}


def some_bar(chosen, symbol, day):
    extra = {
        name: chosen.choice(values)
        for name, values in VALUES.items()
        if chosen.random() < 0.4 and name != "mixed"
    }
    volume = chosen.choice([7, 0.5, None])
    date = DAY + timedelta(day)
    return PriceBar(symbol, date, 1.0, 2.0, 0.5, chosen.random(), volume, extra or None)


def table_of(bars):
    """Return bars as a table, with the columns that one of them has."""
    seven = PriceBar.__struct_fields__[:-1]
    columns = {name: [getattr(bar, name) for bar in bars] for name in seven}
    if float in map(type, columns["volume"]):
        columns["volume"] = [None if each is None else float(each) for each in columns["volume"]]
    names = sorted({name for bar in bars for name in bar.extra or ()})
    for name in names:
        values = [(bar.extra or {}).get(name) for bar in bars]
        moment = pa.timestamp("us", "UTC") if name == "settled" else None
        columns[name] = pa.array(values, moment)
    return pa.table(columns)


def some_step(chosen):
    """Return a random change of a store."""
    symbol, first = chosen.choice(SYMBOLS), chosen.randrange(80)
    kind = chosen.choice(["write", "write", "table", "table", "widen", "delete", "all", "compact"])
    if kind == "write":
        bars = [some_bar(chosen, symbol, first + each) for each in range(chosen.randrange(1, 12))]
        return lambda store: store.write_bars(symbol, bars)
    if kind == "table":
        count = chosen.randrange(1, 3)
        bars = [some_bar(chosen, each, first + day) for each in SYMBOLS for day in range(count)]
        return lambda store: store.write_bar_table(table_of(bars))
    if kind == "widen":
        value = chosen.choice(VALUES["mixed"])
        bars = [
            PriceBar(each, DAY + timedelta(first), 1.0, 1.0, 1.0, 1.0, 1, {"mixed": value})
            for each in SYMBOLS
        ]
        return lambda store: store.write_bar_table(table_of(bars))
    if kind == "compact":
        return lambda store: getattr(store, "compact", bool)()
    last = first + 200 if kind == "all" else first + chosen.randrange(20)
    start = 0 if kind == "all" else first
    return lambda store: store.delete_bars(symbol, DAY + timedelta(start), DAY + timedelta(last))


def asked(store, chosen):
    """Return what a store answers, or the kind of its error."""
    first = chosen.randrange(80)
    span = DAY + timedelta(first), DAY + timedelta(first + chosen.randrange(30))
    columns = chosen.choice([None, ["close", "vwap"], ["mixed", "date"], ["volume", "trades"]])
    try:
        table = store.read_bar_table(SYMBOLS, *span, columns=columns)
        whole = store.read_bar_table(SYMBOLS, *ALWAYS)
    except InvalidData:
        return InvalidData
    return table, whole, [store.read_bars(each, *ALWAYS) for each in SYMBOLS]


def check_streams(store):
    """Check that windows are the rows of the whole table, and have the same further columns."""
    windows = list(store.iter_bar_tables(SYMBOLS, *ALWAYS, max_bytes=20 * stream.ROW_BYTES))
    whole = store.read_bar_table(SYMBOLS, *ALWAYS).sort_by(
        [("date", "ascending"), ("symbol", "ascending")]
    )
    for each in windows:
        assert [(field.name, field.type) for field in each.schema if field.name != "volume"] == [
            (field.name, field.type) for field in whole.schema if field.name != "volume"
        ]
    rows = [row for each in windows for row in each.to_pylist()]
    assert rows == whole.to_pylist()


@pytest.mark.parametrize("seed", range(6))
def test_b6_files_answer_as_memory_does(base, small, seed):
    chosen = random.Random(seed)
    memory, store = MemoryDataStore(), FileDataStore(base, durability="os")
    for number in range(40):
        step = some_step(chosen)
        for each in (memory, store):
            step(each)
        question = chosen.getrandbits(32)
        expected, found = (asked(each, random.Random(question)) for each in (memory, store))
        assert found == expected, number
        if number % 10 == 9:
            check_streams(store)
            assert not store.verify().findings
            store.close()
            store = FileDataStore(base, durability="os")
