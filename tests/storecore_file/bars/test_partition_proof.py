"""A part is proven byte by byte, and to be what any reader of Parquet sees (law D5)."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from storecore import CorruptData, PriceBar
from storecore.bars.extra import EXACT
from storecore.bars.rows import bar_columns
from storecore.bars.table import joined, series_table
from storecore_file.bars import partition
from storecore_file.bars.integrity import proven
from storecore_file.bars.layout import parsed

PATH, JANUARY = Path("2026-01.parquet"), parsed("2026-01.parquet")
JAN_5 = datetime(2026, 1, 5)


def bars(count=5, start=JAN_5):
    rows = [
        PriceBar("AAPL", start + timedelta(minutes=each), 1, 2, 0.5, 1.5, 7)
        for each in range(count)
    ]
    return series_table(bar_columns("AAPL", rows))


def wide_bars():
    """Bars with a column of each kind, and volumes some of which were not reported."""
    extra = {"halted": True, "settled": JAN_5, "trades": 7, "venue": "XNAS", "vwap": 1.25}
    rows = [
        PriceBar("AAPL", JAN_5 + timedelta(each), 1, 2, 0.5, 1.5, volume, given)
        for each, (volume, given) in enumerate([(None, extra), (7, None), (2**53 + 1, extra)])
    ]
    return series_table(bar_columns("AAPL", rows, extra=True))


def encoded(table, **note):
    """Return a part that holds a table; `note` overrides what it says of itself."""
    with pytest.MonkeyPatch.context() as patched:
        sealed = partition._sealed
        patched.setattr(
            partition,
            "_sealed",
            lambda content, metadata, own, block: sealed(
                content, metadata, msgspec.structs.replace(own, **note), block
            ),
        )
        return partition.encode("AAPL", "1d", table, {})


def test_a_whole_partition_is_its_bars():
    note, table = proven(encoded(bars()), PATH, JANUARY)
    assert (note.symbol, table) == ("AAPL", bars())


def test_a_partition_without_bars_is_whole():
    assert len(proven(encoded(bars(0)), PATH, JANUARY)[1]) == 0


def test_a_whole_part_of_further_columns_is_its_bars():
    note, table = proven(encoded(wide_bars()), PATH, JANUARY)
    assert (note.version, table) == (4, wide_bars().drop_columns([EXACT]))


@pytest.mark.parametrize("table", [bars(), wide_bars()], ids=["seven columns", "further columns"])
def test_d5_every_flipped_bit_is_noticed(table):
    whole = encoded(table)
    for position in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            with pytest.raises(CorruptData, match=r"2026-01\.parquet"):
                proven(bytes(damaged), PATH, JANUARY)


def test_bytes_between_the_columns_and_the_note_are_noticed():
    whole = encoded(bars())
    end = int.from_bytes(whole[-8:-4], "little") + 8 + 8
    note = int.from_bytes(whole[-end : -end + 4], "little")
    start = len(whole) - end - note
    with pytest.raises(CorruptData, match="bytes that are of no column"):
        proven(whole[:start] + b"xx" + whole[start:], PATH, JANUARY)


@pytest.mark.parametrize(
    ("table", "note", "problem"),
    [
        (bars(), {"symbol": "MSFT"}, "bars of other symbols than 'MSFT'"),
        (bars(), {"version": 4, "columns": {"x": "bool"}}, "length|its columns|range"),
        (wide_bars(), {"version": 4, "columns": dict.fromkeys("abcde", "bool")}, "its columns are"),
        (wide_bars(), {"version": 3, "columns": None}, "its columns are"),
        (joined([bars(2), bars(2)]), {}, "not in order of time, one a date"),
        (bars(), {"groups": [partition.Group(4, 1767571200000000, 1767571440000000)]}, "in order"),
        (bars(start=datetime(2026, 2, 1)), {}, "of the range that its name tells"),
    ],
)
def test_a_partition_that_is_not_what_it_says_is_noticed(table, note, problem):
    with pytest.raises(CorruptData, match=problem):
        proven(encoded(table, **note), PATH, JANUARY)


def test_other_columns_are_noticed(monkeypatch):
    monkeypatch.setattr(
        "storecore_file.bars.integrity.schema_of", lambda kinds, nulls: partition.SCHEMA.remove(6)
    )
    with pytest.raises(CorruptData, match="its columns are"):
        proven(encoded(bars()), PATH, JANUARY)
