"""`storecore copy`: a copy of a whole store, and a report on both sides."""

from __future__ import annotations

import sys
from collections import Counter

import click

from storecore.cli.info import Reading, series_of
from storecore.cli.interrupts import reporting
from storecore.cli.screen import console, progresses, table
from storecore.cli.store_choice import StoreChoice, examples, store_argument
from storecore.cli.text import counted, printable
from storecore.copying import Copied, CopyReport, copy_store
from storecore.protocols import Catalog, DataStore

_HEADINGS = ("kind", "name", "timeframe", "source", "target", "checksums", "")
_SHOWN = 12


@click.command(
    short_help="Copy a whole store into another one.",
    epilog=examples(
        "storecore copy storecore.toml other.toml",
        "storecore copy file:base_path=data file:base_path=/mnt/backup",
    ),
)
@store_argument("source")
@store_argument("target")
@click.option(
    "--history/--no-history",
    default=True,
    help="Whether to copy what was replaced or deleted, and snapshots.",
    show_default=True,
)
def copy(source: StoreChoice, target: StoreChoice, history: bool) -> None:
    """Copy all data of the store SOURCE into the store TARGET, without loss.

    Each is a config file, or a backend with its options as NAME:KEY=VALUE,KEY=VALUE. Run it again
    to add what is missing. Nothing in TARGET is deleted; data that only TARGET has is reported as a
    difference. The exit status is 1 if the two are not equal in the end, if SOURCE is empty, or if
    the history cannot be copied: then only the present is, as with --no-history.
    """
    done: Counter[str] = Counter()

    def count(kind: str, key: str, number: int) -> None:
        done[kind] += number
        advance(kind, number)

    with (
        reporting(lambda: _done(done)),
        source.open_to_read() as given,
        target.open() as kept,
        progresses(_totals(given)) as advance,
    ):
        report = copy_store(
            given,
            kept,
            progress=count,
            history=history,
        )
    _print(report, target)
    if not any(each.source.count for each in report.copied) and not report.left_out:
        # Probably misspelled: some backends open a new place as an empty store.
        raise click.ClickException(f"{source.named} holds nothing; is it the store you mean?")
    if report.why_no_history:
        raise click.ClickException(
            f"only the present was copied, not the history: {printable(report.why_no_history)}; "
            "give --no-history if the present is enough"
        )


def _done(done: Counter[str]) -> str:
    """Return what an interrupted copy has copied."""
    parts = ", ".join(f"{number:,} {kind}" for kind, number in done.items())
    return f"{parts or 'nothing'} copied or found equal; run it again for the rest"


def _totals(store: DataStore) -> dict[str, int]:
    """Return the number of bars to copy, if a progress bar will show it."""
    if not (sys.stderr.isatty() and isinstance(store, Catalog)):
        return {}
    return {"bars": sum(each.coverage.count for each in series_of(store, Reading()))}


def _print(report: CopyReport, target: StoreChoice) -> None:
    """Print a report; exit with status 1 if the two are not equal."""
    screen = console()
    if report.copied:
        rows = [_row(each) for each in report.copied]
        screen.print(table(_HEADINGS, rows, right=("source", "target")))
    for each in report.differences:
        if each.note:
            what = " ".join(filter(None, (each.kind, printable(each.key))))
            screen.print(f"{what}: {printable(each.note)}")
    for left in report.left_out:
        screen.print(f"left out: {left.kind}: {printable(left.why)}")
    for note in report.notes:
        screen.print(f"note: {note}")
    added = sum(each.added for each in report.copied)
    screen.print(f"{counted(added, 'record')} written to {target.named}: {_verdict(report)}")
    if not (report.ok or report.why_no_history):
        raise SystemExit(1)


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
