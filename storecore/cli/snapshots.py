"""`storecore snapshot`, `storecore snapshots` and `storecore prune-history`."""

from __future__ import annotations

from datetime import date

import click

from storecore.cli.history import midnight, with_history
from storecore.cli.output import json_option, print_array
from storecore.cli.screen import console, table
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, listed, printable
from storecore.cli.timestamps import time_option
from storecore.knowledge.versions import Snapshot
from storecore.protocols import History
from storecore.values.suggestions import did_you_mean

_HEADINGS = ("snapshot", "recorded (UTC)", "note")


@click.command(
    short_help="Name what a store holds now, or drop such a name.",
    epilog=examples(
        "storecore snapshot 2026-q1 --note 'before the restatement'",
        "storecore snapshot 2026-q1 --drop",
    ),
)
@click.argument("name")
@click.option("--note", default="", metavar="TEXT", help="A text that is kept with the name.")
@click.option("--drop", is_flag=True, help="Remove the snapshot NAME; no data is removed.")
@store_options
def snapshot(choice: StoreChoice, name: str, note: str, drop: bool) -> None:
    """Name the present moment of recording, so that `storecore at NAME` shows what was held at it.

    History is not pruned across a snapshot.
    """
    with choice.open_to_read() as store:
        kept = with_history(store, choice)
        if drop:
            _drop(kept, name)
            return
        made = kept.snapshot(name, note)
    console().print(f"{printable(made.name)}: what is recorded by {_instant(made)} (UTC)")


@click.command(
    short_help="List the snapshots of a store.",
    epilog=examples("storecore snapshots", "storecore snapshots --backend file --set base_path=d"),
)
@json_option
@store_options
def snapshots(choice: StoreChoice, as_json: bool) -> None:
    """List the snapshots of a store by time, with their notes. Times are in UTC."""
    with choice.open_to_read() as store:
        found = with_history(store, choice).snapshots()
    if as_json:
        print_array(found)
        return
    console().print(counted(len(found), "snapshot"))
    if found:
        rows = [(printable(each.name), _instant(each), printable(each.note)) for each in found]
        console().print(table(_HEADINGS, rows, right=()))


@click.command(
    "prune-history",
    short_help="Remove old versions of what was replaced or deleted.",
    epilog=examples("storecore prune-history --before 2025-01-01"),
)
@click.option(
    "--before",
    metavar="TIME",
    required=True,
    callback=time_option,
    help="Versions that were replaced or deleted by this time are removed; a date is its midnight.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@store_options
def prune_history(choice: StoreChoice, before: date, yes: bool) -> None:
    """Remove what was replaced or deleted by a time; the present stays.

    From then on, questions about earlier moments of recording are refused. It cannot be undone.
    """
    moment = midnight(before)
    with choice.open_to_read() as store:
        kept = with_history(store, choice)
        what = f"Remove what was replaced or deleted by {moment} (UTC) from the {choice.named}?"
        if not (yes or click.confirm(f"{what} It cannot be undone", err=True)):
            raise click.ClickException("nothing was removed")
        removed = kept.prune_history(moment)
    console().print(f"{counted(removed, 'version')} removed")


def history_state(store: History) -> str:
    """Return from when on a store has a history, and the names of its snapshots."""
    recording = store.recording()
    pruned = recording.pruned_before
    parts = ["all of it" if pruned is None else f"from {pruned.replace(tzinfo=None)} (UTC) on"]
    parts += [] if recording.is_kept else ["what is replaced now is not kept"]
    names = [each.name for each in store.snapshots()]
    parts.append(f"{counted(len(names), 'snapshot')}{': ' if names else ''}{listed(names, 5)}")
    return "; ".join(parts)


def _drop(kept: History, name: str) -> None:
    known = [each.name for each in kept.snapshots()]
    if not kept.drop_snapshot(name):
        raise click.ClickException(f"no snapshot {printable(name)!r}{did_you_mean(name, known)}")
    console().print(f"{printable(name)} is dropped")


def _instant(snapshot: Snapshot) -> str:
    return snapshot.recorded_at.replace(tzinfo=None).isoformat(" ")
