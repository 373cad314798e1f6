"""Hints of the command line about timeframes: dates that do not fit one, and its spelling."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import click

from storecore.cli.text import counted, printable
from storecore.protocols import Catalog, DataStore
from storecore.values.timeframes import same_length, timeframe_of, usual_spelling

if TYPE_CHECKING:
    import pyarrow as pa

    from storecore.bars.regularity import Misfit

_MOST = 5


def is_of_days(timeframe: str) -> bool:
    """Return whether a timeframe is of a day or longer, as far as its name gives a length."""
    length = timeframe_of(timeframe)
    return length is None or length.is_of_days


class Misfits:
    """The series of an import whose dates do not fit its timeframe."""

    def __init__(self, timeframe: str) -> None:
        self._timeframe = timeframe
        self._count = 0
        self._first: list[tuple[str, Misfit]] = []

    def look(self, symbol: str, dates: pa.Array) -> None:
        """See whether a series fits; its dates are instants, sorted and unique."""
        from storecore.bars.regularity import misfit

        seen = misfit(dates, self._timeframe)
        if seen is not None:
            self._count += 1
            if self._count <= _MOST:
                self._first.append((symbol, seen))

    def refuse(self) -> None:
        """Raise `click.ClickException` if a series does not fit."""
        if not self._count:
            return
        for symbol, seen in self._first:
            click.echo(f"{printable(symbol)}: {seen}", err=True)
        if self._count > _MOST:
            click.echo(f"and {self._count - _MOST:,} more symbols", err=True)
        right = self._first[0][1].timeframe
        hint = f"--timeframe {right}" if right else "--day written"
        raise click.ClickException(
            f"the dates do not fit {self._timeframe} bars: nothing was written; give {hint}, or "
            "--irregular to write them as they are"
        )


def collapsed(
    symbol: str, days: Mapping[datetime, Mapping[int, int]], unit: str
) -> click.ClickException:
    """Return the error of different times of a symbol that would be filed as one day.

    `days` maps each such day to its times and their places in the file, in this unit.
    """
    day, times = next(iter(days.items()))
    places = ", ".join(map(str, list(times.values())[:_MOST])) + (
        ", …" if len(times) > _MOST else ""
    )
    more = f", and so are those of {counted(len(days) - 1, 'more day')}" if len(days) > 1 else ""
    return click.ClickException(
        f"{printable(symbol)}: {len(times):,} rows are different times of {day:%Y-%m-%d} "
        f"({unit} {places}){more}, and --day written files one bar a day: nothing was written; "
        "give the timeframe that they have, such as --timeframe 1m, or leave --day out"
    )


def warn_of_midnights(zone: str, timeframe: str) -> None:
    """Print a hint if days are stamped at the midnights of a zone."""
    length = timeframe_of(timeframe)
    if zone and length is not None and length.is_of_days:
        click.echo(
            f"timeframe {timeframe!r}: the dates are midnights in {zone}, and are kept as "
            "instants, which are no midnights in UTC; --day written files each bar under its own "
            "day",
            err=True,
        )


def warn_of_spelling(store: DataStore, symbols: Mapping[str, object], timeframe: str) -> None:
    """Print a hint if another spelling of the timeframe is stored, or is the usual one."""
    stored = _stored(store, symbols)
    if timeframe in stored:
        return
    meant = same_length(timeframe, sorted(stored))
    usual = usual_spelling(timeframe)
    if meant or usual is not None:
        near = meant[0] if meant else usual
        click.echo(
            f"timeframe {timeframe!r}: did you mean {near!r}? They name different series", err=True
        )


def _stored(store: DataStore, symbols: Mapping[str, object]) -> set[str]:
    """Return the timeframes in which a store has bars of some symbols."""
    if not isinstance(store, Catalog):
        return set()
    return {each for symbol in symbols for each in store.timeframes(symbol)}
