"""Hostile and broken files are refused in a line, in bounded memory, and nothing is written."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import re
import struct
import subprocess
import sys
import zipfile

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from storecore.cli.imports import columnar_content, json_content, sources, text

HEADER = "Symbol,Date,Open,High,Low,Close,Volume\n"
ROW = "AAPL,2026-01-05,1.5,2.5,0.5,2.25,100\n"
MB = 2**20


def zipped(*members, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def encrypted():
    content = bytearray(zipped(("bars.csv", HEADER)))
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + flags] |= 1
    return bytes(content)


def damaged(content):
    middle = len(content) // 2
    return content[:middle] + b"\xff\xff\xff\xff" + content[middle + 4 :]


def zstd(content):
    return pa.compress(content, codec="zstd", asbytes=True)


def parquet(rows=1, **columns):
    out = io.BytesIO()
    fields = dict.fromkeys(("open", "high", "low", "close", "volume"), pa.repeat(1.0, rows))
    dates = pa.repeat(pa.scalar(0, pa.timestamp("us")), rows)
    table = {"symbol": pa.repeat("AAPL", rows), "date": dates, **fields, **columns}
    pq.write_table(pa.table(table), out, compression="zstd")
    return out.getvalue()


def feather():
    out = io.BytesIO()
    pyarrow.feather.write_feather(pa.table({"date": [1, 2], "open": [1.0, 2.0]}), out)
    return out.getvalue()


MANY = (HEADER + ROW * 200_000).encode()
HOSTILE = {
    "a gzip bomb of rows": (gzip.compress(MANY), "MB, over 250 times its size: nothing was"),
    "a zstd bomb of rows": (zstd(MANY), "MB, over 250 times its size: nothing was written"),
    "a bzip2 bomb of rows": (bz2.compress(MANY), "MB, over 250 times its size: nothing was"),
    "a zip bomb of rows": (zipped(("a.csv", MANY)), "a.csv: decompressed it is more than"),
    "a gzip in a gzip": (gzip.compress(gzip.compress(b"x")), "compressed twice; decompress it"),
    "a zip in a zip": (
        zipped(("a.zip", zipped(("a.csv", "x")))),
        "not CSV|NUL byte|twice|no names",
    ),
    "a gzip that is cut off": (gzip.compress(os.urandom(999))[:500], "cannot be decompressed: "),
    "a damaged gzip": (damaged(gzip.compress(MANY[:9999])), "cannot be decompressed: "),
    "a zstd that is cut off": (zstd(os.urandom(999))[:500], "cannot be decompressed: |NUL|UTF-8"),
    "a zip that is cut off": (zipped(("a.csv", ROW))[:60], "cannot be decompressed: File is not"),
    "a damaged zip": (
        damaged(zipped(("a.csv", ROW * 99), compression=zipfile.ZIP_STORED)),
        "cannot be decompressed: Bad CRC-32",
    ),
    "a zip with a password": (encrypted(), "cannot be decompressed: File .* is encrypted"),
    "a zip without files": (zipped(("__MACOSX/._a", "x")), "the archive has no files"),
    "a zip that would leave its folder": (
        zipped(("../../../etc/passwd", "root:x:0:0")),
        r"etc/passwd: missing columns|etc/passwd: line 1 has no names",
    ),
    "a line without an end": (b"x" * (9 * MB), "line 1 is longer than 1 MB: not a table of bars"),
    "a long line in the middle": (
        (HEADER + ROW).encode() + b"9" * (9 * MB),
        "line 3 is longer than 1 MB: not a table of bars",
    ),
    "a quote that is never closed": (
        (HEADER + '"' + ROW * 250_000).encode(),
        "line 2: a quote is not closed within 1 MB: not CSV",
    ),
    "quotes alone": (b'"' * (3 * MB + 1), "line 1 is longer than 1 MB: not a table of bars"),
    "a short text of quotes": (b'"' * 4_001, "not CSV|no column names|missing columns"),
    "a NUL in a row": ((HEADER + ROW + ROW).encode()[:-9] + b"\0\n", "line 3 has a NUL byte: not"),
    "NULs alone": (b"\0" * (3 * MB), "line 1 has a NUL byte: not text"),
    "random bytes": (b"\x01\xfe" + bytes(range(256)) * 99, "NUL byte|UTF-8"),
    "invalid UTF-8": (HEADER.encode() + b"\xff" + ROW.encode(), r"in UTF-8 \(line 2, byte"),
    "UTF-16 that ends in the middle": (
        (HEADER + ROW).encode("utf-16")[:-1],
        "not text in utf-16",
    ),
    "a lone surrogate of UTF-16": (
        (HEADER + ROW).encode("utf-16") + b"\x00\xd8\x0a\x00",
        "not text in utf-16",
    ),
    "formulas": (
        (HEADER + "=cmd|' /C calc'!A0,2026-01-05,=1+1,@SUM(1),+2,-3,100\n").encode(),
        r"line 2: open='=1\+1': expected a number such as 1234.5",
    ),
    "escape sequences": (
        (HEADER + ROW.replace("1.5", "\x1b[2J\x07")).encode(),
        r"line 2: open='\\x1b\[2J\\x07': expected a number",
    ),
    "a number of a million digits": (
        (HEADER + ROW.replace("1.5", "9" * 100_000)).encode(),
        "line 2: open='9{40}': expected a number",
    ),
    "a number beyond all": ((HEADER + ROW.replace("1.5", "1e999")).encode(), "line 2: open="),
    "a year beyond all": ((HEADER + ROW.replace("2026", "99999")).encode(), "line 2: date="),
    "a row of a million cells": (
        (HEADER + "1," * 400_000 + "\n").encode(),
        "a line of 400,001 cells; a file may have 4,000 columns",
    ),
    "a header of many columns": (
        ("x," * 100_000 + "\n").encode(),
        "a line of 100,001 cells; a file may have 4,000 columns",
    ),
    "a header that is repeated": ((HEADER + ROW + HEADER).encode(), "line 3: date='Date'"),
    "JSON in JSON in JSON": (b"[" * 100_000, "not JSON"),
    "objects in objects": (b'{"a":' * 100_000, "not JSON"),
    "a JSON document that is cut off": (b'[{"date": "2026-01-05"', "not JSON"),
    "JSON without bars": (b'{"error": "no such symbol"}', "no list of bars in this JSON document"),
    "JSON lines with a broken one": (
        b'{"date": "2026-01-05"}\n{"date": \n',
        "line 2: not JSON",
    ),
    "JSON of other things": (b"[[1, 2], [3]]", "its rows have no column names"),
    "a JSON document that is too large": (
        b'[{"date": "2026-01-05"},' + b" " * (2 * MB) + b"]",
        "a JSON document of more than 1 MB; write one record a line",
    ),
    "Parquet by its first bytes": (b"PAR1" + b"\0" * 99, "not a whole Parquet file"),
    "Parquet that is cut off": (parquet()[:-20], "not a whole Parquet file"),
    "a Parquet bomb": (parquet(10**6), r"1,000,000 rows in [\d,]+ bytes, over 250 times its size"),
    "Feather by its first bytes": (b"ARROW1\0\0" + b"\0" * 99, "not a whole Feather file"),
    "Feather that is cut off": (feather()[:-20], "not a whole Feather file"),
    "an Excel workbook of old": (b"\xd0\xcf\x11\xe0" + b"\0" * 99, "an Excel file; save it as CSV"),
    "a PDF": (b"%PDF-1.7\n", "a PDF file; import reads CSV, Parquet, Feather and JSON"),
    "an xz file": (b"\xfd7zXZ\x00\x00", "an xz file; import reads CSV"),
    "an HDF5 file": (b"\x89HDF\r\n\x1a\n", "an HDF5 file; read it with pandas into a frame"),
    "a SQLite database": (b"SQLite format 3\0", "an SQLite database; read it into a frame"),
}


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    """Limits that small files reach."""
    for module in (sources, columnar_content):
        monkeypatch.setattr(module, "FREE", 2 * MB)
    monkeypatch.setattr(json_content, "MOST", MB)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_a_line(cli, at, tmp_path, base_path, name):
    content, words = HOSTILE[name]
    file = tmp_path / "bars.csv"
    file.write_bytes(content)
    result = cli("import", file, *at)
    assert result.exit_code == 1
    *rows, last = result.stderr.splitlines()
    assert last.startswith("Error: ")
    assert len(rows) <= 1
    assert "unexpected" not in last.replace("unexpected end of data", "")
    assert all(len(line) < 1_000 and line.isprintable() for line in (*rows, last))
    assert _found(words, result.stderr), result.stderr
    assert not base_path.exists()


def _found(words, printed):
    return re.search(words, printed)


def test_there_are_at_least_thirty_hostile_files():
    assert len(HOSTILE) >= 30


ENDLESS = "import sys\nwhile True: sys.stdout.write({!r} * 65536)"
STREAMS = {
    "a line of a gigabyte": ("x", "line 1 is longer than 1 MB"),
    "an open quote and a gigabyte": ('"\n', "line 1 has no column names"),
    "a gigabyte of zeros": ("\0", "line 1 has a NUL byte: not text"),
}


@pytest.mark.parametrize("name", STREAMS)
def test_an_endless_stream_is_refused_in_bounded_memory(at, name):
    piece, words = STREAMS[name]
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (400 * 2**20,) * 2)\n"
        "from storecore.cli import main\n"
        f"sys.argv = ['storecore', 'import', '-', *{at!r}]\n"
        "main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS.format(piece)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as endless:
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=endless.stdout, capture_output=True, text=True
        )
        endless.kill()
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert _found(words, done.stderr), done.stderr


def test_a_file_with_the_line_ends_of_an_old_mac_is_read(cli, at, tmp_path, stored):
    file = tmp_path / "bars.csv"
    file.write_bytes((HEADER + ROW).replace("\n", "\r").encode())
    cli("import", file, *at)
    assert len(stored()) == 1


def test_blocks_end_with_whole_rows(monkeypatch):
    monkeypatch.setattr(text, "BLOCK", 16)
    content = b'a,b\n1,"x\ny"\n2,"""\n\n"\n3,\xc3\xa9\n'
    blocks = list(text.line_blocks(io.BytesIO(content), "bars.csv", None))
    assert b"".join(each.data for each in blocks) == content
    assert [each.data.count(b'"') % 2 for each in blocks] == [0] * len(blocks)
    assert [each.first for each in blocks] == [
        1 + b"".join(each.data for each in blocks[:at]).count(b"\n") for at in range(len(blocks))
    ]


def test_the_size_of_a_parquet_footer_is_no_promise(cli, at, tmp_path):
    file = tmp_path / "bars.parquet"
    content = parquet()
    file.write_bytes(content[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1")
    assert "not a whole Parquet file" in cli("import", file, *at).stderr
