"""CSV and Parquet files as rows of cells, each row with its place in the file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_PARQUET = b"PAR1"
_DELIMITERS = ",;\t|"


class BarTable(NamedTuple):
    """The header of a file and its rows, each with its number.

    `place` is the unit of these numbers: "line" for CSV, "row" for Parquet, both from 1. `length`
    is the number of lines or rows in the file. `columns` are those of a file with types.
    """

    header: list[str]
    rows: Iterator[tuple[int, Sequence[Any]]]
    place: str
    length: int
    columns: list[pa.ChunkedArray] | None = None


def read_table(path: Path, delimiter: str | None = None, *, local: bool = False) -> BarTable:
    """Return the rows of a file: Parquet if it begins like one, else CSV in UTF-8.

    The default delimiter is the most frequent one of , ; | and tab in the header. With `local`,
    times of Parquet are those of their own zones, not UTC. Raises `click.ClickException` if the
    file is neither.
    """
    content = path.read_bytes()
    if content.startswith(_PARQUET):
        return _parquet_table(path, content, local)
    return _csv_table(path, content, delimiter)


def _csv_table(path: Path, content: bytes, delimiter: str | None) -> BarTable:
    text = _decoded(path, content)
    first = text.lstrip().partition("\n")[0]
    between = delimiter or max(_DELIMITERS, key=first.count)
    rows = _csv_rows(path, text, between)
    _, header = next(rows, (0, []))
    if not header:
        raise click.ClickException(f"{path}: empty; expected a header line such as date,open,high")
    return BarTable(header, rows, "line", text.count("\n"))


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise click.ClickException(
            f"{path}: neither Parquet nor text in UTF-8 (line {line}, byte {error.start}); "
            "save it as UTF-8"
        ) from None


def _csv_rows(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) without the blanks around a cell; skip empty lines."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if stripped not in ([], [""]):
                yield reader.line_num, stripped
    except csv.Error as error:
        raise click.ClickException(
            f"{path}: line {reader.line_num}: not CSV with the delimiter {delimiter!r}: {error}"
        ) from None


def _parquet_table(path: Path, content: bytes, local: bool) -> BarTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        table, exact = file.read(), _int96_columns(content, file)
    except (pa.ArrowException, OSError) as error:
        raise click.ClickException(f"{path}: not a whole Parquet file: {error}") from None
    columns = [
        exact[name] if name in exact else _cells(table.column(at), local)
        for at, name in enumerate(table.column_names)
    ]
    rows = zip(*columns, strict=True)
    return BarTable(table.column_names, enumerate(rows, 1), "row", table.num_rows, table.columns)


def _int96_columns(content: bytes, file: pq.ParquetFile) -> dict[str, list[str | None]]:
    """Return the columns of the old time type INT96, by name, as ISO texts.

    Arrow reads them as nanoseconds in 64 bits, which wrap around outside the years 1677 to 2262.
    Read as seconds they are right. The fraction of a second is the difference of the two readings,
    since both wrap around in the same 64 bits.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    leaves = [file.schema.column(at) for at in range(len(file.schema))]
    names = [leaf.path for leaf in leaves if leaf.physical_type == "INT96"]
    if not names:
        return {}
    in_seconds = pq.ParquetFile(pa.BufferReader(content), coerce_int96_timestamp_unit="s")
    seconds, wrapped = in_seconds.read(names), file.read(names)
    flat = [name for name in names if name in wrapped.column_names]  # not nested in a list
    return {name: _whole_texts(seconds[name], wrapped[name]) for name in flat}


def _whole_texts(seconds: pa.ChunkedArray, wrapped: pa.ChunkedArray) -> list[str | None]:
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = pc.multiply(seconds.cast(pa.int64()), 10**9)
    below = pc.subtract(wrapped.cast(pa.int64()), whole).to_pylist()
    texts = seconds.cast(pa.string()).to_pylist()
    return [text and f"{text}.{rest:09}" for text, rest in zip(texts, below, strict=True)]


def _cells(column: pa.ChunkedArray, local: bool) -> list[Any]:
    """Return the values of a column, its times as ISO texts: a datetime would lose nanoseconds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        utc = pa.timestamp(kind.unit, "UTC")
        column = pc.local_timestamp(column) if local else column.cast(utc)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        column = column.cast(pa.string())
    values: list[Any] = column.to_pylist()
    return values
