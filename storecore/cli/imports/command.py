"""`storecore import`: bars from files, all checked before the first is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import NamedTuple

import click
import pyarrow as pa
import pyarrow.compute as pc

from storecore.cli.imports.intake import Intake
from storecore.cli.imports.options import FileOptions, file_options
from storecore.cli.imports.records import KINDS, import_records
from storecore.cli.imports.report import Summary, report_bad, say, show_first, summarize, written_by
from storecore.cli.imports.sources import Source, sources_of
from storecore.cli.imports.writes import Counts, total, write_runs
from storecore.cli.interrupts import reporting
from storecore.cli.regularity import (
    Misfits,
    collapsed,
    warn_of_midnights,
    warn_of_spelling,
)
from storecore.cli.screen import progress, progresses
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.values.times import to_datetime


class Series(NamedTuple):
    """The bars of a symbol: how many there are, and the first and last instant."""

    bars: int
    first: int
    last: int


@click.command(
    "import",
    short_help="Import bars from CSV, Parquet, Feather or JSON files.",
    epilog=examples(
        "storecore import bars.csv",
        "storecore import aapl.csv --symbol AAPL --backend file --set base_path=data",
        "storecore import 'minutes/*.csv.gz' --symbol-from-name --timeframe 1m",
        "storecore import BTCUSDT-1m-2026-01.zip --format binance",
        "storecore import quotes.txt --date-format dmy --decimal , --dry-run",
    ),
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@file_options
@click.option(
    "--irregular",
    is_flag=True,
    help="Write series whose dates do not fit the timeframe.",
)
@click.option("--skip-bad", is_flag=True, help="Write the good rows even if there are bad ones.")
@click.option("--dry-run", is_flag=True, help="Write nothing; show the first rows as stored.")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="bars",
    show_default=True,
    help="The kind of data. All but bars are read from JSON lines, as export writes them.",
)
@store_options
def import_bars(
    choice: StoreChoice,
    files: tuple[str, ...],
    options: FileOptions,
    irregular: bool,
    skip_bad: bool,
    dry_run: bool,
    kind: str,
) -> None:
    """Import bars from files into a store: CSV, Parquet, Feather, JSON or JSON lines.

    FILE may be a pattern such as 'bars/*.csv', a .gz, .zst, .bz2 or .zip, or - for stdin. Columns
    are recognized by their names, in upper or lower case, such as Date, Gmt time, t, <OPEN>,
    Close/Last or Vol.; days and times of the day may be two columns. Others are kept as further
    columns of the bars. An empty volume is stored as not reported. Existing bars are replaced.

    Dates may be ISO dates and times, seconds to nanoseconds since 1970, 20260105, 05.01.2026 and
    others. 01/03/2026 needs --date-format, unless another date of the file shows whether the day or
    the month comes first. A date without a time is stored as midnight UTC, in any time zone. When
    the clocks go back, a local time occurs twice: the order of the symbol's rows decides which one
    is meant. If it cannot, the row is bad. So is a time that the clocks skipped.

    Every row is checked before the first is written; if one is bad, nothing is written. Nor is
    anything written if the dates do not fit the timeframe, such as two 1d bars on a day.
    """
    sources = list(sources_of(files))
    if kind != "bars":
        import_records(choice, sources, kind, dry_run)
        return
    written: list[Counts] = []
    with (
        reporting(lambda: written_by(written)),
        closing(Intake(options, len(sources) > 1)) as intake,
    ):
        _read(sources, intake)
        misfits, named = Misfits(intake.timeframe), _named(sources)
        series = _series(intake, misfits)
        report_bad(intake.bad, intake.bad_count, intake.runs.given, named, skip_bad)
        say(intake.notes)
        warn_of_midnights(intake.midnights, intake.timeframe)
        if not irregular:
            misfits.refuse()
        if dry_run:
            show_first(intake.first_bars(), intake.timeframe)
            return
        _write(choice, intake, series, written)
        summarize(total(written), _summary(intake, series, named), choice.named)


def _read(sources: Sequence[Source], intake: Intake) -> None:
    """Read and check all files."""
    with progresses({}) as advance:
        for source in sources:
            intake.read(source, lambda count: advance("reading bars", count))
    intake.runs.finish()
    _refuse_collapsed(intake)


def _refuse_collapsed(intake: Intake) -> None:
    """Raise if different times of a symbol would be filed as one day."""
    if not intake.given:
        return
    rows = pa.concat_tables(intake.given)
    keys = ["symbol", "day"]
    days = rows.group_by(keys, use_threads=False).aggregate([("given", "count_distinct")])
    crowded = days.filter(pc.greater(days["given_count_distinct"], 1))
    found: dict[str, dict[datetime, dict[int, int]]] = {}
    for row in (
        rows.join(crowded, keys, join_type="inner", use_threads=False).sort_by("place").to_pylist()
    ):
        day = to_datetime(row["day"], aware=False)
        found.setdefault(row["symbol"], {}).setdefault(day, {}).setdefault(
            row["given"], row["place"]
        )
    for symbol, times in found.items():
        raise collapsed(symbol, times, intake.unit)


def _series(intake: Intake, misfits: Misfits) -> dict[str, Series]:
    """Return what each symbol has; see which dates do not fit the timeframe."""
    found = {}
    for symbol, dates in intake.runs.dates():
        misfits.look(symbol, dates)
        found[symbol] = Series(len(dates), dates[0].as_py(), dates[-1].as_py())
    return found


def _write(
    choice: StoreChoice, intake: Intake, series: Mapping[str, Series], written: list[Counts]
) -> None:
    """Write all bars; add what each batch did to `written`, after a first item that did nothing."""
    with choice.open() as store:
        warn_of_spelling(store, series, intake.timeframe)
        with progress("writing bars", _count(series)) as advance:
            written.append(Counts(0, 0, 0))  # from here on, a batch may be written and not counted
            written.extend(
                write_runs(store, intake.runs, intake.timeframe, intake.further, advance)
            )


def _count(series: Mapping[str, Series]) -> int:
    return sum(each.bars for each in series.values())


def _named(sources: Sequence[Source]) -> str:
    return printable(sources[0].name) if len(sources) == 1 else counted(len(sources), "file")


def _summary(intake: Intake, series: Mapping[str, Series], source: str) -> Summary:
    count = _count(series)
    first = min((each.first for each in series.values()), default=None)
    last = max((each.last for each in series.values()), default=None)
    return Summary(
        bars=count,
        symbols=len(series),
        first=None if first is None else to_datetime(first, aware=False),
        last=None if last is None else to_datetime(last, aware=False),
        bad=intake.bad_count,
        repeated=intake.runs.given - count,
        ignored=list(intake.ignored),
        timeframe=intake.timeframe,
        source=source,
    )
