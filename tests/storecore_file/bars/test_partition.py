"""A part as a Parquet file: its columns, its note, and law D5 for every byte of it."""

from __future__ import annotations

import io
import json
import os
import random
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from storecore.bars.extra import EXACT
from storecore.bars.rows import BarColumns, bar_columns
from storecore.bars.table import DATE, EMPTY, SERIES, bar_columns_of, series_table
from storecore.errors import CorruptData, StorageError
from storecore.values.times import EARLIEST, LATEST, exact_instant
from storecore_file.bars import pages, partition
from storecore_file.bars.partition import Group, PartitionFile, encode
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import OpenFile
from storecore_file.fs.seal import parquet_checksum

HOUR = timedelta(hours=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "2026-01.parquet"


@pytest.fixture
def columns(bar):
    volumes = {5: 2**53 + 1, 6: 1_000, 7: 0.25, 8: 2**63 - 1}
    bars = [bar(datetime(2026, 1, day), volume=volume) for day, volume in volumes.items()]
    return bar_columns("AAPL", bars)


@pytest.fixture
def content(columns):
    return encode("AAPL", "1d", series_table(columns), {"00000001-0.jsonl": 3})


@pytest.fixture(scope="module")
def large():
    """A part of several row groups that is larger than what is read at once, and its columns."""
    chosen = random.Random(7)
    dates = [
        exact_instant(datetime(2026, 1, 1), "date") + 60_000_000 * row for row in range(12_000)
    ]
    prices = [[chosen.uniform(1, 100) for _ in dates] for _ in range(4)]
    volumes = [2**53 + 1 if row == 9_000 else chosen.randrange(2**40) for row in range(len(dates))]
    columns = BarColumns(dates, *prices, volumes)
    encoded = encode("AAPL", "1d", series_table(columns), {})
    assert len(encoded) > partition._WHOLE
    return encoded, columns


def looked(path, content, look):
    """Return what a look at a part of these bytes gives."""
    path.write_bytes(content)
    with Disk("os").opened(path) as file:
        return look(PartitionFile(file))


def all_rows(file, names=SERIES.names):
    return file.rows(EARLIEST, LATEST, names)


def decoded(path, content):
    return looked(path, content, lambda file: bar_columns_of(all_rows(file)))


def test_bars_come_back_as_they_were_given(path, columns, content):
    assert decoded(path, content) == columns


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


def test_its_statistics_tell_its_dates(content):
    statistics = pq.read_metadata(io.BytesIO(content)).row_group(0).column(1).statistics
    days = [moment.replace(tzinfo=None) for moment in (statistics.min, statistics.max)]
    assert days == [datetime(2026, 1, 5), datetime(2026, 1, 8)]


def test_its_note_tells_series_groups_exact_volumes_and_what_was_flushed(path, content):
    note = looked(path, content, lambda file: file.metadata)
    days = [exact_instant(datetime(2026, 1, day), "date") for day in (5, 8)]
    assert (note.version, note.symbol, note.timeframe) == (3, "AAPL", "1d")
    assert (note.groups, note.rows) == ([Group(4, *days)], 4)
    assert note.exact == {0: 2**53 + 1, 3: 2**63 - 1}
    assert note.flushed == {"00000001-0.jsonl": 3}


def test_its_note_tells_its_generation_and_what_it_replaces_and_nothing_that_is_absent(path):
    content = encode("AAPL", "1d", EMPTY, {}, 1_764_104_110_123_456, [7])
    note = looked(path, content, lambda file: file.metadata)
    assert (note.generation, note.replaces) == (1_764_104_110_123_456, [7])
    assert (note.columns, note.recorded) == (None, None)
    for absent in (b'"columns"', b'"recorded"', b'"folded"', b'"exact"'):
        assert absent not in content


def noted(content, **fields):
    """Return a part with other fields in its note."""
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    start = footer - 8 - int.from_bytes(content[footer - 8 : footer - 4], "little")
    note = json.dumps(json.loads(content[start : footer - 8]) | fields).encode()
    seal = note + len(note).to_bytes(4, "little")
    return b"".join(
        [content[:start], seal, parquet_checksum(seal, content[footer:]), content[footer:]]
    )


def test_a_note_without_a_generation_counts_as_the_oldest(path, content):
    old = noted(content, version=2)
    assert looked(path, old, lambda file: file.metadata.generation) == 0
    assert decoded(path, old) == decoded(path, content)


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 6},
        {"version": 6, "symbol": ["AAPL"]},
        {"columns": {"vwap": "float64"}},
        {"version": 4, "columns": {"vwap": "decimal"}},
    ],
)
def test_a_part_of_a_newer_release_is_refused_and_is_no_damage(path, content, fields):
    with pytest.raises(StorageError, match="written by a newer storecore") as caught:
        decoded(path, noted(content, **fields))
    assert not isinstance(caught.value, CorruptData)
    assert caught.value.path == str(path)


def test_d5_a_note_of_this_release_with_other_fields_is_damage(path, content):
    with pytest.raises(CorruptData):
        decoded(path, noted(content, symbol=["AAPL"]))


def test_its_identity_is_that_of_its_content(path, content):
    one = looked(path, content, lambda file: file.identity)
    assert one == looked(path, content, lambda file: file.identity)
    assert one != looked(path, noted(content, generation=1), lambda file: file.identity)


def test_its_note_lies_as_json_before_the_footer(content):
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    length = int.from_bytes(content[footer - 8 : footer - 4], "little")
    note = json.loads(content[footer - 8 - length : footer - 8])
    assert note["symbol"] == "AAPL"
    assert sum(size for size, _ in note["chunks"]) + 4 == footer - 8 - length
    assert next(crc for _, crc in note["chunks"]) == crc32(content[4 : 4 + note["chunks"][0][0]])


def test_a_partition_may_be_without_bars(path):
    content = encode("AAPL", "1d", EMPTY, {"00000001-0.jsonl": 3})
    assert decoded(path, content).date == []
    assert looked(path, content, lambda file: (file.metadata.rows, file.metadata.flushed)) == (
        0,
        {"00000001-0.jsonl": 3},
    )
    looked(path, content, lambda file: file.check_range(0, 1))


# Some of it.


@pytest.mark.parametrize("names", [["close"], ["date"], ["volume"], ["low", "open"], []])
def test_some_columns_are_read_without_the_rest(path, content, names):
    whole = looked(path, content, all_rows)
    some = looked(path, content, lambda file: all_rows(file, names))
    own = [name for name in whole.column_names if name in {"date", *names}]
    exact = [EXACT] if "volume" in names else []
    assert some.equals(whole.select([*own, *exact]))


@pytest.mark.parametrize("names", [SERIES.names, ["close"], ["volume"]])
@pytest.mark.parametrize("rows", [(0, 0), (8_191, 8_192), (9_000, 9_000), (100, 11_999)])
def test_a_range_of_a_large_file_is_that_of_the_whole(path, large, rows, names):
    content, columns = large
    first, last = (columns.date[row] for row in rows)
    found = looked(path, content, lambda file: file.rows(first, last, names))
    assert found["date"].cast("int64").to_pylist() == columns.date[rows[0] : rows[1] + 1]
    if "volume" in names:
        exact = found[EXACT].to_pylist()
        assert [value for value in exact if value] == [2**53 + 1] * (rows[0] <= 9_000 <= rows[1])


def test_all_of_a_large_file_comes_back(path, large):
    content, columns = large
    assert decoded(path, content) == columns


@pytest.mark.parametrize("bounds", [(EARLIEST, 0), (LATEST, LATEST), (1, 0)])
def test_a_range_without_bars_is_empty(path, content, bounds):
    assert len(looked(path, content, lambda file: file.rows(*bounds))) == 0


def test_a_few_columns_of_a_large_file_are_read_without_the_rest(path, large, monkeypatch):
    content, columns = large
    path.write_bytes(content)
    read, fill = [], OpenFile.fill

    def counted(self, view, start):
        read.append(len(view))
        fill(self, view, start)

    monkeypatch.setattr(OpenFile, "fill", counted)
    with Disk("os").opened(path) as file:
        bars = PartitionFile(file)
        assert sum(read) <= 2**17
        bars.rows(columns.date[0], columns.date[0], ["close"])
    assert sum(read) < len(content) / 2


# Damage (law D5).


def damages(content, positions):
    """Yield the bytes with one bit flipped, and with one byte zeroed, at each position."""
    for position in positions:
        for byte in (content[position] ^ 1 << position % 8, 0):
            if byte != content[position]:
                yield position, content[:position] + bytes([byte]) + content[position + 1 :]


LOOKS = {
    "whole": all_rows,
    "a column": lambda file: all_rows(file, ["close"]),
    "volumes": lambda file: all_rows(file, ["volume"]),
    "note": lambda file: file.metadata,
}


@pytest.mark.parametrize("look", LOOKS)
def test_d5_no_damaged_byte_changes_what_is_read(path, content, look):
    expected, unnoticed = looked(path, content, LOOKS[look]), []
    for position, damaged in damages(content, range(len(content))):
        try:
            if looked(path, damaged, LOOKS[look]) != expected:
                unnoticed.append(position)
        except CorruptData:
            continue
    assert unnoticed == []


def test_d5_a_whole_read_notices_each_damaged_byte_behind_the_column_of_symbols(path, content):
    # The symbol is read from the note: the column is there for others.
    symbols, _ = looked(path, content, lambda file: file.metadata.chunks[0])
    for _, damaged in damages(content, range(4 + symbols, len(content))):
        with pytest.raises(CorruptData):
            looked(path, damaged, all_rows)


@pytest.mark.parametrize("look", LOOKS)
def test_d5_a_file_that_was_cut_anywhere_is_corrupt(path, content, look):
    for length in range(len(content)):
        with pytest.raises(CorruptData):
            looked(path, content[:length], LOOKS[look])


@pytest.mark.parametrize("look", LOOKS)
def test_d5_no_damaged_byte_of_a_large_file_changes_what_is_read(path, large, look):
    content, _ = large
    expected, chosen = looked(path, content, LOOKS[look]), random.Random(look)
    tail = range(len(content) - 6_000, len(content), 97)
    positions = [*(chosen.randrange(len(content)) for _ in range(40)), *tail]
    for position, damaged in damages(content, positions):
        with suppress(CorruptData):
            assert looked(path, damaged, LOOKS[look]) == expected, position
    for length in (chosen.randrange(len(content)) for _ in range(20)):
        with pytest.raises(CorruptData):
            looked(path, content[:length], LOOKS[look])


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"garbage",
        lambda content: b"PAR1" + bytes(100) + b"PAR1",
        lambda content: bytes(len(content)),
        lambda content: content + b"\n",
        lambda content: content[:-8] + b"\xff" * 4 + b"PAR1",
    ],
    ids=["emptied", "garbage", "hollow", "zeroed", "one more", "endless footer"],
)
def test_d5_a_file_that_is_not_whole_is_corrupt_and_named(path, content, damage):
    with pytest.raises(CorruptData, match="not a whole file of bars") as caught:
        looked(path, damage(content), all_rows)
    assert caught.value.path == str(path)


@pytest.mark.parametrize("series", [("MSFT", "1d"), ("aapl", "1d"), ("AAPL", "1m")])
def test_d5_bars_of_another_series_are_not_taken_for_this_one(path, content, series):
    with pytest.raises(CorruptData, match=r"2026-01\.parquet: expected bars of .* found those of"):
        looked(path, content, lambda file: file.check_series(*series))
    looked(path, content, lambda file: file.check_series("AAPL", "1d"))


def test_d5_bars_of_another_range_than_the_name_tells_are_refused(path, columns, content):
    first, last = columns.date[0], columns.date[-1]
    looked(path, content, lambda file: file.check_range(first, last))
    for bounds in [(first + 1, last), (first, last - 1), (last + 1, last + 2)]:
        with pytest.raises(CorruptData, match="the range that its name tells, found 2026-01-05"):
            looked(path, content, lambda file, bounds=bounds: file.check_range(*bounds))


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.set_column(6, "volume", table["volume"].cast(pa.float32())),
        lambda table: table.set_column(1, "date", table["date"].cast(pa.timestamp("ms", "UTC"))),
        lambda table: table.drop_columns("close"),
        lambda table: pa.table(dict(zip(table.column_names, table.columns, strict=True))),
    ],
    ids=["narrower", "coarser", "fewer", "nullable"],
)
def test_d5_other_columns_are_not_taken_for_bars(path, content, change):
    """A file of other columns, its note and checksums as if it were ours."""
    note = looked(path, content, lambda file: file.metadata)
    sink = pa.BufferOutputStream()
    pq.write_table(change(pq.read_table(io.BytesIO(content))), sink)
    rewritten = memoryview(sink.getvalue())
    metadata = pq.read_metadata(pa.BufferReader(rewritten))
    sealed = partition._sealed(rewritten, metadata, note, b"")
    with pytest.raises(CorruptData, match="not a whole file of bars"):
        looked(path, sealed, all_rows)


def test_d5_a_file_without_a_note_is_not_taken_for_ours(path, content):
    table = pq.read_table(io.BytesIO(content))
    pq.write_table(table, path)
    with pytest.raises(CorruptData, match="not a whole file of bars"):
        looked(path, path.read_bytes(), all_rows)


def test_a_file_that_becomes_shorter_while_it_is_read_is_an_error_that_names_it(path, large):
    content, columns = large
    path.write_bytes(content)
    with Disk("os").opened(path) as file:
        bars = PartitionFile(file)
        path.write_bytes(content[:100])
        with pytest.raises(StorageError, match="shorter while it was read") as caught:
            bars.rows(columns.date[0], columns.date[-1])
    assert caught.value.path == str(path)


def test_a_partition_whose_end_is_longer_than_what_is_read_of_it_first_is_read_whole(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(partition, "GROUP_ROWS", 20)
    monkeypatch.setattr(partition, "_WHOLE", 2**10)
    monkeypatch.setattr(partition, "_TAIL", 2**8)
    rows = 1_000
    ones = [1.0] * rows
    columns = BarColumns(
        [60_000_000 * row for row in range(rows)], ones, ones, ones, ones, [1] * rows
    )
    path = tmp_path / "1970-01.parquet"
    path.write_bytes(encode("A", "1m", series_table(columns), {}))
    with Disk("os").opened(path) as file:
        part = PartitionFile(file)
        assert part.metadata.rows == rows
        assert bar_columns_of(part.rows(EARLIEST, LATEST)) == columns


class Counted(NamedTuple):
    """A file in memory that notes which of its bytes are read."""

    path: Path
    content: bytes
    read: list[tuple[int, int]]

    @property
    def size(self):
        return len(self.content)

    def fill(self, view, start):
        self.read.append((start, len(view)))
        view[:] = self.content[start : start + len(view)]


@pytest.fixture
def long():
    """A partition of 50 row groups that is not read whole."""
    rows = 50 * partition.GROUP_ROWS
    table = pa.Table.from_arrays(
        [
            pa.array(range(0, rows * 60_000_000, 60_000_000), pa.int64()).view(DATE),
            *(pc.random(rows, initializer=seed) for seed in range(5)),
        ],
        schema=SERIES,
    )
    return Counted(Path("1970-01.parquet"), encode("A", "1m", table, {}), []), table


def test_columns_that_lie_beside_each_other_are_read_at_once(long):
    file, table = long
    part = PartitionFile(file)
    file.read.clear()
    assert part.rows(EARLIEST, LATEST) == table
    assert len(file.read) == 1


def test_columns_that_are_not_asked_for_are_not_read(long):
    file, table = long
    part = PartitionFile(file)
    file.read.clear()
    assert part.rows(EARLIEST, LATEST, ["open"]) == table.select(["date", "open"])
    assert len(file.read) == 50
    assert sum(size for _, size in file.read) < file.size / 4


def test_many_row_groups_are_decoded_by_several_threads(long, monkeypatch):
    file, table = long
    seen = set()
    decoded = PartitionFile._decoded
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    monkeypatch.setattr(pages, "_dates", {})
    monkeypatch.setattr(
        PartitionFile, "_decoded", lambda *args: seen.add(len(args[-1])) or decoded(*args)
    )
    assert PartitionFile(file).rows(EARLIEST, LATEST) == table
    assert seen == {16, 17}


def test_a_long_column_of_one_symbol_is_stored_as_a_short_one_is(long):
    content = long[0].content
    footer = pq.read_metadata(pa.BufferReader(content))
    column = footer.row_group(49).column(0)
    assert pq.read_table(io.BytesIO(content))["symbol"].unique().to_pylist() == ["A"]
    assert (column.physical_type, column.statistics.max) == ("BYTE_ARRAY", "A")
    assert "RLE_DICTIONARY" in column.encodings
