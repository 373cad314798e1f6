"""`storecore ls`: the names of the series, or of other data, that match patterns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from storecore.cli.names import matcher
from storecore.cli.output import json_option, print_array
from storecore.cli.screen import console, date_text, table
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import printable
from storecore.protocols import Catalog
from storecore.reports import SeriesCoverage
from storecore.store.questions import (
    all_strategies,
    fundamental_symbols,
    has_method,
    inventory,
    symbols_of_events,
)

_HEADINGS = ("symbol", "timeframe", "first", "last", "bars")
_KINDS = ("bars", "fundamentals", "events", "states")


@click.command(
    short_help="List series, or other data, by name.",
    epilog=examples(
        "storecore ls 'A*'",
        "storecore ls --timeframe 1m --json",
        "storecore ls --kind states 'value*'",
    ),
)
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1)
@click.option(
    "--kind",
    type=click.Choice(_KINDS),
    default="bars",
    show_default=True,
    help="What is listed: series of bars, symbols with fundamentals or events, or strategies.",
)
@click.option("--timeframe", metavar="TEXT", help="Only series of this timeframe.")
@json_option
@store_options
def ls(
    choice: StoreChoice, patterns: tuple[str, ...], kind: str, timeframe: str | None, as_json: bool
) -> None:
    """List the series whose symbols match a PATTERN such as 'A*' or 'BTC-??'; without one, all."""
    with choice.open_to_read() as store:
        if not isinstance(store, Catalog):
            raise click.ClickException(
                f"the {choice.named} cannot list what it holds: it lacks the capability Catalog"
            )
        if kind != "bars":
            _print_names(filter(matcher(patterns), _names(store, kind)), as_json)
            return
        is_named = matcher(patterns)
        found = [
            each
            for each in inventory(store)
            if is_named(each.symbol) and timeframe in (None, each.timeframe)
        ]
    if as_json:
        print_array(found)
    elif found:
        console().print(table(_HEADINGS, map(_row, found), right=("bars",)))


def _names(store: Any, kind: str) -> list[str]:
    if kind == "states":
        return all_strategies(store)
    if kind == "events":
        own = has_method(store, "event_symbols")
        return list(store.event_symbols()) if own else symbols_of_events(store)
    own = has_method(store, "fundamental_symbols")
    return list(store.fundamental_symbols()) if own else fundamental_symbols(store)


def _print_names(names: Iterable[str], as_json: bool) -> None:
    if as_json:
        print_array(names)
        return
    for name in names:
        click.echo(printable(name))


def _row(each: SeriesCoverage) -> tuple[str, ...]:
    span = date_text(each.first), date_text(each.last)
    return printable(each.symbol), printable(each.timeframe), *span, f"{each.count:,}"
