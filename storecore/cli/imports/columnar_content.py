"""Parquet and Feather files, batch by batch.

Times of bars become ISO texts: a datetime would lose nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storecore.cli.imports.contents import Block, Content
from storecore.cli.imports.sources import FREE, MOST_TIMES, Opened, as_file
from storecore.cli.text import printable
from storecore.store.frames.dates import zone_of_midnights

_BATCH = 2**16  # rows
_CELL = 8  # bytes, at least, of a value in memory


def parquet_content(opened: Opened, name: str) -> Content:
    """Return the content of a Parquet file."""
    file = as_file(opened)
    with _explained(name, "Parquet"):
        parquet = pq.ParquetFile(file, page_checksum_verification=True)
        _refuse_a_bomb(parquet, file, name)
        schema = parquet.schema_arrow
        old = _int96_names(parquet)
    seconds = pq.ParquetFile(file, coerce_int96_timestamp_unit="s") if old else None
    batches = _batches(parquet, seconds, name)
    zones: dict[str, str] = {}
    return Content(
        schema.names,
        _blocks(batches, old, zones),
        "row",
        zones=zones,
        text_of=_cells,
    )


def feather_content(opened: Opened, name: str) -> Content:
    """Return the content of a Feather file (version 2), which is one of Arrow's IPC format."""
    with _explained(name, "Feather"):
        reader = pa.ipc.open_file(as_file(opened))
        names = reader.schema.names
    zones: dict[str, str] = {}
    return Content(
        names,
        _blocks(_records(reader, name), (), zones),
        "row",
        zones=zones,
        text_of=_cells,
    )


def _records(reader: Any, name: str) -> Iterator[tuple[pa.RecordBatch, None]]:
    for at in range(reader.num_record_batches):
        with _explained(name, "Feather"):
            batch = reader.get_batch(at)
        for start in range(0, batch.num_rows, _BATCH):
            yield batch.slice(start, _BATCH), None


def _batches(
    parquet: Any, seconds: Any, name: str
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch | None]]:
    """Yield batches, each with its rows again with INT96 times as seconds, if there are some."""
    with _explained(name, "Parquet"):
        plain = parquet.iter_batches(_BATCH)
        coerced = None if seconds is None else seconds.iter_batches(_BATCH)
        for batch in plain:
            yield batch, None if coerced is None else next(coerced)


def _blocks(batches: Iterable[Any], old: Iterable[str], zones: dict[str, str]) -> Iterator[Block]:
    """Yield batches as blocks; note in `zones` which columns are midnights of a zone."""
    begun = 1
    for batch, seconds in batches:
        for column, values in zip(batch.schema.names, batch.columns, strict=True):
            if pa.types.is_timestamp(values.type) and zones.get(column, "-"):
                zones[column] = zone_of_midnights(pa.chunked_array([values]))
        columns = [
            _whole_texts(seconds[column], batch[column]) if column in old else values
            for column, values in zip(batch.schema.names, batch.columns, strict=True)
        ]
        yield Block(columns, _counted_from(begun, batch.num_rows), [])
        begun += batch.num_rows


def _counted_from(begun: int, count: int) -> Callable[[], range]:
    return lambda: range(begun, begun + count)


def _int96_names(parquet: Any) -> list[str]:
    """Return the columns of the old time type INT96 that are not nested in lists.

    Arrow reads them as nanoseconds in 64 bits, which wrap around outside the years 1677 to 2262.
    Read as seconds they are right. The fraction of a second is the difference of the two readings,
    since both wrap around in the same 64 bits.
    """
    leaves = [parquet.schema.column(at) for at in range(len(parquet.schema))]
    names = [leaf.path for leaf in leaves if leaf.physical_type == "INT96"]
    return [name for name in names if name in parquet.schema_arrow.names]


def _whole_texts(seconds: pa.Array, wrapped: pa.Array) -> pa.Array:
    whole = pc.multiply(seconds.cast(pa.int64()), 10**9)
    below = pc.subtract(wrapped.cast(pa.int64()), whole).to_pylist()
    texts = seconds.cast(pa.string()).to_pylist()
    found = [text and f"{text}.{rest:09}" for text, rest in zip(texts, below, strict=True)]
    return pa.array(found, pa.string())


def _cells(column: pa.Array, local: bool) -> pa.Array:
    """Return times, decimals and dictionaries as texts or plain values; others as they are."""
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        utc = pa.timestamp(kind.unit, "UTC")
        column = pc.local_timestamp(column) if local else column.cast(utc)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return column.cast(pa.string())
    if pa.types.is_dictionary(kind):
        return column.dictionary_decode()
    if pa.types.is_decimal(kind) or pa.types.is_large_string(kind):
        return column.cast(pa.string())
    return column


def _refuse_a_bomb(parquet: Any, file: Any, name: str) -> None:
    """Raise if a small file says that it has very many rows."""
    size = Path(file.name).stat().st_size if isinstance(file.name, str) else file.seek(0, 2)
    rows = parquet.metadata.num_rows
    bytes_of = rows * len(parquet.schema_arrow.names) * _CELL
    if bytes_of > max(FREE, size * MOST_TIMES):
        raise click.ClickException(
            f"{printable(name)}: {rows:,} rows in {size:,} bytes, over {MOST_TIMES} times its "
            "size: nothing was written; if it is sound, read it in parts and give them to "
            "storecore.write_bar_table"
        )


@contextmanager
def _explained(name: str, what: str) -> Iterator[None]:
    """Turn what Arrow raises about a file into an error that names it."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise click.ClickException(f"{printable(name)}: not a whole {what} file: {error}") from None
