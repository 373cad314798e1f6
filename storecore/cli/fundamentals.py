"""`storecore fundamentals`: the fundamentals of a symbol."""

from __future__ import annotations

from datetime import date

import click
import msgspec

from storecore.cli.output import encoded, json_option
from storecore.cli.ranges import aware_bounds, range_options
from storecore.cli.screen import console, table
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.fundamentals import encode_fundamental
from storecore.models import FundamentalData
from storecore.protocols import Catalog
from storecore.store import questions
from storecore.store.questions import has_method
from storecore.values.suggestions import did_you_mean

_NUMBERS = ("employees", "shares_outstanding", "float_shares")
_HEADINGS = ("filed", "company", "cik", *_NUMBERS, "industry", "further")


@click.command(
    short_help="Show the fundamentals of a symbol.",
    epilog=examples(
        "storecore fundamentals AAPL", "storecore fundamentals AAPL --start 2025-01-01 --json"
    ),
)
@click.argument("symbol")
@range_options
@json_option
@store_options
def fundamentals(
    choice: StoreChoice, symbol: str, start: date | None, end: date | None, as_json: bool
) -> None:
    """Show the fundamentals of SYMBOL by time of filing, in the zone in which they are stored.

    With --json they have all fields, the raw filing too.
    """
    bounds = aware_bounds(start, end)
    with choice.open_to_read() as store:
        own = has_method(store, "fundamentals")
        ask = store.fundamentals if own and isinstance(store, Catalog) else None
        found = (
            questions.fundamentals(store, symbol, *bounds) if ask is None else ask(symbol, *bounds)
        )
        near = ""
        if not found and has_method(store, "fundamental_symbols"):
            known = store.fundamental_symbols()  # type: ignore[attr-defined]  # has_method
            near = "" if symbol in known else did_you_mean(symbol, known)
    if not found:
        within = "" if start is None and end is None else " in that range"
        raise click.ClickException(f"no fundamentals of {printable(symbol)!r}{within}{near}")
    if as_json:
        rows = ",\n".join(encode_fundamental(each).decode() for each in found)
        click.echo(f"[\n{rows}\n]")
        return
    console().print(f"{printable(symbol)}: {counted(len(found), 'fundamental')}")
    console().print(table(_HEADINGS, map(_row, found), right=_NUMBERS))


def _row(data: FundamentalData) -> tuple[str, ...]:
    numbers = (getattr(data, name) for name in _NUMBERS)
    return (
        data.timestamp.isoformat(" "),
        printable(data.company_name),
        printable(data.cik),
        *("" if number is None else f"{number:,}" for number in numbers),
        printable(data.industry or ""),
        "" if data.extra is None else printable(encoded(msgspec.to_builtins(data.extra))),
    )
