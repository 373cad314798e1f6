"""`storecore events`: the events of a store by time, type and symbol."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import date, datetime

import click

from storecore.cli.names import matcher
from storecore.cli.output import encoded, json_option, print_array
from storecore.cli.ranges import aware_bounds, range_options
from storecore.cli.screen import console, table
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.cli.timestamps import moment_option
from storecore.events import EventQuery, event_filter
from storecore.models import Event
from storecore.protocols import DataStore, Transfer
from storecore.store.digests import EVER
from storecore.store.questions import read_events
from storecore.values.times import instant, time_range

_HEADINGS = ("time (UTC)", "type", "symbol", "known (UTC)", "source", "payload")


@click.command(
    short_help="Show events by time, type and symbol.",
    epilog=examples(
        "storecore events --type split --type dividend --symbol AAPL",
        "storecore events --start 2026-01-05 --known-by 2026-01-05T21:00",
        "storecore events --symbol 'A*' --last 100 --json",
    ),
)
@click.option("--type", "types", multiple=True, metavar="NAME", help="Only events of this type.")
@click.option(
    "--symbol",
    "symbols",
    multiple=True,
    metavar="NAME",
    help="Only events of this symbol, or of those that match a pattern such as 'A*'.",
)
@range_options
@click.option(
    "--known-by",
    metavar="TIME",
    callback=moment_option,
    help="Only events whose ingested_at is not later than this time.",
)
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="The number of events, counted from the end.",
)
@json_option
@store_options
def events(
    choice: StoreChoice,
    types: tuple[str, ...],
    symbols: tuple[str, ...],
    start: date | None,
    end: date | None,
    known_by: datetime | None,
    last: int,
    as_json: bool,
) -> None:
    """Show the last events of a store, sorted by time. --type and --symbol may be repeated."""
    first, until = aware_bounds(start, end)
    limit = None if known_by is None else instant(known_by, "known-by")
    query = EventQuery(time_range(first, until), frozenset(types) or None, None, limit)
    with choice.open_to_read() as store:
        shown, count = _newest(_asked(store, query, symbols, (first, until)), last)
    if as_json:
        print_array(shown)
        return
    console().print(f"the last {len(shown):,} of {counted(count, 'event')}")
    if shown:
        console().print(table(_HEADINGS, map(_row, shown), right=()))


def _asked(
    store: DataStore,
    query: EventQuery,
    symbols: tuple[str, ...],
    bounds: tuple[datetime, datetime],
) -> Iterator[Event]:
    """Yield the events of a query; without bounds as a stream, if the store can."""
    is_named, is_asked = matcher(symbols), event_filter(query)
    is_all = bounds == EVER and isinstance(store, Transfer)
    found: Iterable[Event] = store.iter_events() if is_all else read_events(store, *bounds)  # type: ignore[attr-defined]  # a Transfer
    return (each for each in found if is_asked(each) and is_named(each.symbol))


def _newest(found: Iterable[Event], last: int) -> tuple[list[Event], int]:
    """Return the last events, and the number of all."""
    numbered = deque(enumerate(found, 1), maxlen=last)
    return [each for _, each in numbered], numbered[-1][0] if numbered else 0


def _row(event: Event) -> tuple[str, ...]:
    times = (_text(event.timestamp), _text(event.ingested_at))
    symbol = "" if event.symbol is None else printable(event.symbol)
    payload = printable(encoded(event.payload))
    return times[0], printable(event.type), symbol, times[1], printable(event.source), payload


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ")
