"""`storecore export`: bars and other records of a store as a file that `import` reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain
from typing import NamedTuple

import click
from rich.filesize import decimal

from storecore.cli.exports.bars import BarQuery, bar_tables
from storecore.cli.exports.files import (
    CSV,
    LINES,
    PARQUET,
    STDOUT,
    bar_sink,
    format_of,
    size_of,
    whole_file,
    write_records,
)
from storecore.cli.exports.records import KINDS, records_of
from storecore.cli.exports.unclear import Unclear
from storecore.cli.names import chosen
from storecore.cli.ranges import aware_bounds, range_options
from storecore.cli.regularity import is_of_days
from storecore.cli.show import why_none
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, listed, printable
from storecore.cli.timestamps import find_zone
from storecore.protocols import Catalog, DataStore

_OF_BARS = ("timeframe", "adjust", "resample", "timezone")


class _Options(NamedTuple):
    """The options that say which records are written, and how bars are changed."""

    kind: str
    timeframe: str | None
    adjust: bool
    resample: str | None
    timezone: str | None


@click.command(
    short_help="Write bars or other records to a CSV, Parquet or JSON lines file.",
    epilog=examples(
        "storecore export AAPL MSFT -o bars.csv",
        "storecore export 'A*' --timeframe 1m --start 2026-01-01 -o minutes.parquet",
        "storecore export AAPL --adjust --resample 1w -o weeks.csv",
        "storecore export --kind events -o events.jsonl.gz",
    ),
)
@click.argument("names", metavar="[SYMBOL]...", nargs=-1)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="The file to write, replaced if it exists: .csv, .parquet or .jsonl; - is stdout.",
)
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="bars",
    show_default=True,
    help="The kind of data. All but bars are written as JSON lines.",
)
@click.option("--timeframe", metavar="TEXT", help="The timeframe of the bars [default: 1d].")
@range_options
@click.option("--adjust", is_flag=True, help="Adjust bars for the stored splits and dividends.")
@click.option("--resample", metavar="TIMEFRAME", help="Write bars of a longer timeframe.")
@click.option(
    "--timezone",
    metavar="ZONE",
    help="The time zone that decides the days for --adjust and --resample [default: UTC].",
)
@store_options
def export(
    choice: StoreChoice,
    names: tuple[str, ...],
    output: str,
    start: date | None,
    end: date | None,
    kind: str,
    timeframe: str | None,
    adjust: bool,
    resample: str | None,
    timezone: str | None,
) -> None:
    """Write the bars of each SYMBOL to a file that `storecore import` reads back as equal bars.

    SYMBOL may be a pattern such as 'A*'; without one, all are written. With --kind states,
    decisions or orders it is a strategy. The file gets its name when it is complete: an
    interrupted export leaves an existing file as it was.

    CSV and JSON lines do not keep the types of further columns: text such as 12 would be imported
    as a number. Then the export prints a hint on stderr. Parquet keeps the types.
    """
    options = _Options(kind, timeframe, adjust, resample, timezone)
    written_as = format_of(output, CSV if kind == "bars" else LINES)
    _check(options, written_as)
    bounds = aware_bounds(start, end)
    with choice.open_to_read() as store:
        if kind == "bars":
            symbols = _symbols(store, names, timeframe or "1d")
            query = BarQuery(symbols, bounds, timeframe or "1d", adjust, resample, timezone)
            count = _export_bars(store, query, output, written_as)
        else:
            with whole_file(output) as file:
                count = write_records(file, _some(records_of(store, kind, names, bounds), kind))
    if output != STDOUT:
        what = counted(count, "bar") if kind == "bars" else counted(count, f"{kind[:-1]}")
        size = decimal(size_of(output))
        click.echo(f"{what} written to {printable(output)} ({written_as}, {size})")


def _check(options: _Options, written_as: str) -> None:
    """Raise `click.UsageError` for options that exclude each other."""
    context = click.get_current_context()
    if options.kind != "bars":
        given = [name for name in _OF_BARS if getattr(options, name)]
        if given:
            raise click.UsageError(f"--{given[0]} is for --kind bars", context)
        if written_as != LINES:
            raise click.UsageError(
                f"{options.kind} are nested: give -o a name that ends in .jsonl", context
            )
    if options.timezone is not None:
        find_zone(options.timezone)
        if not (options.adjust or options.resample):
            raise click.UsageError(
                "--timezone is for --adjust and --resample: times are written in UTC", context
            )


def _symbols(store: DataStore, given: Sequence[str], timeframe: str) -> list[str]:
    """Return the symbols to export. Raises `click.ClickException` if one has no bars."""
    if not isinstance(store, Catalog):
        if not given:
            raise click.ClickException(
                "this store cannot list its symbols: it lacks the capability Catalog; name them"
            )
        return list(dict.fromkeys(given))
    known = store.symbols(timeframe)
    if len(given) == 1 and not known:
        raise click.ClickException(why_none(store, given[0], timeframe))
    return chosen(given, known, f"{timeframe} bars of")


def _export_bars(store: DataStore, query: BarQuery, output: str, written_as: str) -> int:
    tables, unclear, count = bar_tables(store, query), Unclear(), 0
    first = next(tables, None)
    if first is None:
        raise click.ClickException(_nothing(store, query))
    days = is_of_days(query.written)
    with whole_file(output) as file, bar_sink(written_as, file, first.schema, days) as write:
        for table in chain([first], tables):
            write(table)
            count += len(table)
            if written_as != PARQUET:
                unclear.look(table)
    if unclear.names():
        click.echo(
            f"the column {listed(unclear.names())} has text that looks like other values, or has "
            "blanks around it: import would change it; Parquet keeps it",
            err=True,
        )
    return count


def _nothing(store: DataStore, query: BarQuery) -> str:
    if len(query.symbols) == 1:
        return why_none(store, query.symbols[0], query.timeframe)
    return f"no {query.timeframe} bars in that range: nothing was written"


def _some(records: Iterator[object], kind: str) -> Iterator[object]:
    """Yield records. Raises `click.ClickException` if there are none."""
    first = next(records, None)
    if first is None:
        raise click.ClickException(f"no {kind} of that name or range: nothing was written")
    yield from chain([first], records)
