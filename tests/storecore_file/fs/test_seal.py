"""Law D5 for what has no checksum of its own: lines of JSON and the footers of Parquet files."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore_file.fs.seal import check_parquet, sealed, sealed_parquet, unsealed

objects = st.dictionaries(st.text(), st.integers() | st.text(), min_size=1)


def encoded(value):
    return json.dumps(value).encode()


@pytest.fixture(scope="module")
def parquet():
    sink = io.BytesIO()
    pq.write_table(pa.table({"price": [1.0, 2.0]}), sink)
    return sink.getvalue()


@given(value=objects)
def test_what_was_sealed_is_unsealed(value):
    assert unsealed(sealed(encoded(value))) == encoded(value)


@given(value=objects)
def test_a_sealed_line_is_a_line_of_json_with_one_more_member(value):
    line = sealed(encoded(value))
    assert line.endswith(b"}\n")
    assert json.loads(line).keys() == value.keys() | {"crc32"}


@given(value=objects, place=st.integers(0), bit=st.integers(0, 7))
def test_d5_every_flipped_bit_of_a_line_is_noticed(value, place, bit):
    line = bytearray(sealed(encoded(value)))
    line[place % len(line)] ^= 1 << bit
    with pytest.raises(ValueError, match="checksum"):
        unsealed(bytes(line))


@given(value=objects, length=st.integers(0))
def test_d5_a_line_that_was_cut_is_noticed(value, length):
    line = sealed(encoded(value))
    with pytest.raises(ValueError, match="checksum"):
        unsealed(line[: length % len(line)])


def test_a_sealed_parquet_file_is_read_like_any_other(parquet):
    assert pq.read_table(io.BytesIO(sealed_parquet(parquet))).to_pydict() == {"price": [1.0, 2.0]}


def test_a_sealed_parquet_file_passes(parquet):
    check_parquet(sealed_parquet(parquet))


def test_d5_every_flipped_bit_of_a_footer_is_noticed(parquet):
    content = sealed_parquet(parquet)
    footer = len(parquet) - 8 - int.from_bytes(parquet[-8:-4], "little")
    for place in range(footer * 8, len(content) * 8):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(ValueError, match="checksum"):
            check_parquet(bytes(damaged))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"garbage " * 9, b"\xff" * 99])
def test_d5_what_is_no_parquet_file_is_noticed(content):
    with pytest.raises(ValueError, match="checksum"):
        check_parquet(content)


def test_a_parquet_file_that_was_never_sealed_is_not_taken_for_ours(parquet):
    with pytest.raises(ValueError, match="checksum"):
        check_parquet(parquet)
