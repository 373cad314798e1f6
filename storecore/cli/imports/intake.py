"""All files of an import, read and checked: bars in runs, notes, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain

import click
import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.groups import grouped
from storecore.cli.imports.contents import Content
from storecore.cli.imports.csv_content import csv_content
from storecore.cli.imports.form import Form
from storecore.cli.imports.formats import named_file
from storecore.cli.imports.further import Further
from storecore.cli.imports.options import AUTO, FileOptions, form_of
from storecore.cli.imports.problems import MOST_SHOWN
from storecore.cli.imports.report import FIRST
from storecore.cli.imports.rows import FileRows
from storecore.cli.imports.runs import Runs, have_equal_types
from storecore.cli.imports.sources import Opened, Source
from storecore.cli.imports.suggestion import hint_after_an_error, note_after_a_success
from storecore.cli.imports.wide import long
from storecore.cli.regularity import is_of_days
from storecore.cli.text import printable

_DEFAULT = "1d"


class Intake:
    """Reads files one after another; `several` says that there are others."""

    def __init__(self, options: FileOptions, several: bool) -> None:
        self._options, self._several = options, several
        self._preset = options.preset()
        self.timeframe = options.timeframe or self._preset.timeframe or ""
        self.runs, self.further = Runs(), Further()
        self.notes: list[str] = []
        self.bad: list[str] = []
        self.bad_count = 0
        self.ignored: dict[str, None] = {}
        self.midnights = ""
        self.given: list[pa.Table] = []
        self.unit = "line"
        self._first: list[pa.Table] = []
        self._is_begun = False

    def read(self, source: Source, advance: Callable[[int], None]) -> None:
        """Read and check a whole file. Raises `click.ClickException` if it cannot be used."""
        with self._naming(source), ExitStack() as held:
            content, form = self._content(source.open(held), source)
            rows = FileRows(content, form, self.further)
            for checked in rows.tables():
                self.runs.add(checked.bars)
                if checked.given is not None:
                    self.given.append(checked.given)
                self._keep_first(checked.bars)
                advance(len(checked.bars))
        self._take(rows, content, source)

    def _keep_first(self, bars: pa.Table) -> None:
        """Keep the first bars, as long as they fit into one table."""
        is_enough = sum(map(len, self._first)) >= FIRST
        if not is_enough and (not self._first or have_equal_types(self._first[-1], bars)):
            self._first.append(bars.slice(0, FIRST))

    def close(self) -> None:
        """Remove what is kept on disk."""
        self.runs.close()

    @contextmanager
    def _naming(self, source: Source) -> Iterator[None]:
        """Put the file before an error about its content, and behind it a format that fits."""
        try:
            yield
        except click.BadParameter:
            raise
        except click.ClickException as error:
            shown = printable(source.name)
            text = error.message
            text = text if text.startswith((shown, "--")) else f"{shown}: {text}"
            hint = hint_after_an_error(source) if self._options.format is None else ""
            raise click.ClickException(f"{text}{hint}") from None

    def first_bars(self) -> pa.Table | None:
        """Return the first bars as they would be stored, None if there are none."""
        if not self._first:
            return None
        bars = pa.concat_tables(self._first, promote_options="default").slice(0, FIRST)
        return self.further.in_types(bars)

    def _take(self, rows: FileRows, content: Content, source: Source) -> None:
        before = f"{printable(source.name)}: " if self._several else ""
        self.notes += [f"{before}{note}" for note in rows.notes]
        if not self._is_begun:  # other files are like the first
            self.notes += [*self._notice(), *note_after_a_success(source, self._options)]
        self._is_begun = True
        self.bad += [f"{before}{text}" for text in rows.problems.texts][
            : MOST_SHOWN - len(self.bad)
        ]
        self.bad_count += rows.problems.count
        self.ignored |= dict.fromkeys(rows.ignored)
        self.midnights = self.midnights or rows.midnights
        self.unit = content.unit

    def _notice(self) -> list[str]:
        """Return what to know about the times of a format, unless --timezone says it."""
        form = self._preset
        if not form.notice or self._options.timezone is not None or is_of_days(self.timeframe):
            return []
        return [f"times are read as {form.timezone}, but {form.notice}: give --timezone for others"]

    def _content(self, opened: Opened, source: Source) -> tuple[Content, Form]:
        """Return the content of a file and how to read it; find out the timeframe if need be."""
        said = named_file(self._preset, source.stem).timeframe
        if not self.timeframe:
            self.timeframe = said or (_DEFAULT if self._options.format is None else AUTO)
        elif said not in (None, self.timeframe) and self._options.timeframe is None:
            raise click.ClickException(
                f"its name says {said} bars, but others are {self.timeframe} bars: import them one "
                "after the other, or give --timeframe"
            )
        form = form_of(source, self._options, self._preset, self.timeframe)
        content = long(_content_of(opened, source.name, form))
        if self.timeframe != AUTO:
            return content, form
        first = next(content.blocks, None)
        head = content._replace(blocks=iter([] if first is None else [first]))
        self.timeframe = _timeframe_of(FileRows(head, form, Further()))
        self.notes.append(f"timeframe: {self.timeframe}, by the dates of {printable(source.name)}")
        form = form_of(source, self._options, self._preset, self.timeframe)
        return content._replace(
            blocks=chain(() if first is None else (first,), content.blocks)
        ), form


def _content_of(opened: Opened, name: str, form: Form) -> Content:
    """Return the content of a file in the format that its first bytes show."""
    head = opened.head.lstrip()
    if opened.head.startswith((b"PAR1", b"ARROW1")):
        from storecore.cli.imports.columnar_content import feather_content, parquet_content

        read = parquet_content if opened.head.startswith(b"PAR1") else feather_content
        return read(opened, name)
    if head.startswith(b"{") or (
        head.startswith(b"[") and head[1:].lstrip()[:1] in b'[{"0123456789]'
    ):
        from storecore.cli.imports.json_content import json_content

        return json_content(opened, name, form)
    return csv_content(opened, name, form)


def _timeframe_of(rows: FileRows) -> str:
    """Return the timeframe that the first rows show: the most frequent step between their dates."""
    from storecore.bars.regularity import named_step

    tables = [checked.bars for checked in rows.tables()]
    bars = pa.concat_tables(tables) if tables else None
    if bars is None or len(bars) < 2:
        return _DEFAULT
    first = bars.filter(pc.equal(bars["symbol"], bars["symbol"][0]))
    dates = grouped(first["symbol"], first.select(["date"])).table["date"]
    return named_step(pc.cast(dates, pa.int64()).combine_chunks()) or _DEFAULT
