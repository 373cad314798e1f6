"""Columns of a partition that are decoded page by page equal what Arrow's reader returns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import PriceBar
from storecore.bars.table import DATE
from storecore.values.times import EARLIEST, LATEST
from storecore_file import FileDataStore
from storecore_file.bars import pages
from storecore_file.bars.partition import GROUP_ROWS as GROUP
from storecore_file.bars.partition import Content, PartitionFile, encode

JAN_5 = datetime(2026, 1, 5, tzinfo=UTC)


def column(values, **options):
    """Return the bytes of a column chunk, as Arrow writes these values."""
    sink = pa.BufferOutputStream()
    given_options = {
        "compression": "lz4",
        "use_dictionary": False,
        "write_page_checksum": True,
        "write_statistics": False,
    }
    field = pa.field("v", pa.float64(), nullable=options.pop("nullable", False))
    table = pa.table({"v": pa.array(values, pa.float64())}, schema=pa.schema([field]))
    pq.write_table(table, sink, **(given_options | options))
    content = sink.getvalue().to_pybytes()
    chunk = pq.read_metadata(pa.BufferReader(content)).row_group(0).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    return memoryview(content)[start : start + chunk.total_compressed_size]


@given(st.lists(st.floats(width=64), min_size=1, max_size=300), st.booleans(), st.booleans())
def test_floats_are_decoded_bit_for_bit(values, split, checksum):
    options = {"use_byte_stream_split": split, "write_page_checksum": checksum}
    expected = pa.array(values, pa.float64()).buffers()[1].to_pybytes()
    found = pages.values(column(values, **options), len(values))
    assert found.buffers()[1].to_pybytes() == expected


@pytest.mark.parametrize(
    "options",
    [
        {"use_dictionary": True},
        {"data_page_size": 100, "write_batch_size": 10},
        {"data_page_version": "2.0"},
        {"nullable": True},
        {"compression": "zstd"},
        {"write_statistics": True},
    ],
    ids=[
        "a dictionary",
        "several pages",
        "pages of version 2",
        "values that may be null",
        "another compression",
        "statistics",
    ],
)
def test_what_is_not_one_page_of_floats_is_left_to_arrow(options):
    assert pages.values(column([1.5] * 300, **options), 300) is None


def test_an_encoding_of_another_kind_is_left_to_arrow():
    table = pa.table(
        {"v": pa.array(range(4), pa.int64())},
        schema=pa.schema([pa.field("v", pa.int64(), nullable=False)]),
    )
    sink = pa.BufferOutputStream()
    encodings = {"v": "DELTA_BINARY_PACKED"}
    pq.write_table(
        table,
        sink,
        compression="lz4",
        use_dictionary=False,
        column_encoding=encodings,
        write_statistics=False,
    )
    content = sink.getvalue().to_pybytes()
    chunk = pq.read_metadata(pa.BufferReader(content)).row_group(0).column(0)
    view = memoryview(content)[chunk.data_page_offset :][: chunk.total_compressed_size]
    header = pages._HEADER.match(view)
    size = pages._number(header[1])
    assert pages.values(view, size // 8) is None


def test_bytes_behind_the_page_do_not_count():
    chunk = bytes(column([1.5] * 300))
    assert pages.values(memoryview(chunk + b"a block"), 300).to_pylist() == [1.5] * 300


def test_another_number_of_rows_is_left_to_arrow():
    assert pages.values(column([1.5] * 300), 299) is None


def test_a_page_that_is_cut_is_left_to_arrow():
    chunk = column([1.5] * 300)
    assert {pages.values(chunk[:end], 300) for end in range(len(chunk))} == {None}


def test_bytes_behind_a_page_are_not_a_part_of_it():
    chunk = memoryview(bytes(column([1.5, 2.5] * 150)) + b"when its rows were recorded")
    assert pages.values(chunk, 300).to_pylist() == [1.5, 2.5] * 150


def bars(dates, close=1.0):
    values = {name: [close] * len(dates) for name in ("open", "high", "low", "close")}
    return pa.table({"date": pa.array(dates, DATE), **values, "volume": [7.0] * len(dates)})


def days(count, step=1):
    return [JAN_5 + timedelta(n * step) for n in range(count)]


def opened(tmp_path, table):
    return PartitionFile(Content(tmp_path / "x.parquet", encode("AAPL", "1d", table, {})))


def test_partitions_of_equal_dates_share_them_in_memory(tmp_path):
    first, second = (opened(tmp_path, bars(days(900), close)) for close in (1.0, 2.0))
    dates = [file.rows(EARLIEST, LATEST)["date"].chunk(0) for file in (first, second)]
    assert len({each.buffers()[1].address for each in dates}) == 1
    assert dates[1].to_pylist() == days(900)


def test_dates_that_differ_are_not_confused(tmp_path):
    tables = [bars(days(900, step)) for step in (1, 2, 3)]
    for table in tables * 2:
        assert (
            opened(tmp_path, table).rows(EARLIEST, LATEST)["date"].to_pylist()
            == table["date"].to_pylist()
        )


def test_row_groups_of_which_some_dates_are_known_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "_dates", {})
    short, long = bars(days(GROUP)), bars(days(3 * GROUP))
    opened(tmp_path, short).rows(EARLIEST, LATEST)
    assert opened(tmp_path, long).rows(EARLIEST, LATEST)["date"].to_pylist() == days(3 * GROUP)


def test_no_more_than_some_dates_are_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "_dates", {})
    monkeypatch.setattr(pages, "_MOST_DATES", 2)
    for step in range(1, 6):
        file = opened(tmp_path, bars(days(900, step)))
        assert file.rows(EARLIEST, LATEST)["date"].to_pylist() == days(900, step)
    assert 1 <= len(pages._dates) <= 2


def test_a_partition_whose_versions_are_recorded_is_read_by_its_pages(base, monkeypatch):
    with FileDataStore(base) as store:
        store.write_bar_table(bars(days(900)), symbol="AAPL")
        store.write_bar_table(bars(days(900)[400:600], 2.0), symbol="AAPL")
    monkeypatch.setattr(PartitionFile, "_decoded", None)  # dates are known
    with FileDataStore(base) as store:
        closes = store.read_bar_table("AAPL", *days(900)[::899])["close"].to_pylist()
    assert closes == [1.0] * 400 + [2.0] * 200 + [1.0] * 300


@pytest.mark.parametrize("volume", [2**53 + 1, None, 7], ids=["a long one", "none", "a number"])
def test_bars_are_read_as_arrow_reads_them(base, monkeypatch, volume):
    written = [PriceBar("AAPL", date, 1.5, 2.5, 0.5, 1.25, volume) for date in days(400)]
    with FileDataStore(base) as store:
        store.write_bars("AAPL", written)
    found = []
    for arrow in (False, True):
        if arrow:
            monkeypatch.setattr(PartitionFile, "_of_pages", lambda *_: None)
        with FileDataStore(base, cache_bytes=0) as store:
            found.append(store.read_bars("AAPL", days(3)[2], days(390)[-1]))
    assert found[0] == found[1] == written[2:390]


@pytest.mark.parametrize("block", [b"", b"-"], ids=["one moment", "several moments"])
def test_few_null_volumes_that_take_as_many_bytes_as_numbers_are_null(tmp_path, block):
    # Of 15 rows, where the ninth one is null: what says so takes 8 bytes, as the number would.
    volumes = [float(n) for n in range(15)]
    volumes[8] = None
    table = bars(days(15)).set_column(5, "volume", pa.chunked_array([volumes], pa.float64()))
    content = encode("AAPL", "1d", table, {}, block=block)
    file = PartitionFile(Content(tmp_path / "x.parquet", content))
    assert file.rows(EARLIEST, LATEST)["volume"].to_pylist() == volumes


def test_volumes_beside_further_columns_are_decoded_page_by_page_if_none_may_be_null(
    tmp_path, monkeypatch
):
    table = bars(days(900)).append_column("vwap", pa.array([2.5] * 900))
    file = opened(tmp_path, table)
    file.rows(EARLIEST, LATEST, ["volume"])
    monkeypatch.setattr(PartitionFile, "_by_arrow", None)
    assert file.rows(EARLIEST, LATEST, ["volume"])["volume"].to_pylist() == [7.0] * 900


@pytest.mark.parametrize("count", [400, GROUP + 400], ids=["a row group", "two row groups"])
def test_bars_of_which_one_was_corrected_are_read_cold(base, count):
    written = [PriceBar("AAPL", date, 1.5, 2.5, 0.5, 1.25, 7) for date in days(count)]
    corrected = PriceBar("AAPL", written[5].date, 1.5, 2.5, 0.5, 2.25, 8)
    for bars_written in (written, [corrected]):
        with FileDataStore(base, history=True) as store:
            store.write_bars("AAPL", bars_written)
            store._bars.flush()
    with FileDataStore(base) as store:
        found = store.read_bars("AAPL", written[0].date, written[-1].date)
    assert found == [*written[:5], corrected, *written[6:]]
