"""`storecore history`, `storecore corrections` and `storecore at`: what was known, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import click
from msgspec.structs import asdict

from storecore.cli.output import json_option, print_object
from storecore.cli.screen import console, date_text, table
from storecore.cli.show import bar_table, why_none
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.cli.timestamps import moment_option, parse_time, time_option
from storecore.errors import HistoryPruned, InvalidData, shown
from storecore.knowledge.versions import BarVersion, Correction, FundamentalVersion
from storecore.knowledge.view import at as view_at
from storecore.protocols import Catalog, DataStore
from storecore.protocols import History as Kept
from storecore.store.questions import has_method, read_bars, why_lacking
from storecore.values.suggestions import did_you_mean

_PRUNED = "earlier ones are not known: that history was pruned, or is not kept"
_CHANGES = ("recorded (UTC)", "kind", "symbol", "timeframe", "of (UTC)", "what changed")


@click.command(
    short_help="Show what a day's bars and fundamentals were, and when.",
    epilog=examples(
        "storecore history AAPL 2026-01-05",
        "storecore history BTC:USDT 2026-01-05T14:30 --timeframe 1m",
    ),
)
@click.argument("symbol")
@click.argument("when", metavar="DATE", callback=time_option)
@click.option("--timeframe", default="1d", show_default=True, help="The timeframe of the bars.")
@json_option
@store_options
def history(choice: StoreChoice, symbol: str, when: date, timeframe: str, as_json: bool) -> None:
    """Show every version of the bars and fundamentals of SYMBOL at DATE.

    DATE is a day or a time. The store held a version from `recorded` until just before `replaced`.
    Times are in UTC.
    """
    with choice.open_to_read() as store:
        kept = with_history(store, choice)
        bars = kept.bar_versions(symbol, when, when, timeframe=timeframe)
        filings = kept.fundamental_versions(symbol, when, when)
        is_pruned = _is_pruned(kept, None)
        near = "" if bars or filings else _did_you_mean(store, symbol)
    if not (bars or filings):
        raise click.ClickException(
            f"no bar ({timeframe}) and no fundamental of {printable(symbol)!r} was ever recorded "
            f"for {when.isoformat()}{near}"
        )
    if as_json:
        print_object({"bars": bars, "fundamentals": filings, "is_pruned": is_pruned})
        return
    screen = console()
    if bars:
        screen.print(f"{printable(symbol)}, {timeframe}: {counted(len(bars), 'version')}")
        screen.print(bar_table([each.bar for each in bars], beside=_instants(bars)))
    if filings:
        screen.print(f"{printable(symbol)}, fundamentals: {counted(len(filings), 'version')}")
        headings = ("timestamp (UTC)", "recorded (UTC)", "replaced (UTC)", "what changed")
        screen.print(table(headings, _filing_rows(filings), right=()))
    if is_pruned:
        screen.print(_PRUNED)


@click.command(
    short_help="Show what was replaced or deleted, and when.",
    epilog=examples(
        "storecore corrections --since 2026-01-01",
        "storecore corrections --symbol AAPL",
    ),
)
@click.option(
    "--since",
    metavar="TIME",
    callback=time_option,
    help="The first date or time at which a change was recorded [default: all].",
)
@click.option("--symbol", metavar="NAME", help="Only corrections of this symbol.")
@json_option
@store_options
def corrections(choice: StoreChoice, since: date | None, symbol: str | None, as_json: bool) -> None:
    """Show each bar, fundamental and event that was replaced or deleted.

    They are sorted by the time at which the store recorded the change, in UTC.
    """
    with choice.open_to_read() as store:
        kept = with_history(store, choice)
        first = None if since is None else midnight(since)
        found = kept.corrections(first, symbol=symbol)
        is_pruned = _is_pruned(kept, first)
        near = "" if found or symbol is None else _did_you_mean(store, symbol)
    if as_json:
        print_object({"corrections": found, "is_pruned": is_pruned})
        return
    console().print(f"{counted(len(found), 'correction')}{near}")
    if found:
        console().print(table(_CHANGES, map(_correction_row, found), right=()))
    if is_pruned:
        console().print(_PRUNED)


@click.command(
    "at",
    short_help="Show the last bars of a series as they were known at a time.",
    epilog=examples(
        "storecore at 2026-01-05T21:00 AAPL",
        "storecore at 2026-01-05T21:00 AAPL --recorded 2026-01-05T21:00 --last 5",
        "storecore at 2026-q1 AAPL",
    ),
)
@click.argument("when", metavar="TIME")
@click.argument("symbol")
@click.option("--timeframe", default="1d", show_default=True, help="The timeframe of the bars.")
@click.option(
    "--recorded",
    metavar="TIME",
    callback=moment_option,
    help="Also show the bars as the store held them at this time.",
)
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="N",
    help="The number of bars, counted from the end.",
)
@json_option
@store_options
def known_at(
    choice: StoreChoice,
    when: str,
    symbol: str,
    timeframe: str,
    recorded: datetime | None,
    last: int,
    as_json: bool,
) -> None:
    """Show the last bars of SYMBOL that were known at TIME.

    They include later corrections. With --recorded they are shown twice: with later corrections,
    and as the store held them at that time. TIME may also be the name of a snapshot: then the bars
    are shown as the store held them when it was made. Times are in UTC.
    """
    asked = [None] if recorded is None else [None, recorded]
    with choice.open_to_read() as store:
        moment = _moment_or_name(when, store)
        views = [view_at(store, moment, recorded=held) for held in asked]
        found = [view.read_bars(symbol, last=last, timeframe=timeframe) for view in views]
        if not any(found) and not read_bars(store, symbol, last=1, timeframe=timeframe):
            raise click.ClickException(why_none(store, symbol, timeframe))
    if as_json:
        answers = [
            {"recorded": held, "bars": bars} for held, bars in zip(asked, found, strict=True)
        ]
        print_object({"known_at": when, "views": answers})
        return
    for held, bars in zip(asked, found, strict=True):
        then = "" if held is None else f", as recorded by {held.isoformat(timespec='auto')}"
        known = f"{counted(len(bars), 'bar')} known at {printable(when)}{then}"
        console().print(f"{printable(symbol)}, {timeframe}: {known}")
        if bars:
            console().print(bar_table(bars))


def _moment_or_name(text: str, store: DataStore) -> datetime | str:
    """Return a time in ISO format, or the name of a snapshot."""
    names = [each.name for each in store.snapshots()] if isinstance(store, Kept) else []
    if text in names:
        return text
    try:
        found = parse_time(text, "TIME")
    except InvalidData:
        raise click.ClickException(
            f"TIME={printable(text)!r}: it is no snapshot{did_you_mean(text, names)}, and no ISO "
            "date and time such as 2026-01-05T21:00"
        ) from None
    if isinstance(found, datetime):
        return found
    raise click.ClickException(
        f"TIME={text!r}: a date is not one moment; give a time too, as in {text}T21:00"
    )


def _did_you_mean(store: Any, symbol: str) -> str:
    """Return the nearest symbols of a store that has data of none of that name, or nothing."""
    known = set(store.symbols()) if isinstance(store, Catalog) else set[str]()
    if has_method(store, "fundamental_symbols"):
        known.update(store.fundamental_symbols())
    return "" if symbol in known else did_you_mean(symbol, known)


def _is_pruned(kept: Kept, since: datetime | None) -> bool:
    """Return whether the store no longer has all corrections since a moment."""
    try:
        kept.bar_versions("any", recorded=datetime.min if since is None else since)
    except HistoryPruned:
        return True
    except InvalidData:  # a moment in the future
        return False
    return False


def with_history(store: DataStore, choice: StoreChoice) -> Kept:
    """Return a store with the capability `History`. Raises `click.ClickException`."""
    if not isinstance(store, Kept):
        raise click.ClickException(
            f"the {choice.named} has no history: it lacks the capability History"
            f"{why_lacking(store, 'History')}"
        )
    return store


def midnight(day: date) -> datetime:
    """Return the moment of a date: its midnight in UTC."""
    return day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)


def _instants(versions: Sequence[BarVersion | FundamentalVersion]) -> dict[str, list[str]]:
    return {
        "recorded (UTC)": [_instant(each.recorded_at, "before history") for each in versions],
        "replaced (UTC)": [_instant(each.replaced_at, "") for each in versions],
    }


def _instant(moment: datetime | None, otherwise: str) -> str:
    return otherwise if moment is None else moment.replace(tzinfo=None).isoformat(" ")


def _filing_rows(versions: Sequence[FundamentalVersion]) -> Iterator[tuple[str, ...]]:
    before: dict[str, FundamentalVersion] = {}
    began, ended = _instants(versions).values()
    for each, *instants in zip(versions, began, ended, strict=True):
        stamp = _instant(each.data.timestamp, "")
        last = before.get(stamp)
        yield stamp, *instants, "first" if last is None else _changes(last.data, each.data)
        before[stamp] = each


def _correction_row(each: Correction) -> tuple[str, ...]:
    return (
        _instant(each.recorded_at, ""),
        each.kind,
        printable(each.symbol or ""),
        printable(each.timeframe or ""),
        date_text(each.timestamp),
        "deleted" if each.after is None else _changes(each.before, each.after),
    )


def _changes(before: Any, after: Any) -> str:
    """Return the fields that differ, each with its old and its new value."""
    old, new = asdict(before), asdict(after)
    changed = [name for name in old if repr(old[name]) != repr(new[name])]
    return ", ".join(f"{name} {shown(old[name])} → {shown(new[name])}" for name in changed)
