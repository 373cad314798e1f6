"""`storecore evidence`: what was decided and read, as files that prove themselves."""

from __future__ import annotations

import json
import shlex
from datetime import date
from pathlib import Path

import click

from storecore.audit.transfer import LOGS
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.cli.timestamps import check_order, time_option
from storecore.knowledge.evidence import VERIFIER
from storecore.knowledge.evidence import evidence as evidence_of
from storecore.knowledge.verifier import RECEIPTS
from storecore.values.times import time_range


@click.command(
    short_help="Write what was decided and read, for others to verify.",
    epilog=examples(
        "storecore evidence --start 2026-01-05 --end 2026-01-09 week-2",
        "python3 week-2/verify.py --head f07272a8…",
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
@click.argument("out", type=click.Path(path_type=Path))
@store_options
def evidence(choice: StoreChoice, start: date | None, end: date | None, out: Path) -> None:
    """Write the records of a range of time, their receipts and the rows that were read into OUT.

    OUT is a new folder. OUT/verify.py verifies it with Python 3.11 or later alone. A receiver
    should take verify.py from storecore itself, and pass a hash that was kept elsewhere as --head.
    """
    check_order(start, end)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise click.ClickException(f"{printable(str(out))} exists; give a new folder")
    with choice.open_to_read() as store:
        counts, missing = {}, 0
        for name, content in evidence_of(store, time_range(start, end)):
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
