"""`storecore verify` and `storecore repair`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from storecore.cli.screen import console, table
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.protocols import DataStore, Maintenance
from storecore.reports import Finding, Report
from storecore.store.checkpoints import loaded
from storecore.store.checkpoints import verify as verified

_HEADINGS = ("kind", "where", "what")


@click.command(
    short_help="Check that a store is undamaged.",
    epilog=examples(
        "storecore verify",
        "storecore verify --backend file --set base_path=data",
        "storecore verify --against /mnt/elsewhere/2026-01-06.json",
    ),
)
@click.option(
    "--against",
    metavar="FILE",
    help="A checkpoint file: also report the data that the store has lost since.",
)
@store_options
def verify(choice: StoreChoice, against: str | None) -> None:
    """Check every file of a store and its bars; change nothing.

    The exit status is 1 if something is damaged, could not be checked, or is missing against a
    checkpoint. Anomalies, such as a high below a low or a gap, are reported but are no error.
    """
    then = None if against is None else loaded(against)
    with choice.open_to_read() as store:
        _print(verified(_maintained(store, choice), against=then))


@click.command(
    short_help="Quarantine damaged files and leftovers.",
    epilog=examples("storecore repair --dry-run", "storecore repair"),
)
@click.option("--dry-run", is_flag=True, help="Only print what would be done.")
@store_options
def repair(choice: StoreChoice, dry_run: bool) -> None:
    """Quarantine, never delete, damaged files and leftovers of killed writers.

    The exit status is 1 if damage remains.
    """
    with choice.open_to_read() as store:
        report = _maintained(store, choice).repair(dry_run=dry_run)
        for action in report.actions:
            console().print(printable(action))
        if not report.actions:
            console().print("nothing to repair")
        _print(report)


def _maintained(store: DataStore, choice: StoreChoice) -> Maintenance:
    if not isinstance(store, Maintenance):
        raise click.ClickException(
            f"the {choice.named} cannot do that: it lacks the capability Maintenance"
        )
    return store


def _print(report: Report) -> None:
    """Print a report; exit with status 1 if something is wrong."""
    screen = console()
    for title, found in (("wrong", report.findings), ("notes", report.notes)):
        if found:
            screen.print(f"{title}:")
            screen.print(table(_HEADINGS, _rows(found), right=()))
    state = "all is whole" if report.ok else f"{counted(len(report.findings), 'finding')}"
    screen.print(f"{report.checked:,} files or rows checked: {state}")
    if not report.ok:
        raise SystemExit(1)


def _rows(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    return [(each.kind, printable(each.place), printable(each.detail)) for each in findings]
