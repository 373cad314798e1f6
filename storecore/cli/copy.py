"""`storecore copy`: a copy of a store or of a part of it, and a report on both sides."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from typing import Any, cast

import click
from rich.table import Table

from storecore.cli.info import Reading, series_of
from storecore.cli.interrupts import reporting
from storecore.cli.names import chosen, split
from storecore.cli.output import json_option, print_object
from storecore.cli.screen import console, progresses, table
from storecore.cli.store_choice import StoreChoice, examples, store_argument
from storecore.cli.text import counted, printable
from storecore.cli.timestamps import time_option
from storecore.config.open import open_store
from storecore.copying import Copied, CopyReport, copy_store
from storecore.copying.scope import KINDS, Scope, scope_of
from storecore.errors import InvalidData, NoStore
from storecore.protocols import Catalog, DataStore
from storecore.store.digests import EVER
from storecore.store.questions import has_method

_HEADINGS = ("kind", "name", "timeframe", "source", "target", "checksums", "")
_PLANNED = ("kind", "name", "timeframe", "source", "target", "to write")
_SHOWN = 12


@click.command(
    short_help="Copy a store, or a part of it, into another one.",
    epilog=examples(
        "storecore copy storecore.toml other.toml",
        "storecore copy file:base_path=data file:base_path=/mnt/backup --dry-run",
        "storecore copy storecore.toml file:base_path=a --only bars,events --symbols 'A*'",
    ),
)
@store_argument("source")
@store_argument("target")
@click.option(
    "--only",
    metavar="KIND,…",
    multiple=True,
    callback=split,
    help=f"Only these kinds of data: {', '.join(KINDS)}.",
)
@click.option(
    "--symbols",
    metavar="NAME,…",
    multiple=True,
    callback=split,
    help="Only bars, fundamentals and events of these symbols, or of those that match a pattern.",
)
@click.option(
    "--since",
    metavar="TIME",
    callback=time_option,
    help="Only bars, fundamentals and events from this date or time on.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing; show what would be written.")
@click.option(
    "--history/--no-history",
    default=None,
    help="Whether to copy what was replaced or deleted, and snapshots [default: --history, of a "
    "part --no-history].",
)
@json_option
def copy(
    source: StoreChoice,
    target: StoreChoice,
    only: tuple[str, ...],
    symbols: tuple[str, ...],
    since: date | None,
    dry_run: bool,
    history: bool | None,
    as_json: bool,
) -> None:
    """Copy all data of the store SOURCE into the store TARGET, without loss.

    Each is a config file, or a backend with its options as NAME:KEY=VALUE,KEY=VALUE. Run it again
    to add what is missing. Nothing in TARGET is deleted; data that only TARGET has is reported as a
    difference. The exit status is 1 if the two are not equal in the end, if SOURCE is empty, or if
    the history cannot be copied. Then only the present is copied, as with --no-history.

    With --only, --symbols or --since, a part is copied as it is now, without its history, and only
    this part is compared. States and the audit log have no symbols: with --symbols or --since
    they are left out.
    """
    part = _part(only, symbols, since, history)
    done: Counter[str] = Counter()

    def count(kind: str, key: str, number: int) -> None:
        done[kind] += number
        advance(kind, number)

    with ExitStack() as stack:
        given = stack.enter_context(source.open_to_read())
        _check_symbols(given, part)
        kept = stack.enter_context(_looked_at(target) if dry_run else target.open())
        advance = stack.enter_context(progresses(_totals(given, part)))
        if not dry_run:
            stack.enter_context(reporting(lambda: _done(done)))
        report = copy_store(
            given,
            kept,
            progress=count,
            history=history is not False,
            only=only or None,
            symbols=symbols or None,
            since=since,
            dry_run=dry_run,
        )
    _conclude(report, source, target, part, dry_run, as_json)


def _part(
    only: tuple[str, ...], symbols: tuple[str, ...], since: date | None, history: bool | None
) -> Scope:
    """Return the part to copy. Raises `click.UsageError` for one that cannot be copied."""
    try:
        part = scope_of(only or None, symbols or None, since)
    except InvalidData as error:
        raise click.UsageError(str(error)) from None
    if part.is_part and history:
        raise click.UsageError(
            "--history: a history is copied with the whole store only; leave it out, or --only, "
            "--symbols and --since"
        )
    return part


def _check_symbols(store: DataStore, part: Scope) -> None:
    """Raise `click.ClickException` for a symbol or a pattern of which the source has no data."""
    if part.symbols is None or not isinstance(store, Catalog):
        return
    asks = {"bars": "symbols", "fundamentals": "fundamental_symbols", "events": "event_symbols"}
    methods = [asks[kind] for kind in part.kinds if has_method(store, asks[kind])]
    known = {name for method in methods for name in getattr(store, method)()}
    chosen(part.symbols, known, "symbol")


def _looked_at(target: StoreChoice) -> DataStore:
    """Open the target without creating it; one that does not exist is empty."""
    try:
        return target.open_to_read()
    except NoStore:
        return open_store("memory")


def _conclude(
    report: CopyReport,
    source: StoreChoice,
    target: StoreChoice,
    part: Scope,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Print a report. Raises `click.ClickException`, or `SystemExit`, if something is wrong."""
    if as_json:
        print_object(_as_json(report, dry_run))
    else:
        _print(report, target, dry_run)
    if not any(each.source.count for each in report.copied) and not report.left_out:
        # Probably misspelled: some backends open a new place as an empty store.
        nothing = "nothing of that part" if part.is_part else "nothing"
        raise click.ClickException(f"{source.named} holds {nothing}; is it the store you mean?")
    if report.why_no_history:
        verb = "would be" if dry_run else "was"
        raise click.ClickException(
            f"only the present {verb} copied, not the history: {printable(report.why_no_history)}; "
            "give --no-history if the present is enough"
        )
    if report.left_out or not (report.ok or dry_run):
        raise SystemExit(1)


def _as_json(report: CopyReport, dry_run: bool) -> dict[str, Any]:
    """Return a report as one object."""
    return {
        "dry_run": dry_run,
        "written": sum(each.added for each in report.copied),
        "equal": report.ok,
        "copied": report.copied,
        "left_out": report.left_out,
        "notes": report.notes,
        "why_no_history": report.why_no_history,
    }


def _done(done: Counter[str]) -> str:
    """Return what an interrupted copy has copied; the last write may not be counted yet."""
    parts = ", ".join(f"{number:,} {kind}" for kind, number in done.items())
    copied = f"{parts} copied or found equal, perhaps more" if parts else "some may be copied"
    return f"{copied}; run it again for the rest"


def _totals(store: DataStore, part: Scope) -> dict[str, int]:
    """Return the number of bars to copy, if it is known and a progress bar will show it."""
    is_known = isinstance(store, Catalog) and "bars" in part.kinds and part.bounds == EVER
    if not (sys.stderr.isatty() and is_known):
        return {}
    series = series_of(cast(Catalog, store), Reading())
    return {"bars": sum(each.coverage.count for each in series if part.has_symbol(each.symbol))}


def _print(report: CopyReport, target: StoreChoice, dry_run: bool) -> None:
    """Print a report."""
    screen = console()
    if report.copied:
        screen.print(_planned(report.copied) if dry_run else _compared(report.copied))
    for each in report.differences:
        if each.note:
            what = " ".join(filter(None, (each.kind, printable(each.key))))
            screen.print(f"{what}: {printable(each.note)}")
    for left in report.left_out:
        screen.print(f"left out: {left.kind}: {printable(left.why)}")
    for note in report.notes:
        screen.print(f"note: {note}")
    if dry_run:
        screen.print(f"{_would_be(report)} would be written to {target.named} (--dry-run)")
        return
    added = sum(each.added for each in report.copied)
    screen.print(f"{counted(added, 'record')} written to {target.named}: {_verdict(report)}")


def _would_be(report: CopyReport) -> str:
    """Return the number of records to write, by kind."""
    sums: Counter[str] = Counter()
    for each in report.copied:
        sums[each.kind] += each.added
    return ", ".join(f"{sums[kind]:,} {kind}" for kind in sums if sums[kind]) or "nothing"


def _compared(copied: Sequence[Copied]) -> Table:
    """Return a table of both sides."""
    return table(_HEADINGS, map(_row, copied), right=("source", "target"))


def _planned(copied: Sequence[Copied]) -> Table:
    """Return a table of what would be written."""
    rows = [(*_row(each)[:5], f"{each.added:,}") for each in copied]
    return table(_PLANNED, rows, right=("source", "target", "to write"))


def _row(each: Copied) -> tuple[str, ...]:
    sums = each.source.checksum[:_SHOWN], each.target.checksum[:_SHOWN]
    return (
        each.kind,
        printable(each.key),
        printable(each.timeframe),
        f"{each.source.count:,}",
        f"{each.target.count:,}",
        " ".join(checksum or "–" for checksum in sums),
        "equal" if each.equal else "DIFFERENT",
    )


def _verdict(report: CopyReport) -> str:
    if report.ok:
        return "both are equal" if report.copied else "both are empty"
    differences = counted(len(report.differences), "difference")
    return f"{differences}, {counted(len(report.left_out), 'kind')} left out"
