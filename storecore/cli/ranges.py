"""The options --start and --end, and the range that they mean."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import click

from storecore.cli.timestamps import check_order, time_option
from storecore.store.questions import bounds_of
from storecore.values.times import time_range


def range_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --start and --end to a command."""
    end = click.option(
        "--end",
        metavar="TIME",
        callback=time_option,
        help="The last date or time, included; a date is a whole day.",
    )
    start = click.option(
        "--start", metavar="TIME", callback=time_option, help="The first date or time."
    )
    return start(end(command))


def aware_bounds(start: date | None, end: date | None) -> tuple[datetime, datetime]:
    """Return both bounds as times in aware UTC. Raises `click.UsageError` if they are reversed."""
    check_order(start, end)
    return bounds_of(time_range(start, end)._replace(aware=True))
