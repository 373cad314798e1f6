"""The options of `storecore import` that say how files are to be read, and their defaults."""

from __future__ import annotations

import codecs
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import click

from storecore.cli.imports.columns import chosen_columns
from storecore.cli.imports.date_format import DateFormat
from storecore.cli.imports.form import Form
from storecore.cli.imports.formats import NamedFile, format_named, named_file
from storecore.cli.imports.sources import Source
from storecore.cli.regularity import is_of_days
from storecore.cli.timestamps import find_zone
from storecore.plugins.formats import ImportFormat
from storecore.values.names import check_name

AUTO = "auto"
_PLAIN = ImportFormat(name="")


class FileOptions(NamedTuple):
    """The options of the command line; None if one is not given."""

    symbol: str | None = None
    symbol_from_name: bool = False
    timeframe: str | None = None
    timezone: str | None = None
    delimiter: str | None = None
    columns: tuple[str, ...] = ()
    names: str | None = None
    skip_lines: int | None = None
    date_format: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    extra: str = "keep"
    volume: str | None = None
    day: str | None = None
    format: str | None = None

    def preset(self) -> ImportFormat:
        """Return the format of --format, or one of plain defaults."""
        return _PLAIN if self.format is None else format_named(self.format)


def file_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add these options to a command, which receives checked `options`."""
    for option in reversed(_OPTIONS):
        command = option(command)

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        named = {name: given.pop(name) for name in FileOptions._fields}
        command(options=_checked(FileOptions(**named)), **given)

    return with_options


_OPTIONS: tuple[Any, ...] = (
    click.option("--symbol", help="The symbol of all rows, whatever the file says."),
    click.option(
        "--symbol-from-name",
        is_flag=True,
        help="The symbol is the file's name without endings, or the part that --format knows.",
    ),
    click.option(
        "--timeframe",
        help="The timeframe of the bars, or auto [default: 1d; with --format, auto].",
    ),
    click.option(
        "--timezone",
        metavar="ZONE",
        help="The time zone of times without an offset, such as America/New_York [default: UTC].",
    ),
    click.option(
        "--format",
        metavar="NAME",
        help="A vendor's format, such as binance, kibot or mt5; its options are defaults.",
    ),
    click.option(
        "--delimiter",
        metavar="CHARACTER",
        help="The delimiter of a CSV file [default: as in the header: , ; | or tab].",
    ),
    click.option(
        "--column",
        "--columns",
        "columns",
        multiple=True,
        metavar="NAME=COLUMN,…",
        help="Which column of the file is which, as in date=open_time,volume=v.",
    ),
    click.option(
        "--names",
        metavar="NAME,…",
        help="The names of the columns, for a file without a header.",
    ),
    click.option(
        "--skip-lines",
        type=click.IntRange(min=0),
        help="The number of lines to skip at the beginning.",
    ),
    click.option(
        "--date-format",
        metavar="FORMAT",
        help="How dates are written: dmy, mdy, or a format such as %d/%m/%Y %H:%M.",
    ),
    click.option(
        "--decimal", type=click.Choice([".", ","]), help="The decimal mark [default: a point]."
    ),
    click.option("--encoding", help="The encoding of a text [default: UTF-8, or UTF-16]."),
    click.option(
        "--extra",
        type=click.Choice(["keep", "ignore"]),
        default="keep",
        show_default=True,
        help="Whether further columns are kept.",
    ),
    click.option(
        "--volume",
        type=click.Choice(["required", "absent", "none"]),
        help="Whether the file has volumes; with none, a missing one or -1 is not reported "
        "[default: required].",
    ),
    click.option(
        "--day",
        type=click.Choice(["instant", "written"]),
        help="For timeframes of a day and longer: store the instant of a time, or its written "
        "day [default: instant].",
    ),
)


def _checked(options: FileOptions) -> FileOptions:
    """Return options that can be used. Raises `click.BadParameter`, or `InvalidName`."""
    if options.timeframe is not None:
        check_name(options.timeframe, "--timeframe")
    if options.symbol is not None:
        check_name(options.symbol, "--symbol")
    if options.timezone is not None:
        find_zone(options.timezone)
    if options.date_format is not None:
        DateFormat.of_option(options.date_format)
    if options.encoding is not None:
        _check_encoding(options.encoding)
    return options._replace(delimiter=_one_character(options.delimiter))


def _check_encoding(name: str) -> None:
    try:
        is_text = codecs.lookup(name)._is_text_encoding
    except LookupError:
        is_text = False
    if not is_text:
        raise click.BadParameter(f"--encoding: no encoding {name!r}; expected one such as latin-1")


def _one_character(delimiter: str | None) -> str | None:
    if delimiter in (r"\t", "tab"):
        return "\t"
    if delimiter is not None and (
        len(delimiter) != 1 or delimiter in '"\r\n ' or not delimiter.isascii()
    ):
        raise click.BadParameter(f"--delimiter: expected one character, or tab, got {delimiter!r}")
    return delimiter


def form_of(source: Source, options: FileOptions, preset: ImportFormat, timeframe: str) -> Form:
    """Return how to read a file: by the options, else by the format."""
    day = options.day or preset.day
    return Form(
        symbol=symbol_of(source, options, preset),
        zone=find_zone(options.timezone or preset.timezone),
        written=day == "written" and timeframe != AUTO and is_of_days(timeframe),
        extra=options.extra == "keep",
        volume=options.volume or preset.volume,
        columns={**preset.columns, **chosen_columns(options.columns)},
        names=preset.names if options.names is None else (options.names,),
        delimiter=options.delimiter or preset.delimiter,
        skip_lines=preset.skip_lines if options.skip_lines is None else options.skip_lines,
        date_format=options.date_format or preset.date_format,
        decimal=options.decimal or preset.decimal,
        encoding=options.encoding or preset.encoding,
        footer=preset.footer,
        fixed_point=preset.fixed_point,
        stem=source.stem,
        fallback_symbol=None if options.format is None else named_file(preset, source.stem).symbol,
    )


def symbol_of(source: Source, options: FileOptions, preset: ImportFormat) -> str | None:
    """Return the symbol of all rows of a file, None if each row has its own."""
    if options.symbol is not None or not options.symbol_from_name:
        return options.symbol
    named: NamedFile = named_file(preset, source.stem)
    return check_name(named.symbol or source.stem, "--symbol-from-name")
