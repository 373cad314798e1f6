"""Files of an export: CSV, Parquet and JSON lines, under another name until they are whole.

A reader never sees half a file, and an interrupted export leaves nothing behind.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePath
from typing import Any

import click
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from storecore.cli.exports.texts import bar_texts, csv_lines, header_of, moment_texts
from storecore.cli.interrupts import reporting
from storecore.cli.output import replaced
from storecore.cli.text import printable

STDOUT = "-"
CSV, PARQUET, LINES = "CSV", "Parquet", "JSON lines"
_FORMATS = {".csv": CSV, ".txt": CSV, ".parquet": PARQUET, ".jsonl": LINES, ".ndjson": LINES}
_PACKED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
Sink = Callable[[pa.Table], None]


def format_of(output: str, default: str) -> str:
    """Return the format that the ending of a file names; stdout has the default one.

    Raises `click.BadParameter` for an ending that names none.
    """
    if output == STDOUT:
        return default
    path = PurePath(output)
    is_packed = path.suffix in _PACKED
    found = _FORMATS.get(PurePath(path.stem).suffix if is_packed else path.suffix)
    if found is None or (is_packed and found == PARQUET):
        packed = ", .csv.gz" if found is None else "; a Parquet file is compressed already"
        raise click.BadParameter(
            f"-o {printable(output)!r}: expected a name that ends in .csv, .parquet, .jsonl{packed}"
        )
    return found


@contextmanager
def whole_file(output: str) -> Iterator[Any]:
    """Yield a file to write bytes to; it has its name once the block has ended without an error."""
    if output == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(output)
    before = _inode(path)
    with (
        reporting(lambda: _left(path, before)),
        replaced(path) as file,
        _packed(file, PurePath(output).suffix) as inner,
    ):
        yield inner


def _left(path: Path, before: int | None) -> str:
    """Return what an interrupted export has written; it may be complete already."""
    if path.exists() and not path.is_file():  # a device or a pipe, which is not replaced
        return "a part may be written"
    return "nothing was written" if _inode(path) == before else "the file is complete"


def _inode(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None


@contextmanager
def _packed(file: Any, ending: str) -> Iterator[Any]:
    if ending not in _PACKED:
        yield file
        return
    with pa.CompressedOutputStream(pa.PythonFile(file, "w"), _PACKED[ending]) as stream:
        yield stream


def bar_sink(
    kind: str, file: Any, schema: pa.Schema, is_of_days: bool
) -> AbstractContextManager[Sink]:
    """Return a context whose function writes a table of bars to a file."""
    if kind == PARQUET:
        return _parquet(file, schema)
    return _lines(file) if kind == LINES else _csv(file, schema, is_of_days)


@contextmanager
def _csv(file: Any, schema: pa.Schema, is_of_days: bool) -> Iterator[Sink]:
    file.write(header_of(schema.names))

    def write(bars: pa.Table) -> None:
        file.write(csv_lines(bar_texts(bars, is_of_days=is_of_days)))

    yield write


@contextmanager
def _parquet(file: Any, schema: pa.Schema) -> Iterator[Sink]:
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:

        def write(bars: pa.Table) -> None:
            try:
                writer.write_table(bars.cast(schema))
            except pa.ArrowInvalid as error:
                raise click.ClickException(
                    f"a column of Parquet has one type, and these volumes need two: {error}; "
                    "write CSV or JSON lines"
                ) from None

        yield write


@contextmanager
def _lines(file: Any) -> Iterator[Sink]:
    def write(bars: pa.Table) -> None:
        for place, (name, kind) in enumerate(
            zip(bars.column_names, bars.schema.types, strict=True)
        ):
            if pa.types.is_timestamp(kind):
                texts = moment_texts(bars[name], may_be_days=False)
                bars = bars.set_column(place, name, texts)
        write_records(file, bars.to_pylist())

    yield write


def write_records(file: Any, records: Any) -> int:
    """Write records, one JSON object a line; return their number."""
    count = 0
    for record in records:
        file.write(msgspec.json.encode(record) + b"\n")
        count += 1
    return count


def size_of(output: str) -> int:
    """Return the number of bytes of a written file."""
    return Path(output).stat().st_size
