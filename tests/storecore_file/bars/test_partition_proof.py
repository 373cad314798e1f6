"""A part is proven byte by byte, and to be what any reader of Parquet sees (law D5)."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from storecore import CorruptData, PriceBar
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


def encoded(table, **note):
    """Return a part that holds a table; `note` overrides what it says of itself."""
    with pytest.MonkeyPatch.context() as patched:
        sealed = partition._sealed
        patched.setattr(
            partition,
            "_sealed",
            lambda content, metadata, own: sealed(
                content, metadata, msgspec.structs.replace(own, **note)
            ),
        )
        return partition.encode("AAPL", "1d", table, {})


def test_a_whole_part_is_its_bars():
    note, table = proven(encoded(bars()), PATH, JANUARY)
    assert (note.symbol, table) == ("AAPL", bars())


def test_a_part_without_bars_is_whole():
    assert len(proven(encoded(bars(0)), PATH, JANUARY)[1]) == 0


def test_d5_every_flipped_bit_is_noticed():
    whole = encoded(bars())
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
        (joined([bars(2), bars(2)]), {}, "not in order of time, one a date"),
        (bars(), {"groups": [partition.Group(4, 1767571200000000, 1767571440000000)]}, "in order"),
        (bars(start=datetime(2026, 2, 1)), {}, "of the range that its name tells"),
    ],
)
def test_a_part_that_is_not_what_it_says_is_noticed(table, note, problem):
    with pytest.raises(CorruptData, match=problem):
        proven(encoded(table, **note), PATH, JANUARY)


def test_other_columns_are_noticed(monkeypatch):
    monkeypatch.setattr(
        "storecore_file.bars.integrity.schema_of", lambda kinds, nulls: partition.SCHEMA.remove(6)
    )
    with pytest.raises(CorruptData, match="its columns are"):
        proven(encoded(bars()), PATH, JANUARY)
