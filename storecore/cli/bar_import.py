"""`storecore import`: bars from a CSV or Parquet file, all checked before the first is written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import click
from msgspec.structs import replace

from storecore.cli.bar_extra import Further, further_values
from storecore.cli.bar_files import BarTable, read_table
from storecore.cli.bar_rows import RowReader
from storecore.cli.columns import chosen_columns, recognize
from storecore.cli.regularity import (
    check_regular,
    is_of_days,
    refuse_collapsed,
    warn_of_midnights,
    warn_of_spelling,
    zone_of,
)
from storecore.cli.repeated_hours import resolved_by_order
from storecore.cli.screen import console, date_text, progress
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, listed, printable
from storecore.cli.timestamps import find_zone, local_text, with_offset
from storecore.errors import StoreError
from storecore.models import PriceBar
from storecore.protocols import DataStore
from storecore.values.names import check_name

_MOST_SHOWN = 20
_ROWS_A_STEP = 1000

Series = dict[str, list[PriceBar]]
Bad = list[tuple[int, str]]


class Form(NamedTuple):
    """How a file is to be read. With `written`, a time stands for the day that is written in it."""

    symbol: str | None
    zone: tzinfo
    delimiter: str | None = None
    written: bool = False
    extra: bool = False
    volume: bool = True
    columns: Mapping[str, str] = {}


class Read(NamedTuple):
    """The content of a file: good bars by symbol, bad rows, the number of repeated dates.

    `zone` is not empty if all dates are midnights there, but not in UTC.
    """

    series: Series
    bad: list[str]
    repeated: int
    ignored: list[str]
    zone: str = ""


class Rows(NamedTuple):
    """The bars of one symbol, in the order of the file.

    `twice` maps each row whose local time occurred twice to its place and its second instant; the
    bar has the first instant. `days` maps each written day to the times on it and their places.
    """

    bars: list[PriceBar]
    twice: dict[int, tuple[int, datetime]]
    days: dict[datetime, dict[datetime, int]]

    def readings(self, at: int) -> tuple[datetime, ...]:
        """Return the instants that the time of a row may mean."""
        first = self.bars[at].date
        return (first, self.twice[at][1]) if at in self.twice else (first,)


@click.command(
    "import",
    short_help="Import bars from a CSV or Parquet file.",
    epilog=examples(
        "storecore import bars.csv",
        "storecore import aapl.csv --symbol AAPL --backend file --set base_path=data",
        "storecore import minutes.parquet --timeframe 1m --timezone America/New_York",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--symbol", help="The symbol of all rows, if the file has no such column.")
@click.option("--timeframe", default="1d", show_default=True, help="The timeframe of the bars.")
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    metavar="ZONE",
    help="The time zone of times without an offset, such as America/New_York.",
)
@click.option(
    "--delimiter",
    metavar="CHARACTER",
    help="The delimiter of a CSV file [default: as in the header: , ; | or tab].",
)
@click.option(
    "--columns",
    multiple=True,
    metavar="NAME=COLUMN,…",
    help="Which column of the file is which, as in date=open_time,volume=v.",
)
@click.option(
    "--extra",
    type=click.Choice(["keep", "ignore"]),
    default="keep",
    show_default=True,
    help="Whether further columns are kept.",
)
@click.option(
    "--volume",
    type=click.Choice(["required", "absent"]),
    default="required",
    show_default=True,
    help="Whether the file has a column of volumes.",
)
@click.option(
    "--day",
    type=click.Choice(["instant", "written"]),
    default="instant",
    show_default=True,
    help="What a time stands for in timeframes of a day and longer: itself, or its written day.",
)
@click.option(
    "--irregular",
    is_flag=True,
    help="Write series whose dates do not fit the timeframe.",
)
@click.option("--skip-bad", is_flag=True, help="Write the good rows even if there are bad ones.")
@store_options
def import_bars(
    choice: StoreChoice,
    file: Path,
    symbol: str | None,
    timeframe: str,
    timezone: str,
    delimiter: str | None,
    columns: tuple[str, ...],
    extra: str,
    volume: str,
    day: str,
    irregular: bool,
    skip_bad: bool,
) -> None:
    """Import bars from FILE, CSV or Parquet, into a store.

    Columns are recognized by their names, in any case: symbol or ticker; date, datetime, timestamp,
    time, day, open_time, ts_event or window_start; open; high; low; close; volume or vol. Others
    are kept as further columns of the bars: numbers, booleans, times with an offset, or text. An
    empty volume was not reported. Existing bars are replaced.

    A date without a time is a day: its midnight in UTC, in any time zone. When the clocks go back,
    a local time occurs twice: the order of the symbol's rows decides which one is meant. If it
    cannot, the row is bad. So is a time that the clocks skipped. A number must be a day of eight
    digits: 2026010514 may be an hour or seconds since 1970. Read a file with other numbers into a
    frame, and give it to storecore.write_bar_table.

    Every row is checked before the first is written; if one is bad, nothing is written. Nor is
    anything written if the dates do not fit the timeframe, such as two 1d bars on a day.
    """
    check_name(timeframe, "--timeframe")
    if symbol is not None:
        check_name(symbol, "--symbol")
    form = Form(
        symbol,
        find_zone(timezone),
        _one_character(delimiter),
        written=day == "written" and is_of_days(timeframe),
        extra=extra == "keep",
        volume=volume == "required",
        columns=chosen_columns(columns),
    )
    read = read_series(file, form)
    _report_bad(read, file, skip_bad)
    warn_of_midnights(read.zone, timeframe)
    if not irregular:
        check_regular(read.series, timeframe)
    with choice.open() as store:
        warn_of_spelling(store, read.series, timeframe)
        write_series(store, read.series, timeframe)
    _summarize(read, file, timeframe, choice)


def read_series(file: Path, form: Form) -> Read:
    """Read and check a whole file. Raises `click.ClickException` for unusable columns."""
    table = read_table(file, form.delimiter, local=form.written)
    columns = recognize(
        table.header, form.symbol, extra=form.extra, volume=form.volume, chosen=form.columns
    )
    zoned = (
        "" if table.columns is None else zone_of(table.columns[columns.at["date"]], form.written)
    )
    table, further = further_values(table, columns)
    zone = form.zone
    reader = RowReader(columns, form.symbol, zone, written=form.written)
    rows, bad = _rows(table, reader, further, f"reading {file.name}")
    for symbol, placed in rows.items():
        refuse_collapsed(symbol, placed.days, table.place)
    series = {each: _resolved(placed, zone, bad) for each, placed in rows.items()}
    series = {each: bars for each, bars in series.items() if bars}
    problems = [f"{table.place} {place}: {problem}" for place, problem in sorted(bad)]
    repeated = sum(len(bars) - len({bar.date for bar in bars}) for bars in series.values())
    return Read(series, problems, repeated, columns.ignored, reader.midnights.zone or zoned)


def write_series(store: DataStore, series: Series, timeframe: str) -> None:
    """Write bars, one year of one symbol at a time, with a progress bar."""
    total = sum(map(len, series.values()))
    with progress("writing bars", total) as advance:
        for symbol, bars in series.items():
            by_date = sorted(bars, key=attrgetter("date"))  # stable: the last duplicate stays last
            for _, year in groupby(by_date, key=lambda bar: bar.date.year):
                batch = list(year)
                store.write_bars(symbol, batch, timeframe=timeframe)
                advance(len(batch))


def _rows(
    table: BarTable, reader: RowReader, further: Further, what: str
) -> tuple[dict[str, Rows], Bad]:
    """Return the rows of each symbol in the order of the file, and the bad ones."""
    rows: dict[str, Rows] = {}
    bad: Bad = []
    with progress(what, table.length) as advance:
        for count, (place, cells) in enumerate(table.rows, 1):
            try:
                bar, later, given = reader.row(cells)
            except StoreError as error:
                bad.append((place, str(error)))
            else:
                own = rows.setdefault(bar.symbol, Rows([], {}, {}))
                if further is not None:
                    bar = replace(bar, extra=further[count - 1])
                if later is not None:
                    own.twice[len(own.bars)] = place, later
                if given is not None:
                    own.days.setdefault(bar.date, {}).setdefault(given, place)
                own.bars.append(bar)
            if count % _ROWS_A_STEP == 0:
                advance(_ROWS_A_STEP)
    return rows, bad


def _resolved(rows: Rows, zone: tzinfo, bad: Bad) -> list[PriceBar]:
    """Return the bars of a symbol; add the rows whose time stays ambiguous to `bad`."""
    if not rows.twice:
        return rows.bars
    bars, ambiguous = list(rows.bars), set[int]()
    for at, meant in resolved_by_order([rows.readings(at) for at in range(len(bars))]):
        if meant is None:
            place, later = rows.twice[at]
            bad.append((place, _ambiguous(bars[at].date, later, zone)))
            ambiguous.add(at)
        else:
            bars[at] = replace(bars[at], date=meant)
    return [bar for at, bar in enumerate(bars) if at not in ambiguous]


def _ambiguous(first: datetime, second: datetime, zone: tzinfo) -> str:
    both = [with_offset(each, zone) for each in (first, second)]
    return (
        f"date={local_text(first, zone)!r}: that time occurred twice in {zone}, and the order of "
        f"the symbol's rows does not decide between them: write {' or '.join(both)}"
    )


def _one_character(delimiter: str | None) -> str | None:
    if delimiter in (r"\t", "tab"):
        return "\t"
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n '):
        raise click.BadParameter(f"--delimiter: expected one character, or tab, got {delimiter!r}")
    return delimiter


def _report_bad(read: Read, file: Path, skip_bad: bool) -> None:
    """Print the first bad rows on stderr; raise if nothing is to be written."""
    screen = console(stderr=True)
    for problem in read.bad[:_MOST_SHOWN]:
        screen.print(problem)
    if len(read.bad) > _MOST_SHOWN:
        screen.print(f"and {len(read.bad) - _MOST_SHOWN:,} more")
    found = f"{printable(str(file))}: {counted(len(read.bad), 'bad row')}"
    if read.bad and not read.series:
        raise click.ClickException(f"{found} and no good rows: nothing was written")
    if read.bad and not skip_bad:
        raise click.ClickException(f"{found}: nothing was written; --skip-bad writes the others")


def _summarize(read: Read, file: Path, timeframe: str, choice: StoreChoice) -> None:
    screen = console()
    if read.ignored:
        screen.print(f"ignored columns: {listed(read.ignored)}")
    if read.repeated:
        screen.print(f"{counted(read.repeated, 'row')} repeated a date: the last one was taken")
    if read.bad:
        screen.print(f"{counted(len(read.bad), 'bad row')} skipped")
    dates = [bar.date for bars in read.series.values() for bar in bars]
    count = counted(len(dates) - read.repeated, f"{timeframe} bar")
    symbols = counted(len(read.series), "symbol")
    span = f", {date_text(min(dates))} to {date_text(max(dates))}," if dates else ""
    screen.print(f"{count} of {symbols}{span} from {printable(str(file))} into {choice.named}")
