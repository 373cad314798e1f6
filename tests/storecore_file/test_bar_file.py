"""A Parquet file of bars: its columns, and law D5 for every byte of it."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storecore.bars import bar_columns
from storecore.errors import CorruptData
from storecore.instants import EARLIEST, LATEST
from storecore_file import bar_file
from storecore_file.bar_table import columns_of, table_of
from storecore_file.floor.sealing import sealed_parquet

PATH = Path("prices/AAPL/2026-01.parquet")


@pytest.fixture
def columns(bar):
    volumes = {5: 2**53 + 1, 6: 1_000, 7: 0.25, 8: 2**63 - 1}
    bars = [bar(datetime(2026, 1, day), volume=volume) for day, volume in volumes.items()]
    return bar_columns("AAPL", bars)


@pytest.fixture
def content(columns):
    return bar_file.encode("AAPL", "1d", table_of(columns))


def decoded(content, symbol="AAPL", timeframe="1d"):
    return columns_of([bar_file.decode(content, PATH, symbol, timeframe)], EARLIEST, LATEST)


def test_bars_come_back_as_they_were_given(columns, content):
    assert decoded(content) == columns


def test_its_columns_are_those_of_a_price_bar(content):
    schema = pq.read_schema(io.BytesIO(content))
    assert dict(zip(schema.names, map(str, schema.types), strict=True)) == {
        "symbol": "string",
        "date": "timestamp[us, tz=UTC]",
        "open": "double",
        "high": "double",
        "low": "double",
        "close": "double",
        "volume": "double",
    }


def test_its_columns_have_no_nulls(content):
    assert not any(field.nullable for field in pq.read_schema(io.BytesIO(content)))


def test_it_says_whose_bars_it_holds(content):
    assert set(pq.read_table(io.BytesIO(content))["symbol"].to_pylist()) == {"AAPL"}


def test_its_note_tells_version_series_and_exact_volumes(content):
    note = json.loads(pq.read_schema(io.BytesIO(content)).metadata[b"storecore"])
    assert note == {
        "version": 1,
        "symbol": "AAPL",
        "timeframe": "1d",
        "exact_volumes": {"0": 2**53 + 1, "3": 2**63 - 1},
    }


def test_its_note_is_read_without_its_bars(content):
    note, count = bar_file.read_note(content, PATH)
    assert (note.symbol, note.timeframe, count) == ("AAPL", "1d", 4)


def test_d5_no_flipped_bit_changes_what_is_read(columns, content):
    unnoticed = []
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        try:
            if decoded(bytes(damaged)) != columns:
                unnoticed.append(position)
        except CorruptData:
            pass
    assert unnoticed == []


@pytest.mark.parametrize("reader", [decoded, lambda content: bar_file.read_note(content, PATH)])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"garbage",
        lambda content: b"PAR1" + bytes(100) + b"PAR1",
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content + b"\n",
    ],
    ids=["emptied", "garbage", "hollow", "one short", "cut", "one more"],
)
def test_d5_a_file_that_is_not_whole_is_corrupt_and_named(content, reader, damage):
    with pytest.raises(CorruptData, match="not a whole file of bars") as caught:
        reader(damage(content))
    assert caught.value.path == str(PATH)


@pytest.mark.parametrize("series", [("MSFT", "1d"), ("aapl", "1d"), ("AAPL", "1m")])
def test_d5_bars_of_another_series_are_not_taken_for_this_one(content, series):
    with pytest.raises(CorruptData, match=r"2026-01\.parquet: expected bars of .* found those of"):
        decoded(content, *series)


def rewritten(content, change):
    """Return the file as another program would write it after changing its table."""
    table = change(pq.read_table(io.BytesIO(content)))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sealed_parquet(sink.getvalue())


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.set_column(6, "volume", table["volume"].cast(pa.float32())),
        lambda table: table.set_column(1, "date", table["date"].cast(pa.timestamp("ms", "UTC"))),
        lambda table: table.drop_columns("close"),
        lambda table: pa.table(
            table.columns,
            schema=pa.schema([(f.name, f.type) for f in table.schema], table.schema.metadata),
        ),
    ],
    ids=["narrower", "coarser", "fewer", "nullable"],
)
def test_d5_other_columns_are_not_taken_for_bars(content, change):
    with pytest.raises(CorruptData, match="not the columns of bars"):
        decoded(rewritten(content, change))


def test_d5_a_file_without_a_note_is_not_taken_for_ours(content):
    with pytest.raises(CorruptData, match="not a whole file of bars"):
        decoded(rewritten(content, lambda table: table.replace_schema_metadata(None)))
