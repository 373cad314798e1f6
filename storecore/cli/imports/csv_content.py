"""CSV through Arrow's reader, block by block; every cell is a text.

Arrow skips rows with another number of cells. Only then, and for the places of bad rows, the
block is read again by Python's `csv`, which counts lines.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from itertools import chain
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from storecore.cli.imports.contents import Bad, Block, Content
from storecore.cli.imports.form import Form
from storecore.cli.imports.layout import Layout, layout_of
from storecore.cli.imports.sources import Opened
from storecore.cli.imports.text import Lines, line_blocks
from storecore.cli.text import printable


def csv_content(opened: Opened, name: str, form: Form) -> Content:
    """Return the content of a CSV file."""
    blocks = line_blocks(opened.file, name, form.encoding)
    first = next(blocks, Lines(b"", 1))
    layout = layout_of(first.data, form, name)
    reader = _Reader(layout, name, form.footer)
    rest = map(reader.block, chain((_without(first, layout.before),), blocks))
    return Content(layout.names, rest, "line", layout.sample, layout.tickers, layout.notes)


def _without(lines: Lines, before: int) -> Lines:
    """Return lines without the first ones."""
    rest = lines.data.split(b"\n", before)[before:]
    return Lines(rest[0] if rest else b"", lines.first + before)


class _Reader:
    """Reads blocks of lines of one layout."""

    def __init__(self, layout: Layout, name: str, footer: str) -> None:
        self._width, self._delimiter = len(layout.names), layout.delimiter
        self._name, self._footer = name, footer
        names = [str(at) for at in range(self._width)]
        self._types = dict.fromkeys(names, pa.string())
        self._names = names

    def block(self, lines: Lines) -> Block:
        """Return the rows of some lines. Raises `click.ClickException` for an open quote."""
        if not lines.data.strip():
            return Block([pa.array([], pa.string())] * self._width, list, [])
        if lines.data.count(b'"') % 2:
            self._parsed(lines)  # raises if a quote is open
        wrong: list[int] = []
        table = self._table(lines.data, wrong)
        columns = [column.combine_chunks() for column in table.columns]
        if not wrong:
            return self._without_blanks(Block(columns, self._places(lines, len(table)), []), lines)
        good, bad = self._judged(lines)
        return self._without_blanks(Block(columns, lambda: good, bad), lines)

    def _table(self, data: bytes, wrong: list[int]) -> pa.Table:
        def skip(row: Any) -> str:
            wrong.append(row.actual_columns)
            return "skip"

        return arrow_csv.read_csv(
            pa.BufferReader(data),
            read_options=arrow_csv.ReadOptions(
                use_threads=False, column_names=self._names, block_size=len(data) + 16
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self._delimiter,
                newlines_in_values=b'"' in data,
                invalid_row_handler=skip,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=self._types,
                strings_can_be_null=False,
                null_values=[],
                check_utf8=False,
            ),
        )

    def _places(self, lines: Lines, count: int) -> Callable[[], Sequence[int]]:
        if count == lines.data.count(b"\n"):
            return lambda: range(lines.first, lines.first + count)
        return lambda: self._judged(lines)[0]

    def _judged(self, lines: Lines) -> tuple[list[int], Bad]:
        """Return the lines of the rows with the right number of cells, and the other rows."""
        good, bad = [], []
        for line, cells in self._parsed(lines):
            if len(cells) == self._width:
                good.append(line)
            elif any(map(str.strip, cells)) and not self._is_footer(cells):
                bad.append((line, f"expected {self._width} cells, found {len(cells)}"))
        return good, bad

    def _is_footer(self, cells: Sequence[str]) -> bool:
        return bool(self._footer) and cells[0].startswith(self._footer)

    def _parsed(self, lines: Lines) -> Iterator[tuple[int, list[str]]]:
        """Return each row that is not empty, with the number of its last line."""
        text = StringIO(lines.data.decode(), newline="")
        reader = csv.reader(text, delimiter=self._delimiter, strict=True)
        try:
            return iter([(lines.first - 1 + reader.line_num, cells) for cells in reader if cells])
        except csv.Error as error:
            line = lines.first - 1 + reader.line_num
            raise click.ClickException(
                f"{printable(self._name)}: line {line}: not CSV with the delimiter "
                f"{self._delimiter!r}: {error}"
            ) from None

    def _without_blanks(self, block: Block, lines: Lines) -> Block:
        """Return a block without rows of blank cells, such as lines of commas."""
        between = self._delimiter.encode()
        begins = (b"\n" + between, b"\n ", b"\n\t", b'\n""')
        data = lines.data
        if not any(each in data or data.startswith(each[1:]) for each in begins):
            return block
        blank = None
        for column in block.columns:
            is_blank = pc.equal(pc.utf8_trim_whitespace(column), "")
            blank = is_blank if blank is None else pc.and_(blank, is_blank)
        kept = pc.indices_nonzero(pc.invert(blank))
        if len(kept) == block.rows:
            return block
        columns = [column.take(kept) for column in block.columns]
        return Block(columns, lambda: [block.places()[row] for row in kept.to_pylist()], block.bad)
