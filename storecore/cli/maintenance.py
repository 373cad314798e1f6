"""`storecore verify` and `storecore repair`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import click
from msgspec.structs import asdict, replace

from storecore.cli.output import json_option, print_object
from storecore.cli.screen import console, table
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.errors import StorageError
from storecore.protocols import Catalog, DataStore, Maintenance
from storecore.reports import Finding, Report
from storecore.store.checkpoints import loaded
from storecore.store.checkpoints import verify as verified
from storecore.values.timeframes import DAY, timeframe_of

_HEADINGS = ("kind", "where", "what")


@click.command(
    short_help="Check that a store is undamaged.",
    epilog=examples(
        "storecore verify",
        "storecore verify --backend file --set base_path=data",
        "storecore verify --against /mnt/elsewhere/2026-01-06.json",
        "storecore verify --calendar XNYS --calendar BTC-USD=24/7",
    ),
)
@click.option(
    "--against",
    metavar="FILE",
    help="A checkpoint file: also report the data that the store has lost since.",
)
@click.option(
    "--calendar",
    "calendars",
    metavar="[SYMBOL=]NAME",
    multiple=True,
    help="A calendar of exchange_calendars: also report sessions without bars. May be repeated.",
)
@json_option
@store_options
def verify(
    choice: StoreChoice, against: str | None, calendars: tuple[str, ...], as_json: bool
) -> None:
    """Check every file of a store and its bars; change nothing.

    The exit status is 1 if something is damaged, could not be checked, or is missing against a
    checkpoint. Anomalies, such as a high below a low or a gap, are reported but are not errors.
    """
    then = None if against is None else loaded(against)
    with choice.open_to_read() as store:
        report = verified(_maintained(store, choice), against=then)
        _conclude(_with_gaps(report, store, calendars), as_json)


@click.command(
    short_help="Quarantine damaged files and leftovers.",
    epilog=examples("storecore repair --dry-run", "storecore repair"),
)
@click.option("--dry-run", is_flag=True, help="Only print what would be done.")
@json_option
@store_options
def repair(choice: StoreChoice, dry_run: bool, as_json: bool) -> None:
    """Quarantine, never delete, damaged files and leftovers of killed writers.

    The exit status is 1 if damage remains.
    """
    with choice.open_to_read() as store:
        report = _maintained(store, choice).repair(dry_run=dry_run)
        if not as_json:
            console().print("\n".join(map(printable, report.actions)) or "nothing to repair")
        _conclude(report, as_json)


def _with_gaps(report: Report, store: DataStore, calendars: tuple[str, ...]) -> Report:
    """Return a report with the gaps of each series whose symbol has a calendar."""
    if not calendars:
        return report
    if not isinstance(store, Catalog):
        raise click.ClickException("--calendar: this store cannot list its series")
    from storecore.store.frames.gaps import verify_sessions

    named = dict(each.rpartition("=")[::2] for each in calendars)  # "": of all other symbols
    notes = list(report.notes)
    for symbol in store.symbols():
        calendar = named.get(symbol, named.get(""))
        lengths = {each: timeframe_of(each) for each in store.timeframes(symbol)}
        for timeframe, length in lengths.items():
            if calendar is None or length is None or length.micros > DAY:
                continue
            with suppress(StorageError):  # the report has it already
                notes += verify_sessions(store, calendar, symbol, timeframe=timeframe).notes
    return replace(report, notes=tuple(notes))


def _maintained(store: DataStore, choice: StoreChoice) -> Maintenance:
    if not isinstance(store, Maintenance):
        raise click.ClickException(
            f"the {choice.named} cannot do that: it lacks the capability Maintenance"
        )
    return store


def _conclude(report: Report, as_json: bool) -> None:
    """Print a report; exit with status 1 if something is wrong."""
    if as_json:
        print_object({"ok": report.ok, **asdict(report)})
    else:
        _print(report)
    if not report.ok:
        raise SystemExit(1)


def _print(report: Report) -> None:
    screen = console()
    for title, found in (("wrong", report.findings), ("notes", report.notes)):
        if found:
            screen.print(f"{title}:")
            screen.print(table(_HEADINGS, _rows(found), right=()))
    state = "all is whole" if report.ok else f"{counted(len(report.findings), 'finding')}"
    screen.print(f"{report.checked:,} files or rows checked: {state}")


def _rows(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    return [(each.kind, printable(each.place), printable(each.detail)) for each in findings]
