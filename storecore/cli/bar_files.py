"""Reads the rows of a CSV or Parquet file as cells, each row with its place in the file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    import pyarrow as pa

_PARQUET = b"PAR1"
_DELIMITERS = ",;\t|"


class BarTable(NamedTuple):
    """The header of a file and its rows, each with its number.

    Rows are counted in `place`s: "line" for CSV, "row" for Parquet, both from 1. `length` is the
    number of places in the file.
    """

    header: list[str]
    rows: Iterator[tuple[int, Sequence[Any]]]
    place: str
    length: int


def read_table(path: Path, delimiter: str | None = None) -> BarTable:
    """Return the rows of a file: Parquet if it begins as one, else CSV in UTF-8.

    Without a delimiter the one of , ; | and tab that the header has most of is taken. Raises
    `click.ClickException` where the file is neither.
    """
    content = path.read_bytes()
    if content.startswith(_PARQUET):
        return _parquet_table(path, content)
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
    """Yield (line, cells) without the blanks around a cell; empty lines are passed over."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if stripped not in ([], [""]):
                yield reader.line_num, stripped
    except csv.Error as error:
        raise click.ClickException(
            f"{path}: line {reader.line_num}: not CSV with {delimiter!r} between cells: {error}"
        ) from None


def _parquet_table(path: Path, content: bytes) -> BarTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True).read()
    except (pa.ArrowException, OSError) as error:
        raise click.ClickException(f"{path}: not a whole Parquet file: {error}") from None
    rows = zip(*(_cells(column) for column in table.columns), strict=True)
    return BarTable(table.column_names, enumerate(rows, 1), "row", table.num_rows)


def _cells(column: pa.ChunkedArray) -> list[Any]:
    """Return the values of a column, its times as ISO texts: a datetime would lose nanoseconds."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        column = column.cast(pa.timestamp(kind.unit, "UTC"))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        column = column.cast(pa.string())
    values: list[Any] = column.to_pylist()
    return values
