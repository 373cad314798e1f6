"""Output: a console, plain tables, numbers and progress bars."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, time
from decimal import Decimal
from functools import partial

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

_WIDE = 10_000
_MOST_DECIMALS = 12
_MOST_WHOLE = 1e15


def console(*, stderr: bool = False) -> Console:
    """Return a console on stdout or stderr, which truncates nothing if it is not a terminal.

    Text is printed as it is: markup and emoji codes are not interpreted.
    """
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _WIDE
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[str]) -> Table:
    """Return a plain table; the columns whose headings are in `right` are right-aligned."""
    plain = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in headings:
        justify = "right" if heading in right else "left"
        plain.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]  # a str, not its Literal
    for row in rows:
        plain.add_row(*row)
    return plain


def price_texts(prices: Sequence[float]) -> list[str]:
    """Return a column of exact prices, all with as many decimals as needed (2 or more)."""
    exact = [Decimal(repr(price)) for price in prices]
    decimals = max((-int(price.as_tuple().exponent) for price in exact), default=0)
    if decimals > _MOST_DECIMALS or any(abs(price) >= _MOST_WHOLE for price in prices):
        return [repr(price) for price in prices]
    return [f"{price:.{max(decimals, 2)}f}" for price in exact]


def date_texts(dates: Sequence[datetime]) -> list[str]:
    """Return a column of UTC times in ISO format, as dates if all are midnights."""
    if all(moment.time() == time.min for moment in dates):
        return [str(moment.date()) for moment in dates]
    return [moment.replace(tzinfo=None).isoformat(" ") for moment in dates]


def date_text(moment: datetime) -> str:
    """Return one UTC time in ISO format, a midnight as its date."""
    return date_texts([moment])[0]


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on stderr, if it is a terminal; yield a function that advances it."""
    with _progress() as bars:
        yield partial(bars.advance, bars.add_task(what, total=total))


@contextmanager
def progresses(totals: Mapping[str, int]) -> Iterator[Callable[[str, int], None]]:
    """Show several progress bars; yield a function that advances a named one, and begins it first.

    A bar without a total shows a count.
    """
    tasks: dict[str, TaskID] = {}
    with _progress() as bars:

        def advance(what: str, count: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=totals.get(what))
            bars.advance(tasks[what], count)

        yield advance


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    hidden = not sys.stderr.isatty()
    return Progress(*columns, console=console(stderr=True), transient=True, disable=hidden)
