"""`storecore evidence`: what was decided and read, as files that prove themselves."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.cli.timestamps import time_option
from storecore.knowledge.evidence import VERIFIER
from storecore.knowledge.evidence import evidence as evidence_of
from storecore.values.times import time_range


@click.command(
    short_help="Write what was decided and read, for others to verify.",
    epilog=examples(
        "storecore evidence --start 2026-01-05 --end 2026-01-09 week-2",
        "python3 week-2/verify.py --head f07272a8…",
    ),
)
@click.option("--start", metavar="TIME", callback=time_option, help="From the first record then.")
@click.option("--end", metavar="TIME", callback=time_option, help="To the last record then.")
@click.argument("out", type=click.Path(path_type=Path))
@store_options
def evidence(choice: StoreChoice, start: date | None, end: date | None, out: Path) -> None:
    """Write the records of a range of time, their receipts and the rows that were read into OUT.

    OUT/verify.py verifies them with Python alone. Receivers should take that file from storecore
    itself, and compare the hash of a record with one that was kept elsewhere.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise click.ClickException(f"{printable(str(out))} exists; give a new folder")
    with choice.open_to_read() as store:
        names = []
        for name, content in evidence_of(store, time_range(start, end)):
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            names.append(name)
    rows = sum(name.startswith("rows/") and name.endswith(".jsonl") for name in names)
    written = f"{counted(len(names), 'file')}, {counted(rows, 'answer')}"
    click.echo(f"{written}: written to {printable(str(out))}; verify with python3 {VERIFIER}")
