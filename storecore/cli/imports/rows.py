"""The rows of one file as tables of checked bars; bad rows are kept with their places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click
import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.table import PRICES
from storecore.cli.imports.columns import has_symbols, recognize, with_ticks
from storecore.cli.imports.contents import Block, Content
from storecore.cli.imports.date_format import DateFormat
from storecore.cli.imports.dates import Dates, Moments
from storecore.cli.imports.form import Form
from storecore.cli.imports.further import Further
from storecore.cli.imports.nights import Nights
from storecore.cli.imports.numbers import Style, decimal_of, prices, volumes, with_points
from storecore.cli.imports.problems import Problems
from storecore.cli.text import printable
from storecore.errors import StoreError
from storecore.values.names import check_name

DATE = pa.timestamp("us")


class Checked(NamedTuple):
    """Good bars, and for each the time and the place of one that is filed under its written day."""

    bars: pa.Table
    given: pa.Table | None = None


class FileRows:
    """Reads the rows of one file."""

    def __init__(self, content: Content, form: Form, further: Further) -> None:
        self._content, self._form, self._further = content, form, further
        own = content.symbol or form.fallback_symbol
        if form.symbol is None and own is not None and not has_symbols(content.names, form):
            form = self._form = form._replace(symbol=own)
        self._columns = recognize(content.names, form, content.sample)
        form_of_dates = None if form.date_format is None else DateFormat(form.date_format)
        self._dates = Dates(form.zone, form.written, form_of_dates)
        self._style: Style | None = None
        self._volume_notes: list[str] = []
        self._own_symbols: dict[str, None] = {}
        self._nights = Nights()
        self.problems = Problems(content.unit)

    @property
    def ignored(self) -> list[str]:
        """The columns that are not stored."""
        return self._columns.ignored

    @property
    def notes(self) -> list[str]:
        """What was recognized beyond the usual."""
        known = (*self._content.notes, *self._columns.notes)
        return [*known, *self._dates.notes, *self._volume_notes]

    @property
    def midnights(self) -> str:
        """The zone of which all dates are midnights, if they are not those of UTC."""
        if self._form.written:
            return ""
        name = self._content.names[self._columns.at["date"]]
        return self._content.zones.get(name, "") or self._dates.midnights

    def tables(self) -> Iterator[Checked]:
        """Yield the good rows, block by block; the bad ones are in `problems`."""
        for block in self._content.blocks:
            self.problems.add(block.bad)
            if block.rows:
                yield self._checked(block)
        rows, bad = self._nights.decided(self._dates.zone)
        self.problems.add(bad)
        if rows:
            yield Checked(pa.concat_tables(rows))

    def _checked(self, block: Block) -> Checked:
        style = self._style or self._begin(block)
        columns, wrong = self._columns, dict[int, str]()
        text_of = self._content.text_of
        places = columns.at if columns.down is None else {**columns.at, "down": columns.down}
        cells = {
            field: text_of(block.columns[place], self._form.written)
            for field, place in places.items()
        }
        values: dict[str, Any] = {"symbol": self._symbols(block, cells.get("symbol"), wrong)}
        clocks = None if columns.clock is None else block.columns[columns.clock]
        moments = self._dates.moments(cells["date"], clocks)
        _add(wrong, moments.readings.problems)
        values["date"] = pc.cast(moments.readings.instants, DATE)
        values |= self._numbers(cells, block.rows, style, wrong)
        extra = {
            name: with_points(block.columns[place], style) for name, place in columns.extra.items()
        }
        values |= self._further.seen(extra, is_typed=self._content.unit == "row")
        return self._good(pa.table(values), moments, block, wrong)

    def _begin(self, block: Block) -> Style:
        """Return how numbers are written, as the first rows show; see which volumes count."""
        at = self._columns.at
        texts = [
            block.columns[place] for field, place in at.items() if field in (*PRICES, "volume")
        ]
        self._style = Style(self._form.decimal or decimal_of(texts), self._form.fixed_point)
        if self._columns.ticks is not None and _are_zero(block.columns[at["volume"]]):
            self._columns = with_ticks(self._columns, self._content.names)
            name, other = self._content.names[self._columns.at["volume"]], at["volume"]
            self._volume_notes = [f"volume: {name}, since {self._content.names[other]} is zero"]
        return self._style

    def _symbols(self, block: Block, cells: Any, wrong: dict[int, str]) -> pa.Array:
        if cells is None:
            self._see_own_symbols(block)
            return pa.repeat(pa.scalar(self._form.symbol, pa.string()), block.rows)
        coded = pc.dictionary_encode(cells)
        names, bad = list[str | None](), dict[int, str]()
        for at, cell in enumerate(coded.dictionary.to_pylist()):
            try:
                names.append(check_name(cell.strip() if isinstance(cell, str) else cell, "symbol"))
            except StoreError as error:
                names.append(None)
                bad[at] = str(error)
        for at, problem in bad.items():
            rows = pc.indices_nonzero(pc.equal(coded.indices, at)).to_pylist()
            _add(wrong, dict.fromkeys(rows, problem))
        for row in pc.indices_nonzero(pc.is_null(coded.indices)).to_pylist():
            _add(wrong, {row: "symbol=None: expected a name"})
        return pa.array(names, pa.string()).take(coded.indices)

    def _see_own_symbols(self, block: Block) -> None:
        """Raise `click.ClickException` if --symbol would store several symbols of a file as one."""
        place = self._columns.replaced
        if place is None:
            return
        found = pc.unique(block.columns[place]).to_pylist()
        self._own_symbols |= dict.fromkeys(map(str, found))
        if len(self._own_symbols) > 1:
            several = " and ".join(map(printable, [*self._own_symbols][:2]))
            raise click.ClickException(
                f"--symbol {self._form.symbol} is given, but the column "
                f"{self._content.names[place]!r} has several symbols, such as {several}: leave out "
                "--symbol"
            )

    def _numbers(
        self, cells: Any, count: int, style: Style, wrong: dict[int, str]
    ) -> dict[str, pa.Array]:
        found = {}
        for field in PRICES:
            read = prices(cells[field], field, style)
            found[field] = read.column
            _add(wrong, read.problems)
        if "volume" not in cells:
            return found | {"volume": pa.nulls(count, pa.float64())}
        for field in ("volume", "down"):
            if field in cells:
                read = volumes(cells[field], style, lenient=self._form.volume == "none")
                _add(wrong, read.problems)
                found[field] = read.column
        if "down" in cells:
            found["volume"] = pc.add(found["volume"], found.pop("down"))
        return found

    def _good(
        self, table: pa.Table, moments: Moments, block: Block, wrong: dict[int, str]
    ) -> Checked:
        """Return the good rows; keep the bad ones, and the ambiguous ones, elsewhere."""
        readings = moments.readings
        places = block.places() if wrong or readings.later or moments.given is not None else ()
        self.problems.add((places[row], wrong[row]) for row in sorted(wrong))
        for row in readings.near:
            if row not in wrong:
                self._see_night(table, row, readings.instants[row].as_py(), readings.later, places)
        given = _given(table, moments.given, places)
        left_out = wrong.keys() | readings.later.keys()
        if left_out:
            kept = pa.array([row for row in range(len(table)) if row not in left_out], pa.int64())
            table, given = table.take(kept), None if given is None else given.take(kept)
        return Checked(table, given)

    def _see_night(
        self, table: pa.Table, row: int, first: int, later: dict[int, int], places: Sequence[int]
    ) -> None:
        symbol = table["symbol"][row].as_py()
        if row in later:
            self._nights.wait(symbol, (first, later[row]), table.slice(row, 1), places[row])
        else:
            self._nights.add(symbol, first)


def _add(wrong: dict[int, str], more: dict[int, str]) -> None:
    """Add problems of rows that have none yet: of each row the first is reported."""
    for row, problem in more.items():
        wrong.setdefault(row, problem)


def _given(table: pa.Table, given: pa.Array | None, places: Sequence[int]) -> pa.Table | None:
    if given is None:
        return None
    return pa.table(
        {
            "symbol": table["symbol"],
            "day": pc.cast(table["date"], pa.int64()),
            "given": given,
            "place": pa.array(list(places), pa.int64()),
        }
    )


def _are_zero(cells: pa.Array) -> bool:
    return all(str(cell).strip() in ("0", "0.0") for cell in pc.unique(cells).to_pylist())
