"""`storecore checkpoint`: digests of all data of a store, as one small document."""

from __future__ import annotations

from pathlib import Path

import click

from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.store.checkpoints import Checkpoint, checkpoint


@click.command(
    "checkpoint",
    short_help="Write digests of all data of a store, to verify it against later.",
    epilog=examples(
        "storecore checkpoint -o /mnt/elsewhere/2026-01-06.json",
        "storecore verify --against /mnt/elsewhere/2026-01-06.json",
    ),
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The file to write, replaced if it exists [default: stdout].",
)
@store_options
def take(choice: StoreChoice, output: Path | None) -> None:
    """Write a digest for each series, symbol, day of events, state and audit log of a store.

    Keep the document where writers of the store cannot write. `storecore verify --against` then
    reports by name the data that the store has lost. Run `storecore verify` first. Take a new
    checkpoint after you delete bars on purpose. If something cannot be read, nothing is written and
    the exit status is 1.
    """
    with choice.open_to_read() as store:
        taken = checkpoint(store)
    if not any((taken.bars, taken.fundamentals, taken.events, taken.states, taken.audit)):
        # Probably misspelled; and any store would pass against an empty checkpoint.
        raise click.ClickException(f"{choice.named} holds nothing; is it the store you mean?")
    if output is None:
        click.echo(taken.encoded(), nl=False)
    else:
        taken.save(output)
        click.echo(f"{_summary(taken)}: written to {printable(str(output))}")


def _summary(taken: Checkpoint) -> str:
    return ", ".join(
        (
            counted(len(taken.bars), "series"),
            f"fundamentals of {counted(len(taken.fundamentals), 'symbol')}",
            f"events of {counted(len(taken.events), 'day')}",
            counted(len(taken.states), "state"),
            counted(len(taken.audit), "audit log"),
        )
    )
