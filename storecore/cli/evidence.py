"""`storecore evidence`: what was decided and read, as files that prove themselves."""

from __future__ import annotations

import json
import shlex
from datetime import date
from pathlib import Path

import click

from storecore.audit.transfer import LOGS
from storecore.cli.replay import audited
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.cli.timestamps import check_order, time_option
from storecore.knowledge.evidence import VERIFIER
from storecore.knowledge.evidence import evidence as evidence_of
from storecore.knowledge.verifier import RECEIPTS
from storecore.protocols import By, DataStore
from storecore.store.questions import read_decisions, read_orders
from storecore.values.times import TimeRange, time_range


@click.command(
    short_help="Write what was decided and read, for others to verify.",
    epilog=examples(
        "storecore evidence --start 2026-01-05 --end 2026-01-09 week-2",
        "storecore evidence --run bt-7 bt-7",
        "python3 week-2/verify.py --head f07272a8… --head 8a1c64d2…",
    ),
)
@click.option(
    "--start",
    metavar="TIME",
    callback=time_option,
    help="The first time of logging [default: all].",
)
@click.option(
    "--end",
    metavar="TIME",
    callback=time_option,
    help="The last time of logging, included; a date is a whole day.",
)
@click.option("--run", metavar="NAME", help="From the first to the last record of this run.")
@click.option(
    "--as-of", is_flag=True, help="--start and --end are times `as_of`, as in a backtest's records."
)
@click.argument("out", type=click.Path(path_type=Path))
@store_options
def evidence(
    choice: StoreChoice,
    start: date | None,
    end: date | None,
    run: str | None,
    as_of: bool,
    out: Path,
) -> None:
    """Write the records of a range of time, their receipts and the rows that were read into OUT.

    --start and --end are times of logging, unless --as-of is given. What was logged in between is
    written too, so that the chain has no gap. No record at all is an error. OUT is a new folder.
    OUT/verify.py verifies it with Python 3.11 or later alone. A receiver should take verify.py from
    storecore itself, and pass the last hash of each log, which was kept elsewhere, as --head.
    """
    check_order(start, end)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise click.ClickException(f"{printable(str(out))} exists; give a new folder")
    with choice.open_to_read() as store:
        counts, missing = {}, 0
        for name, content in evidence_of(store, _logged(store, start, end, run, as_of)):
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            counts[name] = content.count(b"\n")
            if name == RECEIPTS:
                missing = sum(json.loads(each)["rows"] is None for each in content.splitlines())
    records = [counted(counts[f"{log}.jsonl"], log[:-1]) for log in LOGS]
    written = ", ".join([*records, counted(counts[RECEIPTS], "read")])
    click.echo(f"{written}: written to {printable(str(out))}")
    if missing:
        click.echo(f"{counted(missing, 'read')} without rows: what was read then is gone")
    click.echo(f"verify with: python3 {printable(shlex.quote(str(out / VERIFIER)))}")


def _logged(
    store: DataStore, start: date | None, end: date | None, run: str | None, as_of: bool
) -> TimeRange:
    """Return the range of time in which the records that are asked for were logged."""
    by: By = "as_of" if as_of else "timestamp"
    asked = "*" if run is None else run
    found = [
        record.timestamp
        for read in (read_decisions, read_orders)
        for record in read(audited(store), start, end, by=by, run=asked)
    ]
    if not found:
        raise click.ClickException(
            "no such record was logged, so there is nothing to prove: --start and --end are times "
            "of logging; for the times of a backtest give --as-of, or --run NAME alone"
        )
    if run is None and not as_of:
        return time_range(start, end)
    return time_range(min(found), max(found))
