"""JSON and JSON lines: the records of a vendor's answer, wherever they are in it.

Values become the texts that they are written as, so that they are read as those of a CSV are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import click
import msgspec
import pyarrow as pa

from storecore.cli.imports.columns import field_of
from storecore.cli.imports.contents import Block, Content
from storecore.cli.imports.form import Form
from storecore.cli.imports.layout import names_for
from storecore.cli.imports.sources import Opened
from storecore.cli.imports.text import line_blocks
from storecore.cli.text import printable

MOST = 2**26  # bytes of one document, which is decoded whole
_SYMBOLS = ("symbol", "ticker", "pair", "Symbol", "2. Symbol", "meta", "Meta Data")
_DEEPEST = 4
Record = Mapping[str, Any]


class _Found(NamedTuple):
    """The records of a document, and the symbol that it names beside them."""

    rows: Sequence[Any]
    symbol: str | None = None


def json_content(opened: Opened, name: str, form: Form) -> Content:
    """Return the content of a document, or of one record a line."""
    data = opened.file.read(MOST + 1)
    if _is_of_lines(data):
        return _of_lines(data, opened, name, form)
    if len(data) > MOST:
        raise click.ClickException(
            f"{printable(name)}: a JSON document of more than {MOST // 2**20} MB; write one "
            "record a line (JSON lines), or CSV"
        )
    found = _found(_decoded(data, name, 0), _DEEPEST)
    if not found.rows:
        raise click.ClickException(f"{printable(name)}: no list of bars in this JSON document")
    names = _names(found.rows[0], form, name)
    return _content(names, iter([(1, found.rows)]), found.rows[0], found.symbol)


def _is_of_lines(data: bytes) -> bool:
    """Return whether the first line is a whole record, and another follows."""
    first, _, rest = data.lstrip().partition(b"\n")
    if not rest.strip().startswith((b"{", b"[")):
        return False
    try:
        return isinstance(msgspec.json.decode(first), dict | list)
    except msgspec.DecodeError:
        return False


def _of_lines(data: bytes, opened: Opened, name: str, form: Form) -> Content:
    blocks = _line_records(line_blocks(_Again(data, opened.file), name, form.encoding), name)
    begun, first = next(blocks)
    names = _names(first[0], form, name)

    def batches() -> Iterator[tuple[int, Sequence[Any]]]:
        yield begun, first
        yield from blocks

    return _content(names, batches(), first[0], None)


class _Again:
    """A file of which the first bytes have been read already."""

    def __init__(self, data: bytes, file: Any) -> None:
        self._data, self._file = data, file

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        if not self._data:
            return bytes(self._file.read(size))
        found, self._data = self._data[:size], self._data[size:]
        return found


def _line_records(blocks: Any, name: str) -> Iterator[tuple[int, list[Any]]]:
    for lines in blocks:
        texts = lines.data.split(b"\n")[:-1]
        yield (
            lines.first,
            [
                _decoded(text, name, lines.first + at)
                for at, text in enumerate(texts)
                if text.strip()
            ],
        )


def _decoded(data: bytes, name: str, line: int) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        place = f"line {line}: " if line else ""
        raise click.ClickException(f"{printable(name)}: {place}not JSON: {error}") from None


def _found(value: Any, depth: int) -> _Found:
    """Return the records in a document: the longest list of them, or a table by columns."""
    if isinstance(value, list):
        return _Found(value if value and isinstance(value[0], dict | list) else [])
    if not isinstance(value, dict) or not depth:
        return _Found([])
    columns = _of_columns(value)
    if columns:
        return _Found(columns, _symbol(value))
    inner = {key: _found(each, depth - 1) for key, each in value.items()}
    full = [(key, each) for key, each in inner.items() if each.rows]
    if not full:
        return _Found(_of_keys(value) or _alone(value), _symbol(value))
    if all(key.isupper() and isinstance(each.rows[0], dict) for key, each in full):  # of tickers
        return _Found([{"symbol": key, **row} for key, each in full for row in each.rows])
    most = max((each for _, each in full), key=lambda each: len(each.rows))
    return _Found(most.rows, most.symbol or _symbol(value))


def _of_columns(value: Record) -> list[Record]:
    """Return the records of a document with a list for each column: {"t": […], "c": […]}."""
    lists = {key: each for key, each in value.items() if isinstance(each, list)}
    lengths = {len(each) for each in lists.values()}
    if (
        len(lists) < 5
        or len(lengths) != 1
        or any(isinstance(each, dict | list) for each in next(iter(lists.values())))
    ):
        return []
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _of_keys(value: Record) -> list[Record]:
    """Return the records of a document with a record for each date: {"2026-01-05": {…}}."""
    if not value or not all(isinstance(each, dict) for each in value.values()):
        return []
    if not all(key[:4].isdigit() for key in value):
        return []
    return [{"date": key, **each} for key, each in value.items()]


def _alone(value: Record) -> list[Record]:
    """Return a document that is one record: a file of JSON lines may have one line."""
    return [value] if {"date", "open", "high", "low", "close"} <= {*map(field_of, value)} else []


def _symbol(value: Record) -> str | None:
    for key in _SYMBOLS:
        found = value.get(key)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, dict):
            return _symbol(found)
    return None


def _names(first: Any, form: Form, name: str) -> list[str]:
    if isinstance(first, dict):
        return list(_flat(first))
    if not form.names:
        raise click.ClickException(
            f"{printable(name)}: its rows have no column names: give them, as in "
            "--names date,open,high,low,close,volume"
        )
    return names_for(form.names, len(first))


def _content(
    names: list[str], batches: Iterator[tuple[int, Sequence[Any]]], first: Any, symbol: str | None
) -> Content:
    sample = [_text(each) for each in _cells(first, names)]
    blocks = (_block(names, rows, begun) for begun, rows in batches)
    return Content(names, blocks, "record", sample, symbol=symbol)


def _block(names: Sequence[str], rows: Sequence[Any], begun: int) -> Block:
    good = [_cells(row, names) for row in rows]
    columns = [pa.array([_text(row[at]) for row in good], pa.string()) for at in range(len(names))]
    return Block(columns, _range(begun, len(rows)), [])


def _range(begun: int, count: int) -> Callable[[], range]:
    return lambda: range(begun, begun + count)


def _cells(row: Any, names: Sequence[str]) -> list[Any]:
    """Return the values of a record; those that it has not are absent."""
    if isinstance(row, dict):
        flat = _flat(row)
        return [flat.get(name) for name in names]
    given = row if isinstance(row, list) else []
    return [*given[: len(names)], *([None] * (len(names) - len(given)))]


def _flat(row: Record) -> Record:
    """Return a record with the values of the part that has its date: {"hd": {"ts_event": …}}."""
    parts = [name for name, value in row.items() if isinstance(value, dict) and _has_date(value)]
    if not parts:
        return row
    inner = {name: value for part in parts for name, value in row[part].items()}
    return inner | {name: value for name, value in row.items() if name not in parts}


def _has_date(row: Record) -> bool:
    return any(field_of(name) == "date" for name in row)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    return str(value)
